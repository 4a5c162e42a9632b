//! Several databases of one cluster, and restored backups: `behalf migrate` changes no login of another database.

use behalf_host_db::{LoginNames, MigrateError, MigrateOptions, run_script};
use behalf_identity::Role;
use behalf_tests::{ALICE, App, BOB, Options, TestDatabase, User};
use serde_json::json;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

const TITLES: &str = "select title from notes order by title";

/// The demo's rows.
const SEED: &str = include_str!("../../../host/toolchain/src/demo.sql");

fn titles(answer: &behalf_tests::Answer) -> Vec<&str> {
    answer.result().as_array().unwrap().iter().filter_map(|row| row["title"].as_str()).collect()
}

async fn alice_and_bob_see_their_own(app: &App) {
    for (user, expected) in [(ALICE, ["Garden", "Safe"].as_slice()), (BOB, ["Car"].as_slice())] {
        let answer = app.call(&User::Is(user), "database_query", json!({ "query": TITLES })).await;
        assert_eq!(titles(&answer), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_database_of_the_cluster_is_refused_and_changes_nothing() {
    let first = TestDatabase::create().await;
    let second = TestDatabase::empty().await;
    let password = second.host_url().replace(behalf_tests::LOGIN_PASSWORD, "of-staging");
    let (host, owner) = (behalf_pgwire::Target::parse(&password).unwrap(), second.owner_url());
    let refused = behalf_host_db::migrate(&owner, &host, &host, &MigrateOptions::default()).await.unwrap_err();
    let said = refused.to_string();
    assert!(matches!(refused, MigrateError::LoginsTaken { .. }), "{said}");
    for part in ["behalf_host", &second.name, "BEHALF_LOGIN_PREFIX", "--take-over-logins"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(second.value::<bool>("select to_regnamespace('behalf') is null").await, "the second database was changed");
    for login in ["behalf_host", "behalf_tool_anon", "behalf_tool_authenticated", "behalf_tool_service"] {
        first.login(login).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_a_prefix_of_its_own_is_served_beside_the_first() {
    let first = App::start().await;
    let second = TestDatabase::with_own_logins().await;
    second.migrate(&MigrateOptions::default()).await.unwrap();
    // Again, as every upgrade does.
    second.migrate(&MigrateOptions::default()).await.unwrap();
    run_script(&second.owner_url(), SEED).await.unwrap();
    assert_eq!(second.value::<i64>(&named_here("behalf_host")).await, 0, "the first database's login has rights here");
    assert!(second.value::<i64>(&named_here(&second.logins.host())).await > 10);
    let second = App::on(second, Options::default()).await;
    alice_and_bob_see_their_own(&second).await;
    alice_and_bob_see_their_own(&first).await;
    knows_its_tools(&second).await;
    // The second's logins read nothing of the first's tables.
    let login = second.database.logins.host();
    let granted = format!(
        "select count(*) from pg_class c where has_table_privilege('{login}', c.oid, 'select') and c.relnamespace = 'ai'::regnamespace"
    );
    assert_eq!(first.database.value::<i64>(&granted).await, 0);
}

/// The host finds the processes of its own tools, to end what they do not end by themselves.
async fn knows_its_tools(app: &App) {
    let login = app.database.logins.tool(Role::Authenticated);
    let own = format!("select count(*) > 0 and bool_and(login = '{login}') from behalf.tool_backends()");
    assert!(app.database.value::<bool>(&own).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_migrations_of_one_database_at_once_all_succeed() {
    let database = TestDatabase::with_own_logins().await;
    let options = MigrateOptions::default();
    let all = futures::future::join_all((0..4).map(|_| database.migrate(&options))).await;
    for one in all {
        assert!(one.unwrap().status.iter().all(|migration| migration.applied));
    }
}

/// How many grants and policies of the database name a login.
fn named_here(login: &str) -> String {
    format!(
        "select count(*) from pg_shdepend s join pg_roles r on r.oid = s.refobjid join pg_database d on d.oid = s.dbid
         where s.refclassid = 'pg_authid'::regclass and r.rolname = '{login}' and d.datname = current_database()"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_refused_until_it_has_logins_of_its_own() {
    // A copy of a migrated database, as a backup that is restored beside it: its grants and policies name the first's logins.
    let mut copy = TestDatabase::create().await;
    let refused = copy.migrate(&MigrateOptions::default()).await.unwrap_err();
    assert!(matches!(refused, MigrateError::LoginsTaken { .. }), "{refused}");

    let policies = "select count(*) from pg_policies where 'behalf_host' = any (roles)";
    assert!(copy.value::<i64>(policies).await > 10, "the copy names the first's logins");
    copy.logins = LoginNames::new(&copy.name).unwrap();
    copy.migrate(&MigrateOptions::default()).await.unwrap();
    assert_eq!(copy.value::<i64>(policies).await, 0);
    assert_eq!(copy.value::<i64>(&named_here("behalf_host")).await, 0);
    let copy = App::on(copy, Options::default()).await;
    alice_and_bob_see_their_own(&copy).await;
    knows_its_tools(&copy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_are_taken_over_where_that_is_said() {
    let old = TestDatabase::with_own_logins().await;
    old.migrate(&MigrateOptions::default()).await.unwrap();
    let mut new = TestDatabase::empty().await;
    new.logins = old.logins.clone();
    let refused = new.migrate(&MigrateOptions::default()).await.unwrap_err().to_string();
    assert!(refused.contains(&old.name), "{refused}");
    let take_over = MigrateOptions { take_over_logins: true, ..MigrateOptions::default() };
    new.migrate(&take_over).await.unwrap();
    let refused = old.migrate(&MigrateOptions::default()).await.unwrap_err().to_string();
    assert!(refused.contains(&new.name), "{refused}");
    // Who is dropped owns nothing.
    let mut server =
        behalf_tests::database::test_server().parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
    behalf_tests::database::run(&mut server, &format!("drop database {}", new.name)).await;
    old.migrate(&MigrateOptions::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_another_databases_login_is_refused() {
    let database = TestDatabase::with_own_logins().await;
    let others = behalf_pgwire::Target::parse(&TestDatabase::create().await.host_url()).unwrap();
    let options = MigrateOptions { logins: database.logins.clone(), ..MigrateOptions::default() };
    let refused = behalf_host_db::migrate(&database.owner_url(), &others, &others, &options).await.unwrap_err();
    assert!(matches!(refused, MigrateError::HostLogin { .. }), "{refused}");
}
