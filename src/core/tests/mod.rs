//! The state machines in virtual time, in a [`World`] that is played.

mod accumulating;
mod acks;
mod backoff;
mod buffers;
mod by_hand;
mod closing;
mod delivery;
mod drops;
mod engine;
mod farewell;
mod first;
mod forgetting;
mod heartbeat;
mod logged;
mod malformed;
mod namespaces;
mod network;
mod pacing;
mod places;
mod preparing;
mod random;
mod recovery;
mod reliable;
mod reliable_random;
mod retries;
mod returning;
mod revision;
mod told;
mod undelivered;
mod upgrade;
mod waiting;

use std::time::Duration;

use super::client::{Client, Cycle, Emit, Fate, Output, Prepared, Refused};
use super::engine::{Loss, PollTurn, Work};
use super::time::Timestamp;
use crate::core::ids::{LinkId, NamespaceId};
use crate::core::world::words::*;
use crate::core::world::*;
use crate::error::{Error, ErrorKind, Result};
use crate::event::status::Status;
use crate::options::{ManagerOptions, ParserKind, Transport};
use crate::payload::Payload;
use crate::proto::dialect::choice::V4_DIALECT;
use crate::proto::packet::Packet;
