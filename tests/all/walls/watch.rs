//! Wall 4, the watch, alone: heavy statements end in time, and a session that became another user's is closed. The gate and
//! the privileges allow every statement of these tests.

use std::time::{Duration, Instant};

use behalf_tests::{ALICE, App, BOB, Options, User, guests};
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use super::attacked_database::AttackedDatabase;
use super::connection::{Protocol, begin_as, send};
use super::host_call::call;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Asks again until the answer is as wanted.
async fn until<T: PartialEq + std::fmt::Debug>(mut ask: impl AsyncFnMut() -> T, wanted: impl Fn(&T) -> bool) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = ask().await;
        if wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < end, "still {answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The newest audit rows, once there are so many.
pub(super) async fn audit_rows(owner: &mut PgConnection, count: usize) -> Vec<Value> {
    until(
        async || {
            let sql = "select to_jsonb(c) from ai.tool_calls c where outcome <> 'started'";
            sqlx::query_scalar(sql).fetch_all(&mut *owner).await.unwrap()
        },
        |rows: &Vec<Value>| rows.len() >= count,
    )
    .await
}

/// How many transactions of tools are open on the server. Each holds the lock on its own number, running or idle.
async fn open_transactions(owner: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity a where datname = current_database() and usename ~ '^behalf_tool_'
             and exists (select from pg_locks l where l.pid = a.pid and l.locktype = 'virtualxid')",
    )
    .fetch_one(owner)
    .await
    .unwrap()
}

/// The server's process ids of the tools' connections.
async fn sessions(owner: &mut PgConnection) -> Vec<i32> {
    let sql = "select pid from pg_stat_activity where datname = current_database() and usename ~ '^behalf_tool_' order by pid";
    sqlx::query_scalar(sql).fetch_all(owner).await.unwrap()
}

fn limited(timeout_ms: u64) -> Value {
    json!({ "database": { "access": "write", "schemas": ["public"] }, "limits": { "timeout_ms": timeout_ms } })
}

const HEAVY: &[&str] = &[
    "select count(*) from generate_series(1, 100000000) a, generate_series(1, 100000000) b",
    "select count(*) from notes a, notes b, generate_series(1, 2000000000) c where a.title || b.title || c = 'x'",
    "with recursive t (n) as (select 1::bigint union all select n + 1 from t) select count(*) from t",
    "select max(n) from (select n from generate_series(1, 2000000000) n order by random()) t",
    "select sum(length(repeat(md5(n::text), 1000000))) from generate_series(1, 100000) n",
    "select count(*) from generate_series(1, 1000000) n where repeat('a', 40) || n ~ '^(a*)(a*)(a*)(a*)(a*)\\5\\4\\3\\2\\1x$'",
    "select jsonb_agg(n) from generate_series(1, 2000000000) n",
];

