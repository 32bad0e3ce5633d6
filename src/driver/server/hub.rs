//! What all threads of a server share.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock, Weak};
use std::time::{Duration, Instant};

use super::cluster::ClusterLink;
use super::cluster::counters::ClusterStats;
use super::commands::IoCommands;
use super::directory::{ClientLimits, NoRoom};
use super::door::Door;
use super::handshake::KeptHeads;
use super::hub_options::HubOptions;
use super::leading;
use super::parts::{Due, Family, Hub, IoCommand, MayExist, Peer, ServedNamespace, SocketTaker};
use super::pool::{PoolSize, Workers};
use super::saying::{Saying, in_turn, pause, saying};
use super::timers::TimerHeap;
use super::turned_away::TurnedAwayLog;
use crate::driver::ack_slot::{AckSlot, AwaitAnswer};
use crate::driver::clock::now;
use crate::error::{Error, ErrorKind, Result};
use crate::event::AckReply;
#[cfg(feature = "testing")]
use crate::event::status::DisconnectReason;
use crate::options::ParserKind;
use crate::payload::Payload;
use crate::proto::packet::Packet;
use crate::proto::parser::choice::new_parser;
use crate::proto::socket_packet::Header;
use crate::sync::lock::{lock, lock_to_read, lock_to_write};
use crate::sync::threads::survive;

/// How long a turn may last before what it has gathered is written without it.
const GATHERING: Duration = Duration::from_millis(2);

/// To how many clients whoever serves the connections writes what was gathered, before it looks who else wants something.
const WRITTEN_AT_ONCE: usize = 64;

impl Hub {
    pub(super) fn new(
        options: HubOptions,
        door: Door,
        commands: IoCommands<IoCommand>,
        link: Option<Arc<dyn ClusterLink>>,
    ) -> Arc<Self> {
        let waker = commands.waker();
        Arc::new_cyclic(|this: &Weak<Self>| Self {
            pool: Self::pool(options.pool, this.clone()),
            options,
            door,
            timers: TimerHeap::new(waker),
            commands,
            namespaces: RwLock::default(),
            families: RwLock::default(),
            taker: Mutex::default(),
            peers: Mutex::default(),
            leaving: AtomicUsize::new(0),
            heads: KeptHeads::default(),
            turned_away: TurnedAwayLog::default(),
            peer_gone: Condvar::new(),
            end: Mutex::new(None),
            deferred: Mutex::default(),
            is_to_write: AtomicBool::new(false),
            next_turn: AtomicU64::new(1),
            is_closing: AtomicBool::new(false),
            link,
            dropped_server_events: AtomicU64::new(0),
            run: super::ids::new_id().replace(['-', '_'], "x").into(),
        })
    }

    fn pool(size: PoolSize, this: Weak<Self>) -> Arc<Workers> {
        Workers::new(size, move |look| {
            if let Some(hub) = this.upgrade() {
                hub.timers.arm(now() + look.pause(), Due::Workers(look));
            }
        })
    }

    /// The namespace of this name, which is made if it does not exist.
    pub(crate) fn of(self: &Arc<Self>, name: &str) -> Arc<ServedNamespace> {
        if let Some(namespace) = self.namespace(name) {
            return namespace;
        }
        let mut namespaces = lock_to_write(&self.namespaces);
        let namespace = namespaces.entry(name.into());
        Arc::clone(namespace.or_insert_with(|| ServedNamespace::new(name, self)))
    }

    /// The namespace of this name, if it exists.
    pub(super) fn namespace(&self, name: &str) -> Option<Arc<ServedNamespace>> {
        lock_to_read(&self.namespaces).get(name).cloned()
    }

    pub(crate) fn namespaces(&self) -> Vec<Arc<ServedNamespace>> {
        lock_to_read(&self.namespaces).values().cloned().collect()
    }

    /// Adds namespaces that are made when they are asked for.
    pub(crate) fn add_family(
        self: &Arc<Self>,
        name: &str,
        may_exist: Arc<MayExist>,
    ) -> Arc<ServedNamespace> {
        let parent = ServedNamespace::new(name, self);
        let family = Family { may_exist, parent: Arc::clone(&parent) };
        lock_to_write(&self.families).push(family);
        parent
    }

    pub(super) fn has_families(&self) -> bool {
        !lock_to_read(&self.families).is_empty()
    }

