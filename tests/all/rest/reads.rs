//! Reading rows.

use behalf_tests::{ALICE, App, User};
use reqwest::Method;
use serde_json::json;

use super::{alice, app, app_with, assert_error, bob, send};

#[tokio::test(flavor = "multi_thread")]
async fn each_user_reads_their_own_rows() {
    let app = app().await;
    for (user, own) in [
        (alice(), json!([{"title": "buy bread"}, {"title": "water tomatoes"}])),
        (bob(), json!([{"title": "mend brakes"}])),
    ] {
        let answer = app.get(&user, "/rest/v1/tasks?select=title&order=title").await;
        assert_eq!((answer.status, answer.json), (200, own));
    }
    let all = app.get(&User::Service, "/rest/v1/tasks?select=id&order=id").await;
    assert_eq!(all.json, json!([{"id": 1}, {"id": 2}, {"id": 3}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_alone_and_a_token_alone_are_enough() {
    let app = app().await;
    let client = reqwest::Client::new();
    let url = format!("{}/rest/v1/tasks?select=id&order=id", app.url);
    let token = client.get(&url).bearer_auth(behalf_tests::app::token(ALICE)).send().await.unwrap();
    assert_eq!(token.json::<serde_json::Value>().await.unwrap(), json!([{"id": 1}, {"id": 2}]));
    let key = client.get(&url).header("apikey", behalf_tests::app::service_key()).send().await.unwrap();
    assert_eq!(key.status(), 200);
    assert_error(&app.get(&User::Nobody, "/rest/v1/tasks").await, 401, "PGRST302");
    assert_error(&app.get(&User::Token("x.y.z".to_owned()), "/rest/v1/tasks").await, 401, "PGRST301");
    assert_error(&app.get(&User::Anon, "/rest/v1/tasks").await, 401, "42501");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_always_an_object() {
    let app = app().await;
    for (path, status, code) in [
        ("/rest/v1/no_such_table", 404, "PGRST205"),
        ("/rest/v1/rpc/no_such_function", 404, "PGRST202"),
        ("/rest/v1/tasks/1", 404, "PGRST125"),
        ("/rest/v1/tasks/", 404, "PGRST125"),
        ("/rest/v1/rpc", 404, "PGRST205"),
        ("/rest/v1/rpc/", 404, "PGRST202"),
        ("/rest/v1/tasks?select=nothing", 400, "42703"),
        ("/rest/v1/tasks?id=eq.x", 400, "22P02"),
    ] {
        assert_error(&app.get(&alice(), path).await, status, code);
    }
    let profile = send(&app, &alice(), Method::GET, "/rest/v1/tasks", &[("accept-profile", "secret")], "").await;
    assert_error(&profile.answer, 406, "PGRST106");
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_counts_and_single_objects() {
    let app = app().await;
    let counted =
        send(&app, &alice(), Method::GET, "/rest/v1/tasks?limit=1&order=id", &[("prefer", "count=exact")], "").await;
    assert_eq!((counted.answer.status, counted.header("content-range")), (206, "0-0/2"));
    let head = send(&app, &alice(), Method::HEAD, "/rest/v1/tasks", &[("prefer", "count=exact")], "").await;
    assert_eq!((head.answer.status, head.answer.text.as_str(), head.header("content-range")), (200, "", "0-1/2"));
    let object = [("accept", "application/vnd.pgrst.object+json")];
    let one = send(&app, &alice(), Method::GET, "/rest/v1/tasks?id=eq.2&select=id", &object, "").await;
    assert_eq!(one.answer.json, json!({"id": 2}));
    let none = send(&app, &alice(), Method::GET, "/rest/v1/tasks?id=eq.3", &object, "").await;
    assert_error(&none.answer, 406, "PGRST116");
    let embedded = app.get(&alice(), "/rest/v1/lists?select=name,tasks(title)&tasks.order=title").await;
    assert_eq!(
        embedded.json,
        json!([{"name": "home", "tasks": [{"title": "buy bread"}, {"title": "water tomatoes"}]}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn options_say_what_a_table_takes() {
    let app = app().await;
    let ask = async |app: &App, path: &str| send(app, &alice(), Method::OPTIONS, path, &[], "").await;
    let table = ask(&app, "/rest/v1/tasks").await;
    assert_eq!((table.answer.status, table.header("allow")), (200, "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"));
    assert_eq!(ask(&app, "/rest/v1/rpc/add").await.header("allow"), "OPTIONS,GET,HEAD,POST");
    assert_eq!(ask(&app, "/rest/v1/rpc/finish").await.header("allow"), "OPTIONS,POST");
    assert_error(&ask(&app, "/rest/v1/nothing").await.answer, 404, "PGRST205");
    // A page of another origin asks first, and may read the headers of the answer.
    let origin = [("origin", "https://app.example"), ("access-control-request-method", "GET")];
    let asked = send(&app, &User::Nobody, Method::OPTIONS, "/rest/v1/tasks", &origin, "").await;
    assert_eq!(asked.header("access-control-allow-origin"), "https://app.example");
    let got = send(&app, &alice(), Method::GET, "/rest/v1/tasks", &[("origin", "https://app.example")], "").await;
    assert!(got.header("access-control-expose-headers").contains("content-range"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_large_or_too_slow_is_refused_and_the_host_goes_on() {
    let settings = vec![("rest_max_answer_bytes", "100000".to_owned()), ("rest_timeout_seconds", "1".to_owned())];
    let app = app_with(settings).await;
    assert_eq!(app.get(&alice(), "/rest/v1/rpc/large?bytes=1000").await.status, 200);
    assert_error(&app.get(&alice(), "/rest/v1/rpc/large?bytes=1000000").await, 413, "54000");
    assert_error(&app.get(&alice(), "/rest/v1/rpc/slow").await, 500, "57014");
    app.settled().await;
    assert_eq!(app.get(&alice(), "/rest/v1/tasks").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_leaves_a_row_without_values() {
    let app = app().await;
    app.get(&alice(), "/rest/v1/tasks?title=eq.a-secret-value").await;
    app.get(&alice(), "/rest/v1/tasks?select=nothing").await;
    app.get(&alice(), "/rest/v1/no-such-secret").await;
    app.state.caller_db.app_log().flush().await;
    let rows: Vec<serde_json::Value> = serde_json::from_str(
        &app.database.value::<String>("select json_agg(r order by request_id)::text from ai.app_requests r").await,
    )
    .unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row["status"].as_i64(), row["rows"].as_i64())).collect();
    assert_eq!(seen, [(Some(200), Some(0)), (Some(400), None), (Some(404), None)], "{rows:?}");
    assert!(rows.iter().all(|row| row["user_id"] == ALICE.to_string() && row["role"] == "authenticated"), "{rows:?}");
    let text = serde_json::to_string(&rows).unwrap();
    assert!(!text.contains("secret") && text.contains("tasks"), "{text}");
    // Users see their own rows, here as everywhere.
    let own = send(&app, &bob(), Method::GET, "/rest/v1/app_requests", &[("accept-profile", "ai")], "").await;
    assert_eq!(own.answer.json, json!([]), "{}", own.answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_can_be_left_out_of_the_log_and_writes_cannot() {
    let app = app_with(vec![("rest_audit_reads", "0".to_owned())]).await;
    assert_eq!(app.get(&alice(), "/rest/v1/tasks").await.status, 200);
    assert_eq!(app.post(&alice(), "/rest/v1/lists", json!({"name": "new"})).await.status, 201);
    app.state.caller_db.app_log().flush().await;
    let kept = "select string_agg(method || ' ' || (transaction_id is not null), ',') from ai.app_requests";
    assert_eq!(app.database.value::<String>(kept).await, "POST true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_the_tables_says_where_they_are() {
    for (setting, said) in [("off", "does not serve"), ("https://db.example/rest/v1", "https://db.example/rest/v1")] {
        let app = app_with(vec![("rest", setting.to_owned())]).await;
        let answer = app.get(&alice(), "/rest/v1/tasks").await;
        assert_error(&answer, 404, "PGRST125");
        assert!(answer.text.contains(said), "{}", answer.text);
    }
}
