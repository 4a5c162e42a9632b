//! Agents: sessions, runs, approvals, event streams, and the models that agents ask.

mod context;
mod durability;
mod endpoints;
mod provider_keys;
mod run_loop;
mod runs;
mod streams;
