//! An `OpenID` provider as a process of its own (`tests/clients/oidc`), and browsers that sign users in there.

use std::collections::HashMap;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_tests::{Answer, App, Options, TestDatabase, User};
use reqwest::Url;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use crate::protocols::clients::{clients, node};

/// Where the host says that it is. Browsers of the tests know where it really is.
pub(super) const PUBLIC: &str = "http://project.example";
/// The app.
pub(super) const SITE: &str = "https://app.example";
/// Its secret at the provider.
pub(super) const SECRET: &str = "a secret of the app & more";
/// A verifier of an app, and its challenge (RFC 7636, appendix B).
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// A challenge in a request.
pub(super) const WITH_CHALLENGE: &str =
    "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=s256";

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/oidc/server.mjs");

/// A provider, which ends with it.
pub(super) struct Oidc {
    pub(super) issuer: String,
    _child: Child,
}

impl Oidc {
    /// A provider that tells claims at an address of their own.
    pub(super) async fn start() -> Self {
        Self::of("apart").await
    }

    /// A provider whose ID tokens hold all claims.
    pub(super) async fn with_claims_in_tokens() -> Self {
        Self::of("in-token").await
    }

    async fn of(claims: &str) -> Self {
        let mut server = node();
        server
            .arg(SERVER)
            .env("PACKAGES", clients().join("oidc"))
            .env("CALLBACK", format!("{PUBLIC}/auth/v1/callback"));
        server.env("CLAIMS", claims);
        let mut child = server.stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let issuer = lines.next_line().await.unwrap().expect("the provider says where it is");
        // Whoever reads its output no longer would end it with its next line.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { issuer, _child: child }
    }

