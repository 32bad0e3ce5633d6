//! How a WebSocket has ended, in the words of the peer or of the system.

use std::io;

use tungstenite::protocol::frame::coding::CloseCode;

use crate::error::{Error, ErrorKind, snippet};

const NO_NETWORK: &str = "is the network still there?";

/// The end by a close frame, which has this in it.
pub(super) fn closed(frame: Option<&[u8]>) -> Error {
    let (code, what) = match frame {
        None | Some([] | [_]) => (None, "close frame without a code".to_owned()),
        Some([high, low, reason @ ..]) => {
            let code = u16::from_be_bytes([*high, *low]);
            let colon = if reason.is_empty() { "" } else { ": " };
            let odd = if is_odd(&[*high, *low]) { ", which is none of the protocol" } else { "" };
            let garbled = if std::str::from_utf8(reason).is_err() { " (no UTF-8)" } else { "" };
            (Some(code), format!("close code {code}{odd}{colon}{}{garbled}", snippet(reason)))
        }
    };
    let error = transport_error(&format!("the server closed the WebSocket: {what}"));
    let hint = match code {
        Some(1001 | 1012) => "is the server being restarted?",
        Some(1009) => "what was sent is larger than the server takes (its maxHttpBufferSize)",
        Some(1013) => "the server is busy",
        _ => return error,
    };
    error.with_hint(hint)
}

/// Whether a close frame breaks the protocol.
pub(super) fn is_odd(frame: &[u8]) -> bool {
    match frame {
        [] | [_] => false,
        [high, low, reason @ ..] => {
            let code = CloseCode::from(u16::from_be_bytes([*high, *low]));
            !code.is_allowed() || std::str::from_utf8(reason).is_err()
        }
    }
}

/// The end of the stream.
pub(super) fn ended() -> Error {
    transport_error("the connection ended without a close frame")
}

/// The end of the stream by an error of the system, or of TLS.
pub(super) fn broken(error: io::Error) -> Error {
    let what = match error.kind() {
        io::ErrorKind::ConnectionReset => "the connection was reset",
        io::ErrorKind::TimedOut => "the connection timed out: nothing gets through any more",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "the way to the server is gone"
        }
        _ => "the connection failed",
    };
    caused(transport_error(what), error)
}

/// The error whose cause is one of the system.
pub(super) fn caused(error: Error, cause: io::Error) -> Error {
    let kind = cause.kind();
    let error = error.with_source(cause);
    match kind {
        io::ErrorKind::TimedOut => error.with_hint(NO_NETWORK).timed_out(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            error.with_hint(NO_NETWORK)
        }
        _ => error,
    }
}

fn transport_error(what: &str) -> Error {
    Error::new(ErrorKind::Transport, what.to_owned())
}
