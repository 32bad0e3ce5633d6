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
///
/// A namespace that the server has turned away, and that is to come back, opens it again from `Idle`.
/// The program's own attempts wait in `Waiting` too where they follow each other without a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cycle {
    Idle,
    Connecting,
    Open,
    Waiting,
}
