//! A builder from a configuration (feature `serde`).

use std::collections::BTreeMap;

use serde::de::Error;

use super::Builder;
use crate::options::config::{
    Ip, Maybe, PrivateText, Texts, Time, WholeNumber, of_key, table, time,
};
use crate::options::{Limits, ParserKind, Proxy, Rejection, Revision, Timeouts, Tls, Transport};
use crate::payload::Value;

type Map<T = PrivateText> = BTreeMap<String, T>;

table! {
    /// From a table of a configuration: `url`, which has to be there, and the names of this type's
    /// methods, but for those that take a function. An unknown key is an error that names it. What the values
    /// are worth [`build`](Builder::build) says.
    ///
    /// * A time is a number of seconds, or a text with units: `"500ms"`, `"5s"`, `"2m"`, `"1h"`, `"1d"`,
    ///   `"1m30s"`. Where there may be none, it is `"none"`, or `null` in formats that have it; so are numbers
    ///   and addresses.
    /// * Types with few values are their names, as their `FromStr` reads them: `"websocket"`, `"drop-oldest"`.
    /// * `query` and `extra_header` are tables of texts, `transport_header` has one for each transport;
    ///   `backup_url` is a text or a list of texts, `proxy` a URL, and `no_proxy = true` is none.
    /// * [`Limits`], [`Timeouts`] and [`Tls`] are tables of their own.
    /// * In a struct of yours, give the builder a key: `server: Builder`. With `#[serde(flatten)]` serde keeps to
    ///   itself which keys it does not know, and a misspelt one is silently ignored.
    ///
    /// ```
    /// # fn main() -> siot::Result<()> {
    /// let config = r#"{
    ///     "url": "https://example.com/orders",
    ///     "transports": ["websocket"],
    ///     "query": { "device": "gateway-7" },
    ///     "reconnection_delay_max": "1m",
    ///     "ack_timeout": 5,
    ///     "tls": { "ca_file": "/etc/device/ca.pem" }
    /// }"#;
    /// let builder: siot::Builder = serde_json::from_str(config).map_err(siot::Error::other)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`field`](crate::field) has a whole program with its file.
    Builder from Builder::new(""), "the options of a connection" {
        url: String => |builder, url| Builder { url, ..builder },
        transports: Vec<Transport> => |builder, all| builder.transports(all),
        upgrade: bool => Builder::upgrade,
        try_all_transports: bool => Builder::try_all_transports,
        remember_upgrade: bool => Builder::remember_upgrade,
        force_base64: bool => Builder::force_base64,
        max_packets_per_post: usize => Builder::max_packets_per_post,
        flight_recorder: usize => Builder::flight_recorder,
        revision: Revision => Builder::revision,
        parser: ParserKind => Builder::parser,
        path: String => |builder, path| builder.path(path),
        add_trailing_slash: bool => Builder::add_trailing_slash,
        query: Map => |builder, query| {
            query.into_iter().fold(builder, |builder, (name, value)| builder.query(name, value.0))
        },
        extra_header: Map => |builder, headers| {
            let set = |builder: Builder, (name, value): (_, PrivateText)| builder.extra_header(name, value.0);
            headers.into_iter().fold(builder, set)
        },
        transport_header: OfTransports => |builder, headers| {
            headers.0.into_iter().fold(builder, |builder, (transport, name, value)| {
                builder.transport_header(transport, name, value)
            })
        },
        timestamp_requests: bool => Builder::timestamp_requests,
        timestamp_param: String => |builder, name| builder.timestamp_param(name),
        subprotocols: Vec<String> => |builder, names| builder.subprotocols(names),
        auth: Value => |builder, auth| builder.auth(auth),
        retries: Maybe<WholeNumber> => |builder, count| builder.retries(count.0.map(|count| count.0)),
        interrupted_tries: u32 => Builder::interrupted_tries,
        reliable_window: usize => Builder::reliable_window,
        ack_timeout: Maybe<Time> => |builder, limit| builder.ack_timeout(time(limit)),
        auto_connect: bool => Builder::auto_connect,
        force_new: bool => Builder::force_new,
        connect_timeout: Maybe<Time> => |builder, limit| builder.connect_timeout(time(limit)),
        namespace_timeout: Maybe<Time> => |builder, limit| builder.namespace_timeout(time(limit)),
        limits: Limits => Builder::limits,
        tls: Tls => Builder::tls,
        proxy: Proxy => Builder::proxy,
        no_proxy: bool => |builder, none| if none { builder.no_proxy() } else { builder },
        local_address: Maybe<Ip> => |builder, address| {
            builder.local_address(address.0.map(|address| address.0))
        },
        interface: String => |builder, name| builder.interface(name),
        keepalive: Maybe<Time> => |builder, idle| builder.keepalive(time(idle)),
        tcp_user_timeout: Maybe<Time> => |builder, limit| builder.tcp_user_timeout(time(limit)),
        timeouts: Timeouts => Builder::timeouts,
        with_credentials: bool => Builder::with_credentials,
        backup_url: Texts => |builder, urls| urls.0.into_iter().fold(builder, Builder::backup_url),
        fail_back_after: Maybe<Time> => |builder, after| builder.fail_back_after(time(after)),
        remember_address: bool => Builder::remember_address,
        watch_network: bool => Builder::watch_network,
        reconnection: bool => Builder::reconnection,
        reconnection_attempts: Maybe<WholeNumber> => |builder, count| {
            builder.reconnection_attempts(count.0.map(|count| count.0))
        },
        reconnection_delay: Time => |builder, delay| builder.reconnection_delay(delay.0),
        reconnection_delay_max: Time => |builder, delay| builder.reconnection_delay_max(delay.0),
        randomization_factor: f64 => Builder::randomization_factor,
        reconnection_spread: Maybe<Time> => |builder, time_| {
            builder.reconnection_spread(time(time_))
        },
        spread_first_attempt: bool => Builder::spread_first_attempt,
        reconnection_reset_after: Maybe<Time> => |builder, lasting| {
            builder.reconnection_reset_after(time(lasting))
        },
        reconnect_after: Vec<Rejection> => |builder, all| builder.reconnect_after(all),
    }
}

/// A builder needs a URL, and one proxy or none.
fn finish<E: Error>(builder: Builder, keys: &[String]) -> Result<Builder, E> {
    let has = |key: &str| keys.iter().any(|known| known == key);
    if !has("url") {
        return Err(E::missing_field("url"));
    }
    if has("proxy") && has("no_proxy") {
        return Err(E::custom("proxy and no_proxy exclude each other"));
    }
    Ok(builder)
}

/// Headers for requests of one transport.
struct OfTransports(Vec<(Transport, String, String)>);

impl<'de> serde::Deserialize<'de> for OfTransports {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let tables = Map::<Map>::deserialize(from)?;
        let mut headers = Vec::new();
        for (transport, table) in tables {
            let transport: Transport = transport
                .parse()
                .map_err(|error: crate::error::Error| D::Error::custom(error.message()))?;
            headers.extend(table.into_iter().map(|(name, value)| (transport, name, value.0)));
        }
        Ok(Self(headers))
    }
}

#[cfg(test)]
mod tests;
