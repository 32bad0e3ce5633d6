//! The thermostat's own tests, as they stand in its source.

#[path = "../thermostat.rs"]
#[allow(dead_code, reason = "as a program it is run by the tests of the examples")]
mod thermostat;
