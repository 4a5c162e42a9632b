//! Tries the policies: whoever does not exist has no rows, so a table that shows rows to two made-up users, or to a caller
//! without a user, shows them to everybody.
//!
//! Each table is read as a tool reads it, on the login of the role and with claims bound, in a transaction that is read-only
//! and rolled back. Where a table is empty, its policies are asked about a made-up row.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_host_db::bind::{Access, set_claims, set_role};
use behalf_identity::{CallerKey, Principal, Role};
use behalf_pgwire::{Conn, Step, Target, WireError};
use behalf_telemetry::Finding;

use super::Scope;
use super::logins::{LOG_IN_TIME, one_session, principal};
use crate::array_literal;
use crate::tool_pool::{ToolPool, text_row};

const NAME: &str = "policy-trial";
/// Rows are counted up to here.
const MAX_ROWS: &str = "100";
/// How long one table may take.
const TIMEOUT: &str = "set local statement_timeout = '2s'";
/// Names in the policies mean what they mean to the server.
const PATH: &str = "set local search_path = pg_catalog";
/// How long all tables together may take.
const ALL_TIMEOUT: Duration = Duration::from_mins(1);
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Every guarded table that the role may read: the statement that counts its visible rows, the one that asks the policies
/// about a made-up row, the names of the policies, and whether they call volatile functions. `$1` is the exposed schemas.
const TABLES: &str = r"
    with guarded (oid, name) as (
        select c.oid, c.oid::regclass::text
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = any ($1::text[]) and n.nspname <> 'ai' and c.relkind in ('r', 'p') and c.relrowsecurity
          and has_schema_privilege(n.oid, 'usage') and has_any_column_privilege(c.oid, 'select')
          and not exists (select from pg_description d where d.classoid = 'pg_class'::regclass and d.objoid = c.oid
                            and d.objsubid = 0 and d.description ~* '\mbehalf: reviewed\M')),
    policy (oid, tab, name, permissive, text) as (
        select p.oid, p.polrelid, p.polname::text, p.polpermissive, pg_get_expr(p.polqual, p.polrelid)
        from pg_policy p join guarded g on g.oid = p.polrelid
        where p.polcmd in ('r', '*') and (0::oid = any (p.polroles)
            or exists (select from unnest(p.polroles) r (oid) where r.oid <> 0 and pg_has_role(r.oid, 'usage')))),
    -- Functions of the server itself stand in no list of dependencies, so they are looked for by name.
    volatile (tab) as (
        select p.tab from policy p join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid
            and d.refclassid = 'pg_proc'::regclass
          join pg_proc f on f.oid = d.refobjid where f.provolatile = 'v'
        union
        select p.tab from policy p join pg_proc f on f.provolatile = 'v' and f.pronamespace = 'pg_catalog'::regnamespace
            and p.text ~ ('\m' || f.proname || '\('))
    select g.name,
        format('select count(*)::text from (select from %s limit ' || $2 || ') seen', g.name),
        format('select coalesce(((%s) and %s), false)::text from (select %s) as %I',
            (select string_agg(format('coalesce((%s), false)', p.text), ' or ') from policy p where p.tab = g.oid and p.permissive),
            coalesce((select string_agg(format('coalesce((%s), false)', p.text), ' and ') from policy p where p.tab = g.oid and not p.permissive), 'true'),
            (select string_agg(format('cast(%s as %s) as %I',
                    case when not a.attnotnull then 'null'
                         when t.typname = 'uuid' then quote_literal(gen_random_uuid())
                         when t.typcategory = 'S' then quote_literal('behalf-doctor')
                         when t.typcategory = 'N' then '32000'
                         when t.typname = 'bool' then 'false'
                         else 'null' end, format_type(a.atttypid, a.atttypmod), a.attname), ', ' order by a.attnum)
             from pg_attribute a join pg_type t on t.oid = a.atttypid
             where a.attrelid = g.oid and a.attnum > 0 and not a.attisdropped),
            (select c.relname from pg_class c where c.oid = g.oid)),
        (select string_agg(quote_ident(p.name), ', ' order by p.name) from policy p where p.tab = g.oid and p.permissive),
        (exists (select from volatile v where v.tab = g.oid))::text
    from guarded g
    where exists (select from policy p where p.tab = g.oid and p.permissive)
      and not exists (select from policy p join pg_description d on d.classoid = 'pg_policy'::regclass and d.objoid = p.oid
                      where p.tab = g.oid and d.description ~* '\mbehalf: reviewed\M')
    order by g.name";

