//! Certificates for trying out: of a server on loopback and of a device, both of one authority. `make` beside has made them.

use siot::ServerTls;

/// The certificate of the authority, in PEM.
pub const AUTHORITY: &str = include_str!("authority.pem");
/// The device's certificate and its key, in PEM.
pub const DEVICE: (&str, &str) = (include_str!("device.pem"), include_str!("device.key"));

/// What a server on loopback needs.
pub fn server() -> ServerTls {
    ServerTls::pem(include_str!("server.pem"), include_str!("server.key"))
}
