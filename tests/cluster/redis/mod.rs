//! A cluster by Redis, of servers of ours and of one in JavaScript.

mod emitters;
mod faults;
mod kills;
mod members;
mod redis_server;
mod sticky;
mod together;
