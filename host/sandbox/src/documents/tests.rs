//! Components that attack the host that reads documents with them. Each bound has one that reaches it.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::*;
use crate::engine::code_config;
use crate::options::Compiler;

/// A component of the world `extractor` whose function has this body. There are `$add-page`, `$read`, `$progress`, `$size`, 10 bytes
/// of text at 16, and at 1024 an answer that says "txt" and nothing else.
fn component(before: &str, body: &str) -> Vec<u8> {
    wat::parse_str(text(before, body)).expect("the template is a component")
}

fn text(before: &str, body: &str) -> String {
    include_str!("hostile.wat").replace(";; BEFORE", before).replace(";; BODY", body)
}

fn reader(folder: &Path, component: Vec<u8>, limits: DocumentLimits) -> DocumentReader {
    let options = DocumentOptions { component: component.leak(), places: 2, limits, compiler: Compiler::Here };
    DocumentReader::new(folder, options).expect("a folder of this user's")
}

/// Small enough for a test, large enough for a component that behaves.
fn limits() -> DocumentLimits {
    DocumentLimits {
        memory_bytes: 32 * 1024 * 1024,
        processor_time: Duration::from_mins(1),
        wall_time: Duration::from_mins(2),
        pages: 1_000,
        text_bytes: 4 * 1024 * 1024,
        page_bytes: 1024 * 1024,
    }
}

fn document(bytes: u64) -> File {
    let file = tempfile::tempfile().expect("a temporary file");
    file.set_len(bytes).expect("room for holes");
    file
}

/// Reads a document of this size to its end, and counts the pages.
async fn read(component: Vec<u8>, limits: DocumentLimits, bytes: u64) -> (Result<Summary, ReadFailure>, Vec<Page>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let reader = reader(folder.path(), component, limits);
    let (sender, mut receiver) = mpsc::channel(2);
    let mut pages = Vec::new();
    let result = tokio::join!(reader.read(document(bytes), "txt", sender, CancellationToken::new()), async {
        while let Some(page) = receiver.recv().await {
            pages.push(page);
        }
    });
    (result.0, pages)
}

async fn refusal(before: &str, body: &str, limits: DocumentLimits) -> Refusal {
    match read(component(before, body), limits, 10).await.0 {
        Err(ReadFailure::Document(refusal)) => refusal,
        other => panic!("no refusal: {other:?}"),
    }
}

const ADD_PAGE: &str =
    "(drop (call $add-page (i32.const 16) (i32.const 10) (i32.const 0) (i32.const 0) (i32.const 0)))";
const ANSWER: &str = "(i32.const 1024)";

#[tokio::test]
async fn a_component_that_behaves_hands_over_its_pages() {
    let progress = "(call $progress (i32.const 0) (i32.const 1) (i32.const 2))";
    let named = "(drop (call $add-page (i32.const 16) (i32.const 10) (i32.const 1) (i32.const 16) (i32.const 4)))";
    let (result, pages) = read(component("", &format!("{progress} {ADD_PAGE} {named} {ANSWER}")), limits(), 10).await;
    let summary = result.expect("it behaves");
    assert_eq!((summary.format.as_str(), summary.pages, summary.text_bytes), ("txt", 2, 24));
    assert!(summary.memory_bytes >= 64 * 1024, "{}", summary.memory_bytes);
    let page = |number, name: Option<&str>| Page {
        number,
        name: name.map(str::to_owned),
        text: "some text.".to_owned(),
        total: Some(2),
    };
    assert_eq!(pages, [page(1, None), page(2, Some("some"))]);
}

#[tokio::test]
async fn an_endless_loop_ends_with_its_processor_time() {
    let limits = DocumentLimits { processor_time: Duration::from_millis(50), ..limits() };
    assert_eq!(refusal("", "(loop $again (br $again)) unreachable", limits).await, Refusal::Deadline);
    // In calls into the host, which themselves end.
    let calls = "(loop $again (drop (call $size)) (br $again)) unreachable";
    assert_eq!(refusal("", calls, limits).await, Refusal::Deadline);
}

