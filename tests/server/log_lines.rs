//! What clients say, where it is logged.

use std::time::Duration;

use log::LevelFilter;
use siot::server::Server;

use crate::raw_client::RawClient;
use crate::support::logged::{capture_log, lines, wait_for_line};
use crate::support::{LIMIT, alone, eventually};

/// How long a line may be: what is said of what has happened, and a few texts of the client's.
const LONGEST: usize = 4096;

/// Handlers and functions that say what a client has said.
fn add_handlers(server: &Server) {
    server.of_dynamic(|name| name.starts_with("/dynamic"));
    server.of("/strict").authorize(|socket| {
        let name: String = socket
            .handshake()
            .auth::<Vec<String>>()
            .map_or_else(|_| socket.handshake().auth_json().to_owned(), |names| names.concat());
        Err(format!("nobody knows {name}").into())
    });
    server.on("number", |_, event| event.arg::<u32>(0).map(drop));
    server.on("verbose", |_, event| match event.arg::<u32>(0) {
        Err(error) => Err(format!("{error:#}")),
        Ok(_) => Ok(()),
    });
    server.on("own", |_, event| {
        Err::<(), _>(format!("no {}", event.arg::<String>(0).unwrap_or_default()))
    });
    server.on_connection(|socket| {
        socket.middleware(|event| match event.name() {
            name if name.starts_with("bad") => Err(format!("{name} is bad").into()),
            _ => Ok(()),
        });
    });
}

/// Whoever can write a line of a log can forge one, and whoever can write a long one can fill a disk.
#[test]
fn what_a_client_says_forges_no_line_of_the_log_and_makes_none_long() {
    alone(|| {
        capture_log(LevelFilter::Trace);
        let server = Server::builder()
            .allow_eio3(true)
            .max_http_buffer_size(400_000)
            .bind("127.0.0.1:0")
            .unwrap();
        add_handlers(&server);
        let address = server.local_addrs()[0];
        let url = format!("http://{address}");
        let long = "x".repeat(100_000);
        let forged = r"\nERROR the disk is on fire\r\n\u001b[2J\u0000";
        let joined = || {
            let mut client = RawClient::websocket(&url);
            client.say("40");
            client.expect("40{");
            client
        };
        // By events: those that are refused end nothing.
        let mut client = joined();
        for text in [forged, &long] {
            for packet in [
                format!(r#"42["{text}"]"#),
                format!(r#"42["bad{text}"]"#),
                format!(r#"42["number","{text}"]"#),
                format!(r#"42["verbose","{text}"]"#),
                format!(r#"42["own","{text}"]"#),
                format!(r#"40/strict,{{"name":"{text}"}}"#),
            ] {
                client.say(&packet);
            }
        }
        let unescaped = "\nERROR the disk is on fire\r\u{1b}[2J\u{0}";
        client.say(&format!("40/{unescaped},"));
        client.say(&format!("40/dynamic{unescaped},"));
        client.say(&format!(r#"42/dynamic{unescaped},["{forged}"]"#));
        // By what ends a session.
        for text in [unescaped, &long] {
            for packet in [
                format!("42/{text},[]"),
                format!(r#"42/{text},["x"]"#),
                format!(r#"451-/{text},["x",{{"_placeholder":true,"num":0}}]"#),
                format!("40/{text}"),
                format!("4{text}"),
                text.to_owned(),
                format!("42{text}"),
                format!("4299999999999999999999999{text}"),
            ] {
                let mut client = joined();
                client.say(&packet);
                client.say("1");
                client.ends();
            }
        }
        let mut twice = joined();
        twice.say(&format!("40/dynamic{unescaped},"));
        twice.say(&format!("40/dynamic{unescaped},"));
        twice.ends();
        // By requests.
        let escaped = "%0aERROR%20the%20disk%20is%20on%20fire%0d%1b%00";
        let long = &long[..12_000];
        for request in [
            format!("GET /socket.io/{escaped}?transport=x HTTP/1.1\r\nHost: a\r\n\r\n"),
            format!("GET /socket.io/{long}?transport=x HTTP/1.1\r\nHost: a\r\n\r\n"),
            format!("{long} /socket.io/?transport=x HTTP/1.1\r\nHost: a\r\n\r\n"),
            format!("GET /socket.io/?{long} HTTP/1.1\r\nHost: a\r\nOrigin: http://{long}\r\n\r\n"),
            format!(
                "GET /socket.io/?EIO=4&transport=polling&sid={escaped} HTTP/1.1\r\nHost: a\r\n\r\n"
            ),
            format!("{unescaped} / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ] {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
        }
        wait_for_line("a handler", |line| line.text.contains("a handler (own) failed"));
        wait_for_line("a middleware", |line| line.text.contains("is refused: bad"));
        drop(client);
        eventually(LIMIT, "nobody", || server.clients() == 0);
        assert!(server.close(Duration::from_secs(20)));
        for line in lines().into_iter().filter(|line| line.target.starts_with("siot")) {
            let is_forged = line.text.contains(|char: char| char.is_control());
            assert!(!is_forged, "{:?}", line.text);
            assert!(line.text.len() <= LONGEST, "{}…", &line.text[..200]);
        }
    });
}

/// CVE-2017-16031: who has the id of a session, or that by which a socket is claimed again, can act in its client's name.
#[test]
fn the_log_names_neither_a_session_nor_what_claims_a_socket() {
    alone(|| {
        capture_log(LevelFilter::Trace);
        let server = Server::builder()
            .connection_state_recovery(siot::server::ConnectionStateRecovery::new())
            .bind("127.0.0.1:0")
            .unwrap();
        add_handlers(&server);
        let address = server.local_addrs()[0];
        let ask = |request: &str| {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = String::new();
            let _ = std::io::Read::read_to_string(&mut stream, &mut answer);
            answer
        };
        let secrets_in = |said: &str| -> Vec<_> {
            let names = [r#""sid":""#, r#""pid":""#];
            let values = names.iter().flat_map(|name| said.split(name).skip(1));
            values.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
        };
        let mut secrets = Vec::new();
        let path = "/socket.io/?EIO=4&transport=polling";
        let head = " HTTP/1.1\r\nHost: a\r\n";
        for last in ["41", "42{}", "1", "46", "x", r#"42["own",7]"#] {
            let sid = secrets_in(&ask(&format!("GET {path}{head}\r\n"))).remove(0);
            for body in ["40", r#"42["own","x"]"#, last] {
                let length = body.len();
                ask(&format!("POST {path}&sid={sid}{head}Content-Length: {length}\r\n\r\n{body}"));
                let polled = ask(&format!("GET {path}&sid={sid}{head}\r\n"));
                // The id of a socket is no secret.
                secrets.extend(secrets_in(&polled).into_iter().skip(1));
            }
            let wrong = path.replace("EIO=4", "EIO=3").replace("polling", "websocket");
            ask(&format!("GET {wrong}&sid={sid}{head}\r\n"));
            ask(&format!("PUT {path}&sid={sid}{head}\r\n"));
            secrets.push(sid);
        }
        wait_for_line("an end", |line| line.text.contains("a session ended"));
        assert_eq!(secrets.len(), 2 * 6, "{secrets:?}");
        assert!(server.close(Duration::from_secs(20)));
        for line in lines() {
            let told = secrets.iter().find(|secret| line.text.contains(*secret));
            assert_eq!(told, None, "{}", line.text);
        }
    });
}
