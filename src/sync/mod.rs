//! Floor 0: what threads share: locks under which nothing is logged, and accounts with a limit.

pub(crate) mod budget;
pub(crate) mod lock;
