//! Plugins come, change and go; every host of a database has the same ones, and a restart loses none.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use behalf_tests::{
    ALICE, Answer, App, BOB, Options, TestDatabase, User, eventually, guests, made, read_grants, write_grants,
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

async fn patch(app: &App, id: &str, change: Value) -> Answer {
    app.send(&User::Service, Method::PATCH, &format!("/api/plugins/{id}"), change).await
}

async fn delete(app: &App, id: &str) -> Answer {
    app.send(&User::Service, Method::DELETE, &format!("/api/plugins/{id}"), json!(null)).await
}

fn id(answer: &Answer) -> String {
    answer.json["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
}

/// The code of what became of an insert through the probe; `ok` where it went well.
async fn insert(app: &App) -> String {
    let sql = "insert into notes (title, body) values ('registry', '')";
    let answer = app.call(&User::Is(ALICE), "sql", json!({"mode": "execute", "sql": sql})).await;
    match (answer.status, answer.json["result"]["error"]["code"].as_str()) {
        (200, None) => "ok".to_owned(),
        (200, Some(code)) => code.to_owned(),
        _ => answer.json["code"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned(),
    }
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_shown_as_it_was_uploaded() {
    let app = App::start().await;
    let bytes = std::fs::read(guests::PROBE).unwrap();
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes));
    let answer = app.upload_bytes(bytes, &read_grants(), "?name=prober&version=1.2.3").await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let plugin = answer.json.clone();
    assert_eq!(
        (&plugin["name"], &plugin["version"], &plugin["digest"]),
        (&json!("prober"), &json!("1.2.3"), &json!(digest))
    );
    assert_eq!(
        (&plugin["enabled"], &plugin["bundled"], &plugin["settings"]),
        (&json!(true), &json!(false), &json!({}))
    );
    assert_eq!(plugin["grants"], read_grants());
    assert!(names(&plugin["tools"]).contains(&"sql".to_owned()), "{plugin}");
    let imports = names(&plugin["imports"]);
    assert!(imports.contains(&"behalf:tool/database@0.1.0".to_owned()), "{imports:?}");
    assert!(imports.iter().all(|import| !import.contains("http") && !import.contains("knowledge")), "{imports:?}");
    let path = format!("/api/plugins/{}", id(&answer));
    assert_eq!(app.get(&User::Service, &path).await.json, plugin);
    let list = app.get(&User::Service, "/api/plugins").await.json["plugins"].clone();
    assert!(list.as_array().unwrap().contains(&plugin), "{list}");
    // Bundled ones are there as well, and say so.
    let bundled = list.as_array().unwrap().iter().find(|one| one["name"] == "database-query").unwrap();
    assert_eq!(bundled["bundled"], true);
    // Without a name it gets its first tool's.
    let answer = app.upload_bytes(made::tool("first_tool", &json!({"type": "object"})), &json!(null), "").await;
    assert_eq!(
        (&answer.json["name"], &answer.json["version"], &answer.json["grants"]),
        (&json!("first-tool"), &json!("0.0.0"), &json!({}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_service_role_in_its_own_name_manages_plugins() {
    let app = App::start().await;
    let plugin = id(&app.install(guests::PROBE, &read_grants()).await);
    let path = format!("/api/plugins/{plugin}");
    let before: String =
        app.database.value("select jsonb_agg(to_jsonb(p) order by name)::text from ai.plugins p").await;
    for (user, status) in [
        (User::Is(ALICE), 403),
        (User::Anon, 403),
        (User::ServiceFor(ALICE), 403),
        (User::Nobody, 401),
        (User::Token("nonsense".to_owned()), 401),
    ] {
        for (method, path, body) in [
            (Method::GET, "/api/plugins", json!(null)),
            (Method::POST, "/api/plugins", json!({})),
            (Method::GET, &*path, json!(null)),
            (Method::PATCH, &*path, json!({"grants": write_grants()})),
            (Method::PATCH, &*path, json!({"enabled": false})),
            (Method::DELETE, &*path, json!(null)),
        ] {
            let answer = app.send(&user, method.clone(), path, body).await;
            assert_eq!(answer.status, status, "{user:?} {method} {path}: {}", answer.text);
            assert!(answer.json["error"].is_string(), "{}", answer.text);
        }
    }
    let after: String = app.database.value("select jsonb_agg(to_jsonb(p) order by name)::text from ai.plugins p").await;
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_404_and_what_is_wrong_is_said() {
    let app = App::start().await;
    for unknown in [Uuid::nil().to_string(), Uuid::new_v4().to_string(), "sql".to_owned(), "1".to_owned()] {
        for (method, body) in
            [(Method::GET, json!(null)), (Method::PATCH, json!({"enabled": true})), (Method::DELETE, json!(null))]
        {
            let answer = app.send(&User::Service, method, &format!("/api/plugins/{unknown}"), body).await;
            assert_eq!(
                (answer.status, answer.json["detail"].as_str()),
                (404, Some("Plugin not found")),
                "{}",
                answer.text
            );
        }
    }
    let plugin = id(&app.install(guests::PROBE, &read_grants()).await);
    for (change, status, words) in [
        (json!({"settings": [1]}), 400, "settings must be a JSON object"),
        (json!({"settings": {"a": "\u{0}"}}), 400, "NUL"),
        (json!({"enabled": "yes"}), 400, "enabled"),
        (json!({"name": "other"}), 400, "unknown field `name`"),
        (json!({"grants": {"network": "all"}}), 400, "unknown field `network`"),
        (json!({"grants": {"http": {"hosts": ["example.com"]}}}), 422, "does not import wasi:http"),
        (json!({"grants": {"database": {"access": "read", "schemas": ["pg_catalog"]}}}), 422, "not exposed"),
    ] {
        let answer = patch(&app, &plugin, change.clone()).await;
        assert_eq!(answer.status, status, "{change}: {}", answer.text);
        assert!(answer.json["error"].as_str().unwrap().contains(words), "{change}: {}", answer.text);
    }
    // A change of which one part is wrong changes nothing.
    let answer = patch(&app, &plugin, json!({"enabled": false, "settings": 7})).await;
    assert_eq!(answer.status, 400);
    let shown = app.get(&User::Service, &format!("/api/plugins/{plugin}")).await.json;
    assert_eq!((&shown["enabled"], &shown["grants"]), (&json!(true), &read_grants()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_grants_takes_effect_at_the_next_call() {
    let app = App::start().await;
    let plugin = id(&app.install(guests::PROBE, &write_grants()).await);
    assert_eq!(insert(&app).await, "ok");
    for (grants, expected) in [
        (read_grants(), "not_granted"),
        (write_grants(), "ok"),
        (json!({"database": {"access": "write", "schemas": ["public"], "tables": ["budgets"]}}), "not_granted"),
        (json!({"database": {"access": "write", "schemas": ["public"], "tables": ["notes"]}}), "ok"),
        (json!({"database": {"access": "write", "schemas": []}}), "not_granted"),
        (json!({"database": {"access": "none", "schemas": ["public"]}}), "not_granted"),
        (json!({}), "not_granted"),
        (write_grants(), "ok"),
    ] {
        let answer = patch(&app, &plugin, json!({"grants": grants})).await;
        assert_eq!((answer.status, &answer.json["grants"]), (200, &grants), "{}", answer.text);
        assert_eq!(insert(&app).await, expected, "{grants}");
    }
    let few = json!({"database": {"access": "read", "schemas": ["public"], "max_rows": 1}});
    patch(&app, &plugin, json!({"grants": few})).await;
    let answer = app.sql(&User::Is(ALICE), "select title from notes order by title").await;
    assert_eq!(answer.result()["truncated"], true, "{}", answer.text);
    assert_eq!(answer.result()["rows"], json!([["Garden"]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_off_has_no_tools() {
    let app = App::start().await;
    let plugin = id(&app.install(guests::PROBE, &write_grants()).await);
    let listed =
        async |user: &User| names(&app.get(user, "/api/tools").await.json["tools"]).contains(&"sql".to_owned());
    for user in [User::Is(ALICE), User::Anon, User::Service] {
        assert!(listed(&user).await, "{user:?}");
    }
    assert_eq!(app.get(&User::Nobody, "/api/tools").await.status, 401);
    assert_eq!(patch(&app, &plugin, json!({"enabled": false})).await.json["enabled"], false);
    for user in [User::Is(ALICE), User::Anon, User::Service] {
        assert!(!listed(&user).await, "{user:?}");
        assert_eq!(app.sql(&user, "select 1").await.status, 404);
        assert_eq!(app.get(&user, "/api/tools/sql").await.status, 404);
    }
    // Its names are still its own.
    assert_eq!(
        app.upload_bytes(made::tool("sql", &json!({"type": "object"})), &json!({}), "?name=other").await.status,
        409
    );
    patch(&app, &plugin, json!({"enabled": true})).await;
    assert_eq!(insert(&app).await, "ok");
    assert_eq!(delete(&app, &plugin).await.json, json!({"deleted": true}));
    assert_eq!(app.sql(&User::Is(ALICE), "select 1").await.status, 404);
    assert_eq!(delete(&app, &plugin).await.status, 404);
    let left = "select count(*) from ai.plugin_tools where plugin_id not in (select id from ai.plugins)";
    assert_eq!(app.database.value::<i64>(left).await, 0);
    assert_eq!(
        app.upload_bytes(made::tool("sql", &json!({"type": "object"})), &json!({}), "?name=other").await.status,
        201
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_reach_the_guest() {
    let app = App::start().await;
    let plugin = id(&app.install(guests::PROBE, &write_grants()).await);
    let told = async || app.call(&User::Is(BOB), "settings", json!({})).await.result().clone();
    assert_eq!(told().await, json!({}));
    let settings = json!({"key": "värde", "nested": {"list": [1, null, true]}});
    assert_eq!(patch(&app, &plugin, json!({"settings": settings})).await.json["settings"], settings);
    assert_eq!(told().await, settings);
    // A change of something else leaves them.
    patch(&app, &plugin, json!({"grants": read_grants()})).await;
    assert_eq!(told().await, settings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_replaces_the_old_one_where_that_is_asked_for() {
    let app = App::start().await;
    let version = |text: &str| {
        let definitions = json!([{"name": "versioned", "description": text, "inputSchema": {"type": "object"}}]);
        made::plugin(&definitions.to_string(), &json!(text).to_string())
    };
    let first = app.upload_bytes(version("one"), &json!({}), "?name=versioned&version=1").await;
    assert_eq!(app.call(&User::Is(ALICE), "versioned", json!({})).await.result(), "one");
    patch(&app, &id(&first), json!({"settings": {"kept": true}})).await;
    let again = app.upload_bytes(version("two"), &json!({}), "?name=versioned&version=2").await;
    assert_eq!(again.status, 409, "{}", again.text);
    assert!(again.json["error"].as_str().unwrap().contains("?replace=true"), "{}", again.text);
    assert_eq!(app.call(&User::Is(ALICE), "versioned", json!({})).await.result(), "one");
    let second = app.upload_bytes(version("two"), &json!({}), "?name=versioned&version=2&replace=true").await;
    assert_eq!((second.status, id(&second)), (201, id(&first)), "{}", second.text);
    assert_eq!((&second.json["version"], &second.json["settings"]), (&json!("2"), &json!({"kept": true})));
    assert_ne!(second.json["digest"], first.json["digest"]);
    assert_eq!(app.call(&User::Is(ALICE), "versioned", json!({})).await.result(), "two");
    // The old component's bytes are gone with it.
    let bytes = format!(
        "select count(*) from ai.component where encode(digest, 'hex') = '{}'",
        first.json["digest"].as_str().unwrap()
    );
    assert_eq!(app.database.value::<i64>(&bytes).await, 0);
    // A new version that clashes, or is no plugin, leaves the one there is.
    let clash = app
        .upload_bytes(made::tool("echo", &json!({"type": "object"})), &json!({}), "?name=versioned&replace=true")
        .await;
    assert_eq!(clash.status, 409, "{}", clash.text);
    assert_eq!(app.call(&User::Is(ALICE), "versioned", json!({})).await.result(), "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_have_the_same_plugins_within_seconds() {
    let one = App::start().await;
    let two = App::on(one.database.clone(), Options::default()).await;
    let plugin = id(&one.install(guests::PROBE, &write_grants()).await);
    eventually("the other host has the plugin", async || {
        two.get(&User::Is(ALICE), "/api/tools/sql").await.status == 200
    })
    .await;
    assert_eq!(insert(&two).await, "ok");
    patch(&one, &plugin, json!({"grants": read_grants()})).await;
    assert_eq!(insert(&one).await, "not_granted");
    eventually("the other host takes the grant away", async || insert(&two).await == "not_granted").await;
    patch(&two, &plugin, json!({"enabled": false})).await;
    eventually("the first host switches it off", async || one.sql(&User::Is(ALICE), "select 1").await.status == 404)
        .await;
    patch(&one, &plugin, json!({"enabled": true, "settings": {"seen": 1}})).await;
    eventually("the other host has its settings", async || {
        two.call(&User::Is(ALICE), "settings", json!({})).await.json["result"] == json!({"seen": 1})
    })
    .await;
    assert_eq!(delete(&two, &plugin).await.status, 200);
    eventually("the first host deletes it", async || {
        one.get(&User::Service, &format!("/api/plugins/{plugin}")).await.status == 404
    })
    .await;
    // A name that was given on one host is taken on the other, before it has heard of it.
    let tool = |text: &str| made::plugin(&json!([{"name": "shared", "description": text}]).to_string(), "{}");
    let (first, second) = (tool("first"), tool("second"));
    let (a, b) = futures::join!(
        one.upload_bytes(first, &Value::Null, "?name=a"),
        two.upload_bytes(second, &Value::Null, "?name=b")
    );
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{} {}", a.text, b.text);
}

/// A host with a folder of its own for compiled code.
async fn with_state(database: TestDatabase, folder: &Path) -> App {
    App::on(database, Options { settings: vec![("state_dir", folder.to_str().unwrap().to_owned())] }).await
}

/// Files with compiled code of this component, and when each was written.
fn compiled(folder: &Path, digest: &str) -> Vec<(PathBuf, std::time::SystemTime)> {
    let files = std::fs::read_dir(folder.join("compiled")).unwrap().flatten();
    let files = files.filter(|file| file.file_name().to_string_lossy().starts_with(digest));
    files.map(|file| (file.path(), file.metadata().unwrap().modified().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_plugins_and_their_compiled_code() {
    let folder = tempfile::tempdir().unwrap();
    let app = with_state(TestDatabase::create().await, folder.path()).await;
    let installed = app.install(guests::PROBE, &write_grants()).await;
    patch(&app, &id(&installed), json!({"settings": {"a": 1}, "grants": read_grants()})).await;
    assert_eq!(insert(&app).await, "not_granted");
    let shown = app.get(&User::Service, "/api/plugins").await.json;
    let digest = installed.json["digest"].as_str().unwrap().to_owned();
    let files = compiled(folder.path(), &digest);
    assert_eq!(files.len(), 1, "{files:?}");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder.path().join("compiled")), mode(&files[0].0)), (0o700, 0o600));

    let database = app.stop().await;
    let app = with_state(database, folder.path()).await;
    assert_eq!(app.get(&User::Service, "/api/plugins").await.json, shown);
    assert_eq!(insert(&app).await, "not_granted");
    assert_eq!(app.call(&User::Is(ALICE), "settings", json!({})).await.result(), &json!({"a": 1}));
    assert_eq!(compiled(folder.path(), &digest), files, "it was compiled again");

    // Files that are no compiled code, or only the beginning of it, are made again.
    let whole = std::fs::read(&files[0].0).unwrap();
    let mut database = app.stop().await;
    for damaged in [b"garbage".to_vec(), Vec::new(), whole[..whole.len() / 3].to_vec(), vec![0x7f; 70_000]] {
        std::fs::write(&files[0].0, &damaged).unwrap();
        let app = with_state(database, folder.path()).await;
        assert_eq!(insert(&app).await, "not_granted");
        assert_eq!(std::fs::metadata(&files[0].0).unwrap().len(), whole.len() as u64);
        database = app.stop().await;
    }
    // A folder that others could write to is closed to them.
    std::fs::set_permissions(folder.path().join("compiled"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let app = with_state(database, folder.path()).await;
    assert_eq!(mode(&folder.path().join("compiled")), 0o700);
    assert_eq!(insert(&app).await, "not_granted");
}
