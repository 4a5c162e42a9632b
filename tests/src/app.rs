//! The real host on a free port, and requests to it.

use std::path::PathBuf;
use std::time::Duration;

use behalf::app::{AppState, Stopping};
use behalf_caller_db::SessionLimit;
use behalf_config::{Settings, environment};
use behalf_identity::{TokenRequest, mint_key, mint_token};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{SECRET, TestDatabase};

/// Options of a test's host.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// More settings, as in `behalf.toml`.
    pub settings: Vec<(&'static str, String)>,
}

/// A running host.
#[derive(Debug)]
pub struct App {
    /// Its database.
    pub database: TestDatabase,
    /// `http://127.0.0.1:…`
    pub url: String,
    /// The state that its request handlers share.
    pub state: AppState,
    http: reqwest::Client,
    stop: Option<tokio::sync::oneshot::Sender<Stopping>>,
    server: tokio::task::JoinHandle<Result<(), behalf::app::StartError>>,
}

/// The caller of a request.
#[derive(Clone, Debug)]
pub enum User {
    /// The holder of the public key.
    Anon,
    /// A signed-in user.
    Is(Uuid),
    /// The app's back end.
    Service,
    /// The app's back end, acting for a user.
    ServiceFor(Uuid),
    /// Any bearer token.
    Token(String),
    /// A caller who sends no header at all.
    Nobody,
}

/// An answer of the host.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its body as text.
    pub text: String,
    /// Its body as JSON; null where the body is no JSON.
    pub json: Value,
}

impl Answer {
    /// `result` of a tool call that succeeded.
    pub fn result(&self) -> &Value {
        assert_eq!(self.status, 200, "{}", self.text);
        &self.json["result"]
    }

    /// Reads a response.
    pub async fn of(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        Self { status, json: serde_json::from_str(&text).unwrap_or_default(), text }
    }
}

/// The state folder of every test's host. Compiled code is shared by all tests; the folder is this user's alone.
pub const STATE_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/test-state");

impl App {
    /// Starts a host on a database of its own.
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    /// Starts a host with other settings.
    pub async fn with(options: Options) -> Self {
        Self::on(TestDatabase::create().await, options).await
    }

    /// Starts a host on this database; several hosts can share one.
    pub async fn on(database: TestDatabase, options: Options) -> Self {
        Self::limited(database, options, None).await
    }

    /// The same, with a limit on the memory of each session of tools.
    pub async fn limited(database: TestDatabase, options: Options, limit: Option<SessionLimit>) -> Self {
        let settings = settings(&database, options);
        let compiler = environment("BEHALF_TEST_BIN").map(PathBuf::from);
        assert!(compiler.is_some(), "BEHALF_TEST_BIN is not set: run the tests with `./dev test`");
        let app = behalf::app::App::build_limited(settings, compiler, limit).await.unwrap();
        let url = format!("http://{}", app.address().unwrap());
        let state = app.state().clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<Stopping>();
        let server = tokio::spawn(
            app.serve(async move { stopped.await.unwrap_or_else(|_| Stopping::at_once("the test is over")) }),
        );
        let http = reqwest::Client::builder().timeout(Duration::from_mins(2)).build().unwrap();
        Self { database, url, state, http, stop: Some(stop), server }
    }

    /// Stops the host as a signal does, and waits for its end.
    pub async fn stop(mut self) -> TestDatabase {
        self.begin_stop(Stopping::at_once("the test stops it"));
        self.stopped().await
    }

    /// Begins to stop the host.
    pub fn begin_stop(&mut self, how: Stopping) {
        self.stop.take().unwrap().send(how).ok();
    }

    /// Waits for its end.
    pub async fn stopped(mut self) -> TestDatabase {
        (&mut self.server).await.unwrap().unwrap();
        self.database.clone()
    }

    /// The content of the file by which commands find the host of `behalf dev`.
    pub fn dev_env(&self) -> String {
        format!(
            "ANON_KEY={}\nSERVICE_ROLE_KEY={}\nJWT_SECRET={SECRET}\nBASE_URL={}\nDATABASE_URL={}\nLOGIN_PASSWORD={}\n",
            anon_key(),
            service_key(),
            self.url,
            self.database.owner_url(),
            crate::LOGIN_PASSWORD,
        )
    }

