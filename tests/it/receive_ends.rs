//! Callbacks end when they are told to, and what is called once is called once.

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use siot::{Event, ListenerId, Result, Subscription};

use crate::support::full::until_full;
use crate::support::{CaseName, Client, LIMIT, Via, over_each_transport, recv_within, shared_each};

over_each_transport!(
    no_call_begins_after_disconnect,
    no_call_begins_after_a_callback_was_taken_off,
    no_call_begins_after_the_callbacks_of_an_event_were_taken_off,
    no_call_begins_after_all_callbacks_were_taken_off,
    no_call_begins_after_those_of_all_events_were_taken_off,
    no_call_begins_after_close,
    no_call_begins_after_the_last_handle_is_gone,
    a_callback_that_disconnects_is_not_called_again,
    a_callback_that_takes_itself_off_is_not_called_again,
    what_is_called_once_is_called_once_however_much_comes,
    what_was_to_be_called_once_and_was_not_is_called_after_the_next_connection,
);

const EVENTS: usize = 200;

/// Runs a test with servers of both revisions.
fn with_each(via: Via, test: impl Fn(Client)) {
    for server in shared_each() {
        let _name = CaseName::new(server);
        test(via.connect(server.url()));
    }
}

/// A callback that is in the middle of its first call, while those for all other events wait.
struct Running {
    id: ListenerId,
    let_go: Sender<()>,
    /// Tells of each call; it ends with what the callback has captured.
    begun: Receiver<()>,
}

impl Running {
    #[track_caller]
    fn on(client: &Client) -> (Self, Subscription) {
        Self::register(client, |callback| client.on("flood", callback))
    }

    #[track_caller]
    fn register(
        client: &Client,
        register: impl FnOnce(Box<dyn FnMut(Event) + Send>) -> Result<ListenerId>,
    ) -> (Self, Subscription) {
        let (let_go, gate) = unbounded::<()>();
        let (sender, begun) = unbounded();
        let callback = move |_| {
            // The test may have ended.
            let _ = sender.send(());
            let _ = gate.recv();
        };
        let id = register(Box::new(callback)).unwrap();
        // It gets each event when the callback has got it.
        let flood = client.subscribe("flood");
        client.emit("flood", (EVENTS, 10)).unwrap();
        recv_within(&begun, LIMIT);
        until_full(&flood, EVENTS);
        (Self { id, let_go, begun }, flood)
    }

    /// Lets it go. It was taken off: it ends without another call.
    #[track_caller]
    fn ends(self) {
        assert!(self.begun.is_empty());
        drop(self.let_go);
        let end = self.begun.recv_timeout(LIMIT).unwrap_err();
        assert!(end.is_disconnected(), "what it captured is kept");
    }
}

/// A subscription keeps what it has.
#[track_caller]
fn keeps_all(flood: &Subscription) {
    let left: Vec<usize> = flood.try_iter().map(|event| event.arg(0).unwrap()).collect();
    assert!(left.iter().copied().eq(0..EVENTS), "{left:?}");
}

/// Waits until all calls have had their turn that waited up to now.
#[track_caller]
fn pass(client: &Client) {
    let (sender, turn) = unbounded();
    client.once("turn", move |_| sender.send(()).unwrap()).unwrap();
    client.emit("send-me", "turn").unwrap();
    recv_within(&turn, LIMIT);
}

fn no_call_begins_after_disconnect(via: Via) {
    with_each(via, |client| {
        let (running, flood) = Running::on(&client);
        client.disconnect();
        keeps_all(&flood);
        drop(running.let_go);
        client.connect();
        client.wait_connected(LIMIT).unwrap();
        pass(&client);
        assert!(running.begun.is_empty());
        // It is called for what comes from now on.
        client.emit("flood", (1, 10)).unwrap();
        recv_within(&running.begun, LIMIT);
    });
}

fn no_call_begins_after_a_callback_was_taken_off(via: Via) {
    with_each(via, |client| {
        let (running, flood) = Running::on(&client);
        assert!(client.off(running.id));
        assert!(!client.off(running.id));
        keeps_all(&flood);
        running.ends();
    });
}

fn no_call_begins_after_the_callbacks_of_an_event_were_taken_off(via: Via) {
    with_each(via, |client| {
        let (running, flood) = Running::on(&client);
        assert_eq!(client.off_event("flood"), 1);
        keeps_all(&flood);
        running.ends();
    });
}

fn no_call_begins_after_all_callbacks_were_taken_off(via: Via) {
    with_each(via, |client| {
        let (running, flood) = Running::on(&client);
        assert_eq!(client.off_all(), 1);
        keeps_all(&flood);
        running.ends();
    });
}

