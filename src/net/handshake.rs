//! The HTTP request that opens a WebSocket, and the answer to it.

use std::sync::Arc;

use http::header::{HOST, USER_AGENT};
use tungstenite::Error as WsError;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::client::{ClientHandshake, Response, generate_key};
use tungstenite::protocol::{WebSocket, WebSocketConfig};

use super::headers::{AGENT, checked, parse_value};
use super::request::Request;
use super::signal::{Signal, cancelled};
use super::status::Refusal;
use super::stream::Stream;
use super::tls::late_refusal;
use crate::error::{Error, ErrorKind, Result, Stage};

/// Builds the request; a header that cannot be sent is an error.
pub(super) fn upgrade_request(
    request: &Request,
    subprotocols: &[String],
) -> Result<http::Request<()>> {
    // Of the URI, tungstenite sends the path and the query only.
    let mut upgrade = http::Request::builder()
        .uri(format!("ws://localhost{}", request.path_and_query))
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key())
        .header(HOST, request.endpoint.host_header())
        .header(USER_AGENT, AGENT)
        .body(())
        .map_err(|error| {
            Error::new(ErrorKind::InvalidUrl, "the path or the query cannot be sent")
                .with_source(error)
        })?;
    if !subprotocols.is_empty() {
        let name = "Sec-WebSocket-Protocol";
        let value = parse_value(name, &subprotocols.join(", "))?;
        upgrade.headers_mut().insert(name, value);
    }
    for (name, value) in checked(&request.headers)? {
        if name == HOST || name == USER_AGENT {
            upgrade.headers_mut().insert(name, value);
        } else {
            upgrade.headers_mut().append(name, value);
        }
    }
    Ok(upgrade)
}

/// Sends the request and reads the answer.
pub(super) fn shake_hands(
    stream: Stream,
    upgrade: http::Request<()>,
    config: WebSocketConfig,
    signal: &Arc<Signal>,
) -> Result<WebSocket<Stream>> {
    signal.enter(Stage::Http);
    let mut running = match ClientHandshake::start(stream, upgrade, Some(config)) {
        Ok(start) => start,
        Err(error) => return Err(to_error(error, signal)),
    };
    loop {
        running = match running.handshake() {
            Ok((websocket, response)) => {
                check_response(&response)?;
                return Ok(websocket);
            }
            Err(HandshakeError::Failure(error)) => return Err(to_error(error, signal)),
            Err(HandshakeError::Interrupted(running)) => {
                running.get_ref().get_ref().wait()?;
                running
            }
        };
    }
}

/// What tungstenite does not check.
fn check_response(response: &Response) -> Result<()> {
    match response.headers().get("sec-websocket-extensions") {
        None => Ok(()),
        Some(_) => {
            Err(connect_error("the server chose a WebSocket extension that was not offered"))
        }
    }
}

fn to_error(error: WsError, signal: &Signal) -> Error {
    if signal.is_cancelled() {
        return cancelled();
    }
    match error {
        WsError::Http(response) => Refusal {
            status: response.status().as_u16(),
            headers: response.headers(),
            body: response.body().as_deref().unwrap_or_default(),
        }
        .into_error(),
        WsError::Protocol(ProtocolError::HandshakeIncomplete) => {
            connect_error("the server closed the connection instead of answering")
        }
        WsError::Protocol(ProtocolError::HttparseError(error)) => {
            connect_error("the answer to the WebSocket handshake is no HTTP").with_source(error)
        }
        WsError::Io(error) => late_refusal(&error).unwrap_or_else(|| {
            connect_error("the connection failed during the WebSocket handshake").with_source(error)
        }),
        WsError::AttackAttempt | WsError::Capacity(CapacityError::TooManyHeaders) => {
            connect_error("the headers of the answer are too many, too long, or come in crumbs")
        }
        error => connect_error("the WebSocket handshake failed").with_source(error),
    }
}

fn connect_error(what: &'static str) -> Error {
    Error::new(ErrorKind::Connect(Stage::Http), what)
}
