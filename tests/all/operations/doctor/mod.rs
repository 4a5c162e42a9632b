//! `behalf doctor` finds each fault. Roles belong to the whole server, so a test makes its fault in a transaction, lets the
//! doctor look from inside this transaction, and rolls it back.

mod sign_in;
mod trial;

use behalf_caller_db::doctor::{Scope, examine, examine_catalog};
use behalf_host_db::LoginNames;
use behalf_pgwire::Target;
use behalf_telemetry::{Finding, Level};
use behalf_tests::{LOGIN_PASSWORD, TestDatabase};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

fn scope() -> Scope {
    let schemas = ["public", "ai", "storage"].map(str::to_owned).to_vec();
    Scope { schemas, try_policies: true, ..super::scope(&LoginNames::default()) }
}

async fn found(conn: &mut PgConnection, scope: &Scope, level: Level) -> Vec<Finding> {
    examine_catalog(conn, scope).await.into_iter().filter(|finding| finding.level == level).collect()
}

#[tokio::test]
async fn a_migrated_database_is_sound_for_its_owner_and_for_the_host() {
    let database = TestDatabase::create().await;
    let tools = Target::parse(&database.tool_url()).unwrap();
    for address in [database.owner_url(), database.host_url()] {
        let findings = examine(&address, Some(&tools), &scope()).await;
        // The server of the tests bounds nobody's memory; `operations::memory` has one that does.
        let of_server = |finding: &&Finding| finding.check != "statement-memory";
        let bad: Vec<_> = findings.iter().filter(of_server).filter(|finding| finding.level >= Level::Warning).collect();
        assert!(bad.is_empty(), "{bad:#?}");
        assert!(findings.iter().filter(|finding| finding.level == Level::Ok).count() > 25, "{findings:#?}");
    }
}

#[tokio::test]
async fn memory_without_a_bound_is_said_with_how_to_set_one() {
    let database = TestDatabase::create().await;
    let of = async |address: String| {
        let findings = examine(&address, None, &scope()).await;
        findings.into_iter().find(|finding| finding.check == "statement-memory").unwrap()
    };
    let unbounded = of(database.owner_url()).await;
    assert_eq!(unbounded.level, Level::Warning, "{unbounded:?}");
    assert!(unbounded.fix.unwrap().contains("LimitDATA"));
    // The host may not see the server's processes, and says so instead of guessing.
    assert_eq!(of(database.host_url()).await.level, Level::Skipped);
}

#[tokio::test]
async fn a_database_without_migrations_is_not_sound() {
    // The logins belong to the whole server, so they exist because another database has made them.
    TestDatabase::create().await;
    let database = TestDatabase::empty().await;
    let tools = Target::parse(&database.tool_url()).unwrap();
    let findings = examine(&database.owner_url(), Some(&tools), &scope()).await;
    for check in ["migrations", "extension-vector", "languages", "create-rights", "auth-functions", "identity"] {
        assert!(
            findings.iter().any(|finding| finding.check == check && finding.level == Level::Error),
            "{check}: {findings:#?}"
        );
    }
}

#[tokio::test]
async fn tools_that_reach_another_database_or_cannot_log_in_are_found() {
    let (database, other) = (TestDatabase::create().await, TestDatabase::create().await);
    let findings = examine(&database.owner_url(), Some(&Target::parse(&other.tool_url()).unwrap()), &scope()).await;
    assert!(
        findings.iter().any(|finding| finding.check == "one-database" && finding.level == Level::Error),
        "{findings:#?}"
    );
    let wrong = Target::parse(&database.tool_url().replace(LOGIN_PASSWORD, "wrong")).unwrap();
    let findings = examine(&database.owner_url(), Some(&wrong), &scope()).await;
    assert!(
        findings.iter().any(|finding| finding.check == "tool-log-in" && finding.level == Level::Error),
        "{findings:#?}"
    );
}

