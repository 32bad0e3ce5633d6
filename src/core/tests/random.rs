//! Whatever happens, in whatever order: no panic, nothing left over, nothing lost count of.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::core::client::namespace::Auth;
use crate::core::engine::Engine;
use crate::options::{Rejection, WhenFull};
use crate::proto::dialect::choice::V3_DIALECT;

/// `/ask` asks for credentials, the events of `/retry` are sent again. All but `/` come back after they were
/// turned away.
const NAMESPACES: [&str; 4] = ["/", "/a", "/ask", "/retry"];

const PACKETS: [&str; 40] = [
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
enum Input {
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
    Connected(Index),
    Handshake(Index),
    Receive(Index, &'static str),
    Written(Index),
    /// Some of what is being written has moved.
    Progressed(Index),
    Lose(Index),
    End(Index),
    Advance(u64),
    Sleep(u64),
    ClearSendBuffer(usize),
    Slow(bool),
    Accumulate(bool),
    Deaf(bool),
    Pong(Index),
    Stubborn(bool),
    Retries(Option<u32>),
    Reconnection(bool),
    /// The server is replaced by an old one, or by a new one.
    Old(bool),
}

fn input() -> impl Strategy<Value = Input> {
    let namespace = || 0..NAMESPACES.len();
    prop_oneof![
        4 => namespace().prop_map(Input::Connect),
        2 => namespace().prop_map(Input::Disconnect),
        1 => namespace().prop_map(Input::Renew),
        8 => (namespace(), any::<bool>(), proptest::option::of(0..30_000_u64), any::<bool>())
            .prop_map(|(namespace, ack, timeout, volatile)| {
                Input::Emit { namespace, ack, timeout, volatile }
            }),
        1 => (namespace(), 0..3_u32).prop_map(|(namespace, membership)| Input::Reply(namespace, membership)),
        2 => any::<bool>().prop_map(Input::Auth),
        1 => Just(Input::Open),
        1 => Just(Input::Close),
        1 => Just(Input::CloseEngine),
        4 => any::<Index>().prop_map(Input::Connected),
        6 => any::<Index>().prop_map(Input::Handshake),
        16 => (any::<Index>(), select(&PACKETS[..])).prop_map(|(link, text)| Input::Receive(link, text)),
        6 => any::<Index>().prop_map(Input::Written),
        2 => any::<Index>().prop_map(Input::Progressed),
        2 => any::<Index>().prop_map(Input::Lose),
        1 => any::<Index>().prop_map(Input::End),
        4 => (0..60_000_u64).prop_map(Input::Advance),
        1 => (0..60_000_u64).prop_map(Input::Sleep),
        1 => namespace().prop_map(Input::ClearSendBuffer),
        1 => any::<bool>().prop_map(Input::Slow),
        1 => any::<bool>().prop_map(Input::Accumulate),
        1 => any::<bool>().prop_map(Input::Deaf),
        2 => any::<Index>().prop_map(Input::Pong),
        1 => any::<bool>().prop_map(Input::Stubborn),
        1 => proptest::option::of(0..3_u32).prop_map(Input::Retries),
        1 => any::<bool>().prop_map(Input::Reconnection),
        1 => any::<bool>().prop_map(Input::Old),
    ]
}

/// What fills queues: memberships that last, and much that is emitted.
fn filling() -> impl Strategy<Value = Input> {
    let namespace = || 0..NAMESPACES.len();
    let emit = (namespace(), any::<bool>()).prop_map(|(namespace, ack)| Input::Emit {
        namespace,
        ack,
        timeout: None,
        volatile: false,
    });
    prop_oneof![
        4 => namespace().prop_map(Input::Connect),
        1 => namespace().prop_map(Input::Disconnect),
        12 => emit,
        4 => any::<Index>().prop_map(Input::Handshake),
        8 => (any::<Index>(), select(&PACKETS[..12])).prop_map(|(link, text)| Input::Receive(link, text)),
        1 => any::<Index>().prop_map(Input::Written),
        1 => any::<bool>().prop_map(Input::Slow),
        1 => any::<bool>().prop_map(Input::Accumulate),
        1 => any::<bool>().prop_map(Input::Deaf),
        1 => Just(Input::Auth(true)),
    ]
}

fn options() -> impl Strategy<Value = ManagerOptions> {
    let transports = select(vec![
        vec![Transport::WebSocket],
        vec![Transport::Polling],
        vec![Transport::Polling, Transport::WebSocket],
        vec![Transport::WebSocket, Transport::Polling],
    ]);
    let policy = select(vec![WhenFull::Wait, WhenFull::DropNewest, WhenFull::DropOldest]);
    let spread = proptest::option::of(Just(10 * SECOND));
    let attempts = proptest::option::of(0..3_u32);
    (transports, policy, any::<bool>(), any::<bool>(), attempts, spread).prop_map(
        |(transports, policy, all, remember, attempts, spread)| {
            let mut options = ManagerOptions {
                transports,
                try_all_transports: all,
                remember_upgrade: remember,
                reconnection_attempts: attempts,
                reconnection_spread: spread,
                spread_first_attempt: spread.is_some(),
                ..ManagerOptions::default()
            };
            options.limits =
                options.limits.clone().send_events(4).receive_events(4).when_send_full(policy);
            options
        },
    )
}

/// Makes a namespace.
fn make(world: &mut World, index: usize) -> NamespaceId {
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
struct Account {
    world: World,
    ids: Vec<NamespaceId>,
    next: u32,
    /// The acknowledgements that were taken on.
    awaited: BTreeSet<u32>,
    resolved: BTreeMap<u32, usize>,
    /// Who would have to wait for room, by namespace, when it was last looked at.
    waiting: Vec<bool>,
    /// How often those who wait had been told something by then.
    told: usize,
}

impl Account {
    fn new(options: ManagerOptions) -> Self {
        let mut world = World::with(|current| *current = options);
        world.handshake.upgrade_to_websocket = true;
        let ids: Vec<_> = (0..NAMESPACES.len()).map(|index| make(&mut world, index)).collect();
        let waiting = vec![false; ids.len()];
        Self {
            world,
            ids,
            next: 0,
            awaited: BTreeSet::new(),
            resolved: BTreeMap::new(),
            waiting,
            told: 0,
        }
    }

    fn link(&self, index: Index) -> LinkId {
        let running = self.world.alive();
        if running.is_empty() { LinkId(0) } else { *index.get(&running) }
    }

    fn apply(&mut self, input: &Input) {
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
                let _ =
                    world.run(|client, now| client.reply(id, *membership, 1, payload("[]"), now));
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
    fn happen(&mut self, input: &Input) {
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

    fn emit(&mut self, namespace: usize, ack: bool, timeout: Option<u64>, volatile: bool) {
        let number = self.next;
        self.next += 1;
        let may_be_kept = namespace != 3 && !volatile;
        let emit = Emit {
            replaces: (may_be_kept && number % 3 == 0).then(|| "k".into()),
            ttl: (may_be_kept && number % 5 == 0).then_some(SECOND),
            ack: ack.then_some(number),
            timeout: timeout.map(Duration::from_millis),
            volatile,
            reliable: namespace == 3 && !volatile && number % 2 == 0,
            ..emit(&format!("[\"e\",{number}]"))
        };
        if self.world.try_emit(self.ids[namespace], emit).is_ok() && ack {
            self.awaited.insert(number);
        }
    }

    /// What holds at any time.
    fn check(&mut self) {
        for line in self.world.log() {
            let number = line.strip_prefix("ack ").and_then(|rest| rest.split([' ', ':']).next());
            if let Some(number) = number {
                *self.resolved.entry(number.parse().unwrap()).or_default() += 1;
            }
        }
        assert!(self.world.client.count_retiring() <= 4);
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
    }

    /// Nobody waits for room who does not know that there is none to wait for any more.
    fn check_wakes(&mut self) {
        let waiting: Vec<bool> = self.ids.iter().map(|id| self.world.waits(*id)).collect();
        let told = std::mem::replace(&mut self.told, self.world.told);
        let before = std::mem::replace(&mut self.waiting, waiting);
        for (before, now) in before.into_iter().zip(&self.waiting) {
            assert!(!before || *now || self.told > told, "somebody waits and is not told");
        }
    }

    /// Brings all that is under way to its end: what is written, polled and awaited.
    fn finish_what_is_under_way(&mut self) {
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
    fn written(&self) -> BTreeMap<(usize, &str), Vec<u32>> {
        let mut events: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for wire in self.world.links.values() {
            for text in &wire.sent {
                let Some((head, number)) = text.split_once("[\"e\",") else { continue };
                let name =
                    NAMESPACES[1..].iter().find(|name| head.starts_with(&format!("42{name},")));
                let number = number.trim_end_matches(']').parse().unwrap();
                events.entry((wire.session, *name.unwrap_or(&"/"))).or_default().push(number);
            }
        }
        events
    }
}

proptest! {
    #[test]
    fn an_emit_waits_only_where_something_under_way_makes_room(
        options in options(),
        inputs in prop_oneof![vec(filling(), 0..150), vec(input(), 0..150)],
        retries in any::<bool>(),
    ) {
        let mut account = Account::new(options);
        account.world.client.change_options(|options| {
            options.limits = options.limits.clone().when_send_full(WhenFull::Wait);
        });
        if retries {
            for id in account.ids.clone() {
                account.world.client.set_retries(id, Some(1));
            }
        }
        for input in &inputs {
            account.apply(input);
        }
        // As much as there can be: what is queued, and a try after the other.
        for _ in 0..20 {
            account.finish_what_is_under_way();
        }
        account.check();
        for id in &account.ids {
            prop_assert!(!account.world.waits(*id));
        }
    }

    #[test]
    fn any_inputs_in_any_order_end_well(options in options(), inputs in vec(input(), 0..150)) {
        let mut account = Account::new(options);
        for input in &inputs {
            account.apply(input);
        }
        account.world.run(Client::shut_down);
        account.world.advance(Duration::from_secs(60));
        account.check();
        account.world.assert_at_rest();

        let once: BTreeMap<u32, usize> = account.awaited.iter().map(|ack| (*ack, 1)).collect();
        prop_assert_eq!(&account.resolved, &once, "each acknowledgement resolves once");
        let mut seen = BTreeSet::new();
        for ((_, name), numbers) in account.written() {
            if name == "/retry" {
                continue;
            }
            prop_assert!(numbers.is_sorted(), "{}: {:?}", name, numbers);
            for number in numbers {
                prop_assert!(seen.insert(number), "{} was sent twice", number);
            }
        }
    }
}
