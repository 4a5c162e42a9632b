//! The endpoints that upload, show, change and delete a plugin.

use behalf_tests::{ALICE, App, BOB, User, components, guests, read_grants, write_grants};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::{delete, id, insert, names, patch};

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
    assert!(imports.contains(&"behalf:tool/database@0.1.1".to_owned()), "{imports:?}");
    assert!(imports.iter().all(|import| !import.contains("http") && !import.contains("knowledge")), "{imports:?}");
    let path = format!("/api/plugins/{}", id(&answer));
    assert_eq!(app.get(&User::Service, &path).await.json, plugin);
    let list = app.get(&User::Service, "/api/plugins").await.json["plugins"].clone();
    assert!(list.as_array().unwrap().contains(&plugin), "{list}");
    // The list also contains the bundled plugins and marks them.
    let bundled = list.as_array().unwrap().iter().find(|one| one["name"] == "database-query").unwrap();
    assert_eq!(bundled["bundled"], true);
    // A plugin without a name gets the name of its first tool.
    let answer = app.upload_bytes(components::tool("first_tool", &json!({"type": "object"})), &json!(null), "").await;
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
        (
            json!({"grants": {"database": {"access": "read", "schemas": ["pg_catalog"]}}}),
            422,
            "not one that this host exposes",
        ),
    ] {
        let answer = patch(&app, &plugin, change.clone()).await;
        assert_eq!(answer.status, status, "{change}: {}", answer.text);
        assert!(answer.json["error"].as_str().unwrap().contains(words), "{change}: {}", answer.text);
    }
    // If one part of a change is wrong, nothing is changed.
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
    // No other plugin takes its names, not even while it is switched off.
    let other = app.upload_bytes(components::tool("sql", &json!({"type": "object"})), &json!({}), "?name=other").await;
    assert_eq!((other.status, &other.json["tools"][0]["name"]), (201, &json!("other__sql")), "{}", other.text);
    assert_eq!(app.sql(&User::Is(ALICE), "select 1").await.status, 404);
    patch(&app, &plugin, json!({"enabled": true})).await;
    assert_eq!(insert(&app).await, "ok");
    assert_eq!(delete(&app, &plugin).await.json, json!({"deleted": true}));
    assert_eq!(app.sql(&User::Is(ALICE), "select 1").await.status, 404);
    assert_eq!(delete(&app, &plugin).await.status, 404);
    let left = "select count(*) from ai.plugin_tools where plugin_id not in (select id from ai.plugins)";
    assert_eq!(app.database.value::<i64>(left).await, 0);
    // A name that is free again goes to the next one who comes, and to nobody who was here before.
    let tool = components::tool("sql", &json!({"type": "object"}));
    let again = app.upload_bytes(tool.clone(), &json!({}), "?name=other&replace=true").await;
    assert_eq!((again.status, &again.json["tools"][0]["name"]), (201, &json!("other__sql")), "{}", again.text);
    let next = app.upload_bytes(tool, &json!({}), "?name=next").await;
    assert_eq!((next.status, &next.json["tools"][0]["name"]), (201, &json!("sql")), "{}", next.text);
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
    // A change of other fields keeps the settings.
    patch(&app, &plugin, json!({"grants": read_grants()})).await;
    assert_eq!(told().await, settings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_replaces_the_old_one_where_that_is_asked_for() {
    let app = App::start().await;
    let version = |text: &str| {
        let definitions = json!([{"name": "versioned", "description": text, "inputSchema": {"type": "object"}}]);
        components::plugin(&definitions.to_string(), &json!(text).to_string())
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
    // The bytes of the old component are deleted.
    let bytes = format!(
        "select count(*) from ai.component where encode(digest, 'hex') = '{}'",
        first.json["digest"].as_str().unwrap()
    );
    assert_eq!(app.database.value::<i64>(&bytes).await, 0);
    // If a new version is refused, the old one stays.
    let wrong = app.upload_bytes(components::plugin("[]", "{}"), &json!({}), "?name=versioned&replace=true").await;
    assert_eq!(wrong.status, 400, "{}", wrong.text);
    assert_eq!(app.call(&User::Is(ALICE), "versioned", json!({})).await.result(), "two");
}
