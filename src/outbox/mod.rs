//! Floor 8: events that are kept on disk until the server has them.

mod carrier;
mod carve;
mod feeder;
pub(crate) mod file_store;
pub(crate) mod handle;
pub(crate) mod options;
mod pause;
mod record;
pub(crate) mod salvage;
mod sealed;
mod shared;
mod shares;
mod stock;
pub(crate) mod store;
#[cfg(test)]
mod tests;
mod trouble;