#[tokio::test]
async fn memory_and_tables_are_bounded() {
    let eats = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    assert_eq!(refusal("", eats, limits()).await, Refusal::Memory);
    let table = "(table $large 1 funcref)";
    let grows = "(loop $again (br_if $again
        (i32.ne (table.grow $large (ref.null func) (i32.const 10000)) (i32.const -1)))) unreachable";
    assert_eq!(refusal(table, grows, limits()).await, Refusal::Memory);
    assert_eq!(refusal("(memory $large 1024)", ANSWER, limits()).await, Refusal::Memory, "before it runs");
}

#[tokio::test]
async fn pages_and_text_are_bounded() {
    let endless = format!("(loop $again {ADD_PAGE} (br $again)) unreachable");
    let (result, pages) = read(component("", &endless), limits(), 10).await;
    assert!(matches!(result, Err(ReadFailure::Document(Refusal::TooManyPages))), "{result:?}");
    assert_eq!(pages.len(), 1_000);
    let few = DocumentLimits { text_bytes: 9_999, ..limits() };
    let (result, pages) = read(component("", &endless), few, 10).await;
    assert!(matches!(result, Err(ReadFailure::Document(Refusal::TooMuchText))), "{result:?}");
    assert_eq!(pages.len(), 999);
}

#[tokio::test]
async fn one_page_is_bounded_before_the_host_copies_it() {
    let page = |length: u32| {
        format!(
            "(drop (memory.grow (i32.const 300)))
            (drop (call $add-page (i32.const 2048) (i32.const {length}) (i32.const 0) (i32.const 0) (i32.const 0))) {ANSWER}"
        )
    };
    let most = 1024 * 1024;
    assert!(read(component("", &page(most)), limits(), 10).await.0.is_ok(), "all zeros, which are dropped");
    assert_eq!(refusal("", &page(16 * most), limits()).await, Refusal::TooMuchText);
    // A name is short; its bytes count as well before it is cut.
    let named = format!(
        "(drop (memory.grow (i32.const 300)))
        (drop (call $add-page (i32.const 16) (i32.const 4) (i32.const 1) (i32.const 2048) (i32.const {}))) {ANSWER}",
        16 * most
    );
    assert_eq!(refusal("", &named, limits()).await, Refusal::TooMuchText);
}

#[tokio::test]
async fn deep_recursion_and_other_traps_end_the_component_alone() {
    let recursive = "(func $deep (param i64) (result i64)
        (i64.add (call $deep (i64.add (local.get 0) (i64.const 1))) (local.get 0)))";
    let limits = limits();
    assert_eq!(refusal(recursive, "(drop (call $deep (i64.const 1))) unreachable", limits).await, Refusal::Crashed);
    assert_eq!(refusal("", "unreachable", limits).await, Refusal::Crashed);
    let outside =
        "(drop (call $add-page (i32.const -16) (i32.const 10) (i32.const 0) (i32.const 0) (i32.const 0))) unreachable";
    assert_eq!(refusal("", outside, limits).await, Refusal::Crashed);
    assert_eq!(refusal("", "(i32.const -4)", limits).await, Refusal::Crashed, "an answer outside of its memory");
    assert_eq!(
        refusal(
            "",
            "(i32.store8 (i32.const 16) (i32.const 255)) (i32.store (i32.const 1032) (i32.const 1))
        (i32.store (i32.const 1028) (i32.const 16)) (i32.const 1024)",
            limits
        )
        .await,
        Refusal::Crashed,
        "no text"
    );
}

#[tokio::test]
async fn the_document_is_read_within_its_bounds() {
    // Each read traps where it gives more than it may, or something beyond the end.
    let read_is = |offset: &str, length: &str, is: u32| {
        format!(
            "(call $read (i64.const {offset}) (i32.const {length}) (i32.const 512))
            (if (i32.ne (i32.load (i32.const 516)) (i32.const {is})) (then unreachable))"
        )
    };
    let body = [
        read_is("0", "-1", 1024 * 1024),
        read_is("-1", "-1", 0),
        read_is("3145728", "1", 0),
        read_is("3145718", "100", 10),
        read_is("5", "7", 7),
    ];
    let size = "(if (i64.ne (call $size) (i64.const 3145728)) (then unreachable))";
    let body = format!("(drop (memory.grow (i32.const 200))) {size} {} {ANSWER}", body.join("\n"));
    let (result, _) = read(component("", &body), limits(), 3 * 1024 * 1024).await;
    assert!(result.is_ok(), "{result:?}");
}

