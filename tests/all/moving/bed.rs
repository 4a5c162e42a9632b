//! What the tests of moving share: the server of a project, a new server, and a page whose commands are run in order.

use std::path::PathBuf;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_config::environment;
use behalf_tests::app::{STATE_DIR, anon_key, service_key};
use behalf_tests::database::run;
use behalf_tests::fences::fences;
use behalf_tests::projects::{behalf_bin, repository};
use behalf_tests::{App, KillableServer, Options, SECRET, TestDatabase, User};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;
use tokio::process::Command;
use uuid::Uuid;

/// Who has the garden of `supabase.sql` and the pump of `powabase.sql`.
pub(super) const ADA: Uuid = Uuid::from_u128(0xada0_0000_0000_4000_8000_0000_0000_0001);
/// Who has the workshop and the saw.
pub(super) const BOB: Uuid = Uuid::from_u128(0xb0b0_0000_0000_4000_8000_0000_0000_0002);
/// A friend of Ada's with a second factor.
pub(super) const EVE: Uuid = Uuid::from_u128(0xe7e0_0000_0000_4000_8000_0000_0000_0005);

/// Everybody's.
const PASSWORD: &str = "correct-Horse-7-battery";
/// That of the logins of `roles.sql` and of the new database's owner.
const OWN_PASSWORD: &str = "project";
/// The owner of a new database.
const OWNER: &str = "app_owner";

/// A file of `tests/moving`.
fn part(name: &str) -> String {
    std::fs::read_to_string(repository().join("tests/moving").join(name)).unwrap()
}

/// The address with another login and another database.
fn address(url: &str, login: &str, database: &str) -> String {
    let mut url: Url = url.parse().unwrap();
    url.set_username(login).unwrap();
    url.set_password(Some(OWN_PASSWORD)).unwrap();
    url.set_path(database);
    url.into()
}

async fn run_at(url: &str, sql: &str) {
    let options: PgConnectOptions = url.parse().unwrap();
    run(&mut options.connect().await.unwrap(), sql).await;
}

/// The server of a project, with its roles and what the platform's services made.
#[derive(Debug)]
pub(super) struct Project {
    server: KillableServer,
}

impl Project {
    /// A project with this app.
    pub(super) async fn start(app: &str) -> Self {
        let server = KillableServer::start().await;
        run_at(&server.owner_url(), &part("roles.sql")).await;
        let admin = address(&server.owner_url(), "supabase_admin", "postgres");
        for file in ["platform.sql", app] {
            run_at(&admin, &part(file)).await;
        }
        Self { server }
    }

    /// The project's address for its developers.
    pub(super) fn url(&self) -> String {
        address(&self.server.owner_url(), "postgres", "postgres")
    }

    /// The project's database, as its developers have it.
    pub(super) fn database(&self) -> TestDatabase {
        TestDatabase::existing(&self.url(), "postgres")
    }

    pub(super) async fn discard(self) {
        self.server.discard().await;
    }
}

/// A new server with an empty database, whose owner is no superuser.
#[derive(Debug)]
pub(super) struct NewServer {
    server: KillableServer,
}

impl NewServer {
    pub(super) async fn start() -> Self {
        let server = KillableServer::start().await;
        let owner = format!("create role {OWNER} login createrole password '{OWN_PASSWORD}'");
        run_at(&server.owner_url(), &owner).await;
        run_at(&server.owner_url(), &format!("create database app owner {OWNER}")).await;
        Self { server }
    }

    /// The new database for its owner.
    pub(super) fn url(&self) -> String {
        address(&self.server.owner_url(), OWNER, "app")
    }

    /// The new database for a superuser.
    pub(super) fn admin_url(&self) -> String {
        let mut url: Url = self.server.owner_url().parse().unwrap();
        url.set_path("app");
        url.into()
    }

    pub(super) fn database(&self) -> TestDatabase {
        TestDatabase::existing(&self.url(), "app")
    }

    pub(super) async fn discard(self) {
        self.server.discard().await;
    }
}

/// A page of the documentation, and a folder in which its commands are run.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    folder: TempDir,
    variables: Vec<(String, String)>,
    commands: usize,
}

