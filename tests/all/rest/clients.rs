//! Supabase's own clients as two users. `./dev test` fetches them; `tests/clients` says which.

use behalf_tests::app::token;
use behalf_tests::{ALICE, App, BOB, Options, TestDatabase};

use crate::protocols::supabase::Client;

/// Two users work with rows of their own.
async fn walk(client: Client) {
    let database = TestDatabase::create().await;
    database.execute(include_str!("../../clients/supabase/schema.sql")).await;
    let app = App::on(database, Options::default()).await;
    client.walks("client", &app, &[("ALICE", token(ALICE)), ("BOB", token(BOB))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_js_on_node_20_works_as_each_user() {
    walk(Client::Node20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_supabase_js_works_as_each_user() {
    walk(Client::Node22).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_py_works_as_each_user() {
    walk(Client::Python).await;
}
