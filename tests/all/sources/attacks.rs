//! Requests that try to reach what is another's, or to make the host keep or hold what it should not.

use std::fmt::Write as _;

use behalf_tests::{ALICE, Answer, User, eventually};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bed::{Bed, alice, bob, form, raw};
use super::documents::{pdf, words};

/// An answer without what differs from request to request.
fn plain(answer: &Answer) -> (u16, Value) {
    let mut body = answer.json.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("request_id");
    }
    (answer.status, body)
}

/// Every route about one source, with a body where it takes one.
pub(super) fn routes(id: &str) -> Vec<(Method, String, Value)> {
    let at = |more: &str| format!("/api/sources/{id}{more}");
    vec![
        (Method::GET, at(""), Value::Null),
        (Method::GET, at("/page-texts"), Value::Null),
        (Method::GET, at("/page-texts?page=1"), Value::Null),
        (Method::GET, at("/download"), Value::Null),
        (Method::GET, at("/events"), Value::Null),
        (Method::GET, at("/derivatives/text/download"), Value::Null),
        (Method::POST, at("/download-url"), json!({"expires_in": 60})),
        (Method::POST, at("/cancel"), json!({})),
        (Method::POST, at("/reextract"), json!({})),
        (Method::PATCH, at(""), json!({"name": "mine now"})),
        (Method::DELETE, at(""), Value::Null),
    ]
}

