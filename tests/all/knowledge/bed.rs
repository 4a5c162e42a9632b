//! A host with knowledge bases, and sources whose text is there.

use std::ops::Deref;
use std::time::{Duration, Instant};

use behalf_tests::{ALICE, Answer, App, BOB, Options, TestDatabase, User};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::embedder::Embedder;

/// How long a document may wait and be read or indexed: the first one waits until the reader is compiled, beside other tests.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// A host whose embeddings come from a server that counts words.
pub(super) struct Bed {
    app: App,
    pub(super) embedder: Embedder,
    /// Deleted with it.
    _files: TempDir,
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
        let (files, embedder) = (tempfile::tempdir().unwrap(), Embedder::start().await);
        let mut all = settings(&files, Some(&embedder));
        all.extend(more);
        let app = App::on(TestDatabase::create().await, Options { settings: all }).await;
        Self { app, embedder, _files: files }
    }

    /// With the model that comes with the host.
    pub(super) async fn local() -> Self {
        let (files, embedder) = (tempfile::tempdir().unwrap(), Embedder::start().await);
        let app = App::on(TestDatabase::create().await, Options { settings: settings(&files, None) }).await;
        Self { app, embedder, _files: files }
    }

    /// Makes a base. Returns its id.
    pub(super) async fn base(&self, user: &User, body: Value) -> String {
        let mut body = body;
        body["name"] = body.get("name").cloned().unwrap_or_else(|| json!("base"));
        let made = self.post(user, "/api/knowledge-bases", body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json["id"].as_str().unwrap().to_owned()
    }

    /// A source with these pages, as if it had been read.
    pub(super) async fn source(&self, owner: Option<Uuid>, name: &str, pages: &[&str]) -> String {
        source(&self.database, owner, name, pages).await
    }

    /// Uploads a file, and waits until it is read.
    pub(super) async fn read(&self, user: &User, name: &str, bytes: Vec<u8>) -> String {
        let form = Form::new().part("file", Part::bytes(bytes).file_name(name.to_owned()));
        let request = self.request(user, Method::POST, "/api/sources/upload").multipart(form);
        let added = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(added.status, 201, "{name}: {}", added.text);
        let id = added.json["id"].as_str().unwrap().to_owned();
        let path = format!("/api/sources/{id}");
        let ended = self.until(user, &path, "extraction_status", &["pending", "extracting"]).await;
        assert_eq!(ended["extraction_status"], "extracted", "{name}: {ended}");
        id
    }

    /// Puts a source into a base; it must be taken. Returns the id of its place.
    pub(super) async fn add(&self, user: &User, base: &str, source: &str) -> String {
        let body = json!({ "source_id": source });
        let added = self.post(user, &format!("/api/knowledge-bases/{base}/sources"), body).await;
        assert_eq!(added.status, 201, "{}", added.text);
        assert_eq!(added.json["index_status"], "pending", "{}", added.text);
        added.json["id"].as_str().unwrap().to_owned()
    }

    /// The same, and waits until it is indexed.
    pub(super) async fn indexed(&self, user: &User, base: &str, source: &str) -> String {
        let place = self.add(user, base, source).await;
        let ended = self.ended(user, base, &place).await;
        assert_eq!(ended["index_status"], "indexed", "{ended}");
        place
    }

    /// A source of a base once no job works on it.
    pub(super) async fn ended(&self, user: &User, base: &str, place: &str) -> Value {
        let path = format!("/api/knowledge-bases/{base}/sources/{place}");
        self.until(user, &path, "index_status", &["pending", "indexing"]).await
    }

    async fn until(&self, user: &User, path: &str, member: &str, not: &[&str]) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.get(user, path).await;
            assert_eq!(found.status, 200, "{path}: {}", found.text);
            if !found.json[member].as_str().is_some_and(|status| not.contains(&status)) {
                return found.json;
            }
            assert!(Instant::now() < end, "nobody does it: {}", found.text);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Searches a base; it must be there.
    pub(super) async fn search(&self, user: &User, base: &str, body: Value) -> Vec<Value> {
        let found = self.ask(user, base, body).await;
        assert_eq!(found.status, 200, "{}", found.text);
        let results = found.json["results"].as_array().unwrap().clone();
        assert_eq!(found.json["total_results"], results.len(), "{}", found.text);
        results
    }

    /// Searches a base.
    pub(super) async fn ask(&self, user: &User, base: &str, body: Value) -> Answer {
        self.post(user, &format!("/api/knowledge-bases/{base}/search"), body).await
    }

    /// The texts of the chunks of a place, in their order.
    pub(super) async fn texts(&self, place: &str) -> Vec<String> {
        let rows: Value = self
            .database
            .value(&format!(
                "select coalesce(jsonb_agg(text order by chunk_index), '[]') from ai.chunks where indexed_source_id = '{place}'"
            ))
            .await;
        serde_json::from_value(rows).unwrap()
    }
}

/// A source with these pages, as if it had been read.
pub(super) async fn source(database: &TestDatabase, owner: Option<Uuid>, name: &str, pages: &[&str]) -> String {
    let id = Uuid::new_v4();
    let owner = owner.map_or_else(|| "null".to_owned(), |owner| format!("'{owner}'"));
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut sql = format!(
        "insert into ai.sources (id, owner_id, name, file_type, extraction_status) values ('{id}', {owner}, {}, 'md', 'extracted');",
        quoted(name)
    );
    for (number, page) in pages.iter().enumerate() {
        sql += &format!(
            "insert into ai.source_pages (source_id, page, text) values ('{id}', {}, {});",
            number + 1,
            quoted(page)
        );
    }
    database.execute(&sql).await;
    id.to_string()
}

/// Settings of a host with files of its own.
pub(super) fn settings(files: &TempDir, embedder: Option<&Embedder>) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("storage", format!("file://{}", files.path().display())),
        ("rate_limit_user", "0".to_owned()),
        ("rate_limit_anon", "0".to_owned()),
        ("jobs_lease_seconds", "3".to_owned()),
    ];
    if let Some(embedder) = embedder {
        settings.push(("embedding_model", "openai/words-64".to_owned()));
        settings.push(("embedding_base_url", embedder.url.clone()));
        settings.push(("embedding_api_key", "key".to_owned()));
    }
    settings
}

/// A file of the corpus.
pub(super) fn document(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/documents/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A text of so many paragraphs, each with a word of its own.
pub(super) fn paragraphs(word: &str, count: usize) -> String {
    let filler = "and a sentence of some more words that fill the paragraph until it has about thirty of them in all, \
        so that it takes some room in a piece of the text";
    (0..count).fold(String::new(), |text, number| text + &format!("{word}{number} is here {filler}.\n\n"))
}

pub(super) fn alice() -> User {
    User::Is(ALICE)
}

pub(super) fn bob() -> User {
    User::Is(BOB)
}
