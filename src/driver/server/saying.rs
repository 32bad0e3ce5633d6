//! What is said in a row is written together: by a handler at the end of its turn, by any other thread when whoever serves the
//! connections gets to it.

use std::cell::Cell;
use std::time::Duration;

use crate::core::time::Timestamp;
use crate::driver::clock::now;

/// Between two things that a thread says in a row there is less than this: more than a program takes for the next one, less than a
/// client takes for an answer.
const PAUSE: Duration = Duration::from_micros(50);

thread_local! {
    static SAYING: Cell<Saying> = const { Cell::new(Saying::Alone) };
    /// When the thread has said something outside of a turn.
    static SAID: Cell<Option<Timestamp>> = const { Cell::new(None) };
}

/// What the calling thread says, compared with what it has said before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saying {
    /// Nothing just before.
    Alone,
    /// Something just before, but in no turn.
    InARow,
    /// It may say more in the turn of this number.
    InTurn(u64),
}

/// What the calling thread is about to say.
pub(super) fn saying() -> Saying {
    SAYING.get()
}

/// What the thread is at ends with this, also by a panic.
struct SayingEnd;

impl Drop for SayingEnd {
    fn drop(&mut self) {
        SAYING.set(Saying::Alone);
    }
}

/// Does what belongs to this turn.
pub(super) fn in_turn(number: u64, work: impl FnOnce()) {
    let _end = SayingEnd;
    SAYING.set(Saying::InTurn(number));
    work();
}

/// Says something: to one, or to many.
pub(super) fn say<R>(something: impl FnOnce() -> R) -> R {
    if SAYING.get() != Saying::Alone {
        return something();
    }
    let end = SayingEnd;
    if SAID.get().is_some_and(|said| now() < said + PAUSE) {
        SAYING.set(Saying::InARow);
    }
    let done = something();
    drop(end);
    SAID.set(Some(now()));
    done
}

/// The thread waits: what it says next is said by itself.
pub(super) fn pause() {
    SAID.set(None);
}

/// Says something in a row with something else, whatever time has passed.
#[cfg(test)]
pub(super) fn in_a_row<R>(something: impl FnOnce() -> R) -> R {
    let _end = SayingEnd;
    SAYING.set(Saying::InARow);
    something()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::driver::server::answers::AnswerSink;
    use crate::driver::server::broadcast::BroadcastFlags;
    use crate::driver::server::parts::ServedSocket;
    use crate::driver::server::served_socket::WayToClient;
    use crate::driver::server::testing::{TestClient, options, server};
    use crate::event::Reply as _;
    use crate::payload::Payload;

    /// A way of saying something to a client.
    type Way = fn(&Arc<ServedSocket>);

    fn event() -> Payload {
        Payload::event("e", &()).unwrap()
    }

    /// The thread has said something, and whatever time passes, it is as if none had.
    fn have_just_said() {
        SAID.set(Some(now() + Duration::from_secs(1800)));
    }

    #[test]
    fn what_follows_at_once_is_in_a_row_and_what_does_not_is_alone() {
        SAID.set(Some(Timestamp(Duration::ZERO)));
        assert_eq!(say(saying), Saying::Alone);
        have_just_said();
        assert_eq!(say(saying), Saying::InARow);
        assert_eq!(saying(), Saying::Alone);
        have_just_said();
        pause();
        assert_eq!(say(saying), Saying::Alone);
        assert!(SAID.get().is_some_and(|said| said <= now()));
    }

    #[test]
    fn a_handler_says_all_in_its_turn() {
        have_just_said();
        let mut said = Vec::new();
        in_turn(7, || said.extend([say(saying), say(saying)]));
        assert_eq!(said, [Saying::InTurn(7); 2]);
        assert_eq!(saying(), Saying::Alone);
    }

    #[test]
    fn whatever_is_said_may_be_in_a_row_and_is_written_before_the_thread_waits() {
        let mut io = server(options());
        let (mut client, socket) = TestClient::joined(&mut io);
        client.heard();
        let ways: [Way; 5] = [
            |socket| socket.emit(event(), false).unwrap(),
            |socket| {
                let nobody = AnswerSink::Gathering(Box::new(drop));
                socket.emit_with_ack(&event(), false, nobody, None).unwrap();
            },
            |socket| {
                let (socket, number) = (Arc::downgrade(socket), Mutex::new(Some(1)));
                WayToClient { socket, number }.reply(event()).unwrap();
            },
            |socket| {
                drop(socket.namespace.broadcast(&BroadcastFlags::default(), event()));
            },
            |socket| {
                let flags = BroadcastFlags::default();
                drop(socket.namespace.broadcast_with_ack(
                    &flags,
                    &event(),
                    Duration::from_secs(3600),
                ));
            },
        ];
        for (number, way) in ways.into_iter().enumerate() {
            have_just_said();
            way(&socket);
            assert_eq!(client.heard(), "", "{number}");
            io.hub.while_waiting(|| ()).unwrap();
            assert_eq!(client.heard().matches("[\"e\"]").count(), 1, "{number}");
            way(&socket);
            assert_eq!(client.heard().matches("[\"e\"]").count(), 1, "alone: {number}");
        }
    }
}
