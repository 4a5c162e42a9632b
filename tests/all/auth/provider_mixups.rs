//! Providers that mix sign-ins up: ID tokens of another sign-in, another issuer or another app, and answers of another provider.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_identity::{SigningAlgorithm, SigningKey};
use behalf_tests::App;
use behalf_tests::tenants::now;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::oidc::{Browser, Oidc, WITH_CHALLENGE, fragment, me, query, user, with};

const ADA: &str = "ada@people.example";
const ACCESS_TOKEN: &str = "of-the-stand-in";

/// A provider that says in its ID tokens what a test wants.
struct StandIn {
    issuer: String,
    key: SigningKey,
    /// Claims that its next tokens have instead of the right ones; null takes one away.
    instead: Mutex<Value>,
    /// The nonce of the sign-in that began last.
    nonce: Mutex<String>,
    /// Codes that it was asked to exchange.
    exchanged: Mutex<Vec<String>>,
}

impl StandIn {
    async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stand_in = Arc::new(Self {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            key: SigningKey::generate(SigningAlgorithm::Es256).unwrap(),
            instead: Mutex::default(),
            nonce: Mutex::default(),
            exchanged: Mutex::default(),
        });
        let about = |State(own): State<Arc<Self>>| async move {
            let at = |path: &str| format!("{}{path}", own.issuer);
            Json(json!({
                "issuer": own.issuer, "authorization_endpoint": at("/auth"), "token_endpoint": at("/token"),
                "jwks_uri": at("/jwks"), "code_challenge_methods_supported": ["S256"],
            }))
        };
        let keys = |State(own): State<Arc<Self>>| async move { Json(json!({ "keys": [own.key.public_jwk()] })) };
        let page = |State(own): State<Arc<Self>>, Query(asked): Query<HashMap<String, String>>| async move {
            own.nonce.lock().unwrap().clone_from(&asked["nonce"]);
            let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
            back.query_pairs_mut().append_pair("code", "a-code").append_pair("state", &asked["state"]);
            Redirect::to(back.as_str())
        };
        let exchange = |State(own): State<Arc<Self>>, body: String| async move {
            own.exchanged.lock().unwrap().push(body);
            Json(json!({ "access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": own.id_token() }))
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(about))
            .route("/jwks", get(keys))
            .route("/auth", get(page))
            .route("/token", post(exchange))
            .with_state(Arc::clone(&stand_in));
        tokio::spawn(async move { axum::serve(listener, router).await });
        stand_in
    }

    fn id_token(&self) -> String {
        let half = &Sha256::digest(ACCESS_TOKEN)[..16];
        let mut claims = json!({
            "iss": self.issuer, "aud": "app", "sub": "ada", "email": ADA, "email_verified": true, "iat": now(),
            "exp": now() + 600, "nonce": *self.nonce.lock().unwrap(), "at_hash": URL_SAFE_NO_PAD.encode(half),
        });
        let fields = claims.as_object_mut().unwrap();
        fields.extend(self.instead.lock().unwrap().as_object().cloned().unwrap_or_default());
        fields.retain(|_, value| !value.is_null());
        let header = Header { kid: Some(self.key.id().to_string()), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_pem(self.key.private_pem().as_bytes()).unwrap();
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    }

    /// A host with this provider as `test`.
    async fn app(&self, oidc: &Oidc) -> App {
        let mut provider = oidc.provider("app");
        provider["issuer"] = json!(self.issuer);
        oidc.app_with(json!({ "test": provider, "honest": oidc.provider("app") }), &[]).await
    }
}

async fn rows(app: &App, table: &str) -> i64 {
    app.database.value(&format!("select count(*) from auth.{table}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_that_was_made_for_something_else_signs_nobody_in() {
    let (oidc, stand_in) = (Oidc::start().await, StandIn::start().await);
    let app = stand_in.app(&oidc).await;
    let sign_in = async |instead: Value| {
        *stand_in.instead.lock().unwrap() = instead;
        Browser::new().sign_in(&app, &json!({}), "").await
    };
    // The nonce of a sign-in that somebody else began.
    Browser::new().answer(&app, &json!({}), "").await;
    let others = stand_in.nonce.lock().unwrap().clone();
    assert!(others.len() > 20, "{others}");
    for instead in [
        json!({ "nonce": others }),
        json!({ "nonce": "" }),
        json!({ "nonce": null }),
        json!({ "nonce": [others] }),
        json!({ "iss": oidc.issuer }),
        json!({ "iss": format!("{}/", stand_in.issuer) }),
        json!({ "iss": null }),
        json!({ "aud": "other-app" }),
        json!({ "aud": ["app", "other-app"], "azp": "other-app" }),
        json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }),
        json!({ "exp": now() - 600 }),
        json!({ "sub": null }),
    ] {
        let led = sign_in(instead.clone()).await;
        let said = query(&led);
        assert_eq!(
            (said["error"].as_str(), said["error_code"].as_str()),
            ("server_error", "unexpected_failure"),
            "{instead}: {led}"
        );
        assert!(!fragment(&led).contains_key("access_token"), "{instead}: {led}");
    }
    assert_eq!((rows(&app, "users").await, rows(&app, "sessions").await), (0, 0));
    // With its own nonce, and as it was made, the token signs in.
    let session = fragment(&sign_in(json!({})).await);
    assert_eq!(me(&app, &session["access_token"]).await["email"], ADA);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_sends_users_to_another_one_gets_no_code_of_it() {
    let (oidc, evil) = (Oidc::start().await, StandIn::start().await);
    let app = evil.app(&oidc).await;
    let (victim, attacker) = (Browser::new(), Browser::new());
    for more in ["", WITH_CHALLENGE] {
        // The user begins at the one, whose page leads to that of the other with the same state.
        let own = victim.begin(&app, &json!({}), more).await;
        let other = attacker.begin_at("honest", &app, &user("ada", ADA, true), "").await;
        let page = with(&other, "state", Some(&query(&own)["state"]));
        let answer = victim.walk(page).await;
        assert_eq!(query(&answer)["iss"], oidc.issuer, "the code is of the other");
        let led = victim.call_back(&app, &answer).await;
        let said = query(&led);
        assert_eq!(
            (said["error"].as_str(), said["error_code"].as_str()),
            ("invalid_request", "bad_oauth_callback"),
            "{led}"
        );
    }
    assert!(evil.exchanged.lock().unwrap().is_empty(), "no code was shown to it");
    assert_eq!(rows(&app, "users").await, 0);
    // What the one answers for itself is taken.
    let session = fragment(&Browser::new().sign_in(&app, &json!({}), "").await);
    assert_eq!(me(&app, &session["access_token"]).await["email"], ADA);
    assert_eq!(evil.exchanged.lock().unwrap().len(), 1);
}
