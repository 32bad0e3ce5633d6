//! Whatever happens, in whatever order, with an account of what was emitted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::reckoning::{Reckoning, split};
use super::{SECOND, World, closed_link, emit, payload};
use crate::core::client::namespace::Auth;
use crate::core::client::{Client, Emit};
use crate::core::engine::Engine;
use crate::core::ids::{LinkId, NamespaceId};
use crate::error::{Error, ErrorKind};
use crate::options::{ManagerOptions, Rejection, Transport};
use crate::proto::dialect::choice::{V3_DIALECT, V4_DIALECT};

/// `/ask` asks for credentials, the events of `/retry` are sent again. All but `/` come back after they were
/// turned away.
pub(in crate::core) const NAMESPACES: [&str; 4] = ["/", "/a", "/ask", "/retry"];

pub(in crate::core) const PACKETS: [&str; 40] = [
    "40{\"sid\":\"x\"}",
    "40/a,{\"sid\":\"x\",\"pid\":\"p\"}",
    "40/ask,{\"sid\":\"x\"}",
    "40/retry,{\"sid\":\"x\"}",
    "40",
    "40/unknown,{\"sid\":\"x\"}",
    "41",
    "41/a,",
    "41/ask,",
    "41/retry,",
    "44",
    "44/a,\"no\"",
    "44/ask,{\"message\":\"no\"}",
    "42[\"event\",\"offset\"]",
    "42/a,[\"event\",\"offset\"]",
    "42/retry,7[\"question\"]",
    "421[\"question\"]",
    "430[]",
    "431[1]",
    "432[1]",
    "43/a,0[1]",
    "43/retry,0[1]",
    "43/retry,1[1]",
    "451-[\"a\",{\"_placeholder\":true,\"num\":0}]",
    "bAQID",
    "1",
    "2",
    "2probe",
    "3",
    "3probe",
    "3probe",
    "3probe",
    "5",
    "6",
    "6",
    "0{}",
    "42",
    "4",
    "9",
    "42[\"connect\"]",
];

#[derive(Clone, Debug)]
pub(in crate::core) enum Input {
    Connect(usize),
    Disconnect(usize),
    /// The last handle is gone, and somebody makes a new one.
    Renew(usize),
    Emit {
        namespace: usize,
        ack: bool,
        timeout: Option<u64>,
        volatile: bool,
    },
    Reply(usize, u32),
    Auth(bool),
    Open,
    Close,
    CloseEngine,
    /// The connection is closed for good, and what is not delivered handed back.
    Finish,
    /// What waits in a namespace is taken back.
    TakeUnsent(usize),
    Connected(usize),
    Handshake(usize),
    Receive(usize, String),
    Written(usize),
    /// Some of what is being written has moved.
    Progressed(usize),
    Lose(usize),
    End(usize),
    Advance(u64),
    Sleep(u64),
    ClearSendBuffer(usize),
    Slow(bool),
    Accumulate(bool),
    Deaf(bool),
    Pong(usize),
    Stubborn(bool),
    Retries(Option<u32>),
    Reconnection(bool),
    /// The server is replaced by an old one, or by a new one.
    Old(bool),
}

/// Makes a namespace.
pub(in crate::core) fn make(world: &mut World, index: usize) -> NamespaceId {
    let id = world.client.namespace_id(NAMESPACES[index]);
    if index > 0 {
        let both = [Rejection::Refused, Rejection::IoServerDisconnect];
        world.client.set_reconnect_after(id, both.into_iter().collect());
    }
    match index {
        2 => world.client.set_auth(id, Auth::Ask, world.now),
        3 => world.client.set_retries(id, Some(1)),
        _ => {}
    }
    id
}

/// A world with an account of what was emitted.
pub(in crate::core) struct Audit {
    pub(in crate::core) world: World,
    pub(in crate::core) ids: Vec<NamespaceId>,
    pub(in crate::core) next: u32,
    pub(in crate::core) account: Reckoning,
    /// Who would have to wait for room, by namespace, when it was last looked at.
    pub(in crate::core) waiting: Vec<bool>,
    /// How often those who wait had been told something by then.
    pub(in crate::core) told: usize,
}

impl Audit {
    pub(in crate::core) fn new(options: ManagerOptions) -> Self {
        let mut world = World::with(|current| *current = options);
        world.handshake.upgrade_to_websocket = true;
        let ids: Vec<_> = (0..NAMESPACES.len()).map(|index| make(&mut world, index)).collect();
        let waiting = vec![false; ids.len()];
        Self { world, ids, next: 0, account: Reckoning::default(), waiting, told: 0 }
    }

