use super::*;

const LIMITS: HeadLimits = HeadLimits { bytes: 16 * 1024, headers: 100 };

type Outcome = Result<Option<(RequestHead, usize)>, HttpRefusal>;

/// What is found in these bytes, that come at once and one by one.
#[track_caller]
fn read_with(bytes: &[u8], limits: &HeadLimits) -> Outcome {
    let whole = HeadScan::default().read_head(bytes, limits);
    let mut scan = HeadScan::default();
    let mut single = Ok(None);
    for end in 1..=bytes.len() {
        single = scan.read_head(&bytes[..end], limits);
        if !matches!(single, Ok(None)) {
            break;
        }
    }
    let shown = |outcome: &Outcome| match outcome {
        // What comes first is found first.
        Err(refusal) => refusal.status.as_u16().to_string(),
        Ok(found) => format!("{found:?}"),
    };
    assert_eq!(shown(&whole), shown(&single));
    whole
}

#[track_caller]
fn read(text: &str) -> RequestHead {
    let found = read_with(text.as_bytes(), &LIMITS).unwrap();
    let (head, length) = found.unwrap_or_else(|| panic!("not whole: {text:?}"));
    assert_eq!(length, text.len());
    head
}

/// The status for a head of these lines.
#[track_caller]
fn refused(text: &str) -> u16 {
    match read_with(text.as_bytes(), &LIMITS) {
        Err(refusal) => refusal.status.as_u16(),
        Ok(found) => panic!("{text:?} is {found:?}"),
    }
}

/// A usual head with these lines more.
fn with(lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n")
}

#[test]
fn a_head_ends_with_its_empty_line() {
    let text = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: gw:80\r\nX-A: b\r\n\r\n";
    let head = read(text);
    assert_eq!(head.method, Method::GET);
    assert_eq!(head.target, "/socket.io/?EIO=4&transport=polling");
    assert_eq!((&*head.path, &*head.query), ("/socket.io/", "EIO=4&transport=polling"));
    assert_eq!(head.headers["x-a"], "b");
    assert!(head.is_http_1_1 && head.keep_alive && !head.expects_continue);
    assert_eq!(head.body, BodyLength::Known(0));
    let (_, length) = read_with(format!("{text}GET").as_bytes(), &LIMITS).unwrap().unwrap();
    assert_eq!(length, text.len());
    for end in 0..text.len() {
        assert!(read_with(&text.as_bytes()[..end], &LIMITS).unwrap().is_none());
    }
}

#[test]
fn one_request_follows_another() {
    let one = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let both = format!("{one}\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n");
    let mut scan = HeadScan::default();
    let (first, length) = scan.read_head(both.as_bytes(), &LIMITS).unwrap().unwrap();
    assert_eq!((&*first.path, length), ("/1", one.len()));
    let (second, rest) = scan.read_head(&both.as_bytes()[length..], &LIMITS).unwrap().unwrap();
    assert_eq!((&*second.path, rest), ("/2", both.len() - length));
}

#[test]
fn targets_of_all_kinds_have_a_path() {
    for (target, path, query) in [
        ("/", "/", ""),
        ("/a%20b%2Fc", "/a b/c", ""),
        ("/%c3%a9/../x", "/é/../x", ""),
        ("/a?b=%zz&c?d", "/a", "b=%zz&c?d"),
        ("http://gw:80/a?b", "/a", "b"),
        ("HTTPS://gw", "/", ""),
        ("http://gw?b", "/", "b"),
        ("//evil/a", "//evil/a", ""),
    ] {
        let head = read(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((&*head.path, &*head.query), (path, query), "{target}");
    }
    assert_eq!(read("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").path, "*");
    for target in ["*", "a", "gw:80", "ftp://a/", "/%", "/%2", "/%zz", "/%ff", "/a#b", "/?a#b"] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(refused(&head), 400, "{target}");
    }
}

#[test]
fn whether_the_connection_goes_on_is_said_by_version_and_header() {
    for (line, keep_alive) in [
        ("HTTP/1.1\r\nHost: a", true),
        ("HTTP/1.1\r\nHost: a\r\nConnection: upgrade, Close", false),
        ("HTTP/1.0", false),
        ("HTTP/1.0\r\nConnection: Keep-Alive", true),
        ("HTTP/1.0\r\nHost: a", false),
    ] {
        assert_eq!(read(&format!("GET / {line}\r\n\r\n")).keep_alive, keep_alive, "{line}");
    }
}

