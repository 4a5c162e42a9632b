//! Bytes and rows stay together: hosts and databases are killed, disks are full, clients go away, and what nothing names is deleted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use behalf_tests::app::service_key;
use behalf_tests::{Answer, App, HostProcess, KillableServer, Options, TestDatabase, User, eventually};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// How often hosts and databases are killed.
const KILLS: u32 = 50;
/// Clients that upload meanwhile.
const CLIENTS: u64 = 6;
/// Names that each client writes again and again.
const NAMES: u64 = 8;

/// The folder of files of a host, and its settings.
pub(super) struct Files {
    path: PathBuf,
    /// Deleted with this value.
    _folder: Option<TempDir>,
}

impl Files {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().to_owned(), _folder: Some(folder) }
    }

    /// A folder of somebody else's.
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), _folder: None }
    }

    /// Settings of a host that keeps its files here, and deletes them after so many seconds without a sign of their writer.
    pub(super) fn settings(&self, abandoned_seconds: u32) -> Vec<(&'static str, String)> {
        vec![
            ("storage", format!("file://{}", self.path.display())),
            ("storage_abandoned_seconds", abandoned_seconds.to_string()),
            ("rate_limit_user", "0".to_owned()),
            ("rate_limit_anon", "0".to_owned()),
        ]
    }

    /// The sizes of the files by their names.
    pub(super) fn all(&self) -> BTreeMap<String, u64> {
        let shards = std::fs::read_dir(&self.path).unwrap().map(|shard| shard.unwrap().path());
        let files = shards.filter(|shard| shard.is_dir()).flat_map(|shard| std::fs::read_dir(shard).unwrap());
        let sized = files.filter_map(|file| {
            let file = file.unwrap();
            // It may have been deleted since.
            Some((file.file_name().into_string().unwrap(), file.metadata().ok()?.len()))
        });
        sized.collect()
    }
}

/// The rows of objects: the file that each names, and its size.
pub(super) async fn named(database: &TestDatabase) -> BTreeMap<String, u64> {
    let rows: serde_json::Value = database
        .value(
            "select coalesce(jsonb_object_agg(replace(version, '-', ''), (metadata ->> 'size')::bigint), '{}')
             from storage.objects",
        )
        .await;
    rows.as_object().unwrap().iter().map(|(name, size)| (name.clone(), size.as_u64().unwrap())).collect()
}

async fn listed(database: &TestDatabase) -> i64 {
    database.value("select count(*) from behalf.blobs").await
}

