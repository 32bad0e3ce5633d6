//! Floor 0: what a user can set. Plain data with documented defaults.

pub(crate) mod limits;
pub(crate) mod manager;
mod parser;
mod revision;
pub(crate) mod tls;

pub use limits::{Limits, WhenFull};
pub(crate) use manager::ManagerOptions;
pub use manager::Transport;
pub use parser::ParserKind;
pub use revision::Revision;
pub use tls::{Tls, TlsBackend};
