//! Idempotency keys: a request that is sent again gets the same answer and is not carried out again.

use behalf_tests::sse::read_events;
use behalf_tests::{ALICE, Answer, App, BOB, Options, ScriptedModel, Turn, User, guests, write_grants};
use futures::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

fn keyed(app: &App, user: &User, path: &str, key: &str, body: &Value) -> RequestBuilder {
    app.request(user, Method::POST, path).header("idempotency-key", key).json(body)
}

/// Sends the request, and returns whether the answer is a repeated one, and the answer.
async fn send(request: RequestBuilder) -> (bool, Answer) {
    let response = request.send().await.unwrap();
    let replayed = response.headers().get("idempotency-replayed").is_some_and(|value| value == "true");
    (replayed, Answer::of(response).await)
}

const INSERT: &str =
    "insert into notes (owner_id, title, body) values (auth.uid(), 'Once', 'only once') returning title";

#[tokio::test(flavor = "multi_thread")]
async fn fifty_requests_at_once_on_two_hosts_write_once_and_start_one_run() {
    let one = App::start().await;
    let two = App::on(one.database.clone(), Options::default()).await;
    one.install(guests::PROBE, &write_grants()).await;
    let agent = one.agent(&["sql"]).await;
    behalf_tests::eventually("the second host knows the tool", async || {
        two.get(&User::Is(ALICE), "/api/tools/sql").await.status == 200
    })
    .await;
    let hosts = [&one, &two];
    let body = json!({"arguments": {"sql": INSERT}});
    let sent = (0..50).map(|n| send(keyed(hosts[n % 2], &User::Is(ALICE), "/api/tools/sql/call", "k-1", &body)));
    let answers = join_all(sent).await;
    assert!(
        answers.iter().all(|(_, answer)| answer.status == 200),
        "{:?}",
        answers.iter().find(|(_, a)| a.status != 200)
    );
    assert_eq!(answers.iter().filter(|(replayed, _)| !replayed).count(), 1);
    let first = &answers[0].1.json;
    assert!(answers.iter().all(|(_, answer)| answer.json["call_id"] == first["call_id"]));
    assert_eq!(one.database.value::<i64>("select count(*) from notes where title = 'Once'").await, 1);

    let (path, body) = (format!("/api/agents/{agent}/run"), json!({"message": "hello"}));
    let sent = (0..50).map(|n| send(keyed(hosts[n % 2], &User::Is(ALICE), &path, "k-1", &body)));
    let answers = join_all(sent).await;
    assert!(
        answers.iter().all(|(_, answer)| answer.status == 200),
        "{:?}",
        answers.iter().find(|(_, a)| a.status != 200)
    );
    assert_eq!(answers.iter().filter(|(replayed, _)| !replayed).count(), 1);
    assert!(answers.iter().all(|(_, answer)| answer.json["run_id"] == answers[0].1.json["run_id"]));
    assert_eq!(one.database.value::<i64>("select count(*) from ai.agent_runs").await, 1);

    let path = format!("/api/agents/{agent}/run/stream");
    let first = read_events(keyed(&one, &User::Is(ALICE), &path, "k-1", &body).send().await.unwrap()).await;
    let again = keyed(&two, &User::Is(ALICE), &path, "k-1", &body).send().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    let again = read_events(again).await;
    assert_eq!(
        first.iter().map(|event| &event.data).collect::<Vec<_>>(),
        again.iter().map(|event| &event.data).collect::<Vec<_>>()
    );
    assert_eq!(one.database.value::<i64>("select count(*) from ai.agent_runs").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_its_callers_its_routes_and_its_bodys() {
    let app = App::start().await;
    let agent = app.agent(&[]).await;
    let run = format!("/api/agents/{agent}/run");
    let body = json!({"message": "hello", "temperature": 0.5});
    let (_, alices) = send(keyed(&app, &User::Is(ALICE), &run, "same", &body)).await;
    for user in [User::Is(BOB), User::Service, User::ServiceFor(ALICE), User::ServiceFor(BOB)] {
        let (replayed, answer) = send(keyed(&app, &user, &run, "same", &body)).await;
        assert!(!replayed && answer.status == 200 && answer.json["run_id"] != alices.json["run_id"], "{user:?}");
    }
    let turned = json!({"temperature": 0.5, "message": "hello"});
    assert!(send(keyed(&app, &User::Is(ALICE), &run, "same", &turned)).await.0, "the order of fields means nothing");
    let other = json!({"message": "hello!"});
    assert_eq!(send(keyed(&app, &User::Is(ALICE), &run, "same", &other)).await.1.status, 422);
    let sessions = format!("/api/agents/{agent}/sessions");
    let (_, made) = send(keyed(&app, &User::Is(ALICE), &sessions, "same", &json!({}))).await;
    let (replayed, again) = send(keyed(&app, &User::Is(ALICE), &sessions, "same", &json!({}))).await;
    assert!(made.status == 201 && again.status == 201 && replayed && made.json == again.json, "{}", again.text);
    for bad in ["", &"x".repeat(256), "a\tb", "ä"] {
        let request = app.request(&User::Is(ALICE), Method::POST, &run).json(&body);
        let request =
            request.header("idempotency-key", reqwest::header::HeaderValue::from_bytes(bad.as_bytes()).unwrap());
        assert_eq!(send(request).await.1.status, 400, "{bad:?}");
    }
    let call = json!({"arguments": {}});
    assert_eq!(send(keyed(&app, &User::Anon, "/api/tools/empty/call", "same", &call)).await.1.status, 400);

    // The answer that contains a delegation's token is not stored.
    let body = json!({ "agent_id": agent });
    let (_, made) = send(keyed(&app, &User::Is(ALICE), "/api/delegations", "d", &body)).await;
    let (replayed, again) = send(keyed(&app, &User::Is(ALICE), "/api/delegations", "d", &body)).await;
    assert!(replayed && made.json["id"] == again.json["id"] && made.json["token"].is_string(), "{}", again.text);
    assert!(again.json["token"].is_null());
    let token = made.json["token"].as_str().unwrap();
    let kept: i64 = app
        .database
        .value(&format!("select count(*) from ai.idempotency_keys where convert_from(body, 'utf8') like '%{token}%'"))
        .await;
    assert_eq!(kept, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_nothing_burns_no_key_and_a_dead_host_holds_none() {
    let model = ScriptedModel::start([Turn::Say("Hello.")]).await;
    let app = App::with(Options { settings: model.settings() }).await;
    app.install(guests::PROBE, &write_grants()).await;
    let agent = app.agent(&[]).await;
    let run = format!("/api/agents/{agent}/run");
    // The request was refused before it began, so the same key can be used again.
    let lost = json!({"message": "hello", "session_id": "sess_nowhere"});
    assert_eq!(send(keyed(&app, &User::Is(ALICE), &run, "k", &lost)).await.1.status, 404);
    assert_eq!(app.database.value::<i64>("select count(*) from ai.idempotency_keys").await, 0);
    let (replayed, answer) = send(keyed(&app, &User::Is(ALICE), &run, "k", &json!({"message": "hello"}))).await;
    assert!(!replayed && answer.json["content"] == "Hello.", "{}", answer.text);
    // A tool that was called and failed is not called again.
    let body = json!({"arguments": {"sql": "select nonsense"}});
    let (_, failed) = send(keyed(&app, &User::Is(ALICE), "/api/tools/no_such_tool/call", "k", &body)).await;
    assert_eq!(failed.status, 404);
    assert_eq!(app.database.value::<i64>("select count(*) from ai.idempotency_keys").await, 1);

    // The host that claimed the key died before it began: the key gives 409 while the lease lasts, and is free afterwards.
    app.database.execute("update ai.idempotency_keys set run_id = null").await;
    let response = keyed(&app, &User::Is(ALICE), &run, "k", &json!({"message": "hello"})).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (409, "1"));
    app.database.execute("update ai.idempotency_keys set lease_until = now()").await;
    let (replayed, answer) = send(keyed(&app, &User::Is(ALICE), &run, "k", &json!({"message": "hello"}))).await;
    assert!(!replayed && answer.status == 200, "{}", answer.text);
    // What is tied to no run may have been carried out when its host died, so it is not carried out again.
    let body = json!({"arguments": {"sql": "select 1"}});
    let tool = "/api/tools/sql/call";
    let user = User::Is(BOB);
    assert_eq!(send(keyed(&app, &user, tool, "t", &body)).await.1.status, 200);
    let of_tool = "update ai.idempotency_keys set status = null, body = null, lease_until = now() - interval '1 second'
        where run_id is null";
    app.database.execute(of_tool).await;
    for _ in 0..2 {
        let (_, unknown) = send(keyed(&app, &user, tool, "t", &body)).await;
        assert_eq!((unknown.status, &unknown.json["type"]), (422, &json!("urn:behalf:problem:outcome-unknown")));
    }
    app.database.execute("delete from ai.idempotency_keys where run_id is null").await;
    // A key expires after a day, even if it was not deleted.
    app.database.execute("update ai.idempotency_keys set created_at = now() - interval '25 hours'").await;
    assert!(!send(keyed(&app, &User::Is(ALICE), &run, "k", &json!({"message": "hello"}))).await.0);
    app.database.execute("update ai.idempotency_keys set created_at = now() - interval '25 hours'").await;
    assert_eq!(app.state.web.idempotency.prune().await.unwrap(), 1);
}
