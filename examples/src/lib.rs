//! What the examples share: their command line, and a server to talk to.

mod arguments;
#[path = "../peer/mod.rs"]
pub mod peer;
mod server;

pub use arguments::Arguments;
pub use server::Server;