/// Asks one route; the body is left out where there is none.
pub(super) async fn ask(bed: &Bed, user: &User, method: &Method, path: &str, body: &Value) -> Answer {
    let request = bed.request(user, method.clone(), path);
    let request = if body.is_null() { request } else { request.json(body) };
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_source_answers_as_one_that_is_not_there() {
    let bed = Bed::start().await;
    let hers = bed.read(&alice(), "hers.pdf", pdf("hers", 2)).await;
    let nobodys = bed.read(&User::Service, "service.txt", words("service", 1)).await;
    let none = Uuid::new_v4().to_string();
    for id in [&hers, &nobodys] {
        for ((method, path, body), (_, missing, _)) in routes(id).into_iter().zip(routes(&none)) {
            let there = ask(&bed, &bob(), &method, &path, &body).await;
            let gone = ask(&bed, &bob(), &method, &missing, &body).await;
            assert_eq!(there.status, 404, "{method} {path}: {}", there.text);
            assert_eq!(plain(&there), plain(&gone), "{method} {path}");
        }
    }
    for malformed in ["x", "%00", "..%2f..%2fetc", "00000000-0000-4000-8000-00000000000g", &"a".repeat(4_000)] {
        let answer = bed.get(&alice(), &format!("/api/sources/{malformed}")).await;
        assert!(matches!(answer.status, 400 | 404), "{malformed}: {}", answer.text);
    }
    // Nothing of it changed.
    assert_eq!(bed.get(&alice(), &format!("/api/sources/{hers}")).await.json["name"], "hers.pdf");
    assert_eq!(bed.texts(&alice(), &hers).await.len(), 2);
}

/// What others have is no duplicate of one's own: the answer is that of a new file, whoever has it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_by_a_hash_what_others_have() {
    let bed = Bed::start().await;
    let secret = pdf("secret", 1);
    let fresh = bed.add(&bob(), "fresh.pdf", pdf("fresh", 1)).await;
    bed.read(&alice(), "secret.pdf", secret.clone()).await;
    bed.read(&User::Service, "secret.pdf", secret.clone()).await;
    let same = bed.add(&bob(), "fresh.pdf", secret.clone()).await;
    let fields = |answer: &Answer| -> Vec<String> { answer.json.as_object().unwrap().keys().cloned().collect() };
    assert_eq!((same.status, fields(&same)), (fresh.status, fields(&fresh)), "{}", same.text);
    assert_eq!((same.status, &same.json["extraction_status"]), (201, &json!("pending")));
    // One's own is.
    let again = bed.add(&bob(), "other name.pdf", secret.clone()).await;
    assert_eq!((again.status, &again.json["error"]), (409, &json!("duplicate_source")), "{}", again.text);
    assert_eq!(again.json["duplicate"]["id"], same.json["id"]);
    assert_eq!(again.json["id"], Value::Null, "a client that looks for an id must not take it for a new one");
    let ownerless = bed.add(&User::Service, "other name.pdf", secret).await;
    assert_eq!(ownerless.status, 409, "{}", ownerless.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_the_operators_alone() {
    let bed = Bed::start().await;
    let uploaded = bed.add(&alice(), "a.pdf", pdf("a", 1)).await;
    let job = uploaded.json["task_id"].as_str().unwrap_or_else(|| panic!("{}", uploaded.text)).to_owned();
    for user in [alice(), bob(), User::ServiceFor(ALICE), User::Anon, User::Nobody] {
        for (method, path) in [
            (Method::GET, "/api/jobs".to_owned()),
            (Method::GET, format!("/api/jobs/{job}")),
            (Method::POST, format!("/api/jobs/{job}/cancel")),
            (Method::POST, format!("/api/jobs/{job}/retry")),
        ] {
            let answer = ask(&bed, &user, &method, &path, &Value::Null).await;
            assert!(matches!(answer.status, 401 | 403), "{user:?} {method} {path}: {}", answer.text);
            assert!(!answer.text.contains("sources."), "{}", answer.text);
        }
    }
    let source = bed.ended(&alice(), uploaded.json["id"].as_str().unwrap()).await;
    assert_eq!(source["extraction_status"], "extracted");
}

/// A name is only a name: it is shown, and no path, header or terminal follows it.
#[tokio::test(flavor = "multi_thread")]
async fn names_mislead_nobody_and_lead_nowhere() {
    let bed = Bed::start().await;
    let traps = [
        "../../../etc/passwd.txt",
        "..\\..\\windows\\win.ini.txt",
        "/etc/shadow.txt",
        "a\u{7}\u{1b}[31m.txt",
        "invoice\u{202e}fdp.txt",
        "a\u{200b}b.txt",
        "%2e%2e%2fb.txt",
        "a;filename*=utf-8''evil.html.txt",
        "$(reboot).txt",
        "<script>alert(1)</script>.txt",
        "\u{fc}ber \u{65e5}\u{672c}.txt",
    ];
    for (number, trap) in traps.iter().enumerate() {
        let bytes = words(&format!("trap {number}"), 1).into_bytes();
        // A part's head holds no control characters; a field may.
        let form = if trap.contains(char::is_control) {
            Form::new().part("file", Part::bytes(bytes).file_name("a.txt")).text("name", (*trap).to_owned())
        } else {
            form(trap, bytes)
        };
        let added = bed.send_form(&alice(), form).await;
        assert_eq!(added.status, 201, "{trap:?}: {}", added.text);
        let id = added.json["id"].as_str().unwrap();
        assert_eq!(bed.ended(&alice(), id).await["extraction_status"], "extracted", "{trap:?}");
        let source = bed.get(&alice(), &format!("/api/sources/{id}")).await.json;
        let (name, path) = (source["name"].as_str().unwrap(), source["storage_path"].as_str().unwrap());
        for text in [name, path] {
            assert!(!text.contains(|c: char| c.is_control() || c == '\\' || c == '\u{202e}'), "{trap:?}: {text:?}");
        }
        assert!(!name.contains('/') && !path.contains("..") && path.is_ascii(), "{trap:?}: {name:?} {path:?}");
        let sent = bed.request(&alice(), Method::GET, &format!("/api/sources/{id}/download")).send().await.unwrap();
        assert_eq!(sent.status(), 200);
        let disposition = sent.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(disposition.starts_with("attachment"), "{disposition}");
        assert_eq!(disposition.matches("filename*=").count(), 1, "{disposition}");
        assert_eq!(sent.headers()["x-content-type-options"], "nosniff");
        assert!(sent.text().await.unwrap().contains(&format!("trap {number}")));
        // The path that clients see is none of the app's objects, for nobody.
        for user in [alice(), User::Service] {
            let object = bed.get(&user, &format!("/storage/v1/object/authenticated/{path}")).await;
            assert_eq!(object.json["statusCode"], "404", "{path}: {}", object.text);
        }
    }
}

/// A new name follows the same rules, and what the host keeps of a source is not the client's to write.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_name_misleads_nobody_either() {
    let bed = Bed::start().await;
    let id = bed.read(&alice(), "plain.txt", words("plain", 1)).await;
    for (name, status) in
        [("a\0b", 200), ("\u{202e}gnp.exe", 200), ("../up", 200), ("", 400), (" \n\t ", 400), ("\u{200b}", 400)]
    {
        let changed = bed.send(&alice(), Method::PATCH, &format!("/api/sources/{id}"), json!({ "name": name })).await;
        assert!(changed.status == status || (status == 200 && changed.status == 400), "{name:?}: {}", changed.text);
        if changed.status == 200 {
            let name = changed.json["name"].as_str().unwrap();
            assert!(
                !name.is_empty() && !name.contains(|c: char| c.is_control() || c == '/' || c == '\u{202e}'),
                "{name:?}"
            );
        }
    }
    for body in
        [json!({"metadata": []}), json!({"metadata": "x"}), json!({"metadata": {"a": "\0"}}), json!({"name": 1})]
    {
        let refused = bed.send(&alice(), Method::PATCH, &format!("/api/sources/{id}"), body.clone()).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.text);
    }
    let claimed = json!({"metadata": {"source_url": "file:///etc/passwd", "a": 1}});
    let kept = bed.send(&alice(), Method::PATCH, &format!("/api/sources/{id}"), claimed).await;
    assert_eq!(kept.json["metadata"], json!({"a": 1}), "what the host keeps is not the client's to write");
}

