//! squid as the way out of a network.

use siot::{ErrorKind, Proxy, Stage};

use super::*;
use crate::support::folder::Folder;
use crate::support::program::{self, Program};

/// squid, which lets clients have connections to one port only.
struct Squid {
    port: u16,
    _program: Program,
}

/// It asks this for each user and password, which it writes as in URLs.
const HELPER: &str = "#!/bin/sh\n\
    while read user; do [ \"$user\" = 'me pass%20word' ] && echo OK || echo ERR; done\n";

impl Squid {
    #[track_caller]
    fn start(allowed: u16, with_password: bool) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let helper = program::write(&folder, "helper", HELPER);
        let authority = if with_password {
            format!(
                "auth_param basic program /bin/sh {helper}\nauth_param basic realm test\n\
                 acl known proxy_auth REQUIRED\nhttp_access deny !known\n"
            )
        } else {
            String::new()
        };
        let text = format!(
            "http_port 127.0.0.1:{port}\npid_filename none\naccess_log none\ncache_log /dev/null\n\
             cache deny all\ncoredump_dir none\nnetdb_filename none\nmax_filedescriptors 1024\n\
             pinger_enable off\nshutdown_lifetime 0 seconds\n\
             acl allowed port {allowed}\nhttp_access deny !allowed\n{authority}\
             http_access allow all\n"
        );
        let file = program::write(&folder, "squid.conf", &text);
        // A name of its own, since squid's shared memory is called after it: two of one name end each
        // other. It is given back at `TERM` only.
        let name = format!("siot{port}");
        let command = ["squid", "-N", "-d", "1", "-n", &name, "-f", &file];
        let program = Program::start(&command, "TERM", folder, port);
        Self { port, _program: program }
    }

    fn proxy(&self) -> Proxy {
        Proxy::http("127.0.0.1", self.port)
    }
}

#[test]
fn all_transports_go_through_it_also_encrypted() {
    let authority = CertAuthority::new();
    let plain = Server::start(json!({}));
    let tls = Server::start(json!({ "tls": authority.issue("127.0.0.1").server() }));
    let options = Tls::new().built_in_roots(false).ca_pem(authority.pem());
    for server in [&plain, &tls] {
        let squid = Squid::start(server.port(), false);
        for &via in Via::ALL {
            let builder = via.builder(server.url()).tls(options.clone()).proxy(squid.proxy());
            exercise(&settle(builder, via), via);
        }
    }
}

#[test]
fn it_gets_its_password_or_the_error_tells() {
    let server = Server::start(json!({}));
    let squid = Squid::start(server.port(), true);
    for &via in Via::ALL {
        let builder = |proxy: Proxy| via.builder(server.url()).proxy(proxy);
        let right = builder(squid.proxy().credentials("me", "pass word"));
        exercise(&settle(right, via), via);
        for (proxy, words) in [
            (squid.proxy(), "Proxy::credentials"),
            (squid.proxy().credentials("me", "no"), "right?"),
        ] {
            let error = failure(builder(proxy));
            assert_eq!(error.kind(), ErrorKind::Connect(Stage::Proxy), "{error:?}");
            assert_tells(&error, &["407", words]);
        }
    }
}

#[test]
fn what_it_denies_is_told() {
    let server = Server::start(json!({}));
    let squid = Squid::start(server.port() ^ 1, false);
    for &via in Via::ALL {
        let error = failure(via.builder(server.url()).proxy(squid.proxy()));
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Proxy), "{error:?}");
        assert_tells(&error, &["403"]);
    }
}
