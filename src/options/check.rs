//! The rules for options: a value that cannot work is refused when it is used, before anything is
//! tried.

use std::borrow::Cow;
use std::time::Duration;

use super::Buffer;
use super::limits::Limits;
use super::manager::{ManagerOptions, Transport};
use super::parser::ParserKind;
use super::proxy::{Protocol, Proxy, ProxyChoice};
use super::retry_limits::{LARGEST_WINDOW, RetryLimits};
use super::tcp::TcpOptions;
use super::timeouts::Timeouts;
use super::tls::Tls;
use crate::error::{Error, ErrorKind, Result};

/// The most packets that a flight recorder keeps: some 10 MB.
const MOST_RECORDED: usize = 65_536;

/// Options that may have values which cannot work.
pub(crate) trait Check {
    /// Refuses what cannot work; the error says which option it is.
    fn check(&self) -> Result<()>;
}

/// The error of an option that cannot work.
pub(super) fn invalid(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOption, what)
}

/// The error of a proxy that cannot be used. What was given is not repeated: it may hold a password.
pub(super) fn invalid_proxy(what: &'static str) -> Error {
    invalid(what).with_hint("a proxy looks like http://user:password@host:3128")
}

/// Refuses a time limit that leaves no time; `what` is said of it then.
pub(crate) fn check_time(limit: Option<Duration>, what: &'static str) -> Result<()> {
    if limit.is_some_and(|limit| limit.is_zero()) { Err(invalid(what)) } else { Ok(()) }
}

impl Check for ManagerOptions {
    fn check(&self) -> Result<()> {
        check_transports(&self.transports)?;
        if !cfg!(feature = "msgpack") && self.parser == ParserKind::MessagePack {
            return Err(Error::new(ErrorKind::Unsupported, "this build has no MessagePack")
                .with_hint("enable the feature \"msgpack\""));
        }
        if !(0.0..=1.0).contains(&self.randomization_factor) {
            let factor = self.randomization_factor;
            return Err(invalid(format!("randomization_factor is {factor}, not from 0 to 1")));
        }
        for delay in [self.reconnection_delay, self.reconnection_delay_max] {
            check_time(Some(delay), "a reconnection delay of zero would hammer the server")?;
        }
        check_time(self.reconnection_spread, "a reconnection_spread of zero spreads nothing")?;
        check_time(
            self.reconnection_reset_after,
            "a reconnection_reset_after of zero would let each short session start the delays afresh",
        )?;
        if self.spread_first_attempt && self.reconnection_spread.is_none() {
            return Err(invalid("spread_first_attempt needs a reconnection_spread"));
        }
        if self.max_packets_per_post == 0 {
            return Err(invalid("max_packets_per_post is 0; the least is 1"));
        }
        if self.recorded_packets > MOST_RECORDED {
            let packets = self.recorded_packets;
            return Err(invalid(format!(
                "flight_recorder({packets}): the most is {MOST_RECORDED}"
            )));
        }
        if self.watch_network && !cfg!(target_os = "linux") {
            return Err(Error::new(ErrorKind::Unsupported, "watch_network needs Linux (netlink)")
                .with_hint("call `Manager::network_changed` where the system tells of changes"));
        }
        check_time(self.fail_back_after, "a fail_back_after of zero would never stay at a backup")?;
        check_time(self.connect_timeout, "a connect_timeout of zero would fail each attempt")?;
        check_time(self.namespace_timeout, "a namespace_timeout of zero would fail each attempt")?;
        self.limits.check()
    }
}

fn check_transports(transports: &[Transport]) -> Result<()> {
    if transports.is_empty() {
        return Err(invalid("there is no transport to use"));
    }
    let listed = |transport| transports.iter().filter(|other| **other == transport).count();
    if let Some(twice) = transports.iter().find(|transport| listed(**transport) > 1) {
        return Err(invalid(format!("the transport {twice} is listed twice")));
    }
    if !cfg!(feature = "polling") && transports.contains(&Transport::Polling) {
        return Err(Error::new(ErrorKind::Unsupported, "this build has no long-polling")
            .with_hint("enable the feature \"polling\""));
    }
    Ok(())
}

/// Refuses what would let nothing through.
impl Check for Limits {
    fn check(&self) -> Result<()> {
        let limits = [
            ("max_message", self.max_message, 1),
            ("send_events", self.send_events, 1),
            ("send_bytes", self.send_bytes, 1),
            ("receive_events", self.receive_events, 1),
            ("receive_bytes", self.receive_bytes, 1),
            ("receive_total", self.receive_total, 1),
            ("stack_size", self.stack_size, 256 * 1024),
        ];
        match limits.into_iter().find(|(_, value, least)| value < least) {
            None => Ok(()),
            Some((name, value, least)) => {
                Err(invalid(format!("Limits::{name} is {value}; the least is {least}")))
            }
        }
    }
}

