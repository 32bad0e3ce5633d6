//! Where connections come from.

use std::net::IpAddr;

use siot::{Stage, Timeouts};

use super::{MS, NAME, TRANSPORTS, builder, failure, met_at, serve};
use crate::support::network::{V4, V6, isolated};

#[test]
fn connections_come_from_the_local_address_and_of_its_family_only() {
    isolated(|network| {
        let server = serve("::");
        network.dns.set(NAME, &[V4[0], V6[0]]);
        for &transport in TRANSPORTS {
            for (local, met) in [(V4[2], V4[0]), (V6[2], V6[0])] {
                let builder =
                    builder(&server, transport).local_address(local.parse::<IpAddr>().unwrap());
                assert_eq!(met_at(&server, builder), met);
                // The requests are still there.
                assert_eq!(server.entries("requests")[0]["from"], local);
            }
        }
    });
}

#[test]
fn connections_go_through_the_interface_or_not_at_all() {
    isolated(|network| {
        let server = serve("::");
        network.dns.set(NAME, &[V4[0], V6[0]]);
        network.ip("link add uplink type veth peer name nowhere");
        network.ip("link set uplink up");
        for &transport in TRANSPORTS {
            let by = |name| builder(&server, transport).interface(name);
            met_at(&server, by("lo"));
            let timeouts = Timeouts::new().tcp(1000 * MS);
            let error = failure(by("uplink").timeouts(timeouts));
            assert_eq!(error.stage(), Some(Stage::Tcp), "{error}");
            let error = failure(by("no-such-link"));
            assert!(error.message().contains("no-such-link"), "{error}");
        }
    });
}
