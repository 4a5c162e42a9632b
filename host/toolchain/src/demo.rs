//! The demo's users, tables and rows, with which `behalf dev` and every throw-away database begin.

use anyhow::Context;
use behalf_host_db::run_script;
use uuid::Uuid;

/// A demo user.
pub const ALICE: Uuid = Uuid::from_u128(0xa11c_e000_0000_4000_8000_0000_0000_0001);
/// Another demo user.
pub const BOB: Uuid = Uuid::from_u128(0xb0b0_0000_0000_4000_8000_0000_0000_0002);

/// Alice's address.
pub const ALICE_EMAIL: &str = "alice@example.com";
/// Bob's address.
pub const BOB_EMAIL: &str = "bob@example.com";

/// SQL that makes the demo's tables and rows. It may run again.
pub const SEED: &str = include_str!("demo.sql");

/// The user that a command's word means.
pub(crate) fn user(word: &str) -> anyhow::Result<Uuid> {
    match word {
        "alice" => Ok(ALICE),
        "bob" => Ok(BOB),
        other => Uuid::try_parse(other)
            .ok()
            .with_context(|| format!("{other:?} is no uuid; users are known by their uuid, or alice and bob")),
    }
}

/// Makes the demo's tables and rows, as the owner of the database.
pub async fn seed(owner: &str) -> anyhow::Result<()> {
    run_script(owner, SEED).await.context("cannot make the demo's tables")
}