/// Refuses what would let nothing through.
impl Check for Buffer {
    fn check(&self) -> Result<()> {
        for (name, value) in [("events", self.events), ("bytes", self.bytes)] {
            if value == Some(0) {
                return Err(invalid(format!("Buffer::{name} is 0; the least is 1")));
            }
        }
        Ok(())
    }
}

/// Refuses what the system would.
impl Check for TcpOptions {
    fn check(&self) -> Result<()> {
        /// The longest name of an interface (`IFNAMSIZ` without the final zero).
        const MAX_NAME: usize = 15;
        if let Some(name) = &self.interface {
            let fits = (1..=MAX_NAME).contains(&name.len());
            if !fits || name.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control()) {
                return Err(invalid(format!("{name:?} cannot be the name of an interface")));
            }
        }
        let limits = [("keepalive", self.keepalive), ("tcp_user_timeout", self.user_timeout)];
        for (name, limit) in limits {
            // The system counts in seconds or milliseconds, in 31 bits.
            let fits = |limit: Duration| (1..=32_767).contains(&limit.as_secs());
            if limit.is_some_and(|limit| !fits(limit)) {
                return Err(invalid(format!("{name} is not from 1 s to 32,767 s")));
            }
        }
        Ok(())
    }
}

impl Check for Timeouts {
    fn check(&self) -> Result<()> {
        let steps = [
            ("dns", self.dns),
            ("tcp", self.tcp),
            ("proxy", self.proxy),
            ("tls", self.tls),
            ("http", self.http),
        ];
        match steps.into_iter().find(|(_, limit)| *limit == Some(Duration::ZERO)) {
            None => Ok(()),
            Some((name, _)) => {
                Err(invalid(format!("a limit of zero by Timeouts::{name} would fail each attempt")))
            }
        }
    }
}