async fn make_bucket(app: &App) {
    let answer = app.post(&User::Service, "/storage/v1/bucket", json!({ "name": "files" })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// The bytes of one version of an object. Each byte says which version it belongs to.
fn content(name: &str, version: u64) -> Vec<u8> {
    let line = format!("{name} {version}\n");
    let lines = usize::try_from(1 + version * 7_919 % 20_000).unwrap();
    line.repeat(lines).into_bytes()
}

/// The version of whole bytes.
fn version_of(name: &str, bytes: &[u8]) -> u64 {
    let text = std::str::from_utf8(bytes).unwrap();
    let line = text.lines().next().unwrap_or_else(|| panic!("{name} has no bytes"));
    let version =
        line.strip_prefix(name).unwrap_or_else(|| panic!("{name} has bytes of {line}")).trim().parse().unwrap();
    assert!(content(name, version) == bytes, "{name} is not whole: {} bytes of version {version}", bytes.len());
    version
}

/// What one client was told of its objects: the version that was answered with success, at least, and the last that was sent.
type Told = BTreeMap<String, (u64, u64)>;

/// Writes the same names again and again until it is to stop.
async fn write(client: u64, url: &str, stop: &AtomicBool, answered: &AtomicU64) -> Told {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let mut told = Told::new();
    for version in 1.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("{client}/{}", version % NAMES);
        let request = http.post(format!("{url}/storage/v1/object/files/{name}")).bearer_auth(service_key());
        let sent =
            request.header("x-upsert", "true").header("content-type", "text/plain").body(content(&name, version));
        let answer = sent.send().await;
        let entry = told.entry(name).or_insert((0, 0));
        entry.1 = version;
        match answer {
            Ok(answer) if answer.status() == 200 => {
                entry.0 = version;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    told
}

/// The hosts get the same address, because their clients know no other.
async fn host(database: &TestDatabase, files: &Files, port: u16) -> HostProcess {
    HostProcess::start_at(database, &files.settings(3), port).await
}

/// No object is ever half there, everything that was answered with success is there, and in the end the folder has exactly the bytes
/// that rows name.
#[tokio::test(flavor = "multi_thread")]
async fn killed_hosts_and_databases_leave_no_object_half_visible_and_no_bytes_that_no_row_names() {
    let mut server = KillableServer::start().await;
    let database = TestDatabase::create_on(&server.owner_url()).await;
    let files = Files::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut running = host(&database, &files, port).await;
    let made = running.request(&User::Service, Method::POST, "/storage/v1/bucket").json(&json!({ "name": "files" }));
    assert_eq!(made.send().await.unwrap().status(), 200);
    let url = running.url.clone();
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let clients = (0..CLIENTS).map(|client| write(client, &url, &stop, &answered));
    let kills = async {
        for kill in 0..KILLS {
            let before = answered.load(Ordering::Relaxed);
            eventually("nothing was written", async || answered.load(Ordering::Relaxed) > before + 3).await;
            // Somewhere in an upload: there are always some under way.
            tokio::time::sleep(Duration::from_micros(u64::from(kill * 7_919 % 50) * 1_000)).await;
            if kill % 2 == 0 {
                running.kill();
                running = host(&database, &files, port).await;
            } else {
                server = server.kill().await;
            }
        }
        stop.store(true, Ordering::Relaxed);
        (running, server)
    };
    let (told, (mut running, server)) = futures::join!(futures::future::join_all(clients), kills);
    // Statements that went down with the last server count as the caller's until a new one says that they have ended.
    eventually("the host serves nobody again", async || {
        let none = running.request(&User::Service, Method::GET, "/storage/v1/object/authenticated/files/none");
        none.send().await.unwrap().status() == 400
    })
    .await;
    let mut read = 0;
    for (name, (least, last)) in told.into_iter().flatten() {
        let request =
            running.request(&User::Service, Method::GET, &format!("/storage/v1/object/authenticated/files/{name}"));
        let answer = request.send().await.unwrap();
        if answer.status() == 200 {
            let bytes = answer.bytes().await.unwrap();
            let version = version_of(&name, &bytes);
            assert!((least..=last).contains(&version), "{name} has version {version} of {least} to {last}");
            read += 1;
        } else {
            assert_eq!(least, 0, "{name} is gone: {}", answer.text().await.unwrap());
        }
    }
    assert!(read > 10, "only {read} objects were written: the test has lost its object");
    let unnamed = files.all().len() - named(&database).await.len();
    eventually("bytes are there that no row names", async || {
        files.all() == named(&database).await && listed(&database).await == i64::try_from(files.all().len()).unwrap()
    })
    .await;
    eprintln!(
        "{} uploads, {KILLS} kills, {read} objects, {unnamed} files swept at the end",
        answered.load(Ordering::Relaxed)
    );
    running.kill();
    server.discard().await;
}

/// Sends the beginning of an upload, and returns the connection.
async fn begin_upload(app: &App, name: &str, announced: usize, sent: usize) -> TcpStream {
    let mut socket = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /storage/v1/object/files/{name} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: text/plain\r\ncontent-length: {announced}\r\n\r\n",
        service_key()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&vec![b'x'; sent]).await.unwrap();
    socket.flush().await.unwrap();
    socket
}

/// The lease is 15 minutes here: bytes of an upload that failed are deleted by whoever wrote them.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_dropped_midway_leaves_nothing() {
    let files = Files::new();
    let app = App::with(Options { settings: files.settings(900) }).await;
    make_bucket(&app).await;
    let socket = begin_upload(&app, "half.txt", 3_000_000, 1_000_000).await;
    eventually("nothing was written", async || files.all().values().sum::<u64>() > 0).await;
    drop(socket);
    eventually("bytes are there that no row names", async || files.all().is_empty()).await;
    eventually("a blob is listed", async || listed(&app.database).await == 0).await;
    assert!(named(&app.database).await.is_empty());
    let gone = app.get(&User::Service, "/storage/v1/object/authenticated/files/half.txt").await;
    assert_eq!(gone.json["statusCode"], "404", "{}", gone.text);
}

/// The largest file that this process may write stands in for a full disk: the system refuses the write in the same place.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_keeps_nothing_of_what_did_not_fit() {
    const MOST: u64 = 16 * 1024 * 1024;
    let files = Files::new();
    let app = App::with(Options { settings: files.settings(900) }).await;
    make_bucket(&app).await;
    // The system also sends a signal, which ends a process that does not expect it.
    let _expected = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(25)).unwrap();
    let (_, highest) = rlimit::getrlimit(rlimit::Resource::FSIZE).unwrap();
    rlimit::setrlimit(rlimit::Resource::FSIZE, MOST, highest).unwrap();
    let upload = |bytes: usize| {
        let request = app.request(&User::Service, Method::POST, "/storage/v1/object/files/large.bin");
        request.header("x-upsert", "true").header("content-type", "text/plain").body(vec![b'x'; bytes]).send()
    };
    let small = Answer::of(upload(1_000).await.unwrap()).await;
    assert_eq!(small.status, 200, "{}", small.text);
    let refused = Answer::of(upload(20 * 1024 * 1024).await.unwrap()).await;
    assert!(refused.status >= 500, "{} {}", refused.status, refused.text);
    assert!(!refused.text.contains(files.path.to_str().unwrap()), "{}", refused.text);
    // What was there before is there as before.
    let kept = app.get(&User::Service, "/storage/v1/object/authenticated/files/large.bin").await;
    assert_eq!((kept.status, kept.text.len()), (200, 1_000));
    eventually("bytes are there that did not fit", async || files.all().values().eq([&1_000])).await;
    eventually("a blob is listed", async || listed(&app.database).await == 1).await;
}

