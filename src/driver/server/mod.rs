//! The threads of a server: one that serves all connections, and a pool that runs handlers.

mod inbox;
mod pool;
