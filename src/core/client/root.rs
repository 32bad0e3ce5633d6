//! The namespace `/` of old servers: they join it by themselves, before all others, and what they do
//! to it concerns the whole session.

use super::Client;
use super::namespace::{Auth, Phase};
use crate::core::engine::Engine;
use crate::core::ids::NamespaceId;
use crate::core::time::Timestamp;
use crate::proto::socket_packet::{Kind, SocketPacket};
use crate::sync::logging::log_later;

/// The name of the namespace that old servers join by themselves.
const ROOT: &str = "/";

/// Where a session stands with a namespace `/` that the server joins by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// The server has not said yet.
    Awaited,
    /// The server has joined it, whether a user has asked for it or not.
    Joined,
    /// It was refused or left: nothing can be joined in this session any more.
    Gone,
}

impl<A> Client<A> {
    /// Sees to a join for which no CONNECT is to be sent. `false`: one is to be sent.
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
                    log_later!(
                        Warn,
                        "this server reads the credentials of \"/\" from the URL's query"
                    );
                }
                self.await_join(id, now);
                if root == Root::Joined {
                    self.accept(id, "", now);
                }
            }
        }
        true
    }

    /// Notes what the server says of `/`, whether a user has asked for it or not. `true`: the packet
    /// needs no other handling.
    pub(super) fn watch_root(&mut self, packet: &SocketPacket, now: Timestamp) -> bool {
        if packet.namespace() != ROOT {
            return false;
        }
        if !self.dialect().joins_root() {
            let is_answer = matches!(packet.kind, Kind::Connect | Kind::ConnectError);
            let is_doubtful = self.engine.as_ref().is_some_and(Engine::may_be_mistaken);
            let is_strange = is_answer && is_doubtful && !self.asked_for_root();
            return is_strange && self.reconsider(now);
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
        // Where no user has asked for `/`, nobody is told that the server has joined it.
        packet.kind == Kind::Connect && !self.asked_for_root()
    }

    /// This side leaves a namespace.
    pub(super) fn note_leave(&mut self, id: NamespaceId) {
        if *self.namespace(id).name == *ROOT {
            self.root = Root::Gone;
        }
    }

    /// Whoever waits for a namespace is refused along with `/`.
    fn refuse_all(&mut self, packet: &SocketPacket, now: Timestamp) {
        for id in self.ids() {
            let Some(namespace) = self.namespace_mut(id) else { continue };
            if *namespace.name != *ROOT && matches!(namespace.phase, Phase::Asking | Phase::Joining)
            {
                namespace.phase = Phase::Joining;
                self.on_connect_error(id, packet, now);
            }
        }
    }

    fn asked_for_root(&self) -> bool {
        let root = self.namespaces.find(ROOT).map(|id| self.namespace(id).phase);
        root.is_some_and(|phase| {
            matches!(phase, Phase::Joining | Phase::Joined | Phase::Leaving { .. })
        })
    }
}