/// The SQL that makes each fault, the check that finds it, and its level.
const FAULTS: &[(&str, &str, Level)] = &[
    ("create table loose (a int)", "row-level-security", Level::Error),
    ("create table loose (a int); revoke all on loose from anon, authenticated; grant select (a) on loose to authenticated", "row-level-security", Level::Error),
    ("create table loose (a int); revoke all on loose from anon, authenticated; grant insert on loose to public", "row-level-security", Level::Error),
    ("alter table notes disable row level security", "row-level-security", Level::Error),
    ("create table parted (a int) partition by list (a); alter table parted enable row level security; create policy p on parted using (a = 2);
      create table part1 partition of parted for values in (1)", "row-level-security", Level::Error),
    ("create table silent (a int); alter table silent enable row level security", "policies", Level::Warning),
    ("create policy p on notes for select using (true)", "open-policies", Level::Warning),
    ("create policy p on notes for insert to anon with check (title = 'x'); grant insert on notes to anon", "anon-writes", Level::Warning),
    ("create function f() returns void language sql as 'delete from public.notes'", "anon-functions", Level::Warning),
    ("create policy p on notes for insert to authenticated with check (true)", "open-policies", Level::Warning),
    ("create policy p on notes to authenticated using ((auth.jwt() -> 'user_metadata' ->> 'admin')::boolean)", "policy-sources", Level::Warning),
    ("create policy p on notes to authenticated using (owner_id = current_setting('app.user')::uuid)", "policy-sources", Level::Warning),
    ("create view leak as select * from notes", "views", Level::Error),
    ("create view leak with (security_invoker = off) as select * from notes", "views", Level::Error),
    ("create materialized view leak as select * from notes", "rows-without-policies", Level::Error),
    ("create foreign data wrapper w; create server far foreign data wrapper w; create foreign table leak (a int) server far", "rows-without-policies", Level::Error),
    ("create foreign data wrapper w; create server far foreign data wrapper w; grant usage on foreign server far to public", "rows-without-policies", Level::Error),
    ("grant truncate on notes to authenticated", "table-rights", Level::Warning),
    ("create sequence counter; grant update on counter to anon", "table-rights", Level::Warning),
    ("alter default privileges in schema public grant truncate on tables to anon", "default-privileges", Level::Warning),
    ("alter default privileges grant select on tables to public", "default-privileges", Level::Warning),
    ("create function f() returns bigint language sql security definer as 'select count(*) from public.notes'", "definer-functions", Level::Error),
    ("create schema back; grant usage on schema back to authenticated;
      create function back.f() returns int language sql security definer set search_path = '' as 'select 1'", "definer-functions", Level::Warning),
    ("grant execute on function set_config(text, text, boolean) to public", "dangerous-functions", Level::Error),
    ("grant execute on function pg_notify(text, text) to behalf_tool_service", "dangerous-functions", Level::Error),
    ("grant usage on language plpgsql to public", "languages", Level::Error),
    ("grant usage on language sql to authenticated", "languages", Level::Error),
    ("create function f(cstring) returns int language internal strict as 'int4in'", "untrusted-functions", Level::Warning),
    ("create or replace function auth.uid() returns uuid language sql stable as $$ select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
      nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$", "auth-functions", Level::Warning),
    ("alter function auth.uid() rename to who", "auth-functions", Level::Error),
    ("revoke execute on function auth.jwt() from public, authenticated", "auth-functions", Level::Error),
    ("alter extension vector set schema auth; drop extension vector cascade", "extension-vector", Level::Error),
    ("alter role behalf_tool_anon superuser", "tool-logins", Level::Error),
    ("alter role behalf_tool_anon bypassrls", "tool-logins", Level::Error),
    ("alter role behalf_tool_service inherit", "tool-logins", Level::Error),
    ("alter role behalf_tool_authenticated createrole", "tool-logins", Level::Error),
    ("alter role behalf_tool_authenticated createdb", "tool-logins", Level::Error),
    ("alter role behalf_tool_authenticated replication", "tool-logins", Level::Error),
    ("alter role authenticated bypassrls", "tool-logins", Level::Error),
    ("alter role behalf_tool_anon nologin", "tool-logins", Level::Error),
    ("alter role anon login", "tool-logins", Level::Warning),
    ("alter role behalf_host valid until '2020-01-01'", "tool-logins", Level::Error),
    ("grant service_role to behalf_tool_authenticated", "memberships", Level::Error),
    ("grant pg_read_all_data to authenticated", "memberships", Level::Error),
    ("grant authenticated to behalf_tool_authenticated with admin option", "memberships", Level::Error),
    ("revoke anon from behalf_tool_anon", "memberships", Level::Error),
    ("alter table notes owner to authenticated", "ownership", Level::Error),
    ("alter table ai.tool_calls owner to behalf_host", "ownership", Level::Error),
    ("create schema theirs authorization behalf_tool_anon", "ownership", Level::Error),
    ("do $$ begin execute format('grant temporary on database %I to public', current_database()); end $$", "create-rights", Level::Error),
    ("grant create on schema public to authenticated", "create-rights", Level::Error),
    ("create schema extensions; grant create on schema extensions to public", "create-rights", Level::Error),
    ("alter role behalf_host bypassrls", "host-login", Level::Error),
    ("alter role behalf_host superuser", "host-login", Level::Error),
    ("grant service_role to behalf_host", "host-login", Level::Error),
    ("alter role behalf_host createdb", "host-login", Level::Error),
    ("alter role behalf_host createrole", "host-login", Level::Error),
    ("alter role behalf_host replication", "host-login", Level::Error),
    ("grant pg_read_all_data to behalf_host", "host-login", Level::Error),
    ("grant pg_execute_server_program to behalf_host", "host-login", Level::Error),
    ("alter role behalf_tool_anon reset track_activities", "activity", Level::Warning),
    ("grant set on parameter session_replication_role to anon", "parameters", Level::Error),
    ("alter role behalf_tool_anon connection limit 1", "connections", Level::Warning),
    ("set lo_compat_privileges = on", "server-settings", Level::Error),
];

#[tokio::test]
async fn every_planted_fault_is_found() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    let mut missed = Vec::new();
    for (fault, check, level) in FAULTS {
        let mut tx = owner.begin().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe((*fault).to_owned()))
            .execute(&mut *tx)
            .await
            .unwrap_or_else(|error| panic!("{fault}: {error}"));
        let all = found(&mut tx, &scope(), *level).await;
        let hits: Vec<_> = all.iter().filter(|finding| finding.check == *check).collect();
        if hits.is_empty() || hits.iter().any(|finding| finding.fix.as_deref().unwrap_or_default().is_empty()) {
            missed.push(format!("{check} {level:?}: {fault}\n    {all:?}"));
        }
        tx.rollback().await.unwrap();
    }
    assert!(missed.is_empty(), "not found:\n{}", missed.join("\n"));
}

/// Where the advice of a finding is a statement, running it repairs the fault.
#[tokio::test]
async fn what_the_mends_say_mends() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    for fault in [
        "create table \"Loose one\" (a int)",
        "create view \"Leak\" as select * from notes",
        "create materialized view leak as select * from notes",
        "grant execute on function set_config(text, text, boolean), pg_sleep(double precision) to public; grant usage on language plpgsql to anon",
        "alter role behalf_tool_anon superuser bypassrls createrole inherit; grant pg_monitor to authenticated",
        "grant create on schema public to authenticated; alter role behalf_host bypassrls; grant anon to behalf_tool_anon with admin option",
        "alter default privileges in schema public grant truncate on tables to anon; grant set on parameter session_replication_role to anon",
        "create function f(a int, b text default 'x') returns int language sql security definer as 'select 1'",
        "alter function auth.role() rename to was; create or replace function auth.uid() returns uuid language sql stable as $$ select current_setting('request.jwt.claim.sub', true)::uuid $$",
    ] {
        let mut tx = owner.begin().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(fault.to_owned())).execute(&mut *tx).await.unwrap();
        let before: Vec<_> = examine_catalog(&mut tx, &scope())
            .await
            .into_iter()
            .filter(|finding| finding.level >= Level::Warning)
            .collect();
        assert!(!before.is_empty(), "{fault}");
        for fix in before.iter().filter_map(|finding| finding.fix.as_deref()) {
            // Text after the last semicolon is for people. Several statements are either one repair or alternatives.
            let first =
                if fix.starts_with("do $$") { fix } else { fix.split_inclusive(';').next().unwrap_or_default() };
            sqlx::raw_sql(AssertSqlSafe(first.to_owned()))
                .execute(&mut *tx)
                .await
                .unwrap_or_else(|error| panic!("{first}: {error}"));
        }
        let after = found(&mut tx, &scope(), Level::Error).await;
        assert!(after.is_empty(), "{fault}: {after:#?}");
        tx.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn a_reviewed_object_is_not_reported_again() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    let planted = "create table countries (name text); comment on table countries is 'Same for all. behalf: reviewed';
        create view names as select name from countries; comment on view names is 'behalf: reviewed';
        create function f() returns int language sql security definer as 'select 1'; comment on function f() is 'Behalf: reviewed by ops';
        create policy p on notes for select using (true); comment on policy p on notes is 'behalf: reviewed'";
    sqlx::raw_sql(planted).execute(&mut owner).await.unwrap();
    for level in [Level::Error, Level::Warning] {
        assert_eq!(found(&mut owner, &scope(), level).await, []);
    }
}

