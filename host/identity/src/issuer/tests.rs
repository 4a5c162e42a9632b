//! Tokens of other issuers, and attacks by those who hold keys of one of them or none.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use uuid::Uuid;

use super::*;
use crate::{SigningAlgorithm, SigningKey, TokenRequest, UserClaims, Verifier, VerifierOptions, mint_token, user_id};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ALICE: &str = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";

/// Answers every request with this text, or with 404 where a path has none.
async fn serve(texts: Vec<(&'static str, String)>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let own = address.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4_096];
            let read = stream.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(request.get(..read).unwrap_or_default()).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = match texts.iter().find(|(known, _)| *known == path) {
                Some((_, text)) => {
                    let text = text.replace("{own}", &own);
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}", text.len())
                }
                None => "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned(),
            };
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    address
}

fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::generate(algorithm).expect("a key")
}

fn set(keys: &[&SigningKey]) -> String {
    json!({ "keys": keys.iter().map(|key| key.public_jwk()).collect::<Vec<_>>() }).to_string()
}

/// An issuer with one key of each kind.
struct TestIssuer {
    url: String,
    rsa: SigningKey,
    ec: SigningKey,
}

impl TestIssuer {
    async fn start() -> Self {
        let (rsa, ec) = (key(SigningAlgorithm::Rs256), key(SigningAlgorithm::Es256));
        let url = serve(vec![("/jwks", set(&[&rsa, &ec]))]).await;
        Self { url, rsa, ec }
    }

    fn entry(&self, more: &Value) -> Value {
        let mut entry = json!({ "issuer": self.url, "jwks_url": format!("{}/jwks", self.url), "audience": "app" });
        entry.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        entry
    }

    fn claims(&self, more: &Value) -> Value {
        let now = chrono::Utc::now().timestamp();
        let mut claims = json!({ "iss": self.url, "aud": "app", "sub": "auth0|1", "iat": now, "exp": now + 600 });
        claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        claims
    }

    fn token(&self, more: &Value) -> String {
        signed(&self.rsa, &self.claims(more))
    }
}

fn signed(key: &SigningKey, claims: &Value) -> String {
    let (alg, private) = key.signer();
    let header = Header { kid: Some(key.id().to_string()), ..Header::new(alg) };
    encode(&header, claims, &private).expect("a token")
}

fn verifier(entries: Vec<Value>) -> Verifier {
    let entries = entries.into_iter().map(|entry| serde_json::from_value(entry).expect("an entry")).collect();
    let options = VerifierOptions {
        secret: Some(SECRET.as_bytes().to_vec()),
        clock_skew: Duration::ZERO,
        ..VerifierOptions::default()
    };
    Verifier::new(options).expect("a verifier").with_issuers(Issuers::new(entries).expect("issuers"))
}

async fn claims_of(verifier: &Verifier, token: &str) -> Value {
    let principal = verifier.verify(token).await.expect("it is accepted");
    serde_json::from_str(principal.claims()).expect("JSON")
}

#[tokio::test]
async fn a_user_of_another_issuer_has_an_id_of_their_own_and_keeps_their_subject() {
    let issuer = TestIssuer::start().await;
    let verifier = verifier(vec![issuer.entry(&json!({}))]);
    let principal = verifier.verify(&issuer.token(&json!({ "email": "a@b.c" }))).await.expect("it is accepted");
    let id = user_id(&issuer.url, "auth0|1");
    assert_eq!((principal.subject(), principal.actor()), (Some(id), id.to_string()));
    let bound: Value = serde_json::from_str(principal.claims()).expect("JSON");
    assert_eq!((&bound["sub"], &bound["behalf_sub"]), (&json!(id), &json!("auth0|1")), "safe with any auth.uid()");
    let kept = principal.verified_claims().expect("a user in person");
    assert!(kept.claims().are_of_another_issuer() && kept.user() == id);
    let stored = UserClaims::read_stored(kept.claims().to_json()).expect("claims");
    assert_eq!(&stored, kept.claims());
    // Once the database reads the host's own claim, also for tokens that were verified before.
    verifier.bind_subjects_as(crate::SubjectForm::Theirs);
    let bound = claims_of(&verifier, &issuer.token(&json!({ "email": "a@b.c" }))).await;
    assert_eq!(
        (&bound["sub"], &bound["behalf_uid"], &bound["role"]),
        (&json!("auth0|1"), &json!(id), &json!("authenticated"))
    );
    assert_eq!((&bound["email"], &bound["iss"], bound.get("behalf_sub")), (&json!("a@b.c"), &json!(issuer.url), None));
}

