//! Feedback on runs: stored once for each user and run, seen only by who gave it, deleted with its run.

use behalf_tests::{ALICE, Answer, App, BOB, User, guests};
use reqwest::Method;
use serde_json::{Value, json};

const OPINION: &str = "the answer forgot the tomatoes";

/// A run of alice's that is over, and its session.
async fn run_of_alice(app: &App, agent: &str) -> (String, String) {
    let run = app.ask(&User::Is(ALICE), agent, "hello").await;
    let id = |name: &str| run.json[name].as_str().unwrap_or_else(|| panic!("{}", run.text)).to_owned();
    (id("run_id"), id("session_id"))
}

fn feedback(run: &str) -> String {
    format!("/api/agents/runs/{run}/feedback")
}

async fn put(app: &App, user: &User, run: &str, body: Value) -> Answer {
    app.send(user, Method::PUT, &feedback(run), body).await
}

async fn delete(app: &App, user: &User, run: &str) -> Answer {
    app.send(user, Method::DELETE, &feedback(run), Value::Null).await
}

fn refusal(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.json["error"].as_str().unwrap_or(&answer.text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_stores_replaces_reads_and_deletes_feedback() {
    let app = App::start().await;
    let agent = app.agent(&[]).await;
    let (run, _) = run_of_alice(&app, &agent).await;
    let alice = User::Is(ALICE);
    assert_eq!(refusal(&app.get(&alice, &feedback(&run)).await), (404, "Feedback not found"));
    let first = put(&app, &alice, &run, json!({"rating": "good"})).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!((&first.json["rating"], &first.json["comment"]), (&json!("good"), &Value::Null));
    assert_eq!((&first.json["run_id"], &first.json["user_id"]), (&json!(run), &json!(ALICE)));

    let second = put(&app, &alice, &run, json!({"rating": "bad", "comment": OPINION})).await;
    assert_eq!((&second.json["rating"], &second.json["comment"]), (&json!("bad"), &json!(OPINION)));
    assert_eq!(second.json["created_at"], first.json["created_at"]);
    assert_ne!(second.json["updated_at"], first.json["updated_at"]);
    let shown = app.get(&alice, &feedback(&run)).await;
    assert_eq!((shown.status, &shown.json), (200, &second.json));
    assert_eq!(app.database.value::<i64>("select count(*) from ai.run_feedback").await, 1);
    let blank = put(&app, &alice, &run, json!({"rating": "bad", "comment": " "})).await;
    assert_eq!(blank.json["comment"], Value::Null, "{}", blank.text);

    assert_eq!(delete(&app, &alice, &run).await.status, 204);
    assert_eq!(refusal(&delete(&app, &alice, &run).await), (404, "Feedback not found"));
    assert_eq!(refusal(&app.get(&alice, &feedback(&run)).await), (404, "Feedback not found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_reaches_a_users_feedback() {
    let app = App::start().await;
    let agent = app.agent(&[]).await;
    let (run, _) = run_of_alice(&app, &agent).await;
    let stored = put(&app, &User::Is(ALICE), &run, json!({"rating": "bad", "comment": OPINION})).await;
    for (user, expected) in [(User::Is(BOB), (404, "Run not found")), (User::ServiceFor(BOB), (404, "Run not found"))] {
        assert_eq!(refusal(&put(&app, &user, &run, json!({"rating": "good"})).await), expected);
        assert_eq!(refusal(&app.get(&user, &feedback(&run)).await), expected);
        assert_eq!(refusal(&delete(&app, &user, &run).await), expected);
    }
    for user in [User::Anon, User::Nobody] {
        assert_eq!(put(&app, &user, &run, json!({"rating": "good"})).await.status, 401);
        assert_eq!(app.get(&user, &feedback(&run)).await.status, 401);
        assert_eq!(delete(&app, &user, &run).await.status, 401);
    }
    let missing = put(&app, &User::Is(ALICE), "run_000000000000", json!({"rating": "good"})).await;
    assert_eq!(refusal(&missing), (404, "Run not found"));
    assert_eq!(app.get(&User::Is(ALICE), &feedback(&run)).await.json, stored.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_role_gives_feedback_for_a_user_or_in_its_own_name() {
    let app = App::start().await;
    let agent = app.agent(&[]).await;
    let (run, _) = run_of_alice(&app, &agent).await;
    let acted = put(&app, &User::ServiceFor(ALICE), &run, json!({"rating": "good"})).await;
    assert_eq!((acted.status, &acted.json["user_id"]), (200, &json!(ALICE)), "{}", acted.text);
    assert_eq!(app.get(&User::Is(ALICE), &feedback(&run)).await.json, acted.json);

    assert_eq!(refusal(&app.get(&User::Service, &feedback(&run)).await), (404, "Feedback not found"));
    for rating in ["good", "bad"] {
        let own = put(&app, &User::Service, &run, json!({ "rating": rating })).await;
        assert_eq!((own.status, &own.json["user_id"]), (200, &Value::Null), "{}", own.text);
    }
    assert_eq!(app.get(&User::Service, &feedback(&run)).await.json["rating"], "bad");
    assert_eq!(app.database.value::<i64>("select count(*) from ai.run_feedback").await, 2);
    assert_eq!(delete(&app, &User::Service, &run).await.status, 204);
    assert_eq!(app.get(&User::Is(ALICE), &feedback(&run)).await.json["rating"], "good");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_fit_is_refused_with_the_name_of_its_field() {
    let app = App::start().await;
    let agent = app.agent(&[]).await;
    let (run, _) = run_of_alice(&app, &agent).await;
    let no_rating = "rating must be good or bad";
    for (body, expected) in [
        (json!({"rating": "great"}), no_rating),
        (json!({"rating": 5}), no_rating),
        (json!({"rating": null}), no_rating),
        (json!({"comment": "no rating"}), no_rating),
        (json!({"rating": "good", "comment": 5}), "comment must be a string"),
        (json!({"rating": "good", "comment": "ü".repeat(2_001)}), "comment may have at most 2000 characters"),
    ] {
        assert_eq!(refusal(&put(&app, &User::Is(ALICE), &run, body.clone()).await), (400, expected), "{body}");
    }
    let longest = put(&app, &User::Is(ALICE), &run, json!({"rating": "good", "comment": "ü".repeat(2_000)})).await;
    assert_eq!(longest.status, 200, "{}", longest.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_is_deleted_with_its_run() {
    let app = App::start().await;
    let agent = app.agent(&[]).await;
    let (run, session) = run_of_alice(&app, &agent).await;
    assert_eq!(put(&app, &User::Is(ALICE), &run, json!({"rating": "bad"})).await.status, 200);
    let gone = app.send(&User::Is(ALICE), Method::DELETE, &format!("/api/sessions/{session}"), Value::Null).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    assert_eq!(refusal(&app.get(&User::Is(ALICE), &feedback(&run)).await), (404, "Run not found"));
    assert_eq!(app.database.value::<i64>("select count(*) from ai.run_feedback").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_read_only_their_callers_feedback_and_none_by_a_delegation() {
    let app = App::start().await;
    app.install(guests::PROBE, &json!({"database": {"access": "read", "schemas": ["public", "ai"]}})).await;
    let agent = app.agent(&["sql"]).await;
    let (run, _) = run_of_alice(&app, &agent).await;
    assert_eq!(put(&app, &User::Is(ALICE), &run, json!({"rating": "bad", "comment": OPINION})).await.status, 200);
    let sql = "select comment from ai.run_feedback";
    for (user, rows) in [
        (User::Is(ALICE), json!([[OPINION]])),
        (User::ServiceFor(ALICE), json!([[OPINION]])),
        (User::Service, json!([[OPINION]])),
        (User::Is(BOB), json!([])),
    ] {
        assert_eq!(app.sql(&user, sql).await.result()["rows"], rows, "{user:?}");
    }

    let delegated = app.post(&User::Is(ALICE), "/api/delegations", json!({ "agent_id": agent })).await;
    let service = User::Token(delegated.json["token"].as_str().unwrap().to_owned());
    assert_eq!(app.get(&service, &feedback(&run)).await.status, 403);
    let read = app.ask(&service, &agent, &format!("/sql {}", json!({ "sql": sql }))).await;
    assert_eq!(read.json["tool_calls"][0]["status"], "success", "{}", read.text);
    assert!(!read.text.contains(OPINION), "{}", read.text);
}
