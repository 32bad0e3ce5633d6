//! What `siot doctor` finds out of names and addresses.

use std::time::{Duration, Instant};

use super::{NAME, serve};
use crate::support::network::{V4, V6, isolated};
use crate::support::process::siot;

/// What it prints about a server, and whether it is content.
fn examine(port: u16) -> (String, bool) {
    let output = siot().args(["doctor", &format!("http://{NAME}:{port}")]).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).unwrap(), output.status.success())
}

#[test]
fn the_doctor_passes_an_address_that_swallows_packets() {
    isolated(|network| {
        let server = serve("::");
        network.dns.set(NAME, &[V4[0], V6[0]]);
        network.black_hole(V6[0]);
        let start = Instant::now();
        let (printed, healthy) = examine(server.port());
        assert!(healthy, "{printed}");
        assert_eq!(printed.matches("  ok      TCP ").count(), 2, "{printed}");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert!(server.entries("requests").iter().all(|request| request["to"] == V4[0]));
    });
}

#[test]
fn the_doctor_names_the_step_that_fails() {
    isolated(|network| {
        let server = serve(V4[0]);
        let (printed, healthy) = examine(server.port());
        assert!(!healthy, "{printed}");
        assert_eq!(printed.matches(" cannot connect, DNS").count(), 2, "{printed}");
        network.dns.set(NAME, &[V4[0], V6[0]]);
        server.kill();
        let (printed, healthy) = examine(server.port());
        assert!(!healthy, "{printed}");
        assert_eq!(printed.matches("  ok      DNS ").count(), 2, "{printed}");
        assert_eq!(printed.matches(" cannot connect, TCP").count(), 2, "{printed}");
        for address in [V4[0], V6[0]] {
            assert!(printed.matches(address).count() >= 2, "{printed}");
        }
    });
}
