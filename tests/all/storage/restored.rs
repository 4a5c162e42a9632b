//! A backup of the database that is restored to a fresh cluster: objects are there, by whichever way they are read.

use std::path::{Path, PathBuf};
use std::process::Command;

use behalf_config::environment;
use behalf_host_db::MigrateOptions;
use behalf_local_postgres::{LocalOptions, LocalPostgres};
use behalf_tests::{App, Options, TestDatabase, User, eventually};
use reqwest::Method;
use serde_json::json;

use super::object_bed::{BUCKETS, alice, ask, at, get, hers, put};
use super::sweeping::{Files, named};

async fn server(folder: &Path) -> LocalPostgres {
    let bin_dir = environment("BEHALF_POSTGRES_BIN").map(PathBuf::from);
    let options = LocalOptions { dir: folder.to_owned(), bin_dir, port: None, settings: Vec::new() };
    LocalPostgres::start(&options).await.unwrap()
}

fn run(command: &mut Command) -> Vec<u8> {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_restored_to_a_fresh_cluster_has_its_objects() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    let (first, second) = futures::join!(server(&first), server(&second));
    let files = Files::new();
    let database = TestDatabase::create_on(&first.owner_url()).await;
    database.execute(BUCKETS).await;
    let app = App::on(database.clone(), Options { settings: files.settings(3) }).await;
    put(&app, &alice(), &at("files", &hers("letter.txt")), "text/plain", b"Dear Bob").await;
    put(&app, &User::Service, &at("open", "page.txt"), "text/plain", b"for everybody").await;
    let terms = json!({ "expiresIn": 3600 });
    let signed = app.post(&alice(), &format!("/storage/v1/object/sign/files/{}", hers("letter.txt")), terms).await;
    let signed = format!("/storage/v1{}", signed.json["signedURL"].as_str().unwrap());
    app.stop().await;

    // Roles belong to the cluster, so a dump of the database has none.
    let name = database.name.clone();
    let (dump, roles) = (folder.path().join("dump"), folder.path().join("roles"));
    let (pg_dump, pg_dumpall) = (database.program("pg_dump").await, database.program("pg_dumpall").await);
    run(Command::new(pg_dump).args(["--format=custom", "--file"]).arg(&dump).arg(database.owner_url()));
    run(Command::new(pg_dumpall)
        .args(["--roles-only", "--no-role-passwords", "--file"])
        .arg(&roles)
        .arg("--dbname")
        .arg(first.owner_url()));
    let restored = TestDatabase::named_on(&second.owner_url(), &name).await;
    let (psql, pg_restore) = (restored.program("psql").await, restored.program("pg_restore").await);
    // The owner is there already.
    Command::new(psql).arg(second.owner_url()).arg("--file").arg(&roles).output().unwrap();
    run(Command::new(pg_restore).args(["--exit-on-error", "--dbname"]).arg(restored.owner_url()).arg(&dump));
    restored.migrate(&MigrateOptions::default()).await.unwrap();

    let app = App::on(restored.clone(), Options { settings: files.settings(3) }).await;
    assert_eq!(get(&app, &alice(), &at("files", &hers("letter.txt"))).await.text(), "Dear Bob");
    assert_eq!(get(&app, &User::Nobody, &at("public/open", "page.txt")).await.text(), "for everybody");
    assert_eq!(get(&app, &User::Nobody, &signed).await.text(), "Dear Bob");
    let hidden = ask(&app, &User::Anon, Method::GET, &at("files", &hers("letter.txt")), &[], "").await;
    hidden.assert_error(400, "404", "not_found", "Object not found");
    put(&app, &alice(), &at("files", &hers("letter.txt")), "text/plain", b"Dear Carol").await;
    assert_eq!(get(&app, &User::Nobody, &signed).await.text(), "Dear Carol");
    // The replaced bytes go, and none of the others.
    eventually("bytes are there that no row names", async || files.all() == named(&restored).await).await;
    assert_eq!(files.all().len(), 2);
    app.stop().await;
    first.discard().await.unwrap();
    second.discard().await.unwrap();
}
