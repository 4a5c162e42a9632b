//! The platform's recipe for files in a chat, with the user's token where the recipe has the service key.

use std::path::Path;

use behalf_tests::app::{anon_key, token};
use behalf_tests::{ALICE, BOB};
use serde_json::Value;
use tokio::process::Command;

use super::bed::Bed;
use crate::protocols::clients::{clients, node, run, words};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/supabase");

/// Runs the recipe with a program; it asserts what it sees, and says at its end that it came so far.
async fn walk(program: &mut Command, packages: &Path) {
    let bed = Bed::start().await;
    bed.database.execute(include_str!("../../clients/supabase/sources.sql")).await;
    program.arg(Path::new(SOURCES).join("sources.mjs")).env("BASE_URL", &bed.url).env("KEY", anon_key());
    program.env("ALICE", token(ALICE)).env("BOB", token(BOB)).env("PACKAGES", packages);
    let output = run(program).await;
    assert!(output.status.success(), "{}: {}", packages.display(), words(&output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["done"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_of_chat_files_works_with_the_users_token() {
    walk(&mut node(), &clients()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_of_chat_files_works_on_node_20() {
    let packages = clients().join("node-20");
    walk(&mut Command::new(packages.join("node_modules/.bin/node")), &packages).await;
}
