//! A database that goes away and hosts that stop, while users sign in and refresh: no session is lost, and no token is given twice.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use behalf_config::environment;
use behalf_local_postgres::{LocalOptions, LocalPostgres};
use behalf_tests::{Answer, App, TestDatabase, User, eventually};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::people::{
    ENDED, Held, LIVE, PASSWORD, assert_refused, faces, host_on, refresh, sign_in, sign_up, try_refresh, try_sign_in,
};
use super::sessions::refused_everywhere;

/// Sessions that have not exactly one refresh token.
const FORKED: &str = "select count(*) from auth.sessions s
    where (select count(*) from auth.refresh_tokens t where t.session_id = s.id and not t.revoked) <> 1";

/// Whether the database could not be asked. Nothing else may go wrong.
fn failed(answer: &Answer) -> bool {
    assert!(matches!(answer.status, 200 | 500..=504), "{} {}", answer.status, answer.text);
    if answer.status != 200 {
        assert!(answer.json["error_code"].is_string(), "{}", answer.text);
    }
    answer.status != 200
}

/// Two windows of one app, which refresh the same session at the same moment on two hosts, until they are told to stop. The session
/// as they hold it then, and how often both failed.
async fn windows(hosts: [&App; 2], mut held: Held, stop: &AtomicBool) -> (Held, u32) {
    let mut failures = 0;
    while !stop.load(Ordering::Relaxed) {
        let (one, two) = futures::join!(try_refresh(hosts[0], &held.refresh), try_refresh(hosts[1], &held.refresh));
        let next: Vec<_> = [one, two].iter().filter(|answer| !failed(answer)).map(Held::of).collect();
        assert!(next.iter().all(|one| one.refresh == next[0].refresh), "{next:?}");
        if let Some(next) = next.into_iter().next() {
            held = next;
        } else {
            failures += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    (held, failures)
}

/// Signs in again and again, on both hosts in turn. The sessions that it was told of.
async fn signs_in(hosts: [&App; 2], email: &str, stop: &AtomicBool) -> Vec<Held> {
    let mut told = Vec::new();
    for host in hosts.into_iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let answer = try_sign_in(host, email, PASSWORD).await;
        if failed(&answer) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        } else {
            told.push(Held::of(&answer));
        }
    }
    told
}

