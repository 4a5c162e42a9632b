//! What the tests share: a database for each test, the real host over real HTTP, tokens for two users, and the probe guests.
//!
//! `./dev test` starts a throw-away Postgres and says in `BEHALF_TEST_DATABASE_URL` where it is. Without one the tests
//! fail; they never skip.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up has failed")]
#![allow(clippy::disallowed_types, reason = "tests make SQL; nothing of it comes from outside")]
#![allow(clippy::missing_panics_doc, reason = "everything here panics where a test cannot go on")]

pub mod agent;
pub mod app;
pub mod azure;
pub mod behaviours;
pub mod breaking_way;
pub mod components;
pub mod database;
pub mod fences;
pub mod hostile_registry;
pub mod killable;
pub mod log_lines;
pub mod mailbox;
pub mod model;
pub mod process;
pub mod projects;
pub mod realtime;
pub mod registry;
pub mod s3;
pub mod slow;
pub mod sse;
pub mod tenants;
pub mod wait;

pub use app::{Answer, App, Options, User};
pub use azure::AzureServer;
pub use database::TestDatabase;
pub use hostile_registry::{HostileRegistry, RegistryAnswer};
pub use killable::KillableServer;
pub use log_lines::LogLines;
pub use mailbox::{Led, Mailbox, SITE, Sent};
pub use model::{ScriptedModel, Turn};
pub use process::HostProcess;
pub use realtime::{FromHost, RealtimeSocket, Vsn};
pub use registry::Registry;
pub use s3::S3Server;
pub use wait::eventually;

use uuid::Uuid;

/// Paths of the probe guests, built from `tests/guests`.
pub mod guests {
    #![allow(missing_docs, reason = "generated; tests/guests/README.md describes each")]
    include!(concat!(env!("OUT_DIR"), "/guests.rs"));
}

/// A user with private rows.
pub const ALICE: Uuid = Uuid::from_u128(0xa11c_e000_0000_4000_8000_0000_0000_0001);
/// Another.
pub const BOB: Uuid = Uuid::from_u128(0xb0b0_0000_0000_4000_8000_0000_0000_0002);

/// The secret that tokens of the tests are signed with.
pub const SECRET: &str = "a-secret-of-the-tests-that-is-long-enough-for-hs256";
/// Password of the logins; they belong to the whole server, so every test database has the same.
pub const LOGIN_PASSWORD: &str = "the-logins-password-in-tests";

/// The grants of a probe that may do everything with the tables of `public`.
pub fn write_grants() -> serde_json::Value {
    serde_json::json!({ "database": { "access": "write", "schemas": ["public"] } })
}

/// The grants of a probe that may read the tables of `public`.
pub fn read_grants() -> serde_json::Value {
    serde_json::json!({ "database": { "access": "read", "schemas": ["public"] } })
}
