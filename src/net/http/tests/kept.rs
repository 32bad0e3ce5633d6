//! Connections between requests: kept, closed in silence, and closed while a request is on its way.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Instant;

use super::*;

/// A server that ends each connection behind its answer: in silence, or says so.
fn hasty(
    requests: usize,
    headers: &'static str,
) -> (Request, std::thread::JoinHandle<Vec<String>>) {
    serve(move |listener| {
        let mut all = Vec::new();
        while all.len() < requests {
            let mut stream = accept(&listener);
            let (head, body) = read_request(&mut stream);
            let line = head.lines().next().unwrap().to_owned();
            all.push(format!("{line} {}", String::from_utf8(body).unwrap()));
            stream.write_all(answer(headers, "6").as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        }
        all
    })
}

#[test]
fn a_server_that_closes_behind_each_answer_gets_each_request_once() {
    for headers in ["", "Connection: close\r\n"] {
        let (request, server) = hasty(40, headers);
        let net = net();
        let (getter, poster) = (Http::new(&net, &attempt()), Http::new(&net, &attempt()));
        for number in 0..20 {
            assert_eq!(read_all(getter.get(&request).unwrap()).unwrap(), b"6", "{headers}");
            poster.post(&request, text(&format!("4{number}"))).unwrap();
        }
        let requests = server.join().unwrap();
        for number in 0..20 {
            let line = format!("POST /socket.io/?EIO=4 HTTP/1.1 4{number}");
            let times = requests.iter().filter(|request| **request == line).count();
            assert_eq!(times, 1, "{line}: {requests:?}");
        }
    }
}

/// A server that answers one request, and ends the connection by `end` when the next one is there.
fn closes_under_the_second(end: fn(TcpStream)) -> (Request, std::thread::JoinHandle<TcpListener>) {
    serve(move |listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        stream.write_all(answer("", "6").as_bytes()).unwrap();
        assert_eq!(stream.peek(&mut [0]).unwrap(), 1);
        end(stream);
        listener
    })
}

/// The end, and then a reset because of what is unread.
#[allow(clippy::needless_pass_by_value)]
fn unread(stream: TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
}

fn read_and_gone(mut stream: TcpStream) {
    read_request(&mut stream);
}

#[allow(clippy::needless_pass_by_value)]
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}

/// Accepts the connection of a request that is sent again; its body comes through the channel.
fn serve_again(listener: TcpListener) -> Receiver<Vec<u8>> {
    spawn(move || {
        let mut stream = accept(&listener);
        let (_, body) = read_request(&mut stream);
        stream.write_all(answer("", "7").as_bytes()).unwrap();
        body
    })
}

#[test]
fn a_post_is_sent_again_when_nobody_can_have_read_it() {
    let (request, server) = closes_under_the_second(unread);
    let http = Http::new(&net(), &attempt());
    http.post(&request, text("1")).unwrap();
    let posted = spawn(move || http.post(&request, text("2")));
    let again = serve_again(server.join().unwrap());
    posted.recv_timeout(LIMIT).unwrap().unwrap();
    assert_eq!(again.recv_timeout(LIMIT).unwrap(), b"2");
}

#[test]
fn a_get_is_sent_again_likewise() {
    let (request, server) = closes_under_the_second(unread);
    let http = Http::new(&net(), &attempt());
    read_all(http.get(&request).unwrap()).unwrap();
    let asked = spawn(move || http.get(&request).map(|response| read_all(response).unwrap()));
    let again = serve_again(server.join().unwrap());
    assert_eq!(asked.recv_timeout(LIMIT).unwrap().unwrap(), b"7");
    assert_eq!(again.recv_timeout(LIMIT).unwrap(), b"");
}

#[test]
fn a_get_that_was_read_is_not_sent_again() {
    for end in [read_and_gone as fn(TcpStream), reset] {
        let (mut request, server) = closes_under_the_second(end);
        request.path_and_query.push_str("&sid=x");
        let http = Http::new(&net(), &attempt());
        read_all(http.get(&request).unwrap()).unwrap();
        let error = http.get(&request).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
        let listener = server.join().unwrap();
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "a second connection");
    }
}

#[test]
fn a_connection_that_the_server_keeps_for_a_second_is_used_again() {
    // On a machine that is too slow for that second, some connections have one request alone.
    let (request, server) = serve(|listener| {
        loop {
            let mut stream = accept(&listener);
            for is_second in [false, true] {
                if stream.peek(&mut [0]).unwrap() == 0 {
                    break;
                }
                read_request(&mut stream);
                stream.write_all(answer("Keep-Alive: timeout=1\r\n", "ok").as_bytes()).unwrap();
                if is_second {
                    return;
                }
            }
        }
    });
    let http = Http::new(&net(), &attempt());
    let start = Instant::now();
    while !server.is_finished() {
        assert!(start.elapsed() < LIMIT, "no connection has had a second request");
        // The last one may find nobody who listens any more.
        let _ = http.post(&request, text("1"));
    }
    server.join().unwrap();
}

/// How long it takes to get so many answers from a server that writes them by these parts.
fn time_of(parts: fn(&str) -> [&str; 2]) -> Duration {
    const REQUESTS: usize = 250;
    let (request, server) = serve(move |listener| {
        let mut stream = accept(&listener);
        // With Nagle's algorithm, as gevent's server.
        for _ in 0..REQUESTS {
            read_request(&mut stream);
            for part in parts(&answer("Content-Type: text/plain\r\n", "42[\"x\"]")) {
                stream.write_all(part.as_bytes()).unwrap();
            }
        }
    });
    let http = Http::new(&net(), &attempt());
    let start = Instant::now();
    for _ in 0..REQUESTS {
        read_all(http.get(&request).unwrap()).unwrap();
    }
    let time = start.elapsed();
    server.join().unwrap();
    time
}

#[test]
fn an_answer_in_two_writes_does_not_wait_for_a_confirmation() {
    let whole = time_of(|answer| [answer, ""]);
    let halves = time_of(|answer| answer.split_at(answer.len() - 7).into());
    // With delayed confirmations, 250 answers take 10 s beyond what they take whole. What a busy machine adds to either is less.
    assert!(halves < whole * 20 + Duration::from_secs(4), "{halves:?} instead of {whole:?}");
}
