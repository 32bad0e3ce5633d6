//! The ways of connecting, and options for each of them.

use std::time::Duration;

use siot::{Builder, Transport};

use super::Client;
use super::hostile::{HostileServer, HostileSession};

/// A way of connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// By WebSocket from the start.
    WebSocket,
    /// By long-polling to the end.
    Polling,
    /// By long-polling, from which the session moves to WebSocket. Tests that do not wait for that
    /// ([`Client::upgraded`]) race with it, which is meant.
    Upgrade,
}

/// Makes of each function `fn claim(via: Via)` one test for each way of connecting, in the modules
/// `websocket`, `polling` and `upgrade`.
macro_rules! over_each_transport {
    ($($claim:ident),* $(,)?) => {
        over_each_transport!(@module websocket WebSocket $($claim)*);
        #[cfg(feature = "polling")]
        over_each_transport!(@module polling Polling $($claim)*);
        #[cfg(feature = "polling")]
        over_each_transport!(@module upgrade Upgrade $($claim)*);
    };
    (@module $module:ident $via:ident $($claim:ident)*) => {
        mod $module {
            $(
                #[test]
                fn $claim() {
                    super::$claim($crate::support::Via::$via);
                }
            )*
        }
    };
}

pub(crate) use over_each_transport;

/// The transports that this build has, each by itself.
pub(crate) const TRANSPORTS: &[Transport] = &[
    Transport::WebSocket,
    #[cfg(feature = "polling")]
    Transport::Polling,
];

/// A connection of its own by one transport and no proxy, with short delays between attempts.
pub(crate) fn direct(url: impl Into<String>, transport: Transport) -> Builder {
    Builder::new(url)
        .force_new(true)
        .no_proxy()
        .transports([transport])
        .reconnection_delay(Duration::from_millis(10))
        .reconnection_delay_max(Duration::from_millis(20))
}

impl Via {
    /// The ways that this build has.
    pub(crate) const ALL: &[Self] = &[
        Self::WebSocket,
        #[cfg(feature = "polling")]
        Self::Polling,
        #[cfg(feature = "polling")]
        Self::Upgrade,
    ];

    /// The ways that this build has without a change of transports.
    pub(crate) const PLAIN: &[Self] = &[
        Self::WebSocket,
        #[cfg(feature = "polling")]
        Self::Polling,
    ];

    /// The longest of the ways that this build has: it goes over each transport.
    pub(crate) fn longest() -> Self {
        if cfg!(feature = "polling") { Self::Upgrade } else { Self::WebSocket }
    }

    /// What such a client may use.
    pub(crate) fn transports(self) -> &'static [Transport] {
        match self {
            Self::WebSocket => &[Transport::WebSocket],
            Self::Polling => &[Transport::Polling],
            Self::Upgrade => &[Transport::Polling, Transport::WebSocket],
        }
    }

    /// A connection of its own, with short delays between attempts.
    pub(crate) fn builder(self, url: impl Into<String>) -> Builder {
        Builder::new(url)
            .transports(self.transports().iter().copied())
            .force_new(true)
            .reconnection_delay(Duration::from_millis(10))
            .reconnection_delay_max(Duration::from_millis(40))
    }

    /// A client that is connected; by upgrade it may still be on its way to WebSocket.
    #[track_caller]
    pub(crate) fn connect(self, url: impl Into<String>) -> Client {
        Client::connect(self.builder(url))
    }

    /// A client that is connected and has come to its last transport, and the session that it has.
    #[track_caller]
    pub(crate) fn visit(
        self,
        server: &HostileServer,
        options: impl FnOnce(Builder) -> Builder,
    ) -> (Client, HostileSession) {
        let client = Client::start(options(self.builder(server.url())));
        let session = server.session();
        client.connected();
        if self == Self::Upgrade {
            client.upgraded();
        }
        (client, session)
    }

    /// Clients that are connected, each with a connection of its own.
    #[track_caller]
    pub(crate) fn connect_each<const N: usize>(self, url: impl Into<String>) -> [Client; N] {
        let url = url.into();
        [(); N].map(|()| self.connect(&url))
    }

    /// A client that is connected and, by upgrade, has moved to WebSocket.
    #[track_caller]
    pub(crate) fn settle(self, url: impl Into<String>) -> Client {
        let client = self.connect(url);
        if self == Self::Upgrade {
            client.upgraded();
        }
        client
    }

    /// Where the session is once it has settled.
    pub(crate) fn transport(self) -> Transport {
        if self == Self::Polling { Transport::Polling } else { Transport::WebSocket }
    }

    /// A tenth of it where long-polling takes part.
    pub(crate) fn scaled(self, count: usize) -> usize {
        if self == Self::WebSocket { count } else { count / 10 }
    }
}
