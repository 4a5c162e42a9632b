//! Agents: sessions, runs, approvals, feedback, event streams, and the models that agents ask.

mod approvals;
mod context;
mod durability;
mod endpoints;
mod feedback;
mod handover;
mod leases;
mod listed_models;
mod models;
mod provider_keys;
mod retrieval;
mod run_loop;
mod runs;
mod streams;
