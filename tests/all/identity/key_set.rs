//! The project's public keys at an address: keys that leave the set, and an address that is slow, asked too often, or failing.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use behalf_tests::tenants::now;
use behalf_tests::{ALICE, App, Options, User, eventually};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// A server of a key set.
#[derive(Clone)]
struct KeyServer {
    url: String,
    state: Arc<Mutex<Served>>,
}

struct Served {
    status: u16,
    keys: Vec<Value>,
    /// Whether it takes requests and answers none.
    silent: bool,
    requests: usize,
}

impl KeyServer {
    async fn start(keys: &[&Key]) -> Self {
        let keys = keys.iter().map(|key| key.public.clone()).collect();
        let state = Arc::new(Mutex::new(Served { status: 200, keys, silent: false, requests: 0 }));
        let router = axum::Router::new().route("/jwks.json", get(Self::answer)).with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    async fn answer(State(state): State<Arc<Mutex<Served>>>) -> axum::response::Response {
        let (status, text, silent) = {
            let mut served = state.lock().unwrap();
            served.requests += 1;
            (served.status, json!({ "keys": served.keys }).to_string(), served.silent)
        };
        if silent {
            std::future::pending::<()>().await;
        }
        (http::StatusCode::from_u16(status).unwrap(), text).into_response()
    }

    fn change(&self, change: impl FnOnce(&mut Served)) {
        change(&mut self.state.lock().unwrap());
    }

    fn requests(&self) -> usize {
        self.state.lock().unwrap().requests
    }

    /// A host that takes its keys from here, every so many seconds.
    async fn host(&self, refresh: u64) -> App {
        let settings = vec![("jwks_url", self.url.clone()), ("jwks_refresh_seconds", refresh.to_string())];
        App::with(Options { settings }).await
    }
}

/// A key of whoever issues tokens.
struct Key {
    kid: String,
    private: EncodingKey,
    public: Value,
}

impl Key {
    fn new(kid: &str) -> Self {
        let made = std::process::Command::new("openssl").args(["genpkey", "-algorithm", "ED25519"]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let private = EncodingKey::from_ed_pem(&made.stdout).unwrap();
        let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&private, Algorithm::EdDSA).unwrap();
        let mut public = serde_json::to_value(jwk).unwrap();
        public["kid"] = json!(kid);
        Self { kid: kid.to_owned(), private, public }
    }

    /// A new token of alice, which no host has seen.
    fn token(&self) -> User {
        self.token_of(&self.kid)
    }

    fn token_of(&self, kid: &str) -> User {
        let payload = json!({"sub": ALICE, "aud": "authenticated", "exp": now() + 3_600, "jti": uuid::Uuid::new_v4()});
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
        User::Token(jsonwebtoken::encode(&header, &payload, &self.private).unwrap())
    }
}

async fn status(app: &App, user: &User) -> u16 {
    app.get(user, "/api/tools").await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_refused_once_its_key_has_left_the_set() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = KeyServer::start(&[&old]).await;
    let app = server.host(1).await;
    let (verified, fresh) = (old.token(), new.token());
    assert_eq!(status(&app, &verified).await, 200);
    server.change(|served| served.keys = vec![old.public.clone(), new.public.clone()]);
    eventually("the new key is known", async || status(&app, &fresh).await == 200).await;
    assert_eq!(status(&app, &verified).await, 200, "both keys count while both are published");
    // Nobody sends a token of an unknown key: the timer alone finds out.
    server.change(|served| served.keys = vec![new.public.clone()]);
    eventually("the verified token is refused", async || status(&app, &verified).await == 401).await;
    assert_eq!(status(&app, &fresh).await, 200);
    // Another key under the name of one that is trusted.
    let impostor = Key::new("new");
    server.change(|served| served.keys = vec![impostor.public.clone()]);
    eventually("the token of the replaced key is refused", async || status(&app, &fresh).await == 401).await;
    assert_eq!(status(&app, &impostor.token()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_address_holds_up_nobody_whose_key_is_known() {
    let key = Key::new("a");
    let server = KeyServer::start(&[&key]).await;
    let app = Arc::new(server.host(1).await);
    assert_eq!(status(&app, &key.token()).await, 200);
    server.change(|served| (served.silent, served.requests) = (true, 0));
    eventually("a fetch waits", async || server.requests() > 0).await;
    // Whose key is unknown waits for the fetch; meanwhile a token that was never seen is verified and answered. A fetch may end
    // between the two, so this is tried again.
    eventually("a known key is answered while an unknown one waits", async || {
        let (app, unknown) = (Arc::clone(&app), key.token_of(&uuid::Uuid::new_v4().to_string()));
        let other = Arc::clone(&app);
        let waits = tokio::spawn(async move { status(&other, &unknown).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(status(&app, &key.token()).await, 200);
        let still_waits = !waits.is_finished();
        assert_eq!(waits.await.unwrap(), 401);
        still_waits
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_keys_cause_one_fetch_however_many_ask() {
    let (key, late) = (Key::new("a"), Key::new("late"));
    let server = KeyServer::start(&[&key]).await;
    let app = server.host(3_600).await;
    eventually("the timer has asked once", async || server.requests() > 0).await;
    assert_eq!(status(&app, &key.token()).await, 200);
    let (before, start) = (server.requests(), Instant::now());
    server.change(|served| served.keys.push(late.public.clone()));
    let strangers: Vec<_> = (0..100).map(|n| key.token_of(&format!("unknown {n}"))).collect();
    let refused = futures::future::join_all(strangers.iter().map(|user| status(&app, user))).await;
    assert!(refused.iter().all(|status| *status == 401), "{refused:?}");
    // One fetch, and one more for each ten seconds that this took.
    let allowed = 1 + usize::try_from(start.elapsed().as_secs() / 10).unwrap();
    assert!((1..=allowed).contains(&(server.requests() - before)), "{} fetches", server.requests() - before);
    assert_eq!(status(&app, &late.token()).await, 200, "the one fetch brought what was new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_address_leaves_the_last_set_in_force() {
    let key = Key::new("a");
    let server = KeyServer::start(&[&key]).await;
    let app = server.host(1).await;
    let verified = key.token();
    assert_eq!(status(&app, &verified).await, 200);
    server.change(|served| (served.status, served.keys, served.requests) = (500, Vec::new(), 0));
    eventually("the timer failed twice", async || server.requests() >= 2).await;
    for user in [&verified, &key.token()] {
        assert_eq!(status(&app, user).await, 200);
    }
    assert_eq!(status(&app, &key.token_of("unknown")).await, 401);
    // An address that never answered is another thing: nothing can be verified, and nobody is to blame.
    let stranger = server.host(1).await;
    let answer = stranger.get(&verified, "/api/tools").await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(status(&stranger, &User::Is(ALICE)).await, 200, "HS256 needs no key set");
    server.change(|served| (served.status, served.keys) = (200, vec![key.public.clone()]));
    eventually("the address is well again", async || status(&stranger, &verified).await == 200).await;
}
