//! The schema cache follows the database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use behalf_tests::{App, User, eventually};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::{alice, app};

const TABLE: &str = "create table fresh (a int); grant select on fresh to service_role;";

/// Whether the cache has the table. Unlike a read, this makes the host look for nothing.
async fn is_known(app: &App) -> bool {
    app.request(&User::Service, Method::OPTIONS, "/rest/v1/fresh").send().await.unwrap().status() == 200
}

/// Takes the triggers away that tell of changes; the host goes on to look only twice a minute.
async fn drop_triggers(app: &App) {
    app.database.execute("drop event trigger behalf_schema_changed; drop event trigger behalf_schema_dropped").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_tells_of_a_new_table() {
    let app = app().await;
    assert!(!is_known(&app).await);
    app.database.execute(TABLE).await;
    eventually("the table is there", async || is_known(&app).await).await;
    assert_eq!(app.get(&User::Service, "/rest/v1/fresh").await.status, 200);
}

/// Where nobody tells of changes, an unknown name makes the host look.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_an_unknown_name_makes_the_host_look() {
    let app = app().await;
    drop_triggers(&app).await;
    app.database.execute(TABLE).await;
    eventually("the table is there", async || app.get(&User::Service, "/rest/v1/fresh").await.status == 200).await;
    app.database.execute("alter table fresh add column b int").await;
    eventually("the column is there", async || app.get(&User::Service, "/rest/v1/fresh?select=b").await.status == 200)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_channel_of_postgrest_reloads() {
    let app = app().await;
    drop_triggers(&app).await;
    app.database.execute(TABLE).await;
    app.database.execute("notify pgrst, 'reload schema'").await;
    eventually("the table is there", async || is_known(&app).await).await;
}

/// No request names a cast or an aggregate, so the host has to hear of them.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_tells_of_new_casts_and_aggregates() {
    let app = app().await;
    app.database
        .execute(
            r#"create domain shade as int;
            create domain "text/x-shades" as text;
            create table shades (s shade);
            insert into shades values (1);
            grant select on shades to service_role;
            create function shade_json(shade) returns json language sql immutable as $$ select to_json('s' || $1) $$;
            create function add_shade(t "text/x-shades", s anyelement) returns "text/x-shades" language sql immutable as
                $$ select (t || 'x')::"text/x-shades" $$"#,
        )
        .await;
    let rows = async || app.get(&User::Service, "/rest/v1/shades").await;
    eventually("the table is there", async || rows().await.json == json!([{"s": 1}])).await;
    app.database.execute("create cast (shade as json) with function shade_json(shade) as implicit").await;
    eventually("the cast counts", async || rows().await.json == json!([{"s": "s1"}])).await;
    app.database
        .execute(
            r#"create aggregate shades_of(anyelement) (stype = "text/x-shades", sfunc = add_shade, initcond = '')"#,
        )
        .await;
    eventually("the aggregate counts", async || {
        let headers = [("accept", "text/x-shades")];
        let sent = super::send(&app, &User::Service, Method::GET, "/rest/v1/shades", &headers, "").await;
        sent.answer.status == 200 && sent.answer.text == "x"
    })
    .await;
    app.database.execute("drop cast (shade as json)").await;
    eventually("the cast is gone", async || rows().await.json == json!([{"s": 1}])).await;
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
        let alice = alice();
        let many = join_all((0..32).map(|_| app.get(&alice, "/rest/v1/tasks"))).await;
        assert!(many.iter().all(|answer| answer.status == 200));
        app.database
            .execute("select pg_terminate_backend(pid) from pg_stat_activity where usename like 'behalf_tool%' and datname = current_database()")
            .await;
        // More at once than there are connections.
        let many = (0..32).map(|_| app.post(&alice, "/rest/v1/lists", json!({"name": uuid::Uuid::new_v4()})));
        for answer in join_all(many).await {
            assert_eq!(answer.status, 201, "{}", answer.text);
        }
    }
    assert_eq!(app.database.value::<i64>("select count(*) from lists").await, 2 + 3 * 32);
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
    drop_triggers(&app).await;
    app.database.execute(TABLE).await;
    let process = std::process::id().to_string();
    let sent = tokio::process::Command::new("kill").args(["-USR1", &process]).status().await.unwrap();
    assert!(sent.success());
    eventually("the table is there", async || is_known(&app).await).await;
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
}
