//! The whole client in virtual time: see `core/world` for what has to hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| siot::internal::fuzz::client(data));