/// Statements that the bound on an answer ends, well before any deadline.
const LARGE: &[&str] = &[
    "select repeat('x', 100000000)",
    "select repeat('x', 540000000) || repeat('x', 540000000)",
    "select repeat('x', 10000) from generate_series(1, 1000000)",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_heavy_statement_ends_at_the_deadline_and_is_gone_from_the_server() {
    let attacked = AttackedDatabase::new().await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    app.install(guests::PROBE, &limited(1_000)).await;
    let mut owner = attacked.database.owner().await;
    let started = Instant::now();
    let (alice, bob) = (User::Is(ALICE), User::Is(BOB));
    let calls = HEAVY.iter().map(async |sql| (*sql, call(&app, &alice, "sql", &json!({ "sql": sql })).await));
    let seen = until(async || open_transactions(&mut owner).await, |open| *open > 0);
    let (replies, seen) = tokio::join!(join_all(calls), seen);
    assert!(seen > 0, "the look at the server finds them while they run");
    for (sql, reply) in replies {
        assert!(reply.status == 408, "{sql}: {}", String::from_utf8_lossy(&reply.bytes));
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    until(async || open_transactions(&mut owner).await, |open| *open == 0).await;
    let reply = call(&app, &bob, "sql", &json!({ "sql": "select distinct body from notes" })).await;
    assert!(attacked.is_stolen(&reply.bytes), "Bob reads his own: {}", reply.json);
    let reply = call(&app, &alice, "sql", &json!({ "sql": "select distinct body from notes" })).await;
    assert!(reply.json["result"]["rows"].as_array().is_some_and(|rows| rows.len() == 2), "{}", reply.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_is_cut_and_the_connection_goes_on() {
    let attacked = AttackedDatabase::new().await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    app.install(guests::PROBE, &limited(30_000)).await;
    let mut owner = attacked.database.owner().await;
    for sql in LARGE {
        let reply = call(&app, &User::Is(ALICE), "sql", &json!({ "sql": sql })).await;
        let result = &reply.json["result"];
        let code = result["error"]["code"].as_str().unwrap_or_default();
        assert!(
            result["truncated"] == true
                || ["limit", "unavailable"].contains(&code)
                || reply.status == 507
                // The connection was closed, and with it ended the transaction around the statement's scope.
                || reply.json["code"] == "commit_failed",
            "{sql}: {code} {}",
            reply.status
        );
        let next = call(&app, &User::Is(BOB), "sql", &json!({ "sql": "select 1 as one" })).await;
        assert_eq!(next.json["result"]["rows"], json!([[1]]), "{}", next.json);
    }
    until(async || open_transactions(&mut owner).await, |open| *open == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sort_without_end_does_not_fill_the_disk() {
    let attacked = AttackedDatabase::new().await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    app.install(guests::PROBE, &limited(120_000)).await;
    let sql = "select max(n) from (select n from generate_series(1, 1000000000) n order by random()) t";
    let reply = call(&app, &User::Is(ALICE), "sql", &json!({ "sql": sql })).await;
    let error = &reply.json["result"]["error"];
    assert_eq!((&error["code"], &error["sqlstate"]), (&json!("limit"), &json!("53400")), "{}", reply.json);
    let next = call(&app, &User::Is(BOB), "sql", &json!({ "sql": "select 1 as one" })).await;
    assert_eq!(next.json["result"]["rows"], json!([[1]]), "{}", next.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_has_a_budget_of_statements() {
    let attacked = AttackedDatabase::new().await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    app.install(guests::PROBE, &limited(60_000)).await;
    let reply = call(&app, &User::Is(ALICE), "many_queries", &json!({ "count": 3_000 })).await;
    assert_eq!(reply.json["result"], json!({ "ok": 1_000, "limit": 2_000 }), "{}", reply.json);
    let reply = call(&app, &User::Is(ALICE), "many_queries", &json!({ "count": 100_000 })).await;
    assert_eq!(reply.status, 507, "{}", reply.json);
    let next = call(&app, &User::Is(BOB), "sql", &json!({ "sql": "select 1 as one" })).await;
    assert_eq!(next.json["result"]["rows"], json!([[1]]), "{}", next.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_idles_is_ended_while_its_tool_goes_on() {
    let attacked = AttackedDatabase::new().await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    app.install(guests::PROBE, &limited(30_000)).await;
    let mut owner = attacked.database.owner().await;
    let arguments = json!({ "first": "select 1", "wait_ms": 9_000, "second": "select 2" });
    let alice = User::Is(ALICE);
    let mut waits = std::pin::pin!(call(&app, &alice, "wait_between", &arguments));
    let ended = async {
        until(async || open_transactions(&mut owner).await, |open| *open == 1).await;
        until(async || open_transactions(&mut owner).await, |open| *open == 0).await;
    };
    tokio::select! {
        reply = &mut waits => panic!("the call ended first: {}", reply.json),
        () = ended => {}
    }
    let reply = waits.await;
    assert_eq!((reply.status, &reply.json["code"]), (422, &json!("commit_failed")), "{}", reply.json);
    assert!(reply.json["detail"].as_str().is_some_and(|detail| detail.contains("idled too long")), "{}", reply.json);
}

/// A trigger of the project that changes the claims of the session, as an import in other users' names might.
const FLIPS: &str = "
create table public.diary (id serial primary key, owner_id uuid not null, claims text);
alter table public.diary enable row level security;
create policy owner on public.diary to authenticated using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
create function public.flip() returns trigger language plpgsql security definer
    as 'begin perform set_config(''request.jwt.claims'', new.claims, true); return new; end';
create trigger flip before insert on public.diary for each row when (new.claims is not null) execute function public.flip();
";

const FLIP: &str = "insert into diary (owner_id, claims) values ('{bob}', '{claims}') returning id";

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_became_somebody_elses_shows_nothing_keeps_nothing_and_is_closed() {
    let attacked = AttackedDatabase::new().await;
    attacked.database.execute(FLIPS).await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    app.install(guests::PROBE, &limited(30_000)).await;
    let mut owner = attacked.database.owner().await;
    let (flip, read) = (attacked.fill(FLIP), "select body from notes".to_owned());
    let at_once = format!(
        "with i as ({flip}) select n.body from i, lateral (select * from notes where i.id is not null offset 0) n"
    );
    let ways: [&[String]; 3] = [std::slice::from_ref(&flip), &[flip.clone(), read], std::slice::from_ref(&at_once)];
    for steps in ways {
        for end in ["ok", "error"] {
            // Without the host the attack succeeds: it reads Bob's rows, or inserts a row of his.
            let mut conn = attacked.database.login("behalf_tool_authenticated").await;
            begin_as(&mut conn, ALICE).await;
            let seen = send(&mut conn, steps, Protocol::Extended).await;
            assert!(
                seen.sqlstate.is_none() && (steps.len() == 1 && steps[0] == flip || attacked.is_stolen(&seen.bytes)),
                "{seen:?}"
            );
            drop(conn);

            let harmless = json!({ "sql": "insert into diary (owner_id) values (auth.uid())", "mode": "execute" });
            let before = call(&app, &User::Is(ALICE), "sql", &harmless).await;
            assert_eq!(before.json["result"]["rows_affected"], 1, "{}", before.json);
            let [session] = until(async || sessions(&mut owner).await, |all| all.len() == 1).await[..] else {
                panic!()
            };
            let again = call(&app, &User::Is(ALICE), "sql", &harmless).await;
            assert_eq!(again.json["result"]["rows_affected"], 1, "{}", again.json);
            assert_eq!(sessions(&mut owner).await, [session], "an ordinary call keeps the connection");

            let statements: Vec<_> = steps.iter().map(|sql| json!({ "sql": sql })).collect();
            let reply =
                call(&app, &User::Is(ALICE), "sql_many", &json!({ "statements": statements, "end": end })).await;
            let text = String::from_utf8_lossy(&reply.bytes);
            assert!(reply.status != 200, "{text}");
            assert!(!attacked.is_stolen(&reply.bytes), "{text}");
            until(async || sessions(&mut owner).await, |all| !all.contains(&session)).await;
            let kept: i64 =
                sqlx::query_scalar(AssertSqlSafe(attacked.fill("select count(*) from diary where owner_id = '{bob}'")))
                    .fetch_one(&mut owner)
                    .await
                    .unwrap();
            assert_eq!(kept, 0);
            let next =
                call(&app, &User::Is(ALICE), "sql", &json!({ "sql": "select distinct owner_id from notes" })).await;
            assert_eq!(next.json["result"]["rows"], json!([[ALICE]]), "{}", next.json);
        }
    }
    let calls = audit_rows(&mut owner, 24).await;
    let noted = calls.iter().filter(|row| row["statements"].to_string().contains("identity_changed")).count();
    assert_eq!(noted, 6);
}
