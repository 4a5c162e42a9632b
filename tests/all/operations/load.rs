//! Load: many callers at the same time, and clients that disconnect.

use std::time::{Duration, Instant};

use behalf_tests::{ALICE, App, BOB, Options, User, guests, write_grants};
use futures::future::join_all;
use serde_json::json;

/// How long the callers go on. `BEHALF_TEST_CROWD_SECONDS` sets a longer time for a thorough test.
fn crowd() -> Duration {
    let seconds = behalf_config::environment("BEHALF_TEST_CROWD_SECONDS").map(|text| text.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(20))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_callers_never_see_a_row_of_the_other() {
    // All callers are one of two users, whose rate limits would stop them.
    let app = App::with(Options { settings: vec![("rate_limit_user", "0".to_owned())] }).await;
    app.install(guests::PROBE, &write_grants()).await;
    let end = Instant::now() + crowd();
    let callers = (0..200_u32).map(|n| {
        let app = &app;
        async move {
            let (user, own, other) = if n % 2 == 0 { (ALICE, "Garden", "brakes") } else { (BOB, "brakes", "Garden") };
            let user = User::Is(user);
            let mut calls = 0_u32;
            while Instant::now() < end {
                calls += 1;
                let answer = match calls % 4 {
                    0 => app.call(&user, "spending_report", json!({})).await,
                    1 => app.call(&user, "database_query", json!({"query": "select title, body from notes"})).await,
                    2 => app.call(&user, "identity", json!({})).await,
                    _ => app.sql(&user, "select title || body as t, pg_typeof(owner_id)::text from notes").await,
                };
                // A caller may be told to wait, but may never be shown a row of the other user.
                assert!(!answer.text.contains(other), "{}", answer.text);
                assert!(answer.status == 200 || answer.status == 503, "{}", answer.text);
                if answer.status == 200 && calls % 4 == 1 {
                    assert!(answer.text.contains(own), "{}", answer.text);
                }
            }
            calls
        }
    });
    let calls: u32 = join_all(callers).await.into_iter().sum();
    assert!(calls > 1_000, "only {calls} calls");
    nothing_is_left(&app).await;
    let backends: i64 = app
        .database
        .value(
            "select count(*) from pg_stat_activity where datname = current_database() and usename like 'behalf_tool%'",
        )
        .await;
    assert!(backends <= 8, "{backends} connections of a pool of 8");
}

/// Waits until no connection, transaction, instance or lock is in use; at most ten seconds.
async fn nothing_is_left(app: &App) {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let in_use = app.state.caller_db.tool_connections().in_use;
        let running = app.state.tools.sandbox().running_calls();
        // What a tool's session does is hidden even from the owner (`track_activities` is off); but every open transaction
        // holds a lock on its own number.
        let locks: i64 = app
            .database
            .value(
                "select count(*) from pg_locks l join pg_stat_activity a using (pid)
                 where a.datname = current_database() and a.usename like 'behalf_tool%'",
            )
            .await;
        if (in_use, running, locks) == (0, 0, 0) {
            return;
        }
        assert!(
            Instant::now() < end,
            "left: {in_use} connections, {running} instances, {locks} locks of open transactions"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_go_away_leave_nothing_behind() {
    let app = App::start().await;
    app.install(guests::PROBE, &write_grants()).await;
    app.install(guests::HOSTILE, &json!({})).await;
    let slow = "select count(*) from generate_series(1, 200000000)";
    let write = "insert into notes (title, body) values ('half', 'written')";
    let calls = [
        ("sql", json!({ "sql": slow })),
        ("query_forever", json!({})),
        ("write_then_spin", json!({ "sql": write })),
        ("spin", json!({})),
        ("sleep_forever", json!({})),
        ("wait_between", json!({"first": "select 1", "wait_ms": 60_000, "second": "select 1"})),
        ("database_query", json!({"query": "select * from notes"})),
    ];
    let mut seed = 7_u64;
    for round in 0..12_u32 {
        let gone = calls.iter().flat_map(|(tool, arguments)| {
            let app = &app;
            // A simple generator, so that a failure can be repeated.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let after = Duration::from_micros((seed >> 40) % 60_000);
            (0..2).map(move |_| async move {
                let call = app.call(&User::Is(ALICE), tool, arguments.clone());
                tokio::time::timeout(after, call).await.ok();
            })
        });
        join_all(gone).await;
        let answer = app.call(&User::Is(BOB), "database_query", json!({"query": "select title from notes"})).await;
        assert_eq!(answer.result(), &json!([{"title": "Car"}]), "round {round}");
    }
    nothing_is_left(&app).await;
    let halves: i64 = app.database.value("select count(*) from notes where title = 'half'").await;
    assert_eq!(halves, 0);
    let cancelled = app.audit().await.iter().filter(|row| row["outcome"] == "cancelled").count();
    assert!(cancelled > 20, "{cancelled} rows of calls that went away");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_under_way_is_finished_or_never_begun() {
    let app = App::start().await;
    let mut answered = 0_i64;
    let write = async |n: u32| {
        let arguments =
            json!({"table": "notes", "operation": "insert", "data": {"title": "kept", "body": n.to_string()}});
        app.call(&User::Is(ALICE), "database_write", arguments).await
    };
    // The clients go away at every point of a call, and up to twice as late: as long as a call takes on this machine.
    write(0).await;
    let begun = Instant::now();
    assert_eq!(write(0).await.status, 200);
    let whole = begun.elapsed();
    for n in 0..150_u32 {
        if let Ok(answer) = tokio::time::timeout(whole * n / 75, write(n)).await {
            assert_eq!(answer.status, 200, "{}", answer.text);
            answered += 1;
        }
    }
    nothing_is_left(&app).await;
    app.state.caller_db.audit().flush().await;
    let rows: i64 = app.database.value("select count(*) from notes where title = 'kept'").await;
    // Every row has an audit row that names its transaction, and every answer has its row.
    let audited: i64 = app
        .database
        .value(
            "select count(*) from notes n where title = 'kept' and exists (
                 select from ai.tool_calls c, unnest(c.transaction_ids) x
                 where x::text::bigint % 4294967296 = n.xmin::text::bigint and c.user_id = n.owner_id)",
        )
        .await;
    assert!(rows >= answered, "{answered} answers, {rows} rows");
    assert_eq!(rows, audited);
    assert!(answered > 0 && rows > 0);
}
