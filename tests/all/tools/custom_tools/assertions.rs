//! The signed assertion that tells the server which user calls, and the keys that it is checked with.

use behalf_tests::eventually;
use behalf_tests::{ALICE, App, BOB, Options, TestDatabase, User, guests};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use super::backend::Backend;
use super::{app_for, made, tool};

/// Verifies an assertion as a server does: with the keys that the host publishes.
pub(super) async fn verify(app: &App, token: &str, audience: &str) -> Result<Value, jsonwebtoken::errors::Error> {
    let answer = reqwest::get(format!("{}/.well-known/jwks.json", app.url)).await.unwrap();
    assert!(answer.headers()["cache-control"].to_str().unwrap().contains("max-age"));
    let keys: JwkSet = answer.json().await.unwrap();
    check(&keys, token, audience, &app.url)
}

fn check(keys: &JwkSet, token: &str, audience: &str, issuer: &str) -> Result<Value, jsonwebtoken::errors::Error> {
    let kid = decode_header(token)?.kid.unwrap();
    let key = DecodingKey::from_jwk(keys.find(&kid).unwrap_or_else(|| panic!("{kid} is not among the keys")))?;
    let mut validation = Validation::new(Algorithm::ES256);
    validation.leeway = 0;
    validation.set_audience(&[audience]);
    validation.set_issuer(&[issuer]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    Ok(decode::<Value>(token, &key, &validation)?.claims)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_told_by_a_signature_who_calls() {
    let backend = Backend::start().await;
    let app = app_for(&backend).await;
    let mut body = tool("balance", &format!("{}/balance?x=1", backend.url));
    body["config"]["headers"] = json!({"Authorization": "Bearer a-static-secret", "X-Api-Key": "another-secret"});
    made(&app, body).await;
    for user in [ALICE, BOB] {
        let answer = app.call(&User::Is(user), "balance", json!({"account": "a"})).await;
        assert_eq!(answer.result(), &json!({"balance": 12}));
        let seen = backend.last();
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/balance?x=1"));
        assert_eq!(
            (seen.body.as_str(), &seen.headers["x-api-key"]),
            (r#"{"account":"a"}"#, &"another-secret".parse().unwrap())
        );
        assert_eq!(seen.headers.get_all("authorization").iter().count(), 1);
        let said = verify(&app, seen.bearer(), &backend.url).await.unwrap();
        assert_eq!((&said["sub"], &said["jti"]), (&json!(user), &answer.json["call_id"]));
        assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 60);
        let elsewhere = verify(&app, seen.bearer(), "https://other.example").await;
        assert!(matches!(elsewhere.unwrap_err().kind(), jsonwebtoken::errors::ErrorKind::InvalidAudience));
        // The server cannot use the assertion as a token at this host.
        assert_eq!(
            app.call(&User::Token(seen.bearer().to_owned()), "balance", json!({"account": "a"})).await.status,
            401
        );
    }
    for (user, subject) in
        [(User::Anon, json!("anon")), (User::Service, json!("service_role")), (User::ServiceFor(BOB), json!(BOB))]
    {
        app.call(&user, "balance", json!({"account": "a"})).await.result();
        let said = verify(&app, backend.last().bearer(), &backend.url).await.unwrap();
        assert_eq!(said["sub"], subject);
        assert_eq!(said["act"]["sub"] == "service_role", matches!(user, User::ServiceFor(_)), "{said}");
    }
    let audit = json!(app.audit().await).to_string();
    assert!(audit.contains("egress") && audit.contains("127.0.0.1"), "{audit}");
    for hidden in ["secret", "eyJ", "/balance", "x=1"] {
        assert!(!audit.contains(hidden), "{hidden} is in the audit log: {audit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_all_hosts_are_published_by_each_and_end_with_them() {
    let backend = Backend::start().await;
    let one = app_for(&backend).await;
    let two =
        App::on(one.database.clone(), Options { settings: vec![("http_allow_private", backend.host.clone())] }).await;
    made(&one, tool("balance", &backend.url)).await;
    one.call(&User::Is(ALICE), "balance", json!({"account": "a"})).await.result();
    let by_one = backend.last();
    let keys: JwkSet = reqwest::get(format!("{}/.well-known/jwks.json", two.url)).await.unwrap().json().await.unwrap();
    assert_eq!(keys.keys.len(), 2);
    let said = check(&keys, by_one.bearer(), &backend.url, &one.url).unwrap();
    assert_eq!(said["sub"], json!(ALICE));
    // The second host hears of the tool and signs with its own key.
    eventually("the other host hears of it", async || {
        two.call(&User::Is(BOB), "balance", json!({"account": "a"})).await.status == 200
    })
    .await;
    let by_two = backend.last();
    assert_ne!(decode_header(by_one.bearer()).unwrap().kid, decode_header(by_two.bearer()).unwrap().kid);
    assert_eq!(check(&keys, by_two.bearer(), &backend.url, &two.url).unwrap()["sub"], json!(BOB));
    // No private key is stored.
    let stored: String = one.database.value("select string_agg(jwk::text, '') from ai.assertion_keys").await;
    assert!(!stored.contains("\"d\""), "{stored}");
    one.database.execute("update ai.assertion_keys set expires_at = now() - interval '1 second'").await;
    // A host answers from memory for a moment.
    eventually("the key of a host that is gone is taken back", async || {
        let keys = reqwest::get(format!("{}/.well-known/jwks.json", two.url)).await.unwrap();
        keys.json::<JwkSet>().await.unwrap().keys.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugins_requests_say_who_calls_and_its_code_never_holds_the_words() {
    let backend = Backend::start().await;
    let app = app_for(&backend).await;
    let grants = json!({"http": {"hosts": [backend.host], "identity": "assertion"}});
    app.install(guests::HTTP, &grants).await;
    let own = json!({"url": format!("{}/balance", backend.url), "headers": {"authorization": "Bearer guest-chosen"}});
    for user in [ALICE, BOB] {
        let answer = app.call(&User::Is(user), "fetch", own.clone()).await;
        assert_eq!(answer.result()["status"], 200, "{}", answer.text);
        let seen = backend.last();
        assert_eq!(seen.headers.get_all("authorization").iter().count(), 1);
        let said = verify(&app, seen.bearer(), &backend.url).await.unwrap();
        assert_eq!((&said["sub"], &said["jti"]), (&json!(user), &answer.json["call_id"]));
    }
    app.call(&User::ServiceFor(BOB), "fetch", own.clone()).await.result();
    let said = verify(&app, backend.last().bearer(), &backend.url).await.unwrap();
    assert_eq!((&said["sub"], &said["act"]["sub"]), (&json!(BOB), &json!("service_role")));
    let audit = json!(app.audit().await).to_string();
    assert!(audit.contains(&backend.host[..9]) && !audit.contains("eyJ"), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_ends() {
    let backend = Backend::start().await;
    let app = app_for(&backend).await;
    made(&app, tool("balance", &backend.url)).await;
    app.call(&User::Is(ALICE), "balance", json!({"account": "a"})).await.result();
    let keys: JwkSet = reqwest::get(format!("{}/.well-known/jwks.json", app.url)).await.unwrap().json().await.unwrap();
    let token = backend.last().bearer().to_owned();
    let key = DecodingKey::from_jwk(&keys.keys[0]).unwrap();
    let mut later = Validation::new(Algorithm::ES256);
    later.set_audience(&[&backend.url]);
    // The assertion must have expired in 61 seconds.
    later.leeway = 0;
    later.reject_tokens_expiring_in_less_than = 61;
    let expired = decode::<Value>(&token, &key, &later).unwrap_err();
    assert!(matches!(expired.kind(), jsonwebtoken::errors::ErrorKind::ExpiredSignature), "{expired}");
}

/// The seconds that the servers of these tests keep the key set.
const CACHE: u64 = 3;

/// A host whose callees keep the key set for a while.
async fn cached_host(database: &TestDatabase, backend: &Backend) -> App {
    let settings = vec![("http_allow_private", backend.host.clone()), ("key_set_cache_seconds", CACHE.to_string())];
    App::on(database.clone(), Options { settings }).await
}

async fn key_set(app: &App) -> JwkSet {
    let answer = reqwest::get(format!("{}/.well-known/jwks.json", app.url)).await.unwrap();
    assert_eq!(answer.headers()["cache-control"], format!("public, max-age={CACHE}"));
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_publishes_its_key_before_it_signs_with_it() {
    let backend = Backend::start().await;
    let database = TestDatabase::create().await;
    let one = cached_host(&database, &backend).await;
    made(&one, tool("balance", &backend.url)).await;
    // Nobody has a key set before there is a host, so the first signs at once.
    assert_eq!(one.get(&User::Nobody, "/readyz").await.status, 200);
    one.call(&User::Is(ALICE), "balance", json!({"account": "a"})).await.result();
    let two = cached_host(&database, &backend).await;
    let signs_from: f64 =
        database.value("select extract(epoch from max(signs_from))::float8 from ai.assertion_keys").await;
    let mut early = key_set(&one).await;
    // A host may answer from memory for a moment.
    eventually("the new key is published by the other host", async || {
        early = key_set(&one).await;
        early.keys.len() == 2
    })
    .await;
    let waiting = two.get(&User::Nobody, "/readyz").await;
    assert!(waiting.status == 503 && waiting.text.contains("assertions"), "{}", waiting.text);
    assert_eq!(one.get(&User::Nobody, "/readyz").await.status, 200);
    // A call that comes all the same waits, and is then understood by whoever took the key set before.
    eventually("the other host hears of the tool", async || {
        two.get(&User::Is(BOB), "/api/tools").await.text.contains("balance")
    })
    .await;
    two.call(&User::Is(BOB), "balance", json!({"account": "a"})).await.result();
    let said = check(&early, backend.last().bearer(), &backend.url, &two.url).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "seconds of a time")]
    let signed_at = said["iat"].as_i64().unwrap() as f64;
    assert!(signed_at >= signs_from.floor(), "signed at {signed_at}, published for use from {signs_from}");
    assert_eq!(two.get(&User::Nobody, "/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_hosts_that_begin_together_one_is_the_first() {
    let backend = Backend::start().await;
    let database = TestDatabase::create().await;
    let _hosts = tokio::join!(
        cached_host(&database, &backend),
        cached_host(&database, &backend),
        cached_host(&database, &backend)
    );
    let first: i64 = database
        .value(
            "select count(*) from ai.assertion_keys where signs_from < expires_at - interval '600 s' + interval '1 s'",
        )
        .await;
    assert_eq!(first, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_host_that_stopped_stays_as_long_as_its_assertions_live() {
    let backend = Backend::start().await;
    let database = TestDatabase::create().await;
    let one = cached_host(&database, &backend).await;
    made(&one, tool("balance", &backend.url)).await;
    one.call(&User::Is(ALICE), "balance", json!({"account": "a"})).await.result();
    let (signed, issuer) = (backend.last(), one.url.clone());
    one.stop().await;
    let left: f64 =
        database.value("select extract(epoch from expires_at - now())::float8 from ai.assertion_keys").await;
    assert!(left > 60.0 && left <= 120.0, "an assertion lives for 60 s, and a clock may be late; {left}");
    let two = cached_host(&database, &backend).await;
    check(&key_set(&two).await, signed.bearer(), &backend.url, &issuer).unwrap();
    // The host that stopped serves nobody, so a balancer is not sent away from the only one that does.
    assert_eq!(two.get(&User::Nobody, "/readyz").await.status, 200);
}

/// A server that checks assertions as the usual libraries do: it keeps the key set, and fetches it again for a key that it
/// misses, but not within the time that it keeps one.
struct CarefulServer {
    keys: JwkSet,
    fetched: std::time::Instant,
}

impl CarefulServer {
    async fn accepts(&mut self, app: &App, token: &str, audience: &str) -> bool {
        let kid = decode_header(token).unwrap().kid.unwrap();
        let is_old = self.fetched.elapsed() >= std::time::Duration::from_secs(CACHE);
        if self.keys.find(&kid).is_none() && is_old {
            *self = Self { keys: key_set(app).await, fetched: std::time::Instant::now() };
        }
        self.keys.find(&kid).is_some() && check(&self.keys, token, audience, &app.url).is_ok()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_has_no_assertion_refused() {
    let backend = Backend::start().await;
    let database = TestDatabase::create().await;
    let mut serving = cached_host(&database, &backend).await;
    made(&serving, tool("balance", &backend.url)).await;
    let mut calls = 0;
    for _ in 0..2 {
        // The server has just fetched the keys when the next host begins.
        let mut server = CarefulServer { keys: key_set(&serving).await, fetched: std::time::Instant::now() };
        let next = cached_host(&database, &backend).await;
        // The balancer sends callers to the old host until the new one is ready.
        while next.get(&User::Nobody, "/readyz").await.status != 200 {
            serving.call(&User::Is(ALICE), "balance", json!({"account": "a"})).await.result();
            assert!(server.accepts(&serving, backend.last().bearer(), &backend.url).await);
            calls += 1;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        std::mem::replace(&mut serving, next).stop().await;
        for _ in 0..5 {
            serving.call(&User::Is(ALICE), "balance", json!({"account": "a"})).await.result();
            assert!(server.accepts(&serving, backend.last().bearer(), &backend.url).await);
        }
    }
    assert!(calls > 0, "the new hosts waited");
}
