//! Plugins on several hosts and after a restart.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use behalf_tests::{
    ALICE, App, Options, TestDatabase, User, components, eventually, guests, read_grants, write_grants,
};
use serde_json::{Value, json};

use super::{delete, id, insert, patch};

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
    // A name that was registered on one host is taken on the other, even before the other knows the plugin.
    let tool = |text: &str| components::plugin(&json!([{"name": "shared", "description": text}]).to_string(), "{}");
    let (first, second) = (tool("first"), tool("second"));
    let (a, b) = futures::join!(
        one.upload_bytes(first, &Value::Null, "?name=a"),
        two.upload_bytes(second, &Value::Null, "?name=b")
    );
    assert_eq!([a.status, b.status], [201, 201], "{} {}", a.text, b.text);
    let mut names = [&a, &b].map(|answer| answer.json["tools"][0]["name"].as_str().unwrap().to_owned());
    names.sort_unstable_by_key(String::len);
    assert!(names[0] == "shared" && ["a__shared", "b__shared"].contains(&names[1].as_str()), "{names:?}");
}

/// A host with a folder of its own for compiled code.
async fn with_state(database: TestDatabase, folder: &Path) -> App {
    App::on(database, Options { settings: vec![("state_dir", folder.to_str().unwrap().to_owned())] }).await
}

/// Files with compiled code of this component, and the number of each: whoever writes one anew makes another file. Its time says when it
/// was used last.
fn compiled(folder: &Path, digest: &str) -> Vec<(PathBuf, u64)> {
    let files = std::fs::read_dir(folder.join("compiled")).unwrap().flatten();
    let files = files.filter(|file| file.file_name().to_string_lossy().starts_with(digest));
    files.map(|file| (file.path(), file.metadata().unwrap().ino())).collect()
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

    // Files with damaged or truncated compiled code are compiled again.
    let whole = std::fs::read(&files[0].0).unwrap();
    let mut database = app.stop().await;
    for damaged in [b"garbage".to_vec(), Vec::new(), whole[..whole.len() / 3].to_vec(), vec![0x7f; 70_000]] {
        std::fs::write(&files[0].0, &damaged).unwrap();
        let app = with_state(database, folder.path()).await;
        assert_eq!(insert(&app).await, "not_granted");
        assert_eq!(std::fs::metadata(&files[0].0).unwrap().len(), whole.len() as u64);
        database = app.stop().await;
    }
    // If others may write to the folder, the host takes that right away.
    std::fs::set_permissions(folder.path().join("compiled"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let app = with_state(database, folder.path()).await;
    assert_eq!(mode(&folder.path().join("compiled")), 0o700);
    assert_eq!(insert(&app).await, "not_granted");
}
