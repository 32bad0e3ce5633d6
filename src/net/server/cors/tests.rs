use std::time::Duration;

use http::header::HOST;

use super::*;
use crate::net::server::response::Framing;

fn policy(cors: &Cors) -> CorsPolicy {
    CorsPolicy::new(cors).unwrap()
}

fn request(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("gw.local"));
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

/// `name: value`, in the order of names.
fn shown(headers: &HeaderMap) -> Vec<String> {
    let line = |(name, value): (&http::HeaderName, &HeaderValue)| {
        format!("{name}: {}", value.to_str().unwrap())
    };
    let mut lines: Vec<String> = headers.iter().map(line).collect();
    lines.sort();
    lines
}

fn answered(cors: &Cors, origin: &str) -> Vec<String> {
    let (policy, request) = (policy(cors), request(&[("origin", origin)]));
    shown(&policy.headers(&request, policy.judge(&request)))
}

/// The lines of the answer to a preflight, but for the empty ones.
fn preflight(cors: &Cors, request: &HeaderMap) -> Vec<String> {
    let policy = policy(cors);
    let response = policy.preflight(request, policy.judge(request)).unwrap();
    let mut bytes = Vec::new();
    response.write(Framing::CLOSE, &mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn without_other_origins_nothing_is_said_to_browsers() {
    let off = Cors::new().credentials(true).exposed_headers(["x"]);
    assert_eq!(answered(&off, "http://gw.local"), [""; 0]);
    assert_eq!(answered(&off, "http://evil.example"), [""; 0]);
    let (policy, request) = (policy(&off), request(&[("origin", "http://gw.local")]));
    assert!(policy.preflight(&request, policy.judge(&request)).is_none());
}

#[test]
fn every_origin_is_a_star() {
    let any = Cors::new().any_origin();
    for origin in ["http://evil.example", "null", "http://gw.local"] {
        assert_eq!(answered(&any, origin), ["access-control-allow-origin: *"]);
    }
}

#[test]
fn a_listed_origin_is_repeated_and_no_other() {
    let cors = Cors::new().origin("https://app.example").origin("https://b.example:8443");
    let cors = cors.credentials(true).exposed_headers(["x-a", "x-b"]);
    let rest = [
        "access-control-allow-credentials: true",
        "access-control-expose-headers: x-a,x-b",
        "vary: origin",
    ];
    for origin in ["https://app.example", "https://b.example:8443"] {
        let mut all = rest.map(str::to_owned).to_vec();
        all.push(format!("access-control-allow-origin: {origin}"));
        all.sort();
        assert_eq!(answered(&cors, origin), all);
    }
    for origin in ["https://b.example", "http://app.example", "null", "http://gw.local"] {
        assert_eq!(answered(&cors, origin), rest, "{origin}");
    }
}

#[test]
fn a_function_is_asked_about_the_rest_and_a_panic_of_it_is_a_no() {
    let cors = Cors::new().origin("https://app.example").origin_if(|origin| match origin {
        "https://x.example" => true,
        "https://panic.example" => panic!("of the user's"),
        _ => false,
    });
    let policy = policy(&cors);
    for (origin, judged, asked) in [
        ("https://app.example", OriginVerdict::Allowed, None),
        ("http://gw.local", OriginVerdict::Own, None),
        ("https://x.example", OriginVerdict::Ask, Some(OriginVerdict::Allowed)),
        ("https://y.example", OriginVerdict::Ask, Some(OriginVerdict::Foreign)),
        ("https://panic.example", OriginVerdict::Ask, Some(OriginVerdict::Foreign)),
        ("no origin", OriginVerdict::Foreign, None),
    ] {
        let request = request(&[("origin", origin)]);
        assert_eq!(policy.judge(&request), judged, "{origin}");
        if let Some(asked) = asked {
            assert_eq!(policy.ask(&request), asked, "{origin}");
            let allowed =
                policy.headers(&request, asked).get(ACCESS_CONTROL_ALLOW_ORIGIN).is_some();
            assert_eq!(allowed, asked == OriginVerdict::Allowed);
        }
    }
}

/// CVE-2020-28481.
#[test]
fn a_preflight_is_answered_as_the_reference_answers_it() {
    let asked = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,x-token"),
    ];
    let cors = Cors::new().origin("https://app.example").credentials(true);
    assert_eq!(
        preflight(&cors, &request(&asked)),
        [
            "HTTP/1.1 204 No Content",
            "Access-Control-Allow-Origin: https://app.example",
            "Vary: origin",
            "Vary: access-control-request-headers",
            "Access-Control-Allow-Credentials: true",
            "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE",
            "Access-Control-Allow-Headers: content-type,x-token",
            "Connection: close",
            "Content-Length: 0",
        ]
    );
    let given = Cors::new()
        .any_origin()
        .methods(["GET", "POST"])
        .allowed_headers(["x-token"])
        .exposed_headers(["x-b"])
        .max_age(Duration::from_millis(600_900));
    assert_eq!(
        preflight(&given, &request(&asked)),
        [
            "HTTP/1.1 204 No Content",
            "Access-Control-Allow-Origin: *",
            "Access-Control-Allow-Methods: GET,POST",
            "Access-Control-Allow-Headers: x-token",
            "Access-Control-Max-Age: 600",
            "Access-Control-Expose-Headers: x-b",
            "Connection: close",
            "Content-Length: 0",
        ]
    );
}

#[test]
fn a_preflight_of_another_page_is_refused_and_allows_nothing() {
    let cors = Cors::new().origin("https://app.example").credentials(true);
    let evil = preflight(&cors, &request(&[("origin", "https://evil.example")]));
    assert_eq!(evil[0], "HTTP/1.1 403 Forbidden");
    assert!(evil.iter().all(|line| !line.contains("Allow-Origin") && !line.contains("Methods")));
    assert_eq!(evil.last().unwrap(), r#"{"code":4,"message":"Forbidden"}"#);
}