#[tokio::test]
async fn nobody_of_another_issuer_is_a_user_of_the_project() {
    let (one, two) = (TestIssuer::start().await, TestIssuer::start().await);
    let verifier = verifier(vec![one.entry(&json!({})), two.entry(&json!({}))]);
    let alice = mint_token(SECRET, &TokenRequest::for_user(ALICE)).expect("a token");
    let alice = verifier.verify(&alice).await.expect("a user").subject();
    let named = json!({ "sub": ALICE });
    let (first, second) = (verifier.verify(&one.token(&named)).await, verifier.verify(&two.token(&named)).await);
    let (first, second) = (first.expect("a user").subject(), second.expect("a user").subject());
    assert!(alice != first && alice != second && first != second, "{alice:?} {first:?} {second:?}");
    // Claims of the host's own count for nothing where a token brings them.
    let raised = json!({
        "behalf_uid": ALICE, "behalf_sub": ALICE, "is_service_role": true, "role": "service_role", "act": { "sub": "x" },
    });
    for form in [crate::SubjectForm::Ours, crate::SubjectForm::Theirs] {
        verifier.bind_subjects_as(form);
        let bound = claims_of(&verifier, &one.token(&raised)).await;
        assert_eq!(bound["role"], "authenticated");
        assert!(bound.get("act").is_none() && bound.get("is_service_role").is_none(), "{bound}");
        assert!(!bound.to_string().contains(ALICE), "{bound}");
    }
    let mut own = json!({ "sub": ALICE, "aud": "authenticated", "exp": chrono::Utc::now().timestamp() + 60 });
    own["behalf_uid"] = json!(Uuid::from_u128(9));
    let own = encode(&Header::new(Algorithm::HS256), &own, &EncodingKey::from_secret(SECRET.as_bytes()));
    let bound = claims_of(&verifier, &own.expect("a token")).await;
    assert_eq!((&bound["sub"], bound.get("behalf_uid")), (&json!(ALICE), None));
}

#[tokio::test]
async fn a_key_verifies_the_tokens_of_its_own_issuer_only() {
    let (one, two) = (TestIssuer::start().await, TestIssuer::start().await);
    let verifier = verifier(vec![one.entry(&json!({})), two.entry(&json!({}))]);
    assert!(verifier.verify(&one.token(&json!({}))).await.is_ok());
    assert!(verifier.verify(&signed(&one.ec, &one.claims(&json!({})))).await.is_ok());
    // Signed by the other issuer's key, under its own name and under the name of this one's key.
    assert!(verifier.verify(&signed(&two.rsa, &one.claims(&json!({})))).await.is_err());
    let (alg, private) = two.rsa.signer();
    let posing = Header { kid: Some(one.rsa.id().to_string()), ..Header::new(alg) };
    let posing = encode(&posing, &one.claims(&json!({})), &private).expect("a token");
    assert!(verifier.verify(&posing).await.is_err());
    // The project's secret signs for the project alone, and its rules hold for every issuer that is not listed.
    let hashed = |claims: &Value, secret: &[u8]| {
        encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret)).expect("a token")
    };
    let with_own_secret = one.claims(&json!({ "aud": ["app", "authenticated"], "sub": ALICE }));
    assert!(verifier.verify(&hashed(&with_own_secret, SECRET.as_bytes())).await.is_err());
    let unknown = json!({ "iss": "https://unknown.example", "aud": "authenticated", "sub": ALICE });
    assert!(verifier.verify(&signed(&one.rsa, &one.claims(&unknown))).await.is_err());
    assert!(verifier.verify(&hashed(&one.claims(&unknown), SECRET.as_bytes())).await.is_ok());
    let nobody = one.claims(&json!({ "iss": null, "aud": "authenticated", "sub": ALICE }));
    assert!(verifier.verify(&signed(&one.rsa, &nobody)).await.is_err());
    let listed = one.claims(&json!({ "iss": [one.url, two.url] }));
    assert!(verifier.verify(&signed(&two.rsa, &listed)).await.is_err());
}

