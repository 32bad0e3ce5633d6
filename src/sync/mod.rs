//! Floor 1: threads, and what they share: locks under which nothing is logged, and accounts with a
//! limit.

pub(crate) mod budget;
pub(crate) mod lock;
pub(crate) mod threads;
