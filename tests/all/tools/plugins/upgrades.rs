//! New versions of the plugins that come with the host: what an operator decided stands, and nothing is widened silently.

use behalf_telemetry::Level;
use behalf_tests::{ALICE, App, Options, User, components, guests, read_grants, write_grants};
use behalf_tools::BundledPlugin;
use behalf_tools::doctor::examine_requests;
use serde_json::{Value, json};

use super::{delete, id, insert, patch};

/// Registers a version of the probe as a host does that comes with it. Each version is another component.
async fn comes_with(app: &App, version: u32, grants: &str) {
    let mut component = std::fs::read(guests::PROBE).unwrap();
    // A custom section of five bytes: its name has one, its content three.
    component.extend([0, 5, 1, b'v', 0, 0, u8::try_from(version).unwrap()]);
    let manifest = format!("name = \"prober\"\nversion = \"{version}.0.0\"\n{grants}");
    let plugin = BundledPlugin { name: "prober", component: component.leak(), manifest: String::leak(manifest) };
    app.state.tools.installer.register_bundled(vec![plugin]).await.unwrap();
}

const READS: &str = "[grants.database]\naccess = \"read\"\nschemas = [\"public\"]\n";
const WRITES: &str = "[grants.database]\naccess = \"write\"\nschemas = [\"public\"]\n";

async fn prober(app: &App) -> Value {
    let list = app.get(&User::Service, "/api/plugins").await.json["plugins"].clone();
    let found = list.as_array().unwrap().iter().find(|plugin| plugin["name"] == "prober").cloned();
    found.unwrap_or_else(|| panic!("{list}"))
}

