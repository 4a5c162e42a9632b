//! `behalf migrate` as an owner who is no superuser: what it lacks is said once, before anything is changed; what it could not do is
//! listed; and in a restored backup it closes again what the dump did not bring along.

use std::path::PathBuf;
use std::process::Command;

use behalf_config::environment;
use behalf_host_db::{LoginNames, MigrateError, MigrateOptions, Migrated, run_script};
use behalf_local_postgres::{LocalOptions, LocalPostgres};
use behalf_tests::database::run;
use behalf_tests::{ALICE, App, KillableServer, Options, TestDatabase, User};
use serde_json::json;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

/// The demo's tables, which are the app's.
const SEED: &str = include_str!("../../../host/toolchain/src/demo.sql");

/// Schemas and roles that migrations make.
const TRACES: &str = "select (select count(*) from pg_namespace where nspname in ('behalf', 'ai', 'auth'))
    + (select count(*) from pg_roles where rolname in ('anon', 'authenticated') or rolname like 'behalf\\_%' and rolname <> 'behalf_owner')";

/// A cluster without any role of the host's, and a database in it for this owner.
async fn database_of(owner: &str, attributes: &str) -> (KillableServer, TestDatabase) {
    let server = KillableServer::start().await;
    let mut admin = server.owner_url().parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
    run(&mut admin, &format!("create role {owner} login {attributes} password 'of-the-owner'")).await;
    run(&mut admin, &format!("create database app owner {owner}")).await;
    let mut database = TestDatabase::existing(&server.owner_url(), "app");
    database.log_in_as(owner, "of-the-owner");
    (server, database)
}

/// What the role is told that it lacks: the whole message.
async fn lacking(database: &TestDatabase) -> String {
    let refused = database.migrate(&MigrateOptions::default()).await.unwrap_err();
    assert!(matches!(refused, MigrateError::Lacking { .. }), "{refused:?}");
    assert_eq!(database.value::<i64>(TRACES).await, 0, "something was changed");
    refused.to_string()
}

/// The statements of a message.
fn statements(said: &str) -> Vec<&str> {
    said.lines().skip(1).map(str::trim).collect()
}

/// Lets a superuser run them, in this database.
async fn grant(server: &KillableServer, statements: &[&str]) {
    let admin: PgConnectOptions = server.owner_url().parse().unwrap();
    run(&mut admin.database("app").connect().await.unwrap(), &statements.join("\n")).await;
}

/// The statements that this server asks for: before Postgres 16, CREATEROLE alone lets a role grant every other.
async fn without_grants_before_16<'a>(database: &TestDatabase, wanted: &[&'a str]) -> Vec<&'a str> {
    let has_admin_option: bool = database.value("select current_setting('server_version_num')::int >= 160000").await;
    wanted.iter().copied().filter(|statement| has_admin_option || !statement.starts_with("grant ")).collect()
}

