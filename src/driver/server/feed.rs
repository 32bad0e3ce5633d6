//! What comes by sockets, for a program that takes it by threads of its own, in the place of handlers.
//!
//! What a subscription has no room for stays in the inboxes of the sockets, each within its bounds, and goes on in turn, one
//! item of each: a client that floods holds up nobody but itself. Whoever puts something into an inbox, or makes room in
//! the subscription, passes on as much as there is room for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use super::inbox::{InboxBounds, InboxItem};
use super::leaving::Leaving;
use super::parts::{ServedSocket, SocketTaker};
use super::tasks::Task;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::event::status::DisconnectReason;
use crate::options::{Buffer, WhenFull};
use crate::sync::account::{Bounds, ONLY, SECOND};
use crate::sync::deliver::Deliver;
use crate::sync::gate::Gate;
use crate::sync::lock::lock;
use crate::sync::mailbox::{Brought, Mailbox};
use crate::sync::readiness::Wakeup;

/// Something that has come by a socket.
pub(crate) struct SocketItem {
    pub(crate) socket: Arc<ServedSocket>,
    pub(crate) news: ItemNews,
}

/// What it is.
pub(crate) enum ItemNews {
    Connected,
    Event(Event),
    Disconnected(DisconnectReason, Leaving),
}

/// A subscription to all that comes by sockets, as a server feeds it. `T` is what lies in it: the account of events is
/// [`ONLY`], and all else, of which each socket has little, is on [`SECOND`].
pub(crate) struct SocketFeed<T> {
    mailbox: Arc<Mailbox<T>>,
    gate: Arc<Gate>,
    ready: Mutex<ReadySockets>,
    /// It is for one socket, and ends with that.
    is_of_one: bool,
}

/// The sockets in whose inboxes something waits.
#[derive(Default)]
struct ReadySockets {
    queue: VecDeque<Arc<ServedSocket>>,
    is_abandoned: bool,
    is_ending: bool,
}

/// What is to be done once no lock is held.
struct Afterwards<T> {
    brought: Vec<Brought<T>>,
    done: Vec<Arc<ServedSocket>>,
}

impl<T: Deliver + From<SocketItem>> SocketFeed<T> {
    /// One whose mailbox has these bounds; that is what a subscription reads.
    pub(crate) fn new(bounds: Bounds, is_of_one: bool) -> (Arc<Self>, Arc<Mailbox<T>>) {
        let feed = Arc::new_cyclic(|this: &Weak<Self>| {
            let this = this.clone();
            let resume = move || {
                if let Some(feed) = this.upgrade() {
                    feed.pass_on(None);
                }
            };
            let gate = Arc::new(Gate::new(usize::MAX, usize::MAX, resume));
            let mailbox = Mailbox::with_account(bounds, &gate);
            let news = Bounds { events: usize::MAX, bytes: usize::MAX, when_full: WhenFull::Wait };
            mailbox.open_account(news, &gate);
            Self { mailbox, gate, ready: Mutex::default(), is_of_one }
        });
        let mailbox = Arc::clone(&feed.mailbox);
        (feed, mailbox)
    }

    /// Passes on what there is room for, also of this socket. It holds `ready`, so that the items of a socket keep their order.
    fn pass_on(&self, socket: Option<Arc<ServedSocket>>) {
        let mut afterwards = Afterwards { brought: Vec::new(), done: Vec::new() };
        let mut ready = lock(&self.ready);
        ready.queue.extend(socket);
        while ready.is_abandoned || !self.holds_still() {
            let Some(socket) = ready.queue.pop_front() else { break };
            match socket.take_item() {
                None => afterwards.done.push(socket),
                Some(news) => {
                    ready.is_ending |= self.is_of_one && matches!(news, ItemNews::Disconnected(..));
                    ready.queue.push_back(Arc::clone(&socket));
                    if !ready.is_abandoned {
                        let item = T::from(SocketItem { socket, news });
                        afterwards.brought.push(self.mailbox.bring(item.account(), item));
                    }
                }
            }
        }
        let is_over = ready.is_ending && ready.queue.is_empty();
        drop(ready);
        if is_over {
            self.mailbox.close();
        }
        afterwards.happen();
    }

    /// Whether the subscription has no room. Whoever makes some passes on what waits.
    fn holds_still(&self) -> bool {
        if !self.mailbox.recheck(ONLY) {
            return false;
        }
        self.gate.hold();
        let is_full = self.mailbox.recheck(ONLY);
        if !is_full {
            self.gate.release();
        }
        is_full
    }
}

impl<T: Deliver + From<SocketItem>> SocketTaker for SocketFeed<T> {
    fn offer(&self, socket: Arc<ServedSocket>) {
        self.pass_on(Some(socket));
    }

