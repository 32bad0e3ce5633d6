//! What was dropped.

/// What was dropped, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Packets without an addressee (unknown namespaces and acknowledgements), and those that
    /// made no sense when they came.
    pub(crate) ignored: usize,
    /// Outgoing events that gave way to newer ones, or that the server would not take.
    pub(crate) dropped: usize,
}
