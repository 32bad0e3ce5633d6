use std::time::{Duration, Instant};

use super::*;

const LIMIT: Duration = Duration::from_secs(60);

fn readers() -> [Arc<Waker>; 2] {
    [(); 2].map(|()| Arc::new(Waker::new().unwrap()))
}

/// Whether the reader is woken, for which it waits no longer than this.
fn is_woken(reader: &Waker, limit: Duration) -> bool {
    let start = Instant::now();
    reader.nap(limit).unwrap();
    start.elapsed() < limit
}

#[test]
fn a_reader_that_goes_on_wakes_the_other_one() {
    let intake = Intake::new(&Limits::new());
    let [old, new] = readers();
    intake.hold(&old);
    intake.hold(&new);
    intake.go_on(&new);
    assert!(is_woken(&old, LIMIT));
    // Also where that one alone held still.
    intake.hold(&old);
    intake.go_on(&new);
    assert!(is_woken(&old, LIMIT));
}

#[test]
fn a_reader_that_goes_on_is_not_woken_itself() {
    let intake = Intake::new(&Limits::new());
    let [old, new] = readers();
    intake.hold(&old);
    intake.hold(&new);
    intake.go_on(&new);
    intake.gate.reopen();
    assert!(!is_woken(&new, Duration::from_millis(20)));
}
