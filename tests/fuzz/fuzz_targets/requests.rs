//! Requests of clients, at once and in pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| siot::internal::fuzz::requests(data));
