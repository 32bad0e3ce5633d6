//! Lines of the log: what each is about, and how many there are.

use log::{Level, LevelFilter};
use serde_json::json;
use siot::ManagerEvent;

use crate::support::hostile::HostileOptions;
use crate::support::logged::{LogLine, capture_log, lines};
use crate::support::{Client, LIMIT, Via, alone};

const SECRET: &str = "s3cr3t";

/// The lines of this crate.
fn ours() -> Vec<LogLine> {
    lines().into_iter().filter(|line| line.target.starts_with("siot")).collect()
}

/// The beginning of a line that is about a connection: `#3 127.0.0.1:80`.
fn speaker(line: &LogLine) -> &str {
    let end = line.text.match_indices(' ').nth(1).map_or(line.text.len(), |(at, _)| at);
    line.text[..end].trim_end_matches(':')
}

/// Two connections, of which each has two namespaces, loses its session, and comes back.
fn make_two_clients_talk() -> Vec<u16> {
    let servers = [(); 2].map(|()| HostileOptions::v4().start());
    let clients: Vec<(Client, Client)> = servers
        .iter()
        .map(|server| {
            let (client, session) = Via::longest().visit(server, |builder| {
                builder
                    .auth(json!({ "token": SECRET }))
                    .query("token", SECRET)
                    .extra_header("Authorization", SECRET)
            });
            let admin = client.connect_in("/admin");
            session.send(r#"42/admin,["unheard",1]"#);
            session.send("439[]");
            session.hang_up();
            client.wait_for("the reconnection", |e| matches!(e, ManagerEvent::Reconnect(_)));
            client.wait_connected(LIMIT).unwrap();
            admin.wait_connected(LIMIT).unwrap();
            (client, admin)
        })
        .collect();
    for (client, _) in clients {
        client.manager().close(LIMIT);
    }
    servers.map(|server| server.port()).to_vec()
}

#[test]
fn every_line_tells_which_connection_and_namespace_it_is_about() {
    alone(|| {
        capture_log(LevelFilter::Trace);
        let ports = make_two_clients_talk();
        let lines = ours();
        assert!(!lines.iter().any(|line| line.text.contains(SECRET)), "{lines:#?}");
        let mut seen: Vec<&str> = lines.iter().map(speaker).collect();
        seen.sort_unstable();
        seen.dedup();
        let expected: Vec<String> =
            (1..).zip(&ports).map(|(n, port)| format!("#{n} 127.0.0.1:{port}")).collect();
        assert_eq!(seen, expected, "{lines:#?}");
        for name in &expected {
            let of_it = || lines.iter().filter(|line| speaker(line) == *name);
            for (level, words) in [
                (Level::Info, r#" "/": connected"#),
                (Level::Info, r#" "/admin": connected"#),
                (Level::Info, r#" "/admin": disconnected, transport "#),
                (Level::Debug, r#" "/admin": nobody listens to "unheard""#),
                (Level::Debug, r#" "/": an acknowledgement that nobody waits for"#),
                (Level::Debug, ": opening websocket to ws://127.0.0.1"),
                (Level::Debug, ": attempt 1 to reconnect in"),
                (Level::Debug, ": the transport ended: transport error: "),
                (Level::Trace, ": sent: 0"),
                (Level::Trace, ": received: "),
            ] {
                let begin = format!("{name}{words}");
                let is_there =
                    |line: &LogLine| line.level == level && line.text.starts_with(&begin);
                assert!(of_it().any(is_there), "{level} {begin}: {lines:#?}");
            }
        }
    });
}

#[test]
fn there_are_few_lines_at_info() {
    alone(|| {
        capture_log(LevelFilter::Info);
        make_two_clients_talk();
        let lines = ours();
        // For each connection and namespace: joined, lost, joined, left.
        assert_eq!(lines.len(), 2 * 2 * 4, "{lines:#?}");
    });
}
