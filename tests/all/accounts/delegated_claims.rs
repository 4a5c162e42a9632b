//! Claims of delegations: the service is told of the user what the user's own token said, and never more.

use behalf_tests::tenants::{TITLES, member, now, with_claims};
use behalf_tests::{ALICE, App, Options, TestDatabase, User, guests};
use serde_json::json;

async fn delegate(app: &App, user: &User, agent: &str) -> User {
    let made = app.post(user, "/api/delegations", json!({ "agent_id": agent })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(made.json.get("claims").is_none(), "{}", made.text);
    User::Token(made.json["token"].as_str().unwrap().to_owned())
}

/// The result of the agent's query, as it is run by this caller.
async fn read(app: &App, user: &User, agent: &str, sql: &str) -> String {
    let run = app.ask(user, agent, &format!("/database_query {}", json!({ "query": sql }))).await;
    assert_eq!(run.status, 200, "{}", run.text);
    run.json["tool_calls"][0]["result"].as_str().unwrap_or(&run.text).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_sees_what_its_users_claims_show() {
    let app = App::on(TestDatabase::create().await.with_tenants().await, Options::default()).await;
    let agent = app.agent(&["database_query"]).await;
    let raising = json!({
        "app_metadata": {"tenant": "blue"}, "role": "service_role", "is_service_role": true, "act": {"sub": "nobody"},
        "email": "alice@example.com",
    });
    let service = delegate(&app, &with_claims(ALICE, &raising), &agent).await;
    let seen = read(&app, &service, &agent, TITLES).await;
    assert!(seen.contains("Blue whale") && !seen.contains("Red fox"), "{seen}");
    let identity = "select auth.uid() as uid, auth.role() as role, auth.jwt() ->> 'email' as email,
        auth.jwt() -> 'act' ->> 'sub' as actor, (auth.jwt() -> 'is_service_role') is not null as raised";
    let seen = read(&app, &service, &agent, identity).await;
    for part in [&ALICE.to_string(), "authenticated", "alice@example.com", "delegation:"] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    assert!(!seen.contains("service_role") && !seen.contains("true") && !seen.contains("nobody"), "{seen}");
    // Nobody reads them from the table: not the user, not the service role.
    app.install(guests::PROBE, &json!({"database": {"access": "read", "schemas": ["public", "ai"]}})).await;
    for (user, sql) in [
        (User::Is(ALICE), "select claims from ai.delegations"),
        (User::Service, "select claims from ai.delegations"),
        (User::Is(ALICE), "select claims from ai.verified_claims"),
        (User::Service, "select claims from ai.verified_claims"),
    ] {
        let answer = app.sql(&user, sql).await;
        assert!(answer.text.contains("permission denied"), "{user:?} {sql}: {}", answer.text);
    }
    // A service that acts for a user without claims is told none.
    let bare = delegate(&app, &with_claims(ALICE, &json!({})), &agent).await;
    assert!(read(&app, &bare, &agent, TITLES).await.contains("none"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_claims_follow_the_users_later_token_and_no_earlier_one() {
    let app = App::on(TestDatabase::create().await.with_tenants().await, Options::default()).await;
    let agent = app.agent(&["database_query"]).await;
    let (first, later) = (member(ALICE, "blue", now() - 200), member(ALICE, "red", now() - 100));
    let earliest = member(ALICE, "blue", now() - 300);
    let service = delegate(&app, &first, &agent).await;
    assert_eq!(app.ask(&earliest, &agent, "hi").await.status, 200);
    assert!(read(&app, &service, &agent, TITLES).await.contains("Blue whale"));
    // The user moves to another tenant, and begins a run.
    assert_eq!(app.ask(&later, &agent, "hi").await.status, 200);
    for _ in 0..2 {
        let seen = read(&app, &service, &agent, TITLES).await;
        assert!(seen.contains("Red fox") && !seen.contains("Blue whale"), "{seen}");
        // The old token is still valid for its holder. It does not bring the old tenant back.
        assert_eq!(app.ask(&first, &agent, "hi").await.status, 200);
    }
    // What the service role says for a run of its own is no word of the user's.
    let body = json!({"message": "hi", "act_as_user": ALICE, "act_as_claims": {"app_metadata": {"tenant": "blue"}}});
    assert_eq!(app.post(&User::Service, &format!("/api/agents/{agent}/run"), body).await.status, 200);
    assert!(read(&app, &service, &agent, TITLES).await.contains("Red fox"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_token_makes_no_delegation_with_claims_that_a_later_one_no_longer_has() {
    let app = App::on(TestDatabase::create().await.with_tenants().await, Options::default()).await;
    let agent = app.agent(&["database_query"]).await;
    let (old, later) = (member(ALICE, "blue", now() - 200), member(ALICE, "red", now() - 100));
    let made_before = delegate(&app, &old, &agent).await;
    assert!(read(&app, &made_before, &agent, TITLES).await.contains("Blue whale"));
    // The user is seen with a later token, and begins no run with it.
    assert_eq!(app.get(&later, "/api/tools").await.status, 200);
    let made_after = delegate(&app, &old, &agent).await;
    for service in [&made_before, &made_after] {
        let seen = read(&app, service, &agent, TITLES).await;
        assert!(seen.contains("Red fox") && !seen.contains("Blue whale"), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_delegation_of_a_banned_user_rests_until_the_ban_ends() {
    let app = App::on(TestDatabase::create().await.with_tenants().await, Options::default()).await;
    app.database.execute(&format!("insert into auth.users (id) values ('{ALICE}')")).await;
    let agent = app.agent(&["database_query"]).await;
    let service = delegate(&app, &member(ALICE, "blue", now()), &agent).await;
    assert!(read(&app, &service, &agent, TITLES).await.contains("Blue whale"));
    let counter = "select use_count from ai.delegations";
    let used: i64 = app.database.value(counter).await;
    app.database.execute("update auth.users set banned_until = now() + interval '1 day'").await;
    for _ in 0..3 {
        let refused = app.ask(&service, &agent, "hi").await;
        assert_eq!(refused.status, 401, "{}", refused.text);
        assert!(refused.text.contains("suspended"), "{}", refused.text);
    }
    assert_eq!(app.database.value::<i64>(counter).await, used, "a refused use is none");
    app.database.execute("update auth.users set banned_until = null").await;
    assert!(read(&app, &service, &agent, TITLES).await.contains("Blue whale"));
    app.database.execute("delete from auth.users").await;
    assert_eq!(app.ask(&service, &agent, "hi").await.status, 401);
}