    /// The namespace of this name, which is made where a function of the program says that it may exist.
    pub(super) fn find(self: &Arc<Self>, name: &str) -> Option<Arc<ServedNamespace>> {
        if let Some(namespace) = self.namespace(name) {
            return Some(namespace);
        }
        let families: Vec<_> = {
            let families = lock_to_read(&self.families);
            families
                .iter()
                .map(|one| (Arc::clone(&one.may_exist), Arc::clone(&one.parent)))
                .collect()
        };
        let (_, parent) = families.into_iter().find(|(may_exist, _)| may_exist(name))?;
        let namespace = self.of(name);
        namespace.inherit(&parent);
        Some(namespace)
    }

    /// Refuses what no client would take.
    pub(crate) fn check_attachments(&self, payload: &Payload) -> Result<()> {
        let (count, limit) = (payload.attachments.len(), self.options.max_attachments);
        if count <= limit || self.options.parser != ParserKind::Json {
            return Ok(());
        }
        let what = format!("{count} attachments; the limit is {limit}");
        let hint =
            "`ServerBuilder::max_attachments` raises it, and clients have limits of their own";
        Err(Error::new(ErrorKind::TooLarge, what).with_hint(hint))
    }

    /// The messages of a packet, encoded once for whoever gets it.
    pub(super) fn encode(&self, header: Header<'_>, payload: &Payload) -> Vec<Packet> {
        let parser = new_parser(self.options.parser, self.options.max_attachments, usize::MAX);
        let mut messages = std::collections::VecDeque::with_capacity(1 + payload.attachments.len());
        parser.encode(header, payload, &mut messages);
        messages.into()
    }

    /// Takes in a client, if there is room for it.
    pub(super) fn add_peer(&self, peer: &Arc<Peer>) -> Result<(), NoRoom> {
        let mut peers = lock(&self.peers);
        if self.is_closing.load(Ordering::Acquire) {
            return Err(NoRoom::Closing);
        }
        // Those who are gone take up room until the program has caught up with them.
        let leaving = self.leaving.load(Ordering::Acquire);
        let limits = ClientLimits {
            in_all: self.options.max_connections.saturating_sub(leaving),
            per_address: self.options.max_connections_per_address,
        };
        peers.insert(peer, limits)
    }

    /// Takes no clients any more; gives those that there are.
    pub(super) fn begin_closing(&self) -> Vec<Arc<Peer>> {
        let peers = lock(&self.peers);
        self.is_closing.store(true, Ordering::Release);
        peers.all()
    }

    pub(super) fn remove_peer(&self, sid: &str) {
        let mut peers = lock(&self.peers);
        peers.remove(sid);
        if peers.is_empty() {
            self.peer_gone.notify_all();
        }
    }

    pub(super) fn peer(&self, sid: &str) -> Option<Arc<Peer>> {
        lock(&self.peers).get(sid)
    }

    pub(super) fn peers(&self) -> Vec<Arc<Peer>> {
        lock(&self.peers).all()
    }

    /// Ends the sessions of all clients as if their connections had failed.
    #[cfg(feature = "testing")]
    pub(crate) fn lose_clients(&self) {
        for peer in self.peers() {
            peer.cut(DisconnectReason::TransportError, None);
        }
    }

    /// How many clients there are.
    pub(crate) fn count_peers(&self) -> usize {
        lock(&self.peers).len()
    }

    /// Runs a handler. What it emits in a row to the same client, or to many, is written together at its end.
    pub(super) fn in_turn(&self, handler: impl FnOnce()) {
        in_turn(self.next_turn.fetch_add(1, Ordering::Relaxed), handler);
        self.write_deferred();
    }

    /// Something waits to be written to this client at the end of the turn, or as soon as whoever serves gets to it.
    pub(super) fn defer(&self, peer: Arc<Peer>) {
        let mut deferred = lock(&self.deferred);
        deferred.push(peer);
        let is_first = deferred.len() == 1;
        drop(deferred);
        if saying() == Saying::InARow {
            self.ask_to_write();
        } else if is_first {
            self.timers.arm(now() + GATHERING, Due::Deferred);
        }
    }

    /// Whoever serves is to write what was gathered.
    fn ask_to_write(&self) {
        if !self.is_to_write.swap(true, Ordering::AcqRel) {
            self.commands.wake();
        }
    }

    /// Whether whoever serves is to write what was gathered.
    pub(super) fn is_to_write(&self) -> bool {
        self.is_to_write.load(Ordering::Acquire)
    }

    /// Writes what was gathered.
    pub(super) fn write_deferred(&self) {
        let peers = std::mem::take(&mut *lock(&self.deferred));
        for peer in peers {
            peer.write_now();
        }
    }