/// A form with one part that has this head, and these bytes.
fn part(head: &str, bytes: &str) -> String {
    format!("--b\r\n{head}\r\n\r\n{bytes}\r\n")
}

const FILE: &str = "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain";
const FORM: &str = "content-type: multipart/form-data; boundary=b";

#[tokio::test(flavor = "multi_thread")]
async fn forms_that_lie_are_refused_and_leave_nothing() {
    let bed = Bed::with(vec![("sources_max_bytes", "100000".to_owned())]).await;
    let field = |name: &str, value: &str| part(&format!("Content-Disposition: form-data; name=\"{name}\""), value);
    let mut many = String::new();
    (0..10_000).for_each(|number| write!(many, "{}", field(&format!("field{number}"), "x")).unwrap());
    let long_name = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{}.txt\"", "x".repeat(1 << 20));
    let two = part(FILE, "one") + &part(FILE, "two");
    let refused: Vec<(&str, String)> = vec![
        ("no file", field("name", "a")),
        ("an unknown field", field("user_id", "a") + &part(FILE, "text")),
        ("a field twice", field("name", "a") + &field("name", "b") + &part(FILE, "text")),
        ("no part", String::new()),
        ("a file without a name", part("Content-Disposition: form-data; name=\"file\"", "text")),
        ("a file in another field", part("Content-Disposition: form-data; name=\"document\"; filename=\"a.txt\"", "x")),
        ("an empty file", part(FILE, "")),
        ("two files", two),
        ("10,000 fields", many.clone() + &part(FILE, "text")),
        ("a name of a megabyte", part(&long_name, "text")),
        ("a header of a megabyte", part(&format!("X: {}", "x".repeat(1 << 20)), "text")),
        ("metadata that is no JSON", field("metadata", "{") + &part(FILE, "text")),
        ("metadata that is no object", field("metadata", "[1]") + &part(FILE, "text")),
        (
            "metadata that is too large",
            field("metadata", &format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20))) + &part(FILE, "text"),
        ),
        ("a name that is too large", field("name", &"x".repeat(1 << 20)) + &part(FILE, "text")),
        ("a file that is too large", part(FILE, &"x".repeat(100_001))),
        ("a type that is not known", part("Content-Disposition: form-data; name=\"file\"; filename=\"a.exe\"", "MZ")),
        ("no end of the name", part("Content-Disposition: form-data; name=\"file\"; filename=\"a\"", "text")),
    ];
    for (what, body) in refused {
        let body = format!("{body}--b--\r\n");
        let length = format!("content-length: {}", body.len());
        let (status, answer) = raw(&bed, &alice(), &[FORM, &length], body.as_bytes(), false).await;
        assert!(matches!(status, 400 | 413 | 415 | 422), "{what}: {status} {answer}");
    }
    for (what, lines) in [
        ("no form", vec!["content-type: application/json", "content-length: 2"]),
        ("no boundary", vec!["content-type: multipart/form-data", "content-length: 2"]),
        ("another boundary", vec!["content-type: multipart/form-data; boundary=c", "content-length: 2"]),
        ("no type", vec!["content-length: 2"]),
    ] {
        let (status, answer) = raw(&bed, &alice(), &lines, b"{}", false).await;
        assert!(matches!(status, 400 | 415), "{what}: {status} {answer}");
    }
    assert_eq!(bed.database.value::<i64>("select count(*) from ai.sources").await, 0);
    assert_eq!(bed.database.value::<i64>("select count(*) from behalf.jobs where lane = 'documents'").await, 0);
    bed.has_no_other_bytes().await;
}

