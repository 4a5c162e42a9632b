//! Components that are wrong before their first call: each is refused with the reason, and nothing of it stays.

use std::io::{Read as _, Write as _};

use behalf::sandbox::{MAX_COMPONENT_BYTES, inspect};
use behalf_tests::{ALICE, Answer, App, User, eventually, guests, made, write_grants};
use futures::future::join_all;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

/// What is registered, as the database has it.
const REGISTERED: &str =
    "select count(*) || '/' || (select count(*) from ai.component) || '/' || (select count(*) from ai.plugin_tools)
    || '/' || (select version from ai.registry_version) from ai.plugins";

async fn registered(app: &App) -> String {
    app.database.value(REGISTERED).await
}

fn component(name: &str) -> Vec<u8> {
    let find = |list: &[(&str, &'static str)]| list.iter().find(|one| one.0 == name).map(|one| one.1);
    match (find(guests::ALL), find(guests::TEXTS)) {
        (Some(path), _) => std::fs::read(path).unwrap(),
        (_, Some(path)) => made::from_text(path),
        _ => panic!("there is no guest {name}"),
    }
}

/// Refused so, with these words among the reason.
fn refused(what: &str, answer: &Answer, status: u16, words: &[&str]) {
    let text: String = answer.text.chars().take(600).collect();
    assert_eq!(answer.status, status, "{what}: {text}");
    let reason = answer.json["detail"].as_str().unwrap_or_else(|| panic!("{what}: {text}"));
    for word in words {
        assert!(reason.contains(word), "{what}: no {word:?} in: {text}");
    }
    assert!(answer.text.len() < 2_000, "{what}: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_plugin_is_refused_with_the_reason() {
    let app = App::start().await;
    let before = registered(&app).await;
    let cases: &[(&str, &[&str])] = &[
        ("wrong_world", &["does not export behalf:tool/tool@0.1.0"]),
        ("wrong_signature", &["expected `string` found `u32`"]),
        ("empty_component", &["does not export behalf:tool/tool@0.1.0", "it exports nothing"]),
        ("plain_module", &["it exports nothing"]),
        ("unknown_import", &["elsewhere:power/root", "which this host does not have"]),
        ("newer_import", &["behalf:tool/caller@0.2.0", "which this host does not have"]),
        ("definitions_panic", &["`definitions` failed", "crashed"]),
        ("definitions_beyond_memory", &["`definitions` failed"]),
        ("definitions_query", &["`definitions` failed", "without any capability"]),
        ("definitions_identity", &["`definitions` failed", "without any capability"]),
        ("definitions_invalid_json", &["must return a JSON array"]),
        ("definitions_not_array", &["must return a JSON array", "not an array"]),
        ("definitions_none", &["1 to 64 tools", "has 0"]),
        ("definitions_bad_schema", &["inputSchema", "bad_schema", "not a JSON Schema"]),
        ("definitions_scalar_schema", &["scalar_schema", "its type must be \"object\""]),
        ("definitions_wrong_names", &["is no tool name", "[a-z][a-z0-9_]{0,63}"]),
        ("definitions_duplicate", &["two tools are named \"twice\""]),
        ("definitions_large", &["returned more than"]),
        ("definitions_many", &[]),
        ("definitions_deep_schema", &["must return a JSON array", "recursion limit"]),
        ("definitions_remote_schema", &["local_file", "references"]),
        ("definitions_circular_schema", &["circular", "references"]),
        ("definitions_slow_schema", &["inputSchema"]),
        ("memory_huge", &["memory"]),
        ("table_huge", &[]),
        ("tables_many", &[]),
        ("memories_many", &["instances"]),
        ("instances_multiply", &["instances; instantiate less"]),
        ("types_double", &["type size"]),
    ];
    for (name, words) in cases {
        let answer = app.upload_bytes(component(name), &json!({}), "").await;
        refused(name, &answer, 400, words);
    }
    // Another's name is taken, for a plugin as for its tools, and replacing the one replaces nothing of the other.
    let taken = component("definitions_taken");
    for (query, words) in [
        ("", "a plugin named \"database-query\" is registered"),
        ("?name=other", "\"database_query\" is registered by another plugin"),
        ("?name=other&replace=true", "\"database_query\" is registered by another plugin"),
    ] {
        refused(query, &app.upload_bytes(taken.clone(), &json!({}), query).await, 409, &[words]);
    }
    assert_eq!(registered(&app).await, before);
    app.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_never_comes_to_its_definitions_holds_up_nobody() {
    let app = App::start().await;
    let before = registered(&app).await;
    let names = ["initializer_spins", "start_spins", "definitions_spin", "definitions_grow"];
    let none = json!({});
    let uploads = join_all(names.map(|name| app.upload_bytes(component(name), &none, "")));
    let others = async {
        eventually("one of them runs", async || app.state.tools.sandbox().running_calls() > 0).await;
        for _ in 0..2 {
            assert_eq!(app.get(&User::Nobody, "/healthz").await.status, 200);
            let answer = app.call(&User::Is(ALICE), "database_query", json!({"query": "select 1 as one"})).await;
            assert_eq!(answer.result(), &json!([{"one": 1}]));
        }
        assert_ne!(app.state.tools.sandbox().running_calls(), 0, "they ended, so this shows nothing");
    };
    let (answers, ()) = futures::join!(uploads, others);
    for (name, answer) in names.iter().zip(&answers) {
        let words = if *name == "definitions_grow" { "bytes of memory" } else { "took longer than 5000 ms" };
        refused(name, answer, 400, &["`definitions` failed", words]);
    }
    assert_eq!(registered(&app).await, before);
    app.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_registered_is_what_was_said_once() {
    let app = App::start().await;
    // Without a schema a tool takes any object; a core module is made a component.
    for name in ["definitions_no_schema", "definitions_change", "core_module", "arguments_beyond_memory"] {
        let answer = app.upload_bytes(component(name), &json!({}), "").await;
        assert_eq!(answer.status, 201, "{name}: {}", answer.text);
    }
    let changing = app.get(&User::Service, "/api/tools/changing").await.json["description"].clone();
    for _ in 0..3 {
        assert_eq!(app.get(&User::Is(ALICE), "/api/tools/changing").await.json["description"], changing);
    }
    assert_eq!(app.call(&User::Is(ALICE), "core_module", json!({})).await.result(), &json!({}));
    let answer = app.call(&User::Is(ALICE), "no_schema", json!({"anything": [1]})).await;
    assert_eq!(answer.result(), &json!({}));
    let answer = app.call(&User::Is(ALICE), "misplaced", json!({})).await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (502, Some("trapped")), "{}", answer.text);
    app.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_component_at_all_is_refused() {
    let app = App::start().await;
    let before = registered(&app).await;
    let mut native = std::fs::read("/proc/self/exe").unwrap();
    native.truncate(1 << 20);
    let compiled = app.state.settings.state_dir.join("compiled");
    let cwasm = std::fs::read_dir(compiled)
        .unwrap()
        .flatten()
        .find(|entry| entry.path().extension().is_some_and(|end| end == "cwasm"));
    let cwasm = std::fs::read(cwasm.unwrap().path()).unwrap();
    assert_eq!((&native[..4], &cwasm[..4]), (&b"\x7fELF"[..], &b"\x7fELF"[..]));
    for (what, bytes, words) in [
        ("nothing", Vec::new(), "there is no component"),
        ("a native program", native, "not a WebAssembly component"),
        ("compiled code", cwasm, "not a WebAssembly component"),
        ("text", b"(component)".to_vec(), "not a WebAssembly component"),
        ("half a magic number", b"\0as".to_vec(), "not a WebAssembly component"),
        ("a header alone", b"\0asm\x0d\0\x01\0".to_vec(), "does not export"),
        ("a header of a later version", b"\0asm\x0e\0\x01\0".to_vec(), "not a WebAssembly component"),
        ("an empty module", b"\0asm\x01\0\0\0".to_vec(), "it exports nothing"),
        ("half a module", b"\0asm\x01\0\0\0\x01\x7f".to_vec(), "core module"),
        ("zeros", vec![0; 4096], "not a WebAssembly component"),
        ("noise after a header", [&b"\0asm\x0d\0\x01\0"[..], &[0xff; 64]].concat(), "not valid here"),
    ] {
        let form = app.upload_bytes(bytes.clone(), &json!({}), "").await;
        refused(what, &form, 400, &[words]);
        let request =
            app.request(&User::Service, Method::POST, "/api/plugins").header("content-type", "application/wasm");
        refused(what, &Answer::of(request.body(bytes).send().await.unwrap()).await, 400, &[words]);
    }
    assert_eq!(registered(&app).await, before);
}

/// A component within a component, and so on.
fn nested(depth: usize) -> Vec<u8> {
    let header = b"\0asm\x0d\0\x01\0";
    let mut inner = header.to_vec();
    for _ in 0..depth {
        let mut outer = header.to_vec();
        outer.push(4);
        let mut size = inner.len();
        while size > 0x7f {
            outer.push(u8::try_from(size & 0x7f).unwrap() | 0x80);
            size >>= 7;
        }
        outer.push(u8::try_from(size).unwrap());
        outer.extend_from_slice(&inner);
        inner = outer;
    }
    inner
}

/// Types of lists of lists, and so on, exported and taken by a function that is exported.
fn deep_types(depth: usize) -> Vec<u8> {
    let mut text = String::from("(component (type $t0 (list u8))");
    for level in 1..depth {
        text.push_str(&format!("(type $t{level} (list $t{}))", level - 1));
    }
    text.push_str(&format!(
        "(import \"behalf:tool/log@0.1.0\" (instance (export \"write\" (func (param \"x\" $t{})))))",
        depth - 1
    ));
    text.push(')');
    wat::parse_str(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nesting_without_end_overflows_nothing() {
    let app = App::start().await;
    for depth in [17, 200, 3_000] {
        refused(
            "components",
            &app.upload_bytes(nested(depth), &json!({}), "").await,
            400,
            &["nest more than 16 levels"],
        );
    }
    refused("types", &app.upload_bytes(deep_types(3_000), &json!({}), "").await, 400, &["not valid here"]);
    // A component handed from one to another would be instantiated as often as the other likes.
    let passed = r#"(component
        (component $a (import "c" (component $c)) (instance (instantiate $c)) (instance (instantiate $c)))
        (component $b)
        (instance (instantiate $a (with "c" (component $b)))))"#;
    let passed = wat::parse_str(passed).unwrap();
    refused("passed", &app.upload_bytes(passed, &json!({}), "").await, 400, &["hands components to components"]);
    assert_eq!(app.get(&User::Nobody, "/healthz").await.status, 200);
}

#[test]
fn many_instances_are_counted_however_they_come_about() {
    let within = |text: String| inspect(&wat::parse_str(text).unwrap()).unwrap_err().to_string();
    let many = |what: &str, count: usize| what.repeat(count);
    for text in [
        format!("(component (core module $m) {})", many("(core instance (instantiate $m))", 1_001)),
        format!("(component (component $c) {})", many("(instance (instantiate $c))", 1_001)),
        // By another name for the same component: an alias, an export.
        format!(
            "(component (component $c {}) (component $d (alias outer 1 $c (component $e)) {}) (instance (instantiate $d)))",
            "(core module $m) (core instance (instantiate $m))",
            many("(instance (instantiate $e))", 501),
        ),
        format!(
            "(component (component $c (core module $m) (core instance (instantiate $m))) (export $x \"x\" (component $c)) {})",
            many("(instance (instantiate $x))", 501),
        ),
    ] {
        let error = within(text);
        assert!(error.contains("instances; instantiate less"), "{error}");
    }
    let error = within(format!("(component (component $c) {})", many("(instance (instantiate $c))", 999)));
    assert!(error.contains("does not export"), "as many as are allowed: {error}");
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// The component with some of its bytes changed, or without its end.
fn mutated(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if numbers.below(6) == 0 {
        bytes.truncate(numbers.below(bytes.len()));
        return bytes;
    }
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len());
        bytes[at] ^= 1 << numbers.below(8);
    }
    bytes
}

#[test]
fn a_damaged_component_is_read_or_refused_and_nothing_else() {
    let mut numbers = Numbers(20_261_123);
    let (mut read, mut refused) = (0, 0);
    for name in ["definitions_no_schema", "core_module", "arguments_beyond_memory"] {
        let whole = component(name);
        for _ in 0..400 {
            match inspect(&mutated(&whole, &mut numbers)) {
                Ok(_) => read += 1,
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().len() < 700, "{error}");
                }
            }
        }
    }
    assert!(read > 50 && refused > 50, "{read} read, {refused} refused: one of them was not tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_component_harms_the_host_in_no_way() {
    let app = App::start().await;
    let whole = made::tool("damaged", &json!({"type": "object", "properties": {"text": {"type": "string"}}}));
    let mut numbers = Numbers(7);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..30 {
        let uploads = (0..4).map(|index| {
            let bytes = mutated(&whole, &mut numbers);
            let query = format!("?replace=true&name=damaged-{}", round * 4 + index);
            let app = &app;
            async move { app.upload_bytes(bytes, &json!({}), &query).await }
        });
        for answer in join_all(uploads.collect::<Vec<_>>()).await {
            match answer.status {
                201 => accepted += 1,
                400 | 409 => refused += 1,
                other => panic!("{other}: {}", answer.text),
            }
            // What was let in may fail, as any tool may.
            if answer.status == 201 {
                let name = answer.json["tools"][0]["name"].as_str().unwrap();
                let called = app.call(&User::Is(ALICE), name, json!({"text": "x"})).await;
                assert!([200, 400, 408, 422, 502, 507].contains(&called.status), "{}", called.text);
                let path = format!("/api/plugins/{}", answer.json["id"].as_str().unwrap());
                assert_eq!(app.send(&User::Service, Method::DELETE, &path, json!(null)).await.status, 200);
            }
        }
    }
    assert!(accepted > 5 && refused > 5, "{accepted} accepted, {refused} refused: one of them was not tried");
    app.settled().await;
    let answer = app.call(&User::Is(ALICE), "database_query", json!({"query": "select 1 as one"})).await;
    assert_eq!(answer.result(), &json!([{"one": 1}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_too_large_is_413_and_read_no_further() {
    let app = App::start().await;
    let large = |bytes: usize| {
        let mut body = b"\0asm\x0d\0\x01\0".to_vec();
        body.resize(bytes, 0);
        body
    };
    let raw = |body: Vec<u8>| async {
        let request =
            app.request(&User::Service, Method::POST, "/api/plugins").header("content-type", "application/wasm");
        Answer::of(request.body(body).send().await.unwrap()).await
    };
    let words = ["bytes", "40"];
    refused("one byte more", &raw(large(MAX_COMPONENT_BYTES + 1)).await, 413, &words[..1]);
    refused("42 MB", &raw(large(42 << 20)).await, 413, &words[..1]);
    refused("42 MB in a form", &app.upload_bytes(large(42 << 20), &json!({}), "").await, 413, &words[..1]);
    // As much as is allowed is read, and found to be no component.
    refused("the largest", &raw(large(MAX_COMPONENT_BYTES)).await, 400, &["not valid here"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_that_cannot_be_are_refused() {
    let app = App::start().await;
    let before = registered(&app).await;
    let upload = async |grants: &Value| app.upload(guests::HOSTILE, grants).await;
    for (grants, status, words) in [
        (write_grants(), 422, "does not import behalf:tool/database, so it cannot be granted database"),
        (json!({"http": {"hosts": ["example.com"]}}), 422, "does not import wasi:http/outgoing-handler"),
        (json!({"everything": true}), 400, "unknown field `everything`"),
        (json!({"database": {"access": "admin"}}), 400, "unknown variant `admin`"),
        (json!({"database": "write"}), 400, "grants"),
        (json!(["database"]), 400, "grants"),
        (json!({"limits": {"timeout_ms": -1}}), 400, "grants"),
        (json!({"limits": {"fuel": 1}}), 400, "unknown field `fuel`"),
    ] {
        refused(&grants.to_string(), &upload(&grants).await, status, &[words]);
    }
    for (database, status, words) in [
        (json!({"access": "read", "schemas": ["pg_catalog"]}), 422, "\"pg_catalog\" is not exposed"),
        (json!({"access": "read", "schemas": ["auth"]}), 422, "\"auth\" is not exposed"),
        (json!({"access": "read", "schemas": ["public", "ai"], "tables": ["notes"]}), 422, "needs its schema"),
        (json!({"access": "read", "schemas": ["public"], "tables": ["auth.users"]}), 422, "\"auth\" is not exposed"),
        (json!({"access": "read", "schemas": ["public"], "tables": ["a\u{0}b"]}), 400, "NUL"),
        (json!({"access": "read", "max_rows": 4_294_967_296_u64}), 400, "grants"),
    ] {
        let answer = app.upload(guests::PROBE, &json!({ "database": database })).await;
        refused(&database.to_string(), &answer, status, &[words]);
    }
    assert_eq!(registered(&app).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_with_oddities_is_refused_or_read_rightly() {
    let app = App::start().await;
    let before = registered(&app).await;
    let good = || Part::bytes(made::tool("odd", &json!({"type": "object"}))).file_name("x.wasm");
    let send = async |form: Form| {
        let request = app.request(&User::Service, Method::POST, "/api/plugins").multipart(form);
        Answer::of(request.send().await.unwrap()).await
    };
    for (what, form, words) in [
        ("no component", Form::new().text("grants", "{}"), "there is no component"),
        ("an empty form", Form::new(), ""),
        ("another field", Form::new().part("component", good()).text("owner", "me"), "unknown field \"owner\""),
        (
            "two components",
            Form::new().part("component", good()).part("component", good()),
            "\"component\" was sent twice",
        ),
        ("two grants", Form::new().part("component", good()).text("grants", "{}").text("grants", "{}"), "sent twice"),
        ("grants that are no JSON", Form::new().part("component", good()).text("grants", "{"), "grants"),
        ("a name that is none", Form::new().part("component", good()).text("name", "Not A Name"), "is no plugin name"),
        ("a NUL in the version", Form::new().part("component", good()).text("version", "1\u{0}"), "NUL"),
    ] {
        refused(what, &send(form).await, 400, &[words]);
    }
    for (what, kind, body) in [
        ("no boundary", "multipart/form-data", "--x\r\n"),
        (
            "the wrong boundary",
            "multipart/form-data; boundary=y",
            "--x\r\ncontent-disposition: form-data; name=\"component\"\r\n\r\nx\r\n--x--\r\n",
        ),
        (
            "cut off",
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data; name=\"component\"\r\n\r\nabc",
        ),
        (
            "a part without a name",
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data\r\n\r\nabc\r\n--x--\r\n",
        ),
    ] {
        let request = app.request(&User::Service, Method::POST, "/api/plugins").header("content-type", kind).body(body);
        refused(what, &Answer::of(request.send().await.unwrap()).await, 400, &[]);
    }
    assert_eq!(registered(&app).await, before);
    // Grants may come before the component, and a type of the part's own says nothing.
    let part = good().mime_str("text/html").unwrap();
    let answer = send(Form::new().text("grants", "{}").text("version", "2.0").part("component", part)).await;
    assert_eq!((answer.status, answer.json["version"].as_str()), (201, Some("2.0")), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_uploads_at_once_one_is_registered() {
    let app = App::start().await;
    let bytes = made::tool("contested", &json!({"type": "object"}));
    let answers = join_all((0..4).map(|_| app.upload_bytes(bytes.clone(), &Value::Null, ""))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
    // The same component as two plugins: their tools clash.
    let answer = app.upload_bytes(bytes.clone(), &json!({}), "?name=another").await;
    refused("another", &answer, 409, &["contested", "another plugin"]);
    // Uploads and deletions of one component cross; each is done or refused, and what is left is whole.
    let rounds = (0..6).map(|index| {
        let (app, bytes) = (&app, made::tool(&format!("crossing_{}", index % 2), &json!({"type": "object"})));
        async move {
            for _ in 0..4 {
                let answer = app.upload_bytes(bytes.clone(), &json!({}), "").await;
                assert!([201, 409].contains(&answer.status), "{}", answer.text);
                if let Some(id) = answer.json["id"].as_str().filter(|_| answer.status == 201) {
                    let gone =
                        app.send(&User::Service, Method::DELETE, &format!("/api/plugins/{id}"), json!(null)).await;
                    assert_eq!(gone.status, 200, "{}", gone.text);
                }
            }
        }
    });
    join_all(rounds).await;
    let orphans =
        "select count(*) from ai.component c where not exists (select from ai.plugins p where p.digest = c.digest)";
    assert_eq!(app.database.value::<i64>(orphans).await, 0);
    assert_eq!(app.call(&User::Is(ALICE), "contested", json!({})).await.result(), &json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let app = App::start().await;
    let before = registered(&app).await;
    let address = app.url.trim_start_matches("http://").to_owned();
    let bytes = made::tool("half", &json!({"type": "object"}));
    for kind in ["application/wasm", "multipart/form-data; boundary=x"] {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "POST /api/plugins HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            behalf_tests::app::service_key(),
            bytes.len()
        )
        .unwrap();
        stream.write_all(&bytes[..bytes.len() / 2]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // The host ends the connection once it is done with the request.
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    assert_eq!(app.get(&User::Service, "/api/tools/half").await.status, 404);
    // A client that goes away while its component is asked for its definitions.
    tokio::select! {
        answer = app.upload_bytes(component("definitions_spin"), &Value::Null, "") => panic!("{}", answer.text),
        () = app.running(1) => {}
    }
    app.settled().await;
    assert_eq!(registered(&app).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_cannot_be_offered_are_refused() {
    let app = App::start().await;
    let before = registered(&app).await;
    let below = |level: usize| json!({"$ref": format!("#/$defs/l{}", level + 1)});
    let mut multiplying: serde_json::Map<_, _> =
        (0..6).map(|level| (format!("l{level}"), json!({"anyOf": vec![below(level); 300]}))).collect();
    multiplying.insert("l6".to_owned(), json!({"type": "number"}));
    let deep = (0..40).fold(json!({}), |inner, _| json!({"not": inner}));
    for (what, schema, words) in [
        ("a circle", json!({"type": "object", "properties": {"a": {"$ref": "#"}}}), "references"),
        (
            "a circle of two",
            json!({"type": "object", "$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
            "references",
        ),
        ("a dynamic reference", json!({"type": "object", "$dynamicRef": "#a"}), "references"),
        ("another base", json!({"type": "object", "$id": "http://127.0.0.1/"}), "references"),
        (
            "references that multiply",
            json!({"type": "object", "$ref": "#/$defs/l0", "$defs": multiplying}),
            "every reference put in its place",
        ),
        ("depth", json!({"type": "object", "not": deep}), "may nest 32 levels"),
        ("size", json!({"type": "object", "enum": vec![0; 6_000]}), "5000 values"),
        (
            "a pattern that looks around",
            json!({"type": "object", "properties": {"a": {"pattern": "(?=a)b"}}}),
            "not a JSON Schema",
        ),
        (
            "a pattern that expands",
            json!({"type": "object", "properties": {"a": {"pattern": "[ab]*a[ab]{20000}[^ab]"}}}),
            "not a JSON Schema",
        ),
        ("another draft's type", json!({"type": "object", "properties": {"a": {"type": "any"}}}), "not a JSON Schema"),
        ("a list of types", json!({"type": ["object", "string"]}), "must be \"object\""),
    ] {
        refused(what, &app.upload_bytes(made::tool("schema", &schema), &json!({}), "").await, 400, &[words]);
    }
    let object = json!({"type": "object"});
    for (what, definitions, words) in [
        ("no object", json!([7]), "must be an object"),
        ("no name", json!([{"description": "x", "inputSchema": object}]), "needs a name"),
        ("a long description", json!([{"name": "x", "description": "x".repeat(4_097)}]), "1 to 4096 characters"),
        ("no description", json!([{"name": "x"}]), "needs a description"),
        ("a NUL", json!([{"name": "x", "description": "a\u{0}b"}]), "NUL"),
        (
            "too many",
            json!((0..65).map(|n| json!({"name": format!("x{n}"), "description": "x"})).collect::<Vec<_>>()),
            "1 to 64 tools",
        ),
        (
            "a bad output schema",
            json!([{"name": "x", "description": "x", "outputSchema": {"type": 1}}]),
            "outputSchema",
        ),
    ] {
        let bytes = made::plugin(&definitions.to_string(), "{}");
        refused(what, &app.upload_bytes(bytes, &json!({}), "").await, 400, &[words]);
    }
    assert_eq!(registered(&app).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn checking_arguments_is_bounded() {
    let app = App::start().await;
    let many =
        json!({"type": "object", "properties": {"list": {"items": {"allOf": vec![json!({"type": "number"}); 2_000]}}}});
    let pattern = json!({"type": "object", "properties": {"text": {"type": "string", "pattern": "^(a+)+$"}}});
    let slow = json!({"type": "object", "properties": {"text": {"pattern": "[ab]*a[ab]{400}[^ab][a-z]*"}}});
    for (name, schema) in [("many", many), ("pattern", pattern), ("slow", slow)] {
        let answer = app.upload_bytes(made::tool(name, &schema), &json!({}), "").await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    assert_eq!(app.call(&User::Is(ALICE), "many", json!({"list": [1, 2, 3]})).await.result(), &json!({}));
    let answer = app.call(&User::Is(ALICE), "many", json!({"list": vec![1; 500_000]})).await;
    refused("many", &answer, 400, &["too many for this schema"]);
    let answer = app.call(&User::Is(ALICE), "pattern", json!({"text": format!("{}b", "a".repeat(400_000))})).await;
    refused("pattern", &answer, 400, &["/text", "does not match"]);
    let answer = app.call(&User::Is(ALICE), "slow", json!({"text": "ab".repeat(900_000)})).await;
    refused("slow", &answer, 400, &["/text", "send less"]);
}
