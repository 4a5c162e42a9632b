//! Requests that wait for a connection, and requests whose client goes away.

use behalf_tests::{App, User, eventually};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::{alice, app_with, bob};

/// A function that adds a list, and then takes longer than any test.
const ADD_SLOWLY: &str = "
    create function add_slowly() returns void language plpgsql as $$
    begin
        insert into lists (name) values ('never');
        perform count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b;
    end $$;
    grant execute on function add_slowly() to authenticated";

/// A host with this function and these settings.
async fn app_that_is_slow(settings: &[(&'static str, &str)]) -> App {
    let app = app_with(settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()).await;
    app.database.execute(ADD_SLOWLY).await;
    eventually("the function is there", async || {
        app.request(&alice(), Method::OPTIONS, "/rest/v1/rpc/add_slowly").send().await.unwrap().status() == 200
    })
    .await;
    app
}

/// Sessions that have added a row. `track_activities` is off for these logins, so the server is asked for their locks instead.
async fn adding(app: &App) -> i64 {
    app.database
        .value(
            "select count(distinct pid) from pg_locks where relation = 'lists'::regclass and mode = 'RowExclusiveLock'",
        )
        .await
}

fn slow(app: &App, user: &User) -> tokio::task::JoinHandle<Option<u16>> {
    let request = app.request(user, Method::POST, "/rest/v1/rpc/add_slowly").body("{}");
    let request = request.header("content-type", "application/json");
    tokio::spawn(async move { request.send().await.ok().map(|answer| answer.status().as_u16()) })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_too_long_for_a_connection_is_told_so() {
    let few = [("tool_connections", "2"), ("max_wait_seconds", "1"), ("rest_timeout_seconds", "60")];
    let app = app_that_is_slow(&few).await;
    let held = [slow(&app, &alice()), slow(&app, &alice())];
    eventually("two statements run", async || adding(&app).await == 2).await;
    let told = app.get(&bob(), "/rest/v1/lists").await;
    super::assert_error(&told, 504, "PGRST003");
    held.iter().for_each(tokio::task::JoinHandle::abort);
    eventually("a connection is free again", async || app.get(&bob(), "/rest/v1/lists").await.status == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_client_goes_away_changes_nothing() {
    let app = app_that_is_slow(&[("rest_timeout_seconds", "60")]).await;
    for _ in 0..3 {
        let request = slow(&app, &alice());
        eventually("the row is added", async || adding(&app).await > 0).await;
        request.abort();
        eventually("the statement ends", async || adding(&app).await == 0).await;
    }
    assert_eq!(app.get(&alice(), "/rest/v1/lists?name=eq.never").await.json, json!([]));
    app.settled().await;
}

/// In the order of their arrival, the other would wait for ten times as long as anybody waits here.
#[tokio::test(flavor = "multi_thread")]
async fn one_users_slow_requests_keep_no_other_waiting() {
    let few =
        [("tool_connections", "4"), ("max_wait_seconds", "6"), ("rest_timeout_seconds", "2"), ("rate_limit_user", "0")];
    let app = app_that_is_slow(&few).await;
    let held: Vec<_> = (0..120).map(|_| slow(&app, &alice())).collect();
    eventually("every connection is taken", async || adding(&app).await == 4).await;
    let bob = bob();
    for answer in join_all((0..5).map(|_| app.get(&bob, "/rest/v1/lists?select=name"))).await {
        assert_eq!((answer.status, &answer.json), (200, &json!([{"name": "garage"}])), "{}", answer.text);
    }
    held.iter().for_each(tokio::task::JoinHandle::abort);
}
