//! All integration tests in one binary, so that there is one link step.
//!
//! They need what `tests/install` installs; a test that lacks something fails and says so.

mod it;
mod support;
