//! Files in an object store: at a server that speaks S3, and at Azure's emulator.
//!
//! Nothing that a test could start speaks the protocol of Google Cloud Storage for uploads in parts.

use behalf_tests::app::service_key;
use behalf_tests::{Answer, App, AzureServer, HostProcess, Options, S3Server, User, eventually};
use reqwest::Method;
use reqwest::header::RANGE;
use serde_json::json;

/// The least that S3 takes as a part of an upload.
const PART: usize = 5 * 1024 * 1024;

async fn make_bucket(app: &App) {
    let answer = app.post(&User::Service, "/storage/v1/bucket", json!({ "name": "files" })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// A store of one of the providers.
enum Store {
    S3(S3Server),
    Azure(AzureServer),
}

impl Store {
    /// Settings of a host that keeps its files there, and deletes them after so many seconds without a sign of their writer.
    fn settings(&self, abandoned_seconds: u32) -> Vec<(&'static str, String)> {
        let mut settings = match self {
            Self::S3(server) => server.settings(),
            Self::Azure(server) => server.settings(),
        };
        settings.push(("storage_abandoned_seconds", abandoned_seconds.to_string()));
        settings
    }

    /// The names of everything in it.
    async fn keys(&self) -> Vec<String> {
        match self {
            Self::S3(server) => server.keys().await,
            Self::Azure(server) => server.keys().await,
        }
    }

    /// Uploads in parts that have not ended. Azure has none: it forgets parts of which nothing comes.
    async fn uploads(&self) -> Vec<String> {
        match self {
            Self::S3(server) => server.uploads().await,
            Self::Azure(_) => Vec::new(),
        }
    }
}

fn some_bytes(size: usize) -> Vec<u8> {
    (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

async fn upload(app: &App, name: &str, bytes: Vec<u8>) -> Answer {
    let request = app.request(&User::Service, Method::POST, &format!("/storage/v1/object/files/{name}"));
    let request = request.header("x-upsert", "true").header("content-type", "application/octet-stream");
    Answer::of(request.body(bytes).send().await.unwrap()).await
}

async fn read(app: &App, name: &str, range: Option<&str>) -> (u16, Vec<u8>) {
    let mut request =
        app.request(&User::Service, Method::GET, &format!("/storage/v1/object/authenticated/files/{name}"));
    if let Some(range) = range {
        request = request.header(RANGE, range);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_written_read_replaced_copied_and_deleted_at_s3() {
    keeps_objects(Store::S3(S3Server::start().await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_written_read_replaced_copied_and_deleted_at_azure() {
    keeps_objects(Store::Azure(AzureServer::start().await)).await;
}

async fn keeps_objects(server: Store) {
    let app = App::with(Options { settings: server.settings(4) }).await;
    make_bucket(&app).await;
    for (name, size) in [("none", 0), ("small", 1_000), ("part", PART), ("large", 2 * PART + 12_345)] {
        let bytes = some_bytes(size);
        let stored = upload(&app, name, bytes.clone()).await;
        assert_eq!(stored.status, 200, "{}", stored.text);
        assert!(read(&app, name, None).await == (200, bytes.clone()), "{name} is not as it was written");
        if size > 100 {
            let (status, part) = read(&app, name, Some("bytes=10-99")).await;
            assert_eq!((status, part.as_slice()), (206, &bytes[10..100]));
        }
    }
    assert_eq!(server.keys().await.len(), 4, "one object for each");
    assert!(server.keys().await.iter().all(|key| key.starts_with("of/tests/") && key.ends_with("/bytes")));
    let replaced = upload(&app, "small", some_bytes(77)).await;
    assert_eq!(replaced.status, 200, "{}", replaced.text);
    assert_eq!(read(&app, "small", None).await, (200, some_bytes(77)));
    let copy = json!({ "bucketId": "files", "sourceKey": "large", "destinationKey": "copy" });
    let copied = app.post(&User::Service, "/storage/v1/object/copy", copy).await;
    assert_eq!(copied.status, 200, "{}", copied.text);
    assert!(read(&app, "copy", None).await == (200, some_bytes(2 * PART + 12_345)), "the copy differs");
    let all = json!({ "prefixes": ["none", "small", "part", "large", "copy"] });
    let deleted = app.send(&User::Service, Method::DELETE, "/storage/v1/object/files", all).await;
    assert_eq!(deleted.status, 200, "{}", deleted.text);
    eventually("bytes are there that no row names", async || server.keys().await.is_empty()).await;
    eventually("a blob is listed", async || app.database.value::<i64>("select count(*) from behalf.blobs").await == 0)
        .await;
    assert!(server.uploads().await.is_empty());
}

/// Parts of a large upload are no objects yet; nobody would see them, and they would be paid for ever.
#[tokio::test(flavor = "multi_thread")]
async fn parts_of_an_upload_are_deleted_when_its_client_goes_away_or_its_host_dies() {
    let server = Store::S3(S3Server::start().await);
    let app = App::with(Options { settings: server.settings(4) }).await;
    make_bucket(&app).await;
    let mut other = HostProcess::start(&app.database, &server.settings(4)).await;
    let path = |name: &str| format!("/storage/v1/object/files/{name}");
    let (left, dropped) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
    let request = app.request(&User::Service, Method::POST, &path("dropped")).header("content-type", "text/plain");
    let dropped = tokio::spawn(request.body(reqwest::Body::wrap_stream(dropped)).send());
    left.unbounded_send(Ok(some_bytes(PART + 1))).unwrap();
    eventually("no part was written", async || server.uploads().await.len() == 1).await;
    dropped.abort();
    eventually("parts of a dropped upload are there", async || {
        server.uploads().await.is_empty() && server.keys().await.is_empty()
    })
    .await;
    let (sent, lost) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
    sent.unbounded_send(Ok(some_bytes(PART + 1))).unwrap();
    let request = other.request(&User::Service, Method::POST, &path("lost")).header("content-type", "text/plain");
    let lost = tokio::spawn(request.body(reqwest::Body::wrap_stream(lost)).send());
    eventually("no part was written", async || server.uploads().await.len() == 1).await;
    other.kill();
    assert!(lost.await.unwrap().is_err(), "its host is dead");
    eventually("parts of a dead host are there", async || {
        server.uploads().await.is_empty() && server.keys().await.is_empty()
    })
    .await;
}

/// Parts of a resumable upload, smaller and larger than those of the store, alternate between two hosts.
#[tokio::test(flavor = "multi_thread")]
async fn a_resumable_upload_at_s3_goes_on_at_another_host() {
    goes_on(Store::S3(S3Server::start().await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumable_upload_at_azure_goes_on_at_another_host() {
    goes_on(Store::Azure(AzureServer::start().await)).await;
}

async fn goes_on(server: Store) {
    let app = App::with(Options { settings: server.settings(900) }).await;
    make_bucket(&app).await;
    let other = App::on(app.database.clone(), Options { settings: server.settings(900) }).await;
    let bytes = some_bytes(2 * PART + 1_000);
    let encode = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    let created = app
        .request(&User::Service, Method::POST, "/storage/v1/upload/resumable")
        .header("tus-resumable", "1.0.0")
        .header("upload-length", bytes.len().to_string())
        .header("upload-metadata", format!("bucketName {},objectName {}", encode("files"), encode("parts.bin")))
        .send()
        .await
        .unwrap();
    assert_eq!(created.status(), 201);
    let location = created.headers()["location"].to_str().unwrap().to_owned();
    let path = &location[location.find("/storage/v1").unwrap()..];
    let mut offset = 0;
    for (host, size) in [(&app, 1_000), (&other, PART + 7), (&app, 10), (&other, usize::MAX)] {
        let end = bytes.len().min(offset + size.min(bytes.len()));
        let sent = reqwest::Client::new()
            .patch(format!("{}{path}", host.url))
            .bearer_auth(service_key())
            .header("tus-resumable", "1.0.0")
            .header("upload-offset", offset.to_string())
            .header("content-type", "application/offset+octet-stream")
            .body(bytes[offset..end].to_vec())
            .send()
            .await
            .unwrap();
        assert_eq!(sent.status(), 204);
        assert_eq!(sent.headers()["upload-offset"], end.to_string());
        offset = end;
    }
    assert!(read(&other, "parts.bin", None).await == (200, bytes), "it is not as it was sent");
    assert_eq!(server.keys().await.len(), 1, "{:?}", server.keys().await);
    assert!(server.uploads().await.is_empty());
}
