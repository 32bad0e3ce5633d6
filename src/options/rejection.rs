//! What a server may do to a socket that is not the end of the connection.

/// How a server turns a socket away while the connection itself is well; see
/// [`Builder::reconnect_after`](crate::Builder::reconnect_after).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// It refuses the namespace ([`ErrorKind::Refused`](crate::ErrorKind::Refused)): its middleware
    /// does, or there is no such namespace (yet).
    #[doc(alias = "connect_error")]
    Refused,
    /// It ends the membership
    /// ([`DisconnectReason::IoServerDisconnect`](crate::DisconnectReason::IoServerDisconnect)).
    #[doc(alias = "io server disconnect")]
    IoServerDisconnect,
}

/// A set of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rejections {
    refused: bool,
    disconnected: bool,
}

impl Rejections {
    pub(crate) fn contains(self, rejection: Rejection) -> bool {
        match rejection {
            Rejection::Refused => self.refused,
            Rejection::IoServerDisconnect => self.disconnected,
        }
    }
}

impl FromIterator<Rejection> for Rejections {
    fn from_iter<I: IntoIterator<Item = Rejection>>(rejections: I) -> Self {
        let mut set = Self::default();
        for rejection in rejections {
            match rejection {
                Rejection::Refused => set.refused = true,
                Rejection::IoServerDisconnect => set.disconnected = true,
            }
        }
        set
    }
}
