//! The app's own database goes on working after `behalf migrate`: its triggers and functions, its other clients, its owner.
//!
//! Each test migrates a database that has an app in it already, with logins of its own.

use behalf_caller_db::doctor::examine_catalog;
use behalf_host_db::{MigrateOptions, Migrated, app_uses};
use behalf_telemetry::{Finding, Level};
use behalf_tests::{ALICE, App, Options, TestDatabase, User, guests, write_grants};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};

/// A table that every API role may write.
const TABLE: &str = "
create table orders (id int generated always as identity, owner uuid, note text);
alter table orders enable row level security;
";
const OPEN: &str = "
grant usage on schema public to anon, authenticated, service_role;
grant select, insert, update, delete on orders to anon, authenticated, service_role;
create policy all_of_it on orders using (true) with check (true);
";
const NOTIFYING: &str = "
create function tell() returns trigger language plpgsql as $$
begin
    perform pg_notify('orders', new.id::text);
    return new;
end $$;
create trigger tell after insert on orders for each row execute function tell();
";

async fn app(code: &str) -> TestDatabase {
    let database = TestDatabase::with_own_logins().await;
    database.execute(&format!("{TABLE}{code}")).await;
    database
}

async fn migrate(database: &TestDatabase) -> Migrated {
    let migrated = database.migrate(&MigrateOptions::default()).await.unwrap();
    database.execute(OPEN).await;
    migrated
}

/// Runs a statement as a role; returns the server's refusal.
async fn as_role(conn: &mut PgConnection, role: &str, sql: &str) -> Result<(), String> {
    let text = format!("begin; set local role {role}; {sql}; commit");
    let result = sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *conn).await;
    sqlx::raw_sql("rollback").execute(conn).await.unwrap();
    result
        .map(|_| ())
        .map_err(|error| error.as_database_error().map_or(error.to_string(), |one| one.message().to_owned()))
}

async fn may(database: &TestDatabase, role: &str, function: &str) -> bool {
    database.value(&format!("select has_function_privilege('{role}', '{function}', 'EXECUTE')")).await
}

async fn findings(database: &TestDatabase, check: &str) -> Vec<Finding> {
    let scope = super::scope(&database.logins);
    let all = examine_catalog(&mut database.owner().await, &scope).await;
    all.into_iter().filter(|finding| finding.check == check).collect()
}

