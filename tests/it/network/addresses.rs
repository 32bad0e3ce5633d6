//! Names with several addresses, of which some are no way to the server.

use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};

use siot::{Error, Stage, Timeouts};

use super::{MS, NAME, TRANSPORTS, builder, failure, met_at, serve};
use crate::support::network::{V4, V6, isolated};

/// Far below the connect timeout of 20 s, and far above what it takes.
const SOON: Duration = Duration::from_secs(10);

/// The addresses in the order in which the system wants them to be tried.
fn order() -> Vec<String> {
    let addresses = (NAME, 80).to_socket_addrs().unwrap();
    addresses.map(|address| address.ip().to_string()).collect()
}

#[track_caller]
fn assert_names(error: &Error, addresses: &[&str]) {
    assert_eq!(error.stage(), Some(Stage::Tcp), "{error}");
    for address in addresses {
        assert!(error.message().contains(address), "no {address} in: {error}");
    }
    assert!(error.elapsed().is_some(), "{error}");
}

#[test]
fn an_ipv6_address_that_swallows_packets_does_not_keep_ipv4_waiting() {
    isolated(|network| {
        let server = serve("::");
        network.dns.set(NAME, &[V4[0], V6[0]]);
        for &transport in TRANSPORTS {
            network.heal();
            // What the system prefers is taken while it works.
            assert_eq!(order(), [V6[0], V4[0]]);
            assert_eq!(met_at(&server, builder(&server, transport)), V6[0]);
            network.black_hole(V6[0]);
            let start = Instant::now();
            assert_eq!(met_at(&server, builder(&server, transport)), V4[0]);
            assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        }
    });
}

#[test]
fn eight_addresses_that_swallow_packets_do_not_keep_the_ninth_waiting() {
    isolated(|network| {
        let server = serve("::");
        let holes: Vec<_> = (1..9).map(|n| format!("2001:db8:1::{n}")).collect();
        let mut all = vec![V4[0]];
        for hole in &holes {
            network.ip(&format!("address add {hole}/128 dev lo"));
            network.black_hole(hole);
            all.push(hole);
        }
        network.dns.set(NAME, &all);
        for &transport in TRANSPORTS {
            let start = Instant::now();
            assert_eq!(met_at(&server, builder(&server, transport)), V4[0]);
            assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        }
    });
}

#[test]
fn where_all_addresses_swallow_packets_the_limit_ends_it_and_names_them() {
    isolated(|network| {
        let server = serve("::");
        let all = [V4[0], V4[1], V6[0], V6[1]];
        network.dns.set(NAME, &all);
        for address in all {
            network.black_hole(address);
        }
        for &transport in TRANSPORTS {
            // Of the stage, and of the whole attempt.
            let limits = [
                builder(&server, transport).timeouts(Timeouts::new().tcp(3500 * MS)),
                builder(&server, transport).connect_timeout(3500 * MS),
            ];
            for builder in limits {
                let start = Instant::now();
                let error = failure(builder);
                assert_names(&error, &all);
                assert!(error.is_timeout() && !error.is_fatal(), "{error}");
                assert!(error.message().contains("3500 ms"), "{error}");
                assert!(error.hint().is_some_and(|hint| hint.contains("firewall")), "{error}");
                assert!(error.elapsed().unwrap() >= 3500 * MS, "{error}");
                assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
            }
        }
    });
}

#[test]
fn a_limit_tells_the_refused_from_the_silent() {
    isolated(|network| {
        let server = serve(V4[0]);
        network.dns.set(NAME, &[V4[1], V6[0]]);
        network.black_hole(V4[1]);
        for &transport in TRANSPORTS {
            let error = failure(builder(&server, transport).connect_timeout(1000 * MS));
            assert_names(&error, &[V4[1], V6[0]]);
            assert!(error.message().contains("refused"), "{error}");
            assert!(error.message().contains("no answer"), "{error}");
        }
    });
}

#[test]
fn an_address_that_refuses_is_passed_over_at_once() {
    isolated(|network| {
        let server = serve(V4[0]);
        network.dns.set(NAME, &[V4[0], V6[0]]);
        assert_eq!(order(), [V6[0], V4[0]]);
        for &transport in TRANSPORTS {
            assert_eq!(met_at(&server, builder(&server, transport)), V4[0]);
        }
        network.dns.set(NAME, &[V4[1], V6[0]]);
        let error = failure(builder(&server, TRANSPORTS[0]));
        assert_names(&error, &[V4[1], V6[0]]);
        assert!(error.hint().is_some_and(|hint| hint.contains("running")), "{error}");
    });
}

#[test]
fn an_address_that_no_way_leads_to_is_passed_over() {
    // Without a route, with one that says no, and with a router that does.
    const NO_ROUTE: &str = "2001:db8:2::1";
    const PROHIBITED: &str = "2001:db8:3::1";
    const UNREACHABLE: &str = "2001:db8::3";
    isolated(|network| {
        let server = serve(V4[0]);
        network.ip(&format!("route add prohibit {PROHIBITED}"));
        network
            .filter(&format!("ip6 daddr {UNREACHABLE} reject with icmpv6 type addr-unreachable"));
        let bad = [NO_ROUTE, PROHIBITED, UNREACHABLE];
        network.dns.set(NAME, &[&bad[..], &[V4[0]]].concat());
        for &transport in TRANSPORTS {
            let start = Instant::now();
            assert_eq!(met_at(&server, builder(&server, transport)), V4[0]);
            assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        }
        network.dns.set(NAME, &bad);
        let error = failure(builder(&server, TRANSPORTS[0]).connect_timeout(3000 * MS));
        assert_names(&error, &bad);
        assert!(!error.is_fatal(), "{error}");
    });
}
