//! Heads of all sizes and forms, in both directions.

use super::*;
use crate::net::NetOptions;

#[test]
fn a_request_of_any_size_is_sent() {
    for size in [10_000, 20_000, 200_000] {
        let (mut request, server) = serve(|listener| {
            let mut stream = accept(&listener);
            let requests = [read_request(&mut stream)].into_iter().chain([0, 1].map(|_| {
                stream.write_all(answer("", "ok").as_bytes()).unwrap();
                read_request(&mut stream)
            }));
            let heads: Vec<String> = requests.map(|(head, _)| head).collect();
            stream.write_all(answer("", "ok").as_bytes()).unwrap();
            heads
        });
        let http = Http::new(&net(), &attempt());
        // A short one first: the connection has to grow with the long ones.
        http.post(&request, text("1")).unwrap();
        request.headers.push(("Authorization".to_owned(), "x".repeat(size)));
        http.post(&request, text("1")).unwrap();
        read_all(http.get(&request).unwrap()).unwrap();
        let heads = server.join().unwrap();
        for head in &heads[1..] {
            assert_eq!(header(head, "authorization").unwrap().len(), size);
        }
    }
}

#[test]
fn an_answer_with_a_long_head_is_read_and_one_that_is_too_long_is_named() {
    for size in [10_000, 20_000, 60_000] {
        let headers = format!("X-Long: {}\r\n", "x".repeat(size));
        let (request, http, server) = once(&answer(&headers, "0{}"));
        assert_eq!(read_all(http.get(&request).unwrap()).unwrap(), b"0{}", "{size}");
        drop(http);
        server.join().unwrap();
    }
    let (request, http, server) = once(&answer(&format!("X: {}\r\n", "x".repeat(70_000)), "0{}"));
    let error = http.get(&request).map(drop).unwrap_err().to_string();
    assert!(error.contains("longer than 65536 bytes") && !error.contains("certificate"), "{error}");
    drop(http);
    let _ = server.join();
}

#[test]
fn an_answer_is_taken_in_every_form_that_it_may_have() {
    let usual = answer("Content-Type: text/plain\r\n", "0{}");
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    for (text, crumbs) in [
        usual.clone(),
        usual.replace("HTTP/1.1 200 OK", "HTTP/1.1 200 "),
        usual.replace("HTTP/1.1", "HTTP/1.0"),
        usual.replace("Content-Length: 3", "content-LENGTH: 3"),
        usual.replace("Content-Length: 3\r\n", ""),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n2\r\n{}\r\n0\r\n\r\n"
            .to_owned(),
        format!("HTTP/1.1 100 Continue\r\n\r\n{early}{early}{usual}"),
        format!("HTTP/1.1 100 Continue\r\nServer: IIS\r\n\r\n{usual}"),
    ]
    .into_iter()
    .flat_map(|text| [(text.clone(), false), (text, true)])
    {
        let sent = text.clone();
        let (request, server) = serve(move |listener| {
            let mut stream = accept(&listener);
            stream.set_nodelay(true).unwrap();
            read_request(&mut stream);
            for part in sent.as_bytes().chunks(if crumbs { 1 } else { sent.len() }) {
                stream.write_all(part).unwrap();
            }
        });
        let result = Http::new(&net(), &attempt()).get(&request);
        let response = result.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(read_all(response).unwrap(), b"0{}", "{text}");
        server.join().unwrap();
    }
}

#[test]
fn an_answer_that_says_nothing_in_http_is_shown() {
    for (text, parts) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", &["no HTTP", "`SSH-2.0-OpenSSH_9.2", "an SSH server"][..]),
        ("220 mx.example ESMTP\r\n", &["no HTTP", "`220 mx.example", "mail"]),
        ("\x15\x03\x03\0\x02\x02\x46", &["no HTTP", "speaks TLS", "`https:`"]),
        ("HTTP/1.1 304 Same\r\n\r\n", &["304", "cache"]),
        ("", &["instead of answering", "want TLS"]),
        ("HTTP/1.1 200", &["within its answer"]),
    ] {
        let (request, http, server) = once(text);
        let error = http.get(&request).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Http), "{error}");
        assert!(error.address().is_some() && error.elapsed().is_some(), "{error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{part} in {error}");
        }
        assert!(!error.to_string().contains("certificate"), "{error}");
        drop(http);
        server.join().unwrap();
    }
}

#[test]
fn cookies_that_a_server_cannot_bear_are_dropped_and_the_request_is_named() {
    let (request, server) = serve(|listener| {
        let cookie = format!("Set-Cookie: a={}\r\n", "x".repeat(4_000));
        let answers = [
            answer(&cookie, "ok"),
            "HTTP/1.1 431 Too long\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned(),
            answer("", "ok"),
        ];
        answers.map(|answer| {
            let mut stream = accept(&listener);
            let (head, _) = read_request(&mut stream);
            stream.write_all(answer.as_bytes()).unwrap();
            header(&head, "cookie").map(str::len)
        })
    });
    let options = NetOptions { with_credentials: true, ..NetOptions::default() };
    let net = Arc::new(Net::new(options).unwrap());
    let get = || Http::new(&net, &attempt()).get(&request).map(drop);
    get().unwrap();
    let error = get().unwrap_err();
    let hint = error.hint().unwrap();
    assert!(hint.contains("`/socket.io/`") && hint.contains(" bytes"), "{error}");
    get().unwrap();
    assert_eq!(server.join().unwrap(), [None, Some(4_002), None]);
}

#[test]
fn a_handshake_is_followed_and_the_session_stays_where_it_led() {
    let (request, server) = serve(|listener| {
        let moved = "HTTP/1.1 301 Moved\r\nLocation: /new/\r\nContent-Length: 0\r\n\r\n".to_owned();
        let answers = [moved.clone(), answer("", "0{}"), answer("", "6"), moved.clone(), moved];
        answers.map(|answer| {
            let mut stream = accept(&listener);
            let (head, _) = read_request(&mut stream);
            let answer = answer.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            stream.write_all(answer.as_bytes()).unwrap();
            head.lines().next().unwrap().to_owned()
        })
    });
    let net = net();
    let mut later = request.clone();
    later.path_and_query.push_str("&sid=x");
    let (getter, poster) = (Http::new(&net, &attempt()), Http::new(&net, &attempt()));
    assert_eq!(read_all(getter.get(&request).unwrap()).unwrap(), b"0{}");
    poster.post(&later, text("4")).unwrap();
    let error = getter.get(&later).map(drop).unwrap_err();
    assert!(
        error.to_string().contains("`/new/`") && error.to_string().contains("session"),
        "{error}"
    );
    // Another session asks at the first place.
    drop(Http::new(&net, &attempt()).get(&request).map(drop).unwrap_err());
    let lines = server.join().unwrap();
    let places = lines.map(|line| line.replace(" HTTP/1.1", ""));
    assert_eq!(
        places,
        [
            "GET /socket.io/?EIO=4",
            "GET /new/?EIO=4",
            "POST /new/?EIO=4&sid=x",
            "GET /new/?EIO=4&sid=x",
            "GET /socket.io/?EIO=4",
        ]
    );
}
