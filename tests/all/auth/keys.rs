//! Keys that sign access tokens: they are replaced without a gap, and every host that is told of it refuses a revoked one.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_config::environment;
use behalf_host_db::{HostDb, Sealer, SigningKeyStore};
use behalf_identity::{LocalKeys, SigningAlgorithm, TokenSigner};
use behalf_tests::tenants::now;
use behalf_tests::{ALICE, App, Options, TestDatabase, User, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

use super::people;

const SECRETS_KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// The keys of a database, as somebody has them who signs with them.
struct Bed {
    store: SigningKeyStore,
    sealer: Sealer,
}

impl Bed {
    async fn of(database: &TestDatabase) -> Self {
        let db = HostDb::connect(&database.host_url(), 2).await.unwrap();
        Self { store: SigningKeyStore::new(db), sealer: Sealer::new(Some(SECRETS_KEY), None).unwrap() }
    }

    /// A token of alice, signed with the key that is current now.
    async fn token(&self) -> User {
        let keys = Arc::new(LocalKeys::default());
        let loaded = self.store.load(&self.sealer).await.unwrap();
        keys.install(&loaded.keys, &loaded.revoked);
        let claims =
            json!({ "sub": ALICE, "aud": "authenticated", "role": "authenticated", "iat": now(), "exp": now() + 600 });
        User::Token(TokenSigner::with_keys(keys).sign(&claims).unwrap())
    }
}

async fn host(database: &TestDatabase) -> App {
    let settings = vec![("secrets_key", format!("{SECRETS_KEY:?}"))];
    App::on(database.clone(), Options { settings }).await
}

async fn status(app: &App, user: &User) -> u16 {
    app.get(user, "/api/tools").await.status
}

/// Runs `behalf auth keys …` on this database.
async fn keys(database: &TestDatabase, arguments: &[&str]) -> (bool, String) {
    let program = environment("BEHALF_TEST_BIN").unwrap();
    let done = tokio::process::Command::new(program)
        .args(["auth", "keys"])
        .args(arguments)
        .env("BEHALF_HOST_DATABASE_URL", database.host_url())
        .env("BEHALF_SECRETS_KEY", SECRETS_KEY)
        .output()
        .await
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    (done.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_turn_on_two_hosts_without_a_gap() {
    let database = TestDatabase::create().await;
    let bed = Bed::of(&database).await;
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
        bed.store.ensure_current(&bed.sealer, algorithm).await.unwrap();
    }
    assert_eq!(bed.store.list().await.unwrap().len(), 1, "a second host makes no second key");
    let hosts = [host(&database).await, host(&database).await];
    let first = bed.token().await;
    let next = bed.store.add(&bed.sealer, SigningAlgorithm::Rs256).await.unwrap();
    bed.store.promote(next).await.unwrap();
    let second = bed.token().await;
    let old = bed.store.list().await.unwrap().into_iter().find(|key| key.status == "previous").unwrap();
    for app in &hosts {
        assert_eq!(status(app, &first).await, 200);
        eventually("the new key is known", async || status(app, &second).await == 200).await;
    }
    assert!(bed.store.promote(Uuid::new_v4()).await.is_err());
    assert!(bed.store.promote(next).await.is_err(), "it is current already");
    // Revoked on one connection: both hosts are told, and wait for no look of their own.
    assert_eq!(bed.store.revoke(&bed.sealer, old.id).await.unwrap(), None);
    for app in &hosts {
        eventually("the revoked key is refused", async || status(app, &first).await == 401).await;
        assert_eq!(status(app, &second).await, 200);
    }
    let kept = "select count(*) from ai.signing_keys where sealed is not null";
    assert_eq!(database.value::<i64>(kept).await, 1, "nothing of a revoked key is kept");
    // The current one: another takes its place at once.
    let replaced = bed.store.revoke(&bed.sealer, next).await.unwrap();
    assert!(replaced.is_some_and(|key| key != next));
    let third = bed.token().await;
    for app in &hosts {
        eventually("the new key is known", async || status(app, &third).await == 200).await;
        eventually("the revoked key is refused", async || status(app, &second).await == 401).await;
    }
    assert!(bed.store.promote(next).await.is_err(), "a revoked key stays revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_get_tokens_that_the_published_keys_verify() {
    for (algorithm, name) in [(SigningAlgorithm::Es256, "ES256"), (SigningAlgorithm::Rs256, "RS256")] {
        let more = [("secrets_key", format!("{SECRETS_KEY:?}")), ("auth_jwt_algorithm", name.to_owned())];
        let more: Vec<_> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let app = people::host(&more).await;
        let bed = Bed::of(&app.database).await;
        let first = people::sign_up(&app, "ada@people.example").await;
        let next = bed.store.add(&bed.sealer, algorithm).await.unwrap();
        bed.store.promote(next).await.unwrap();
        let mut kids = vec![key_of(&first)];
        eventually("the new key signs", async || {
            let held = people::sign_in(&app, "ada@people.example").await;
            assert_eq!(people::faces(&app, &held.caller()).await, people::LIVE);
            let is_new = key_of(&held)["kid"] == next.to_string();
            kids.push(key_of(&held));
            is_new
        })
        .await;
        assert_eq!(people::faces(&app, &first.caller()).await, people::LIVE, "the key before is still accepted");
        let published = app.get(&User::Nobody, "/auth/v1/.well-known/jwks.json").await.json;
        let published: Vec<_> = published["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
        for header in kids {
            assert_eq!(header["alg"], name);
            assert!(published.contains(&header["kid"]), "{header} is not one of {published:?}");
        }
    }
}

/// The header of an access token.
fn key_of(held: &people::Held) -> Value {
    let header = held.access.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_alone_adds_no_key_and_callers_see_none() {
    let database = TestDatabase::create().await;
    let bed = Bed::of(&database).await;
    bed.store.ensure_current(&bed.sealer, SigningAlgorithm::Es256).await.unwrap();
    let app = host(&database).await;
    let own = bed.token().await;
    assert_eq!(status(&app, &own).await, 200);
    // A row whose private key is encrypted with another key: the owner of the database could write it.
    let other = Bed { store: bed.store.clone(), sealer: Sealer::new(Some(&"ab".repeat(32)), None).unwrap() };
    let planted = other.store.add(&other.sealer, SigningAlgorithm::Es256).await.unwrap();
    other.store.promote(planted).await.unwrap();
    let forged = other.token().await;
    // What the host looks at after it is a key of its own that was promoted later.
    let genuine = bed.store.add(&bed.sealer, SigningAlgorithm::Es256).await.unwrap();
    bed.store.promote(genuine).await.unwrap();
    let latest = bed.token().await;
    eventually("the host has looked", async || status(&app, &latest).await == 200).await;
    assert_eq!(status(&app, &forged).await, 401);
    assert_eq!(status(&app, &own).await, 200);
    for role in ["anon", "authenticated", "service_role"] {
        let reads = format!("select has_table_privilege('{role}', 'ai.signing_keys', 'select')");
        assert!(!database.value::<bool>(&reads).await, "{role}");
    }
    let events = "select string_agg(details::text, ' ') from ai.audit_events where action like 'signing_key.%'";
    let events: String = database.value(events).await;
    assert!(events.contains("promoted") || events.contains("current"), "{events}");
    assert!(!events.contains("BEGIN PRIVATE"), "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_turns_keys() {
    let database = TestDatabase::create().await;
    let (done, id) = keys(&database, &["add", "--algorithm", "rs256"]).await;
    assert!(done, "{id}");
    let id = id.lines().next().unwrap().to_owned();
    assert!(keys(&database, &["promote", &id]).await.0);
    let (done, list) = keys(&database, &["list"]).await;
    assert!(done && list.contains(&id) && list.contains("RS256") && list.contains("current"), "{list}");
    let (done, text) = keys(&database, &["revoke", &id]).await;
    assert!(done && text.contains("signs from now on"), "{text}");
    let (done, text) = keys(&database, &["promote", &id]).await;
    assert!(!done && text.contains("revoked"), "{text}");
    assert!(!keys(&database, &["revoke", &Uuid::new_v4().to_string()]).await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_that_a_key_signs_names_the_key() {
    let database = TestDatabase::create().await;
    let bed = Bed::of(&database).await;
    bed.store.ensure_current(&bed.sealer, SigningAlgorithm::Es256).await.unwrap();
    let User::Token(token) = bed.token().await else { unreachable!() };
    let header = jsonwebtoken::decode_header(&token).unwrap();
    let current = bed.store.list().await.unwrap().remove(0);
    assert_eq!((header.kid, header.alg), (Some(current.id.to_string()), jsonwebtoken::Algorithm::ES256));
    let public: Value =
        serde_json::from_str(&database.value::<String>("select public_jwk::text from ai.signing_keys").await).unwrap();
    assert!(public.get("d").is_none() && public["kid"] == json!(current.id), "{public}");
}
