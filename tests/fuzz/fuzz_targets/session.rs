//! A server's session in virtual time: see `core/server/world` for what has to hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| siot::internal::fuzz::session(data));
