//! Checks of what changes of tables need: the server's log, a login that reads it, and a publication.

use behalf_config::{Face, Secret, Settings};
use behalf_host_db::LoginNames;
use behalf_pgwire::{Target, TextRow};
use behalf_telemetry::Finding;

use crate::cli::host_db::host_db;

const NAME: &str = "realtime-changes";

const STATE: &str = "
    select current_setting('wal_level'), current_setting('max_slot_wal_keep_size') = '-1',
        (select count(*) from pg_publication_tables t where t.pubname = 'supabase_realtime'),
        exists (select from pg_publication p where p.pubname = 'supabase_realtime'),
        (select count(*) from pg_replication_slots s where s.slot_name not like 'behalf\\_realtime\\_%')
            >= current_setting('max_replication_slots')::int,
        r.rolcanlogin and r.rolreplication,
        r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolbypassrls
            or exists (select from pg_auth_members m where m.member = r.oid),
        current_setting('max_replication_slots')
    from (select) one left join pg_roles r on r.rolname = $1";

const LOGICAL: &str = "alter system set wal_level = 'logical'; and restart the server";
const BOUND: &str = "alter system set max_slot_wal_keep_size = '4GB'; select pg_reload_conf();";
const PUBLICATION: &str = "create publication supabase_realtime; alter publication supabase_realtime add table …;";

/// Whether changes of tables can be read, and what is to be done for it.
pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    if settings.realtime.face != Face::On {
        return vec![Finding::skipped(NAME, "channels are not served here")];
    }
    let names = LoginNames::new(&settings.login_prefix).unwrap_or_default();
    let url = settings.realtime.replication_database_url.as_ref().map(Secret::expose);
    let login = match url.map(Target::parse) {
        Some(Ok(target)) => target.user().to_owned(),
        Some(Err(error)) => {
            let fix = "postgres://user:password@host:port/database";
            return vec![Finding::error(NAME, format!("BEHALF_REPLICATION_DATABASE_URL: {error}"), fix)];
        }
        None => names.replication(),
    };
    let Ok(db) = host_db(settings).await else {
        return vec![Finding::skipped(NAME, "the database cannot be reached as the host")];
    };
    let rows = db.read(STATE, &[Some(&login)]).await;
    db.close().await;
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) => return vec![Finding::skipped(NAME, format!("cannot be seen: {error}"))],
    };
    let Some(row) = rows.first() else { return vec![Finding::skipped(NAME, "cannot be seen")] };
    let missing = missing(row, &login);
    if url.is_none() {
        let mut steps: Vec<&str> = missing.iter().map(|(_, fix)| fix.as_str()).collect();
        steps.push("set BEHALF_REPLICATION_DATABASE_URL to the address of that login");
        return vec![Finding::skipped(NAME, format!("changes of tables are off; to have them: {}", steps.join(" ")))];
    }
    if missing.is_empty() {
        let tables = row.text(2).unwrap_or_default();
        return vec![Finding::ok(NAME, format!("changes of {tables} tables are read as {login}"))];
    }
    missing.into_iter().map(|(found, fix)| Finding::warning(NAME, found, fix)).collect()
}

/// What is missing, and the commands that mend it.
fn missing(row: &TextRow, login: &str) -> Vec<(String, String)> {
    let is = |column| row.text(column) == Some("t");
    let mut missing = Vec::new();
    let mut say = |found: String, fix: &str| missing.push((found, fix.to_owned()));
    if row.text(0) != Some("logical") {
        let level = row.text(0).unwrap_or_default();
        say(format!("wal_level is {level}: the server's log has not what changes of tables need"), LOGICAL);
    }
    let quoted = login.replace('"', "\"\"");
    match row.text(5) {
        None => say(
            format!("there is no login {login} that reads the log"),
            &format!("create role \"{quoted}\" login replication password '…';"),
        ),
        Some("t") => {}
        Some(_) => {
            say(format!("{login} may not read the log"), &format!("alter role \"{quoted}\" with login replication;"));
        }
    }
    if is(6) {
        say(
            format!("{login} may do more than read the log"),
            &format!("make one that may not: create role {login}_only login replication password '…';"),
        );
    }
    if !is(3) {
        say("there is no publication supabase_realtime".to_owned(), PUBLICATION);
    }
    if is(4) {
        let slots = row.text(7).unwrap_or_default();
        say(
            format!("all {slots} replication slots are taken"),
            "alter system set max_replication_slots = …; and restart the server",
        );
    }
    if is(1) {
        say("a slot that no host reads keeps the server's log without bound".to_owned(), BOUND);
    }
    missing
}
