//! What a session has to know of its revision beyond the wire: old servers join the namespace `/`
//! by themselves, and a session that was taken for another revision has to be opened anew.

use serde_json::Value;

use super::client::{Client, Output};
use super::namespace::{Auth, NamespaceId, Phase};
use super::timer::Timestamp;
use crate::error::{Error, ErrorKind, Stage};
use crate::event::{DisconnectReason, ManagerEvent, Status};
use crate::proto::revision::Dialect;
use crate::proto::socket_packet::{Kind, SocketPacket};

/// How often in a row a session is opened anew at once. A server that was replaced takes one, and
/// another where it keeps its clients waiting.
const MOST_CONTRADICTIONS: u32 = 2;

/// The name of the namespace that old servers join by themselves.
const ROOT: &str = "/";

/// Where a session stands with a namespace `/` that the server joins by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// The server has not said yet.
    Awaited,
    /// It is joined, whoever wants it.
    Joined,
    /// It was refused or left: nothing can be joined in this session any more.
    Gone,
}

impl<A> Client<A> {
    /// What the session is written in.
    pub(super) fn dialect(&self) -> &'static dyn Dialect {
        self.engine.as_ref().map_or_else(|| self.detector.asks_in(), super::engine::Engine::dialect)
    }

    /// Sees to a join that is not the client's to ask for. `false`: it is.
    pub(super) fn join_by_server(&mut self, id: NamespaceId, now: Timestamp) -> bool {
        if !self.dialect().joins_root() {
            return false;
        }
        let namespace = self.namespace(id);
        let is_root = *namespace.name == *ROOT;
        match self.root {
            Root::Gone => self.renew(now),
            _ if !is_root => return false,
            root => {
                if !matches!(&namespace.auth, Auth::Fixed(auth) if auth.json.is_empty()) {
                    log::warn!("this server reads the credentials of \"/\" from the URL's query");
                }
                self.await_join(id, now);
                if root == Root::Joined {
                    self.accept(id, &Value::Null, now);
                }
            }
        }
        true
    }

    /// Follows what becomes of `/`, whether anybody wants it or not.
    pub(super) fn watch_root(&mut self, packet: &SocketPacket, now: Timestamp) {
        if packet.namespace() != ROOT || !self.dialect().joins_root() {
            return;
        }
        match packet.kind {
            Kind::Connect => self.root = Root::Joined,
            Kind::Disconnect => self.root = Root::Gone,
            Kind::ConnectError if self.root == Root::Awaited => {
                self.root = Root::Gone;
                self.refuse_all(packet, now);
            }
            _ => {}
        }
    }

    /// This side leaves a namespace.
    pub(super) fn note_leave(&mut self, id: NamespaceId) {
        if *self.namespace(id).name == *ROOT {
            self.root = Root::Gone;
        }
    }

    /// Takes in the server's positive answer to CONNECT, or its own word.
    pub(super) fn accept(&mut self, id: NamespaceId, data: &Value, now: Timestamp) {
        let Some(engine) = &self.engine else { return };
        let dialect = engine.dialect();
        let sid = engine.sid().unwrap_or_default();
        let Some(membership) = dialect.membership(&self.namespace(id).name, sid, data) else {
            return self.contradicted(id, dialect, now);
        };
        self.contradictions = 0;
        self.detector.confirm(dialect);
        self.namespace_mut(id).accept(membership);
        self.joined(id, now);
    }

    /// Whoever waits for a namespace is refused along with `/`.
    fn refuse_all(&mut self, packet: &SocketPacket, now: Timestamp) {
        for id in self.ids() {
            let namespace = self.namespace_mut(id);
            if *namespace.name != *ROOT && matches!(namespace.phase, Phase::Asking | Phase::Joining)
            {
                namespace.phase = Phase::Joining;
                self.on_connect_error(id, packet, now);
            }
        }
    }

    /// The server answers CONNECT as another revision does: it was replaced, or taken for what it
    /// is not.
    fn contradicted(&mut self, id: NamespaceId, dialect: &'static dyn Dialect, now: Timestamp) {
        let may_change = self.detector.contradict(dialect);
        self.contradictions = self.contradictions.saturating_add(1);
        if may_change && self.contradictions <= MOST_CONTRADICTIONS {
            log::debug!("the server speaks another revision; opening another session");
            return self.renew(now);
        }
        let error = Error::new(
            ErrorKind::Connect(Stage::Namespace),
            format!("the server joined {:?} as another revision does", self.namespace(id).name),
        )
        .with_hint(self.detector.hint());
        if may_change {
            // This is no way for a server to behave. Not so fast, then.
            let status = Status::ConnectError(error.clone());
            self.outputs.push_back(Output::Status { namespace: id, status });
            return self.end_session(DisconnectReason::ParseError, Some(error));
        }
        self.join_failed(id, Phase::Joining, error, now);
    }

    /// Gives the session up for another one, at once.
    fn renew(&mut self, now: Timestamp) {
        let Some(mut engine) = self.engine.take() else { return };
        engine.close();
        self.retire(engine, now);
        self.leave_session();
        let reason = DisconnectReason::ForcedClose;
        self.outputs.push_back(Output::Manager(ManagerEvent::Close(reason, None)));
        for id in self.ids() {
            let was_joined = self.namespace(id).phase == Phase::Joined;
            let active = self.namespace(id).is_active();
            self.begin(id, if active { Phase::Waiting } else { Phase::Idle });
            if was_joined {
                self.disconnected(id, reason, None);
            }
        }
        self.dial(now);
    }
}
