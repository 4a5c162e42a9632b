//! Many calls at the same time: busy guests delay no other caller, and a full host says that it is full.

use std::sync::Arc;
use std::time::Duration;

use behalf_tests::{ALICE, App, BOB, User, eventually, guests};
use serde_json::json;
use uuid::Uuid;

use super::{LONG, bob_is_served, count, database, limits};

#[tokio::test(flavor = "multi_thread")]
async fn guests_that_keep_every_thread_busy_delay_nobody() {
    let app = Arc::new(App::start().await);
    app.install(guests::HOSTILE, &limits(LONG)).await;
    app.install(guests::PROBE, &database(LONG)).await;
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let insert = json!({"sql": "insert into notes (title, body) values ('spinning', '')"});
    let mut calls = Vec::new();
    for index in 0..2 * threads + 3 {
        let (app, insert) = (Arc::clone(&app), insert.clone());
        calls.push(tokio::spawn(async move {
            match index {
                0 => app.call(&User::Is(ALICE), "write_then_spin", insert).await,
                1 => app.call(&User::Is(ALICE), "sleep_forever", json!({})).await,
                2 => app.call(&User::Is(ALICE), "long_query", json!({})).await,
                _ => app.call(&User::Is(ALICE), "spin", json!({})).await,
            }
        }));
    }
    app.running(calls.len()).await;
    for _ in 0..5 {
        assert_eq!(app.get(&User::Nobody, "/healthz").await.status, 200);
        bob_is_served(&app).await;
        let answer = app.call(&User::Is(BOB), "remember", json!({})).await;
        assert_eq!(answer.result()["now"], format!("authenticated/{BOB}"));
        ends_beside(&app, calls.len()).await;
    }
    // The busy calls ran the whole time; none of them has ended.
    assert!(calls.iter().all(|call| !call.is_finished()));
    assert_eq!(app.state.tools.sandbox().running_calls(), calls.len());
    // A call ends when its client disconnects.
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    app.settled().await;
    assert_eq!(count(&app, "spinning").await, 0);
    eventually("every call is in the audit log", async || {
        let rows = app.audit().await;
        let cancelled = rows.iter().filter(|row| row["outcome"] == "cancelled" && row["blame"] == "caller");
        cancelled.count() == calls.len()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ever_new_guests_that_compute_delay_nobody() {
    /// How often a new one begins, and how many there are in all.
    const EVERY: Duration = Duration::from_millis(5);
    const CALLS: u128 = 400;
    let app = Arc::new(App::start().await);
    app.install(guests::HOSTILE, &limits(30)).await;
    app.install(guests::PROBE, &database(LONG)).await;
    let spinning = tokio::spawn({
        let app = Arc::clone(&app);
        async move {
            let mut next = tokio::time::interval(EVERY);
            let mut calls = tokio::task::JoinSet::new();
            for user in 0..CALLS {
                next.tick().await;
                let app = Arc::clone(&app);
                calls.spawn(
                    async move { app.call(&User::Is(Uuid::from_u128(user + 1)), "spin", json!({})).await.status },
                );
            }
            calls.join_all().await
        }
    });
    let mut served = 0;
    while !spinning.is_finished() {
        assert_eq!(app.get(&User::Nobody, "/healthz").await.status, 200);
        bob_is_served(&app).await;
        served += 1;
    }
    // A machine that is too slow for so many guests says so to those who begin them.
    let ends = spinning.await.unwrap();
    assert!(ends.iter().all(|status| [503, 408].contains(status)), "{ends:?}");
    assert!(ends.contains(&408) && served > 0, "{served}: {ends:?}");
    app.settled().await;
}

/// Checks that a call which crashes is answered while the others go on running.
async fn ends_beside(app: &App, running: usize) {
    let answer = app.call(&User::Is(BOB), "abort", json!({})).await;
    assert_eq!(answer.status, 502, "{}", answer.text);
    app.running(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_house_is_said_to_be_full() {
    let settings = vec![("concurrent_calls", "2".to_owned()), ("max_wait_seconds", "1".to_owned())];
    let app = Arc::new(App::with(behalf_tests::Options { settings }).await);
    app.install(guests::HOSTILE, &limits(LONG)).await;
    app.install(guests::PROBE, &database(200)).await;
    let spin = |_| {
        let app = Arc::clone(&app);
        tokio::spawn(async move { app.call(&User::Is(ALICE), "spin", json!({})).await })
    };
    let calls: Vec<_> = (0..2).map(spin).collect();
    app.running(2).await;
    let answer = app.call(&User::Is(BOB), "clock", json!({})).await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (503, Some("busy")), "{}", answer.text);
    assert_eq!(app.get(&User::Nobody, "/healthz").await.status, 200);
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    app.settled().await;
    assert_eq!(app.call(&User::Is(BOB), "clock", json!({})).await.status, 200);
    assert_eq!(app.audit_of(&answer).await["blame"], "host");
}