    fn is_abandoned(&self) -> bool {
        lock(&self.ready).is_abandoned
    }

    fn abandon(&self) {
        lock(&self.ready).is_abandoned = true;
        self.mailbox.close();
        drop([self.mailbox.close_account(ONLY), self.mailbox.close_account(SECOND)]);
        self.pass_on(None);
    }

    fn end(&self) {
        lock(&self.ready).is_ending = true;
        self.pass_on(None);
    }
}

impl<T> Afterwards<T> {
    fn happen(self) {
        let waiters = self.brought.iter().flat_map(|brought| &brought.waiters);
        waiters.for_each(Wakeup::wake);
        self.done.into_iter().for_each(ServedSocket::let_go);
    }
}

/// A subscription to sockets that are new, as a server feeds it. What comes by them waits until the program subscribes to that.
///
/// Its mailbox is not bounded by itself: a socket is in it once, and counts as a client of the server as long as it is.
pub(crate) struct Arrivals<T> {
    mailbox: Arc<Mailbox<T>>,
    is_abandoned: Mutex<bool>,
}

impl<T: Deliver + From<Arc<ServedSocket>> + Into<Arc<ServedSocket>>> Arrivals<T> {
    /// One, and what a subscription reads.
    pub(crate) fn new() -> (Arc<Self>, Arc<Mailbox<T>>) {
        let bounds = Bounds { events: usize::MAX, bytes: usize::MAX, when_full: WhenFull::Wait };
        let mailbox = Mailbox::with_account(bounds, &Arc::new(Gate::open()));
        let arrivals =
            Arc::new(Self { mailbox: Arc::clone(&mailbox), is_abandoned: Mutex::new(false) });
        (arrivals, mailbox)
    }
}

impl<T: Deliver + From<Arc<ServedSocket>> + Into<Arc<ServedSocket>>> SocketTaker for Arrivals<T> {
    fn offer(&self, socket: Arc<ServedSocket>) {
        // The first item there is.
        drop(socket.take_item());
        socket.park();
        let this = Arc::clone(&socket);
        let brought = self.mailbox.bring(ONLY, socket.into());
        brought.waiters.iter().for_each(Wakeup::wake);
        if self.is_abandoned() {
            // It has come too late for that.
            let hub = Arc::clone(&this.namespace.hub);
            hub.pool.submit(Task::Once(Box::new(move || this.leave_server(false))));
        }
    }

    fn is_abandoned(&self) -> bool {
        *lock(&self.is_abandoned)
    }

    /// Those whom nobody has taken are disconnected.
    fn abandon(&self) {
        *lock(&self.is_abandoned) = true;
        self.mailbox.close();
        for socket in self.mailbox.close_account(ONLY) {
            let socket: Arc<ServedSocket> = socket.into();
            socket.leave_server(false);
        }
    }

    fn end(&self) {
        self.mailbox.close();
    }
}

impl ServedSocket {
    /// Takes the next item for a program. `None`: there is none, and whoever puts something in tells of it. What is for
    /// callbacks goes to the pool.
    fn take_item(self: &Arc<Self>) -> Option<ItemNews> {
        let hub = &self.namespace.hub;
        loop {
            let taken = self.inbox.take(hub.options.inbox)?;
            if taken.reopens {
                self.peer.ask_to_go_on();
            }
            return Some(match taken.item {
                InboxItem::Connected => ItemNews::Connected,
                InboxItem::Event(event) => ItemNews::Event(event),
                InboxItem::Disconnected(reason, leaving) => {
                    self.forget_handlers();
                    ItemNews::Disconnected(reason, leaving)
                }
                for_callback @ (InboxItem::Sent(_) | InboxItem::Answer(..)) => {
                    let this = Arc::clone(self);
                    hub.pool.submit(Task::Once(Box::new(move || this.handle(for_callback))));
                    continue;
                }
            });
        }
    }

    /// The program takes what comes by this socket from now on.
    pub(crate) fn subscribe(self: &Arc<Self>, taker: &Arc<dyn SocketTaker>) -> Result<()> {
        if !self.inbox.claim(Arc::clone(taker)) {
            let what = "what comes by this socket goes elsewhere";
            let hint = "only a socket that a subscription to connections gave can be subscribed to, and once";
            return Err(Error::new(ErrorKind::InvalidOption, what).with_hint(hint));
        }
        taker.offer(Arc::clone(self));
        Ok(())
    }
}

/// The bounds of a subscription: what is not named is as that of a socket's handlers.
pub(crate) fn bounds_of(buffer: Buffer, default: InboxBounds) -> Bounds {
    Bounds {
        events: buffer.events.unwrap_or(default.events),
        bytes: buffer.bytes.unwrap_or(default.bytes),
        when_full: buffer.when_full.unwrap_or(WhenFull::Wait),
    }
}
