//! All walls together: the whole table of attacks through an ordinary host. No answer, audit row or log line contains
//! anything of Bob's.

use behalf_tests::{ALICE, App, BOB, LogLines, Options, User, guests, write_grants};
use serde_json::json;

use super::attacked_database::AttackedDatabase;
use super::connection::{Protocol, begin_as, send};
use super::host_call::{call, through_host};
use super::watch::audit_rows;

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_another_users_rows_is_answered_or_written_down() {
    let log = LogLines::take();
    let attacked = AttackedDatabase::new().await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    app.install(guests::PROBE, &write_grants()).await;
    let _bystander = attacked.bystander("behalf_tool_authenticated").await;
    let mut owner = attacked.database.owner().await;
    let before = attacked.sum_of_bobs_rows(&mut owner).await;
    let attacks = attacked.attacks();
    for user in [User::Anon, User::Is(ALICE)] {
        for attack in &attacks {
            let reply = through_host(&app, &user, &attack.steps).await;
            assert!(
                !attacked.is_stolen(&reply.bytes),
                "{user:?} {attack:?}\n{}",
                String::from_utf8_lossy(&reply.bytes)
            );
            // As an argument of a bundled tool, and by a tool that puts what it read into its error.
            let first = json!({ "query": attack.steps[0] });
            let reply = call(&app, &user, "database_query", &first).await;
            assert!(
                !attacked.is_stolen(&reply.bytes),
                "{user:?} {attack:?}\n{}",
                String::from_utf8_lossy(&reply.bytes)
            );
            let statements: Vec<_> = attack.steps.iter().map(|sql| json!({ "sql": sql })).collect();
            let reply = call(&app, &user, "sql_many", &json!({ "statements": statements, "end": "error" })).await;
            assert!(
                !attacked.is_stolen(&reply.bytes),
                "{user:?} {attack:?}\n{}",
                String::from_utf8_lossy(&reply.bytes)
            );
            assert_eq!(attacked.sum_of_bobs_rows(&mut owner).await, before, "{user:?} {attack:?}");
        }
    }
    let rows = audit_rows(&mut owner, attacks.len() * 6).await;
    let (mut own, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["user_id"] == json!(BOB));
    assert!(!attacked.is_stolen(json!(others).to_string().as_bytes()));
    let planted = own.pop().unwrap();
    assert!(
        own.is_empty() && attacked.is_stolen(planted.to_string().as_bytes()),
        "the database has one audit row of Bob"
    );
    let seen = app.get(&User::Is(ALICE), "/api/tool-calls?limit=200").await;
    assert!(seen.text.contains("sql_many") && !attacked.is_stolen(seen.text.as_bytes()));

    // The checks above can fail: they find the marker in Bob's own answer, and the log does have lines.
    let reply = call(&app, &User::Is(BOB), "sql", &json!({ "sql": "select body from notes" })).await;
    assert!(attacked.is_stolen(&reply.bytes));
    app.stop().await;
    let log = log.bytes();
    let line = b"/api/tools/{name}/call";
    assert!(log.windows(line.len()).any(|window| window == line), "{}", String::from_utf8_lossy(&log));
    assert!(!attacked.is_stolen(&log), "{}", String::from_utf8_lossy(&log));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_says_nothing_of_the_row_that_was_in_the_way() {
    let attacked = AttackedDatabase::new().await;
    // These tables have no row-level security, so the errors of Postgres name values.
    let tables = "create table public.handle (name text primary key, size int not null check (size > 0));
         create table public.link (name text references public.handle);
         insert into public.handle values ('taken', 7);
         insert into public.link values ('taken')";
    attacked.database.execute(tables).await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    app.install(guests::PROBE, &write_grants()).await;
    for (sql, sqlstate, detail) in [
        ("insert into handle select name, 1 from handle", "23505", "(taken)"),
        ("insert into handle select name || '2', -4711 from handle", "23514", "taken2"),
        ("insert into handle select name || '2', null from handle", "23502", "taken2"),
        ("insert into link select name || '2' from handle", "23503", "taken2"),
        ("delete from handle", "23503", "(taken)"),
    ] {
        let mut conn = attacked.database.login("behalf_tool_authenticated").await;
        begin_as(&mut conn, ALICE).await;
        let seen = send(&mut conn, &[sql.to_owned()], Protocol::Extended).await;
        let text = String::from_utf8_lossy(&seen.bytes);
        assert!(seen.sqlstate.as_deref() == Some(sqlstate) && text.contains(detail), "the server tells: {text}");
        drop(conn);
        let statements = json!([{ "sql": sql }]);
        let reply =
            call(&app, &User::Is(ALICE), "sql_many", &json!({ "statements": statements, "end": "error" })).await;
        let text = String::from_utf8_lossy(&reply.bytes);
        assert!(text.contains(sqlstate), "{sql}\n{text}");
        assert!(!text.contains("taken") && !text.contains("4711"), "{sql}\n{text}");
    }
}
