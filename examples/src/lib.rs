//! What the examples share: their command line, their end, and a server to talk to.

mod arguments;
mod ending;
#[cfg(feature = "testing")]
pub mod events;
#[cfg(feature = "testing")]
mod server;
#[cfg(all(feature = "rustls", feature = "testing"))]
#[path = "../tls/mod.rs"]
pub mod tls;

pub use arguments::Arguments;
pub use ending::until_told;
#[cfg(feature = "testing")]
pub use server::ExampleServer;
