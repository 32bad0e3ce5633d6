//! Where a connection stands.

/// A step in the cycle of connecting, losing, waiting and connecting again.
///
/// ```text
///          open()                 handshake
///  Idle ───────────▶ Connecting ────────────▶ Open
///   ▲                  │     ▲                 │
///   │ reconnection off │     │ delay over      │ lost
///   └──────────────────┤     └──── Waiting ◀───┤
///   ▲                  └─ failed ────▲         │
///   └───────── close(), or no namespace left ──┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cycle {
    Idle,
    Connecting,
    Open,
    Waiting,
}