/// The order of the fields does not matter.
#[tokio::test(flavor = "multi_thread")]
async fn the_file_may_come_first_or_last() {
    let bed = Bed::start().await;
    for first in [true, false] {
        let file = Part::bytes(words(&format!("file first: {first}"), 1).into_bytes()).file_name("file.txt");
        let fields = |form: Form| form.text("name", "Title").text("metadata", r#"{"k":1}"#);
        let form = if first { fields(Form::new().part("file", file)) } else { fields(Form::new()).part("file", file) };
        let added = bed.send_form(&alice(), form).await;
        assert_eq!(added.status, 201, "{}", added.text);
        let source = bed.ended(&alice(), added.json["id"].as_str().unwrap()).await;
        assert_eq!((&source["name"], &source["metadata"]["k"]), (&json!("Title"), &json!(1)), "{source}");
    }
}

/// What arrives in part, or with a length that is not true, is no source.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_file_is_no_source() {
    let bed = Bed::start().await;
    let begun = part(FILE, &"words of a file ".repeat(10_000));
    let chunk = |length: &str, bytes: &str| format!("{length}\r\n{bytes}\r\n");
    let longer = format!("content-length: {}", begun.len() + 5_000);
    let whole = format!("{begun}--b--\r\n");
    let shorter = format!("content-length: {}", whole.len() - 2_000);
    for (what, length, body) in [
        ("less than announced", longer.as_str(), begun.clone()),
        ("more than announced", shorter.as_str(), whole.clone()),
        ("no end of the form", longer.as_str(), begun[..begun.len() - 10].to_owned()),
        ("a chunk that is shorter", "transfer-encoding: chunked", chunk("ffff", "short")),
        ("a chunk that is longer", "transfer-encoding: chunked", chunk("3", &begun) + "0\r\n\r\n"),
        ("no last chunk", "transfer-encoding: chunked", chunk(&format!("{:x}", begun.len()), &begun)),
        ("a length that is none", "transfer-encoding: chunked", chunk("-1", &begun)),
        (
            "a last chunk in the midst",
            "transfer-encoding: chunked",
            chunk(&format!("{:x}", begun.len()), &begun) + "0\r\n\r\n",
        ),
    ] {
        let (status, answer) = raw(&bed, &alice(), &[FORM, length], body.as_bytes(), true).await;
        assert!(status == 0 || (400..500).contains(&status), "{what}: {status} {answer}");
        let count: i64 = bed.database.value("select count(*) from ai.sources").await;
        assert_eq!(count, 0, "{what}");
    }
    eventually("a blob is listed", async || bed.database.value::<i64>("select count(*) from behalf.blobs").await == 0)
        .await;
    bed.has_no_other_bytes().await;
}

