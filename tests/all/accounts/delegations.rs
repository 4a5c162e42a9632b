//! Delegations: a service may run the delegated agent as the user, and nothing else.

use behalf_tests::sse::{Event, read_events, read_frame};
use behalf_tests::{ALICE, Answer, App, BOB, Options, ScriptedModel, Turn, User, guests, write_grants};
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

const QUESTION: &str = r#"/database_query {"query": "select title, body from notes order by title"}"#;

/// Alice's delegation: its id, and the service that has its token.
async fn delegate(app: &App, body: Value) -> (String, User) {
    let made = app.post(&User::Is(ALICE), "/api/delegations", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let token = made.json["token"].as_str().unwrap();
    assert!(token.starts_with("bhd_") && token.len() == 47, "{token}");
    (made.json["id"].as_str().unwrap().to_owned(), User::Token(token.to_owned()))
}

async fn ask(app: &App, user: &User, agent: &str, message: &str) -> Answer {
    app.post(user, &format!("/api/agents/{agent}/run"), json!({ "message": message })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_runs_the_agent_as_the_user_and_reaches_nothing_else() {
    let app = App::start().await;
    let mine = app.agent(&["database_query", "echo"]).await;
    let own = ask(&app, &User::Is(ALICE), &mine, QUESTION).await;
    let (id, service) =
        delegate(&app, json!({"agent_id": mine, "tools": ["database_query"], "label": "mail app"})).await;

    let run = ask(&app, &service, &mine, QUESTION).await;
    assert!(run.status == 200 && run.text.contains("tomatoes") && !run.text.contains("brakes"), "{}", run.text);
    let (run_id, session) = (run.json["run_id"].as_str().unwrap(), run.json["session_id"].as_str().unwrap());
    let path = format!("/api/agents/runs/{run_id}");
    assert_eq!(app.get(&service, &path).await.json["actor"], format!("delegation:{id}"));
    assert_eq!(app.get(&User::Is(ALICE), &path).await.json["status"], "completed");
    let events = read_events(app.request(&service, Method::GET, &format!("{path}/events")).send().await.unwrap()).await;
    assert_eq!(events.last().unwrap().name(), "complete");
    let again = json!({"message": "once more", "session_id": session});
    assert_eq!(app.post(&service, &format!("/api/agents/{mine}/run"), again).await.status, 200);

    // The service acts as alice, but cannot read her own runs and sessions.
    let (own_run, own_session) = (own.json["run_id"].as_str().unwrap(), own.json["session_id"].as_str().unwrap());
    for (method, path) in [
        (Method::GET, format!("/api/agents/runs/{own_run}")),
        (Method::GET, format!("/api/agents/runs/{own_run}/events")),
        (Method::POST, format!("/api/agents/runs/{own_run}/cancel")),
    ] {
        assert_eq!(app.send(&service, method, &path, json!({})).await.status, 404, "{path}");
    }
    let foreign = json!({"message": "hi", "session_id": own_session});
    assert_eq!(app.post(&service, &format!("/api/agents/{mine}/run"), foreign).await.status, 404);
    let planted = json!({"message": "hi", "session_id": "of-my-own"});
    assert_eq!(app.post(&service, &format!("/api/agents/{mine}/run"), planted).await.status, 404);

    // Tools that the delegation does not list do not exist for the run, whatever the model asks for.
    let outside = ask(&app, &service, &mine, r#"/echo {"text": "hello"}"#).await;
    assert!(
        outside.status == 200
            && outside.json["tool_calls"]
                .as_array()
                .unwrap()
                .iter()
                .all(|call| call["tool_name"] != "echo" || call["status"] == "error"),
        "{}",
        outside.text
    );
    let calls: i64 = app.database.value("select count(*) from ai.tool_calls where tool = 'echo'").await;
    assert_eq!(calls, 0);

    // Run and audit row name the service; only alice and the service role can read them.
    app.state.caller_db.audit().flush().await;
    let mine: i64 = app
        .database
        .value(&format!("select count(*) from ai.tool_calls where actor = 'delegation:{id}' and user_id = '{ALICE}'"))
        .await;
    assert_eq!(mine, 1);
    let trail = app.get(&User::Is(ALICE), "/api/audit-events").await;
    for action in ["delegation.created", "delegation.used", "run.started"] {
        assert!(trail.text.contains(action), "{action}: {}", trail.text);
    }
    assert!(!app.get(&User::Is(BOB), "/api/audit-events").await.text.contains(&id));
    assert!(app.get(&User::Service, "/api/audit-events").await.text.contains(&id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_opens_no_other_agent_and_no_other_endpoint() {
    let app = App::start().await;
    let (mine, other) = (app.agent(&["database_query"]).await, app.agent(&["database_query"]).await);
    let own = ask(&app, &User::Is(ALICE), &mine, "hi").await;
    let own_session = own.json["session_id"].as_str().unwrap();
    let (id, service) = delegate(&app, json!({ "agent_id": mine })).await;
    let run = ask(&app, &service, &mine, "hi").await;
    let session = run.json["session_id"].as_str().unwrap();
    assert_eq!(ask(&app, &service, &other, QUESTION).await.status, 403);
    let bob = json!({"message": "hi", "act_as_user": BOB});
    assert_eq!(app.post(&service, &format!("/api/agents/{mine}/run"), bob).await.status, 403);
    let acting = app.request(&service, Method::POST, &format!("/api/agents/{mine}/run"));
    let acting = acting.header("x-behalf-act-as", BOB.to_string()).json(&json!({"message": "hi"}));
    assert_eq!(acting.send().await.unwrap().status(), 403);
    for (method, path) in [
        (Method::POST, "/api/delegations".to_owned()),
        (Method::GET, "/api/delegations".to_owned()),
        (Method::GET, format!("/api/delegations/{id}")),
        (Method::DELETE, format!("/api/delegations/{id}")),
        (Method::GET, "/api/tools".to_owned()),
        (Method::POST, "/api/tools/database_query/call".to_owned()),
        (Method::GET, "/api/tool-calls".to_owned()),
        (Method::GET, "/api/audit-events".to_owned()),
        (Method::GET, "/api/agents".to_owned()),
        (Method::PATCH, format!("/api/agents/{mine}")),
        (Method::GET, "/api/plugins".to_owned()),
        (Method::GET, format!("/api/agents/{mine}/sessions")),
        (Method::GET, format!("/api/sessions/{session}")),
        (Method::GET, format!("/api/sessions/{session}/messages")),
        (Method::DELETE, format!("/api/sessions/{own_session}")),
    ] {
        let body = json!({"agent_id": mine, "arguments": {"query": "select 1"}, "name": "x"});
        let answer = app.send(&service, method.clone(), &path, body).await;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_users_own_token_delegates_and_only_the_user_takes_back() {
    let app = App::start().await;
    let agent = app.agent(&[]).await;
    let body = json!({ "agent_id": agent });
    for (user, status) in [(User::Anon, 401), (User::Nobody, 401), (User::Service, 403), (User::ServiceFor(ALICE), 403)]
    {
        assert_eq!(app.post(&user, "/api/delegations", body.clone()).await.status, status, "{user:?}");
    }
    for bad in [
        json!({}),
        json!({"agent_id": "x"}),
        json!({"agent_id": agent, "tools": "echo"}),
        json!({"agent_id": agent, "tools": [1]}),
        json!({"agent_id": agent, "expires_in": 31_536_001}),
        json!({"agent_id": agent, "max_runs": 0}),
        json!({"agent_id": agent, "label": "x".repeat(201)}),
    ] {
        assert_eq!(app.post(&User::Is(ALICE), "/api/delegations", bad.clone()).await.status, 400, "{bad}");
    }
    let nobody = json!({"agent_id": BOB});
    assert_eq!(app.post(&User::Is(ALICE), "/api/delegations", nobody).await.status, 404);

    let (id, service) = delegate(&app, body).await;
    let path = format!("/api/delegations/{id}");
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(app.send(&User::Is(BOB), method, &path, Value::Null).await.status, 404);
    }
    let User::Token(token) = &service else { panic!("a token") };
    for user in [User::Is(ALICE), User::Service] {
        let listed = app.get(&user, "/api/delegations").await;
        assert!(
            listed.text.contains(&id) && !listed.text.contains(token) && !listed.text.contains("sha256"),
            "{}",
            listed.text
        );
    }
    assert_eq!(app.get(&User::Is(BOB), "/api/delegations").await.json["delegations"], json!([]));
    // These only look like the delegation's token: its id, a part of it, another prefix.
    for forged in
        [id.clone(), format!("bhd_{id}"), token[..46].to_owned(), format!("{token}x"), token.replace("bhd_", "")]
    {
        assert_eq!(ask(&app, &User::Token(forged.clone()), &agent, "hi").await.status, 401, "{forged}");
    }
    assert_eq!(ask(&app, &service, &agent, "hi").await.status, 200);
    assert_eq!(app.send(&User::Is(ALICE), Method::DELETE, &path, Value::Null).await.status, 200);
    assert_eq!(ask(&app, &service, &agent, "hi").await.status, 401);
    let (_, short) = delegate(&app, json!({"agent_id": agent, "expires_in": 3600})).await;
    app.database.execute("update ai.delegations set expires_at = now() where revoked_at is null").await;
    assert_eq!(ask(&app, &short, &agent, "hi").await.status, 401);
    let (_, few) = delegate(&app, json!({"agent_id": agent, "max_runs": 2})).await;
    let answers = futures::future::join_all((0..6).map(|_| ask(&app, &few, &agent, "hi"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 2);
    assert_eq!(answers.iter().filter(|answer| answer.status == 403).count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_in_the_middle_of_a_run_holds_from_the_next_tool_call() {
    let turns = [
        Turn::Call(vec![("sql", json!({"sql": "select count(*) from generate_series(1, 3000000)"}))]),
        Turn::Call(vec![("sql", json!({"sql": "select title, body from notes"}))]),
        Turn::Say("That is all."),
    ];
    let model = ScriptedModel::start(turns).await;
    let settings = vec![("model_base_url", model.url.clone()), ("model_default", "openai/scripted".to_owned())];
    let app = App::with(Options { settings }).await;
    app.install(guests::PROBE, &write_grants()).await;
    let agent = app.agent(&["sql"]).await;
    let (id, service) = delegate(&app, json!({ "agent_id": agent })).await;
    let request = app.request(&service, Method::POST, &format!("/api/agents/{agent}/run/stream"));
    let mut body = request.json(&json!({"message": "count"})).send().await.unwrap().bytes_stream();
    let (mut text, mut events, mut revoked) = (String::new(), Vec::<Event>::new(), false);
    while let Some(part) = body.next().await {
        text.push_str(std::str::from_utf8(&part.unwrap()).unwrap());
        while let Some(end) = text.find("\n\n") {
            events.extend(read_frame(&text.drain(..end + 2).collect::<String>()));
        }
        if !revoked && events.iter().any(|event| event.name() == "tool_call") {
            let gone = app.send(&User::Is(ALICE), Method::DELETE, &format!("/api/delegations/{id}"), Value::Null).await;
            assert_eq!(gone.status, 200, "{}", gone.text);
            revoked = true;
        }
    }
    let results: Vec<_> = events.iter().filter(|event| event.name() == "tool_result").collect();
    assert_eq!(results.len(), 2);
    assert!(results[1].data["result"].as_str().unwrap().contains("took back"), "{}", results[1].data);
    assert!(
        !json!(model.requests()).to_string().contains("tomatoes"),
        "a row was read after the delegation was taken back"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_see_who_acts_and_read_no_more_of_the_users_conversations() {
    let app = App::start().await;
    app.install(guests::PROBE, &json!({"database": {"access": "read", "schemas": ["public", "ai"]}})).await;
    let agent = app.agent(&["sql"]).await;
    ask(&app, &User::Is(ALICE), &agent, "my secret question").await;
    let (id, service) = delegate(&app, json!({ "agent_id": agent })).await;
    let sql = |sql: &str| format!("/sql {}", json!({ "sql": sql }));
    let seen =
        ask(&app, &service, &agent, &sql("select auth.jwt() -> 'act' ->> 'sub' as actor, auth.uid() as who")).await;
    assert!(seen.text.contains(&format!("delegation:{id}")) && seen.text.contains(&ALICE.to_string()), "{}", seen.text);
    app.database
        .execute(&format!(
            "insert into ai.run_approvals (run_id, agent_id, user_id, step, call_id, tool_name, tool_input, message, expires_at)
             select run_id, agent_id, user_id, 1, 'c', 't', '{{}}', 'my secret question', now() from ai.agent_runs
             where actor = '{ALICE}'"
        ))
        .await;
    let own = ask(&app, &User::Is(ALICE), &agent, &sql("select message from ai.run_approvals")).await;
    assert!(own.json["tool_calls"][0]["result"].to_string().contains("my secret question"), "{}", own.text);
    for table in ["ai.agent_runs", "ai.agent_sessions", "ai.run_events", "ai.run_approvals"] {
        let read = ask(&app, &service, &agent, &sql(&format!("select * from {table}"))).await;
        let result = read.json["tool_calls"][0]["result"].to_string();
        assert!(
            read.json["tool_calls"][0]["status"] == "success" && !result.contains("my secret question"),
            "{table}: {result}"
        );
    }
    let hash = ask(&app, &User::Is(ALICE), &agent, &sql("select token_sha256 from ai.delegations")).await;
    assert!(hash.text.contains("permission denied for table delegations"), "{}", hash.text);
}

/// The policy that hides approvals from delegations lets a delegation's own run ask for one.
#[tokio::test(flavor = "multi_thread")]
async fn a_delegated_run_waits_for_the_approval_of_its_user() {
    let insert = format!("insert into notes (owner_id, title, body) values ('{ALICE}', 'approved', 'x')");
    let turns = [Turn::Call(vec![("sql", json!({ "sql": insert }))]), Turn::Say("Done.")];
    let model = ScriptedModel::start(turns).await;
    let app = App::with(Options { settings: model.settings() }).await;
    app.install(guests::PROBE, &write_grants()).await;
    let agent = app.agent(&[]).await;
    let assign = json!({"tool_type": "wasm", "tool_name": "sql", "approval": "always"});
    assert_eq!(app.post(&User::Service, &format!("/api/agents/{agent}/tools"), assign).await.status, 201);
    let (_, service) = delegate(&app, json!({ "agent_id": agent })).await;
    let approve = async {
        let run = app.run_that_asks(&User::Is(ALICE), "sql").await;
        app.decide(&User::Is(ALICE), &run, json!({"approved": true})).await;
    };
    let (done, ()) = tokio::join!(ask(&app, &service, &agent, "note it"), approve);
    assert_eq!(done.status, 200, "{}", done.text);
    let noted: i64 = app.database.value("select count(*) from notes where title = 'approved'").await;
    assert_eq!(noted, 1, "{}", done.text);
}

/// Documents are given to runs to read, in the user's name; a run that a delegation begins reads them as every run does.
const READ_BY_RUNS: [&str; 6] =
    ["chunk_words", "chunks", "indexed_sources", "knowledge_bases", "source_pages", "sources"];

/// Tables of `ai` that `authenticated` may read, whole or some columns, and whether each has the restrictive policy.
const READABLE: &str = "
    select coalesce(string_agg(c.relname || ' ' || exists (
        select from pg_policies p
        where p.schemaname = 'ai' and p.tablename = c.relname and p.policyname = 'delegated_sees_its_own'
            and p.permissive = 'RESTRICTIVE' and p.cmd = 'ALL' and p.roles @> '{authenticated,behalf_host}'
            and p.qual like '%act%sub%delegation:%'), ',' order by c.relname), '')
    from pg_class c
    where c.relnamespace = 'ai'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
        and has_any_column_privilege('authenticated', c.oid, 'select')";

#[tokio::test(flavor = "multi_thread")]
async fn every_table_that_users_read_hides_from_a_delegation_what_it_did_not_begin() {
    let database = behalf_tests::TestDatabase::create().await;
    let readable: String = database.value(READABLE).await;
    let tables: Vec<(&str, &str)> = readable.split(',').map(|table| table.split_once(' ').unwrap()).collect();
    for known in ["agent_runs", "delegations", "run_approvals", "tool_calls"].iter().chain(&READ_BY_RUNS) {
        assert!(tables.iter().any(|(table, _)| table == known), "users do not read ai.{known}: {readable}");
    }
    for (table, hides) in tables {
        assert_eq!(
            hides == "true",
            !READ_BY_RUNS.contains(&table),
            "ai.{table}: call behalf.create_delegated_sees_its_own for every table that users read"
        );
    }
    // A new table without the policy would be found.
    database.execute("create table ai.fresh (user_id uuid); grant select (user_id) on ai.fresh to authenticated").await;
    assert!(database.value::<String>(READABLE).await.contains("fresh false"));
}