impl Page {
    /// A page, for hosts of this database.
    pub(super) fn open(name: &str, database: &TestDatabase) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(repository().join("docs"), folder.path().join("docs")).unwrap();
        let text = std::fs::read_to_string(repository().join("docs").join(name)).unwrap();
        let mut page = Self { text, folder, variables: Vec::new(), commands: 0 };
        for (name, value) in [
            ("BEHALF_DATABASE_URL", database.owner_url()),
            ("BEHALF_HOST_DATABASE_URL", database.host_url()),
            ("BEHALF_TOOL_DATABASE_URL", database.tool_url()),
            ("BEHALF_JWT_SECRET", SECRET.to_owned()),
            ("BEHALF_ANON_KEY", anon_key()),
            ("BEHALF_SERVICE_ROLE_KEY", service_key()),
            ("BEHALF_SECRETS_KEY", "5e".repeat(32)),
            ("BEHALF_STATE_DIR", STATE_DIR.to_owned()),
            ("BEHALF_AUTH_SITE_URL", "https://app.example".to_owned()),
            ("BEHALF_PUBLIC_URL", "https://api.app.example".to_owned()),
        ] {
            page.set(name, value);
        }
        page
    }

    /// Sets a variable of the commands.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    /// Where hosts keep files.
    pub(super) fn storage(&self) -> String {
        format!("file://{}", self.folder.path().join("bytes").display())
    }

    /// How many commands were run.
    pub(super) fn commands(&self) -> usize {
        self.commands
    }

    /// Runs what stands between two lines: `sh` in the folder, `sql` as the owner. Returns what the commands printed.
    pub(super) async fn run(&mut self, from: &str, to: &str, database: &TestDatabase) -> String {
        let from = self.text.find(&format!("\n{from}\n")).unwrap_or_else(|| panic!("no line {from:?}"));
        let to = self.text[from..].find(&format!("\n{to}\n")).unwrap_or_else(|| panic!("no line {to:?}"));
        let section = self.text[from..from + to].to_owned();
        let mut printed = String::new();
        for (language, content) in fences(&section) {
            match language.as_str() {
                "sh" => {
                    printed += &self.sh(&content).await;
                    self.commands += 1;
                }
                "sql" => database.execute(&content).await,
                "shell" => {}
                other => panic!("a fence {other:?}"),
            }
        }
        printed
    }

    /// Runs a script, which must succeed.
    pub(super) async fn sh(&self, script: &str) -> String {
        let programs = environment("BEHALF_POSTGRES_BIN").map(PathBuf::from);
        let paths = [behalf_bin().parent().unwrap().to_owned()].into_iter().chain(programs);
        let path = paths.map(|path| path.display().to_string()).collect::<Vec<_>>().join(":");
        let done = Command::new("/bin/sh")
            .args(["-eu", "-c", script])
            .current_dir(self.folder.path())
            .env("PATH", format!("{path}:{}", environment("PATH").unwrap_or_default()))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{script}\n{out}\n{err}");
        format!("{out}{err}")
    }
}

/// A host of a moved project.
pub(super) async fn host(database: &TestDatabase, more: &[(&'static str, String)]) -> App {
    let mut settings = vec![
        ("auth_hash_memory_kib", "64".to_owned()),
        ("auth_tries_per_5_minutes", "0".to_owned()),
        ("secrets_key", "5e".repeat(32)),
    ];
    settings.extend_from_slice(more);
    App::on(database.clone(), Options { settings }).await
}

/// Who signed in, and the claims of their token.
#[derive(Clone, Debug)]
pub(super) struct SignedIn {
    pub(super) user: User,
    pub(super) claims: Value,
}

impl SignedIn {
    /// Reads a session.
    pub(super) fn of(session: &Value) -> Self {
        let token = session["access_token"].as_str().unwrap_or_else(|| panic!("no session: {session}")).to_owned();
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        Self { user: User::Token(token), claims: serde_json::from_slice(&payload).unwrap() }
    }

    /// The id that the token names.
    pub(super) fn id(&self) -> Uuid {
        self.claims["sub"].as_str().unwrap().parse().unwrap()
    }
}

/// Signs in with the password of before.
pub(super) async fn sign_in(app: &App, email: &str) -> SignedIn {
    let body = json!({ "email": email, "password": PASSWORD });
    let answer = app.post(&User::Anon, "/auth/v1/token?grant_type=password", body).await;
    assert_eq!(answer.status, 200, "{email}: {}", answer.text);
    SignedIn::of(&answer.json)
}

/// The rows that somebody reads.
pub(super) async fn rows(app: &App, user: &User, path: &str) -> Value {
    let answer = app.get(user, &format!("/rest/v1/{path}")).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json
}

/// Adds a row, which must be allowed, and returns it.
pub(super) async fn add(app: &App, user: &User, table: &str, row: Value) -> Value {
    let request = app.request(user, Method::POST, &format!("/rest/v1/{table}")).json(&row);
    let answer =
        behalf_tests::Answer::of(request.header("prefer", "return=representation").send().await.unwrap()).await;
    assert_eq!(answer.status, 201, "{table}: {}", answer.text);
    answer.json[0].clone()
}
