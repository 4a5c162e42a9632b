//! Wall 3, privilege, alone: no gate and no host. The attacker holds the tool's own connection, with Alice's claims bound as
//! the host binds them, and sends any statement.
//!
//! Attacks that privileges cannot stop have `Allows` in the table of attacks, with the reason: `SET` of the claims, and
//! statements for which Postgres has no privilege (`LISTEN`, `PREPARE`, `DECLARE … WITH HOLD`, `EXPLAIN` …). The gate stops
//! those. `DeniesExtended` marks attacks by several statements in one text, which only the simple protocol accepts.
//!
//! The attacks hold for a database whose own code needs nothing that is revoked, and for one where all is revoked the same
//! (`BEHALF_REVOKE_ALL`): there the API roles hold none of the dangerous functions, which a test below says. Where `behalf
//! migrate` left a function open for the app's code, the gate alone holds for this function (`operations::app_code`).

use behalf_host_db::MigrateOptions;
use behalf_tests::{ALICE, TestDatabase, database::run};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use super::attacked_database::AttackedDatabase;
use super::attacks::{Attack, Control, Privilege};
use super::connection::{Protocol, Seen, begin_as, send};

const LOGIN: &str = "behalf_tool_authenticated";

/// A user without rows, who gets the connection after Alice.
const CAROL: Uuid = Uuid::from_u128(0xca20_1000_0000_4000_8000_0000_0000_0003);

