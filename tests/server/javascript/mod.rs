//! Clients in JavaScript: socket.io-client 4.8, 3.1, 2.5 and 1.7, each by WebSocket, by long-polling, and
//! from the one to the other.

/// Makes of each function `fn claim(version: u32, via: Via)` one test for each version and way of connecting.
macro_rules! for_each_client {
    ($($claim:ident),* $(,)?) => {
        for_each_client!(@version v4 4 $($claim)*);
        for_each_client!(@version v3 3 $($claim)*);
        for_each_client!(@version v2 2 $($claim)*);
        for_each_client!(@version v1 1 $($claim)*);
    };
    (@version $module:ident $version:literal $($claim:ident)*) => {
        mod $module {
            for_each_client!(@via websocket WebSocket $version $($claim)*);
            for_each_client!(@via polling Polling $version $($claim)*);
            for_each_client!(@via upgrade Upgrade $version $($claim)*);
        }
    };
    (@via $module:ident $via:ident $version:literal $($claim:ident)*) => {
        mod $module {
            $(
                #[test]
                fn $claim() {
                    super::super::$claim($version, crate::support::Via::$via);
                }
            )*
        }
    };
}

// Behind the macro, which they use.
#[cfg(feature = "rustls")]
mod encrypted;
mod ends;
mod events;
mod heartbeats;
mod listeners;
mod namespaces;
mod old_ways;
mod rooms;