    pub(in crate::core) fn link(&self, index: usize) -> LinkId {
        let running = self.world.alive();
        if running.is_empty() { LinkId(0) } else { running[index % running.len()] }
    }

    pub(in crate::core) fn apply(&mut self, input: &Input) {
        let world = &mut self.world;
        match input {
            Input::Connect(namespace) => drop(world.connect(NAMESPACES[*namespace])),
            Input::Disconnect(namespace) => world.disconnect(self.ids[*namespace]),
            Input::Renew(namespace) => {
                let old = self.ids[*namespace];
                world.forget(old);
                self.ids[*namespace] = make(world, *namespace);
                assert!(!self.ids.contains(&old));
                assert!(world.emit(old, "[]").is_err());
                world.connect_id(old);
                assert!(!world.namespace(old).is_active());
            }
            Input::Emit { namespace, ack, timeout, volatile } => {
                self.emit(*namespace, *ack, *timeout, *volatile);
            }
            Input::Reply(namespace, membership) => {
                let id = self.ids[*namespace];
                let reply = payload("[]");
                if world.run(|client, now| client.reply(id, *membership, 1, reply, now)).is_ok() {
                    self.account.take_on_answer();
                }
            }
            Input::Auth(known) => {
                if let Some((id, asked)) = world.asked.pop() {
                    let error = Error::new(ErrorKind::Payload, "none");
                    let auth = if *known { Ok(payload("{}")) } else { Err(error) };
                    world.run(|client, now| client.auth(id, asked, auth, now));
                }
            }
            Input::Open => world.run(Client::open),
            Input::Close => world.run(Client::close),
            Input::CloseEngine => world.run(Client::close_engine),
            Input::Finish => self.account.hand_back(&world.run(Client::end)),
            Input::TakeUnsent(namespace) => {
                let id = self.ids[*namespace];
                let taken = world.run(|client, now| client.take_unsent(id, now));
                self.account.hand_back(&taken);
            }
            Input::Advance(millis) => world.advance(Duration::from_millis(*millis)),
            Input::Sleep(millis) => world.sleep(Duration::from_millis(*millis)),
            Input::ClearSendBuffer(namespace) => {
                let id = self.ids[*namespace];
                world.run(|client, _| client.clear_send_buffer(id));
            }
            Input::Slow(slow) => world.slow = *slow,
            Input::Accumulate(accumulates) => world.accumulates = *accumulates,
            Input::Deaf(deaf) => world.deaf = *deaf,
            Input::Old(old) => {
                world.dialect = if *old { V3_DIALECT } else { V4_DIALECT };
                world.handshake.max_payload = (!old).then_some(1_000_000);
            }
            Input::Stubborn(stubborn) => world.stubborn = *stubborn,
            Input::Retries(retries) => {
                let id = self.ids[3];
                world.run(|client, _| client.set_retries(id, *retries));
            }
            Input::Reconnection(on) => {
                world.run(|client, _| client.change_options(|options| options.reconnection = *on));
            }
            Input::Connected(_)
            | Input::Handshake(_)
            | Input::Receive(..)
            | Input::Written(_)
            | Input::Pong(_)
            | Input::Progressed(_)
            | Input::Lose(_)
            | Input::End(_) => self.happen(input),
        }
        self.check();
    }

    /// Something happens to a link.
    pub(in crate::core) fn happen(&mut self, input: &Input) {
        let (Input::Connected(index)
        | Input::Handshake(index)
        | Input::Receive(index, _)
        | Input::Written(index)
        | Input::Pong(index)
        | Input::Progressed(index)
        | Input::Lose(index)
        | Input::End(index)) = input
        else {
            return;
        };
        let link = self.link(*index);
        let world = &mut self.world;
        let begun = world.links.get(&link).is_some_and(|wire| {
            wire.started || (wire.transport == Transport::Polling && wire.upgrade.is_none())
        });
        match input {
            Input::Connected(_) => world.connected_on(link),
            Input::Handshake(_) => {
                world.connected_on(link);
                let open = format!("0{}", world.handshake.to_json());
                world.receive_on(link, &[&open]);
            }
            Input::Receive(_, text) if begun => world.receive_on(link, &[text]),
            Input::Written(_) => world.written_on(link),
            Input::Pong(_) => world.confirm_on(link),
            Input::Progressed(_) => world.run(|client, now| client.progressed(link, now)),
            Input::Lose(_) => world.lose(link, closed_link()),
            Input::End(_) => world.end(link),
            _ => {}
        }
    }

