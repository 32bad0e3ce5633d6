//! nginx before real servers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use siot::{ManagerEvent, Stage};

use super::*;
use crate::support::folder::Folder;
use crate::support::program::{self, Program};

/// nginx, which hands everything on to these servers.
struct Nginx {
    ports: Ports,
    program: Program,
}

/// What hands on both transports, as its documentation says.
const UPGRADABLE: &str = "proxy_pass http://backend; proxy_http_version 1.1; \
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;";

impl Nginx {
    /// With more directives in its `http`, and those of its one location.
    #[track_caller]
    fn start(servers: &[Server], http: &str, location: &str) -> Self {
        let (folder, ports) = (Folder::new(), Ports::new());
        let pem = program::write(&folder, "identity.pem", &ports.identity());
        let names: Vec<String> = servers
            .iter()
            .map(|server| format!("server 127.0.0.1:{} max_fails=0; ", server.port()))
            .collect();
        let at = folder.path("");
        let (at, plain, tls) = (at.display(), ports.plain, ports.tls);
        let text = format!(
            "daemon off; worker_processes 1; pid {at}pid; error_log stderr notice;
            # Its files are in a folder of the test's.
            user root;
            events {{ worker_connections 256; }}
            http {{
                access_log off;
                client_body_temp_path {at}body; proxy_temp_path {at}proxy;
                fastcgi_temp_path {at}fastcgi; scgi_temp_path {at}scgi; uwsgi_temp_path {at}uwsgi;
                map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
                upstream backend {{ {} }}
                {http}
                server {{
                    listen 127.0.0.1:{plain};
                    listen 127.0.0.1:{tls} ssl http2;
                    ssl_certificate {pem}; ssl_certificate_key {pem};
                    location = /worker {{ return 200 $pid; }}
                    location = /status {{ stub_status; }}
                    location / {{ {location} }}
                }}
            }}",
            names.concat()
        );
        let file = program::write(&folder, "nginx.conf", &text);
        let command = ["nginx", "-e", "stderr", "-c", &file];
        let program = Program::start(&command, "TERM", folder, plain);
        Self { ports, program }
    }

    /// What it answers itself.
    fn ask(&self, path: &str) -> String {
        let mut stream =
            TcpStream::connect(("127.0.0.1", self.ports.plain)).expect("nginx listens");
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("nginx reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("nginx answers");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        body.to_owned()
    }

    /// The process that takes new connections.
    fn worker(&self) -> String {
        self.ask("/worker")
    }

    /// How many connections it has taken so far, with the one that asks.
    fn accepted(&self) -> u32 {
        let status = self.ask("/status");
        let counts = status.lines().nth(2).expect("a line of counts");
        let accepted = counts.split_whitespace().next().expect("a count");
        accepted.parse().expect("a number")
    }

    /// Reads the configuration anew, and waits until a new process takes connections.
    #[track_caller]
    fn reload(&self) {
        let old = self.worker();
        self.program.signal("HUP");
        eventually(LIMIT, "another worker", || self.worker() != old);
    }
}

#[test]
fn all_transports_go_through_it_also_encrypted() {
    let servers = servers::<1>();
    exercise_all(&Nginx::start(&servers, "", UPGRADABLE).ports);
}

#[test]
fn buffers_compression_and_many_connections_change_nothing() {
    let servers = servers::<1>();
    for (http, location) in [
        ("gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1;", "proxy_buffering on;"),
        ("", "proxy_buffering off; proxy_request_buffering off;"),
        // As it is where nobody has said anything.
        ("keepalive_timeout 0;", "proxy_buffers 4 4k; proxy_max_temp_file_size 0;"),
    ] {
        let nginx = Nginx::start(
            &servers,
            http,
            &format!("{UPGRADABLE} client_max_body_size 2m; {location}"),
        );
        exercise_all(&nginx.ports);
    }
}

#[test]
fn a_connection_that_it_has_closed_is_not_used_again() {
    let servers = servers::<1>();
    let nginx = Nginx::start(&servers, &format!("keepalive_timeout {KEPT:?};"), UPGRADABLE);
    assert_used_no_more(&nginx.ports);
}

#[test]
fn a_connection_that_it_will_close_soon_is_used_until_then() {
    let servers = servers::<1>();
    // It tells clients of one second, and keeps connections longer.
    let nginx = Nginx::start(&servers, "keepalive_timeout 60s 1s;", UPGRADABLE);
    for builder in nginx.ports.builders(Via::Polling) {
        let client = Client::connect(builder);
        client.works();
        let before = nginx.accepted();
        for _ in 0..20 {
            client.works();
        }
        let made = nginx.accepted() - before;
        assert!(made < 10, "{made} connections for 40 requests");
    }
}

#[test]
fn sessions_stay_where_its_cookie_leads() {
    let servers = servers::<2>();
    let [one, other] = [servers[0].port(), servers[1].port()];
    let http = format!(
        "map $upstream_addr $route {{ 127.0.0.1:{one} one; default other; }}
        map $cookie_route $chosen {{ one 127.0.0.1:{one}; other 127.0.0.1:{other}; default backend; }}"
    );
    let location =
        UPGRADABLE.replace("//backend", "//$chosen") + "add_header Set-Cookie route=$route;";
    let nginx = Nginx::start(&servers, &http, &location);
    assert_sticky_by_cookie(&nginx.ports, &servers);
}

#[test]
fn without_its_upgrade_headers_a_websocket_fails_and_polling_goes_on() {
    let servers = servers::<1>();
    let nginx = Nginx::start(&servers, "", "proxy_pass http://backend;");
    let error = failure(Via::WebSocket.builder(nginx.ports.url()));
    assert_eq!(error.stage(), Some(Stage::Http), "{error:?}");
    assert_tells(&error, &["400", "proxy"]);

    let client = Client::connect(Via::Upgrade.builder(nginx.ports.url()));
    client.wait_for("the failed upgrade", |event| matches!(event, ManagerEvent::UpgradeError(_)));
    exercise(&client, Via::Polling);
}

#[test]
fn a_server_behind_it_comes_back() {
    let servers = servers::<1>();
    let nginx = Nginx::start(&servers, "", UPGRADABLE);
    assert_found_again(&nginx.ports, &servers[0], "502");
}

#[test]
fn its_patience_ends_sessions_and_the_error_tells() {
    let servers = servers::<1>();
    let location = format!("{UPGRADABLE} proxy_read_timeout 1s;");
    let nginx = Nginx::start(&servers, "", &location);
    assert_lost_again_and_again(&nginx.ports);
}

#[test]
fn what_is_too_large_for_it_is_told() {
    let servers = servers::<1>();
    let nginx = Nginx::start(&servers, "", &format!("{UPGRADABLE} client_max_body_size 1k;"));
    let client = Client::connect(Via::Polling.builder(nginx.ports.url()));
    client.emit("echo", "x".repeat(10_000)).unwrap();
    let error = client.disconnected().1.expect("an error that tells");
    assert_tells(&error, &["413"]);
    client.reconnected();
    client.works();
    // Its limit is one for requests.
    exercise(&Client::connect(Via::WebSocket.builder(nginx.ports.url())), Via::WebSocket);
}

#[test]
fn it_reads_its_configuration_anew_under_traffic() {
    let servers = servers::<1>();
    let nginx = Nginx::start(&servers, "", UPGRADABLE);
    for &via in Via::ALL {
        let client = settle(via.builder(nginx.ports.url()), via);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    client.works();
                }
            });
            nginx.reload();
            nginx.reload();
            is_over.store(true, Ordering::Relaxed);
        });
        client.works();
        assert_undisturbed(&client);
    }
}
