//! Stores and feeding, without a network.

mod damage;
mod feeding;
mod files;
mod folder;
mod memory_store;