fn no_call_begins_after_those_of_all_events_were_taken_off(via: Via) {
    with_each(via, |client| {
        let (running, flood) = Running::register(&client, |callback| client.on_any(callback));
        assert_eq!(client.off_any(), 1);
        keeps_all(&flood);
        running.ends();
    });
}

fn no_call_begins_after_close(via: Via) {
    with_each(via, |client| {
        let (running, flood) = Running::on(&client);
        client.manager().close(LIMIT);
        keeps_all(&flood);
        assert!(flood.recv().is_err());
        running.ends();
    });
}

fn no_call_begins_after_the_last_handle_is_gone(via: Via) {
    with_each(via, |client| {
        let (running, flood) = Running::on(&client);
        drop((client, flood));
        running.ends();
    });
}

fn a_callback_that_disconnects_is_not_called_again(via: Via) {
    with_each(via, |client| {
        let (sender, called) = unbounded();
        let (socket, flood) = (client.socket.clone(), client.subscribe("flood"));
        client
            .on("flood", move |_| {
                until_full(&flood, EVENTS);
                socket.disconnect();
                sender.send(()).unwrap();
            })
            .unwrap();
        client.emit("flood", (EVENTS, 10)).unwrap();
        recv_within(&called, LIMIT);
        client.connect();
        client.wait_connected(LIMIT).unwrap();
        pass(&client);
        assert!(called.is_empty());
        client.manager().close(LIMIT);
    });
}

fn a_callback_that_takes_itself_off_is_not_called_again(via: Via) {
    with_each(via, |client| {
        let (sender, called) = unbounded();
        let (socket, flood) = (client.socket.clone(), client.subscribe("flood"));
        let (tell, told) = bounded(1);
        let id = client
            .on("flood", move |_| {
                until_full(&flood, EVENTS);
                assert!(socket.off(told.recv_timeout(LIMIT).unwrap()));
                sender.send(()).unwrap();
            })
            .unwrap();
        tell.send(id).unwrap();
        client.emit("flood", (EVENTS, 10)).unwrap();
        recv_within(&called, LIMIT);
        // What it captured is gone too.
        assert!(called.recv_timeout(LIMIT).unwrap_err().is_disconnected());
        assert_eq!(client.listener_count("flood"), 0);
    });
}

fn what_is_called_once_is_called_once_however_much_comes(via: Via) {
    with_each(via, |client| {
        let (sender, called) = unbounded();
        // It can be called only once.
        let gift = String::from("gift");
        client.once("flood", move |event| sender.send((gift, event)).unwrap()).unwrap();
        let flood = client.subscribe("flood");
        client.emit("flood", (EVENTS, 10)).unwrap();
        let (gift, event) = recv_within(&called, LIMIT);
        assert_eq!((&*gift, event.arg::<usize>(0).unwrap()), ("gift", 0));
        assert!(called.recv_timeout(LIMIT).unwrap_err().is_disconnected());
        until_full(&flood, EVENTS);
        pass(&client);
        assert_eq!(client.listener_count("flood"), 1);
    });
}

fn what_was_to_be_called_once_and_was_not_is_called_after_the_next_connection(via: Via) {
    with_each(via, |client| {
        let (running, flood) = Running::on(&client);
        let (sender, called) = unbounded();
        let call = move |event: Event| sender.send(event.arg::<usize>(0).unwrap()).unwrap();
        client.once("news", call).unwrap();
        let news = client.subscribe("news");
        for n in 0..3 {
            client.emit("send-me", ("news", n)).unwrap();
        }
        until_full(&news, 3);
        client.disconnect();
        drop(running.let_go);
        client.connect();
        client.wait_connected(LIMIT).unwrap();
        pass(&client);
        assert!(called.is_empty());
        for n in 7..10 {
            client.emit("send-me", ("news", n)).unwrap();
        }
        assert_eq!(recv_within(&called, LIMIT), 7);
        assert!(called.recv_timeout(LIMIT).unwrap_err().is_disconnected());
        keeps_all(&flood);
        assert_eq!(client.listener_count("news"), 1);
    });
}

/// Off on one thread, while the events come that it is called for.
#[test]
fn taking_off_and_calling_at_the_same_time_is_sound() {
    for server in shared_each() {
        let client = Via::WebSocket.connect(server.url());
        let events = client.subscribe("flood");
        for _ in 0..100 {
            let (sender, called) = unbounded();
            let id = client.on("flood", move |_| sender.send(()).unwrap()).unwrap();
            client.emit("flood", (3, 1)).unwrap();
            events.recv_timeout(LIMIT).unwrap();
            assert!(client.off(id));
            // A call that has begun comes to its end; then all is dropped.
            let calls = called.iter().count();
            assert!(calls <= 3);
            for _ in 0..2 {
                events.recv_timeout(LIMIT).unwrap();
            }
        }
        assert_eq!(client.listener_count("flood"), 1);
    }
}
