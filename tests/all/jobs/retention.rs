//! What grows is deleted after the time that an operator set, and nothing sooner.

use std::time::Duration;

use behalf_queue::{NewJob, WorkerOptions};
use behalf_tests::{ALICE, App, BOB, Options, User, eventually};
use serde_json::json;

use super::bed::{Bed, Host, Work, job, options};

/// Lets all clearing be due.
const DUE: &str = "update behalf.schedules set next_at = now()";

async fn host(settings: &[(&'static str, &str)]) -> App {
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    App::with(Options { settings }).await
}

async fn count(app: &App, sql: &str) -> i64 {
    app.database.value(sql).await
}

/// Lets the work of this kind be done, and returns once it has been.
async fn cleared(app: &App, kind: &str) {
    let last = format!("select last_at::text from behalf.schedules where kind = '{kind}'");
    let left = format!("select count(*) from behalf.jobs where kind = '{kind}'");
    let begun = format!("select count(*) from behalf.schedules where kind = '{kind}' and last_at is not null");
    eventually("it was done at the start", async || count(app, &begun).await == 1 && count(app, &left).await == 0)
        .await;
    let before: String = app.database.value(&last).await;
    app.database.execute(DUE).await;
    eventually("it is done", async || {
        app.database.value::<String>(&last).await != before && count(app, &left).await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_jobs_and_owners_without_jobs_go_after_their_time() {
    let bed = Bed::new().await;
    let alice = User::Is(ALICE);
    let (old, young) = (bed.add(&alice, json!({})).await, bed.add(&alice, json!({})).await);
    let waits = bed.add_new(&User::Is(BOB), &NewJob { delay: Duration::from_hours(9), ..job() }).await.id();
    for id in [old, young] {
        bed.cancel(&alice, id).await;
    }
    bed.database
        .execute(&format!(
            "update behalf.jobs set ended_at = now() - interval '8 days' where id = '{old}';
             update behalf.jobs set ended_at = now() - interval '6 days' where id = '{young}';
             update behalf.job_owners set served_at = now() - interval '2 hours';
             insert into behalf.job_owners (lane, owner, ready, served_at) values ('x', 'user:x', 1, now() - interval '2 hours')"
        ))
        .await;
    let kept = WorkerOptions { kept_ended: Some(Duration::from_hours(7 * 24)), ..options() };
    let _host = Host::with(&bed, kept, 2, |workers| workers.handle(Work::effects("done"))).await;
    eventually("the old one goes", async || bed.of_job(old, "state").await == "gone").await;
    eventually("the owner without jobs goes", async || {
        bed.count("select count(*) from behalf.job_owners where lane = 'tests'").await == 0
    })
    .await;
    assert_eq!(
        (bed.of_job(young, "state").await, bed.of_job(waits, "state").await),
        ("cancelled".into(), "delayed".into())
    );
    assert_eq!(bed.count("select count(*) from behalf.job_owners where lane = 'x'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pieces_of_old_answers_go_and_what_their_runs_show_stays() {
    let app = host(&[("retention_events", "30")]).await;
    let agent =
        app.post(&User::Service, "/api/agents", json!({ "name": "helper", "model": "builtin/extractive" })).await;
    let run = format!("/api/agents/{}/run", agent.json["id"].as_str().unwrap());
    let begin = async || {
        let answer = app.post(&User::Is(ALICE), &run, json!({ "message": "What is a marker?" })).await;
        answer.json["run_id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
    };
    let (old, young) = (begin().await, begin().await);
    let pieces = |run: &str| {
        format!(
            "select count(*) from ai.run_events where run_id = '{run}' and event ->> 'event' in ('content_delta', 'reasoning_delta', 'tool_progress', 'tool_partial')"
        )
    };
    assert!(count(&app, &pieces(&old)).await > 0, "there is something to delete");
    let before = app.get(&User::Is(ALICE), &format!("/api/agents/runs/{old}")).await;
    let age = format!("update ai.agent_runs set completed_at = now() - interval '31 days' where run_id = '{old}'");
    app.database.execute(&age).await;
    cleared(&app, "prune-run-events").await;
    assert_eq!(count(&app, &pieces(&old)).await, 0);
    assert!(count(&app, &pieces(&young)).await > 0);
    let after = app.get(&User::Is(ALICE), &format!("/api/agents/runs/{old}")).await;
    for shown in ["content", "events", "status", "output_messages"] {
        assert_eq!(before.json[shown], after.json[shown], "{shown}");
    }
    // A client that reads the stream again gets what is left, and its end.
    let stream = app.get(&User::Is(ALICE), &format!("/api/agents/runs/{old}/events")).await;
    assert!(stream.status == 200 && stream.text.contains("complete"), "{}", stream.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_nobody_uses_go_as_a_whole_only_where_an_operator_says_so() {
    let app = host(&[("retention_runs", "90")]).await;
    let agent =
        app.post(&User::Service, "/api/agents", json!({ "name": "helper", "model": "builtin/extractive" })).await;
    let run = format!("/api/agents/{}/run", agent.json["id"].as_str().unwrap());
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let answer = app.post(&User::Is(ALICE), &run, json!({ "message": "hello" })).await;
        sessions.push(answer.json["session_id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned());
    }
    let old = "now() - interval '91 days'";
    app.database
        .execute(&format!(
            "update ai.agent_runs set completed_at = {old} where session_id in ('{0}', '{2}');
             update ai.agent_sessions set updated_at = {old} where session_id in ('{0}', '{1}', '{2}');
             update ai.agent_runs set status = 'running', completed_at = null, lease_until = now() + interval '1 hour' where session_id = '{2}'",
            sessions[0], sessions[1], sessions[2]
        ))
        .await;
    cleared(&app, "prune-runs").await;
    let left: String =
        app.database.value("select string_agg(session_id, ',' order by created_at) from ai.agent_sessions").await;
    // One has a run that ended later, and one is being worked on.
    assert_eq!(left, format!("{},{}", sessions[1], sessions[2]));
    assert_eq!(
        count(&app, &format!("select count(*) from ai.agent_runs where session_id = '{}'", sessions[0])).await,
        0
    );
    drop(app);
    let forever = host(&[]).await;
    eventually("the work has its times", async || count(&forever, "select count(*) from behalf.schedules").await > 3)
        .await;
    let kinds = "select count(*) from behalf.schedules where kind in ('prune-runs', 'prune-usage')";
    assert_eq!(count(&forever, kinds).await, 0, "runs and usage are kept for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_kept_unless_an_operator_says_so_and_a_day_at_least() {
    let app = host(&[("retention_audit", "30")]).await;
    let call = app.call(&User::Is(ALICE), "database_query", json!({ "query": "select 1" })).await;
    assert_eq!(call.status, 200, "{}", call.text);
    assert!(!app.audit().await.is_empty());
    app.database
        .execute(
            "insert into ai.tool_calls (call_id, actor, role, tool, arguments_sha256, started_at, outcome)
                 select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'x', 'authenticated', 'x', '', now() - interval '31 days', 'ok'
                 from generate_series(1, 12000) n;
             insert into ai.audit_events (id, occurred_at, action, actor) overriding system value
                 select -n, now() - interval '31 days', 'test.made', 'host' from generate_series(1, 12000) n",
        )
        .await;
    let young = (
        count(&app, "select count(*) from ai.tool_calls where started_at > now() - interval '1 day'").await,
        count(&app, "select count(*) from ai.audit_events where id > 0").await,
    );
    cleared(&app, "prune-audit").await;
    assert_eq!(count(&app, "select count(*) from ai.tool_calls").await, young.0);
    assert!(count(&app, "select count(*) from ai.audit_events").await >= young.1);
    assert_eq!(count(&app, "select count(*) from ai.audit_events where id < 0").await, 0);
    // Whoever has the host's login cannot hide what was done today.
    let mut login = app.database.login(&app.database.logins.host()).await;
    behalf_tests::database::run(
        &mut login,
        "select behalf.prune_tool_calls(0, null, 1000000); select behalf.prune_tool_calls(-5, null, 1000000);
         select behalf.prune_audit_events(-5, null, 1000000)",
    )
    .await;
    assert_eq!(count(&app, "select count(*) from ai.tool_calls").await, young.0);
    for table in ["ai.tool_calls", "ai.audit_events"] {
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("delete from {table}"))).execute(&mut login).await;
        assert!(refused.is_err(), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_the_audit_log_is_kept_where_nobody_said_otherwise() {
    let app = host(&[]).await;
    app.database
        .execute(
            "insert into ai.tool_calls (call_id, actor, role, tool, arguments_sha256, started_at, outcome)
                 select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'x', 'authenticated', 'x', '',
                        now() - make_interval(days => 367 - n), 'ok'
                 from generate_series(1, 4) n",
        )
        .await;
    cleared(&app, "prune-audit").await;
    let left = "select count(*) from ai.tool_calls where tool = 'x'";
    assert_eq!(count(&app, left).await, 2, "of 366, 365, 364 and 363 days");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_goes_after_its_time_while_calls_go_on_and_a_month_of_it_never() {
    let app = host(&[("retention_usage", "40"), ("rate_limit_user", "0")]).await;
    app.database
        .execute(
            "insert into ai.usage (run_id, actor, agent_id, occurred_at)
                 select 'run_old' || n, 'x', gen_random_uuid(), now() - interval '41 days' from generate_series(1, 22000) n;
             insert into ai.usage (run_id, actor, agent_id, occurred_at)
                 select 'run_young' || n, 'x', gen_random_uuid(), now() - interval '39 days' from generate_series(1, 10) n",
        )
        .await;
    // What is deleted holds nobody up: calls are answered all the while.
    let stop = std::sync::atomic::AtomicBool::new(false);
    let calls = async {
        let mut longest = Duration::ZERO;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let began = std::time::Instant::now();
            let call = app.call(&User::Is(ALICE), "database_query", json!({ "query": "select 1" })).await;
            assert_eq!(call.status, 200, "{}", call.text);
            longest = longest.max(began.elapsed());
        }
        longest
    };
    let clear = async {
        cleared(&app, "prune-usage").await;
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let (longest, ()) = futures::join!(calls, clear);
    assert!(longest < Duration::from_secs(3), "a call waited for {longest:?}");
    let left =
        async |kind: &str| count(&app, &format!("select count(*) from ai.usage where run_id like 'run_{kind}%'")).await;
    assert_eq!((left("old").await, left("young").await), (0, 10));
    // Whoever has the host's login cannot hide what was used this month.
    let mut login = app.database.login(&app.database.logins.host()).await;
    behalf_tests::database::run(&mut login, "select behalf.prune_usage(0, 1000000)").await;
    app.database.execute("update ai.usage set occurred_at = now() - interval '30 days'").await;
    behalf_tests::database::run(&mut login, "select behalf.prune_usage(-5, 1000000)").await;
    let refused = sqlx::raw_sql("delete from ai.usage").execute(&mut login).await;
    assert!(refused.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_idempotent_requests_are_kept_as_long_as_the_operator_says() {
    let app = host(&[("retention_idempotency", "3")]).await;
    let agent = app.post(&User::Service, "/api/agents", json!({ "name": "helper" })).await.json["id"].clone();
    let send = async |key: &str| {
        let request = app.request(&User::Is(ALICE), reqwest::Method::POST, "/api/delegations");
        let request = request.header("idempotency-key", key).json(&json!({ "agent_id": agent }));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.headers().contains_key("idempotency-replayed"))
    };
    assert_eq!((send("old").await, send("young").await), ((201, false), (201, false)));
    let age = "update ai.idempotency_keys set created_at = now() - case when scope = (select scope from ai.idempotency_keys order by scope limit 1)
        then interval '4 days' else interval '2 days' end";
    app.database.execute(age).await;
    cleared(&app, "prune-idempotency-keys").await;
    assert_eq!(count(&app, "select count(*) from ai.idempotency_keys").await, 1);
    let replayed = [send("old").await.1, send("young").await.1];
    assert_eq!(replayed.iter().filter(|replayed| **replayed).count(), 1, "one is forgotten, one is not");
}