#[tokio::test]
async fn tricks_with_the_header_are_refused() {
    let issuer = TestIssuer::start().await;
    let stranger = key(SigningAlgorithm::Es256);
    let elsewhere = serve(vec![("/jwks", set(&[&stranger]))]).await;
    let verifier = verifier(vec![issuer.entry(&json!({}))]);
    let kid = issuer.rsa.id().to_string();
    let payload = URL_SAFE_NO_PAD.encode(issuer.claims(&json!({})).to_string());
    let with = |header: &Value, key: &EncodingKey, alg| {
        let signed = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.to_string()));
        let signature = sign(signed.as_bytes(), key, alg).expect("a signature");
        format!("{signed}.{signature}")
    };
    let (_, own) = issuer.rsa.signer();
    let (_, theirs) = stranger.signer();
    assert!(verifier.verify(&with(&json!({ "alg": "RS256", "kid": kid }), &own, Algorithm::RS256)).await.is_ok());
    // No signature at all.
    for alg in ["none", "None", "NONE"] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "kid": kid }).to_string());
        assert!(verifier.verify(&format!("{header}.{payload}.")).await.is_err(), "{alg}");
    }
    // The public key as the secret of HS256, in each form in which it is published.
    let public = serde_json::to_value(issuer.rsa.public_jwk()).expect("JSON");
    let modulus = public["n"].as_str().expect("a modulus");
    for secret in [modulus.as_bytes(), public.to_string().as_bytes(), &URL_SAFE_NO_PAD.decode(modulus).expect("bytes")]
    {
        let key = EncodingKey::from_secret(secret);
        let header = json!({ "alg": "HS256", "kid": kid });
        assert!(verifier.verify(&with(&header, &key, Algorithm::HS256)).await.is_err());
    }
    // A key of the token's own choice: at an address, as a certificate, in the header.
    let jwks = format!("{elsewhere}/jwks");
    for header in [
        json!({ "alg": "ES256", "kid": stranger.id(), "jku": jwks }),
        json!({ "alg": "ES256", "kid": stranger.id(), "x5u": jwks }),
        json!({ "alg": "ES256", "jwk": stranger.public_jwk() }),
        json!({ "alg": "ES256", "kid": issuer.ec.id(), "jwk": stranger.public_jwk(), "jku": jwks }),
        json!({ "alg": "ES256", "kid": "../../../dev/null" }),
        json!({ "alg": "ES256", "kid": kid }),
    ] {
        assert!(verifier.verify(&with(&header, &theirs, Algorithm::ES256)).await.is_err(), "{header}");
    }
    for asks in [json!({ "crit": ["exp"] }), json!({ "crit": ["b64"], "b64": false })] {
        let mut header = json!({ "alg": "RS256", "kid": kid });
        header.as_object_mut().expect("an object").extend(asks.as_object().expect("an object").clone());
        assert!(verifier.verify(&with(&header, &own, Algorithm::RS256)).await.is_err(), "{header}");
    }
}

#[tokio::test]
async fn a_token_for_another_app_or_with_another_role_is_refused() {
    let issuer = TestIssuer::start().await;
    let check = async |entry: Value, claims: Value| {
        let verifier = verifier(vec![issuer.entry(&entry)]);
        verifier.verify(&issuer.token(&claims)).await.is_ok()
    };
    assert!(check(json!({}), json!({ "aud": ["other", "app"] })).await);
    assert!(!check(json!({}), json!({ "aud": "other" })).await);
    assert!(!check(json!({}), json!({ "aud": null })).await);
    // Clerk names the page, Cognito the client.
    let clerk = json!({ "audience": [], "azp": ["https://app.example"] });
    assert!(check(clerk.clone(), json!({ "aud": null, "azp": "https://app.example" })).await);
    assert!(!check(clerk.clone(), json!({ "aud": null, "azp": "https://evil.example" })).await);
    assert!(!check(clerk, json!({ "aud": null })).await);
    let cognito = json!({ "audience": [], "client_id": "app", "require": { "token_use": "access" } });
    assert!(check(cognito.clone(), json!({ "aud": null, "client_id": "app", "token_use": "access" })).await);
    assert!(!check(cognito.clone(), json!({ "aud": null, "client_id": "app", "token_use": "id" })).await);
    assert!(!check(cognito, json!({ "aud": null, "client_id": "other", "token_use": "access" })).await);
    let role = json!({ "role_claim": "/https:~1~1app.example~1role" });
    assert!(check(role.clone(), json!({})).await);
    assert!(check(role.clone(), json!({ "https://app.example/role": "authenticated" })).await);
    for other in [json!("service_role"), json!("anon"), json!(["authenticated"]), json!(null), json!({})] {
        assert!(!check(role.clone(), json!({ "https://app.example/role": other })).await, "{other}");
    }
    assert!(!check(json!({ "role_claim": "role", "default_role": "none" }), json!({})).await);
    assert!(!check(json!({ "algorithms": "ES256" }), json!({})).await);
    for subject in [json!(null), json!(""), json!(7), json!(["a"]), json!("a\u{0}b"), json!("x".repeat(256))] {
        assert!(!check(json!({}), json!({ "sub": subject })).await, "{subject}");
    }
    assert!(!check(json!({ "subject": "uuid" }), json!({})).await);
    assert!(check(json!({ "subject": "uuid" }), json!({ "sub": ALICE })).await);
    // The project's own subjects are ids as well, so both cannot be accepted.
    let both = verifier(vec![issuer.entry(&json!({ "subject": "uuid" }))]);
    let own = mint_token(SECRET, &TokenRequest::for_user(ALICE)).expect("a token");
    assert!(both.verify(&own).await.is_err());
    assert!(!check(json!({}), json!({ "exp": chrono::Utc::now().timestamp() - 1 })).await);
    assert!(!check(json!({}), json!({ "exp": null })).await);
    assert!(!check(json!({}), json!({ "iat": chrono::Utc::now().timestamp() + 60 })).await);
}

