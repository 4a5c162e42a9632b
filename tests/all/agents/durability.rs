//! Runs survive the end of their host: another host continues them, and a committed write is not repeated.

use std::time::Duration;

use behalf_tests::sse::read_events;
use behalf_tests::{
    ALICE, App, BOB, HostProcess, Options, ScriptedModel, Turn, User, eventually, guests, write_grants,
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;

/// Seconds of a host's lease. It is short, so that another host soon takes the run over.
const LEASE: &str = "2";

fn settings(model: &ScriptedModel) -> Vec<(&'static str, String)> {
    let mut settings = model.settings();
    settings.push(("run_lease_seconds", LEASE.to_owned()));
    settings
}

fn insert(title: &str) -> Turn {
    let sql = format!("insert into notes (owner_id, title, body) values ('{ALICE}', '{title}', 'once')");
    Turn::Call(vec![("sql", json!({ "sql": sql }))])
}

/// A trigger that makes inserts of this table wait for advisory lock 42.
fn hold_back(table: &str, when: &str) -> String {
    format!(
        "create function public.hold_back() returns trigger language plpgsql security definer as
            $$ begin perform pg_advisory_xact_lock(42); return new; end $$;
         create trigger hold_back before insert on {table} for each row when ({when}) execute function public.hold_back()"
    )
}

/// The number of locks on this database that somebody waits for.
const WAITING: &str = "select count(*) from pg_locks l join pg_database d on d.oid = l.database
    where not l.granted and l.locktype = 'advisory' and d.datname = current_database()";

/// Begins a run on a host without waiting for its end, and returns its id.
async fn begin(host: &HostProcess, agent: &str) -> String {
    let request = host.request(&User::Is(ALICE), Method::POST, &format!("/api/agents/{agent}/run/stream"));
    let mut response = request.json(&json!({"message": "go"})).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let first = response.chunk().await.unwrap().unwrap();
    let data = std::str::from_utf8(&first).unwrap().split("data: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    serde_json::from_str::<Value>(&data).unwrap()["run_id"].as_str().unwrap().to_owned()
}

/// Follows a run to its end as its owner.
async fn follow(app: &App, run: &str) -> Vec<Value> {
    let path = format!("/api/agents/runs/{run}/events");
    let response = app.request(&User::Is(ALICE), Method::GET, &path).send().await.unwrap();
    read_events(response).await.into_iter().map(|event| event.data).collect()
}

fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_mid_tool_loses_its_run_to_another_and_each_write_is_done_once() {
    let model = ScriptedModel::start([insert("first"), insert("second"), Turn::Say("Both are noted.")]).await;
    let app = App::with(Options { settings: settings(&model) }).await;
    app.install(guests::PROBE, &write_grants()).await;
    let agent = app.agent(&["sql"]).await;
    let mut other = HostProcess::start(&app.database, &settings(&model)).await;

    // The second insert waits for a lock when the host dies.
    app.database.execute(&hold_back("public.notes", "new.title = 'second'")).await;
    let mut owner = app.database.owner().await;
    sqlx::query("select pg_advisory_lock(42)").execute(&mut owner).await.unwrap();
    let run = begin(&other, &agent).await;
    eventually("the second insert waits", async || app.database.value::<i64>(WAITING).await > 0).await;
    let events = app.get(&User::Is(ALICE), &format!("/api/agents/runs/{run}")).await;
    assert_eq!(events.json["status"], "running", "{}", events.text);
    other.kill();
    owner.close().await.unwrap();

    // The client follows the run on another host than the one it began on.
    let events = follow(&app, &run).await;
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["status"]), (&json!("complete"), &json!("completed")), "{last}");
    assert!(last["content"].as_str().unwrap().contains("Both are noted."));
    assert_eq!(named(&events, "step_reset").len(), 1, "{events:?}");
    for title in ["first", "second"] {
        let count: i64 = app.database.value(&format!("select count(*) from notes where title = '{title}'")).await;
        assert_eq!(count, 1, "{title}");
    }
    assert_eq!(last["tool_calls"].as_array().unwrap().len(), 2, "{last}");
    assert_eq!(model.requests().len(), 3, "a turn that was written down is not asked for again");
    let left: i64 = app
        .database
        .value("select (select count(*) from ai.run_resume_state) + (select count(*) from ai.run_journal)")
        .await;
    assert_eq!(left, 0, "what another host would have needed is forgotten");
    let seqs: Vec<_> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_committed_but_not_written_down_is_not_repeated() {
    let model = ScriptedModel::start([insert("kept"), Turn::Say("Done.")]).await;
    let app = App::with(Options { settings: settings(&model) }).await;
    app.install(guests::PROBE, &write_grants()).await;
    let agent = app.agent(&["sql"]).await;
    let mut other = HostProcess::start(&app.database, &settings(&model)).await;

    // The host commits the tool's write and then waits: its journal takes no more results.
    app.database.execute(&hold_back("ai.run_journal", "new.entry ->> 'kind' = 'result'")).await;
    let mut owner = app.database.owner().await;
    sqlx::query("select pg_advisory_lock(42)").execute(&mut owner).await.unwrap();
    let run = begin(&other, &agent).await;
    eventually("the write is committed", async || {
        app.database.value::<i64>("select count(*) from notes where title = 'kept'").await == 1
    })
    .await;
    other.kill();
    owner.close().await.unwrap();

    let events = follow(&app, &run).await;
    assert_eq!(events.last().unwrap()["status"], "completed", "{events:?}");
    let count: i64 = app.database.value("select count(*) from notes where title = 'kept'").await;
    assert_eq!(count, 1);
    let results = named(&events, "tool_result");
    assert!(results.last().unwrap()["result"].as_str().unwrap().contains("is saved"), "{results:?}");
    assert!(json!(model.requests()[1]).to_string().contains("Do not repeat it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_wakes_up_after_its_run_was_taken_over_can_write_nothing_more() {
    let model = ScriptedModel::start([insert("paused"), Turn::Say("Done.")]).await;
    let app = App::with(Options { settings: settings(&model) }).await;
    app.install(guests::PROBE, &write_grants()).await;
    let agent = app.agent(&["sql"]).await;
    app.database.execute(&hold_back("public.notes", "true")).await;
    let mut owner = app.database.owner().await;
    sqlx::query("select pg_advisory_lock(42)").execute(&mut owner).await.unwrap();
    let path = format!("/api/agents/{agent}/run/stream");
    let run = app.post(&User::Is(ALICE), &path, json!({"message": "go"}));
    let raise = async {
        eventually("the insert waits", async || app.database.value::<i64>(WAITING).await > 0).await;
        // As another host does when the lease of this one is over.
        app.database.execute("update ai.agent_runs set epoch = epoch + 1, takeovers = 5").await;
        owner.close().await.unwrap();
    };
    let ((), ()) = tokio::join!(raise, async {
        tokio::time::timeout(Duration::from_secs(15), run).await.ok();
    });
    let count: i64 = app.database.value("select count(*) from notes where title = 'paused'").await;
    assert_eq!(count, 0, "the commit was refused: the run belongs to somebody else");
    let status: String = app.database.value("select status from ai.agent_runs").await;
    assert_eq!(status, "failed", "given up after so many hosts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_stopped_leaves_its_runs_to_the_next() {
    let model = ScriptedModel::start([
        Turn::Wait(Duration::from_mins(1), "never heard"),
        Turn::Say("The next host heard this."),
    ])
    .await;
    let app = App::with(Options { settings: settings(&model) }).await;
    let agent = app.agent(&[]).await;
    let mut other = HostProcess::start(&app.database, &settings(&model)).await;
    let run = begin(&other, &agent).await;
    eventually("the model was asked", async || model.requests().len() == 1).await;
    other.terminate();
    let events = follow(&app, &run).await;
    let last = events.last().unwrap();
    assert_eq!((&last["status"], &last["content"]), (&json!("completed"), &json!("The next host heard this.")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_outlives_its_host_and_is_its_users_alone() {
    let model = ScriptedModel::start([insert("agreed"), Turn::Say("Noted.")]).await;
    let app = App::with(Options { settings: settings(&model) }).await;
    app.install(guests::PROBE, &write_grants()).await;
    let agent = app.agent(&[]).await;
    let assign = json!({"tool_type": "wasm", "tool_name": "sql", "approval": "always"});
    assert_eq!(app.post(&User::Service, &format!("/api/agents/{agent}/tools"), assign).await.status, 201);
    let mut other = HostProcess::start(&app.database, &settings(&model)).await;
    let run = begin(&other, &agent).await;
    let path = format!("/api/agents/runs/{run}/approvals");
    eventually("somebody is asked", async || {
        let asked = app.get(&User::Is(ALICE), &path).await;
        asked.json["approvals"][0]["status"] == "pending"
    })
    .await;
    other.kill();
    assert_eq!(app.get(&User::Is(ALICE), &format!("/api/agents/runs/{run}")).await.json["waiting_for"], "approval");
    let approve = format!("/api/agents/runs/{run}/approve");
    for user in [User::Is(BOB), User::ServiceFor(BOB)] {
        assert_eq!(app.post(&user, &approve, json!({"approved": true})).await.status, 404);
        assert_eq!(app.get(&user, &path).await.status, 404);
        assert_eq!(app.get(&user, "/api/approvals").await.json["approvals"], json!([]));
    }
    assert_eq!(app.post(&User::Is(ALICE), &approve, json!({"approved": "yes"})).await.status, 400);
    let none: i64 = app.database.value("select count(*) from notes where title = 'agreed'").await;
    assert_eq!(none, 0, "nothing happens before somebody agrees");
    let approved = app.post(&User::Is(ALICE), &approve, json!({"approved": true})).await;
    assert_eq!((approved.status, &approved.json["status"]), (200, &json!("resumed")), "{}", approved.text);
    assert_eq!(
        app.post(&User::Is(ALICE), &approve, json!({"approved": false})).await.status,
        404,
        "decided is decided"
    );
    let events = follow(&app, &run).await;
    assert_eq!(events.last().unwrap()["status"], "completed", "{events:?}");
    let asked = named(&events, "approval_requested");
    assert!(
        !asked.is_empty() && asked.iter().all(|event| event["approval_id"] == asked[0]["approval_id"]),
        "{asked:?}"
    );
    let rows: i64 = app.database.value("select count(*) from ai.run_approvals").await;
    assert_eq!(rows, 1, "asked once");
    assert_eq!(named(&events, "approval_resolved")[0]["approved"], true);
    let count: i64 = app.database.value("select count(*) from notes where title = 'agreed'").await;
    assert_eq!(count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_host_would_need_is_out_of_every_tools_reach() {
    let app = App::start().await;
    for login in ["behalf_tool_anon", "behalf_tool_authenticated", "behalf_tool_service"] {
        let mut conn = app.database.login(login).await;
        let role = login.trim_start_matches("behalf_tool_").replace("service", "service_role");
        sqlx::query(sqlx::AssertSqlSafe(format!("set role {role}"))).execute(&mut conn).await.unwrap();
        for table in ["run_resume_state", "run_journal"] {
            let read = sqlx::query(sqlx::AssertSqlSafe(format!("select * from ai.{table}"))).execute(&mut conn).await;
            assert!(read.is_err(), "{login} reads ai.{table}");
        }
    }
}

/// The database is not where a caller comes from: whoever can write to it, but does not have the project's secrets, makes none.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_stored_caller_was_changed_is_not_resumed() {
    let model = ScriptedModel::start([Turn::Hang("wait"), Turn::Say("resumed")]).await;
    let app = App::with(Options { settings: settings(&model) }).await;
    let agent = app.agent(&[]).await;
    let database = app.stop().await;
    let mut host = HostProcess::start(&database, &settings(&model)).await;
    let run = begin(&host, &agent).await;
    eventually("the model is asked", async || model.requests().len() == 1).await;
    host.kill();
    let raise = r#"update ai.run_resume_state set identity = jsonb_set(identity, '{principal}', to_jsonb(
        '{"role": "service_role", "sub": null, "claims": "{\"role\":\"service_role\"}", "exp": null, "acting": false, "delegation": null}'::text))"#;
    database.execute(raise).await;
    // It is given up after five hosts.
    database.execute("update ai.agent_runs set takeovers = 3").await;
    let app = App::on(database, Options { settings: settings(&model) }).await;
    let path = format!("/api/agents/runs/{run}");
    eventually("the run is given up", async || app.get(&User::Is(ALICE), &path).await.json["status"] == "failed").await;
    assert_eq!(model.requests().len(), 1, "nobody went on in another name");
}
