//! What the peer is known to have dealt with.

/// What there is in something that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Freight {
    /// Nothing that would be lost with a farewell behind it.
    #[default]
    Nothing,
    /// What the peer would drop if it read it together with a farewell.
    Events,
    /// The word that something ends.
    Farewell,
}

/// What was written, up to where the peer has dealt with it: for what is not to be read together with it. The events
/// themselves are kept elsewhere ([`unconfirmed`](super::unconfirmed)).
///
/// By WebSocket a ping is sent behind what was written; its pong tells. By long-polling the answer
/// to the request does.
#[derive(Debug, Default)]
pub(super) struct Confirmation {
    /// Written, and not yet asked about.
    written: Freight,
    /// Written before the ping whose pong is awaited.
    asked: Option<Freight>,
}

impl Freight {
    pub(super) fn has_farewell(self) -> bool {
        self == Self::Farewell
    }
}

impl Confirmation {
    /// Whether the peer has dealt with all that was written.
    pub(super) fn is_complete(&self) -> bool {
        self.written == Freight::Nothing && self.asked.is_none()
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// What the peer is not known to have dealt with.
    pub(super) fn freight(&self) -> Freight {
        self.written.max(self.asked.unwrap_or_default())
    }

    /// Whether the peer is not known to have dealt with a farewell.
    pub(super) fn lacks_farewell(&self) -> bool {
        self.freight().has_farewell()
    }

    pub(super) fn note_written(&mut self, freight: Freight) {
        self.written = self.written.max(freight);
    }

    /// Asks about all that was written so far. `false`: there is nothing to ask about, or an answer is
    /// awaited already.
    pub(super) fn ask(&mut self) -> bool {
        let asks = self.asked.is_none() && self.written != Freight::Nothing;
        if asks {
            self.asked = Some(std::mem::take(&mut self.written));
        }
        asks
    }

    /// The answer has come, or is not waited for any longer.
    pub(super) fn note_answer(&mut self) {
        self.asked = None;
    }

    /// All that was written is dealt with.
    pub(super) fn complete(&mut self) {
        *self = Self::default();
    }
}