/// A role of the app's other clients. Roles belong to the whole server, so each test has its own.
async fn client_role(database: &TestDatabase) -> String {
    let role = format!("client_{}", database.name);
    database.execute(&format!("create role {role}; grant insert, select on orders to {role}")).await;
    role
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_notifies_works_for_callers_and_other_clients() {
    let database = app(NOTIFYING).await;
    let client = client_role(&database).await;
    let migrated = migrate(&database).await;
    let [found] = migrated.app_uses.as_slice() else { panic!("{:?}", migrated.app_uses) };
    assert_eq!((found.code.as_str(), found.reason.as_str()), ("function public.tell()", "uses pg_notify"));
    assert!(found.fix.contains("alter routine public.tell() security definer"), "{}", found.fix);

    let mut owner = database.owner().await;
    for role in ["anon", "authenticated", "service_role", &client] {
        as_role(&mut owner, role, "insert into orders (note) values ('x')").await.unwrap();
    }
    // Nothing else was opened, and nothing to the logins themselves.
    assert!(!may(&database, "authenticated", "set_config(text, text, boolean)").await);
    assert!(!may(&database, &database.logins.tools()[1], "pg_notify(text, text)").await);

    let doctor = findings(&database, "app-code").await;
    assert!(
        matches!(doctor.as_slice(), [one] if one.level == Level::Warning && one.found.contains("public.tell()")),
        "{doctor:?}"
    );
    assert!(findings(&database, "dangerous-functions").await.iter().all(|one| one.level == Level::Ok));
}

/// Runs `behalf migrate` on the database and returns what it says.
async fn migrate_command(database: &TestDatabase, revoke_all: &str) -> String {
    let program = behalf_config::environment("BEHALF_TEST_BIN").unwrap();
    let output = tokio::process::Command::new(program)
        .arg("migrate")
        .env("BEHALF_DATABASE_URL", database.owner_url())
        .env("BEHALF_HOST_DATABASE_URL", database.host_url())
        .env("BEHALF_TOOL_DATABASE_URL", database.tool_url())
        .env("BEHALF_LOGIN_PREFIX", database.logins.prefix())
        .env("BEHALF_REVOKE_ALL", revoke_all)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_names_each_with_its_cost_and_how_to_close_it() {
    let database = app(NOTIFYING).await;
    for (revoke_all, cost) in [("false", "the SQL gate holds alone"), ("true", "fails for callers")] {
        let said = migrate_command(&database, revoke_all).await;
        for part in ["function public.tell() uses pg_notify", cost, "security definer"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_api_server_and_a_queue_need_stays_open() {
    let cases = [
        (
            "create function headers() returns void language sql as $$ select set_config('response.headers', '[]', true) $$",
            "select headers()",
            "set_config(text, text, boolean)",
        ),
        (
            "create function take(k bigint) returns boolean language plpgsql as $$ begin return pg_try_advisory_xact_lock(k); end $$",
            "select take(7)",
            "pg_try_advisory_xact_lock(bigint)",
        ),
        (
            "create view seats as select pg_try_advisory_xact_lock(id) as free from orders; alter view seats set (security_invoker = true)",
            "select * from seats",
            "pg_try_advisory_xact_lock(bigint)",
        ),
        (
            "alter table orders alter note set default set_config('app.noted', 'yes', true)",
            "insert into orders default values",
            "set_config(text, text, boolean)",
        ),
        (
            "create policy counted on orders using (set_config('app.seen', 'yes', true) is not null)",
            "select * from orders",
            "set_config(text, text, boolean)",
        ),
        (
            "create function atomic() returns text begin atomic select set_config('a.b', 'c', true); end",
            "select atomic()",
            "set_config(text, text, boolean)",
        ),
        (
            "create function defaulted(a text default set_config('a.b', 'c', true)) returns text language sql as 'select a'",
            "select defaulted()",
            "set_config(text, text, boolean)",
        ),
        (
            "create function zone() returns text language sql as $$ select setting from pg_settings where name = 'TimeZone' $$",
            "select zone()",
            "pg_show_all_settings()",
        ),
        (
            "alter table orders add constraint told check (pg_notify('orders', note) is not null)",
            "insert into orders (note) values ('x')",
            "pg_notify(text, text)",
        ),
    ];
    for (code, statement, function) in cases {
        let database = app(code).await;
        let migrated = migrate(&database).await;
        assert!(!migrated.app_uses.is_empty(), "{code}");
        if code.contains("view") {
            database.execute("grant select on seats to authenticated").await;
        }
        assert!(may(&database, "authenticated", function).await, "{code}");
        let result = as_role(&mut database.owner().await, "authenticated", statement).await;
        assert_eq!(result, Ok(()), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_cannot_be_read_counts_as_a_user_of_everything_that_was_open() {
    let code =
        "create function run(statement text) returns void language plpgsql as $$ begin execute statement; end $$";
    let database = app(code).await;
    let migrated = migrate(&database).await;
    assert!(migrated.app_uses.iter().any(|one| one.code == "function public.run(text)" && one.objects.len() > 20));
    let mut owner = database.owner().await;
    as_role(&mut owner, "authenticated", "select run('select pg_notify(''a'', ''b'')')").await.unwrap();
    as_role(&mut owner, "authenticated", "select run('create temp table t (a int)')").await.unwrap();
    // What Postgres itself keeps from PUBLIC is not given to anybody.
    assert!(!may(&database, "authenticated", "pg_read_file(text)").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn security_definer_closes_it_again() {
    let database = app(NOTIFYING).await;
    migrate(&database).await;
    assert!(may(&database, "anon", "pg_notify(text, text)").await);
    database.execute("alter routine public.tell() security definer set search_path = ''").await;
    let stale = findings(&database, "app-code").await;
    assert!(stale.iter().any(|one| one.found.contains("no longer")), "{stale:?}");
    assert_eq!(database.migrate(&MigrateOptions::default()).await.unwrap().app_uses, []);
    for role in ["anon", "authenticated", "service_role"] {
        assert!(!may(&database, role, "pg_notify(text, text)").await, "{role}");
    }
    as_role(&mut database.owner().await, "anon", "insert into orders (note) values ('x')").await.unwrap();
    assert_eq!(findings(&database, "app-code").await[0].level, Level::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_revokes_all_the_same_and_the_refusal_says_why() {
    let database = app(NOTIFYING).await;
    let migrated = database.migrate(&MigrateOptions { revoke_all: true, ..MigrateOptions::default() }).await.unwrap();
    database.execute(OPEN).await;
    assert_eq!(migrated.app_uses.len(), 1, "it is named nevertheless");
    let refused = as_role(&mut database.owner().await, "authenticated", "insert into orders (note) values ('x')").await;
    assert_eq!(refused, Err("permission denied for function pg_notify".to_owned()));
    let doctor = findings(&database, "app-code").await;
    assert!(doctor.iter().any(|one| one.found.contains("permission denied for function")), "{doctor:?}");

    let app = App::on(database, Options::default()).await;
    app.install(guests::PROBE, &write_grants()).await;
    let answer = app
        .call(
            &User::Is(ALICE),
            "database_write",
            json!({ "table": "orders", "operation": "insert", "data": { "note": "x" } }),
        )
        .await;
    assert!(
        answer.text.contains("permission denied for function pg_notify") && answer.text.contains("behalf migrate"),
        "{}",
        answer.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_roles_keep_by_name_what_they_had_through_public() {
    let database = app("").await;
    let client = client_role(&database).await;
    migrate(&database).await;
    let mut owner = database.owner().await;
    for statement in [
        "select set_config('app.a', 'b', true)",
        "select pg_notify('a', 'b'), pg_advisory_xact_lock(1), pg_sleep(0)",
        "create temp table kept (a int)",
    ] {
        as_role(&mut owner, &client, statement).await.unwrap();
        assert!(as_role(&mut owner, "authenticated", statement).await.is_err(), "{statement}");
    }
    for (role, expected) in [(client.as_str(), true), ("authenticated", false)] {
        for language in ["sql", "plpgsql"] {
            let usage = format!("select has_language_privilege('{role}', '{language}', 'USAGE')");
            assert_eq!(database.value::<bool>(&usage).await, expected, "{role} {language}");
        }
    }
    // A second migration takes nothing of it away.
    database.migrate(&MigrateOptions::default()).await.unwrap();
    as_role(&mut owner, &client, "select set_config('app.a', 'b', true)").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_runs_as_its_owner_or_that_callers_cannot_run_opens_nothing() {
    let code = "
        create function definer() returns void language sql security definer as $$ select set_config('a.b', 'c', true) $$;
        create function internal() returns void language sql as $$ select set_config('a.b', 'c', true) $$;
        revoke execute on function internal() from public;
        create schema mine;
        create function mine.pg_notify(a text) returns text language sql as 'select a';
        create function named() returns text language plpgsql as $$ begin /* set_config('a') */ return mine.pg_notify('execute x'); end $$";
    let database = app(code).await;
    assert_eq!(migrate(&database).await.app_uses, []);
    assert!(!may(&database, "authenticated", "set_config(text, text, boolean)").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_becomes_the_api_roles_needs_set_config_as_postgrest_does() {
    let database = app("").await;
    let migrated = migrate(&database).await;
    assert_eq!(migrated.app_uses, [], "the logins of Behalf are no clients");
    let mut owner = database.owner().await;
    // Roles belong to the whole server, where other tests migrate: this one never becomes visible to them.
    let role = format!("rest_{}", database.name);
    let made = format!("begin; create role {role} login noinherit; grant anon, authenticated to {role}");
    sqlx::raw_sql(AssertSqlSafe(made)).execute(&mut owner).await.unwrap();
    let uses = app_uses(&mut owner).await.unwrap();
    sqlx::raw_sql("rollback").execute(&mut owner).await.unwrap();
    let [found] = uses.as_slice() else { panic!("{uses:?}") };
    assert_eq!(found.code, format!("login {role}"));
    assert_eq!(found.objects, ["function set_config(text,text,boolean)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_a_newer_postgres_no_longer_has_is_forgotten() {
    let database = app(NOTIFYING).await;
    migrate(&database).await;
    let gone = "insert into behalf.taken_from_public values ('function pg_stat_get_gone()');
        insert into behalf.left_open values ('function pg_stat_get_gone()', '{\"function public.old()\"}')";
    database.execute(gone).await;
    database.migrate(&MigrateOptions::default()).await.unwrap();
    let left = "select count(*) from behalf.taken_from_public where object like '%pg_stat_get_gone%'";
    assert_eq!(database.value::<i64>(left).await, 0);
    assert!(may(&database, "anon", "pg_notify(text, text)").await, "the rest is as it was");
}