    /// Writes what was gathered for [`WRITTEN_AT_ONCE`] clients. The others come next, when something else has had its turn.
    pub(super) fn write_some_deferred(&self) {
        // First, so that what is added from now on is asked for anew.
        self.is_to_write.store(false, Ordering::Release);
        let mut deferred = lock(&self.deferred);
        let count = deferred.len().min(WRITTEN_AT_ONCE);
        let rest = deferred.split_off(count);
        let has_more = !rest.is_empty();
        let peers = std::mem::replace(&mut *deferred, rest);
        drop(deferred);
        if has_more {
            self.is_to_write.store(true, Ordering::Release);
        }
        for peer in peers {
            peer.write_now();
        }
    }

    pub(super) fn command(&self, command: IoCommand) {
        self.commands.give(command);
    }

    /// From now on the program takes what comes by new sockets of all namespaces.
    pub(crate) fn leave_to(&self, taker: &Arc<dyn SocketTaker>) -> Result<()> {
        replace_taker(&mut lock(&self.taker), taker)?;
        self.end_if_closing(&**taker);
        Ok(())
    }

    /// To a server that is being closed nobody comes any more.
    pub(super) fn end_if_closing(&self, taker: &dyn SocketTaker) {
        if self.is_closing.load(Ordering::Acquire) {
            taker.end();
        }
    }

    /// Forgets namespaces, which know this server: the last step of its end.
    pub(super) fn forget_all(&self) {
        let namespaces = std::mem::take(&mut *lock_to_write(&self.namespaces));
        let families = std::mem::take(&mut *lock_to_write(&self.families));
        let mut takers: Vec<_> = lock(&self.taker).take().into_iter().collect();
        let parents = families.iter().map(|family| &family.parent);
        let mut handlers: Vec<_> = namespaces
            .values()
            .chain(parents)
            .map(|namespace| namespace.change_handlers(std::mem::take))
            .collect();
        takers.extend(handlers.iter_mut().filter_map(|handlers| handlers.taker.take()));
        for taker in takers {
            taker.end();
        }
        self.timers.clear();
        // Said while the server ended. Nobody serves its client any more.
        drop(std::mem::take(&mut *lock(&self.deferred)));
        if let Some(link) = &self.link {
            link.end();
        }
        // What they have captured ends with them, and may panic.
        for handlers in handlers {
            survive(|| drop(handlers));
        }
        survive(|| drop((namespaces, families)));
    }

    /// How the server and the others of its cluster get along; `None`: it is in none.
    pub(crate) fn cluster_stats(&self) -> Option<ClusterStats> {
        let dropped = self.dropped_server_events.load(Ordering::Relaxed);
        self.link.as_ref().map(|link| ClusterStats { dropped, ..link.stats() })
    }
}

/// Puts somebody in the place of a taker that is there no more.
pub(super) fn replace_taker(
    place: &mut Option<Arc<dyn SocketTaker>>,
    taker: &Arc<dyn SocketTaker>,
) -> Result<()> {
    if place.as_ref().is_some_and(|present| !present.is_abandoned()) {
        let what = "somebody else has subscribed to the sockets";
        return Err(Error::new(ErrorKind::InvalidOption, what));
    }
    *place = Some(Arc::clone(taker));
    Ok(())
}

impl Hub {
    /// Blocks, maybe in a handler. An error where all threads for handlers would wait.
    pub(crate) fn while_waiting<R>(&self, wait: impl FnOnce() -> R) -> Result<R> {
        // No client can answer what is yet to be written.
        self.write_deferred();
        pause();
        let _waits = self.pool.begin_wait()?;
        leading::hand_over();
        Ok(wait())
    }
}

impl AwaitAnswer for Hub {
    fn await_answer(&self, slot: &AckSlot, deadline: Option<Instant>) -> Option<Result<AckReply>> {
        self.while_waiting(|| slot.wait(deadline))
            .unwrap_or_else(|error| Some(slot.answer().unwrap_or(Err(error))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::server::saying::in_a_row;
    use crate::driver::server::testing::{TestClient, options, server};

    #[test]
    fn what_is_said_while_the_server_ends_keeps_no_client() {
        let mut io = server(options());
        let (_client, socket) = TestClient::joined(&mut io);
        let count = Arc::strong_count(&socket.peer);
        in_a_row(|| socket.emit(Payload::event("e", &()).unwrap(), false)).unwrap();
        assert_eq!(Arc::strong_count(&socket.peer), count + 1);
        io.hub.forget_all();
        assert_eq!(Arc::strong_count(&socket.peer), count);
    }

    #[cfg(feature = "testing")]
    #[test]
    fn all_clients_are_lost_at_once() {
        let mut io = server(options());
        let clients = [TestClient::joined(&mut io), TestClient::joined(&mut io)];
        io.hub.lose_clients();
        assert_eq!(io.hub.count_peers(), 0);
        assert!(clients.iter().all(|(_, socket)| !socket.is_connected()));
    }
}
