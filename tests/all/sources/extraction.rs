//! What happens to a file: it is read in the sandbox, and its source says how that ended.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use behalf_tests::Answer;
use reqwest::Method;
use serde_json::{Value, json};
use wit_parser::decoding::DecodedWasm;

use super::bed::{Bed, alice};
use super::documents::{docx, pdf, words};

/// The beginning of a picture, and nothing more: it is never shown.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0";

/// What the component that reads documents imports, all of it: the document, and what the standard library of its language expects
/// to be there. The host has nothing behind the latter but a random seed (host/sandbox/src/documents/wasi.rs).
const IMPORTS: &[&str] = &[
    "behalf:extraction/document@1.0.0",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure-seed",
];

#[test]
fn the_component_that_reads_documents_imports_exactly_this() {
    let DecodedWasm::Component(resolve, world) = wit_parser::decoding::decode(behalf_bundled::EXTRACTOR).unwrap()
    else {
        panic!("it is a component")
    };
    let interfaces = resolve.worlds[world].imports.iter().filter_map(|(key, item)| {
        let is_interface = matches!(item, wit_parser::WorldItem::Interface { .. });
        is_interface.then(|| resolve.name_world_key(key))
    });
    // Versions of WASI 0.2 differ with the compiler.
    let mut names: Vec<String> = interfaces
        .map(|name| if name.starts_with("wasi:") { name.split('@').next().unwrap().to_owned() } else { name })
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, IMPORTS);
    let exports: Vec<String> = resolve.worlds[world].exports.keys().map(|key| resolve.name_world_key(key)).collect();
    assert_eq!(exports, ["extract"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_read_and_its_source_says_what_it_is() {
    let bed = Bed::start().await;
    let id = bed.added(&alice(), "three.pdf", pdf("three", 3)).await;
    let source = bed.ended(&alice(), &id).await;
    assert_eq!((&source["extraction_status"], &source["pages"]), (&json!("extracted"), &json!(3)), "{source}");
    assert_eq!((&source["auto_metadata"]["format"], &source["auto_metadata"]["pages"]), (&json!("pdf"), &json!(3)));
    assert!(source["extracted_at"].is_string(), "{source}");
    let texts = bed.texts(&alice(), &id).await;
    for (page, text) in (1..).zip(&texts) {
        assert!(text.contains(&words("three", page)), "{page}: {text}");
    }
    assert_eq!(texts.len(), 3);
    // The name is a hint, and the bytes decide.
    let id = bed.read(&alice(), "named.pdf", docx("word")).await;
    assert_eq!(bed.ended(&alice(), &id).await["auto_metadata"]["format"], "docx");
}

async fn again(bed: &Bed, id: &str) -> Value {
    let answer = bed.post(&alice(), &format!("/api/sources/{id}/reextract"), json!({})).await;
    assert!((200..300).contains(&answer.status), "{}", answer.text);
    bed.ended(&alice(), id).await
}

/// The one file in the folders of a folder.
fn the_file(folder: &Path) -> PathBuf {
    let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> =
        entries(folder).filter(|path| path.is_dir()).flat_map(|shard| entries(&shard).collect::<Vec<_>>()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_gone_or_changed_are_a_failure_of_the_file() {
    let bed = Bed::start().await;
    let id = bed.read(&alice(), "a.txt", words("a", 1)).await;
    let file = the_file(bed.files.path());
    let whole = std::fs::read(&file).unwrap();
    // Other bytes, fewer bytes, none.
    let other = words("b", 1).into_bytes();
    assert_eq!(other.len(), whole.len());
    for (bytes, code) in
        [(Some(other), "unreadable_bytes"), (Some(b"few".to_vec()), "unreadable_bytes"), (None, "file_gone")]
    {
        match bytes {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let source = again(&bed, &id).await;
        assert_eq!((&source["extraction_status"], &source["error_code"]), (&json!("failed"), &json!(code)), "{source}");
        assert!(source["error_message"].as_str().unwrap().ends_with("upload it again."), "{source}");
    }
    std::fs::write(&file, whole).unwrap();
    assert_eq!(again(&bed, &id).await["extraction_status"], "extracted");
    assert_eq!(bed.texts(&alice(), &id).await, [words("a", 1)]);
    let dead: i64 = bed.database.value("select count(*) from behalf.jobs").await;
    assert_eq!(dead, 0, "what a file does is no failure of a job");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_read_anew_has_each_page_once() {
    let bed = Bed::start().await;
    let id = bed.read(&alice(), "a.pdf", pdf("a", 5)).await;
    for _ in 0..3 {
        assert_eq!(again(&bed, &id).await["extraction_status"], "extracted");
        assert_eq!(bed.texts(&alice(), &id).await.len(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_wait_for_attention_where_nothing_reads_them() {
    let bed = Bed::start().await;
    let id = bed.added(&alice(), "a.png", PICTURE).await;
    let source = bed.ended(&alice(), &id).await;
    assert_eq!(
        (&source["extraction_status"], &source["error_code"]),
        (&json!("attention_required"), &json!("only_pictures"))
    );
    assert_eq!(source["error_message"], "The file holds pictures and no text.");
    // What is called a picture and is none is no picture.
    let id = bed.added(&alice(), "b.png", b"\0\x01\x02\x03".repeat(9)).await;
    assert_eq!(bed.ended(&alice(), &id).await["error_code"], "unknown_format");
}

/// A server that reads pictures, and answers with this status.
async fn ocr(status: &Arc<AtomicU16>, asked: &Arc<AtomicUsize>) -> String {
    let (status, asked) = (Arc::clone(status), Arc::clone(asked));
    let answer = move |headers: HeaderMap, body: axum::body::Bytes| async move {
        asked.fetch_add(1, Ordering::Relaxed);
        assert_eq!(
            (headers["authorization"].to_str().unwrap(), headers["content-type"].to_str().unwrap()),
            ("Bearer key", "image/png")
        );
        assert_eq!(body, PICTURE);
        let status = StatusCode::from_u16(status.load(Ordering::Relaxed)).unwrap();
        (status, Json(json!({ "pages": ["the first\u{0} page", "the second"] })))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/read", listener.local_addr().unwrap());
    let app = axum::Router::new().route("/read", post(answer));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reads_pictures_gets_those_and_its_pages_are_kept() {
    let (status, asked) = (Arc::new(AtomicU16::new(422)), Arc::new(AtomicUsize::new(0)));
    let url = ocr(&status, &asked).await;
    let settings = vec![
        ("sources_ocr_url", url),
        ("sources_ocr_authorization", "Bearer key".to_owned()),
        ("http_allow_private", "127.0.0.1".to_owned()),
    ];
    let bed = Bed::with(settings).await;
    let id = bed.added(&alice(), "a.png", PICTURE).await;
    let source = bed.ended(&alice(), &id).await;
    assert_eq!(source["extraction_status"], "attention_required", "the server refused it: {source}");
    assert_eq!(asked.load(Ordering::Relaxed), 1, "it is not sent again");
    status.store(200, Ordering::Relaxed);
    let source = again(&bed, &id).await;
    assert_eq!((&source["extraction_status"], &source["pages"]), (&json!("extracted"), &json!(2)), "{source}");
    assert_eq!(source["auto_metadata"]["read_by"], "ocr");
    assert_eq!(bed.texts(&alice(), &id).await, ["the first page", "the second"]);
    bed.read(&alice(), "a.txt", words("a", 1)).await;
    assert_eq!(asked.load(Ordering::Relaxed), 2, "a text is not sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_server_that_was_not_allowed_gets_no_picture() {
    let (status, asked) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicUsize::new(0)));
    let url = ocr(&status, &asked).await;
    let bed = Bed::with(vec![("sources_ocr_url", url)]).await;
    let id = bed.added(&alice(), "a.png", PICTURE).await;
    let source = bed.ended(&alice(), &id).await;
    assert_eq!(source["extraction_status"], "attention_required", "{source}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_is_cancelled_in_its_middle_and_stores_nothing() {
    let bed = Bed::start().await;
    // Large enough to be under way for a while.
    let long = "a line of a long text\n".repeat(400_000);
    let id = bed.added(&alice(), "long.txt", long).await;
    let answer = bed.request(&alice(), Method::POST, &format!("/api/sources/{id}/cancel")).send().await.unwrap();
    let answer = Answer::of(answer).await;
    let source = bed.ended(&alice(), &id).await;
    // It may have been done before it was cancelled; it is one of the two, wholly.
    let pages: i64 =
        bed.database.value(&format!("select count(*) from ai.source_pages where source_id = '{id}'")).await;
    if answer.status == 409 {
        assert_eq!(source["extraction_status"], "extracted", "{source}");
        assert_eq!(source["pages"], pages);
    } else {
        assert_eq!((&source["extraction_status"], pages), (&json!("cancelled"), 0), "{source}");
    }
}
