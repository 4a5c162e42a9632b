//! Integration tests in one binary. Each test has a database of its own; `./dev test` runs them.
//!
//! A folder holds the tests of one part of the host. `./dev test -E 'test(/^walls::/)'` runs the tests of one folder.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_types, reason = "tests make SQL; nothing of it comes from outside")]

mod accounts;
mod agents;
mod architecture;
mod auth;
mod demo;
mod identity;
mod jobs;
mod knowledge;
mod moving;
mod operations;
mod protocols;
mod realtime;
mod recipes;
mod rest;
mod sandbox;
mod smoke;
mod sources;
mod storage;
mod toolchain;
mod tools;
mod walls;
mod web;
mod wit;