/// A table, and the statements that try it.
struct Table {
    name: String,
    count: String,
    ask: String,
    policies: String,
    is_volatile: bool,
}

/// What callers who should see nothing saw of a table.
#[derive(Debug, Default)]
struct Seen {
    policies: BTreeSet<String>,
    /// The most rows that a made-up user saw.
    users: u64,
    /// The rows that a caller without a user saw.
    nobody: u64,
    /// Who would have seen a made-up row.
    would: BTreeSet<&'static str>,
}

/// What the trial found.
#[derive(Debug, Default)]
struct Trial {
    tables: BTreeSet<String>,
    seen: BTreeMap<String, Seen>,
    volatile: BTreeSet<String>,
    slow: BTreeSet<String>,
    failed: BTreeMap<String, String>,
}

/// Tries the policies of every table that callers may read.
pub(super) async fn examine(tools: &Target, scope: &Scope) -> Vec<Finding> {
    let pool = ToolPool::new(tools, None, one_session(&scope.logins));
    let mut trial = Trial::default();
    let end = Instant::now() + ALL_TIMEOUT;
    for role in [Role::Authenticated, Role::Authenticated, Role::Anon] {
        // A login that does not work is the finding of another check.
        let Ok(mut lease) = pool.lease(role, CallerKey::Role(role), LOG_IN_TIME).await else {
            return vec![Finding::skipped(NAME, "needs the tool logins")];
        };
        let (Ok(conn), Some(caller)) = (lease.conn(), principal(role).await) else {
            return vec![Finding::skipped(NAME, "needs the tool logins")];
        };
        if let Err(error) = trial.as_caller(conn, &caller, scope, end).await {
            return vec![Finding::skipped(NAME, format!("cannot be made: {error}"))];
        }
        lease.close();
    }
    trial.findings()
}

impl Trial {
    async fn as_caller(
        &mut self,
        conn: &mut Conn,
        caller: &Arc<Principal>,
        scope: &Scope,
        end: Instant,
    ) -> Result<(), WireError> {
        let who = if caller.subject().is_some() { "a user who does not exist" } else { "a caller without a user" };
        for table in tables(conn, caller, scope).await? {
            self.tables.insert(table.name.clone());
            if table.is_volatile {
                self.volatile.insert(table.name);
                continue;
            }
            if Instant::now() > end {
                self.slow.insert(table.name);
                continue;
            }
            let rows = match run(conn, caller, &table.count, &[]).await {
                Ok(rows) => rows.into_iter().next().and_then(|[count]: [String; 1]| count.parse().ok()).unwrap_or(0),
                // Whoever sees nothing of a large table without an index has the server read all of it.
                Err(error) if error.sqlstate() == Some("57014") => {
                    self.slow.insert(table.name.clone());
                    0
                }
                Err(error @ WireError::Server { .. }) => {
                    self.failed.insert(table.name, error.to_string());
                    continue;
                }
                Err(error) => return Err(error),
            };
            let would = match run::<1>(conn, caller, &table.ask, &[]).await {
                Ok(answer) => answer.first().is_some_and(|[shown]| shown == "true"),
                // Some policies cannot be asked apart from their table, and some types have no made-up value.
                Err(WireError::Server { .. }) => false,
                Err(error) => return Err(error),
            };
            if rows == 0 && !would {
                continue;
            }
            let seen = self.seen.entry(table.name).or_default();
            seen.policies.insert(table.policies);
            let count = if caller.subject().is_some() { &mut seen.users } else { &mut seen.nobody };
            *count = rows.max(*count);
            if would {
                seen.would.insert(who);
            }
        }
        Ok(())
    }

