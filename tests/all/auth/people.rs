//! People who sign up and in, for the tests of this folder.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_tests::{Answer, App, Options, TestDatabase, User};
use serde_json::{Value, json};
use uuid::Uuid;

/// A password that no list has.
pub(super) const PASSWORD: &str = "correct-Horse-7-battery";

/// How long a test waits until every host refuses the tokens of a session that ended. A host that is not told of the end looks only
/// after a minute.
pub(super) const BOUND: Duration = Duration::from_secs(20);

/// Settings of these tests: addresses need no letter, hashes are cheap, and nobody tries too often.
pub(super) fn settings(more: &[(&'static str, &str)]) -> Options {
    let mut settings = vec![
        ("auth_autoconfirm", "true".to_owned()),
        ("auth_hash_memory_kib", "64".to_owned()),
        ("auth_tries_per_5_minutes", "0".to_owned()),
        ("auth_refreshes_per_5_minutes", "0".to_owned()),
    ];
    settings.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Options { settings }
}

/// A host with these settings.
pub(super) async fn host(more: &[(&'static str, &str)]) -> App {
    App::with(settings(more)).await
}

/// Another host on the same database.
pub(super) async fn host_on(database: &TestDatabase, more: &[(&'static str, &str)]) -> App {
    App::on(database.clone(), settings(more)).await
}

/// A session that somebody holds.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) user: Uuid,
    pub(super) access: String,
    pub(super) refresh: String,
}

impl Held {
    /// Reads an answer that must be a session.
    pub(super) fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no session: {}", answer.text)).to_owned();
        let json = &answer.json;
        assert!(json["expires_in"].as_u64().is_some_and(|seconds| seconds > 0) && json["token_type"] == "bearer");
        Self {
            user: json["user"]["id"].as_str().unwrap().parse().unwrap(),
            access: text(&json["access_token"]),
            refresh: text(&json["refresh_token"]),
        }
    }

    /// Its holder as a caller.
    pub(super) fn caller(&self) -> User {
        User::Token(self.access.clone())
    }

    /// The claims of the access token.
    pub(super) fn claims(&self) -> Value {
        let payload = self.access.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }
}

/// Signs up with an address.
pub(super) async fn try_sign_up(app: &App, email: &str) -> Answer {
    app.post(&User::Anon, "/auth/v1/signup", json!({ "email": email, "password": PASSWORD })).await
}

/// The same, with success.
pub(super) async fn sign_up(app: &App, email: &str) -> Held {
    Held::of(&try_sign_up(app, email).await)
}

/// Signs in by a password.
pub(super) async fn try_sign_in(app: &App, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    app.post(&User::Anon, "/auth/v1/token?grant_type=password", body).await
}

/// The same, with success.
pub(super) async fn sign_in(app: &App, email: &str) -> Held {
    Held::of(&try_sign_in(app, email, PASSWORD).await)
}

/// Refreshes a session.
pub(super) async fn try_refresh(app: &App, token: &str) -> Answer {
    let body = json!({ "refresh_token": token });
    app.post(&User::Anon, "/auth/v1/token?grant_type=refresh_token", body).await
}

/// The same, with success.
pub(super) async fn refresh(app: &App, held: &Held) -> Held {
    Held::of(&try_refresh(app, &held.refresh).await)
}

/// Asserts a failure of `/auth/v1`, in the form that older clients read.
#[track_caller]
pub(super) fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.json["error_code"].as_str()), (status, Some(code)), "{}", answer.text);
    assert_eq!(answer.json["code"], status, "{}", answer.text);
    assert!(answer.json["msg"].as_str().is_some_and(|text| !text.is_empty()), "{}", answer.text);
}

/// The statuses that this caller gets from a tool, a table, the tools' list and their own account.
pub(super) async fn faces(app: &App, caller: &User) -> [u16; 4] {
    let tool = app.call(caller, "database_query", json!({ "query": "select 1 as one" })).await;
    let table = app.get(caller, "/rest/v1/notes?select=title").await;
    let list = app.get(caller, "/api/tools").await;
    let account = app.get(caller, "/auth/v1/user").await;
    [tool.status, table.status, list.status, account.status]
}

/// What each face answers while the session lives, and after it ended.
pub(super) const LIVE: [u16; 4] = [200, 200, 200, 200];
pub(super) const ENDED: [u16; 4] = [401, 401, 401, 403];
