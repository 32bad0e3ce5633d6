//! The URLs of servers and proxies.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| siot::internal::fuzz::url(text));
