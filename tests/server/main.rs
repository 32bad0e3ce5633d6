//! The server, with clients of each kind: those of npm and `PyPI`, siot's own, and raw connections.
//!
//! They need what `tests/install` installs; a test that lacks something fails and says so.

#[path = "../support/mod.rs"]
mod support;

mod attached;
mod attachments;
mod blocking;
mod closing;
mod fallback;
mod host;
mod hostile;
mod http;
mod javascript;
mod listeners;
mod log_lines;
mod order;
mod own_client;
mod python_client;
mod raw_client;
mod receiving;
mod recovery;
mod sessions;
mod slow_sides;
mod soak;