#[tokio::test]
async fn waiting_for_the_pages_to_be_taken_is_no_processor_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (processor_time, wall_time) = (Duration::from_millis(250), Duration::from_millis(300));
    let endless = format!("(loop $again {ADD_PAGE} (br $again)) unreachable");
    let limits = DocumentLimits { processor_time, wall_time, ..limits() };
    let reader = reader(folder.path(), component("", &endless), limits);
    // Compiled before, so that nothing but waiting is in the way.
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    let stopped = reader.read(document(1), "", sender, CancellationToken::new()).await;
    assert!(matches!(stopped, Err(ReadFailure::Stopped)), "nobody takes the pages: {stopped:?}");
    let (sender, _receiver) = mpsc::channel(1);
    let slow = reader.read(document(1), "", sender, CancellationToken::new()).await;
    assert!(matches!(slow, Err(ReadFailure::Host(ReaderError::TooSlow(_)))), "{slow:?}");
}

#[tokio::test]
async fn a_reading_that_nobody_wants_gives_its_place_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for body in ["(loop $again (br $again)) unreachable", &format!("(loop $again {ADD_PAGE} (br $again)) unreachable")]
    {
        let reader = reader(folder.path(), component("", body), limits());
        for _ in 0..3 {
            let stop = CancellationToken::new();
            let (sender, mut receiver) = mpsc::channel(1);
            let reading = reader.read(document(1), "", sender, stop.clone());
            let stopping = async {
                if body.contains("add-page") {
                    receiver.recv().await.expect("it hands over pages");
                }
                stop.cancel();
            };
            let (result, ()) = tokio::join!(reading, stopping);
            assert!(matches!(result, Err(ReadFailure::Stopped)), "{result:?}");
        }
        // Dropped in the middle: its thread ends, and with it the sender of the pages.
        let (sender, mut receiver) = mpsc::channel(1);
        {
            let reading = reader.read(document(1), "", sender, CancellationToken::new());
            let begun = tokio::time::timeout(Duration::from_millis(100), reading).await;
            assert!(begun.is_err(), "it never ends by itself");
        }
        while receiver.recv().await.is_some() {}
    }
}

#[tokio::test]
async fn a_component_that_imports_anything_else_is_refused() {
    let engine = Engine::new(&code_config()).expect("an engine");
    let link = |text: &[u8]| {
        let component = Component::new(&engine, text).expect("a component");
        reader::link(&engine, &component).map(drop)
    };
    link(&component("", ANSWER)).expect("the document alone");
    let text = text("", ANSWER);
    for import in [
        "wasi:filesystem/preopens@0.2.6",
        "wasi:filesystem/types@0.2.6",
        "wasi:sockets/tcp@0.2.6",
        "wasi:http/outgoing-handler@0.2.6",
        "wasi:cli/run@0.2.6",
        "behalf:tool/database@0.1.0",
        "behalf:extraction/other@1.0.0",
    ] {
        let with = text.replacen(
            "(component",
            &format!("(component (import \"{import}\" (instance (export \"f\" (func))))"),
            1,
        );
        let refused = link(&wat::parse_str(&with).expect("a component")).expect_err(import);
        assert!(format!("{refused:#}").contains(import), "{refused:#}");
    }
    // A function that the interface does not have.
    let with = text.replacen(
        "(component",
        "(component (import \"wasi:cli/environment@0.2.6\" (instance (export \"set-environment\" (func))))",
        1,
    );
    assert!(link(&wat::parse_str(&with).expect("a component")).is_err());
}

#[test]
fn a_readings_thread_gives_way_and_others_do_not() {
    let priority = || rustix::process::getpriority_process(None).expect("a priority");
    let before = priority();
    let lowered = std::thread::spawn(move || {
        reader::lower_priority();
        priority()
    });
    let lowered = lowered.join().expect("it does not panic");
    assert_eq!(lowered, if cfg!(target_os = "linux") { (before + 10).min(19) } else { before });
    assert_eq!(priority(), before, "the other threads keep theirs");
}

#[test]
fn every_refusal_has_a_code_of_its_own_and_one_sentence() {
    let mut codes: Vec<_> = Refusal::ALL.iter().map(|refusal| refusal.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Refusal::ALL.len());
    for refusal in Refusal::ALL {
        let sentence = refusal.sentence();
        assert!(sentence.starts_with("The file ") && sentence.ends_with('.'), "{sentence}");
    }
}
