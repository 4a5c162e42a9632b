//! The schema cache follows the database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use behalf_tests::{User, eventually};
use futures::future::join_all;
use serde_json::json;

use super::{alice, app};

const TABLE: &str = "create table fresh (a int); grant select on fresh to service_role;";

#[tokio::test(flavor = "multi_thread")]
async fn a_new_table_answers_within_a_second() {
    let app = app().await;
    assert_eq!(app.get(&User::Service, "/rest/v1/fresh").await.status, 404);
    app.database.execute(TABLE).await;
    let made = Instant::now();
    eventually("the table is there", async || app.get(&User::Service, "/rest/v1/fresh").await.status == 200).await;
    assert!(made.elapsed() < Duration::from_secs(1), "{:?}", made.elapsed());
}

/// Where no trigger tells of changes, an unknown name makes the host look.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_table_answers_within_a_second_without_triggers() {
    let app = app().await;
    app.database.execute("drop event trigger behalf_schema_changed; drop event trigger behalf_schema_dropped").await;
    // The host learns of that as of any other change.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    app.database.execute(TABLE).await;
    let made = Instant::now();
    eventually("the table is there", async || app.get(&User::Service, "/rest/v1/fresh").await.status == 200).await;
    assert!(made.elapsed() < Duration::from_millis(1_500), "{:?}", made.elapsed());
    // What was there under its name before is found by looking.
    app.database.execute("alter table fresh add column b int").await;
    eventually("the column is there", async || app.get(&User::Service, "/rest/v1/fresh?select=b").await.status == 200)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_channel_of_postgrest_reloads() {
    let app = app().await;
    app.database.execute("drop event trigger behalf_schema_changed").await;
    app.database.execute("alter table tasks add column extra text default 'x'").await;
    app.database.execute("notify pgrst, 'reload schema'").await;
    let asked = Instant::now();
    eventually("the column is there", async || app.get(&alice(), "/rest/v1/tasks?select=extra").await.status == 200)
        .await;
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_and_changed_tables_fail_no_request() {
    let app = super::app_with(vec![("rate_limit_user", "0".to_owned())]).await;
    let stop = AtomicBool::new(false);
    let clients = (0..8).map(|_| async {
        let mut requests = 0_u32;
        while !stop.load(Ordering::Relaxed) {
            let answer = app.get(&alice(), "/rest/v1/tasks?select=*&id=eq.2").await;
            assert_eq!((answer.status, &answer.json[0]["title"]), (200, &json!("buy bread")), "{}", answer.text);
            requests += 1;
        }
        requests
    });
    let changes = async {
        for n in 0..15 {
            app.database.execute(&format!("alter table tasks add column c{n} int; notify pgrst")).await;
            tokio::time::sleep(Duration::from_millis(80)).await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (requests, ()) = futures::join!(join_all(clients), changes);
    assert!(requests.iter().sum::<u32>() > 50, "{requests:?}");
}

/// Sessions that the server ended are found out before anything is sent on them that counts.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_the_server_ended_fail_no_request() {
    let app = app().await;
    for _ in 0..3 {
        assert_eq!(app.get(&alice(), "/rest/v1/tasks").await.status, 200);
        app.database
            .execute("select pg_terminate_backend(pid) from pg_stat_activity where usename like 'behalf_tool%' and datname = current_database()")
            .await;
        let answer = app.post(&alice(), "/rest/v1/lists", json!({"name": uuid::Uuid::new_v4()})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    assert_eq!(app.database.value::<i64>("select count(*) from lists").await, 5);
}

/// What is shown of a request is bound only where something in the database can read it.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_function_sees_the_headers_from_its_first_call() {
    let app = behalf_tests::App::start().await;
    assert_eq!(app.get(&alice(), "/rest/v1/notes").await.status, 200);
    app.database
        .execute("create function tenant() returns text language sql stable as $$ select current_setting('request.headers', true)::json ->> 'x-tenant' $$")
        .await;
    eventually("the function is there", async || {
        let answer =
            super::send(&app, &alice(), reqwest::Method::GET, "/rest/v1/rpc/tenant", &[("x-tenant", "one")], "")
                .await
                .answer;
        assert!(answer.status == 404 || answer.json == json!("one"), "{}", answer.text);
        answer.status == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_reloads() {
    let app = app().await;
    app.database.execute("drop event trigger behalf_schema_changed").await;
    app.database.execute("alter table tasks add column extra text default 'x'").await;
    let process = std::process::id().to_string();
    let sent = tokio::process::Command::new("kill").args(["-USR1", &process]).status().await.unwrap();
    assert!(sent.success());
    let asked = Instant::now();
    eventually("the column is there", async || app.get(&alice(), "/rest/v1/tasks?select=extra").await.status == 200)
        .await;
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

/// More kinds of requests than a connection keeps statements of.
#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_shapes_is_answered() {
    let app = app().await;
    for round in 0..2 {
        for shape in 0..150 {
            let path = format!("/rest/v1/tasks?select=id,c{shape}:title&id=eq.2");
            let answer = app.get(&alice(), &path).await;
            assert_eq!(answer.json, json!([{"id": 2, format!("c{shape}"): "buy bread"}]), "{round} {}", answer.text);
        }
    }
    let kept = "select max(n) from (select count(*) as n from pg_stat_activity where usename like 'behalf_tool%') x";
    assert!(app.database.value::<i64>(kept).await <= 8);
}
