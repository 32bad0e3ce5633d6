//! acks
