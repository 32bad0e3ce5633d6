//! Who is woken and told, and for what.

use super::*;
use crate::core::engine::Loss;
use crate::driver::client::testing::{Played, emit};
use crate::driver::client::waiting::Awaited;
use crate::driver::listeners::Scope;
use crate::error::ErrorKind;
use crate::options::{Buffer, Limits};
use crate::sync::account::{ONLY, SECOND};

fn notices(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Notify)).count()
}

#[test]
fn callers_are_woken_once_and_only_for_what_they_wait_for() {
    let played = Played::joined(Limits::new());
    played.add_link();
    let mut monitor = played.driver.lock();
    let mut actions = Vec::new();
    monitor.notify(&mut actions);
    assert_eq!(notices(&actions), 0, "nobody waits");
    monitor.awaited.push(Awaited::Ended);
    monitor.notify(&mut actions);
    assert_eq!(notices(&actions), 0, "there is a link");
    monitor.awaited.push(Awaited::Open);
    for _ in 0..2 {
        monitor.notify(&mut actions);
        assert_eq!(notices(&actions), 1);
    }
}

#[test]
fn what_goes_out_ends_no_wait_and_an_end_does() {
    let played = Played::joined(Limits::new());
    let driver = &played.driver;
    let (_, _sent) = driver.subscribe(played.namespace, Scope::Outgoing, Buffer::new());
    driver.lock().awaited.push(Awaited::Change);
    let mut actions = Vec::new();
    driver.gather(&mut actions, |monitor, now, _| {
        assert!(monitor.core.emit(played.namespace, emit(None), now).is_ok());
    });
    assert_eq!(notices(&actions), 0);
    driver.gather(&mut actions, |monitor, now, _| {
        let error = Error::new(ErrorKind::Transport, "lost");
        monitor.core.lost(played.link, Loss::Closed(error), now);
    });
    assert_eq!(notices(&actions), 1);
}

#[test]
fn what_keeps_a_namespace_from_being_joined_is_kept_until_it_is() {
    let played = Played::open(Limits::new());
    let mut monitor = played.driver.lock();
    let error = |what: &str| Error::new(ErrorKind::Transport, what.to_owned());
    let how = |monitor: &Monitor| {
        let entry = monitor.namespaces.get(played.namespace).unwrap();
        (entry.last_error.as_ref().map(|it| it.message().to_owned()), entry.losses)
    };
    let kept = |what: &str, losses| (Some(what.to_owned()), losses);
    let id = played.namespace;
    monitor.note_error(id, &error("refused"), false);
    assert_eq!(how(&monitor), kept("refused", 0));
    monitor.note_error(id, &error("refused"), true);
    assert_eq!(how(&monitor), kept("refused", 0), "it was told as a failed attempt");
    monitor.note_error(id, &error("lost"), true);
    assert_eq!(how(&monitor), kept("lost", 1));
    monitor.note_error(id, &error("lost"), true);
    assert_eq!(how(&monitor), kept("lost", 2), "another one");
    monitor.note_error(id, &error("refused"), false);
    assert_eq!(how(&monitor), kept("refused", 0));
    monitor.note_error(id, &error("lost"), true);
    monitor.note_joined(id);
    assert_eq!(how(&monitor), (None, 0));
}

#[test]
fn a_consumer_is_noted_once() {
    let mut full = Vec::new();
    let accounts = [ONLY, SECOND];
    for account in [accounts[0], accounts[0], accounts[1], accounts[0]] {
        note_full(&mut full, Consumer::callback(account, String::new()));
    }
    assert_eq!(full.len(), 2);
}

#[test]
fn why_the_connection_could_not_be_opened_is_kept_until_it_is() {
    let played = Played::connecting(Limits::new());
    let mut monitor = played.driver.lock();
    let error = || Error::new(ErrorKind::Transport, "refused");
    monitor.tell_manager(&ManagerEvent::Error(error()), &mut Vec::new());
    monitor.tell_manager(&ManagerEvent::ReconnectFailed, &mut Vec::new());
    assert_eq!(monitor.last_error.as_ref().map(Error::message), Some("refused"));
    monitor.tell_manager(&ManagerEvent::Open, &mut Vec::new());
    assert!(monitor.last_error.is_none());
}
