//! What an app does with sources: uploads, lists, reads, downloads, changes and deletes them, as two users and as its own server.

use behalf_tests::sse::read_events;
use behalf_tests::{ALICE, Answer, BOB, User, eventually};
use reqwest::Method;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::bed::{Bed, alice, bob};
use super::documents::{docx, pdf, words};

/// Small files of several kinds: their names, their bytes, and the text of a page of each.
fn files(of: &str) -> Vec<(String, Vec<u8>, String)> {
    let text = |kind: &str| words(&format!("{of} {kind}"), 1);
    let file = |kind: &str, bytes: String| (format!("{of}.{kind}"), bytes.into_bytes(), text(kind));
    vec![
        file("txt", format!("{}\n", text("txt"))),
        file("md", format!("# Title\n\n{}\n", text("md"))),
        file("html", format!("<!doctype html><title>T</title><body><p>{}</p></body>", text("html"))),
        file("csv", format!("name,words\none,{}\n", text("csv"))),
        (format!("{of}.docx"), docx(&format!("{of} docx")), text("docx")),
        (format!("{of}.pdf"), pdf(&format!("{of} pdf"), 2), text("pdf")),
    ]
}

fn names(list: &Answer) -> Vec<&str> {
    assert_eq!(list.status, 200, "{}", list.text);
    list.json["sources"].as_array().unwrap().iter().map(|source| source["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_upload_and_each_reads_their_own() {
    let bed = Bed::start().await;
    for (user, of) in [(alice(), "hers"), (bob(), "his")] {
        for (name, bytes, text) in files(of) {
            let size = bytes.len();
            let added = bed.add(&user, &name, bytes.clone()).await;
            assert_eq!(added.status, 201, "{name}: {}", added.text);
            let end = name.rsplit('.').next().unwrap();
            let shown = ["name", "file_type", "extraction_status", "size"].map(|field| added.json[field].clone());
            assert_eq!(shown, [json!(name), json!(end), json!("pending"), json!(size)], "{}", added.text);
            assert!(added.json["task_id"].is_string(), "{}", added.text);
            let id = added.json["id"].as_str().unwrap();
            assert!(
                added.json["storage_path"].as_str().unwrap().starts_with(&format!("{id}/original/")),
                "{}",
                added.text
            );
            let source = bed.ended(&user, id).await;
            assert_eq!(source["extraction_status"], "extracted", "{source}");
            let pages = if end == "pdf" { 2 } else { 1 };
            let how_far = ["pages", "pages_done", "percent"].map(|field| source[field].clone());
            assert_eq!(how_far, [json!(pages), json!(pages), json!(100)], "{source}");
            assert_eq!(source["auto_metadata"]["pages"], pages, "{source}");
            assert!(source["auto_metadata"]["format"].is_string() && source["extracted_at"].is_string(), "{source}");
            let texts = bed.texts(&user, id).await;
            assert!(texts.len() == pages && texts[0].contains(&text), "{name}: {texts:?}");
            let page = bed.get(&user, &format!("/api/sources/{id}/page-texts?page={pages}")).await;
            assert_eq!((&page.json["page"], &page.json["count"]), (&json!(pages), &json!(pages)), "{}", page.text);
            assert_eq!(page.json["text"], texts[pages - 1]);
            for (page, status) in [("0", 400), ("-1", 400), ("x", 400), ("99", 404), ("2147483648", 400)] {
                let none = bed.get(&user, &format!("/api/sources/{id}/page-texts?page={page}")).await;
                assert_eq!(none.status, status, "{page}: {}", none.text);
            }
            let file = bed.request(&user, Method::GET, &format!("/api/sources/{id}/download")).send().await.unwrap();
            assert_eq!(file.bytes().await.unwrap(), bytes, "{name}");
        }
    }
    for (user, of) in [(alice(), "hers"), (bob(), "his")] {
        let list = bed.get(&user, "/api/sources?sort=name&order=asc").await;
        assert_eq!(names(&list), ["csv", "docx", "html", "md", "pdf", "txt"].map(|end| format!("{of}.{end}")));
        assert_eq!(list.json["total"], 6);
    }
    assert_eq!(bed.get(&User::Service, "/api/sources").await.json["total"], 12);
    bed.has_no_other_bytes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_sorted_and_cut_into_pages() {
    let bed = Bed::start().await;
    for (name, size) in [("b 50%.txt", 30), ("a_1.txt", 10), ("c.txt", 20)] {
        bed.read(&alice(), name, "x".repeat(size)).await;
    }
    let failed = bed.added(&alice(), "d.pdf", "%PDF-1.4\nand no more").await;
    assert_eq!(bed.ended(&alice(), &failed).await["extraction_status"], "failed");
    for (query, wanted) in [
        ("", &["d.pdf", "c.txt", "a_1.txt", "b 50%.txt"][..]),
        ("?order=asc&limit=2", &["b 50%.txt", "a_1.txt"]),
        ("?order=asc&limit=2&offset=2", &["c.txt", "d.pdf"]),
        ("?sort=size&order=asc&status=extracted", &["a_1.txt", "c.txt", "b 50%.txt"]),
        ("?sort=name&order=desc&q=.TXT", &["c.txt", "b 50%.txt", "a_1.txt"]),
        ("?q=50%25", &["b 50%.txt"]),
        ("?q=a_", &["a_1.txt"]),
        ("?status=failed", &["d.pdf"]),
        ("?status=pending", &[]),
        ("?offset=100", &[]),
    ] {
        assert_eq!(names(&bed.get(&alice(), &format!("/api/sources{query}")).await), wanted, "{query}");
    }
    assert_eq!(bed.get(&alice(), "/api/sources?offset=100").await.json["total"], 4);
    for query in ["sort=owner_id", "order=up", "status=done", "limit=x", "unknown=1", &format!("q={}", "x".repeat(201))]
    {
        let refused = bed.get(&alice(), &format!("/api/sources?{query}")).await;
        assert_eq!(refused.status, 400, "{query}: {}", refused.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_has_ranges_and_a_tag() {
    let bed = Bed::start().await;
    let id = bed.read(&alice(), "a.txt", "0123456789").await;
    let path = format!("/api/sources/{id}/download");
    let get = || bed.request(&alice(), Method::GET, &path);
    let whole = get().send().await.unwrap();
    assert!(whole.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/plain"));
    let tag = whole.headers()[ETAG].clone();
    assert_eq!(whole.text().await.unwrap(), "0123456789");
    let part = get().header(RANGE, "bytes=2-4").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.headers()[CONTENT_RANGE].to_str().unwrap()), (206, "bytes 2-4/10"));
    assert_eq!(part.text().await.unwrap(), "234");
    assert_eq!(get().header(RANGE, "bytes=10-").send().await.unwrap().status(), 416);
    assert_eq!(get().header(IF_NONE_MATCH, tag).send().await.unwrap().status(), 304);
    for (derivative, text) in
        [("markdown", "0123456789\n"), ("text", "0123456789\n"), ("page_texts", "[\"0123456789\"]")]
    {
        let path = format!("/api/sources/{id}/derivatives/{derivative}/download");
        let whole = bed.request(&alice(), Method::GET, &path).send().await.unwrap();
        assert_eq!(whole.status(), 200, "{derivative}");
        assert!(whole.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"), "{derivative}");
        assert_eq!(whole.text().await.unwrap().trim_end(), text.trim_end(), "{derivative}");
        let first = bed.get(&alice(), &format!("{path}?index=0")).await;
        assert_eq!((first.status, first.text.trim_end()), (200, text.trim_end()), "{derivative}");
        assert_eq!(bed.get(&alice(), &format!("{path}?index=1")).await.status, 404, "{derivative}");
    }
    for none in ["pdf", "..%2f..%2fetc", "MARKDOWN"] {
        let answer = bed.get(&alice(), &format!("/api/sources/{id}/derivatives/{none}/download")).await;
        assert_eq!(answer.status, 404, "{none}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_changed_read_anew_and_deleted() {
    let bed = Bed::start().await;
    let id = bed.read(&alice(), "a.pdf", pdf("a", 2)).await;
    let path = format!("/api/sources/{id}");
    let changed = json!({"name": "Report 2026", "metadata": {"tag": "x", "deep": [1]}});
    let changed = bed.send(&alice(), Method::PATCH, &path, changed).await;
    assert_eq!((changed.status, &changed.json["name"]), (200, &json!("Report 2026")), "{}", changed.text);
    let shown = bed.get(&alice(), &path).await.json;
    assert_eq!((&shown["name"], &shown["metadata"]), (&json!("Report 2026"), &json!({"tag": "x", "deep": [1]})));
    let file = bed.request(&alice(), Method::GET, &format!("{path}/download")).send().await.unwrap();
    let name = file.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(name.contains("Report 2026.pdf") || name.contains("Report%202026.pdf"), "{name}");
    let emptied = bed.send(&alice(), Method::PATCH, &path, json!({"metadata": null})).await;
    assert_eq!(emptied.json["metadata"], json!({}), "{}", emptied.text);
    assert_eq!(bed.send(&alice(), Method::PATCH, &path, json!({})).await.status, 400);

    let cancel = bed.post(&alice(), &format!("{path}/cancel"), json!({})).await;
    assert_eq!(cancel.status, 409, "nothing is under way: {}", cancel.text);
    let anew = bed.post(&alice(), &format!("{path}/reextract"), json!({})).await;
    assert_eq!((anew.status, &anew.json["extraction_status"]), (200, &json!("pending")), "{}", anew.text);
    assert_ne!(anew.json["task_id"], Value::Null);
    assert_eq!(bed.ended(&alice(), &id).await["extraction_status"], "extracted");
    let texts = bed.texts(&alice(), &id).await;
    assert!(texts.len() == 2 && texts[1].contains(&words("a", 2)), "{texts:?}");

    let gone = bed.send(&alice(), Method::DELETE, &path, json!({})).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    for more in ["", "/page-texts", "/download", "/events"] {
        assert_eq!(bed.get(&alice(), &format!("{path}{more}")).await.status, 404, "{more}");
    }
    assert_eq!(bed.send(&alice(), Method::DELETE, &path, json!({})).await.status, 404);
    assert_eq!(bed.database.value::<i64>("select count(*) from ai.source_pages").await, 0);
    bed.has_no_other_bytes().await;
    // The same file is a new one now.
    assert_eq!(bed.add(&alice(), "a.pdf", pdf("a", 2)).await.status, 201);
    let audit = bed.get(&alice(), "/api/audit-events?limit=100").await;
    for action in ["source.added", "source.changed", "source.read_anew", "source.deleted"] {
        assert!(audit.text.contains(action), "{action}: {}", audit.text);
    }
    assert!(!audit.text.contains("Report 2026"), "names are values of users: {}", audit.text);
}

/// Jobs that wait until they are let go, so that a source is pending for as long as a test wants.
const HOLD: &str = "
    create or replace function public.hold() returns trigger language plpgsql as $$
    begin
        new.state := 'delayed'; new.run_at := now() + interval '1 hour';
        return new;
    end
    $$;
    create trigger z_hold before insert on behalf.jobs for each row when (new.lane = 'documents') execute function public.hold();";
const LET_GO: &str = "drop trigger z_hold on behalf.jobs;
    update behalf.jobs set state = 'ready', run_at = now() where lane = 'documents' and state = 'delayed'";

impl Bed {
    /// From now on, no document is read.
    pub(super) async fn hold(&self) {
        self.database.execute(HOLD).await;
    }

    /// Documents are read again.
    pub(super) async fn let_go(&self) {
        self.database.execute(LET_GO).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_can_be_cancelled_and_read_later() {
    let bed = Bed::start().await;
    bed.hold().await;
    let id = bed.added(&alice(), "a.pdf", pdf("a", 1)).await;
    let path = format!("/api/sources/{id}");
    let again = bed.post(&alice(), &format!("{path}/reextract"), json!({})).await;
    assert_eq!(again.status, 409, "it waits: {}", again.text);
    assert_eq!(bed.get(&alice(), &format!("{path}/page-texts")).await.json, json!({"page_texts": [], "count": 0}));
    let cancelled = bed.post(&alice(), &format!("{path}/cancel"), json!({})).await;
    assert_eq!(
        (cancelled.status, &cancelled.json["extraction_status"]),
        (200, &json!("cancelled")),
        "{}",
        cancelled.text
    );
    bed.let_go().await;
    assert_eq!(bed.post(&alice(), &format!("{path}/cancel"), json!({})).await.status, 409);
    // A cancelled file is no duplicate.
    let second = bed.add(&alice(), "b.pdf", pdf("a", 1)).await;
    assert_eq!(second.status, 201, "{}", second.text);
    assert_eq!(bed.ended(&alice(), second.json["id"].as_str().unwrap()).await["extraction_status"], "extracted");
    assert_eq!(bed.get(&alice(), &path).await.json["extraction_status"], "cancelled");
    // By now it is one.
    let anew = bed.post(&alice(), &format!("{path}/reextract"), json!({})).await;
    assert_eq!((anew.status, &anew.json["error"]), (409, &json!("duplicate_source")), "{}", anew.text);
    let running = "select count(*) from behalf.jobs where state not in ('cancelled', 'dead')";
    assert_eq!(bed.database.value::<i64>(running).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_how_far_it_is_until_the_end() {
    let bed = Bed::start().await;
    bed.hold().await;
    let id = bed.added(&alice(), "a.pdf", pdf("a", 3)).await;
    let stream = bed.request(&alice(), Method::GET, &format!("/api/sources/{id}/events")).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    assert!(stream.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/event-stream"));
    bed.let_go().await;
    let events = read_events(stream).await;
    let statuses: Vec<&str> = events.iter().map(|event| event.data["extraction_status"].as_str().unwrap()).collect();
    assert_eq!((statuses.first(), statuses.last()), (Some(&"pending"), Some(&"extracted")), "{events:?}");
    assert!(statuses.windows(2).all(|two| two[0] != "extracted"), "{statuses:?}");
    assert_eq!(events.last().unwrap().data["pages"], 3);
    // Of one that is over there is one event.
    let stream = bed.request(&alice(), Method::GET, &format!("/api/sources/{id}/events")).send().await.unwrap();
    assert_eq!(read_events(stream).await.len(), 1);
    // Of one that is deleted meanwhile, the stream says so.
    bed.hold().await;
    let id = bed.added(&alice(), "b.pdf", pdf("b", 1)).await;
    let stream = bed.request(&alice(), Method::GET, &format!("/api/sources/{id}/events")).send().await.unwrap();
    assert_eq!(bed.send(&alice(), Method::DELETE, &format!("/api/sources/{id}"), json!({})).await.status, 200);
    let events = read_events(stream).await;
    assert_eq!(events.last().unwrap().name(), "gone", "{events:?}");
    // And where the host stops, it says where the events go on.
    let id = bed.added(&alice(), "c.pdf", pdf("c", 1)).await;
    let stream = bed.request(&alice(), Method::GET, &format!("/api/sources/{id}/events")).send().await.unwrap();
    let (events, ()) = tokio::join!(read_events(stream), bed.stop());
    let last = events.last().unwrap();
    assert_eq!((last.name(), &last.data["resume"]), ("disconnected", &json!(format!("/api/sources/{id}/events"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_role_uploads_for_a_user_and_in_its_own_name() {
    let bed = Bed::start().await;
    let hers = bed.read(&User::ServiceFor(ALICE), "for alice.txt", words("for alice", 1)).await;
    let own = bed.read(&User::Service, "service.txt", words("service", 1)).await;
    let shown = bed.get(&alice(), &format!("/api/sources/{hers}")).await;
    assert_eq!((shown.status, &shown.json["owner_id"]), (200, &json!(ALICE)), "{}", shown.text);
    assert_eq!(bed.get(&bob(), &format!("/api/sources/{hers}")).await.status, 404);
    assert_eq!(names(&bed.get(&alice(), "/api/sources").await), ["for alice.txt"]);
    // What is nobody's is the service role's alone.
    for user in [alice(), bob(), User::ServiceFor(ALICE), User::ServiceFor(BOB)] {
        assert_eq!(bed.get(&user, &format!("/api/sources/{own}")).await.status, 404, "{user:?}");
    }
    assert_eq!(bed.get(&User::Service, &format!("/api/sources/{own}")).await.json["owner_id"], Value::Null);
    assert!(bed.texts(&User::Service, &own).await[0].contains(&words("service", 1)));
    // The user's own duplicate, whoever acted.
    let again = bed.add(&alice(), "again.txt", words("for alice", 1)).await;
    assert_eq!((again.status, &again.json["duplicate"]["id"]), (409, &json!(hers)), "{}", again.text);
    // The service role in its own name changes everybody's.
    let path = format!("/api/sources/{hers}");
    assert_eq!(bed.send(&User::Service, Method::PATCH, &path, json!({"name": "renamed"})).await.status, 200);
    assert_eq!(bed.send(&User::ServiceFor(BOB), Method::PATCH, &path, json!({"name": "his"})).await.status, 404);
    assert_eq!(bed.get(&alice(), &path).await.json["name"], "renamed");
    let anew = bed.post(&User::Service, &format!("{path}/reextract"), json!({})).await;
    assert_eq!(anew.status, 200, "{}", anew.text);
    assert_eq!(bed.ended(&alice(), &hers).await["extraction_status"], "extracted");
    assert_eq!(bed.get(&alice(), &path).await.json["owner_id"], json!(ALICE), "whose it is does not change");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_may_name_the_source_and_what_the_app_keeps_with_it() {
    let bed = Bed::start().await;
    let form = Form::new()
        .part("file", Part::bytes(words("a", 1).into_bytes()).file_name("upload.bin.txt"))
        .text("name", "Minutes of May")
        .text("metadata", r#"{"meeting": 5, "source_url": "https://elsewhere.example"}"#)
        .text("extraction_model", "any/model");
    let added = bed.send_form(&alice(), form).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let source = bed.ended(&alice(), added.json["id"].as_str().unwrap()).await;
    assert_eq!((&source["name"], &source["file_type"]), (&json!("Minutes of May"), &json!("txt")), "{source}");
    assert_eq!(source["metadata"], json!({"meeting": 5, "extraction_model": "any/model"}));
}

/// How much of one owner may wait is bounded, and what others wait for does not count.
#[tokio::test(flavor = "multi_thread")]
async fn too_much_of_one_owner_has_to_come_back_later() {
    let bed = Bed::with(vec![("sources_max_waiting", "3".to_owned())]).await;
    bed.hold().await;
    for number in 0..3 {
        bed.added(&alice(), "a.txt", words(&format!("a {number}"), 1)).await;
    }
    let refused = bed.add(&alice(), "a.txt", words("one more", 1)).await;
    assert_eq!(refused.status, 429, "{}", refused.text);
    let urls = json!({"urls": ["http://files.example/a.txt"]});
    assert_eq!(bed.post(&alice(), "/api/sources/import-url", urls).await.status, 429);
    bed.added(&bob(), "b.txt", words("b", 1)).await;
    bed.let_go().await;
    let open = "select count(*) from ai.sources where extraction_status <> 'extracted'";
    eventually("they are not read", async || bed.database.value::<i64>(open).await == 0).await;
    bed.added(&alice(), "a.txt", words("one more", 1)).await;
    bed.has_no_other_bytes().await;
}

/// An upload whose second half has not been sent.
struct HalfSent {
    stream: TcpStream,
    rest: String,
}

impl HalfSent {
    /// Begins one, of a file that is called so.
    async fn begin(bed: &Bed, user: &User, name: &str) -> Self {
        let User::Is(id) = user else { unreachable!("users upload") };
        let head = format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\nthe first half, "
        );
        let rest = format!("and the second one of {name}\r\n--b--\r\n");
        let request = format!(
            "POST /api/sources/upload HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             content-type: multipart/form-data; boundary=b\r\ncontent-length: {}\r\n\r\n{head}",
            behalf_tests::app::token(*id),
            head.len() + rest.len()
        );
        let mut stream = TcpStream::connect(bed.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        Self { stream, rest }
    }

    /// Sends the rest, and returns the status of the answer.
    async fn end(mut self) -> u16 {
        self.stream.write_all(self.rest.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        self.stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default()
    }
}

/// Waits until the host takes the bytes of so many files.
async fn takes(bed: &Bed, files: i64) {
    let taken = "select count(*) from behalf.blobs where object_id is null and released_at is null";
    eventually("the host takes no bytes", async || bed.database.value::<i64>(taken).await == files).await;
}

/// A host takes so many files at once; more wait, and nothing of theirs is read until there is a place.
#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_all_callers_wait_in_a_line() {
    let bed = Bed::with(vec![("sources_uploads", "3".to_owned()), ("max_wait_seconds", "60".to_owned())]).await;
    let mut begun = Vec::new();
    for name in ["a.txt", "b.txt", "c.txt"] {
        begun.push(HalfSent::begin(&bed, &alice(), name).await);
    }
    takes(&bed, 3).await;
    let waits = HalfSent::begin(&bed, &bob(), "d.txt").await;
    let gone = HalfSent::begin(&bed, &bob(), "e.txt").await;
    // Lists need no place.
    assert_eq!(bed.get(&bob(), "/api/sources").await.json["total"], 0);
    takes(&bed, 3).await;
    // Who goes away leaves the line.
    drop(gone);
    for upload in begun {
        assert_eq!(upload.end().await, 201);
    }
    assert_eq!(waits.end().await, 201);
    assert_eq!(names(&bed.get(&bob(), "/api/sources").await), ["d.txt"]);
    bed.has_no_other_bytes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_takes_no_more_uploads_says_so_and_one_caller_has_eight() {
    let bed = Bed::with(vec![("sources_uploads", "9".to_owned()), ("max_wait_seconds", "0".to_owned())]).await;
    let mut begun = Vec::new();
    for number in 0..8 {
        begun.push(HalfSent::begin(&bed, &alice(), &format!("{number}.txt")).await);
    }
    takes(&bed, 8).await;
    let refused = bed.add(&alice(), "ninth.txt", "text").await;
    assert_eq!(refused.status, 429, "{}", refused.text);
    let his = HalfSent::begin(&bed, &bob(), "his.txt").await;
    takes(&bed, 9).await;
    let refused = bed.add(&bob(), "second.txt", "text").await;
    assert_eq!((refused.status, refused.text.contains("no more uploads")), (503, true), "{}", refused.text);
    assert_eq!(his.end().await, 201);
    assert_eq!(bed.add(&bob(), "second.txt", "text").await.status, 201);
    // Who goes away gives the place back, and its bytes go.
    drop(begun);
    eventually("no place is free", async || bed.add(&alice(), "ninth.txt", "text").await.status == 201).await;
    bed.has_no_other_bytes().await;
}

/// Where sources are somewhere else, or nowhere, the routes say so.
#[tokio::test(flavor = "multi_thread")]
async fn sources_can_be_switched_off() {
    for (setting, said) in
        [("off", "this host does not serve /api/sources"), ("https://files.example", "https://files.example")]
    {
        let bed = Bed::with(vec![("sources", setting.to_owned())]).await;
        for path in ["/api/sources", "/api/sources/a/download"] {
            let answer = bed.get(&alice(), path).await;
            assert!(answer.status == 404 && answer.text.contains(said), "{path}: {}", answer.text);
        }
    }
}
