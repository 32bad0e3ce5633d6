//! Starting threads, and knowing afterwards which one is which.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, ErrorKind, Result};

/// What a thread of ours is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Opens a transport, reads from it, and writes where nobody else does.
    Transport,
    /// Posts, while long-polling is in use.
    #[cfg_attr(not(feature = "polling"), allow(dead_code))]
    Poster,
    /// Sees to the deadlines of all connections.
    Timer,
    /// Runs the callbacks of one connection.
    Callbacks,
    /// Asks the user's function for credentials.
    Auth,
    /// Looks up a host name.
    Dns,
    /// Hears of changes of the network.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    Network,
    /// Gives the logger what the timer thread says.
    Log,
    /// Serves all connections of a server.
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    Server,
    /// Runs handlers of a server.
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    Worker,
    /// Passes on what goes between clients and a server of a test.
    #[cfg_attr(not(feature = "testing"), allow(dead_code))]
    Line,
    /// Carries what the servers of a cluster in one process tell each other.
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    Cluster,
    /// Publishes what a server tells the others of its cluster.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    Publisher,
    /// Hears what they tell.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    Subscriber,
    /// Hands the events of an outbox to its socket.
    #[cfg_attr(not(feature = "outbox"), allow(dead_code))]
    Outbox,
}

impl Role {
    /// The name of the thread, as tools show it.
    fn name(self) -> &'static str {
        match self {
            Self::Transport => "siot-conn",
            Self::Poster => "siot-post",
            Self::Timer => "siot-timer",
            Self::Callbacks => "siot-call",
            Self::Auth => "siot-auth",
            Self::Dns => "siot-dns",
            Self::Network => "siot-net",
            Self::Log => "siot-log",
            Self::Outbox => "siot-outbox",
            Self::Server => "siot-serve",
            Self::Worker => "siot-work",
            Self::Line => "siot-line",
            Self::Cluster => "siot-cluster",
            Self::Publisher => "siot-publish",
            Self::Subscriber => "siot-subscribe",
        }
    }
}

thread_local! {
    static ROLE: Cell<Option<Role>> = const { Cell::new(None) };
}

/// What the calling thread is there for; `None` where it is none of ours.
///
/// It was noted when the thread started. The name would not do: the program may give a thread of
/// its own the same one.
pub(crate) fn role() -> Option<Role> {
    ROLE.get()
}

/// What the thread was there for before; it is again when this is dropped.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub(crate) struct Playing(Option<Role>);

/// Has the calling thread do what another is there for.
pub(crate) fn play(role: Role) -> Playing {
    Playing(ROLE.replace(Some(role)))
}

impl Drop for Playing {
    fn drop(&mut self) {
        ROLE.set(self.0);
    }
}

/// Starts a thread, whose stack is as large as the system has it where no size is given. That the
/// system has no thread to give is an error like any other.
pub(crate) fn spawn(
    role: Role,
    stack_size: Option<usize>,
    body: impl FnOnce() + Send + 'static,
) -> Result<()> {
    start(role, stack_size, Box::new(body))
}

/// The same for all bodies, so that the code is there once.
fn start(role: Role, stack_size: Option<usize>, body: Box<dyn FnOnce() + Send>) -> Result<()> {
    let name = role.name();
    let mut builder = std::thread::Builder::new().name(name.to_owned());
    if let Some(stack_size) = stack_size {
        builder = builder.stack_size(stack_size);
    }
    let started = builder.spawn(move || {
        ROLE.set(Some(role));
        body();
    });
    started.map(drop).map_err(|error| {
        Error::new(ErrorKind::Resource, format!("cannot start the thread {name}"))
            .with_source(error)
    })
}

/// Runs what may be a user's code, which may panic: `None` then. So may the end of what it panicked
/// with.
pub(crate) fn survive<R>(code: impl FnOnce() -> R) -> Option<R> {
    let panicked = match catch_unwind(AssertUnwindSafe(code)) {
        Ok(result) => return Some(result),
        Err(panicked) => panicked,
    };
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panicked))) {
        // What the second panic carries may panic as well when it is dropped: it is leaked.
        std::mem::forget(again);
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_thread_knows_its_role_and_has_its_name() {
        for role_given in [
            Role::Transport,
            Role::Poster,
            Role::Timer,
            Role::Callbacks,
            Role::Auth,
            Role::Dns,
            Role::Network,
            Role::Log,
            Role::Outbox,
            Role::Line,
        ] {
            let (told, tells) = channel();
            spawn(role_given, None, move || {
                let name = std::thread::current().name().map(str::to_owned);
                told.send((role(), name)).unwrap();
            })
            .unwrap();
            let (role, name) = tells.recv_timeout(Duration::from_secs(60)).unwrap();
            assert_eq!((role, name.as_deref()), (Some(role_given), Some(role_given.name())));
        }
    }

    #[test]
    fn a_panic_is_survived_whatever_its_payload_does_in_the_end() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                std::panic::panic_any(Bomb);
            }
        }
        assert_eq!(survive(|| 7), Some(7));
        assert_eq!(survive(|| std::panic::panic_any(Bomb)), None);
    }

    #[test]
    fn a_thread_of_the_program_has_no_role_whatever_its_name() {
        let impostor = std::thread::Builder::new().name(Role::Transport.name().to_owned());
        assert_eq!(impostor.spawn(role).unwrap().join().unwrap(), None);
    }

    #[test]
    fn a_thread_that_cannot_be_started_is_an_error_that_names_it() {
        // Half of the memory that can be addressed may be had where that is 4 GiB.
        let too_much = usize::MAX / 16 * 15;
        let error = spawn(Role::Auth, Some(too_much), || ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Resource);
        assert!(error.message().contains("siot-auth"), "{error}");
    }
}