/// The newest audit event of this action on this plugin.
async fn event(app: &App, action: &str, plugin: &Value) -> Value {
    let object = format!("plugin:{}", plugin["id"].as_str().unwrap());
    let events = app.get(&User::Service, &format!("/api/audit-events?action={action}&object={object}")).await;
    events.json["audit_events"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_keeps_the_grants_that_an_operator_set() {
    let app = App::start().await;
    comes_with(&app, 1, WRITES).await;
    assert_eq!(insert(&app).await, "ok");
    let narrow = json!({"database": {"access": "read", "schemas": ["public"], "tables": ["notes"]}});
    patch(&app, prober(&app).await["id"].as_str().unwrap(), json!({"grants": narrow})).await;
    comes_with(&app, 2, WRITES).await;
    let plugin = prober(&app).await;
    assert_eq!((&plugin["version"], &plugin["grants"]), (&json!("2.0.0"), &narrow));
    assert_eq!(plugin["requested"], Value::Null, "it asks for nothing that the operator did not know");
    assert_eq!(insert(&app).await, "not_granted");
    let budgets = app.sql(&User::Is(ALICE), "select * from budgets").await;
    assert_eq!(budgets.result()["error"]["code"], "not_granted", "{}", budgets.text);
    let event = event(&app, "plugin.changed", &plugin).await;
    assert_eq!(event["actor"], "host", "{event}");
    assert_eq!(
        (&event["details"]["before"]["version"], &event["details"]["after"]["version"]),
        (&json!("1.0.0"), &json!("2.0.0"))
    );
    // Wider grants than the manifest's are a decision as well.
    patch(&app, plugin["id"].as_str().unwrap(), json!({"grants": write_grants()})).await;
    comes_with(&app, 3, READS).await;
    assert_eq!(prober(&app).await["grants"], write_grants());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_new_version_newly_needs_waits_for_an_operator() {
    let app = App::start().await;
    comes_with(&app, 1, READS).await;
    comes_with(&app, 2, WRITES).await;
    let plugin = prober(&app).await;
    assert_eq!((&plugin["version"], &plugin["grants"]), (&json!("2.0.0"), &read_grants()));
    assert_eq!(plugin["requested"], write_grants());
    assert_eq!(insert(&app).await, "not_granted");
    let recorded = event(&app, "plugin.changed", &plugin).await;
    assert_eq!(recorded["details"]["after"]["requested"], write_grants(), "{recorded}");
    let finding = examine_requests(&app.database.owner_url()).await;
    assert!(finding.level == Level::Warning && finding.found.contains("prober"), "{finding:?}");
    // Another version that asks for the same still waits, and so does the same one after a restart.
    comes_with(&app, 3, WRITES).await;
    let app = App::on(app.stop().await, Options::default()).await;
    assert_eq!(prober(&app).await["requested"], write_grants());
    // The operator agrees.
    let path = plugin["id"].as_str().unwrap();
    let agreed = patch(&app, path, json!({"grants": write_grants()})).await;
    assert_eq!((agreed.status, &agreed.json["requested"]), (200, &Value::Null), "{}", agreed.text);
    assert_eq!(insert(&app).await, "ok");
    assert_eq!(examine_requests(&app.database.owner_url()).await.level, Level::Ok);
    // Or refuses: setting the grants that it has is an answer, and the next version does not ask again.
    patch(&app, path, json!({"grants": read_grants()})).await;
    comes_with(&app, 4, WRITES).await;
    let plugin = prober(&app).await;
    assert_eq!((&plugin["grants"], &plugin["requested"]), (&read_grants(), &Value::Null));
    // It asks for something new.
    let more = format!("{WRITES}max_rows = 9000\n");
    comes_with(&app, 5, &more).await;
    let plugin = prober(&app).await;
    assert_eq!((&plugin["grants"], &plugin["requested"]["database"]["max_rows"]), (&read_grants(), &json!(9000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_that_needs_less_gets_less() {
    let app = App::start().await;
    comes_with(&app, 1, WRITES).await;
    comes_with(&app, 2, READS).await;
    let plugin = prober(&app).await;
    assert_eq!((&plugin["grants"]["database"]["access"], &plugin["requested"]), (&json!("read"), &Value::Null));
    comes_with(&app, 3, "").await;
    assert_eq!(prober(&app).await["grants"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_plugin_stays_deleted_until_an_operator_restores_it() {
    let app = App::start().await;
    let list = app.get(&User::Service, "/api/plugins").await.json;
    let of_host =
        |name: &str, list: &Value| list["plugins"].as_array().unwrap().iter().find(|one| one["name"] == name).cloned();
    let write = of_host("database-write", &list).unwrap();
    assert_eq!(list["removed"], json!([]));
    assert_eq!(delete(&app, write["id"].as_str().unwrap()).await.status, 200);
    let deleted = event(&app, "plugin.deleted", &write).await;
    assert_eq!(
        (&deleted["actor"], &deleted["details"]["before"]["grants"], &deleted["details"]["after"]),
        (&json!("service_role"), &write["grants"], &Value::Null),
        "{deleted}"
    );
    let app = App::on(app.stop().await, Options::default()).await;
    let list = app.get(&User::Service, "/api/plugins").await.json;
    assert!(of_host("database-write", &list).is_none() && of_host("database-query", &list).is_some(), "{list}");
    assert_eq!(list["removed"], json!(["database-write"]));
    assert_eq!(app.call(&User::Is(ALICE), "database_write", json!({})).await.status, 404);
    for (user, name, status) in
        [(User::Is(ALICE), "database-write", 403), (User::Service, "database-query", 404), (User::Service, "x", 404)]
    {
        let answer = app.post(&user, "/api/plugins/restore", json!({"name": name})).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let restored = app.post(&User::Service, "/api/plugins/restore", json!({"name": "database-write"})).await;
    assert_eq!((restored.status, &restored.json["grants"]), (200, &write["grants"]), "{}", restored.text);
    assert_eq!(app.get(&User::Service, "/api/plugins").await.json["removed"], json!([]));
    assert_eq!(event(&app, "plugin.created", &restored.json).await["actor"], "service_role");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_plugin_whose_tool_was_replaced_is_not_restored_and_the_host_starts() {
    let app = App::start().await;
    let list = app.get(&User::Service, "/api/plugins").await.json;
    let write = list["plugins"].as_array().unwrap().iter().find(|one| one["name"] == "database-write").unwrap().clone();
    assert_eq!(delete(&app, write["id"].as_str().unwrap()).await.status, 200);
    let mine = components::tool("database_write", &json!({"type": "object"}));
    let mine = app.upload_bytes(mine, &json!({}), "?name=mine&version=1.0.0").await;
    assert_eq!(mine.status, 201, "{}", mine.text);
    let restore =
        async |app: &App| app.post(&User::Service, "/api/plugins/restore", json!({"name": "database-write"})).await;
    for _ in 0..2 {
        let refused = restore(&app).await;
        assert_eq!(refused.status, 409, "{}", refused.text);
    }
    // Even if the database says that nothing was removed.
    app.database.execute("delete from ai.removed_plugins").await;
    let app = App::on(app.stop().await, Options::default()).await;
    assert_eq!(app.call(&User::Is(ALICE), "database_write", json!({})).await.result(), &json!({}));
    assert_eq!(delete(&app, &id(&mine)).await.status, 200);
    let app = App::on(app.stop().await, Options::default()).await;
    let list = app.get(&User::Service, "/api/plugins").await.json;
    assert!(list["plugins"].as_array().unwrap().iter().any(|one| one["name"] == "database-write"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_off_stays_off() {
    let app = App::start().await;
    comes_with(&app, 1, WRITES).await;
    let plugin = prober(&app).await;
    patch(&app, plugin["id"].as_str().unwrap(), json!({"enabled": false, "settings": {"kept": 1}})).await;
    comes_with(&app, 2, WRITES).await;
    let after = prober(&app).await;
    assert_eq!((&after["id"], &after["enabled"]), (&plugin["id"], &json!(false)));
    assert_eq!((&after["version"], &after["settings"]), (&json!("2.0.0"), &json!({"kept": 1})));
    assert_eq!(app.sql(&User::Is(ALICE), "select 1").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_plugin_is_not_replaced_by_the_hosts_own() {
    let app = App::start().await;
    let own = components::tool("database_query", &json!({"type": "object"}));
    let mine = app.upload_bytes(own, &json!({}), "?name=database-query&version=9.0.0&replace=true").await;
    assert_eq!(mine.status, 201, "{}", mine.text);
    let app = App::on(app.stop().await, Options::default()).await;
    let path = format!("/api/plugins/{}", id(&mine));
    let after = app.get(&User::Service, &path).await.json;
    assert_eq!((&after["version"], &after["bundled"], &after["grants"]), (&json!("9.0.0"), &json!(false), &json!({})));
    assert_eq!(app.call(&User::Is(ALICE), "database_query", json!({})).await.result(), &json!({}));
    // Deleting it does not bring the host's own back.
    assert_eq!(delete(&app, &id(&mine)).await.status, 200);
    let app = App::on(app.stop().await, Options::default()).await;
    assert_eq!(app.call(&User::Is(ALICE), "database_query", json!({})).await.status, 404);
    assert_eq!(app.get(&User::Service, "/api/plugins").await.json["removed"], json!(["database-query"]));
}