async fn alice_reads_her_notes(database: TestDatabase) {
    let app = App::on(database, Options::default()).await;
    let answer = app.call(&User::Is(ALICE), "database_query", json!({ "query": "select title from notes" })).await;
    assert_eq!(answer.result().as_array().unwrap().len(), 2, "{}", answer.text);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_owner_is_told_once_what_it_lacks_and_migrates_with_that() {
    let (server, mut database) = database_of("plain", "").await;
    let said = lacking(&database).await;
    assert!(said.starts_with("the role plain lacks what it takes to migrate app, and nothing was changed."), "{said}");
    let wanted = [
        "alter role plain createrole;",
        "create role service_role nologin noinherit bypassrls;",
        "grant service_role to plain with admin option;",
        "create extension vector;",
    ];
    assert_eq!(statements(&said), wanted);
    grant(&server, &statements(&said)).await;
    let Migrated { gaps, still_open, status, .. } = database.migrate(&MigrateOptions::default()).await.unwrap();
    assert!(status.iter().all(|one| one.applied));
    // What only a superuser may is named, with the statement that does it; and done, it is not named again.
    let fixes: Vec<&str> = gaps.iter().map(|gap| gap.fix.as_str()).collect();
    assert!(fixes.contains(&"alter role behalf_tool_anon set track_activities = off;"), "{fixes:?}");
    assert!(fixes.iter().any(|fix| fix.starts_with("create event trigger behalf_schema_changed")), "{fixes:?}");
    assert!(still_open.iter().any(|one| one == "function set_config(text,text,boolean)"), "{still_open:?}");
    run_script(&database.owner_url(), SEED).await.unwrap();
    alice_reads_her_notes(database.clone()).await;
    grant(&server, &fixes).await;
    let again = database.migrate(&MigrateOptions::default()).await.unwrap();
    assert_eq!(again.gaps, []);
    // A superuser closes the rest, and the owner migrates on.
    let owner = std::mem::replace(&mut database, TestDatabase::existing(&server.owner_url(), "app"));
    let closed = database.migrate(&MigrateOptions::default()).await.unwrap();
    assert_eq!(closed.still_open, Vec::<String>::new());
    let after = owner.migrate(&MigrateOptions::default()).await.unwrap();
    assert_eq!(after.still_open, Vec::<String>::new());
    alice_reads_her_notes(owner).await;
    server.discard().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_createrole_only_lacks_one_role_and_an_extension() {
    let (server, database) = database_of("makes_roles", "createrole").await;
    let said = lacking(&database).await;
    let wanted = [
        "create role service_role nologin noinherit bypassrls;",
        "grant service_role to makes_roles with admin option;",
        "create extension vector;",
    ];
    assert_eq!(statements(&said), without_grants_before_16(&database, &wanted).await);
    grant(&server, &statements(&said)).await;
    database.migrate(&MigrateOptions::default()).await.unwrap();
    database.migrate(&MigrateOptions::default()).await.unwrap();
    server.discard().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_second_database_is_told_of_the_shared_roles() {
    let (server, mut second) = database_of("second", "createrole").await;
    let first = TestDatabase::named_on(&server.owner_url(), "first").await;
    first.migrate(&MigrateOptions::default()).await.unwrap();
    // Logins of the first database are refused as before, and no rights on them are asked for.
    let taken = second.migrate(&MigrateOptions::default()).await.unwrap_err();
    assert!(matches!(taken, MigrateError::LoginsTaken { .. }), "{taken}");
    second.logins = LoginNames::new("behalf_second").unwrap();
    let refused = second.migrate(&MigrateOptions::default()).await.unwrap_err().to_string();
    let wanted = [
        "grant anon, authenticated, service_role, supabase_auth_admin, supabase_storage_admin to second with admin option;",
        "create extension vector;",
    ];
    assert_eq!(statements(&refused), without_grants_before_16(&second, &wanted).await, "{refused}");
    grant(&server, &statements(&refused)).await;
    second.migrate(&MigrateOptions::default()).await.unwrap();
    server.discard().await;
}

/// What tools must not have, and a dump of a database does not bring along.
const OPEN: &str = "select array_remove(array[
    case when has_database_privilege('behalf_tool_anon', current_database(), 'TEMP') then 'temporary tables' end,
    case when has_language_privilege('anon', 'sql', 'USAGE') then 'the language sql' end,
    case when has_language_privilege('anon', 'plpgsql', 'USAGE') then 'the language plpgsql' end,
    case when has_function_privilege('anon', 'set_config(text,text,boolean)', 'EXECUTE') then 'set_config' end], null)";

fn succeed(command: &mut Command) {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_repairs_a_backup_in_a_fresh_cluster_and_names_one_that_lost_its_rights() {
    let folder = tempfile::tempdir().unwrap();
    let server = async |name: &str| {
        let bin_dir = environment("BEHALF_POSTGRES_BIN").map(PathBuf::from);
        let options = LocalOptions { dir: folder.path().join(name), bin_dir, port: None, settings: Vec::new() };
        LocalPostgres::start(&options).await.unwrap()
    };
    let (first, second) = futures::join!(server("first"), server("second"));
    let database = TestDatabase::named_on(&first.owner_url(), "app").await;
    database.migrate(&MigrateOptions::default()).await.unwrap();
    run_script(&database.owner_url(), SEED).await.unwrap();
    assert_eq!(database.value::<Vec<String>>(OPEN).await, Vec::<String>::new());
    let (dump, roles) = (folder.path().join("app.dump"), folder.path().join("roles.sql"));
    let (pg_dump, pg_dumpall) = (database.program("pg_dump").await, database.program("pg_dumpall").await);
    succeed(Command::new(pg_dump).args(["--format=custom", "--file"]).arg(&dump).arg(database.owner_url()));
    let only_roles = ["--roles-only", "--no-role-passwords", "--file"];
    succeed(Command::new(pg_dumpall).args(only_roles).arg(&roles).arg("--dbname").arg(first.owner_url()));

    let (psql, pg_restore) = (database.program("psql").await, database.program("pg_restore").await);
    // Restored before its roles were there, which fails in part, nothing of it is granted to them.
    let lost = TestDatabase::named_on(&second.owner_url(), "lost").await;
    Command::new(&pg_restore).arg("--dbname").arg(lost.owner_url()).arg(&dump).output().unwrap();
    // The owner is there already.
    Command::new(psql).arg(second.owner_url()).arg("--file").arg(&roles).output().unwrap();
    let restored = TestDatabase::named_on(&second.owner_url(), "app").await;
    succeed(Command::new(&pg_restore).args(["--exit-on-error", "--dbname"]).arg(restored.owner_url()).arg(&dump));
    let open = restored.value::<Vec<String>>(OPEN).await;
    assert!(open.contains(&"temporary tables".to_owned()), "{open:?}");
    restored.migrate(&MigrateOptions::default()).await.unwrap();
    assert_eq!(restored.value::<Vec<String>>(OPEN).await, Vec::<String>::new());
    // The logins have their passwords again.
    alice_reads_her_notes(restored).await;
    // That is said, where a host would fail later.
    let take_over = MigrateOptions { take_over_logins: true, ..MigrateOptions::default() };
    let said = lost.migrate(&take_over).await.unwrap_err();
    assert!(matches!(said, MigrateError::RightsLost(_)), "{said:?}");
    first.discard().await.unwrap();
    second.discard().await.unwrap();
}