/// A file that says of itself what a terminal or a page would carry out.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_html_is_sent_as_text() {
    let bed = Bed::start().await;
    let page = "<html><body><script>alert(1)</script><p>the words of the page</p></body></html>";
    let id = bed.read(&alice(), "page.html", page).await;
    let sent = bed.request(&alice(), Method::GET, &format!("/api/sources/{id}/download")).send().await.unwrap();
    let kind = sent.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(!kind.contains("html"), "{kind}");
    assert_eq!(sent.text().await.unwrap(), page);
    let text = bed.texts(&alice(), &id).await.concat();
    assert!(text.contains("the words of the page") && !text.contains("alert"), "{text}");
}

/// Rows name the bytes that were uploaded for them, and no others; SQL of callers makes none that does.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_cannot_name_bytes_of_another_source() {
    let bed = Bed::start().await;
    let hers = bed.read(&alice(), "hers.pdf", pdf("hers", 1)).await;
    let his = bed.read(&bob(), "his.txt", words("his", 1)).await;
    let blob: String = bed.database.value(&format!("select blob_id::text from ai.sources where id = '{hers}'")).await;
    for statement in [
        format!("insert into ai.sources (owner_id, name, blob_id) values (null, 'stolen', '{blob}')"),
        format!("update ai.sources set blob_id = '{blob}' where id = '{his}'"),
        format!("insert into ai.sources (name, blob_id) values ('none', '{}')", Uuid::new_v4()),
    ] {
        for (login, role) in [
            ("behalf_tool_service", "set role service_role;"),
            ("behalf_host", "select set_config('request.jwt.claims', '{\"role\": \"service_role\"}', false);"),
        ] {
            let mut conn = bed.database.login(login).await;
            let done = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{role} {statement}"))).execute(&mut conn).await;
            assert!(done.is_err(), "{login}: {statement}");
        }
    }
    for statement in [
        format!("update ai.sources set owner_id = auth.uid() where id = '{hers}'"),
        "insert into ai.sources (name) values ('mine')".to_owned(),
        "delete from ai.sources".to_owned(),
        format!("insert into ai.source_pages values ('{hers}', 2, null, 'more')"),
        "update ai.source_pages set text = 'other words'".to_owned(),
        "select from behalf.jobs".to_owned(),
        "select from behalf.job_owners".to_owned(),
    ] {
        let mut conn = bed.database.login("behalf_tool_authenticated").await;
        let statement = format!("set role authenticated; {statement}");
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone())).execute(&mut conn).await;
        assert!(done.is_err(), "{statement}");
    }
    assert!(bed.texts(&alice(), &hers).await[0].contains(&words("hers", 1)));
    let of_bob =
        Answer::of(bed.request(&bob(), Method::GET, &format!("/api/sources/{his}/download")).send().await.unwrap());
    assert!(of_bob.await.text.contains(&words("his", 1)));
}

/// An upload of one user at the moment of another's with the same bytes, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_uploads_of_one_file_at_once_one_is_the_source() {
    let bed = Bed::start().await;
    for round in 0..8 {
        let bytes = pdf(&format!("twice {round}"), 1);
        let user = alice();
        let (one, two) =
            futures::join!(bed.add(&user, "1.pdf", bytes.clone()), bed.send_form(&user, form("2.pdf", bytes)));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{} {}", one.text, two.text);
        let (new, old) = if one.status == 201 { (one, two) } else { (two, one) };
        assert_eq!(old.json["duplicate"]["id"], new.json["id"]);
        bed.ended(&alice(), new.json["id"].as_str().unwrap()).await;
    }
    assert_eq!(bed.database.value::<i64>("select count(*) from ai.sources").await, 8);
    bed.has_no_other_bytes().await;
}
