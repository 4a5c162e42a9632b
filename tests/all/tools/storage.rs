//! Tools reach objects as their caller: the app's policies decide, and the grant narrows that.

use behalf_tests::projects::project;
use behalf_tests::{ALICE, App, BOB, Options, ScriptedModel, Turn, User, guests};
use reqwest::Method;
use serde_json::{Value, json};

const ALICES: &str = "a11ce000-0000-4000-8000-000000000001";
const BOBS: &str = "b0b00000-0000-4000-8000-000000000002";

/// Two buckets, in which each user has a folder of their own.
const BUCKETS: &str = "
    insert into storage.buckets (id, name, file_size_limit, allowed_mime_types)
        values ('files', 'files', null, null), ('other', 'other', 1000, '{text/plain}');
    create policy own_folder on storage.objects for all to authenticated
        using ((storage.foldername(name))[1] = auth.uid()::text)
        with check ((storage.foldername(name))[1] = auth.uid()::text);";

async fn app_with(grant: Value, settings: Vec<(&'static str, String)>) -> App {
    let app = App::with(Options { settings }).await;
    app.database.execute(BUCKETS).await;
    app.install(guests::STORAGE, &json!({ "storage": grant })).await;
    app
}

async fn app(grant: Value) -> App {
    app_with(grant, Vec::new()).await
}

async fn act(app: &App, user: &User, arguments: Value) -> Value {
    app.call(user, "objects", arguments).await.result().clone()
}

async fn write(app: &App, user: &User, bucket: &str, name: &str, text: &str) -> Value {
    act(app, user, json!({"do": "write", "bucket": bucket, "name": name, "text": text})).await
}

async fn read(app: &App, user: &User, bucket: &str, name: &str) -> Value {
    act(app, user, json!({"do": "read", "bucket": bucket, "name": name})).await
}

async fn names(app: &App, user: &User, prefix: &str) -> Value {
    act(app, user, json!({"do": "list", "bucket": "files", "prefix": prefix})).await["names"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_reads_and_writes_the_callers_folder_and_gets_nothing_of_another() {
    let app = app(json!({"buckets": ["files"], "access": "write"})).await;
    let (alice, bob) = (User::Is(ALICE), User::Is(BOB));
    let (mine, theirs) = (format!("{ALICES}/note.txt"), format!("{BOBS}/note.txt"));
    assert_eq!(write(&app, &alice, "files", &mine, "hers").await, "written");
    assert_eq!(write(&app, &bob, "files", &theirs, "his").await, "written");
    let kept = read(&app, &alice, "files", &mine).await;
    assert_eq!(kept, json!({"text": "hers", "content_type": "text/plain"}));
    // The same object over HTTP: its owner is the caller, and its bytes are those that the tool wrote.
    let path = format!("/storage/v1/object/authenticated/files/{mine}");
    let served = app.request(&alice, Method::GET, &path).send().await.unwrap();
    assert_eq!((served.status().as_u16(), served.text().await.unwrap()), (200, "hers".to_owned()));
    let owner: String =
        app.database.value(&format!("select owner_id from storage.objects where name = '{mine}'")).await;
    assert_eq!(owner, ALICES);

    for user in [&alice, &User::Anon] {
        assert_eq!(read(&app, user, "files", &theirs).await["code"], "not_found", "{user:?}");
        for deed in ["remove", "sign"] {
            let hidden = act(&app, user, json!({"do": deed, "bucket": "files", "name": theirs})).await;
            assert_eq!(hidden["code"], "not_found", "{deed} {user:?}: {hidden}");
        }
        for upsert in [true, false] {
            let body = json!({"do": "write", "bucket": "files", "name": theirs, "text": "forged", "upsert": upsert});
            let refused = act(&app, user, body).await;
            assert!(["denied", "exists"].contains(&refused["code"].as_str().unwrap_or_default()), "{refused}");
        }
        assert_eq!(names(&app, user, BOBS).await, json!([]), "{user:?}");
    }
    assert_eq!(names(&app, &alice, "").await, json!([mine]));
    assert_eq!(read(&app, &bob, "files", &theirs).await["text"], "his");
    let all: i64 = app.database.value("select count(*) from storage.objects").await;
    assert_eq!(all, 2);
    assert_eq!(read(&app, &User::Service, "files", &theirs).await["text"], "his", "who may see all sees all");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_listed_by_pages_replaced_signed_and_removed() {
    let app = app(json!({"buckets": ["files"], "access": "write"})).await;
    let alice = User::Is(ALICE);
    let name = |end: &str| format!("{ALICES}/{end}");
    for end in ["b", "a/1", "a/2"] {
        assert_eq!(write(&app, &alice, "files", &name(end), end).await, "written");
    }
    let list = json!({"do": "list", "bucket": "files", "prefix": name(""), "max": 2});
    let first = act(&app, &alice, list.clone()).await;
    assert_eq!(first["names"], json!([name("a/1"), name("a/2")]));
    let mut next = list;
    next["cursor"] = first["next"].clone();
    assert_eq!(act(&app, &alice, next).await, json!({"names": [name("b")], "next": null}));

    let again = json!({"do": "write", "bucket": "files", "name": name("b"), "text": "new", "upsert": false});
    assert_eq!(act(&app, &alice, again).await["code"], "exists");
    assert_eq!(write(&app, &alice, "files", &name("b"), "new").await, "written");
    assert_eq!(read(&app, &alice, "files", &name("b")).await["text"], "new");
    let short = json!({"do": "read", "bucket": "files", "name": name("b"), "max": 2});
    assert_eq!(act(&app, &alice, short).await["code"], "too_large");

    let url = act(&app, &alice, json!({"do": "sign", "bucket": "files", "name": name("b")})).await;
    let url = url.as_str().unwrap_or_else(|| panic!("{url}")).to_owned();
    assert!(url.starts_with(&app.url), "{url}");
    let opened = app.request(&User::Nobody, Method::GET, url.strip_prefix(&app.url).unwrap()).send().await.unwrap();
    assert_eq!((opened.status().as_u16(), opened.text().await.unwrap()), (200, "new".to_owned()));

    let remove = json!({"do": "remove", "bucket": "files", "name": name("b")});
    assert_eq!(act(&app, &alice, remove.clone()).await, "removed");
    assert_eq!(act(&app, &alice, remove).await["code"], "not_found");
    assert_eq!(names(&app, &alice, "").await, json!([name("a/1"), name("a/2")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_granted_does_not_exist_whatever_its_name() {
    let prefix = format!("{ALICES}/tools/");
    let app = app(json!({"buckets": ["files"], "access": "write", "prefix": prefix})).await;
    let alice = User::Is(ALICE);
    app.database
        .execute("insert into storage.buckets (id, name) values ('Files', 'Files'), ('files2', 'files2')")
        .await;
    let inside = format!("{prefix}a");
    assert_eq!(write(&app, &alice, "files", &inside, "text").await, "written");
    for bucket in ["other", "Files", "files2", "files ", "*", "", "sources", "files/../other", "other\u{0}"] {
        for deed in ["read", "write", "remove", "sign"] {
            let body = json!({"do": deed, "bucket": bucket, "name": inside, "text": "x"});
            let refused = act(&app, &alice, body).await["code"].clone();
            assert!(refused == "not_found" || refused == "invalid", "{deed} {bucket:?}: {refused}");
        }
        let listed = act(&app, &alice, json!({"do": "list", "bucket": bucket})).await["code"].clone();
        assert!(listed == "not_found" || listed == "invalid", "{bucket:?}: {listed}");
    }
    for name in [
        format!("{ALICES}/outside"),
        format!("{prefix}../outside"),
        format!("../files/{inside}"),
        format!("/{inside}"),
        format!("{prefix}./a"),
        format!("{prefix}/a"),
        prefix.clone(),
        prefix.trim_end_matches('/').to_owned(),
        prefix.to_uppercase() + "a",
        format!("{prefix}%2e%2e/outside"),
        format!("{prefix}a\u{0}"),
        format!("{prefix}{}", "x".repeat(2_000)),
    ] {
        for deed in ["read", "write", "remove", "sign"] {
            let body = json!({"do": deed, "bucket": "files", "name": name, "text": "x"});
            let refused = act(&app, &alice, body).await["code"].clone();
            assert!(refused == "not_found" || refused == "invalid", "{deed} {name:?}: {refused}");
        }
    }
    assert_eq!(names(&app, &alice, "").await, json!([inside]));
    assert_eq!(names(&app, &alice, &format!("{ALICES}/outside")).await, json!([]));
    let kept: i64 = app.database.value("select count(*) from storage.objects").await;
    assert_eq!(kept, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bucket_means_the_apps_own_and_never_the_platforms() {
    let app = app(json!({"buckets": ["*"], "access": "write"})).await;
    let alice = User::Is(ALICE);
    assert_eq!(write(&app, &alice, "other", &format!("{ALICES}/a"), "x").await, "written");
    for user in [&alice, &User::Service] {
        for deed in ["list", "read", "write", "remove", "sign"] {
            let body = json!({"do": deed, "bucket": "sources", "name": "a", "text": "x"});
            assert_eq!(act(&app, user, body).await["code"], "not_found", "{deed} {user:?}");
        }
        assert_eq!(write(&app, user, "none", &format!("{ALICES}/a"), "x").await["code"], "not_found");
    }
    // The bucket's own rules hold for tools as well.
    let name = format!("{ALICES}/b");
    let large = json!({"do": "write", "bucket": "other", "name": name, "bytes": 1_001});
    assert_eq!(act(&app, &alice, large).await["code"], "too_large");
    let image = json!({"do": "write", "bucket": "other", "name": name, "text": "x", "content_type": "image/png"});
    assert_eq!(act(&app, &alice, image).await["code"], "invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_read_writes_nothing() {
    let app = app(json!({"buckets": ["files"], "access": "write"})).await;
    let (alice, name) = (User::Is(ALICE), format!("{ALICES}/a"));
    assert_eq!(write(&app, &alice, "files", &name, "x").await, "written");
    let as_reader = async |tool: &str| {
        for deed in ["write", "remove"] {
            let body = json!({"do": deed, "bucket": "files", "name": name, "text": "y"});
            assert_eq!(app.call(&alice, tool, body).await.result()["code"], "not_granted", "{tool} {deed}");
        }
        let body = json!({"do": "read", "bucket": "files", "name": name});
        assert_eq!(app.call(&alice, tool, body).await.result()["text"], "x");
    };
    as_reader("reading_objects").await;
    let plugins = app.get(&User::Service, "/api/plugins").await.json;
    let plugin = plugins["plugins"].as_array().unwrap().iter().find(|plugin| plugin["bundled"] == false).unwrap();
    let path = format!("/api/plugins/{}", plugin["id"].as_str().unwrap());
    let grants = json!({"grants": {"storage": {"buckets": ["files"], "access": "read"}}});
    assert_eq!(app.send(&User::Service, Method::PATCH, &path, grants).await.status, 200);
    as_reader("objects").await;
    let none = json!({"grants": {"storage": {"buckets": [], "access": "write"}}});
    assert_eq!(app.send(&User::Service, Method::PATCH, &path, none).await.status, 200);
    let refused = app.call(&alice, "objects", json!({"do": "list", "bucket": "files"})).await;
    assert!(refused.status >= 400 && refused.text.contains("was not granted"), "{}", refused.text);
    let folder = json!({"grants": {"storage": {"buckets": ["files"], "access": "read", "prefix": "a"}}});
    let refused = app.send(&User::Service, Method::PATCH, &path, folder).await;
    assert!(refused.status == 422 && refused.text.contains("no folder"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_row_names_operations_and_buckets_and_never_objects() {
    let app = app(json!({"buckets": ["files"], "access": "write"})).await;
    let (alice, name) = (User::Is(ALICE), format!("{ALICES}/secret-name"));
    let row = async |body: Value| {
        let answer = app.call(&alice, "objects", body).await;
        app.settled().await;
        app.audit_of(&answer).await
    };
    let written = row(json!({"do": "write", "bucket": "files", "name": name, "text": "12345"})).await;
    let entry = json!({"operation": "storage.write", "bucket": "files", "bytes": 5, "error": null});
    assert_eq!(written["egress"], json!([entry]), "{written}");
    let refused = row(json!({"do": "read", "bucket": "a secret of the tool", "name": name})).await;
    let entry = json!({"operation": "storage.read", "bucket": null, "bytes": 0, "error": "not_found"});
    assert_eq!(refused["egress"], json!([entry]), "{refused}");
    assert!(!written.to_string().contains("secret-name"), "{written}");

    // A write is done at once, and a call has a bounded number of operations.
    let failing = json!({"do": "write", "bucket": "files", "name": name, "text": "kept", "then": "fail"});
    assert_eq!(app.call(&alice, "objects", failing).await.status, 422);
    assert_eq!(read(&app, &alice, "files", &name).await["text"], "kept");
    assert_eq!(
        act(&app, &alice, json!({"do": "flood", "bucket": "files"})).await,
        json!({"count": 200, "code": "limit"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_counts_as_the_calls_memory() {
    let app = App::start().await;
    app.database.execute(BUCKETS).await;
    let grants = json!({
        "storage": {"buckets": ["files"], "access": "write"}, "limits": {"memory_bytes": 8_000_000},
    });
    app.install(guests::STORAGE, &grants).await;
    let alice = User::Is(ALICE);
    // Reading it needs room for the host's copy and for the guest's.
    let put = app.request(&alice, Method::POST, &format!("/storage/v1/object/files/{ALICES}/huge"));
    let put = put.header("content-type", "text/plain").body(vec![b'x'; 6_000_000]).send().await.unwrap();
    assert_eq!(put.status(), 200, "{}", put.text().await.unwrap());
    let read = json!({"do": "read", "bucket": "files", "name": format!("{ALICES}/huge"), "max": 10_000_000});
    let refused = app.call(&alice, "objects", read).await;
    assert!(refused.status >= 400 && refused.text.contains("bytes of memory"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bundled_tools_read_and_write_as_the_caller() {
    let app = App::start().await;
    app.database.execute(BUCKETS).await;
    let (alice, bob, path) = (User::Is(ALICE), User::Is(BOB), format!("{ALICES}/reports/may.md"));
    let body = json!({"bucket": "files", "path": path, "content": "# Mäi", "content_type": "text/markdown"});
    let written = app.call(&alice, "storage_write", body.clone()).await;
    assert_eq!(written.result(), &json!({"path": path, "size": 6}));
    let again = app.call(&alice, "storage_write", body.clone()).await;
    assert_eq!(again.status, 200, "it replaces: {}", again.text);
    assert_eq!(app.call(&bob, "storage_write", body).await.status, 403);
    let list = json!({"operation": "list", "bucket": "files", "path": ALICES});
    let listed = app.call(&alice, "storage_read", list.clone()).await;
    let file = &listed.result()["files"][0];
    assert_eq!(
        (&file["path"], &file["size"], &file["content_type"]),
        (&json!(path), &json!(6), &json!("text/markdown"))
    );
    assert_eq!(app.call(&bob, "storage_read", list).await.result(), &json!({"files": []}));
    let download = json!({"operation": "download", "bucket": "files", "path": path});
    let read = app.call(&alice, "storage_read", download.clone()).await;
    assert_eq!(read.result(), &json!({"path": path, "content_type": "text/markdown", "content": "# Mäi"}));
    let hidden = app.call(&bob, "storage_read", download).await;
    assert!(hidden.status >= 400 && hidden.text.contains("Object not found"), "{}", hidden.text);

    let binary = app.request(&alice, Method::POST, &format!("/storage/v1/object/files/{ALICES}/a b.png"));
    let binary = binary.header("content-type", "image/png").body(vec![0xff, 0xd8]).send().await.unwrap();
    assert_eq!(binary.status(), 200);
    let download = json!({"operation": "download", "bucket": "files", "path": format!("{ALICES}/a b.png")});
    let url = app.call(&alice, "storage_read", download).await.result()["signed_url"].as_str().unwrap().to_owned();
    let opened = app.request(&User::Nobody, Method::GET, url.strip_prefix(&app.url).unwrap()).send().await.unwrap();
    assert_eq!((opened.status().as_u16(), opened.bytes().await.unwrap().to_vec()), (200, vec![0xff, 0xd8]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_asks_before_it_writes_and_a_delegation_acts_as_its_user() {
    let path = format!("{ALICES}/agreed.txt");
    let write =
        || Turn::Call(vec![("storage_write", json!({"bucket": "files", "path": path, "content": "as agreed"}))]);
    let read = |path: String| {
        Turn::Call(vec![("storage_read", json!({"operation": "download", "bucket": "files", "path": path}))])
    };
    let theirs = format!("{BOBS}/his.txt");
    let model = ScriptedModel::start([
        write(),
        Turn::Say("Not written."),
        write(),
        Turn::Say("Written."),
        read(path.clone()),
        read(theirs.clone()),
        Turn::Say("Read."),
    ])
    .await;
    let app = App::with(Options { settings: model.settings() }).await;
    app.database.execute(BUCKETS).await;
    let bobs = json!({"bucket": "files", "path": theirs, "content": "the brakes"});
    assert_eq!(app.call(&User::Is(BOB), "storage_write", bobs).await.status, 200);
    let agent = app.agent(&[]).await;
    for tool in ["storage_write", "storage_read"] {
        let assign = json!({"tool_type": "builtin", "tool_name": tool, "approval": "writes"});
        let assigned = app.post(&User::Service, &format!("/api/agents/{agent}/tools"), assign).await;
        assert_eq!(assigned.status, 201, "{}", assigned.text);
    }
    let alice = User::Is(ALICE);
    for (approved, objects) in [(false, 1), (true, 2)] {
        let answer = async {
            let run = app.run_that_asks(&alice, "storage_write").await;
            app.decide(&alice, &run, json!({ "approved": approved })).await;
        };
        let (run, ()) = tokio::join!(app.ask(&alice, &agent, "go"), answer);
        assert_eq!(run.status, 200, "{}", run.text);
        assert_eq!(app.database.value::<i64>("select count(*) from storage.objects").await, objects);
    }
    // A delegation runs the agent as alice, and gets what her tools get: no more than that.
    let made = app.post(&alice, "/api/delegations", json!({"agent_id": agent, "tools": ["storage_read"]})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let service = User::Token(made.json["token"].as_str().unwrap().to_owned());
    let run = app.ask(&service, &agent, "go").await;
    assert!(run.status == 200 && run.text.contains("as agreed") && !run.text.contains("the brakes"), "{}", run.text);
    let direct = app.request(&service, Method::GET, &format!("/storage/v1/object/authenticated/files/{path}"));
    assert_ne!(direct.send().await.unwrap().status(), 200, "its token opens nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdks_of_other_languages_read_and_write_objects() {
    let app = App::start().await;
    app.database.execute(BUCKETS).await;
    let grants = json!({
        "database": {"access": "read", "schemas": ["public"]}, "storage": {"buckets": ["files"], "access": "write"},
        "http": {"hosts": ["127.0.0.1"]},
    });
    for language in ["python", "js", "c"] {
        let file = project(&format!("tests/languages/{language}")).await.display().to_string();
        let installed = app.install(&file, &grants).await;
        let answer = app.call(&User::Is(ALICE), "objects", json!({ "folder": ALICES })).await;
        let expected = json!({
            "listed": [[true, 3]], "next": null, "bytes": 3, "contentType": "text/csv", "text": "é\n", "signed": true,
            "code": "not_found",
        });
        assert_eq!(answer.result(), &expected, "{language}");
        let refused = app.call(&User::Is(BOB), "objects", json!({ "folder": ALICES })).await;
        assert_eq!(
            (refused.status, &refused.json["tool_code"]),
            (403, &json!("denied")),
            "{language}: {}",
            refused.text
        );
        let id = installed.json["id"].as_str().unwrap();
        app.send(&User::Service, Method::DELETE, &format!("/api/plugins/{id}"), json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_for_authors_work() {
    let app = App::start().await;
    assert_eq!(super::page::run_page(&app, "docs/authors/storage.md").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_keeps_no_objects_says_so() {
    let app = App::with(Options { settings: vec![("storage", "off".to_owned())] }).await;
    app.install(guests::STORAGE, &json!({"storage": {"buckets": ["files"], "access": "write"}})).await;
    let answer = act(&app, &User::Is(ALICE), json!({"do": "list", "bucket": "files"})).await;
    assert_eq!(answer["code"], "unavailable", "{answer}");
}
