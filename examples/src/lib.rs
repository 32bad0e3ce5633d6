//! What the examples share: their command line, their end, and a server to talk to.

mod arguments;
mod ending;
#[path = "../peer/mod.rs"]
pub mod peer;
mod server;

pub use arguments::Arguments;
pub use ending::until_told;
pub use server::Server;
