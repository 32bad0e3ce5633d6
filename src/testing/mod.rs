//! For the tests of programs that use this library: a server in the process that fails on command, and what siot
//! hands to a program, made by hand. Neither needs a network or Node.js.
//!
//! Feature `testing`, which belongs to the development dependencies of a program:
//!
//! ```toml
//! [dev-dependencies]
//! siot = { version = "0.1", features = ["testing"] }
//! ```
//!
//! [`TestServer`] is for what a program does with its connection: that it connects, sends what it should, and
//! gets over an outage. The functions here are for what it does with an event or a status alone, without any server.
//!
//! ```
//! use siot::testing;
//! use siot::{Event, Result};
//!
//! /// A part of a program: what is to be tested.
//! fn take_order(event: &Event) -> Result<()> {
//!     let (dish, count): (String, u32) = event.args()?;
//!     event.ack((dish, 2 * count))
//! }
//!
//! # fn main() -> Result<()> {
//! let (event, answer) = testing::event_with_ack("order", ("soup", 2))?;
//! take_order(&event)?;
//! assert_eq!(answer.args::<(String, u32)>()?, Some(("soup".into(), 4)));
//! # Ok(())
//! # }
//! ```

mod by_hand;
mod line;
mod server;

pub use self::by_hand::{
    GivenAck, ack_reply, connect_error, connected, disconnected, dropped, error, event, event_in,
    event_with_ack, refusal,
};
pub use self::server::TestServer;
