//! The tests, by topic.

mod acks;
mod backups;
#[cfg(feature = "rustls")]
mod clock;
mod compatibility;
mod connect;
mod consumers;
mod deadlines;
mod deliveries;
mod disconnect;
mod errors;
mod events;
mod farewell;
mod flight_recorder;
mod floors;
#[cfg(all(feature = "polling", feature = "rustls"))]
mod fronts;
mod handing_back;
mod harness;
mod hostile;
mod limits;
mod log_lines;
mod malformed;
mod mischief;
mod mischief_closures;
mod mischief_loggers;
mod mixed;
mod namespaces;
mod network;
mod no_server;
mod order;
#[cfg(feature = "outbox")]
mod outbox;
#[cfg(feature = "outbox")]
mod outbox_kills;
#[cfg(feature = "polling")]
mod pacing;
mod parity_bad_input;
mod parity_buffers;
mod parity_engine;
mod parity_io;
mod parity_lifecycle;
mod parity_listeners;
mod parity_manager;
mod parity_order;
mod parity_recovery;
mod parity_retries;
mod parsers;
mod peers;
#[cfg(feature = "polling")]
mod posts;
mod preparing;
mod proxy;
#[cfg(feature = "polling")]
mod python;
mod ready;
mod receive;
mod receive_awaited;
mod receive_bounds;
mod receive_ends;
mod receive_floods;
mod receive_neighbours;
mod receive_news;
mod receive_policies;
mod reconnect;
mod reliable;
mod returning;
// Each of its tests goes over every transport.
#[cfg(feature = "polling")]
mod revisions;
mod rooms;
mod standing_in;
mod stats;
mod threads;
#[cfg(feature = "rustls")]
mod tls;
mod tree;
mod upgrade;
mod waiting;
mod way;