/// One host is killed while it writes; the other deletes its bytes, and none of an upload that goes on meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_deletes_what_another_left_and_nothing_that_is_still_written() {
    let files = Files::new();
    let settings = files.settings(4);
    let app = App::with(Options { settings: settings.clone() }).await;
    make_bucket(&app).await;
    let mut other = HostProcess::start(&app.database, &settings).await;
    let (bytes, sent) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
    let slow = app
        .request(&User::Service, Method::POST, "/storage/v1/object/files/slow.txt")
        .header("content-type", "text/plain")
        .body(reqwest::Body::wrap_stream(sent))
        .send();
    let slow = tokio::spawn(slow);
    bytes.unbounded_send(Ok(vec![b's'; 300_000])).unwrap();
    eventually("the slow upload did not begin", async || !files.all().is_empty()).await;
    let slow_file = files.all().into_keys().next().unwrap();
    let (left, abandoned) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
    let lost = other.request(&User::Service, Method::POST, "/storage/v1/object/files/lost.txt");
    let lost =
        tokio::spawn(lost.header("content-type", "text/plain").body(reqwest::Body::wrap_stream(abandoned)).send());
    left.unbounded_send(Ok(vec![b'l'; 300_000])).unwrap();
    eventually("the lost upload did not begin", async || files.all().len() == 2).await;
    other.kill();
    assert!(lost.await.unwrap().is_err(), "its host is dead");
    eventually("bytes of the dead host are there", async || files.all().into_keys().eq([slow_file.clone()])).await;
    bytes.unbounded_send(Ok(vec![b's'; 300_000])).unwrap();
    drop(bytes);
    let answer = Answer::of(slow.await.unwrap().unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let read = app.get(&User::Service, "/storage/v1/object/authenticated/files/slow.txt").await;
    assert_eq!(read.text, "s".repeat(600_000));
    eventually("the list has more than one blob", async || listed(&app.database).await == 1).await;
}

/// A row whose bytes are gone says 404, and the host reports it.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_whose_bytes_are_gone_says_404_and_is_reported() {
    let files = Files::new();
    let app = App::with(Options { settings: files.settings(900) }).await;
    make_bucket(&app).await;
    let request = app.request(&User::Service, Method::POST, "/storage/v1/object/files/a.txt");
    let stored = request.header("content-type", "text/plain").body("a").send().await.unwrap();
    assert_eq!(stored.status(), 200);
    let name = files.all().into_keys().next().unwrap();
    std::fs::remove_file(files.path.join(&name[..2]).join(&name)).unwrap();
    let gone = app.get(&User::Service, "/storage/v1/object/authenticated/files/a.txt").await;
    assert_eq!(gone.json["statusCode"], "404", "{}", gone.text);
    let metrics = app.get(&User::Nobody, "/metrics").await.text;
    assert!(metrics.lines().any(|line| line == "behalf_storage_gone_total 1"), "{metrics}");
}