#[test]
fn the_length_of_a_body_has_one_meaning() {
    for (lines, body) in [
        ("Content-Length: 0", BodyLength::Known(0)),
        ("content-length:  5 ", BodyLength::Known(5)),
        ("Content-Length: 18446744073709551615", BodyLength::Known(u64::MAX)),
        ("Transfer-Encoding: chunked", BodyLength::Chunked),
        ("Transfer-Encoding:Chunked ", BodyLength::Chunked),
    ] {
        assert_eq!(read(&with(lines)).body, body, "{lines}");
    }
    // Each of them is read differently somewhere: CVE-2020-35884 and its like.
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: 5,6",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 5.0",
        "Content-Length:",
        "Content-Length: 18446744073709551616",
        "Content-Length: \u{665}",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\u{b}",
        "Transfer-Encoding: chunked\0",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        " Transfer-Encoding: chunked",
        "Content-Length : 5",
        "X: a\rTransfer-Encoding: chunked",
        "X: a\nTransfer-Encoding: chunked",
    ] {
        assert_eq!(refused(&with(lines)), 400, "{lines:?}");
    }
    assert_eq!(refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

#[test]
fn what_is_no_http_is_refused_as_soon_as_it_shows() {
    for text in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\r\nHost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx y: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx: b\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx: \u{7f}\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let status = if text.starts_with("PRI") { 505 } else { 400 };
        assert_eq!(refused(text), status, "{text:?}");
    }
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2"] {
        let status = refused(&format!("GET / {version}\r\nHost: a\r\n\r\n"));
        assert!(matches!(status, 400 | 505), "{version}: {status}");
    }
    // Not only once the rest is there.
    for start in ["GET\t", "GET /\n", "GET /\r/", "GET /\u{7f}"] {
        assert_eq!(refused(start), 400, "{start:?}");
    }
    assert_eq!(read("GET / HTTP/1.1\r\nHost: a\r\nX: b\tc\r\n\r\n").headers["x"], "b\tc");
    let mut scan = HeadScan::default();
    let tls = scan.read_head(b"\x16\x03\x01\x02\x00", &LIMITS).unwrap_err();
    assert_eq!(tls.reason, "TLS on a port without it");
}

#[test]
fn only_the_expectation_of_an_interim_answer_is_met() {
    assert!(read(&with("Expect: 100-Continue")).expects_continue);
    let old = "POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n";
    assert!(!read(old).expects_continue);
    for lines in ["Expect: 200-maybe", "Expect: 100-continue\r\nExpect: x"] {
        assert_eq!(refused(&with(lines)), 417, "{lines}");
    }
}

#[test]
fn a_head_has_so_many_bytes_and_headers_and_no_more() {
    let limits = HeadLimits { bytes: 64, headers: 3 };
    let check = |text: &str| match read_with(text.as_bytes(), &limits) {
        Ok(found) => u16::from(found.is_some()),
        Err(refusal) => refusal.status.as_u16(),
    };
    let start = "GET / HTTP/1.1\r\nHost: a\r\n";
    let exact = |length: usize| {
        format!("{start}A: {}\r\n\r\n", "b".repeat(length - start.len() - "A: \r\n\r\n".len()))
    };
    assert_eq!(check(&exact(64)), 1);
    assert_eq!(check(&exact(65)), 431);
    // The end never comes, and can come no more.
    assert_eq!(check(&format!("{start}A: {}", "b".repeat(64 - start.len() - 3))), 431);
    assert_eq!(check(&format!("{start}A: {}", "b".repeat(63 - start.len() - 3))), 0);
    assert_eq!(check(&format!("{start}A: {}", "b".repeat(64))), 431);
    assert_eq!(check(&format!("GET /{}", "b".repeat(64))), 414);
    assert_eq!(check(&"\r\n".repeat(33)), 414);
    assert_eq!(check(&format!("{start}B: c\r\nD: e\r\n\r\n")), 1);
    assert_eq!(check(&format!("{start}B: c\r\nD: e\r\nF: g\r\n\r\n")), 431);
    assert_eq!(check(&format!("{start}B: c\r\nD: e\r\nF: g\r\n")), 431);
    // CVE-2024-37890.
    assert_eq!(refused(&with(&vec!["A: b"; 2000].join("\r\n"))), 431);
    let long = with(&format!("A: {}", "b".repeat(64 * 1024)));
    assert_eq!(HeadScan::default().read_head(long.as_bytes(), &LIMITS).unwrap_err().status, 431);
}

/// CVE-2023-43669.
#[test]
fn a_head_that_comes_byte_by_byte_costs_no_more_than_at_once() {
    let text = with(&format!("A: {}", "b".repeat(10_000)));
    let mut scan = HeadScan::default();
    for end in 1..text.len() {
        let before = scan.searched;
        assert!(scan.read_head(&text.as_bytes()[..end], &LIMITS).unwrap().is_none());
        assert!(scan.searched - before <= 2, "{} bytes at once", scan.searched - before);
    }
}

#[test]
fn a_head_that_is_too_long_is_refused_in_the_same_way_however_it_comes() {
    let limits = HeadLimits { bytes: 64, headers: 10 };
    let line = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(100));
    let header = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(100));
    for (text, status) in [(line, 414), (header, 431)] {
        let at_once = HeadScan::default().read_head(text.as_bytes(), &limits).unwrap_err();
        assert_eq!(at_once.status.as_u16(), status, "{text}");
        let mut scan = HeadScan::default();
        let piece =
            (1..=text.len()).find_map(|end| scan.read_head(&text.as_bytes()[..end], &limits).err());
        assert_eq!(piece, Some(at_once), "{text}");
    }
}
