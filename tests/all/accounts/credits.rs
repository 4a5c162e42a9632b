//! Credits: the usage of runs and calls, its price, and refusals where the credits do not suffice.

use std::time::Duration;

use behalf_tests::{ALICE, App, BOB, HostProcess, Options, ScriptedModel, Turn, User, eventually, guests};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const PRICES: &str =
    r#"{"agent_run": 100, "tools": {"echo": 7}, "models": {"openai/scripted": {"input": 1000000, "output": 2000000}}}"#;

async fn with(model: &ScriptedModel, settings: &[(&'static str, &str)]) -> App {
    let mut all = model.settings();
    all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
    App::with(Options { settings: all }).await
}

async fn grant(app: &App, user: Option<Uuid>, amount: i64) -> i64 {
    let answer = app.post(&User::Service, "/api/credits", json!({"user_id": user, "amount": amount})).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json["balance"].as_i64().unwrap()
}

async fn balance(app: &App, user: Uuid) -> i64 {
    app.get(&User::Is(user), "/api/credits").await.json["balance"].as_i64().unwrap()
}

/// Checks that each balance is the sum of its ledger, and that no credits are held for work that has ended.
async fn check_ledgers(app: &App) {
    let wrong: i64 = app
        .database
        .value(
            "select count(*) from ai.credit_accounts a where balance <>
             (select coalesce(sum(amount), 0) from ai.credit_ledger l where l.account = a.account)",
        )
        .await;
    let held: i64 = app.database.value("select count(*) from ai.credit_holds").await;
    assert_eq!((wrong, held), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_charged_once_with_its_tokens_and_tools() {
    let turns = [Turn::Call(vec![("echo", json!({"text": "a"})), ("no_such_tool", json!({}))]), Turn::Say("Done.")];
    let model = ScriptedModel::start(turns).await;
    let app = with(&model, &[("credits", "enforce"), ("prices", PRICES)]).await;
    let agent = app.agent(&["echo"]).await;
    grant(&app, Some(ALICE), 1_000).await;
    let run = app.ask(&User::Is(ALICE), &agent, "hello").await;
    // Two turns with 11 input and 7 output tokens each, one call that succeeded, one run.
    let cost = 100 + 7 + 2 * (11 + 2 * 7);
    assert_eq!((run.status, run.json["usage"]["cost"].as_i64()), (200, Some(cost)), "{}", run.text);
    assert_eq!(balance(&app, ALICE).await, 1_000 - cost);
    let again = app.get(&User::Is(ALICE), &format!("/api/agents/runs/{}", run.json["run_id"].as_str().unwrap())).await;
    assert_eq!(again.json["usage"]["cost"], cost);
    let call = app.call(&User::Is(ALICE), "echo", json!({"text": "a"})).await;
    assert_eq!((call.status, balance(&app, ALICE).await), (200, 1_000 - cost - 7), "{}", call.text);
    let failed = app.call(&User::Is(ALICE), "echo", json!({"txt": "a"})).await;
    assert_eq!((failed.status, balance(&app, ALICE).await), (400, 1_000 - cost - 7));

    let usage = async |user: &User, query: &str| app.get(user, &format!("/api/usage{query}")).await;
    let by_tool = usage(&User::Is(ALICE), "?group_by=tool").await;
    let row = |group: Value| {
        by_tool.json["usage"].as_array().unwrap().iter().find(|row| row["group"] == group).unwrap().clone()
    };
    assert_eq!((row(json!("echo"))["calls"].as_i64(), row(json!("echo"))["cost"].as_i64()), (Some(2), Some(14)));
    assert_eq!(
        (row(Value::Null)["prompt_tokens"].as_i64(), row(Value::Null)["cost"].as_i64()),
        (Some(22), Some(cost - 7))
    );
    let total = usage(&User::Is(ALICE), "").await;
    assert_eq!(
        (total.json["usage"][0]["cost"].as_i64(), total.json["usage"][0]["runs"].as_i64()),
        (Some(cost + 7), Some(1))
    );
    for query in ["?group_by=day", "?group_by=agent", "?group_by=model", "?from=2020-01-01&to=2100-01-01T00:00:00Z"] {
        let answer = usage(&User::Service, query).await;
        let sum: i64 = answer.json["usage"].as_array().unwrap().iter().map(|row| row["cost"].as_i64().unwrap()).sum();
        assert_eq!((answer.status, sum), (200, cost + 7), "{query}: {}", answer.text);
    }
    assert_eq!(usage(&User::Is(ALICE), "?to=2020-01-01").await.json["usage"], json!([]));
    assert_eq!(usage(&User::Is(BOB), "").await.json["usage"], json!([]));
    assert_eq!(usage(&User::Is(BOB), &format!("?user={ALICE}")).await.status, 403);
    assert_eq!(usage(&User::Is(BOB), "?group_by=everything").await.status, 400);
    let bobs = app.get(&User::Is(BOB), "/api/credits").await;
    assert_eq!((bobs.json["balance"].as_i64(), &bobs.json["ledger"]), (Some(0), &json!([])));
    assert_eq!(app.get(&User::Is(BOB), &format!("/api/credits?user_id={ALICE}")).await.status, 403);
    check_ledgers(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_too_little_gets_402_and_who_cannot_be_asked_503() {
    let model = ScriptedModel::start([]).await;
    let app = with(&model, &[("credits", "enforce")]).await;
    let agent = app.agent(&[]).await;
    let refused = app.ask(&User::Is(ALICE), &agent, "hello").await;
    let body = json!({"error": "insufficient_credits", "balance": 0, "estimated_cost": 1_000, "renews_at": null});
    assert_eq!((refused.status, &refused.json), (402, &body));
    let call = app.call(&User::Is(ALICE), "echo", json!({"text": "a"})).await;
    let body = json!({"error": "insufficient_credits", "balance": 0, "estimated_cost": 1, "renews_at": null});
    assert_eq!((call.status, &call.json), (402, &body));
    assert_eq!(app.ask(&User::Service, &agent, "hello").await.status, 200, "the project pays for itself");
    // A refused request leaves nothing behind.
    assert_eq!(app.database.value::<i64>("select count(*) from ai.agent_runs where user_id is not null").await, 0);

    for bad in [json!(0), json!(-5), json!(1.5), json!("5"), json!(i64::MAX), json!(10_000_000_000_001_i64)] {
        let answer = app.post(&User::Service, "/api/credits", json!({"user_id": ALICE, "amount": bad})).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text);
    }
    for user in [User::Is(ALICE), User::ServiceFor(ALICE)] {
        assert_eq!(app.post(&user, "/api/credits", json!({"user_id": ALICE, "amount": 5})).await.status, 403);
    }
    let once = json!({"user_id": ALICE, "amount": 5, "idempotency_key": "invoice-1", "note": "thanks"});
    let granted = join_all((0..10).map(|_| app.post(&User::Service, "/api/credits", once.clone()))).await;
    assert_eq!(granted.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(balance(&app, ALICE).await, 5);
    app.database.execute(&format!("update ai.credit_accounts set balance = {}", i64::MAX)).await;
    let over = app.post(&User::Service, "/api/credits", json!({"user_id": ALICE, "amount": 5})).await;
    assert_eq!(over.status, 400, "a balance does not overflow: {}", over.text);
    app.database.execute("revoke select on ai.credit_accounts from behalf_host").await;
    let closed = app.ask(&User::Is(ALICE), &agent, "hello").await;
    assert_eq!(
        (closed.status, &closed.json),
        (503, &json!({"error": "billing service unreachable; cannot verify balance"}))
    );
    assert_eq!(app.call(&User::Is(ALICE), "echo", json!({"text": "a"})).await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_at_the_same_moment_does_not_spend_the_same_credits() {
    let model = ScriptedModel::start([]).await;
    let settings = [("credits", "enforce"), ("prices", r#"{"agent_run": 1000, "tools": {"*": 10}}"#)];
    let one = with(&model, &settings).await;
    let mut all = model.settings();
    all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let two = App::on(one.database.clone(), Options { settings: all }).await;
    let agent = one.agent(&[]).await;
    grant(&one, Some(ALICE), 3_050).await;
    let hosts = [&one, &two];
    let runs = join_all((0..12).map(|n| hosts[n % 2].ask(&User::Is(ALICE), &agent, "hello"))).await;
    let count = |status: u16| runs.iter().filter(|run| run.status == status).count();
    assert_eq!((count(200), count(402), balance(&one, ALICE).await), (3, 9, 50));
    let calls = join_all((0..12).map(|n| hosts[n % 2].call(&User::Is(ALICE), "echo", json!({"text": "a"})))).await;
    let count = |status: u16| calls.iter().filter(|call| call.status == status).count();
    assert_eq!((count(200), count(402), balance(&one, ALICE).await), (5, 7, 0), "{calls:?}");
    check_ledgers(&one).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_or_is_cancelled_is_not_charged_and_holds_nothing_back() {
    let model = ScriptedModel::start([]).await;
    let app = with(
        &model,
        &[
            ("credits", "enforce"),
            ("credits_account", "project"),
            ("prices", PRICES),
            ("model_default", "builtin/extractive"),
        ],
    )
    .await;
    app.install(guests::HOSTILE, &json!({"limits": {"timeout_ms": 60_000}})).await;
    let agent = app.agent(&["sleep_forever"]).await;
    grant(&app, None, 150).await;
    let path = format!("/api/agents/{agent}/run/stream");
    let begin = async |user: User| {
        let request = app.request(&user, Method::POST, &path).json(&json!({"message": "/sleep_forever {}"}));
        request.send().await.unwrap()
    };
    let first = begin(User::Is(ALICE)).await;
    assert_eq!(first.status(), 200);
    assert_eq!(begin(User::Is(BOB)).await.status(), 402, "all share the project's credits");
    let run: String = app.database.value("select run_id from ai.agent_runs where status = 'running'").await;
    let held: i64 = app.database.value("select sum(amount)::bigint from ai.credit_holds").await;
    assert_eq!(held, 100);
    assert_eq!(app.post(&User::Is(ALICE), &format!("/api/agents/runs/{run}/cancel"), json!({})).await.status, 200);
    check_ledgers(&app).await;
    assert_eq!(app.get(&User::Service, "/api/credits").await.json["balance"], 150);
    let done = app.ask(&User::Is(BOB), &agent, "hello").await;
    assert_eq!((done.status, app.get(&User::Is(BOB), "/api/credits").await.json["balance"].as_i64()), (200, Some(50)));
    let ledger = app.get(&User::Is(ALICE), "/api/credits").await;
    assert_eq!(ledger.json["ledger"], json!([]), "bob's charges are not alice's to read");

    // No role of users can read accounts or write the ledger, even without the host.
    for login in ["behalf_tool_authenticated", "behalf_tool_service"] {
        let mut db = app.database.login(login).await;
        let role = login.trim_start_matches("behalf_tool_").replace("service", "service_role");
        behalf_tests::database::run(&mut db, &format!("set role {role}")).await;
        for sql in [
            "select * from ai.credit_accounts",
            "update ai.credit_accounts set balance = 1000000",
            "insert into ai.credit_ledger (account, amount, kind, idempotency_key, actor) values ('project', 5, 'grant', 'x', 'x')",
            "delete from ai.credit_ledger",
            "delete from ai.credit_holds",
            "update ai.usage set cost = 0",
            "delete from ai.audit_events",
            "select * from ai.idempotency_keys",
            "select ai.lock_and_count_runs(null)",
        ] {
            let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut db).await.expect_err(sql);
            assert!(error.to_string().contains("permission denied"), "{login} {sql}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_nothing_is_charged_and_usage_is_counted_all_the_same() {
    let model = ScriptedModel::start([]).await;
    let app = with(&model, &[]).await;
    let agent = app.agent(&[]).await;
    let run = app.ask(&User::Is(ALICE), &agent, "hello").await;
    assert!(run.json["usage"]["cost"].is_null(), "{}", run.text);
    app.call(&User::Is(ALICE), "echo", json!({"text": "a"})).await;
    let usage = app.get(&User::Is(ALICE), "/api/usage").await;
    let sum = &usage.json["usage"][0];
    assert_eq!(
        (sum["runs"].as_i64(), sum["calls"].as_i64(), sum["prompt_tokens"].as_i64(), sum["cost"].as_i64()),
        (Some(1), Some(1), Some(11), Some(0)),
        "{}",
        usage.text
    );
    assert_eq!(app.database.value::<i64>("select count(*) from ai.credit_ledger").await, 0);
    // The mode `record` charges but refuses nothing, even where the balance falls below zero.
    let mut settings = model.settings();
    settings.extend([("credits", "record".to_owned()), ("prices", PRICES.to_owned())]);
    let app = App::on(app.database.clone(), Options { settings }).await;
    assert_eq!(app.call(&User::Is(ALICE), "echo", json!({"text": "a"})).await.status, 200);
    assert_eq!(balance(&app, ALICE).await, -7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegated_run_that_another_host_ends_is_charged_once_and_allowed_no_more() {
    let calls = vec![("echo", json!({"text": "a"})), ("database_query", json!({"query": "select title from notes"}))];
    let turns = [Turn::Wait(Duration::from_mins(1), "too late"), Turn::Call(calls), Turn::Say("Done.")];
    let model = ScriptedModel::start(turns).await;
    let mut settings = model.settings();
    let prices = r#"{"agent_run": 100, "tools": {"*": 7}}"#.to_owned();
    settings.extend([("credits", "enforce".to_owned()), ("prices", prices), ("run_lease_seconds", "2".to_owned())]);
    let app = App::with(Options { settings: settings.clone() }).await;
    let agent = app.agent(&["echo", "database_query"]).await;
    grant(&app, Some(ALICE), 200).await;
    let made = app.post(&User::Is(ALICE), "/api/delegations", json!({"agent_id": agent, "tools": ["echo"]})).await;
    let service = User::Token(made.json["token"].as_str().unwrap().to_owned());
    let mut other = HostProcess::start(&app.database, &settings).await;
    let request = other.request(&service, Method::POST, &format!("/api/agents/{agent}/run/stream"));
    let _stream = request.json(&json!({"message": "go"})).send().await.unwrap();
    eventually("the model is asked", async || model.requests().len() == 1).await;
    other.kill();
    eventually("another host ends the run", async || {
        app.database.value::<i64>("select count(*) from ai.agent_runs where status = 'completed'").await == 1
    })
    .await;
    assert_eq!(balance(&app, ALICE).await, 200 - 107);
    let run: String = app.database.value("select run_id from ai.agent_runs").await;
    let seen = app.get(&service, &format!("/api/agents/runs/{run}")).await;
    assert_eq!(seen.json["usage"]["cost"].as_i64(), Some(107), "{}", seen.text);
    assert!(!seen.text.contains("tomatoes") && !seen.text.contains("Garden"), "{}", seen.text);
    check_ledgers(&app).await;
}
