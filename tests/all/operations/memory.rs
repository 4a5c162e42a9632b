//! The memory of a tool's statement, on a Postgres that the host started.

use std::path::PathBuf;

use behalf_caller_db::doctor::examine;
use behalf_config::environment;
use behalf_host_db::LoginNames;
use behalf_local_postgres::{LocalOptions, LocalPostgres};
use behalf_telemetry::Level;
use behalf_tests::{ALICE, App, Options, TestDatabase, User, guests, write_grants};
use behalf_toolchain::session_limit;
use serde_json::json;

/// Far above what ordinary statements take, far below what the machine has.
const MEBIBYTES: u64 = 128;

async fn server() -> (LocalPostgres, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let options = LocalOptions {
        dir: dir.path().join("postgres"),
        bin_dir: environment("BEHALF_POSTGRES_BIN").map(PathBuf::from),
        port: None,
        settings: [("fsync", "off"), ("full_page_writes", "off")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
    };
    (LocalPostgres::start(&options).await.unwrap(), dir)
}

async fn app(local: &LocalPostgres) -> App {
    let database = TestDatabase::create_on(&local.owner_url()).await;
    database
        .execute(
            "create view public.workers with (security_invoker = true) as
             select current_setting('max_parallel_workers_per_gather') as n; grant select on public.workers to authenticated",
        )
        .await;
    let app = App::limited(database, Options::default(), session_limit(local, MEBIBYTES)).await;
    app.install(guests::PROBE, &write_grants()).await;
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_needs_too_much_memory_is_refused_by_the_limits_name_and_the_server_goes_on() {
    let (local, _dir) = server().await;
    let app = app(&local).await;
    let started = "select extract(epoch from pg_postmaster_start_time())::text";
    let before: String = app.database.value(started).await;
    let alice = User::Is(ALICE);
    for greedy in [
        "select cardinality(array_agg(repeat('x',1000000))) from generate_series(1,1800)",
        "select length(string_agg(repeat('x',1000000), '')) from generate_series(1,900)",
    ] {
        let refused = app.sql(&alice, greedy).await;
        assert_eq!((refused.status, &refused.json["code"]), (422, &json!("commit_failed")), "{}", refused.text);
        assert!(refused.text.contains("(128 MiB)"), "{}", refused.text);
        // The next statement of anybody's has a session, and the server was never restarted.
        let next = app.sql(&alice, "select title from notes order by title").await;
        assert_eq!(next.result()["rows"], json!([["Garden"], ["Safe"]]), "{}", next.text);
        assert_eq!(app.database.value::<String>(started).await, before);
    }
    app.stop().await;
    local.discard().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ordinary_work_of_tools_and_the_owner_is_as_before_and_doctor_sees_the_limit() {
    let (local, _dir) = server().await;
    let app = app(&local).await;
    let alice = User::Is(ALICE);
    let sorted = "select (count(*) = 200000)::text from (select n, md5(n::text) h from generate_series(1, 200000) n order by h) s";
    assert_eq!(app.sql(&alice, sorted).await.result()["rows"], json!([["true"]]));
    // No limit reaches a parallel worker, so a bounded session has none.
    let workers = app.sql(&alice, "select n from workers").await;
    assert_eq!(workers.result()["rows"], json!([["0"]]), "{}", workers.text);
    // The owner's session, which builds indexes, is not bounded.
    let mut owner = app.database.owner().await;
    let own: String = sqlx::query_scalar("select pg_read_file('/proc/self/limits', 0, 65536, true)")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let data = own.lines().find(|line| line.starts_with("Max data size")).unwrap();
    assert!(data.contains("unlimited"), "{data}");
    behalf_tests::database::run(
        &mut owner,
        "set maintenance_work_mem = '300MB';
         create table big as select n, md5(n::text) as h from generate_series(1, 1500000) n; create index on big (h)",
    )
    .await;
    let scope = super::scope(&LoginNames::default());
    let findings = examine(&app.database.owner_url(), None, &scope).await;
    let memory = findings.iter().find(|finding| finding.check == "statement-memory").unwrap();
    assert_eq!(memory.level, Level::Ok, "{memory:?}");
    assert!(memory.found.contains(&(MEBIBYTES << 20).to_string()), "{memory:?}");
    app.stop().await;
    local.discard().await.unwrap();
}
