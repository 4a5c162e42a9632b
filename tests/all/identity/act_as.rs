//! What a service that acts for a user is told of the user: from the request, the project's users, or the latest token.

use behalf_tests::tenants::{TITLES, member, now, with_claims};
use behalf_tests::{ALICE, Answer, App, BOB, Options, TestDatabase, User};
use reqwest::Method;
use serde_json::{Value, json};

async fn app() -> App {
    App::on(TestDatabase::create().await.with_tenants().await, Options::default()).await
}

/// The projects that the service sees for alice, with these claims in the header.
async fn with_header(app: &App, claims: &str) -> Answer {
    let request = app.request(&User::ServiceFor(ALICE), Method::POST, "/api/tools/database_query/call");
    let request = request.header("x-behalf-act-as-claims", claims).json(&json!({"arguments": {"query": TITLES}}));
    Answer::of(request.send().await.unwrap()).await
}

/// The source of the claims that the newest use of act-as had.
async fn source(app: &App) -> String {
    let newest =
        "select details ->> 'claims' from ai.audit_events where action = 'act_as.used' order by id desc limit 1";
    app.database.value(newest).await
}

fn blue() -> Value {
    json!({"app_metadata": {"tenant": "blue"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_says_of_the_user_comes_first() {
    let app = app().await;
    app.database
        .execute(&format!(
            "insert into auth.users (id, raw_app_meta_data) values ('{ALICE}', '{{\"tenant\": \"red\"}}')"
        ))
        .await;
    assert_eq!(app.projects(&member(ALICE, "red", now())).await, "Red fox");
    let answer = with_header(&app, &blue().to_string()).await;
    assert_eq!(answer.result()[0]["titles"], "Blue whale", "{}", answer.text);
    assert_eq!(source(&app).await, "request");
    let answer = with_header(&app, "{}").await;
    assert_eq!(answer.result()[0]["titles"], "none", "nothing is added to what the service says");

    let agent = app.agent(&["database_query"]).await;
    let message = format!("/database_query {}", json!({ "query": TITLES }));
    let body = json!({"message": message, "act_as_user": ALICE, "act_as_claims": blue()});
    let run = app.post(&User::Service, &format!("/api/agents/{agent}/run"), body).await;
    assert!(run.text.contains("Blue whale") && !run.text.contains("Red fox"), "{}", run.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_projects_own_users_come_before_the_latest_token() {
    let app = app().await;
    assert_eq!(app.projects(&member(ALICE, "red", now())).await, "Red fox");
    app.database
        .execute(&format!(
            "insert into auth.users (id, email, encrypted_password, raw_app_meta_data, raw_user_meta_data)
             values ('{ALICE}', 'alice@example.com', 'a hash', '{{\"tenant\": \"blue\"}}', '{{\"name\": \"Alice\"}}')"
        ))
        .await;
    assert_eq!(app.projects(&User::ServiceFor(ALICE)).await, "Blue whale");
    assert_eq!(source(&app).await, "auth.users");
    let claims = "select auth.jwt() ->> 'email' as email, auth.jwt() -> 'user_metadata' ->> 'name' as name, auth.jwt()::text as whole";
    let seen = app.call(&User::ServiceFor(ALICE), "database_query", json!({ "query": claims })).await;
    let row = &seen.result()[0];
    assert_eq!((&row["email"], &row["name"]), (&json!("alice@example.com"), &json!("Alice")), "{}", seen.text);
    assert!(!seen.text.contains("a hash"), "{}", seen.text);
    // What changes in the table holds from the next request.
    app.database.execute("update auth.users set raw_app_meta_data = null").await;
    assert_eq!(app.projects(&User::ServiceFor(ALICE)).await, "none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_banned_or_gone_has_no_claims_left() {
    let app = app().await;
    assert_eq!(app.projects(&member(ALICE, "blue", now())).await, "Blue whale");
    assert_eq!(
        app.projects(&User::ServiceFor(ALICE)).await,
        "Blue whale",
        "tokens of other issuers name users whom the host's own table never had"
    );
    assert_eq!(source(&app).await, "token");
    app.database
        .execute(&format!(
            "insert into auth.users (id, raw_app_meta_data) values ('{ALICE}', '{{\"tenant\": \"blue\"}}')"
        ))
        .await;
    assert_eq!(app.projects(&User::ServiceFor(ALICE)).await, "Blue whale");
    for (change, seen) in [
        ("banned_until = now() + interval '1 day'", "none"),
        ("banned_until = now() - interval '1 day'", "Blue whale"),
        ("banned_until = 'infinity'", "none"),
        ("banned_until = null, deleted_at = now()", "none"),
    ] {
        app.database.execute(&format!("update auth.users set {change}")).await;
        assert_eq!(app.projects(&User::ServiceFor(ALICE)).await, seen, "{change}");
    }
    app.database.execute("delete from auth.users").await;
    assert_eq!(app.projects(&User::ServiceFor(ALICE)).await, "none", "who was deleted is gone");
    assert_eq!(source(&app).await, "none");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_projects_own_table_whoever_is_missing_is_gone() {
    let database = TestDatabase::with_users_of_its_own().await.with_tenants().await;
    let theirs = "select value from behalf.decisions where name = 'auth_tables'";
    assert_eq!(database.value::<String>(theirs).await, "theirs");
    let app = App::on(database, Options { settings: vec![("auth", "off".to_owned())] }).await;
    assert_eq!(app.projects(&member(ALICE, "blue", now())).await, "Blue whale");
    assert_eq!(app.projects(&User::ServiceFor(ALICE)).await, "none");
    let row = format!("insert into auth.users (id, raw_app_meta_data) values ('{ALICE}', '{{\"tenant\": \"red\"}}')");
    app.database.execute(&row).await;
    assert_eq!(app.projects(&User::ServiceFor(ALICE)).await, "Red fox");
    assert_eq!(source(&app).await, "auth.users");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_token_counts_until_it_is_too_old() {
    let app = app().await;
    assert_eq!(app.projects(&User::ServiceFor(ALICE)).await, "none", "the host has not seen alice yet");
    assert_eq!(app.projects(&member(ALICE, "blue", now())).await, "Blue whale");
    assert_eq!(app.projects(&User::ServiceFor(ALICE)).await, "Blue whale");
    assert_eq!(source(&app).await, "token");
    assert_eq!(app.projects(&User::ServiceFor(BOB)).await, "none");
    app.database.execute("update ai.verified_claims set issued_at = issued_at - interval '1 hour'").await;
    assert_eq!(app.projects(&User::ServiceFor(ALICE)).await, "none");
    app.state.web.claims.prune().await.unwrap();
    assert_eq!(app.database.value::<i64>("select count(*) from ai.verified_claims").await, 0);

    // A token that was issued too long ago is not kept at all, and with 0 none is.
    assert_eq!(app.projects(&member(BOB, "red", now() - 3_601)).await, "Red fox");
    assert_eq!(app.projects(&User::ServiceFor(BOB)).await, "none");
    let never =
        App::on(app.database.clone(), Options { settings: vec![("act_as_claims_seconds", "0".to_owned())] }).await;
    assert_eq!(never.projects(&member(ALICE, "red", now())).await, "Red fox");
    assert_eq!(never.projects(&User::ServiceFor(ALICE)).await, "none");
    assert_eq!(app.database.value::<i64>("select count(*) from ai.verified_claims").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_token_does_not_bring_back_what_a_later_one_took() {
    let app = app().await;
    let (before, after) = (member(ALICE, "blue", now() - 100), with_claims(ALICE, &json!({"iat": now() - 50})));
    for host in [&app, &App::on(app.database.clone(), Options::default()).await] {
        assert_eq!(app.projects(&after).await, "none");
        assert_eq!(host.projects(&before).await, "Blue whale", "the token itself is still valid");
        assert_eq!(host.projects(&User::ServiceFor(ALICE)).await, "none");
    }
    // Nor does a clock that runs ahead make its tokens the latest for ever.
    assert_eq!(app.projects(&member(ALICE, "red", now() + 50)).await, "Red fox");
    let kept = "select issued_at <= now() from ai.verified_claims";
    assert!(app.database.value::<bool>(kept).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_raise_nobody_and_only_the_service_role_sends_them() {
    let app = app().await;
    let raising = json!({
        "sub": BOB, "role": "service_role", "aud": "other", "is_service_role": true, "act": {"sub": "x"},
        "app_metadata": {"tenant": "blue"}, "note": "O'Brien'; reset role; --", "nul": "a\u{0}b", "umlaut": "\u{fc}",
    });
    let escaped = raising.to_string().replace('\u{fc}', "\\u00fc");
    let answer = with_header(&app, &escaped).await;
    assert_eq!(answer.result()[0]["titles"], "Blue whale", "{}", answer.text);
    let request = app.request(&User::ServiceFor(ALICE), Method::POST, "/api/tools/database_query/call");
    let query = "select auth.uid() as uid, auth.role() as role, auth.jwt() ->> 'aud' as aud,
        auth.jwt() -> 'act' ->> 'sub' as actor, auth.jwt() ->> 'umlaut' as umlaut, (auth.jwt() -> 'is_service_role') is null as plain";
    let request = request.header("x-behalf-act-as-claims", &escaped).json(&json!({"arguments": {"query": query}}));
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(
        answer.result()[0],
        json!({"uid": ALICE, "role": "authenticated", "aud": "authenticated",
            "actor": "service_role", "umlaut": "\u{fc}", "plain": true})
    );
    for bad in ["", "[]", "\"text\"", "{", &json!({"x": "y".repeat(17_000)}).to_string()] {
        let answer = with_header(&app, bad).await;
        assert_eq!(answer.status, 400, "{bad:.20}: {}", answer.text);
    }
    let agent = app.agent(&[]).await;
    let run = format!("/api/agents/{agent}/run");
    for (user, body, status) in [
        (User::Service, json!({"message": "hi", "act_as_claims": {}}), 400),
        (User::Service, json!({"message": "hi", "act_as_user": ALICE, "act_as_claims": []}), 400),
        (User::Is(ALICE), json!({"message": "hi", "act_as_user": ALICE, "act_as_claims": {}}), 403),
        (User::Is(ALICE), json!({"message": "hi", "act_as_claims": {}}), 400),
    ] {
        assert_eq!(app.post(&user, &run, body.clone()).await.status, status, "{user:?} {body}");
    }
    for (user, acts, status) in
        [(User::Service, false, 400), (User::Is(ALICE), false, 400), (User::Is(ALICE), true, 403)]
    {
        let mut request = app.request(&user, Method::GET, "/api/tools").header("x-behalf-act-as-claims", "{}");
        if acts {
            request = request.header("x-behalf-act-as", ALICE.to_string());
        }
        assert_eq!(request.send().await.unwrap().status(), status, "{user:?}");
    }
}
