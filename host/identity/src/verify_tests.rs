//! Tests of the verifier.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::sign;

use super::*;
use crate::{TokenRequest, mint_key, mint_token};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ALICE: &str = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";

fn verifier() -> (Verifier, String) {
    let service = mint_key(SECRET, "service_role").expect("a key");
    let verifier = Verifier::new(VerifierOptions {
        secret: Some(SECRET.as_bytes().to_vec()),
        anon_key: Some(mint_key(SECRET, "anon").expect("a key")),
        service_key: Some(service.clone()),
        clock_skew: Duration::ZERO,
        ..VerifierOptions::default()
    })
    .expect("a verifier");
    (verifier, service)
}

fn token(change: impl FnOnce(&mut TokenRequest)) -> String {
    let mut request = TokenRequest::for_user(ALICE);
    change(&mut request);
    mint_token(SECRET, &request).expect("a token")
}

#[tokio::test]
async fn the_service_role_is_the_key_itself_and_nothing_that_looks_like_it() {
    let (verifier, service) = verifier();
    assert!(verifier.verify(&service).await.expect("the key").is_service());
    let posing = token(|t| t.role = "service_role".to_owned());
    let principal = verifier.verify(&posing).await.expect("a user token");
    assert!(!principal.is_service());
    assert_eq!(principal.subject().map(|id| id.to_string()).as_deref(), Some(ALICE));
    assert!(principal.claims().contains(r#""role":"authenticated""#));
}

#[tokio::test]
async fn a_cached_token_ends_when_it_expires() {
    let (verifier, _) = verifier();
    let token = token(|t| t.ttl_seconds = 1);
    assert!(verifier.verify(&token).await.is_ok());
    while verifier.verify(&token).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(verifier.verify(&token).await, Err(VerifyError::Expired)));
}

#[tokio::test]
async fn wrong_audience_signature_and_algorithm_are_refused() {
    let (verifier, _) = verifier();
    let stranger = token(|t| t.audience = "other".to_owned());
    assert!(matches!(verifier.verify(&stranger).await, Err(VerifyError::Audience)));
    let mut forged = token(|_| ());
    forged.pop();
    assert!(matches!(verifier.verify(&forged).await, Err(VerifyError::Invalid(_))));
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiI2Zjk2MTlmZi04Yjg2LWQwMTEtYjQyZC0wMGNmNGZjOTY0ZmYifQ.";
    assert!(matches!(verifier.verify(none).await, Err(VerifyError::Invalid(_))));
    assert!(verifier.verify("").await.is_err());
}

/// A token with a valid signature and these further fields in its header.
fn with_header(more: &Value) -> String {
    let mut header = serde_json::json!({"alg": "HS256", "typ": "JWT"});
    header.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let payload = token(|_| ()).split('.').nth(1).expect("a payload").to_owned();
    let signed = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.to_string()));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = sign(signed.as_bytes(), &key, Algorithm::HS256).expect("a signature");
    format!("{signed}.{signature}")
}

#[tokio::test]
async fn a_header_that_asks_for_more_than_is_known_is_refused() {
    let (verifier, _) = verifier();
    for fine in [serde_json::json!({}), serde_json::json!({"x5t": "abc", "more": 1})] {
        assert!(verifier.verify(&with_header(&fine)).await.is_ok(), "{fine}");
    }
    for asks in [
        serde_json::json!({"crit": ["exp"], "exp": 1}),
        serde_json::json!({"crit": ["b64"], "b64": false}),
        serde_json::json!({"crit": ["https://example.com/policy"]}),
        serde_json::json!({"crit": []}),
        serde_json::json!({"crit": null}),
    ] {
        let refused = verifier.verify(&with_header(&asks)).await;
        assert!(matches!(refused, Err(VerifyError::Invalid(reason)) if reason.contains("crit")), "{asks}");
    }
}

/// A store in which no session lives.
#[derive(Debug)]
struct NoSessions;

impl SessionStore for NoSessions {
    fn is_live(&self, session: Uuid, _: Uuid) -> BoxFuture<'_, Result<bool, Box<dyn std::error::Error + Send + Sync>>> {
        Box::pin(async move { if session.is_nil() { Err("away".into()) } else { Ok(session == Uuid::max()) } })
    }
}

fn of_session(session: &Value) -> String {
    let payload = serde_json::json!({
        "sub": ALICE, "aud": "authenticated", "exp": now() + 60, "session_id": session,
    });
    let header = Header::new(Algorithm::HS256);
    jsonwebtoken::encode(&header, &payload, &EncodingKey::from_secret(SECRET.as_bytes())).expect("a token")
}

#[tokio::test]
async fn a_token_of_a_session_is_accepted_while_the_session_lives() {
    let (plain, service) = verifier();
    let over = of_session(&serde_json::json!(Uuid::from_u128(1)));
    assert!(plain.verify(&over).await.is_ok(), "sessions of another issuer with the same secret are not known here");
    let verifier = plain.with_sessions(Arc::new(NoSessions));
    for _ in 0..2 {
        let refused = verifier.verify(&over).await;
        assert!(matches!(refused, Err(VerifyError::SessionEnded)), "{refused:?}");
    }
    let unknown = verifier.verify(&of_session(&serde_json::json!(Uuid::nil()))).await;
    assert!(matches!(unknown, Err(VerifyError::SessionsUnavailable)), "{unknown:?}");
    for odd in [serde_json::json!("x"), serde_json::json!(7), serde_json::json!([Uuid::max()])] {
        assert!(verifier.verify(&of_session(&odd)).await.is_ok(), "no session of this host is named so: {odd}");
    }
    let live = of_session(&serde_json::json!(Uuid::max()));
    assert!(verifier.verify(&live).await.is_ok() && verifier.verify(&live).await.is_ok());
    assert!(verifier.verify(&token(|_| ())).await.is_ok(), "a token without a session");
    assert!(verifier.verify(&service).await.is_ok());
    verifier.session_ended(Uuid::max());
    assert!(matches!(verifier.verify(&live).await, Err(VerifyError::SessionEnded)));
}

#[tokio::test]
async fn without_a_service_key_nobody_is_the_service() {
    let verifier = Verifier::new(VerifierOptions {
        secret: Some(SECRET.as_bytes().to_vec()),
        service_key: Some(String::new()),
        ..VerifierOptions::default()
    })
    .expect("a verifier");
    let service = mint_key(SECRET, "service_role").expect("a key");
    assert!(verifier.verify(&service).await.is_err());
    assert!(verifier.verify("").await.is_err());
}
