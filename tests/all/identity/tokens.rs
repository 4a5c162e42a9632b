//! Tokens and keys: which caller a request has, and which tokens are refused.

use behalf_identity::{TokenRequest, mint_key, mint_token};
use behalf_tests::app::{anon_key, service_key, token};
use behalf_tests::{ALICE, Answer, App, BOB, Options, SECRET, User, guests, read_grants};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

const TITLES: &str = "select coalesce(string_agg(title, ',' order by title), '') as titles from notes";

async fn titles(app: &App, user: &User) -> (u16, String) {
    let answer = app.call(user, "database_query", json!({ "query": TITLES })).await;
    (answer.status, answer.json["result"][0]["titles"].as_str().unwrap_or(&answer.text).to_owned())
}

fn minted(change: impl FnOnce(&mut TokenRequest)) -> User {
    let mut request = TokenRequest::for_user(&ALICE.to_string());
    change(&mut request);
    User::Token(mint_token(SECRET, &request).unwrap())
}

/// A token with any payload and a valid signature.
fn signed(payload: &Value) -> User {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    User::Token(jsonwebtoken::encode(&Header::new(Algorithm::HS256), payload, &key).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_raise_their_bearer_do_nothing() {
    let app = App::start().await;
    let base = json!({"sub": ALICE, "aud": "authenticated", "exp": 4_000_000_000_u64});
    for raise in [
        json!({"role": "service_role"}),
        json!({"role": "postgres"}),
        json!({"is_service_role": true}),
        json!({"role": "authenticated'; reset role; --"}),
        json!({"name": "O'Brien'; reset role; --", "note": "\\'; select 1; --", "nul": "a\\u0000b"}),
        json!({"user_metadata": {"sub": BOB, "role": "service_role"}}),
    ] {
        let mut payload = base.clone();
        payload.as_object_mut().unwrap().extend(raise.as_object().unwrap().clone());
        assert_eq!(titles(&app, &signed(&payload)).await, (200, "Garden,Safe".to_owned()), "{payload}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_good_token_is_401_and_says_why() {
    let app = App::start().await;
    let other_key = mint_key("another-secret-that-is-long-enough-for-hs256", "service_role").unwrap();
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhMTFjZTAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDEifQ.";
    for (user, reason) in [
        (User::Nobody, "Authorization header required"),
        (minted(|t| t.ttl_seconds = -70), "Token has expired"),
        (minted(|t| t.audience = "other".to_owned()), "Invalid token audience"),
        (minted(|t| t.subject = "alice".to_owned()), "sub must be a user id"),
        (minted(|t| t.subject = format!("{{{ALICE}}}")), "sub must be a user id"),
        (minted(|t| t.role = "anon".to_owned()), "anonymous"),
        (User::Token(mint_key(SECRET, "anon").unwrap() + "x"), "Invalid token"),
        (User::Token(other_key), "Invalid token"),
        (User::Token(unsigned.to_owned()), "Invalid token"),
        (User::Token("x".repeat(20_000)), "too long"),
        (signed(&json!({"sub": ALICE, "aud": "authenticated"})), "Invalid token"),
        (signed(&json!({"sub": ALICE, "exp": 4_000_000_000_u64})), "Invalid token audience"),
    ] {
        let answer = app.call(&user, "database_query", json!({ "query": TITLES })).await;
        assert_eq!(answer.status, 401, "{user:?}: {}", answer.text);
        let error = answer.json["error"].as_str().unwrap_or_default();
        assert!(error.contains(reason), "{user:?}: {error}");
    }
    let response = app.request(&User::Nobody, Method::GET, "/api/tools").send().await.unwrap();
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_may_differ_by_a_minute_and_no_more() {
    let app = App::start().await;
    let strict =
        App::on(app.database.clone(), Options { settings: vec![("jwt_clock_skew_seconds", "0".to_owned())] }).await;
    let now = i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let with = |name: &str, seconds: i64| {
        let mut payload = json!({"sub": ALICE, "aud": "authenticated", "exp": now + 3_600});
        payload[name] = json!(now + seconds);
        signed(&payload)
    };
    for (name, near, far, reason) in [
        ("exp", -30, -90, "Token has expired"),
        ("nbf", 30, 120, "it is not valid yet"),
        ("iat", 30, 120, "it is not valid yet"),
    ] {
        assert_eq!(titles(&app, &with(name, near)).await.0, 200, "{name}");
        for (app, seconds) in [(&app, far), (&strict, near)] {
            let refused = app.call(&with(name, seconds), "database_query", json!({ "query": TITLES })).await;
            assert_eq!(refused.status, 401, "{name} {seconds}: {}", refused.text);
            assert!(refused.text.contains(reason), "{name} {seconds}: {}", refused.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_apikey_names_the_project_and_the_bearer_the_caller() {
    let app = App::start().await;
    let client = reqwest::Client::new();
    let body = json!({"arguments": {"query": TITLES}});
    let send = async |key: Option<String>, bearer: Option<String>| {
        let mut request = client.post(format!("{}/api/tools/database_query/call", app.url)).json(&body);
        if let Some(key) = key {
            request = request.header("apikey", key);
        }
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        let answer = behalf_tests::Answer::of(request.send().await.unwrap()).await;
        (answer.status, answer.json["result"][0]["titles"].as_str().unwrap_or_default().to_owned())
    };
    let all = (200, "Car,Garden,Safe".to_owned());
    assert_eq!(send(Some(service_key()), None).await, all, "the key is the identity where no bearer is sent");
    assert_eq!(send(Some(anon_key()), Some(service_key())).await, all);
    let alice = (200, "Garden,Safe".to_owned());
    assert_eq!(send(Some(service_key()), Some(token(ALICE))).await, alice, "the bearer counts");
    assert_eq!(send(None, Some(token(ALICE))).await, alice);
    assert_eq!(send(Some(token(ALICE)), None).await.0, 401, "a user's token is no apikey");
    assert_eq!(send(Some("nonsense".to_owned()), Some(token(ALICE))).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_service_role_acts_for_a_user() {
    let app = App::start().await;
    assert_eq!(titles(&app, &User::ServiceFor(ALICE)).await, (200, "Garden,Safe".to_owned()));
    for user in [User::Is(BOB), User::Anon, minted(|t| t.role = "service_role".to_owned())] {
        for header in [ALICE.to_string(), "nonsense".to_owned()] {
            let request = app.request(&user, Method::POST, "/api/tools/database_query/call");
            let response =
                request.header("x-behalf-act-as", header).json(&json!({"arguments": {}})).send().await.unwrap();
            assert_eq!(response.status(), 403, "{user:?}");
        }
    }
    let request = app.request(&User::Service, Method::GET, "/api/tools").header("x-behalf-act-as", "nonsense");
    assert_eq!(request.send().await.unwrap().status(), 400);
    let row = &app.audit().await[0];
    assert_eq!(
        (row["actor"].as_str(), row["user_id"].as_str()),
        (Some("service_role"), Some(ALICE.to_string().as_str()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reads_their_own_audit_rows_only_and_no_values_are_kept() {
    let app = App::start().await;
    app.install(guests::PROBE, &read_grants()).await;
    let secret = "a-very-private-literal";
    for user in [ALICE, BOB] {
        let sql = format!("select count(*) from notes where title <> '{secret}'");
        assert_eq!(app.sql(&User::Is(user), &sql).await.status, 200);
    }
    for user in [ALICE, BOB] {
        let answer = app.get(&User::Is(user), "/api/tool-calls").await;
        let calls = answer.json["tool_calls"].as_array().unwrap();
        assert_eq!(calls.len(), 1, "{}", answer.text);
        assert_eq!(calls[0]["user_id"], json!(user));
        assert_eq!(calls[0]["outcome"], "ok");
        assert_eq!(calls[0]["statements"][0]["rows"], 1);
        assert_eq!(calls[0]["statements"][0]["verdict"], "allowed");
        assert!(calls[0]["duration_us"].as_i64() >= calls[0]["guest_us"].as_i64());
        assert!(!answer.text.contains(secret), "{}", answer.text);
    }
    assert_eq!(app.audit().await.len(), 2);
    let anon = app.get(&User::Anon, "/api/tool-calls").await;
    assert_eq!(anon.json["tool_calls"], json!([]));
}

/// With ES256 and `EdDSA` keys; RS256 uses the same code.
#[tokio::test(flavor = "multi_thread")]
async fn public_keys_verify_and_one_that_was_taken_back_does_not() {
    let keys = tempfile::tempdir().unwrap();
    let openssl = |arguments: &[&str]| {
        let done = std::process::Command::new("openssl").args(arguments).current_dir(keys.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    openssl(&["genpkey", "-algorithm", "ED25519", "-out", "ed.pem"]);
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ec.pem"]);
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa.pem"]);
    let pem = |name: &str| std::fs::read(keys.path().join(name)).unwrap();
    let all = [
        ("ed", Algorithm::EdDSA, EncodingKey::from_ed_pem(&pem("ed.pem")).unwrap()),
        ("ec", Algorithm::ES256, EncodingKey::from_ec_pem(&pem("ec.pem")).unwrap()),
        ("rsa", Algorithm::RS256, EncodingKey::from_rsa_pem(&pem("rsa.pem")).unwrap()),
    ];
    let set: Vec<_> = all
        .iter()
        .map(|(kid, alg, key)| {
            let mut jwk = serde_json::to_value(jsonwebtoken::jwk::Jwk::from_encoding_key(key, *alg).unwrap()).unwrap();
            jwk["kid"] = json!(kid);
            jwk
        })
        .collect();
    let file = keys.path().join("jwks.json");
    std::fs::write(&file, json!({ "keys": set }).to_string()).unwrap();
    let settings = vec![("jwks_file", file.display().to_string())];
    let app = App::with(Options { settings }).await;
    let payload = json!({"sub": ALICE, "aud": "authenticated", "exp": 4_000_000_000_u64});
    let sign = |kid: &str, alg, key: &EncodingKey| {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(alg) };
        User::Token(jsonwebtoken::encode(&header, &payload, key).unwrap())
    };
    for (kid, alg, key) in &all {
        assert_eq!(titles(&app, &sign(kid, *alg, key)).await, (200, "Garden,Safe".to_owned()), "{kid}");
        assert_eq!(titles(&app, &sign("unknown", *alg, key)).await.0, 401);
    }
    // Algorithm confusion: the public key's text as an HMAC secret.
    openssl(&["pkey", "-in", "rsa.pem", "-pubout", "-out", "rsa.pub"]);
    let confused = EncodingKey::from_secret(&pem("rsa.pub"));
    let header = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::HS256) };
    let user = User::Token(jsonwebtoken::encode(&header, &payload, &confused).unwrap());
    assert_eq!(titles(&app, &user).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn previous_keys_are_accepted_beside_the_present_ones_and_give_no_more_than_they_did() {
    const BEFORE: &str = "the-secret-before-this-one-long-enough-for-hs256";
    const EARLIER: &str = "the-secret-before-that-one-long-enough-for-hs256";
    let (anon, service) = (mint_key(BEFORE, "anon").unwrap(), mint_key(BEFORE, "service_role").unwrap());
    let settings = vec![
        ("jwt_secret_previous", BEFORE.to_owned()),
        ("anon_key_previous", anon.clone()),
        ("service_role_key_previous", service.clone()),
    ];
    let app = App::with(Options { settings }).await;
    let user = |secret: &str| mint_token(secret, &TokenRequest::for_user(&ALICE.to_string())).unwrap();
    let send = async |apikey: &str, bearer: &str, path: &str| {
        let request = app.request(&User::Nobody, Method::GET, path).header("apikey", apikey).bearer_auth(bearer);
        Answer::of(request.send().await.unwrap()).await.status
    };
    for apikey in [anon_key(), anon.clone(), service.clone()] {
        for bearer in [user(SECRET), user(BEFORE), service_key(), service.clone()] {
            assert_eq!(send(&apikey, &bearer, "/api/tools").await, 200);
        }
    }
    assert_eq!(titles(&app, &User::Token(user(BEFORE))).await, (200, "Garden,Safe".to_owned()));
    // What only the service role may.
    for (bearer, status) in [(service.as_str(), 200), (&anon, 403), (&user(BEFORE), 403)] {
        assert_eq!(send(&anon, bearer, "/api/plugins").await, status, "{bearer}");
    }
    // A token that says so is no service key, whichever secret signed it, and older keys are over.
    for bearer in
        [mint_key(BEFORE, "service_role").unwrap() + "x", user(EARLIER), mint_key(EARLIER, "service_role").unwrap()]
    {
        assert_eq!(send(&anon, &bearer, "/api/tools").await, 401, "{bearer}");
    }
    let posing = minted_with(BEFORE, |t| t.role = "service_role".to_owned());
    assert_eq!(send(&anon, &posing, "/api/plugins").await, 403);
    let expired = minted_with(BEFORE, |t| t.ttl_seconds = -120);
    assert_eq!(send(&anon, &expired, "/api/tools").await, 401);
    assert_eq!(send(&mint_key(EARLIER, "anon").unwrap(), &user(SECRET), "/api/tools").await, 401);
}

fn minted_with(secret: &str, change: impl FnOnce(&mut TokenRequest)) -> String {
    let mut request = TokenRequest::for_user(&ALICE.to_string());
    change(&mut request);
    mint_token(secret, &request).unwrap()
}
