//! `/api/jobs` and `behalf jobs`: what operators see of jobs, and what they may do with them.

use std::process::{Command, Output};
use std::time::Duration;

use behalf_config::environment;
use behalf_queue::NewJob;
use behalf_tests::{ALICE, App, BOB, User, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bed::{Bed, Host, Work, job};

/// A command on the host's login.
fn command(app: &App, arguments: &[&str]) -> Output {
    let mut command = Command::new(environment("BEHALF_TEST_BIN").unwrap());
    command.args(["jobs"]).args(arguments).env("BEHALF_HOST_DATABASE_URL", app.database.host_url());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_list_jobs_without_what_they_are_about_or_who_they_act_as() {
    let app = App::start().await;
    let bed = Bed::of(&app).await;
    let first = bed.add(&User::Is(ALICE), json!({ "secret": "marker" })).await;
    let later = NewJob { kind: "tests.other", delay: Duration::from_hours(1), ..job() };
    let second = bed.add_new(&User::Is(BOB), &later).await.id();
    let list = app.get(&User::Service, "/api/jobs?lane=tests").await;
    assert_eq!(list.status, 200, "{}", list.text);
    assert_eq!((&list.json["total"], &list.json["counts"]["delayed"]), (&json!(2), &json!(1)));
    let ids: Vec<_> = list.json["jobs"].as_array().unwrap().iter().map(|job| job["id"].clone()).collect();
    assert_eq!(ids, [json!(second), json!(first)], "the latest first");
    assert!(!list.text.contains("marker") && !list.text.contains("mac"), "{}", list.text);
    let shown = app.get(&User::Service, &format!("/api/jobs/{first}")).await.json;
    let expected = [("lane", "tests"), ("kind", "tests.work"), ("state", "ready"), ("owner", &format!("user:{ALICE}"))];
    assert!(expected.iter().all(|(name, value)| shown[*name] == *value), "{shown}");
    assert_eq!((&shown["attempts"], &shown["max_attempts"]), (&json!(0), &json!(3)));
    for (query, found) in [
        ("state=delayed", vec![second]),
        ("state=dead", vec![]),
        ("kind=tests.other", vec![second]),
        (&format!("owner=user:{ALICE}"), vec![first]),
        ("lane=tests&limit=1&offset=1", vec![first]),
    ] {
        let list = app.get(&User::Service, &format!("/api/jobs?{query}")).await.json;
        let ids: Vec<_> = list["jobs"].as_array().unwrap().iter().map(|job| job["id"].clone()).collect();
        assert_eq!(ids, found.iter().map(|id| json!(id)).collect::<Vec<_>>(), "{query}");
    }
    assert_eq!(app.get(&User::Service, "/api/jobs?state=gone").await.status, 400);
    for user in [User::Is(ALICE), User::ServiceFor(ALICE), User::Anon] {
        assert_eq!(app.get(&user, "/api/jobs").await.status, 403, "{user:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_do_with_jobs_is_in_the_audit_log() {
    let app = App::start().await;
    let bed = Bed::of(&app).await;
    let id = bed.add(&User::Is(ALICE), json!({})).await;
    let unknown = Uuid::new_v4();
    for (path, status) in [
        (format!("/api/jobs/{id}/retry"), 409),
        (format!("/api/jobs/{unknown}/retry"), 404),
        (format!("/api/jobs/{unknown}/cancel"), 404),
        ("/api/jobs/no-id/cancel".to_owned(), 404),
        (format!("/api/jobs/{id}/cancel"), 200),
    ] {
        let answer = app.post(&User::Service, &path, json!({})).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }
    let host = Host::start(&bed, Work::effects("done")).await;
    bed.is_soon(id, "cancelled").await;
    host.stop().await;
    assert_eq!(app.post(&User::Service, &format!("/api/jobs/{id}/cancel"), json!({})).await.status, 409);
    let retried = app.post(&User::Service, &format!("/api/jobs/{id}/retry"), json!({})).await;
    assert_eq!((retried.status, &retried.json["state"]), (200, &json!("ready")), "{}", retried.text);
    let events = app.get(&User::Service, &format!("/api/audit-events?object=job:{id}")).await.json;
    let events = events["audit_events"].as_array().unwrap().clone();
    let of = |event: &Value| (event["action"].clone(), event["actor"].clone(), event["request_id"].is_string());
    let expected = (json!("job.changed"), json!("service_role"), true);
    assert_eq!(events.iter().map(of).collect::<Vec<_>>(), vec![expected.clone(), expected], "{events:?}");
    assert_eq!(
        (&events[0]["details"]["before"]["state"], &events[0]["details"]["after"]["state"]),
        (&json!("cancelled"), &json!("ready"))
    );
    assert!(events[1]["details"]["after"]["cancel_asked_at"].is_string(), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_lists_cancels_and_retries() {
    let app = App::start().await;
    let bed = Bed::of(&app).await;
    let id = bed.add(&User::Is(ALICE), json!({ "secret": "marker" })).await.to_string();
    let listed = command(&app, &["list", "--lane", "tests", "--json"]);
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    let list: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&list["total"], &list["jobs"][0]["id"]), (&json!(1), &json!(id)));
    assert!(!text(&listed.stdout).contains("marker"));
    let line = text(&command(&app, &["list", "--lane", "tests"]).stdout);
    assert!(line.starts_with(&id) && line.contains("ready") && line.contains(&format!("user:{ALICE}")), "{line}");
    assert_eq!(text(&command(&app, &["list", "--state", "dead", "--lane", "tests"]).stdout), "");
    assert!(!command(&app, &["retry", &id]).status.success(), "it waits");
    let cancelled = command(&app, &["cancel", &id, "--json"]);
    assert!(cancelled.status.success(), "{}", text(&cancelled.stderr));
    let row: Value = serde_json::from_slice(&cancelled.stdout).unwrap();
    assert!(row["cancel_asked_at"].is_string(), "{row}");
    let host = Host::start(&bed, Work::effects("done")).await;
    eventually("a host ends it", async || {
        bed.database.value::<String>("select state from behalf.jobs where lane = 'tests'").await == "cancelled"
    })
    .await;
    host.stop().await;
    assert!(!command(&app, &["cancel", &id]).status.success(), "it has ended");
    let retried = command(&app, &["retry", &id]);
    assert!(retried.status.success() && text(&retried.stderr).contains("waits again"), "{}", text(&retried.stderr));
    let actors = format!("select string_agg(distinct actor, ',') from ai.audit_events where object = 'job:{id}'");
    assert_eq!(app.database.value::<String>(&actors).await, "host");
    assert!(!command(&app, &["retry", &Uuid::new_v4().to_string()]).status.success());
}