/// Both hosts hear of the next end at once.
async fn hear_of_the_next_end(hosts: [&App; 2], database: &TestDatabase, email: &str) {
    let last = sign_in(hosts[0], email).await;
    for host in hosts {
        // A tool's connection from before the outage may be found broken by the first call that gets it.
        eventually("the session works", async || faces(host, &last.caller()).await == LIVE).await;
    }
    let listens = "select count(*) from pg_stat_activity where datname = current_database() and query like 'LISTEN%behalf_session_ended%'";
    eventually("both hosts listen", async || database.value::<i64>(listens).await == 2).await;
    let request = hosts[0].request(&last.caller(), Method::POST, "/auth/v1/logout?scope=local");
    assert_eq!(request.send().await.unwrap().status(), 204);
    refused_everywhere(&hosts, &last).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_costs_no_session_on_two_hosts() {
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
    let (one, two) = (host_on(&database, &[]).await, host_on(&database, &[]).await);
    let hosts = [&one, &two];
    let users: Vec<_> = (0..4).map(|number| format!("{number}@example.com")).collect();
    let held = join_all(users.iter().map(|email| sign_up(&one, email))).await;
    let revoked = sign_in(&one, &users[0]).await;
    assert_eq!((faces(&one, &revoked.caller()).await, faces(&two, &revoked.caller()).await), (LIVE, LIVE));
    let stop = AtomicBool::new(false);
    let refreshing = join_all(held.into_iter().map(|held| windows(hosts, held, &stop)));
    let signing_in = join_all(users.iter().take(2).map(|email| signs_in(hosts, email, &stop)));
    let outage = async {
        let refreshed = "select count(*) from auth.refresh_tokens where revoked";
        eventually("somebody refreshes", async || database.value::<i64>(refreshed).await > 20).await;
        local.stop().await.unwrap();
        let fails = async |host: &App| try_sign_in(host, &users[3], PASSWORD).await.status >= 500;
        let both = async || futures::join!(fails(&one), fails(&two)) == (true, true);
        eventually("both hosts notice", both).await;
        let again = LocalPostgres::start(&options(Some(port))).await.unwrap();
        // It ends before the hosts listen again, perhaps.
        let ended =
            format!("delete from auth.sessions where id = '{}'", revoked.claims()["session_id"].as_str().unwrap());
        database.execute(&ended).await;
        let works = async |host: &App| try_sign_in(host, &users[3], PASSWORD).await.status == 200;
        let both = async || futures::join!(works(&one), works(&two)) == (true, true);
        eventually("both hosts sign in again", both).await;
        stop.store(true, Ordering::Relaxed);
        again
    };
    let (refreshed, told, again) = futures::join!(refreshing, signing_in, outage);
    assert!(refreshed.iter().map(|(_, failures)| failures).sum::<u32>() > 0, "nobody noticed");
    for (held, _) in &refreshed {
        let next = refresh(&two, held).await.caller();
        // A tool's connection from before the outage may be found broken by the first call that gets it.
        eventually("the session works", async || faces(&one, &next).await == LIVE).await;
    }
    for held in told.iter().flatten() {
        let session = format!(
            "select count(*) from auth.sessions where id = '{}'",
            held.claims()["session_id"].as_str().unwrap()
        );
        assert_eq!(database.value::<i64>(&session).await, 1, "a session that was told of is gone");
    }
    assert_eq!(database.value::<i64>(FORKED).await, 0);
    for host in hosts {
        eventually("the session that ended is refused", async || faces(host, &revoked.caller()).await == ENDED).await;
    }
    hear_of_the_next_end(hosts, &database, &users[0]).await;
    drop((one, two));
    again.discard().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_while_clients_refresh_loses_no_session() {
    let database = TestDatabase::create().await;
    let (mut one, two) = (host_on(&database, &[]).await, host_on(&database, &[]).await);
    let users: Vec<_> = (0..6).map(|number| format!("{number}@example.com")).collect();
    let mut held = join_all(users.iter().map(|email| sign_up(&two, email))).await;
    let ended = sign_in(&one, &users[0]).await;
    let request = one.request(&ended.caller(), Method::POST, "/auth/v1/logout?scope=local");
    assert_eq!(request.send().await.unwrap().status(), 204);
    for _ in 0..3 {
        let requests: Vec<_> = held
            .iter()
            .map(|held| {
                let request = one.request(&User::Anon, Method::POST, "/auth/v1/token?grant_type=refresh_token");
                request.json(&json!({ "refresh_token": held.refresh })).send()
            })
            .collect();
        let (answers, _) = futures::join!(join_all(requests), one.stop());
        for (held, answer) in held.iter_mut().zip(answers) {
            // Whoever got no answer has the token from before.
            if let Ok(answer) = answer {
                let answer = Answer::of(answer).await;
                if !failed(&answer) {
                    *held = Held::of(&answer);
                }
            }
        }
        one = host_on(&database, &[]).await;
        held =
            join_all(held.iter().zip([&one, &two].into_iter().cycle()).map(|(held, host)| refresh(host, held))).await;
        for held in &held {
            assert_eq!((faces(&one, &held.caller()).await, faces(&two, &held.caller()).await), (LIVE, LIVE));
        }
    }
    assert_eq!(database.value::<i64>(FORKED).await, 0);
    assert_eq!(database.value::<i64>("select count(*) from auth.sessions").await, 6);
    // A host that starts knows of no end, and asks.
    assert_eq!(faces(&one, &ended.caller()).await, ENDED);
    assert_refused(&try_refresh(&one, &ended.refresh).await, 400, "refresh_token_not_found");
}
