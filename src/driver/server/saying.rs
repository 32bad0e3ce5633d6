//! What is said in a row is written together: by a handler at the end of its turn, by any other thread when whoever serves the
//! connections gets to it.

use std::cell::Cell;
use std::time::Duration;

use crate::core::time::Timestamp;
use crate::driver::clock::now;

/// Between two things that a thread says in a row there is less than this: more than a program takes for the next one, less than a
/// client takes for an answer.
const PAUSE: Duration = Duration::from_micros(50);

/// So many things are written each by itself: to leave them to another thread saves little, and where all processors are busy that
/// thread comes late.
const FEW: u32 = 3;

thread_local! {
    static SAYING: Cell<Saying> = const { Cell::new(Saying::Alone) };
    /// What the thread has said outside of a turn.
    static SAID: Cell<Option<Said>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Said {
    /// How many things in a row.
    count: u32,
    /// The time of the last one.
    at: Timestamp,
}

/// How many things what is said now follows in a row.
fn follows(said: Option<Said>, now: Timestamp) -> u32 {
    said.filter(|said| now < said.at + PAUSE).map_or(0, |said| said.count)
}

/// What the calling thread says, compared with what it has said before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saying {
    /// It follows nothing, or few other things.
    Alone,
    /// It follows more than a few, but in no turn.
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
    let before = follows(SAID.get(), now());
    if before >= FEW {
        SAYING.set(Saying::InARow);
    }
    let done = something();
    drop(end);
    SAID.set(Some(Said { count: before.saturating_add(1), at: now() }));
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

    /// The thread has said so many things in a row, and whatever time passes, it is as if none had.
    fn have_just_said(count: u32) {
        SAID.set(Some(Said { count, at: now() + Duration::from_secs(1800) }));
    }

    #[test]
    fn what_comes_within_50_us_follows_and_what_comes_later_does_not() {
        let at = |micros| Timestamp(Duration::from_micros(micros));
        let said = |count| Some(Said { count, at: at(1000) });
        assert_eq!(
            [follows(None, at(0)), follows(said(7), at(1049)), follows(said(7), at(1050))],
            [0, 7, 0]
        );
    }

    #[test]
    fn the_fourth_thing_is_in_a_row_unless_the_thread_has_waited() {
        for (count, expected) in [(2, Saying::Alone), (3, Saying::InARow)] {
            have_just_said(count);
            assert_eq!(say(saying), expected);
            assert_eq!(saying(), Saying::Alone);
            let said = SAID.get().expect("it was said");
            assert!(said.count == count + 1 && said.at <= now());
        }
        have_just_said(3);
        pause();
        assert_eq!(say(saying), Saying::Alone);
    }

    #[test]
    fn a_handler_says_all_in_its_turn() {
        have_just_said(FEW);
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
            have_just_said(FEW);
            way(&socket);
            assert_eq!(client.heard(), "", "{number}");
            io.hub.while_waiting(|| ()).unwrap();
            assert_eq!(client.heard().matches("[\"e\"]").count(), 1, "{number}");
            way(&socket);
            assert_eq!(client.heard().matches("[\"e\"]").count(), 1, "alone: {number}");
        }
    }
}
