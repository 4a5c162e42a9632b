//! A host that reads sources, with a folder of its own for their bytes.

use std::ops::Deref;
use std::path::Path;
use std::time::{Duration, Instant};

use behalf_tests::{ALICE, Answer, App, BOB, Options, TestDatabase, User, eventually};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a document may wait and be read: the first one waits until the reader is compiled, beside other tests.
const PATIENCE: Duration = Duration::from_mins(2);

/// A host and the folder of its bytes.
pub(super) struct Bed {
    app: App,
    pub(super) files: TempDir,
}

impl Deref for Bed {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl Bed {
    pub(super) async fn start() -> Self {
        Self::with(Vec::new()).await
    }

    /// With these settings as well.
    pub(super) async fn with(more: Vec<(&'static str, String)>) -> Self {
        let files = tempfile::tempdir().unwrap();
        let mut settings = settings(files.path());
        settings.extend(more);
        let app = App::on(TestDatabase::create().await, Options { settings }).await;
        Self { app, files }
    }

    /// Stops the host as a signal does.
    pub(super) async fn stop(self) {
        self.app.stop().await;
    }

    /// Uploads a file that is called so.
    pub(super) async fn add(&self, user: &User, name: &str, bytes: impl Into<Vec<u8>>) -> Answer {
        self.send_form(user, form(name, bytes)).await
    }

    /// The same; it must be taken. Returns its id.
    pub(super) async fn added(&self, user: &User, name: &str, bytes: impl Into<Vec<u8>>) -> String {
        let answer = self.add(user, name, bytes).await;
        assert_eq!(answer.status, 201, "{name}: {}", answer.text);
        answer.json["id"].as_str().unwrap().to_owned()
    }

    /// Uploads a file and waits until it is read. Returns its id.
    pub(super) async fn read(&self, user: &User, name: &str, bytes: impl Into<Vec<u8>>) -> String {
        let id = self.added(user, name, bytes).await;
        let source = self.ended(user, &id).await;
        assert_eq!(source["extraction_status"], "extracted", "{name}: {source}");
        id
    }

    /// Sends a form to the upload.
    pub(super) async fn send_form(&self, user: &User, form: Form) -> Answer {
        let request = self.request(user, Method::POST, "/api/sources/upload").multipart(form);
        Answer::of(request.send().await.unwrap()).await
    }

    /// A source once no job works on it.
    pub(super) async fn ended(&self, user: &User, id: &str) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let source = self.get(user, &format!("/api/sources/{id}")).await;
            assert_eq!(source.status, 200, "{}", source.text);
            if !matches!(source.json["extraction_status"].as_str(), Some("pending" | "extracting")) {
                return source.json;
            }
            assert!(Instant::now() < end, "nobody reads it: {}", source.text);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The texts of the pages of a source.
    pub(super) async fn texts(&self, user: &User, id: &str) -> Vec<String> {
        let answer = self.get(user, &format!("/api/sources/{id}/page-texts")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let texts: Vec<String> = serde_json::from_value(answer.json["page_texts"].clone()).unwrap();
        assert_eq!(answer.json["count"], texts.len(), "{}", answer.text);
        texts
    }

    /// Waits until the folder has exactly the bytes that sources name.
    pub(super) async fn has_no_other_bytes(&self) {
        has_no_other_bytes(&self.database, self.files.path()).await;
    }
}

/// Settings of a host that keeps bytes in this folder, and deletes those that nothing names after a few seconds.
pub(super) fn settings(files: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("storage", format!("file://{}", files.display())),
        ("storage_abandoned_seconds", "3".to_owned()),
        ("rate_limit_user", "0".to_owned()),
        ("rate_limit_anon", "0".to_owned()),
    ]
}

/// The form of an upload.
pub(super) fn form(name: &str, bytes: impl Into<Vec<u8>>) -> Form {
    Form::new().part("file", Part::bytes(bytes.into()).file_name(name.to_owned()))
}

/// Waits until the folder has exactly the bytes that sources name.
pub(super) async fn has_no_other_bytes(database: &TestDatabase, files: &Path) {
    let named = "select count(*) from ai.sources where blob_id is not null";
    let listed = "select count(*) from behalf.blobs";
    eventually("there are other bytes than sources name", async || {
        let named: i64 = database.value(named).await;
        let listed: i64 = database.value(listed).await;
        named == listed && i64::try_from(count(files)).unwrap() == named
    })
    .await;
}

/// Files of the folders in a folder.
fn count(folder: &Path) -> usize {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries(folder).filter(|entry| entry.path().is_dir()).map(|entry| entries(&entry.path()).count()).sum()
}

pub(super) fn alice() -> User {
    User::Is(ALICE)
}

pub(super) fn bob() -> User {
    User::Is(BOB)
}

/// Sends bytes as they are, after the head of a request of this user's with these lines, and reads the answer to its end. `ends` closes
/// the client's side after them.
pub(super) async fn raw(app: &App, user: &User, lines: &[&str], body: &[u8], ends: bool) -> (u16, String) {
    let token = match user {
        User::Is(user) => behalf_tests::app::token(*user),
        _ => behalf_tests::app::service_key(),
    };
    let mut head = format!(
        "POST /api/sources/upload HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n"
    );
    lines.iter().for_each(|line| head += &format!("{line}\r\n"));
    head += "\r\n";
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    // The host may answer and close before it has read everything.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
    if ends {
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut answer)).await.expect("an end");
    let text = String::from_utf8_lossy(&answer);
    let status = text.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}
