//! Wall 1, construction, alone: a guest cannot choose its identity. In these databases PUBLIC has every right, so a changed
//! identity would be enough to read Bob's rows.

use std::path::{Path, PathBuf};

use behalf_tests::{ALICE, App, BOB, Options, User, guests, write_grants};
use reqwest::Method;
use serde_json::{Value, json};

use super::attacked_database::AttackedDatabase;

/// Names under which some system takes an identity from a request, all with Bob's.
fn forgeries() -> Value {
    let claims = json!({ "sub": BOB, "role": "service_role", "email": "bob@example.com" });
    json!({
        "_caller": BOB, "caller": claims, "_identity": claims, "identity": claims, "principal": claims, "user": BOB, "user_id": BOB,
        "userId": BOB, "sub": BOB, "subject": BOB, "role": "service_role", "_role": "service_role", "claims": claims,
        "request.jwt.claims": claims.to_string(), "act_as": BOB, "actAs": BOB, "x-behalf-act-as": BOB, "on_behalf_of": BOB,
        "is_service_role": true, "_allowed_users": [BOB], "session_token": "x", "authorization": "Bearer x", "apikey": "x",
        "headers": { "x-behalf-act-as": BOB, "authorization": "Bearer x" }, "_meta": { "user": BOB, "caller": claims },
        "context": { "user_id": BOB }, "__proto__": { "sub": BOB }, "database_url": "postgres://postgres@localhost/postgres",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_remains_its_token_whatever_its_arguments_say() {
    let attacked = AttackedDatabase::with_all_rights().await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    app.install(guests::PROBE, &write_grants()).await;
    let mut ask = forgeries();
    ask["sql"] = json!(
        "select auth.uid()::text, auth.role(), current_user::text, (select count(*) from notes where owner_id = auth.uid()), count(*) from notes"
    );
    for (user, subject, role) in [
        (User::Is(ALICE), json!(ALICE), "authenticated"),
        (User::Is(BOB), json!(BOB), "authenticated"),
        (User::Anon, Value::Null, "anon"),
    ] {
        let seen = app.call(&user, "identity", forgeries()).await;
        let identity = &seen.result()["identity"];
        assert_eq!((&identity["subject"], &identity["role"]), (&subject, &json!(role)), "{}", seen.text);
        assert_eq!(
            (&identity["claims"]["sub"], &identity["claims"]["role"]),
            (&subject, &json!(role)),
            "{}",
            seen.text
        );

        let rows = app.call(&user, "sql", ask.clone()).await;
        let row = &rows.result()["rows"][0];
        if role == "anon" {
            assert!(!attacked.is_stolen(rows.text.as_bytes()), "{}", rows.text);
            continue;
        }
        assert_eq!((&row[0], &row[1], &row[2]), (&subject, &json!(role), &json!(role)), "{}", rows.text);
        assert!(row[3] == row[4] && row[4] != 0, "every row is the caller's own: {}", rows.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_remains_its_tokens_whatever_else_it_carries() {
    let attacked = AttackedDatabase::with_all_rights().await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    app.install(guests::PROBE, &write_grants()).await;
    for (name, value) in forgeries().as_object().unwrap() {
        let body = json!({"arguments": {}, name: value});
        let refused = app.post(&User::Is(ALICE), "/api/tools/identity/call", body).await;
        assert_eq!(refused.status, 400, "an unknown field is never ignored: {name}: {}", refused.text);
    }
    let body = json!({"arguments": {}});
    let query = format!("?sub={BOB}&user_id={BOB}&role=service_role&act_as={BOB}&apikey=x");
    let refused = app.request(&User::Is(ALICE), Method::POST, &format!("/api/tools/identity/call{query}"));
    assert_eq!(refused.json(&body).send().await.unwrap().status(), 400, "an unknown parameter is never ignored");
    let request = app.request(&User::Is(ALICE), Method::POST, "/api/tools/identity/call");
    let names = [
        "x-user-id",
        "x-user",
        "x-sub",
        "x-role",
        "x-forwarded-user",
        "x-remote-user",
        "x-auth-request-user",
        "x-jwt-claims",
        "request.jwt.claims",
        "x-hasura-user-id",
        "x-supabase-auth",
        "x-original-authorization",
        "proxy-authorization",
    ];
    let request = names.iter().fold(request, |request, name| request.header(*name, BOB.to_string()));
    let answer = behalf_tests::Answer::of(request.json(&body).send().await.unwrap()).await;
    assert_eq!(answer.result()["identity"]["subject"], json!(ALICE), "{}", answer.text);

    // One header does name another user; only the service role may send it.
    let act_as = |user: &User| {
        app.request(user, Method::POST, "/api/tools/identity/call").header("x-behalf-act-as", BOB.to_string())
    };
    for (user, status) in [(User::Is(ALICE), 403), (User::Anon, 403), (User::Service, 200)] {
        let answer = behalf_tests::Answer::of(act_as(&user).json(&json!({})).send().await.unwrap()).await;
        assert_eq!(answer.status, status, "{user:?} {}", answer.text);
        if status == 200 {
            assert_eq!(answer.result()["identity"]["subject"], json!(BOB));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_not_instantiated_with_what_it_was_not_granted() {
    let attacked = AttackedDatabase::with_all_rights().await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    app.install(guests::PROBE, &json!({})).await;
    for tool in ["identity", "sql"] {
        let answer = app.call(&User::Is(ALICE), tool, json!({ "sql": "select 1" })).await;
        assert_eq!(answer.status, 403, "{tool}: {}", answer.text);
        assert_eq!(answer.json["type"], "urn:behalf:problem:not-granted");
        assert!(answer.text.contains("behalf:tool/database"), "{}", answer.text);
    }
    // The same component with the grant.
    let other = App::on(AttackedDatabase::with_all_rights().await.database, Options::default()).await;
    other.install(guests::PROBE, &write_grants()).await;
    assert_eq!(other.call(&User::Is(ALICE), "identity", json!({})).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_finds_no_environment_and_no_arguments() {
    let app = App::start().await;
    app.install(guests::HOSTILE, &json!({})).await;
    let answer = app.call(&User::Is(ALICE), "environment", json!({})).await;
    assert_eq!(answer.result()["variables"], json!([]), "{}", answer.text);
    assert_eq!(answer.result()["arguments"], json!([]), "{}", answer.text);
    assert!(behalf_config::environment("BEHALF_TEST_DATABASE_URL").is_some(), "the host itself has some");
    assert!(std::env::args_os().len() > 0);
}

/// Every source file below a folder, with its text.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&entry).unwrap();
            found.push((entry, text));
        }
    }
}

/// The documentation of `behalf_identity` holds programs that must not compile: `cargo test --doc` tries them. This test
/// looks at the text of the host itself, inside which visibility is wider.
#[test]
fn a_principal_and_what_acts_for_one_are_made_behind_one_door() {
    let mut files = Vec::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../host")), &mut files);
    let makes =
        |text: &str, what: &str| text.lines().any(|line| line.contains(what) && !line.trim_start().starts_with("//"));
    for (what, doors) in [
        ("Principal {", &["identity/src/principal.rs"][..]),
        ("Principal::user(", &["identity/src/verify.rs"]),
        ("Principal::service(", &["identity/src/verify.rs"]),
        ("Principal::anon(", &["identity/src/verify.rs"]),
        ("CallerTx::new(", &["caller-db/src/guest.rs"]),
        ("GuestDb::new(", &["caller-db/src/lib.rs"]),
        (
            "set_claims(",
            &[
                "host-db/src/bind.rs",
                "host-db/src/tx.rs",
                "caller-db/src/app/attempt.rs",
                "caller-db/src/caller_tx.rs",
                "caller-db/src/fixed.rs",
                "caller-db/src/doctor/channels.rs",
                "caller-db/src/doctor/logins.rs",
                "caller-db/src/doctor/trial.rs",
            ],
        ),
        (
            "set_role(",
            &[
                "host-db/src/bind.rs",
                "caller-db/src/caller_tx.rs",
                "caller-db/src/identity.rs",
                "caller-db/src/doctor/channels.rs",
                "caller-db/src/doctor/logins.rs",
                "caller-db/src/doctor/trial.rs",
            ],
        ),
    ] {
        let found: Vec<_> = files
            .iter()
            .filter(|(_, text)| makes(text, what))
            .map(|(path, _)| path.to_str().unwrap().rsplit_once("/../host/").unwrap().1)
            .collect();
        for path in &found {
            assert!(
                doors.contains(path) || path.starts_with("identity/src/") && what.starts_with("Principal::"),
                "{what} in {path}"
            );
        }
        assert!(!found.is_empty(), "{what} is nowhere; the search looks for the wrong text");
    }
    let constructor = |file: &str, signature: &str| {
        let (_, text) = files.iter().find(|(path, _)| path.ends_with(file)).unwrap();
        let start = text.find("pub(super) fn new(").unwrap();
        let end = text[start..].find('{').unwrap() + start;
        assert!(text[start..end].contains(signature), "{file}: {}", &text[start..end]);
    };
    constructor("caller-db/src/guest.rs", "principal: Arc<Principal>");
    constructor("caller-db/src/caller_tx.rs", "principal: Arc<Principal>");
}