/// Refuses what no server's certificate can satisfy. Certificates and keys that are given are judged
/// where they are read.
impl Check for Tls {
    fn check(&self) -> Result<()> {
        if let Some(name) = self.server_name.as_deref().filter(|name| !is_server_name(name)) {
            return Err(invalid(format!(
                "Tls::server_name: no certificate can have the name {name:?}"
            ))
            .with_hint(
                "an IP address, or a host name of ASCII letters, digits, `-`, `.` and `_`; \
                     an international name in its ASCII form (xn--…)",
            ));
        }
        let trusted = !self.no_built_in_roots || self.system_roots || !self.cas.is_empty();
        if !trusted && !self.accept_invalid {
            return Err(invalid("no certificate authority is trusted")
                .with_hint("give one by `Tls::ca_file`, or leave the built-in ones"));
        }
        Ok(())
    }
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn is_server_name(name: &str) -> bool {
    rustls_pki_types::ServerName::try_from(name).is_ok()
}

/// Without a library for TLS nothing is ever compared with the name.
#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
fn is_server_name(name: &str) -> bool {
    !name.is_empty()
}

impl Check for ProxyChoice {
    fn check(&self) -> Result<()> {
        match self {
            // What the environment says is read, and checked, when the connection is made.
            Self::Environment | Self::None => Ok(()),
            Self::Given(proxy) => proxy.check(),
        }
    }
}

/// Refuses what would break the request to the proxy.
impl Check for Proxy {
    fn check(&self) -> Result<()> {
        let bad = |c: char| c.is_control() || c.is_whitespace() || "/?#@[]".contains(c);
        if self.host.is_empty() || self.host.contains(bad) || self.port == 0 {
            return Err(invalid_proxy("the host or the port of the proxy cannot be used"));
        }
        let Some((user, password)) = &self.credentials else { return Ok(()) };
        if user.len() > 255 || password.len() > 255 {
            return Err(invalid_proxy("the credentials of the proxy are longer than 255 bytes"));
        }
        if self.protocol == Protocol::Http && user.contains(':') {
            return Err(invalid_proxy("the user name of an HTTP proxy cannot have a colon"));
        }
        Ok(())
    }
}

impl Check for RetryLimits {
    fn check(&self) -> Result<()> {
        if !(1..=LARGEST_WINDOW).contains(&self.window) {
            let window = self.window;
            return Err(invalid(format!(
                "reliable_window is {window}, not from 1 to {LARGEST_WINDOW}"
            )));
        }
        if self.interruptions == 0 {
            return Err(invalid("interrupted_tries of 0 would leave no event a try"));
        }
        Ok(())
    }
}

/// Refuses what cannot be the path of a request.
pub(crate) fn check_path(path: &str) -> Result<()> {
    let bad = |c: char| !c.is_ascii_graphic() || "?#\"<>\\^`{|}".contains(c);
    if path.contains(bad) { Err(invalid(format!("{path:?} is no path"))) } else { Ok(()) }
}

/// Refuses a name for the parameter that no cache has seen, where the protocol has that name
/// (`reserved`) already.
pub(crate) fn check_timestamp(name: &str, reserved: &[&str]) -> Result<()> {
    if name.is_empty() || reserved.contains(&name) {
        return Err(invalid(format!("the timestamp cannot have the name {name:?}")));
    }
    Ok(())
}

/// Refuses parameters of the query that the protocol sets (`reserved`), or that we do: that of the
/// timestamp, if requests have one.
pub(crate) fn check_query(
    query: &[(String, String)],
    reserved: &[&str],
    timestamp: Option<&str>,
) -> Result<()> {
    for (name, _) in query {
        if reserved.contains(&name.as_str()) {
            return Err(invalid(format!("the query parameter {name:?} belongs to the protocol")));
        }
        if timestamp == Some(name) {
            return Err(invalid(format!("the query parameter {name:?} is the timestamp's"))
                .with_hint("see timestamp_param and timestamp_requests"));
        }
    }
    Ok(())
}

/// Refuses what cannot stand in the list of WebSocket subprotocols.
pub(crate) fn check_subprotocols(names: &[String]) -> Result<()> {
    // What may stand in the list is what may be the name of a header.
    let bad = |name: &&String| http::HeaderName::from_bytes(name.as_bytes()).is_err();
    match names.iter().find(bad) {
        None => Ok(()),
        Some(name) => Err(invalid(format!("{name:?} is no name of a subprotocol"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_options_work() {
        let all: [&dyn Check; 7] = [
            &ManagerOptions::default(),
            &Limits::default(),
            &TcpOptions::default(),
            &Timeouts::default(),
            &Tls::default(),
            &ProxyChoice::default(),
            &RetryLimits::default(),
        ];
        for options in all {
            options.check().unwrap();
        }
    }

    #[test]
    fn limits_without_end_work() {
        let all = Limits::new().max_message(usize::MAX).send_events(usize::MAX).acks(usize::MAX);
        all.send_bytes(usize::MAX).receive_events(usize::MAX).check().unwrap();
        let ever = Duration::MAX;
        Timeouts::new().dns(ever).tcp(ever).proxy(ever).tls(ever).http(ever).check().unwrap();
    }

    #[test]
    fn what_the_system_would_refuse_is_refused() {
        for name in ["", "a b", "../x", "sixteen-letters-"] {
            let options = TcpOptions { interface: Some(name.to_owned()), ..TcpOptions::default() };
            assert_eq!(options.check().unwrap_err().kind(), ErrorKind::InvalidOption, "{name}");
        }
        for limit in [Duration::ZERO, Duration::from_millis(999), Duration::MAX] {
            let options = TcpOptions { user_timeout: Some(limit), ..TcpOptions::default() };
            assert_eq!(options.check().unwrap_err().kind(), ErrorKind::InvalidOption, "{limit:?}");
        }
    }

    #[test]
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    fn a_server_has_a_host_name_or_an_address() {
        for name in
            ["device.example", "my_host", "a-b.c", "xn--bcher-kva.example", "10.0.0.1", "::1"]
        {
            Tls::new().server_name(name).check().unwrap();
        }
        let long = "a".repeat(64);
        for name in
            ["", "exa mple", "-a", "a-", "a..b", "b\u{fc}cher.example", "[::1]", "a:443", &long]
        {
            let error = Tls::new().server_name(name).check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption, "{name}");
            assert!(error.message().contains("server_name"), "{error}");
        }
    }

    #[test]
    fn somebody_has_to_be_trusted_unless_nothing_is_verified() {
        let nobody = Tls::new().built_in_roots(false);
        assert_eq!(nobody.check().unwrap_err().kind(), ErrorKind::InvalidOption);
        for somebody in [
            nobody.clone().ca_pem("a certificate"),
            nobody.clone().system_roots(true),
            nobody.reject_unauthorized(false),
        ] {
            somebody.check().unwrap();
        }
    }
}
