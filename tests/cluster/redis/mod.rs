//! A cluster by Redis, of servers of ours and of one in JavaScript.

mod faults;
mod members;
mod redis_server;
mod sticky;
mod together;