    pub(in crate::core) fn emit(
        &mut self,
        namespace: usize,
        ack: bool,
        timeout: Option<u64>,
        volatile: bool,
    ) {
        let number = self.next;
        self.next += 1;
        let may_be_kept = namespace != 3 && !volatile;
        let is_keyed = may_be_kept && number % 3 == 0;
        let emit = Emit {
            replaces: is_keyed.then(|| "k".into()),
            ttl: (may_be_kept && number % 5 == 0).then_some(SECOND),
            ack: ack.then_some(number),
            timeout: timeout.map(Duration::from_millis),
            volatile,
            reliable: namespace == 3 && !volatile && number % 2 == 0,
            ..emit(&format!("[\"e\",{number}]"))
        };
        if self.world.try_emit(self.ids[namespace], emit).is_ok() {
            self.account.take_on(number, ack, is_keyed, volatile);
        }
    }

    /// What holds at any time.
    pub(in crate::core) fn check(&mut self) {
        let retiring = self.world.client.count_retiring();
        assert!(retiring <= 4);
        // Of each session that is open or on its way out, and its upgrade; and what has yet to close.
        let most = 2 * (1 + retiring) + 4;
        assert!(self.world.alive().len() <= most, "{:?}", self.world.alive());
        let waiting: usize =
            self.ids.iter().map(|id| self.world.namespace(*id).buffered().packets).sum();
        // Each namespace may keep one, and what a lost session has not taken comes back.
        let most = (4 + 1) * NAMESPACES.len();
        assert!(waiting <= most, "{waiting} events wait");
        for id in &self.ids {
            let namespace = self.world.namespace(*id);
            assert!(namespace.early_events() <= 4);
            assert_eq!(namespace.buffered().packets == 0, namespace.buffered().bytes == 0);
            assert_eq!(namespace.id.is_some(), namespace.status().is_some());
        }
        if self.world.client.engine().is_none() {
            assert!(self.ids.iter().all(|id| self.world.namespace(*id).status().is_none()));
        }
        assert_eq!(self.world.client.count_namespaces(), NAMESPACES.len());
        self.check_wakes();
        self.account.check(&mut self.world);
    }

    /// Nobody waits for room who does not know that there is none to wait for any more.
    pub(in crate::core) fn check_wakes(&mut self) {
        let waiting: Vec<bool> = self.ids.iter().map(|id| self.world.waits(*id)).collect();
        let told = std::mem::replace(&mut self.told, self.world.told);
        let before = std::mem::replace(&mut self.waiting, waiting);
        for (before, now) in before.into_iter().zip(&self.waiting) {
            assert!(!before || *now || self.told > told, "somebody waits and is not told");
        }
    }

    /// Brings all that is under way to its end: what is written, polled and awaited.
    pub(in crate::core) fn finish_what_is_under_way(&mut self) {
        self.world.slow = false;
        self.world.look_again();
        self.world.deaf = false;
        self.world.stubborn = false;
        for link in self.world.alive() {
            self.world.written_on(link);
            self.world.confirm_on(link);
        }
        let main = self.world.client.engine().map(Engine::main_link);
        let Some(main) = main.filter(|link| self.world.links.contains_key(link)) else { return };
        self.world.receive_on(main, &["6"]);
        for (name, id) in NAMESPACES.into_iter().zip(self.ids.clone()) {
            let head = if name == "/" { "43".to_owned() } else { format!("43{name},") };
            for number in 0..self.world.namespace(id).acks.next() {
                self.world.receive_on(main, &[&format!("{head}{number}[]")]);
            }
        }
    }

    /// What was written, by session and namespace.
    pub(in crate::core) fn written(&self) -> BTreeMap<(usize, &str), Vec<u32>> {
        let mut events: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for wire in self.world.links.values() {
            for text in &wire.sent {
                let Some((head, number)) = split(text) else { continue };
                let name =
                    NAMESPACES[1..].iter().find(|name| head.starts_with(&format!("42{name},")));
                events.entry((wire.session, *name.unwrap_or(&"/"))).or_default().push(number);
            }
        }
        events
    }

    /// What holds when the client is shut down.
    pub(in crate::core) fn assert_ends_well(mut self) {
        self.world.run(Client::shut_down);
        self.world.advance(Duration::from_secs(60));
        self.check();
        self.world.assert_at_rest();
        self.account.hand_back(&self.world.run(Client::take_unwritten));
        self.check();
        self.account.check_read(&self.world);
        self.account.assert_settled(&self.world);

        let mut seen = BTreeSet::new();
        for ((_, name), numbers) in self.written() {
            if name == "/retry" {
                continue;
            }
            assert!(numbers.is_sorted(), "{name}: {numbers:?}");
            for number in numbers {
                assert!(seen.insert(number), "{number} was sent twice");
            }
        }
    }
}
