//! The thread that hands the events of an outbox to its socket, in their order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, at, never, select, unbounded};

use super::carrier::{Arrival, Carrier};
use super::pause::Pause;
use super::record::from_record;
use super::shared::Shared;
use super::store::OutboxRecord;
use crate::error::{Error, ErrorKind};
use crate::sync::logging::log_later;

/// So often the socket may find an event undeliverable before it is given up: a link that is bad for
/// hours looks like an event that a server cannot bear.
const ROUNDS: u32 = 5;

pub(super) struct Feeder {
    shared: Arc<Shared>,
    carrier: Box<dyn Carrier>,
    /// Rings when something was appended; ends with the outbox.
    bell: Receiver<()>,
    answer: Sender<Arrival>,
    answers: Receiver<Arrival>,
    /// How many may be under way.
    window: usize,
    /// How long what is appended may stay unsynced, where it is not synced at once.
    sync_within: Option<Duration>,
    /// The store's name, which begins each key.
    id: String,
    under_way: BTreeSet<u64>,
    /// The event that was found undeliverable last, and how often in a row.
    suspect: (u64, u32),
    /// Something did not arrive that has to: what is under way comes back first, and then all
    /// begins anew from the oldest on.
    is_stalled: bool,
    /// Before something is sent again.
    sending: Pause,
    /// Before the store is tried again.
    storing: Pause,
}

impl Feeder {
    pub(super) fn new(
        shared: Arc<Shared>,
        carrier: Box<dyn Carrier>,
        bell: Receiver<()>,
        window: usize,
        sync_within: Option<Duration>,
    ) -> Self {
        let (answer, answers) = unbounded();
        let id = shared.stock().id();
        Self {
            shared,
            carrier,
            bell,
            answer,
            answers,
            window,
            sync_within,
            id,
            under_way: BTreeSet::new(),
            suspect: (0, 0),
            is_stalled: false,
            sending: Pause::default(),
            storing: Pause::default(),
        }
    }

    /// Goes on until the outbox ends.
    pub(super) fn run(mut self) {
        loop {
            self.feed();
            let wake = self.deadline().map_or_else(never, at);
            select! {
                recv(self.bell) -> rung => if rung.is_err() { break },
                recv(self.answers) -> answer => if let Ok(answer) = answer { self.take(answer) },
                recv(wake) -> _ => {}
            }
            while let Ok(answer) = self.answers.try_recv() {
                self.take(answer);
            }
            self.tend_store();
        }
        self.finish();
    }

    /// Hands on as many events as may be under way.
    fn feed(&mut self) {
        let now = Instant::now();
        let pauses = [&self.sending, &self.storing].iter().any(|pause| pause.end(now).is_some());
        if self.is_stalled || pauses || self.under_way.len() >= self.window {
            return;
        }
        let given = {
            let mut stock = self.shared.stock();
            if stock.failure().is_some() {
                return;
            }
            stock.give_out(self.window - self.under_way.len())
        };
        match given {
            Ok(records) => self.send(records),
            Err(error) => self.store_failed(error),
        }
    }

    fn send(&mut self, records: Vec<OutboxRecord>) {
        for record in records {
            let number = record.number;
            let Some(payload) = from_record(record.body) else {
                let what = format!("record {number} of the outbox {} is no event", self.id);
                return self.store_failed(Error::new(ErrorKind::Damaged, what));
            };
            let key = format!("{}-{number}", self.id);
            match self.carrier.carry(number, key, payload, &self.answer) {
                Ok(()) => _ = self.under_way.insert(number),
                Err(error) if self.note_failure(number, &error) => self.give_up(number, &error),
                Err(error) => return self.stall(&error),
            }
        }
    }

    /// Takes what became of an event.
    fn take(&mut self, Arrival { number, result }: Arrival) {
        self.under_way.remove(&number);
        match result {
            Ok(()) => {
                self.sending.reset();
                self.shared.change(|stock| stock.acknowledge(number));
            }
            Err(error) if self.note_failure(number, &error) => self.give_up(number, &error),
            Err(error) => self.stall(&error),
        }
        self.unstall();
    }

    /// Notes why an event failed, and says whether it would fail in the same way for ever, while
    /// others go through.
    fn note_failure(&mut self, number: u64, error: &Error) -> bool {
        match error.kind() {
            ErrorKind::TooLarge | ErrorKind::Payload => true,
            ErrorKind::Undeliverable => {
                let before = if self.suspect.0 == number { self.suspect.1 } else { 0 };
                self.suspect = (number, before + 1);
                before + 1 >= ROUNDS
            }
            _ => false,
        }
    }

    fn give_up(&self, number: u64, error: &Error) {
        log_later!(Error, "event {}-{number} of the outbox is given up: {error:#}", self.id);
        self.shared.change(|stock| stock.give_up(number));
    }

    fn stall(&mut self, error: &Error) {
        if !self.is_stalled {
            log_later!(
                Debug,
                "the outbox will begin again with what the server does not have: {error:#}"
            );
            self.is_stalled = true;
            self.sending.begin(Instant::now());
        }
        self.unstall();
    }

    /// Begins anew, once nothing is under way.
    fn unstall(&mut self) {
        if self.is_stalled && self.under_way.is_empty() {
            self.is_stalled = false;
            self.shared.stock().begin_again();
        }
    }

    /// Removes and syncs what is due.
    fn tend_store(&mut self) {
        let now = Instant::now();
        if self.storing.end(now).is_some() {
            return;
        }
        let tended = self.shared.stock().do_what_is_due(now, self.sync_within);
        match tended {
            Ok(()) => self.storing.reset(),
            Err(error) => self.store_failed(error),
        }
    }

    /// Damage is for the program to see to, anything else may be over by and by.
    fn store_failed(&mut self, error: Error) {
        log_later!(Error, "the outbox: {error:#}");
        if error.kind() == ErrorKind::Damaged {
            self.shared.change(|stock| stock.fail(error));
        }
        self.storing.begin(Instant::now());
    }

    /// When there is something to do, if nothing comes before.
    fn deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        let sending = self.sending.end(now);
        if let Some(end) = self.storing.end(now) {
            return Some(end);
        }
        let due = self.shared.stock().deadline(self.sync_within);
        [sending, due].into_iter().flatten().min()
    }

    /// Leaves the store as tidy as can be.
    fn finish(&mut self) {
        while let Ok(answer) = self.answers.try_recv() {
            self.take(answer);
        }
        let mut stock = self.shared.stock();
        let finished = stock.sync().and_then(|()| stock.clear_out());
        if let Err(error) = finished {
            log_later!(Error, "the outbox, at its end: {error:#}");
        }
    }
}
