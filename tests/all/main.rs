//! Integration tests in one binary. Each test has a database of its own; `./dev test` runs them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_types, reason = "tests make SQL; nothing of it comes from outside")]

mod agents;
mod authors;
mod c_plugins;
mod clients;
mod conformance;
mod context;
mod credits;
mod custom_tools;
mod delegations;
mod distribution;
mod doctor;
mod durability;
mod floors;
mod hostile_calls;
mod hostile_uploads;
mod idempotency;
mod identity;
mod limits;
mod load;
mod matrix;
mod mcp;
mod mcp_servers;
mod openai;
mod platform;
mod provider_keys;
mod registry;
mod results;
mod run_loop;
mod smoke;
mod streams;
mod tool;
mod tutorials;
mod walls_all;
mod walls_construction;
mod walls_corpus;
mod walls_gate;
mod walls_privilege;
mod walls_watch;
mod wit;
