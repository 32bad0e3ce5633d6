//! The dialects that there are.

use super::Dialect;
use super::v3::V3;
use super::v4::V4;

/// Engine.IO 3 / Socket.IO 4: servers 1.x and 2.x, and later ones with `allowEIO3`.
pub(crate) static V3_DIALECT: &dyn Dialect = &V3;

/// Engine.IO 4 / Socket.IO 5: servers 3.x and 4.x.
pub(crate) static V4_DIALECT: &dyn Dialect = &V4;

/// What servers speak that know no other, whatever they are asked for.
#[cfg(feature = "testing")]
pub(crate) fn of_old_servers() -> &'static dyn Dialect {
    V3_DIALECT
}

/// The one that a client asks for by the query parameter `EIO`, as it is written. Without it, as old
/// clients in Swift do, it is the older one. `None`: there is no such revision here.
#[cfg(feature = "server")]
pub(crate) fn asked_for(eio: Option<&str>) -> Option<&'static dyn Dialect> {
    let eio = eio.unwrap_or(V3_DIALECT.eio());
    [V3_DIALECT, V4_DIALECT].into_iter().find(|dialect| dialect.eio() == eio)
}
