//! Integration tests in one binary. Each test has a database of its own; `./dev test` runs them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod agents;
mod floors;
mod hostile_calls;
mod hostile_uploads;
mod identity;
mod load;
mod registry;
mod results;
mod smoke;