#[tokio::test]
async fn claims_are_copied_for_policies_and_what_postgres_refuses_is_dropped() {
    let issuer = TestIssuer::start().await;
    let entry = issuer.entry(&json!({ "claims": { "app_metadata": "https://app.example/meta", "tenant": "/a/b" } }));
    let verifier = verifier(vec![entry]);
    let bound = claims_of(
        &verifier,
        &issuer.token(&json!({
            "https://app.example/meta": { "plan": "pro" }, "app_metadata": { "plan": "self-made" }, "a": { "b": 7 },
            "nul": "a\u{0}b", "nested": [{ "x\u{0}": 1 }],
        })),
    )
    .await;
    assert_eq!((&bound["app_metadata"], &bound["tenant"]), (&json!({ "plan": "pro" }), &json!(7)));
    assert!(bound.get("nul").is_none() && bound.get("nested").is_none(), "{bound}");
    let without = claims_of(&verifier, &issuer.token(&json!({ "app_metadata": { "plan": "self-made" } }))).await;
    assert!(without.get("app_metadata").is_none(), "{without}");
    let large = issuer.token(&json!({ "large": "x".repeat(20_000) }));
    assert!(verifier.verify(&large).await.is_err());
}

#[tokio::test]
async fn an_issuer_says_where_its_keys_are() {
    let own = key(SigningAlgorithm::Es256);
    let claims =
        |issuer: &str| json!({ "iss": issuer, "aud": "app", "sub": "1", "exp": chrono::Utc::now().timestamp() + 600 });
    let described = serve(vec![
        ("/.well-known/openid-configuration", json!({ "issuer": "{own}/", "jwks_uri": "{own}/keys" }).to_string()),
        ("/keys", set(&[&own])),
    ])
    .await;
    let plain = serve(vec![("/.well-known/jwks.json", set(&[&own]))]).await;
    let posing = serve(vec![
        (
            "/.well-known/openid-configuration",
            json!({ "issuer": "https://other.example", "jwks_uri": "{own}/keys" }).to_string(),
        ),
        ("/keys", set(&[&own])),
        ("/.well-known/jwks.json", set(&[&own])),
    ])
    .await;
    for (issuer, accepted) in [(format!("{described}/"), true), (plain, true), (posing, false)] {
        let verifier = verifier(vec![json!({ "issuer": issuer, "audience": "app" })]);
        let answer = verifier.verify(&signed(&own, &claims(&issuer))).await;
        assert_eq!(answer.is_ok(), accepted, "{issuer}: {answer:?}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_away_holds_up_no_other() {
    let issuer = TestIssuer::start().await;
    let away = json!({ "issuer": "http://127.0.0.1:9", "jwks_url": "http://127.0.0.1:9/jwks", "audience": "app" });
    let verifier = verifier(vec![issuer.entry(&json!({})), away]);
    assert!(verifier.refresh_keys().await.is_err());
    assert!(verifier.verify(&issuer.token(&json!({}))).await.is_ok());
    let token = signed(&issuer.rsa, &issuer.claims(&json!({ "iss": "http://127.0.0.1:9" })));
    assert!(matches!(verifier.verify(&token).await, Err(VerifyError::KeysUnavailable)));
}
