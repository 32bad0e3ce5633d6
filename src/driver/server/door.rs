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
