//! A database that goes away and comes back while clients write.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use behalf_config::environment;
use behalf_local_postgres::{LocalOptions, LocalPostgres};
use behalf_tests::{App, Options, TestDatabase, eventually};
use futures::future::join_all;
use serde_json::json;

use super::alice;

/// What clients were told is there afterwards, every failure is an object with a code, and the host works on by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_back_is_used_again_and_has_what_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let options = |port| LocalOptions {
        dir: folder.path().join("postgres"),
        bin_dir: environment("BEHALF_POSTGRES_BIN").map(PathBuf::from),
        port,
        settings: Vec::new(),
    };
    let local = LocalPostgres::start(&options(None)).await.unwrap();
    let port = local.port();
    let database = TestDatabase::create_on(&local.owner_url()).await;
    database.execute(super::SCHEMA).await;
    let app = App::on(database, Options { settings: vec![("rate_limit_user", "0".to_owned())] }).await;
    let stop = AtomicBool::new(false);
    let clients = (0..4).map(|client| {
        let (app, stop) = (&app, &stop);
        async move {
            let (mut told, mut failed) = (Vec::new(), 0_u32);
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let name = format!("{client}-{number}");
                let answer = app.post(&alice(), "/rest/v1/lists", json!({ "name": name })).await;
                if answer.status == 201 {
                    told.push(name);
                } else {
                    assert!((500..=504).contains(&answer.status), "{} {}", answer.status, answer.text);
                    assert!(answer.json["code"].is_string(), "{}", answer.text);
                    failed += 1;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            (told, failed)
        }
    });
    let outage = async {
        eventually("no list was made", async || {
            app.get(&alice(), "/rest/v1/lists?select=id&limit=5").await.json.as_array().map(Vec::len) == Some(5)
        })
        .await;
        local.stop().await.unwrap();
        eventually("the host does not notice", async || app.get(&alice(), "/rest/v1/lists").await.status != 200).await;
        let again = LocalPostgres::start(&options(Some(port))).await.unwrap();
        eventually("the database is not used again", async || app.get(&alice(), "/rest/v1/lists").await.status == 200)
            .await;
        stop.store(true, Ordering::Relaxed);
        again
    };
    let (seen, again) = futures::join!(join_all(clients), outage);
    assert!(seen.iter().map(|(_, failed)| failed).sum::<u32>() > 0, "nobody noticed");
    let lists = app.get(&alice(), "/rest/v1/lists?select=name").await;
    let names: HashSet<&str> = lists.json.as_array().unwrap().iter().filter_map(|list| list["name"].as_str()).collect();
    for name in seen.iter().flat_map(|(told, _)| told) {
        assert!(names.contains(name.as_str()), "{name} is gone");
    }
    assert_eq!(app.post(&alice(), "/rest/v1/lists", json!({ "name": "after" })).await.status, 201);
    drop(app);
    again.discard().await.unwrap();
}