#[tokio::test]
async fn what_the_owner_cannot_revoke_is_a_warning() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    let mut tx = owner.begin().await.unwrap();
    let planted = "create role landlord; grant execute on function set_config(text, text, boolean) to public; grant usage on language plpgsql to public;
        do $$ begin execute format('alter database %I owner to landlord', current_database()); end $$; grant usage on schema behalf to landlord; set local role landlord";
    sqlx::raw_sql(planted).execute(&mut *tx).await.unwrap();
    let findings = examine_catalog(&mut tx, &scope()).await;
    for check in ["dangerous-functions", "languages"] {
        assert!(
            findings.iter().any(|finding| finding.check == check && finding.level == Level::Warning),
            "{check}: {findings:#?}"
        );
    }
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn a_schema_of_the_platform_must_not_be_exposed() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    for schema in ["auth", "behalf", "pg_catalog", "information_schema"] {
        let scope = Scope { schemas: vec!["public".to_owned(), schema.to_owned()], ..scope() };
        let errors = found(&mut owner, &scope, Level::Error).await;
        assert!(errors.iter().any(|finding| finding.check == "exposed-schemas"), "{schema}: {errors:#?}");
    }
}

#[tokio::test]
async fn a_host_that_logs_in_as_the_owner_is_found() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    let login: String = sqlx::query_scalar("select current_user::text").fetch_one(&mut owner).await.unwrap();
    let errors = found(&mut owner, &Scope { host_login: login, ..scope() }, Level::Error).await;
    assert!(errors.iter().any(|finding| finding.check == "host-login"), "{errors:#?}");
}
