//! Tables that callers could not reach stay closed, and a running host notices those that show every row.

use behalf_caller_db::doctor::examine_catalog;
use behalf_host_db::MigrateOptions;
use behalf_telemetry::{Finding, Level};
use behalf_tests::{App, LogLines, Options, TestDatabase, User, eventually};
use reqwest::Method;
use tracing_subscriber::EnvFilter;

/// What the API roles may do with a table of `public`.
fn rights(table: &str) -> String {
    format!(
        "select coalesce(string_agg(r.name || ' ' || k.kind, ', ' order by 1), '')
         from unnest(array['anon', 'authenticated', 'service_role']) r (name), unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) k (kind)
         where has_table_privilege(r.name, 'public.{table}', k.kind)"
    )
}

async fn public_grants(database: &TestDatabase) -> Finding {
    let scope = super::scope(&database.logins);
    let findings = examine_catalog(&mut database.owner().await, &scope).await;
    findings.into_iter().find(|finding| finding.check == "public-grants").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_grants_nothing_on_a_schema_that_has_tables() {
    let database = TestDatabase::with_own_logins().await;
    database.execute("create table customers (name text); insert into customers values ('Ann')").await;
    database.migrate(&MigrateOptions::default()).await.unwrap();
    database.execute("create table later (a int); create sequence counter").await;
    for table in ["customers", "later"] {
        assert_eq!(database.value::<String>(&rights(table)).await, "", "{table}");
    }
    let sequence = "select has_sequence_privilege('anon', 'public.counter', 'USAGE')";
    assert!(!database.value::<bool>(sequence).await);
    let finding = public_grants(&database).await;
    assert!(finding.found.contains("had tables"), "{finding:?}");
    // What the app granted itself stays.
    database.execute("grant select on customers to anon").await;
    database.migrate(&MigrateOptions::default()).await.unwrap();
    assert_eq!(database.value::<String>(&rights("customers")).await, "anon SELECT");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_takes_the_platforms_defaults() {
    let database = TestDatabase::with_own_logins().await;
    database.migrate(&MigrateOptions::default()).await.unwrap();
    database.execute("create table later (a int)").await;
    assert_eq!(database.value::<String>(&rights("later")).await.split(", ").count(), 12);
    let finding = public_grants(&database).await;
    assert!(finding.level == Level::Ok && finding.found.contains("was empty"), "{finding:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_host_notices_what_is_exposed() {
    // What `dev` shows on the terminal: nothing below a warning.
    let log = LogLines::take_by(EnvFilter::new("warn"));
    let app = App::with(Options { settings: vec![("exposure_check_seconds", "1".to_owned())] }).await;
    let exposed = async || app.get(&User::Nobody, "/readyz").await.json["exposed_relations"].as_i64();
    assert_eq!(exposed().await, Some(0));
    app.database.execute("create table loose (a int); create view every_note as select * from notes").await;
    eventually("both are noticed", async || exposed().await == Some(2)).await;
    let metrics = app.request(&User::Nobody, Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.lines().any(|line| line == "behalf_exposed_relations 2"), "{metrics}");
    // Several looks later each still stands in the log once.
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    for name in ["loose has no row-level security", "every_note shows what its owner"] {
        assert_eq!(log.text().lines().filter(|line| line.contains(name)).count(), 1, "{name}");
    }
    app.database
        .execute("alter table loose enable row level security; alter view every_note set (security_invoker = true)")
        .await;
    eventually("both are mended", async || exposed().await == Some(0)).await;
}
