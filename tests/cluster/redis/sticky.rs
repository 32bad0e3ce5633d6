//! What stands before a cluster, as `CLUSTER.md` says, has each session stay at its server.

use std::net::IpAddr;

use serde_json::json;
use siot::{Builder, Event, Subscription};

use super::members::mixed;
use super::redis_server::RedisServer;
use crate::member::Member;
use crate::support::folder::Folder;
use crate::support::program::{self, Program, free_port};
use crate::support::{Client, LIMIT, Via, recv_within};

/// A program that hands requests on to one of the members, at a port of its own.
struct Front {
    url: String,
    _program: Program,
}

fn address(member: &Member) -> &str {
    member.url.strip_prefix("http://").expect("a URL")
}

fn nginx(members: &[Member], stick: &str) -> Front {
    let (folder, port) = (Folder::new(), free_port());
    let at = folder.path("");
    let at = at.display();
    let servers: String =
        members.iter().map(|one| format!("server {} max_fails=0; ", address(one))).collect();
    let text = format!(
        "daemon off; worker_processes 1; pid {at}pid; error_log stderr notice; user root;
        events {{ worker_connections 256; }}
        http {{
            access_log off;
            client_body_temp_path {at}body; proxy_temp_path {at}proxy;
            fastcgi_temp_path {at}fastcgi; scgi_temp_path {at}scgi; uwsgi_temp_path {at}uwsgi;
            upstream nodes {{ {stick} {servers} }}
            server {{
                listen 127.0.0.1:{port};
                location /socket.io/ {{
                    proxy_pass http://nodes;
                    proxy_http_version 1.1;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection \"upgrade\";
                    proxy_set_header Host $host;
                    proxy_read_timeout 60s;
                }}
            }}
        }}"
    );
    let file = program::write(&folder, "nginx.conf", &text);
    let command = ["nginx", "-e", "stderr", "-c", &file];
    let program = Program::start(&command, "TERM", folder, port);
    Front { url: format!("http://127.0.0.1:{port}"), _program: program }
}

fn haproxy(members: &[Member]) -> Front {
    let (folder, port) = (Folder::new(), free_port());
    let server = |one: &Member| format!(" server {0} {1} cookie {0}\n", one.name, address(one));
    let servers: String = members.iter().map(server).collect();
    let text = format!(
        "defaults\n mode http\n timeout client 60s\n timeout connect 2s\n timeout server 60s\n timeout tunnel 60s\n\
         frontend all\n bind 127.0.0.1:{port}\n default_backend nodes\n\
         backend nodes\n balance roundrobin\n cookie node insert indirect nocache\n{servers}"
    );
    let file = program::write(&folder, "haproxy.cfg", &text);
    let program = Program::start(&["haproxy", "-db", "-f", &file], "KILL", folder, port);
    Front { url: format!("http://127.0.0.1:{port}"), _program: program }
}

/// Clients that came in by a front, and whoever else is in the hall, get what each member emits, once and in order. Gives
/// at how many members they are.
#[track_caller]
fn exercise(members: &[Member], builders: Vec<(Via, Builder)>) -> usize {
    let enter = |(via, builder): (Via, Builder)| {
        let client = Client::connect(builder);
        if via == Via::Upgrade {
            client.upgraded();
        }
        let events: Subscription<Event> = client.subscribe("n");
        let () = client.timeout(LIMIT).emit_with_ack("join", "hall").unwrap().wait().unwrap();
        (client, events)
    };
    let clients: Vec<_> = builders.into_iter().map(enter).collect();
    for member in members {
        for number in 0..20 {
            let args = json!([member.name, number]);
            member.does(json!({ "op": "emit", "to": ["hall"], "event": "n", "args": args }));
        }
        for (client, events) in &clients {
            for number in 0..20 {
                let came = recv_within(events.receiver(), LIMIT).args::<(String, u32)>().unwrap();
                assert_eq!(came, (member.name.to_owned(), number), "{:?}", client.id());
            }
        }
    }
    let at = |member: &&Member| {
        let fetched = member.does(json!({ "op": "fetch", "to": ["hall"], "local": true }));
        fetched["sockets"].as_array().is_some_and(|sockets| !sockets.is_empty())
    };
    for (client, events) in &clients {
        assert!(events.try_recv().is_none() && client.status.receiver().is_empty());
    }
    members.iter().filter(at).count()
}

/// Each way, from several addresses.
fn from_everywhere(front: &Front) -> Vec<(Via, Builder)> {
    let from = |via: Via, number: u8| {
        let address = IpAddr::from([127, 0, number, 1]);
        (via, via.builder(&front.url).with_credentials(true).local_address(address))
    };
    (1..=9).flat_map(|number| Via::ALL.iter().map(move |via| from(*via, number))).collect()
}

#[test]
fn nginx_leads_by_the_address() {
    let redis = RedisServer::start();
    let members = mixed(&redis);
    let front = nginx(&members, "ip_hash;");
    assert!(exercise(&members, from_everywhere(&front)) > 1);
}

#[test]
fn haproxy_leads_by_a_cookie() {
    let redis = RedisServer::start();
    let members = mixed(&redis);
    let front = haproxy(&members);
    assert_eq!(exercise(&members, from_everywhere(&front)), 3);
}

#[test]
fn websockets_alone_need_no_lead() {
    let redis = RedisServer::start();
    let members = mixed(&redis);
    let front = nginx(&members, "");
    let builders = from_everywhere(&front);
    let alone = builders.into_iter().filter(|(via, _)| *via == Via::WebSocket).collect();
    assert_eq!(exercise(&members, alone), 3);
}