    /// A request with the caller's headers.
    pub fn request(&self, user: &User, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request = if matches!(user, User::Nobody) { request } else { request.header("apikey", anon_key()) };
        match user {
            User::Nobody | User::Anon => request,
            User::Is(user) => request.bearer_auth(token(*user)),
            User::Service => request.bearer_auth(service_key()),
            User::ServiceFor(user) => request.bearer_auth(service_key()).header("x-behalf-act-as", user.to_string()),
            User::Token(token) => request.bearer_auth(token),
        }
    }

    /// GET.
    pub async fn get(&self, user: &User, path: &str) -> Answer {
        Answer::of(self.request(user, Method::GET, path).send().await.unwrap()).await
    }

    /// A request with a JSON body.
    pub async fn send(&self, user: &User, method: Method, path: &str, body: Value) -> Answer {
        Answer::of(self.request(user, method, path).json(&body).send().await.unwrap()).await
    }

    /// POST.
    pub async fn post(&self, user: &User, path: &str, body: Value) -> Answer {
        self.send(user, Method::POST, path, body).await
    }

    /// Calls a tool.
    pub async fn call(&self, user: &User, tool: &str, arguments: Value) -> Answer {
        self.post(user, &format!("/api/tools/{tool}/call"), json!({ "arguments": arguments })).await
    }

    /// Uploads a component.
    pub async fn upload(&self, path: &str, grants: &Value) -> Answer {
        let bytes = std::fs::read(path).unwrap();
        self.upload_bytes(bytes, grants, "").await
    }

    /// Uploads bytes; `query` is appended to the address.
    pub async fn upload_bytes(&self, bytes: Vec<u8>, grants: &Value, query: &str) -> Answer {
        let part = reqwest::multipart::Part::bytes(bytes).file_name("component.wasm");
        let form = reqwest::multipart::Form::new().part("component", part).text("grants", grants.to_string());
        let request = self.request(&User::Service, Method::POST, &format!("/api/plugins{query}")).multipart(form);
        Answer::of(request.send().await.unwrap()).await
    }

    /// Uploads a component, which must be accepted.
    pub async fn install(&self, path: &str, grants: &Value) -> Answer {
        let answer = self.upload(path, grants).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.text);
        answer
    }

    /// Runs SQL through the guest `probe`, which must be installed, and returns what the guest saw.
    pub async fn sql(&self, user: &User, sql: &str) -> Answer {
        self.call(user, "sql", json!({ "sql": sql })).await
    }

    /// The newest audit rows, as the service role sees them.
    pub async fn audit(&self) -> Vec<Value> {
        let answer = self.get(&User::Service, "/api/tool-calls?limit=200").await;
        answer.json["tool_calls"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone()
    }
}

/// The settings of a test's host on this database.
pub fn settings(database: &TestDatabase, options: Options) -> Settings {
    let mut settings = vec![
        ("host_database_url", database.host_url()),
        ("tool_database_url", database.tool_url()),
        ("login_prefix", database.logins.prefix().to_owned()),
        ("bind", "127.0.0.1:0".to_owned()),
        ("state_dir", STATE_DIR.to_owned()),
        ("embedding_weights", environment("BEHALF_EMBEDDING_WEIGHTS").unwrap_or_default()),
        ("jwt_secret", SECRET.to_owned()),
        ("anon_key", anon_key()),
        ("service_role_key", service_key()),
        ("tool_connections", "8".to_owned()),
        ("host_connections", "4".to_owned()),
        // A key signs at once: the servers of most tests keep no key set.
        ("key_set_cache_seconds", "0".to_owned()),
    ];
    settings.retain(|(name, _)| options.settings.iter().all(|(other, _)| other != name));
    settings.extend(options.settings);
    Settings::from_pairs(settings).unwrap()
}

/// A user's token.
pub fn token(user: Uuid) -> String {
    mint_token(SECRET, &TokenRequest::for_user(&user.to_string())).unwrap()
}

/// The project's public key.
pub fn anon_key() -> String {
    static KEY: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    KEY.get_or_init(|| mint_key(SECRET, "anon").unwrap()).clone()
}

/// The project's secret key. Keys carry the time they were made, so it is made once.
pub fn service_key() -> String {
    static KEY: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    KEY.get_or_init(|| mint_key(SECRET, "service_role").unwrap()).clone()
}
