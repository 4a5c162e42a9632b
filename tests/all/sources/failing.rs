//! What a document is read with fails: the server that reads pictures, the bounds of one document, the disk. Each document ends with a
//! code, or is tried again, and nothing of it is stored in part.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use axum::routing::post;
use behalf_tests::app::STATE_DIR;
use behalf_tests::{App, Options, TestDatabase, User, eventually};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::bed::{Bed, alice, bob, form, settings};
use super::documents::{pdf, words};

/// A picture, as far as its beginning says.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0";

/// How long a document may take until it has come to its end.
const PATIENCE: Duration = Duration::from_mins(2);

const MIB: usize = 1024 * 1024;

/// Pages that are stored, of whatever source.
const PAGES: &str = "select count(*) from ai.source_pages";

/// A source at its end. Jobs that wait for their next attempt make it at once.
async fn ended(app: &App, id: &str) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        app.database.execute("update behalf.jobs set run_at = now() where state = 'delayed'").await;
        let source = app.get(&alice(), &format!("/api/sources/{id}")).await;
        if !matches!(source.json["extraction_status"].as_str(), Some("pending" | "extracting")) {
            return source.json;
        }
        assert!(Instant::now() < end, "it does not end: {}", source.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn failed_with(source: &Value, code: &str) {
    let shown = (&source["extraction_status"], &source["error_code"]);
    assert_eq!(shown, (&json!("failed"), &json!(code)), "{source}");
    let sentence = source["error_message"].as_str().unwrap();
    assert!(sentence.starts_with("The ") && sentence.ends_with('.'), "{sentence}");
    assert_eq!((&source["pages"], &source["extracted_at"]), (&Value::Null, &Value::Null), "{source}");
}

async fn read_anew(app: &App, id: &str) -> Value {
    let anew = app.post(&alice(), &format!("/api/sources/{id}/reextract"), json!({})).await;
    assert_eq!(anew.status, 200, "{}", anew.text);
    ended(app, id).await
}

/// The value of a series in the host's metrics; 0 where there is none.
async fn metric(app: &App, series: &str) -> u64 {
    let text = app.get(&User::Nobody, "/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(series).and_then(|rest| rest.strip_prefix(' ')));
    line.map_or(0, |value| value.parse().unwrap())
}

// Servers that read pictures --------------------------------------------------------------------------------------------

/// What a server that reads pictures does.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Does {
    Fail,
    AnswerGarbage,
    AnswerOtherJson,
    AnswerHalf,
    Hang,
    HangInItsMiddle,
    Read,
}

/// A server that reads pictures, in one way or another.
struct Ocr {
    does: Arc<AtomicU8>,
    asked: Arc<AtomicUsize>,
    url: String,
}

impl Ocr {
    async fn start() -> Self {
        let (does, asked) = (Arc::new(AtomicU8::new(Does::Read as u8)), Arc::new(AtomicUsize::new(0)));
        let (what, count) = (Arc::clone(&does), Arc::clone(&asked));
        let answer = move || async move {
            count.fetch_add(1, Ordering::SeqCst);
            answer(what.load(Ordering::SeqCst)).await
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/read", listener.local_addr().unwrap());
        let app = axum::Router::new().route("/read", post(answer));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { does, asked, url }
    }

    fn now(&self, does: Does) {
        self.does.store(does as u8, Ordering::SeqCst);
        self.asked.store(0, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn bed(&self, seconds: u64) -> Bed {
        Bed::with(vec![
            ("sources_ocr_url", self.url.clone()),
            ("sources_ocr_seconds", seconds.to_string()),
            ("http_allow_private", "127.0.0.1".to_owned()),
        ])
        .await
    }
}

async fn answer(does: u8) -> Response {
    let of = |status: u16, body: Body| {
        Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
    };
    let half = || Bytes::from_static(b"{\"pages\": [\"the first pa");
    match does {
        d if d == Does::Fail as u8 => of(500, Body::from(r#"{"pages": ["never"]}"#)),
        d if d == Does::AnswerGarbage as u8 => of(200, Body::from(vec![0xff; 100_000])),
        d if d == Does::AnswerOtherJson as u8 => of(200, Body::from(r#"{"pages": [{"text": "never"}]}"#)),
        d if d == Does::AnswerHalf as u8 => of(200, Body::from(half())),
        d if d == Does::Hang as u8 => std::future::pending().await,
        d if d == Does::HangInItsMiddle as u8 => {
            let begun = stream::once(async move { Ok::<_, std::io::Error>(half()) });
            of(200, Body::from_stream(begun.chain(stream::pending())))
        }
        _ => of(200, Body::from(r#"{"pages": ["a page"]}"#)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_pictures_that_fails_is_asked_three_times_and_nothing_of_it_is_kept() {
    let ocr = Ocr::start().await;
    let bed = ocr.bed(1).await;
    let ways =
        [Does::Fail, Does::AnswerGarbage, Does::AnswerOtherJson, Does::AnswerHalf, Does::Hang, Does::HangInItsMiddle];
    let mut last = String::new();
    for (number, does) in (0_u8..).zip(ways) {
        ocr.now(does);
        last = bed.added(&alice(), "a.png", [PICTURE, &[number]].concat()).await;
        let source = ended(&bed, &last).await;
        failed_with(&source, "ocr_failed");
        assert_eq!(ocr.asked(), 3, "way {number}");
        assert_eq!(bed.database.value::<i64>(PAGES).await, 0, "way {number}");
    }
    let jobs = "select count(*) from behalf.jobs where lane = 'documents'";
    assert_eq!(bed.database.value::<i64>(jobs).await, 0, "the document's end is no failure of a job");
    assert_eq!(metric(&bed, r#"behalf_documents_total{result="ocr_failed"}"#).await, 6);
    // When the server is back, it is read.
    ocr.now(Does::Read);
    assert_eq!(read_anew(&bed, &last).await["extraction_status"], "extracted");
    assert_eq!(bed.texts(&alice(), &last).await, ["a page"]);
    // What was read stays where a later reading fails.
    ocr.now(Does::Fail);
    failed_with(&without_pages(read_anew(&bed, &last).await), "ocr_failed");
    assert_eq!(bed.texts(&alice(), &last).await, ["a page"]);
}

/// A source whose pages of an earlier reading are left aside.
fn without_pages(mut source: Value) -> Value {
    source["pages"] = Value::Null;
    source
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_server_hangs_is_cancelled_at_once() {
    let ocr = Ocr::start().await;
    let bed = ocr.bed(600).await;
    ocr.now(Does::Hang);
    let id = bed.added(&alice(), "a.png", PICTURE).await;
    eventually("the server is not asked", async || ocr.asked() == 1).await;
    let cancelled = bed.post(&alice(), &format!("/api/sources/{id}/cancel"), json!({})).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.text);
    let running =
        "select count(*) from behalf.jobs where state in ('ready', 'delayed', 'running') and lane = 'documents'";
    eventually("the job goes on", async || bed.database.value::<i64>(running).await == 0).await;
    assert_eq!(bed.ended(&alice(), &id).await["extraction_status"], "cancelled");
    assert_eq!(bed.database.value::<i64>(PAGES).await, 0);
    // Its place is free.
    bed.read(&bob(), "b.txt", words("b", 1)).await;
}

// Bounds ----------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn documents_beyond_the_bounds_end_with_their_code() {
    let bed = Bed::with(vec![("sources_max_pages", "5".to_owned()), ("sources_memory_mib", "10".to_owned())]).await;
    let id = bed.added(&alice(), "long.pdf", pdf("long", 6)).await;
    failed_with(&ended(&bed, &id).await, "too_many_pages");
    // More than memory has room for, and less than a file of HTML may have.
    let large = format!("<!doctype html><body>{}</body>", "<p>one more paragraph</p>".repeat(1_200_000));
    let id = bed.added(&alice(), "large.html", large).await;
    failed_with(&ended(&bed, &id).await, "memory");
    assert_eq!(bed.database.value::<i64>(PAGES).await, 0);
    let jobs = "select count(*) from behalf.jobs where lane = 'documents'";
    assert_eq!(bed.database.value::<i64>(jobs).await, 0, "what a document does is no failure of a job");
    let id = bed.read(&alice(), "short.pdf", pdf("short", 5)).await;
    assert_eq!(bed.texts(&alice(), &id).await.len(), 5);
    bed.has_no_other_bytes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_documents_by_how_they_ended() {
    let bed = Bed::start().await;
    bed.read(&alice(), "a.pdf", pdf("a", 3)).await;
    bed.read(&alice(), "b.txt", words("b", 1)).await;
    for (name, bytes) in [("c.pdf", &b"%PDF-1.4\nand no more"[..]), ("d.png", PICTURE)] {
        let id = bed.added(&alice(), name, bytes).await;
        ended(&bed, &id).await;
    }
    let address = json!({"urls": ["http://127.0.0.1:9/a.txt"]});
    let added = bed.post(&alice(), "/api/sources/import-url", address).await;
    ended(&bed, added.json["sources"][0]["id"].as_str().unwrap()).await;
    // All tests of this process share the numbers, so others may have counted as well.
    for (series, least) in [
        (r#"behalf_documents_total{result="extracted"}"#, 2),
        (r#"behalf_documents_total{result="damaged"}"#, 1),
        (r#"behalf_documents_total{result="only_pictures"}"#, 1),
        (r#"behalf_document_fetches_total{result="address_prohibited"}"#, 1),
        ("behalf_document_pages_total", 4),
        ("behalf_document_read_seconds_count", 4),
        (r#"behalf_job_wait_seconds_count{kind="sources.extract"}"#, 4),
    ] {
        let counted = metric(&bed, series).await;
        assert!(counted >= least, "{series}: {counted}");
    }
}

// Disks -----------------------------------------------------------------------------------------------------------------

/// A mounted folder.
struct Mounted(PathBuf);

impl Mounted {
    /// None where this process may not mount.
    fn new(arguments: &[&str], at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(arguments).arg(at).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

/// A host whose folder for documents under way is a small file system of its own.
struct SmallDisk {
    app: App,
    disk: Mounted,
    // Dropped in this order: what is mounted in the state folder before it.
    _compiled: Mounted,
    _state: TempDir,
    _files: TempDir,
}

impl SmallDisk {
    /// None where this process may not mount.
    async fn start(space: usize) -> Option<Self> {
        let (state, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let size = format!("size={space},mode=0700");
        let disk = Mounted::new(&["-t", "tmpfs", "-o", &size, "tests"], &state.path().join("documents"))?;
        // Compiled code is the one of all tests.
        let compiled = format!("{STATE_DIR}/compiled");
        std::fs::create_dir_all(&compiled).unwrap();
        let compiled = Mounted::new(&["--bind", &compiled], &state.path().join("compiled"))?;
        let mut settings = settings(files.path());
        settings.push(("state_dir", state.path().display().to_string()));
        let app = App::on(TestDatabase::create().await, Options { settings }).await;
        Some(Self { app, disk, _compiled: compiled, _state: state, _files: files })
    }

    async fn upload(&self, name: &str, text: &str) -> String {
        let request = self.app.request(&alice(), reqwest::Method::POST, "/api/sources/upload");
        let answer = behalf_tests::Answer::of(request.multipart(form(name, text)).send().await.unwrap()).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json["id"].as_str().unwrap().to_owned()
    }

    /// Lets so much room be there.
    fn leave(&self, room: usize, space: usize) {
        std::fs::write(self.disk.0.join("filler"), vec![0; space - room]).unwrap();
    }
}

/// The text of a document that has about so many bytes.
fn long(bytes: usize) -> String {
    let line = format!("{} and more\n", words("long", 1));
    line.repeat(bytes / line.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_delays_documents_and_stores_nothing_in_part() {
    const SPACE: usize = 8 * MIB;
    let Some(small) = SmallDisk::start(SPACE).await else {
        eprintln!("this process may not mount a file system, so none was filled");
        return;
    };
    let app = &small.app;
    let failures = async |id: &str| {
        app.database
            .value::<i64>(&format!(
                "select coalesce((select attempts from behalf.jobs where payload ->> 'source_id' = '{id}'
                                  and state = 'delayed' and error_code = 'error'), 0)::bigint"
            ))
            .await
    };
    // There is no room for the bytes; then there is for them, and not for their text.
    for (number, room) in (1..).zip([MIB, 4 * MIB]) {
        small.leave(room, SPACE);
        let text = format!("{number}\n{}", long(3 * MIB));
        let id = small.upload(&format!("{number}.txt"), &text).await;
        eventually("no attempt fails", async || failures(&id).await > 0).await;
        let source = app.get(&alice(), &format!("/api/sources/{id}")).await.json;
        assert_eq!((&source["extraction_status"], &source["error_code"]), (&json!("extracting"), &Value::Null));
        assert_eq!(app.database.value::<i64>(PAGES).await, 0);
        // With room, the next attempt reads it.
        std::fs::remove_file(small.disk.0.join("filler")).unwrap();
        assert_eq!(ended(app, &id).await["extraction_status"], "extracted");
        let texts = app.get(&alice(), &format!("/api/sources/{id}/page-texts")).await;
        assert!(texts.text.len() > 3 * MIB, "{} bytes", texts.text.len());
        app.database.execute("delete from ai.sources").await;
    }
    // Where it stays full, the document ends, and can be read again.
    small.leave(MIB, SPACE);
    let id = small.upload("3.txt", &long(3 * MIB)).await;
    failed_with(&ended(app, &id).await, "host_failed");
    assert_eq!(app.database.value::<i64>(PAGES).await, 0);
    let dead = "select count(*) from behalf.jobs where lane = 'documents' and state = 'dead' and error_code = 'error'";
    assert_eq!(app.database.value::<i64>(dead).await, 1);
    // What fits is read beside it.
    let little = small.upload("little.txt", &words("little", 1)).await;
    assert_eq!(ended(app, &little).await["extraction_status"], "extracted");
    std::fs::remove_file(small.disk.0.join("filler")).unwrap();
    assert_eq!(read_anew(app, &id).await["extraction_status"], "extracted");
    let left: Vec<_> = std::fs::read_dir(&small.disk.0).unwrap().collect();
    assert!(left.is_empty(), "files are left: {left:?}");
    // Before its folders are gone.
    let SmallDisk { app, .. } = small;
    app.stop().await;
}

/// The disk of the files themselves: an upload that does not fit is refused, and leaves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_does_not_fit_on_the_disk_leaves_nothing() {
    let files = tempfile::tempdir().unwrap();
    let size = format!("size={},mode=0700", 4 * MIB);
    let Some(_disk) = Mounted::new(&["-t", "tmpfs", "-o", &size, "tests"], files.path()) else {
        eprintln!("this process may not mount a file system, so none was filled");
        return;
    };
    let app = App::on(TestDatabase::create().await, Options { settings: settings(files.path()) }).await;
    let upload = async |name: &str, bytes: usize| {
        let request = app.request(&alice(), reqwest::Method::POST, "/api/sources/upload");
        behalf_tests::Answer::of(request.multipart(form(name, long(bytes))).send().await.unwrap()).await
    };
    let refused = upload("large.txt", 6 * MIB).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(!refused.text.contains(files.path().to_str().unwrap()), "{}", refused.text);
    assert_eq!(app.get(&alice(), "/api/sources").await.json["total"], 0);
    eventually("there is no room again", async || upload("small.txt", 2 * MIB).await.status == 201).await;
    super::bed::has_no_other_bytes(&app.database, files.path()).await;
    app.stop().await;
}
