//! A descriptor for all subscriptions of a connection together.

use std::sync::Arc;

use super::Driver;
use crate::driver::listeners::Listeners;
use crate::error::Result;
use crate::sync::deliver::Deliver;
use crate::sync::mailbox::Mailbox;
use crate::sync::readiness::Readiness;

impl Driver {
    /// The descriptor that is readable while something waits in a subscription.
    pub(crate) fn readiness(&self) -> Result<Arc<Readiness>> {
        let readiness = self.ready.get_or_make()?;
        // Those that are made later find it in its slot.
        let mut monitor = self.lock();
        let entries = monitor.namespaces.things_mut();
        entries.for_each(|entry| Listeners::add_poller(&entry.listeners, &readiness));
        monitor.manager_listeners.iter().for_each(|listener| listener.add_poller(&readiness));
        drop(monitor);
        self.observers.add_poller(&readiness);
        if self.is_over() {
            readiness.end();
        }
        Ok(readiness)
    }

    /// Somebody has subscribed.
    pub(crate) fn subscribed<T: Deliver>(&self, mailbox: &Mailbox<T>) {
        if let Some(readiness) = self.ready.get() {
            mailbox.add_poller(&readiness);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;
    use crate::driver::client::testing::Played;
    use crate::driver::listeners::Scope;
    use crate::event::status::ManagerEvent;
    use crate::options::{Buffer, Limits};
    use crate::proto::packet::Packet;
    use crate::sync::readiness::ReadyFd;

    fn is_readable(readiness: &Arc<Readiness>) -> bool {
        let ready = ReadyFd::new(Arc::clone(readiness));
        let fd = ready.as_fd();
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&now)).unwrap() > 0
    }

    /// Has something come for each kind of subscription but one, which is told apart by its name.
    type Case = (&'static str, fn(&mut Played) -> Box<dyn Fn(&mut Played)>);

    const CASES: [Case; 5] = [
        ("events", |played| {
            let (_, events) = played.driver.subscribe(played.namespace, Scope::Any, Buffer::new());
            played.driver.subscribed(&events);
            Box::new(move |played| {
                let _kept = &events;
                played.receive(r#"2["e"]"#);
            })
        }),
        ("everything", |played| {
            let (_, all) = played.driver.subscribe_all(played.namespace, Buffer::new());
            drop(all.take(None));
            played.driver.subscribed(&all);
            Box::new(move |played| {
                let _kept = &all;
                played.receive(r#"2["e"]"#);
            })
        }),
        ("statuses", |played| {
            let (_, statuses) = played.driver.subscribe_status(played.namespace);
            drop(statuses.take(None));
            played.driver.subscribed(&statuses);
            Box::new(move |played| {
                let _kept = &statuses;
                played.driver.disconnect(played.namespace);
            })
        }),
        ("news", |played| {
            let (_, news) = played.driver.subscribe_manager();
            played.driver.subscribed(&news);
            Box::new(move |played| {
                let _kept = &news;
                played.driver.run_acting(|monitor, now, actions| {
                    played.driver.tell_news(monitor, ManagerEvent::Ping, now, actions);
                });
            })
        }),
        ("packets", |played| {
            let (_, packets) = played.driver.observe(Buffer::new());
            played.driver.subscribed(&packets);
            Box::new(move |played| {
                let _kept = &packets;
                played.driver.show_received(&Packet::Noop);
            })
        }),
    ];

    #[test]
    fn the_descriptor_of_a_connection_tells_of_each_subscription_whichever_was_first() {
        for (name, subscribe) in CASES {
            for is_made_first in [true, false] {
                let mut played = Played::joined(Limits::new());
                let made = is_made_first.then(|| played.driver.readiness().unwrap());
                let come = subscribe(&mut played);
                let readiness = made.unwrap_or_else(|| played.driver.readiness().unwrap());
                assert!(!is_readable(&readiness), "{name}");
                come(&mut played);
                assert!(is_readable(&readiness), "{name}");
            }
        }
    }
}
