//! With what an attempt is made, and what is changed for good.

use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::Duration;

use super::*;
use crate::core::engine::Loss;
use crate::core::ids::LinkId;
use crate::driver::client::link::Link;
use crate::driver::client::testing::live::{Live, accept};
use crate::driver::client::testing::{Played, driver};
use crate::driver::dispatch::Function;
use crate::event::status::ManagerEvent;
use crate::options::{Limits, Transport};

/// Leads to another port, or asks for something else.
struct Change {
    port: Option<u16>,
    query: &'static str,
}

impl Changes for Change {
    fn check(&self, _: &ManagerOptions, _: &CacheBuster) -> Result<()> {
        Ok(())
    }

    fn change_options(&self, _: &mut ManagerOptions) {}

    fn change_address(&self, address: &mut Address) {
        address.server.endpoint.port = self.port.unwrap_or(address.server.endpoint.port);
        address.query = vec![("q".to_owned(), self.query.to_owned())];
    }
}

fn query(address: &Address) -> Option<&str> {
    address.query.first().map(|(_, value)| value.as_str())
}

#[test]
fn an_attempt_leads_to_where_the_users_function_says() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = elsewhere.local_addr().unwrap().port();
    let before: PrepareFunction =
        Arc::new(move |_| Ok(Box::new(Change { port: Some(port), query: "x" })));
    let live = Live::idle(Transport::WebSocket, Some(before));
    live.connect();
    drop(accept(&elsewhere));
}

#[test]
fn an_attempt_to_reconnect_goes_on_at_once_where_no_callback_hears_of_it() {
    for is_heard in [false, true] {
        let played = Played::joined(Limits::new());
        let driver = &played.driver;
        let (tell, told) = channel();
        if is_heard {
            let function = move |event: ManagerEvent| {
                let _ = tell.send(event);
            };
            driver.call_on_manager(Function::Repeated(Box::new(function))).unwrap();
        }
        let loss = Loss::Failed(Error::new(ErrorKind::Transport, "lost"));
        driver.run(|core, now| core.lost(played.link, loss, now));
        let mut actions = Vec::new();
        driver.gather(&mut actions, |monitor, now, _| {
            monitor.core.expire(now + Duration::from_secs(20));
        });
        let dials = actions.iter().any(|action| matches!(action, Action::Dial { .. }));
        assert_eq!(dials, !is_heard);
        // Those who hear of it may have their say before.
        driver.act(actions);
        let is_attempt = |event: ManagerEvent| matches!(event, ManagerEvent::ReconnectAttempt(_));
        assert!(!is_heard || told.iter().any(is_attempt));
    }
}

#[test]
fn an_attempt_leads_elsewhere_where_its_server_is_another_one_than_the_last() {
    let driver = driver(9, Limits::new());
    let mut monitor = driver.lock();
    let mut is_elsewhere = |change: Option<Change>| {
        let change = change.as_ref().map(|change| change as &dyn Changes);
        monitor.lay_over(change).unwrap().is_elsewhere
    };
    assert!(!is_elsewhere(None));
    assert!(!is_elsewhere(Some(Change { port: None, query: "x" })));
    for leads_elsewhere in [true, false] {
        assert_eq!(is_elsewhere(Some(Change { port: Some(8), query: "x" })), leads_elsewhere);
    }
    assert!(is_elsewhere(None));
}

#[test]
fn what_is_changed_for_good_is_carried_by_the_session_there_is_if_it_is_for_its_server() {
    let driver = driver(9, Limits::new());
    let [of_session, of_another] = [LinkId(1), LinkId(2)];
    let mut monitor = driver.lock();
    let address = Arc::clone(&monitor.current_address);
    let copy = Arc::new((*address).clone());
    monitor.links.get_or_add(of_session, || Box::new(Link::to(address)));
    monitor.links.get_or_add(of_another, || Box::new(Link::to(copy)));
    drop(monitor);
    driver.change(&Change { port: None, query: "one" }).unwrap();
    let monitor = driver.lock();
    let current = Arc::clone(&monitor.current_address);
    assert_eq!([query(&monitor.address), query(&current)], [Some("one"); 2]);
    assert!(monitor.links.get(of_session).unwrap().leads_to(&current));
    assert!(!monitor.links.get(of_another).unwrap().leads_to(&current));
    drop(monitor);
    driver.change(&Change { port: Some(8), query: "other" }).unwrap();
    let monitor = driver.lock();
    assert_eq!(query(&monitor.address), Some("other"));
    assert_eq!(query(&monitor.current_address), Some("one"));
}
