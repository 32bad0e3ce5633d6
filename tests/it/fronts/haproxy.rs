//! haproxy before real servers.

use super::*;
use crate::support::folder::Folder;
use crate::support::program::{self, Program};

/// haproxy, which hands everything on to these servers.
struct Haproxy {
    ports: Ports,
    _program: Program,
}

impl Haproxy {
    /// With these lines in its `defaults`, and these options for the servers.
    #[track_caller]
    fn start(servers: &[Server], defaults: &str, backend: &str) -> Self {
        let (folder, ports) = (Folder::new(), Ports::new());
        let pem = program::write(&folder, "identity.pem", &ports.identity());
        let (plain, tls) = (ports.plain, ports.tls);
        let names: Vec<String> = servers
            .iter()
            .enumerate()
            .map(|(n, server)| format!(" server s{n} 127.0.0.1:{} cookie s{n}\n", server.port()))
            .collect();
        // Where a directive stands twice, the last one counts.
        let text = format!(
            "defaults\n mode http\n timeout client 20s\n timeout connect 2s\n timeout server 60s\n \
             timeout tunnel 60s\n retries 0\n {defaults}\n\
             frontend front\n bind 127.0.0.1:{plain}\n \
             bind 127.0.0.1:{tls} ssl crt {pem} alpn h2,http/1.1\n default_backend back\n\
             backend back\n balance roundrobin\n {backend}\n{}",
            names.concat()
        );
        let file = program::write(&folder, "haproxy.cfg", &text);
        let command = ["haproxy", "-db", "-f", &file];
        let program = Program::start(&command, "KILL", folder, plain);
        Self { ports, _program: program }
    }
}

#[test]
fn all_transports_go_through_it_also_encrypted() {
    let servers = servers::<1>();
    for defaults in ["", "option http-server-close", "option httpclose", "compression algo gzip"] {
        exercise_all(&Haproxy::start(&servers, defaults, "").ports);
    }
}

#[test]
fn a_connection_that_it_has_closed_is_not_used_again() {
    let servers = servers::<1>();
    let haproxy = Haproxy::start(&servers, &format!("timeout http-keep-alive {KEPT:?}"), "");
    assert_used_no_more(&haproxy.ports);
}

#[test]
fn sessions_stay_where_its_cookie_leads() {
    let servers = servers::<2>();
    let haproxy = Haproxy::start(&servers, "", "cookie SERVER insert indirect nocache");
    assert_sticky_by_cookie(&haproxy.ports, &servers);
}

#[test]
fn a_server_behind_it_comes_back() {
    let servers = servers::<1>();
    let haproxy = Haproxy::start(&servers, "", "");
    assert_found_again(&haproxy.ports, &servers[0], "503");
}

#[test]
fn its_patience_ends_sessions_and_the_error_tells() {
    let servers = servers::<1>();
    let haproxy = Haproxy::start(&servers, "timeout server 1s\n timeout tunnel 1s", "");
    assert_lost_again_and_again(&haproxy.ports);
}