    /// A host on a database of its own, with this provider as `test`, and with further settings.
    pub(super) async fn app(&self, settings: &[(&'static str, &str)]) -> App {
        self.app_with(json!({ "test": self.provider("app") }), settings).await
    }

    /// A host with these providers.
    pub(super) async fn app_with(&self, providers: Value, settings: &[(&'static str, &str)]) -> App {
        let own = [
            ("public_url", PUBLIC),
            ("auth_site_url", SITE),
            ("auth_redirect_urls", "https://app.example/**,https://*.preview.example/**,myapp://callback"),
            ("auth_tries_per_5_minutes", "0"),
        ];
        let kept = own.iter().filter(|(name, _)| settings.iter().all(|(other, _)| other != name));
        let mut all: Vec<_> = kept.chain(settings).map(|(name, value)| (*name, (*value).to_owned())).collect();
        all.push(("auth_providers", providers.to_string()));
        App::on(TestDatabase::create().await, Options { settings: all }).await
    }

    /// The setting of this provider with one of its clients.
    pub(super) fn provider(&self, client: &str) -> Value {
        json!({ "issuer": self.issuer, "client_id": client, "client_secret": SECRET })
    }

    /// An ID token and an access token, as an app gets them by itself.
    pub(super) async fn tokens(&self, client: &str, user: &Value, nonce: Option<&str>) -> Value {
        let mut page = Url::parse(&format!("{}/auth", self.issuer)).unwrap();
        let callback = format!("{PUBLIC}/auth/v1/callback");
        page.query_pairs_mut().extend_pairs([
            ("client_id", client),
            ("redirect_uri", &callback),
            ("response_type", "code"),
            ("scope", "openid email profile"),
            ("state", "of the app"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("login_hint", &user.to_string()),
        ]);
        if let Some(nonce) = nonce {
            page.query_pairs_mut().append_pair("nonce", nonce);
        }
        let back = Browser::new().walk(page).await;
        let code = query(&back)["code"].clone();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &callback),
            ("code_verifier", VERIFIER),
        ];
        let body = form.iter().fold(Url::parse("http://x/").unwrap(), |mut url, (name, value)| {
            url.query_pairs_mut().append_pair(name, value);
            url
        });
        let encoded = |text: &str| {
            let mut url = Url::parse("http://x/").unwrap();
            url.query_pairs_mut().append_pair("a", text);
            url.query().unwrap()[2..].to_owned()
        };
        let answer = reqwest::Client::new()
            .post(format!("{}/token", self.issuer))
            .basic_auth(encoded(client), Some(encoded(SECRET)))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.query().unwrap().to_owned())
            .send()
            .await;
        let answer = Answer::of(answer.unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json
    }
}

/// A browser: it keeps cookies, and follows no redirect by itself.
#[derive(Default)]
pub(super) struct Browser {
    cookies: std::sync::Mutex<HashMap<String, HashMap<String, String>>>,
}

impl Browser {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Opens an address, and returns the status and where it leads.
    pub(super) async fn open(&self, url: &str) -> (u16, Option<Url>, String) {
        let url = Url::parse(url).unwrap();
        let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        let answer = http.get(url.clone()).header(COOKIE, self.cookies_for(&url)).send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            let mut all = self.cookies.lock().unwrap();
            let of_host = all.entry(host(&url)).or_default();
            if value.is_empty() {
                of_host.remove(name)
            } else {
                of_host.insert(name.to_owned(), value.to_owned())
            };
        }
        let to = answer.headers().get(LOCATION).map(|to| url.join(to.to_str().unwrap()).unwrap());
        (answer.status().as_u16(), to, answer.text().await.unwrap())
    }

    /// Sends the provider's answer as a form, and returns the status and where the host leads.
    pub(super) async fn send_form(&self, app: &App, form: &str) -> (u16, Option<Url>) {
        let url = Url::parse(&format!("{}/auth/v1/callback", app.url)).unwrap();
        let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        let sent = http.post(url.clone()).header(COOKIE, self.cookies_for(&url));
        let sent = sent.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        let sent = sent.send().await.unwrap();
        let to = sent.headers().get(LOCATION).map(|to| Url::parse(to.to_str().unwrap()).unwrap());
        (sent.status().as_u16(), to)
    }

    fn cookies_for(&self, url: &Url) -> String {
        let kept = self.cookies.lock().unwrap().get(&host(url)).cloned().unwrap_or_default();
        kept.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Follows redirects until one leads back to the host.
    pub(super) async fn walk(&self, mut url: Url) -> Url {
        for _ in 0..8 {
            if url.as_str().starts_with(PUBLIC) {
                return url;
            }
            let (status, to, text) = self.open(url.as_str()).await;
            url = to.unwrap_or_else(|| panic!("{url} answers {status}: {text}"));
        }
        panic!("{url} leads nowhere");
    }

    /// Begins a sign-in at `test` and returns the provider's page.
    pub(super) async fn begin(&self, app: &App, user: &Value, more: &str) -> Url {
        self.begin_at("test", app, user, more).await
    }

    /// Begins a sign-in at a provider and returns its page.
    pub(super) async fn begin_at(&self, provider: &str, app: &App, user: &Value, more: &str) -> Url {
        let mut hint = Url::parse("http://x/").unwrap();
        hint.query_pairs_mut().append_pair("login_hint", &user.to_string());
        let url = format!("{}/auth/v1/authorize?provider={provider}&{}{more}", app.url, hint.query().unwrap());
        let (status, to, text) = self.open(&url).await;
        assert_eq!(status, 302, "{text}");
        to.unwrap()
    }

    /// Signs in at the provider, and returns the address with its answer.
    pub(super) async fn answer(&self, app: &App, user: &Value, more: &str) -> Url {
        let page = self.begin(app, user, more).await;
        self.walk(page).await
    }

    /// Opens the address with the provider's answer, and returns where the host leads.
    pub(super) async fn call_back(&self, app: &App, answer: &Url) -> Url {
        let url = format!("{}{}?{}", app.url, answer.path(), answer.query().unwrap_or_default());
        let (status, to, text) = self.open(&url).await;
        assert!(matches!(status, 302 | 303), "{status} {text}");
        to.unwrap()
    }

    /// All of it.
    pub(super) async fn sign_in(&self, app: &App, user: &Value, more: &str) -> Url {
        let answer = self.answer(app, user, more).await;
        self.call_back(app, &answer).await
    }
}

fn host(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap())
}

/// The parameters of an address.
pub(super) fn query(url: &Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}

/// The parameters behind the `#`.
pub(super) fn fragment(url: &Url) -> HashMap<String, String> {
    let mut as_query = Url::parse("http://x/").unwrap();
    as_query.set_query(url.fragment());
    query(&as_query)
}

/// The address with another parameter.
pub(super) fn with(url: &Url, name: &str, value: Option<&str>) -> Url {
    let mut changed = url.clone();
    let others: Vec<_> = url.query_pairs().into_owned().filter(|(own, _)| own != name).collect();
    changed.query_pairs_mut().clear().extend_pairs(others);
    if let Some(value) = value {
        changed.query_pairs_mut().append_pair(name, value);
    }
    changed
}

/// A user of the provider.
pub(super) fn user(id: &str, email: &str, verified: bool) -> Value {
    json!({ "sub": id, "email": email, "email_verified": verified, "name": "Ada Lovelace", "picture": "https://p.example/a.png" })
}

/// The user whom an access token names.
pub(super) async fn me(app: &App, token: &str) -> Value {
    let answer = app.get(&User::Token(token.to_owned()), "/auth/v1/user").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

/// Exchanges a code.
pub(super) async fn exchange(app: &App, code: &str, verifier: &str) -> Answer {
    let body = json!({ "auth_code": code, "code_verifier": verifier });
    app.post(&User::Anon, "/auth/v1/token?grant_type=pkce", body).await
}

/// Adds an account with a password, as somebody made it before.
pub(super) async fn add_account(app: &App, email: &str, confirmed: bool) -> String {
    let id = uuid::Uuid::new_v4();
    let at = if confirmed { "now()" } else { "null" };
    let sql = format!(
        "insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, confirmation_token, \
         recovery_token, email_change_token_new, email_change, raw_app_meta_data, raw_user_meta_data, created_at, updated_at) \
         values ('00000000-0000-0000-0000-000000000000', '{id}', 'authenticated', 'authenticated', '{email}', 'planted', {at}, \
         '', '', '', '', '{{\"provider\": \"email\", \"providers\": [\"email\"]}}', '{{\"planted\": true}}', now(), now()); \
         insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at) \
         values ('{id}', '{id}', '{{\"sub\": \"{id}\", \"email\": \"{email}\"}}', 'email', now(), now(), now())"
    );
    app.database.execute(&sql).await;
    id.to_string()
}

/// The hash that a nonce has in an ID token.
pub(super) fn hashed(nonce: &str) -> String {
    hex::encode(Sha256::digest(nonce))
}

/// A token with other claims, and the signature of before.
pub(super) fn tampered(token: &str, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let (mut header, mut claims) = (read(parts[0]), read(parts[1]));
    change(&mut header, &mut claims);
    let write = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.{}", write(&header), write(&claims), parts[2])
}
