//! All integration tests in one binary, so that there is one link step.
//!
//! They need Node.js and `npm ci --prefix tests/servers`; a test that lacks them fails and says so.

mod it;
mod support;
