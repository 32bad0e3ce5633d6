//! The servers. All of them answer `ask` with what they were asked, count `note`, answer `count` with how many those of this
//! client were since the last time, and send everybody `told` as often as `tell` says.

pub(crate) mod raw;
pub(crate) mod siot;
pub(crate) mod socketioxide;

/// How long the text of `told` is.
pub(crate) const TOLD: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// A single thread, by hand, that knows no more than is measured.
    Raw,
    Siot,
    Socketioxide,
    Node,
}

impl Server {
    pub(crate) const ALL: [Self; 4] = [Self::Raw, Self::Siot, Self::Socketioxide, Self::Node];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|server| server.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Siot => "siot",
            Self::Socketioxide => "socketioxide",
            Self::Node => "node",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Raw => "the limit",
            Self::Siot => "siot",
            Self::Socketioxide => "socketioxide 0.18",
            Self::Node => "socket.io 4.8, Node.js",
        }
    }
}