#[tokio::test(flavor = "multi_thread")]
async fn privilege_alone_stops_every_attack_that_one_statement_can_make() {
    attack_all(Protocol::Extended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn privilege_alone_stops_as_much_by_the_simple_protocol() {
    attack_all(Protocol::Simple).await;
}

async fn attack_all(protocol: Protocol) {
    let attacked = AttackedDatabase::new().await;
    let _bystander = attacked.bystander(LOGIN).await;
    let mut owner = attacked.database.owner().await;
    let before = attacked.sum_of_bobs_rows(&mut owner).await;
    let mut surprises = Vec::new();
    for attack in attacked.attacks() {
        let mut conn = attacked.database.login(LOGIN).await;
        let fresh = residue(&mut conn, &mut owner).await;
        begin_as(&mut conn, ALICE).await;
        let seen = send(&mut conn, &attack.steps, protocol).await;
        let mut as_listed = is_as_listed(&attacked, &attack, &seen, protocol);
        if matches!(attack.privilege, Privilege::Denies(_) | Privilege::Hides) {
            // The worst case: the host commits.
            run(&mut conn, "commit").await;
            as_listed &= residue(&mut conn, &mut owner).await == fresh;
        }
        // The end of the connection rolls back the rest and releases its locks.
        conn.close().await.unwrap();
        as_listed &= attacked.sum_of_bobs_rows(&mut owner).await == before;
        if !as_listed {
            surprises.push(format!("{attack:?}\n{:?} {}", seen.sqlstate, String::from_utf8_lossy(&seen.bytes)));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n\n"));
}

/// Whether the attack ended as the table says, also where the table says that this wall does not stop it.
fn is_as_listed(attacked: &AttackedDatabase, attack: &Attack, seen: &Seen, protocol: Protocol) -> bool {
    let (denied, stolen) = (seen.sqlstate.as_deref(), attacked.is_stolen(&seen.bytes));
    match attack.privilege {
        Privilege::Denies(code) => denied == Some(code) && !stolen,
        Privilege::DeniesExtended(code) if protocol == Protocol::Extended => denied == Some(code) && !stolen,
        Privilege::Hides => denied.is_none() && !stolen,
        Privilege::DeniesExtended(_) | Privilege::Allows(_) => {
            denied.is_none() && stolen == (attack.control == Control::Reads)
        }
    }
}

/// What one caller could leave behind for the next on this connection: identity, settings, rows, locks, temporary tables.
async fn residue(conn: &mut PgConnection, owner: &mut PgConnection) -> String {
    let settings = "select concat_ws('|', pg_backend_pid(), current_user, session_user, current_setting('role'),
        coalesce(current_setting('request.jwt.claims', true), ''), current_setting('search_path'), current_setting('row_security'),
        current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('session_replication_role'),
        current_setting('standard_conforming_strings'), current_setting('default_transaction_read_only'),
        (select count(*) from pg_class where relnamespace = pg_my_temp_schema()))";
    let settings: String = sqlx::query_scalar(settings).persistent(false).fetch_one(&mut *conn).await.unwrap();
    let pid: i32 = settings.split('|').next().unwrap().parse().unwrap();
    begin_as(conn, CAROL).await;
    let rows: i64 =
        sqlx::query_scalar("select count(*) from notes").persistent(false).fetch_one(&mut *conn).await.unwrap();
    run(conn, "rollback").await;
    let held: i64 =
        sqlx::query_scalar("select count(*) from pg_locks where pid = $1").bind(pid).fetch_one(owner).await.unwrap();
    format!("{settings}|{rows} rows|{held} locks")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_falls_to_an_attack_is_seen_to_be_left_behind() {
    // Each of these statements leaves something behind, and `residue` must find it; otherwise the tests above prove nothing.
    let attacked = AttackedDatabase::with_all_rights().await;
    let mut owner = attacked.database.owner().await;
    for step in [
        "set session request.jwt.claims = '{}'",
        "set session statement_timeout = 7",
        "create temp table kept as select 1 as a",
        "select pg_advisory_lock(42)",
    ] {
        let mut conn = attacked.database.login(LOGIN).await;
        let fresh = residue(&mut conn, &mut owner).await;
        begin_as(&mut conn, ALICE).await;
        send(&mut conn, &[step.to_owned(), "commit".to_owned()], Protocol::Extended).await;
        assert_ne!(residue(&mut conn, &mut owner).await, fresh, "{step}");
        conn.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_hold_no_dangerous_function_where_nothing_needs_one_or_all_are_revoked() {
    const OPEN: &str = "select count(*) from behalf.dangerous_functions() f (oid), pg_roles r
        where r.rolname in ('anon', 'authenticated', 'service_role') and has_function_privilege(r.oid, f.oid, 'EXECUTE')";
    // What the attacked databases are cloned from.
    assert_eq!(TestDatabase::create().await.value::<i64>(OPEN).await, 0);
    let app = "create function f() returns void language plpgsql as $$ begin execute 'select 1'; end $$";
    for (revoke_all, open) in [(true, false), (false, true)] {
        let database = TestDatabase::with_own_logins().await;
        database.execute(app).await;
        database.migrate(&MigrateOptions { revoke_all, ..MigrateOptions::default() }).await.unwrap();
        assert_eq!(database.value::<i64>(OPEN).await > 0, open, "revoke_all: {revoke_all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tools_login_is_a_member_of_one_role_and_owns_nothing() {
    let attacked = AttackedDatabase::new().await;
    for (login, role) in
        [("behalf_tool_anon", "anon"), (LOGIN, "authenticated"), ("behalf_tool_service", "service_role")]
    {
        let facts = format!(
            "select concat_ws(' ', rolinherit, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
                 (select string_agg(roleid::regrole::text, ',') from pg_auth_members where member = r.oid),
                 (select count(*) from pg_shdepend where refobjid = r.oid and deptype = 'o'))
             from pg_roles r where rolname = '{login}'"
        );
        assert_eq!(attacked.database.value::<String>(&facts).await, format!("f f f f f f {role} 0"), "{login}");
        let mut conn = attacked.database.login(login).await;
        // Without its role it reaches no table at all.
        let refused = send(&mut conn, &["select * from public.notes".to_owned()], Protocol::Extended).await;
        assert_eq!(refused.sqlstate.as_deref(), Some("42501"));
        let reachable: i64 = sqlx::query_scalar(AssertSqlSafe(
            "select count(*) from pg_class where relkind in ('r', 'p', 'v', 'm') and relnamespace::regnamespace::text
                 in ('public', 'ai', 'auth', 'behalf') and has_table_privilege(oid, 'select, insert, update, delete')",
        ))
        .fetch_one(&mut conn)
        .await
        .unwrap();
        assert_eq!(reachable, 0, "{login}");
    }
}