    fn findings(self) -> Vec<Finding> {
        let mut findings: Vec<_> = self.seen.iter().map(|(name, seen)| shown(name, seen)).collect();
        for (tables, why) in [
            (&self.volatile, "not tried, because their policies call volatile functions"),
            (&self.slow, "not tried to the end, because they take too long"),
        ] {
            if !tables.is_empty() {
                let names: Vec<_> = tables.iter().map(String::as_str).collect();
                findings.push(Finding::skipped(NAME, format!("{why}: {}", names.join(", "))));
            }
        }
        for (name, error) in &self.failed {
            findings.push(Finding::warning(
                NAME,
                format!("{name} cannot be read by a user who does not exist: {error}"),
                "let its policies answer false for a user whom they do not know",
            ));
        }
        if findings.is_empty() {
            let found = format!("none of {} tables shows a row to users who do not exist", self.tables.len());
            findings.push(Finding::ok(NAME, found));
        }
        findings
    }
}

/// The finding for a table that shows rows to everybody.
fn shown(name: &str, seen: &Seen) -> Finding {
    let rows = |count: u64| if count.to_string() == MAX_ROWS { format!("{count} or more") } else { count.to_string() };
    let policies = seen.policies.iter().map(String::as_str).collect::<Vec<_>>().join("; ");
    let found = match (seen.users, seen.nobody) {
        (0, 0) => {
            let who = seen.would.iter().copied().collect::<Vec<_>>().join(" and to ");
            format!("{name} would show a row that belongs to nobody to {who} (policies {policies})")
        }
        (users, nobody) => {
            let mut who = Vec::new();
            if users > 0 {
                who.push(format!("{} to users who do not exist", rows(users)));
            }
            if nobody > 0 {
                who.push(format!("{} to callers without a user", rows(nobody)));
            }
            format!("{name} shows rows to everybody: {} (policies {policies})", who.join(", "))
        }
    };
    let fix = format!(
        "alter policy … on {name} with a condition that no other user meets, such as owner_id = (select auth.uid()); where it is meant: comment on table {name} is 'behalf: reviewed';"
    );
    Finding::warning(NAME, found, fix)
}

async fn tables(conn: &mut Conn, caller: &Principal, scope: &Scope) -> Result<Vec<Table>, WireError> {
    let schemas = array_literal(&scope.schemas);
    let parameters = [Some(Cow::Borrowed(schemas.as_bytes())), Some(Cow::Borrowed(MAX_ROWS.as_bytes()))];
    let rows = run::<5>(conn, caller, TABLES, &parameters).await?;
    let table = |[name, count, ask, policies, is_volatile]: [String; 5]| Table {
        name,
        count,
        ask,
        policies,
        is_volatile: is_volatile == "true",
    };
    Ok(rows.into_iter().map(table).collect())
}

/// Runs a statement in the caller's name, in a read-only transaction that is rolled back, and returns its rows of text.
async fn run<const N: usize>(
    conn: &mut Conn,
    caller: &Principal,
    sql: &str,
    parameters: &[Option<Cow<'_, [u8]>>],
) -> Result<Vec<[String; N]>, WireError> {
    let (set_role, set_claims) = (set_role(caller), set_claims(caller));
    let mut steps: Vec<_> = [Access::Read.begin(), set_role, &set_claims, PATH, TIMEOUT]
        .into_iter()
        .map(|text| Step::command(text, false))
        .collect();
    steps.push(Step { text: sql, params: parameters, keep: false, max_rows: 0, names_columns: false });
    steps.push(Step::command("rollback", false));
    let answers = match conn.run(&steps, MAX_BYTES).await {
        Ok(answers) => answers,
        Err(error) => {
            if matches!(error, WireError::Server { .. }) {
                conn.run(&[Step::command("rollback", false)], 0).await?;
            }
            return Err(error);
        }
    };
    Ok(answers.iter().rev().nth(1).into_iter().flat_map(|answer| &answer.rows).filter_map(text_row).collect())
}
