//! What is looked at before a request is served.

use std::sync::Arc;

use http::HeaderMap;

use super::client_files::ClientFiles;
use super::fallback::Fallback;
use super::handshake::SocketHandshake;
use crate::net::server::cors::CorsPolicy;
use crate::net::server::origin::{KnownHosts, OriginVerdict};
use crate::options::SessionCookie;
use crate::sync::threads::survive;

/// Decides by its first request whether a client is served.
pub(crate) type AllowRequest = dyn Fn(&SocketHandshake) -> bool + Send + Sync;

/// Makes the id of a session, by its first request.
pub(crate) type GenerateId = dyn Fn(&SocketHandshake) -> String + Send + Sync;

/// Who comes in.
pub(crate) struct Door {
    pub(crate) cors: CorsPolicy,
    pub(crate) hosts: KnownHosts,
    pub(crate) cookie: Option<SessionCookie>,
    pub(crate) allow_request: Option<Arc<AllowRequest>>,
    pub(crate) generate_id: Option<Arc<GenerateId>>,
    pub(crate) client_files: Option<Arc<ClientFiles>>,
    pub(crate) fallback: Option<Arc<Fallback>>,
}

/// What was decided about a request.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) verdict: OriginVerdict,
    /// The program serves this client.
    pub(super) is_allowed: bool,
    /// The id that the program has made for it.
    pub(super) sid: Option<String>,
}

impl Door {
    /// Decides what can be decided without the program; `None`: it has to be [asked](Self::ask).
    pub(super) fn decide(&self, headers: &HeaderMap, begins_session: bool) -> Option<Decision> {
        let verdict = self.cors.judge(headers);
        let of_session = self.allow_request.is_some() || self.generate_id.is_some();
        let asks = verdict == OriginVerdict::Ask || (begins_session && of_session);
        (!asks).then_some(Decision { verdict, is_allowed: true, sid: None })
    }

    /// Asks the functions of the program, which may take their time, and panic.
    pub(super) fn ask(&self, headers: &HeaderMap, first: Option<&SocketHandshake>) -> Decision {
        let verdict = match self.cors.judge(headers) {
            OriginVerdict::Ask => self.cors.ask(headers),
            known => known,
        };
        let is_allowed = match (&self.allow_request, first) {
            (Some(allow), Some(first)) if verdict != OriginVerdict::Foreign => {
                survive(|| allow(first)).unwrap_or(false)
            }
            _ => true,
        };
        let sid = match (&self.generate_id, first) {
            (Some(generate), Some(first)) if is_allowed => {
                // None is an id that no session may have.
                Some(survive(|| generate(first)).unwrap_or_default())
            }
            _ => None,
        };
        Decision { verdict, is_allowed, sid }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::HeaderValue;
    use http::header::ORIGIN;

    use super::*;
    use crate::driver::server::handshake::FirstRequest;
    use crate::options::Cors;

    /// A door that counts how often the program is asked whether it serves a client, and for an id.
    fn door(allows: bool) -> (Door, Arc<[AtomicUsize; 2]>) {
        let asked = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let counted = [Arc::clone(&asked), Arc::clone(&asked)];
        let [allowed, generated] = counted;
        let door = Door {
            cors: CorsPolicy::new(&Cors::new().origin("https://own.example")).unwrap(),
            hosts: KnownHosts::new([]),
            cookie: None,
            allow_request: Some(Arc::new(move |_| {
                allowed[0].fetch_add(1, Ordering::Relaxed);
                allows
            })),
            generate_id: Some(Arc::new(move |_| {
                generated[1].fetch_add(1, Ordering::Relaxed);
                "an-id".to_owned()
            })),
            client_files: None,
            fallback: None,
        };
        (door, asked)
    }

    fn first() -> SocketHandshake {
        let request = FirstRequest {
            lines: Box::default(),
            address: None,
            time: std::time::SystemTime::UNIX_EPOCH,
            is_secure: false,
            rare: None,
        };
        SocketHandshake { request: Arc::new(request), auth: "".into() }
    }

    #[test]
    fn the_program_is_asked_about_those_alone_who_may_come_in_and_begin_a_session() {
        let of = |origin| HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
        let (own, foreign) = (of("https://own.example"), of("https://evil.example"));
        for (allows, headers, first, asked) in [
            (true, &own, Some(first()), [1, 1]),
            (false, &own, Some(first()), [1, 0]),
            (true, &own, None, [0, 0]),
            (true, &foreign, None, [0, 0]),
        ] {
            let (door, counts) = door(allows);
            let decision = door.ask(headers, first.as_ref());
            assert_eq!(counts.each_ref().map(|count| count.load(Ordering::Relaxed)), asked);
            assert_eq!(decision.is_allowed, allows);
            assert_eq!(decision.sid.is_some(), asked[1] == 1);
        }
        let (door, counts) = door(true);
        assert_eq!(door.ask(&foreign, Some(&first())).verdict, OriginVerdict::Foreign);
        assert_eq!(counts[0].load(Ordering::Relaxed), 0, "a page of others decides nothing");
        assert!(door.decide(&own, true).is_none() && door.decide(&own, false).is_some());
    }
}
