//! Tables that callers could not reach stay closed, and a running host notices those that show every row.

use std::io::Write;
use std::sync::{Arc, Mutex};

use behalf_caller_db::doctor::examine_catalog;
use behalf_host_db::MigrateOptions;
use behalf_telemetry::{Finding, Level};
use behalf_tests::{App, Options, TestDatabase, User, eventually};
use reqwest::Method;

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

/// The lines that the host logs.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines_with(&self, text: &str) -> usize {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().filter(|line| line.contains(text)).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_host_notices_what_is_exposed() {
    let log = Log::default();
    let kept = log.clone();
    // What `dev` shows on the terminal: nothing below a warning. Each test is a process, so this one may take the whole log.
    let filter = tracing_subscriber::EnvFilter::new("warn");
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(move || kept.clone()).init();
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
        assert_eq!(log.lines_with(name), 1, "{name}");
    }
    app.database
        .execute("alter table loose enable row level security; alter view every_note set (security_invoker = true)")
        .await;
    eventually("both are mended", async || exposed().await == Some(0)).await;
}
