//! Looks for code of the app that needs what is revoked from PUBLIC: functions, policies, views, defaults, constraints, rules and
//! triggers that run as the caller.
//!
//! The host's own schemas are left out. A SECURITY DEFINER function runs as its owner, who keeps what PUBLIC had. Text that
//! cannot be read (statements built as text, other languages) counts as a user of everything. The functions of an extension
//! count by the names in them, in their literals as well: extensions build statements as text, but of their own parts.

mod scan;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Connection, PgConnection, Row};

use scan::{Seen, scan};

/// Something that was revoked from PUBLIC.
#[derive(Clone, Debug)]
struct Closed {
    /// The name by which code uses it.
    name: String,
    /// Its name in `behalf.taken_from_public`.
    object: String,
    how: How,
}

/// How code uses something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Call,
    CreatesTemporary,
    /// Through a view of the system, such as `pg_settings`: Postgres asks whether the caller may run the view's functions.
    View,
}

/// The name of temporary tables in `behalf.taken_from_public`.
const TEMPORARY: &str = "temporary";

/// A piece of the app's code that needs something that was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppUse {
    /// What it is, such as `function public.f()`.
    pub code: String,
    /// Why it counts, such as `calls pg_notify`.
    pub reason: String,
    /// What it needs, as `behalf.taken_from_public` names it.
    pub objects: Vec<String>,
    /// How to make it need nothing.
    pub fix: String,
}

/// The app's code. Columns: what it is, its text, its language, whether an extension brought it, and the function's signature.
const CODE: &str = "
with api (oid) as (
    select r.oid from pg_catalog.pg_roles r where r.rolname in ('anon', 'authenticated', 'service_role')),
  space (oid) as (
    select n.oid from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'ai', 'behalf', 'behalf_limits', 'behalf_kv')),
  brought (classid, objid) as (
    select d.classid, d.objid from pg_catalog.pg_depend d
    where d.deptype = 'e' and d.refclassid = 'pg_catalog.pg_extension'::regclass),
  code (what, text, language, classid, objid, signature) as (
    select (case p.prokind when 'p' then 'procedure ' else 'function ' end) || p.oid::regprocedure,
           coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc), l.lanname::text, 'pg_catalog.pg_proc'::regclass, p.oid,
           p.oid::regprocedure::text
    from pg_catalog.pg_proc p join space s on s.oid = p.pronamespace join pg_catalog.pg_language l on l.oid = p.prolang
    where p.prokind in ('f', 'p', 'w') and l.lanname not in ('c', 'internal')
      and p.prorettype <> 'pg_catalog.event_trigger'::regtype
      and (not p.prosecdef or exists (select from api a where pg_catalog.pg_has_role(a.oid, p.proowner, 'MEMBER')))
      -- Whether the function of a trigger may be executed is asked when the trigger is created, not when it runs.
      and (p.prorettype = 'pg_catalog.trigger'::regtype
           or exists (select from api a where pg_catalog.has_function_privilege(a.oid, p.oid, 'EXECUTE')))
    union all
    select 'defaults of ' || p.oid::regprocedure, pg_catalog.pg_get_expr(p.proargdefaults, 0), 'sql',
           'pg_catalog.pg_proc'::regclass, p.oid, null
    from pg_catalog.pg_proc p join space s on s.oid = p.pronamespace where p.proargdefaults is not null
    union all
    select 'view ' || c.oid::regclass, pg_catalog.pg_get_viewdef(c.oid), 'sql', 'pg_catalog.pg_class'::regclass, c.oid, null
    from pg_catalog.pg_class c join space s on s.oid = c.relnamespace where c.relkind = 'v'
    union all
    select format('policy %I on %s', p.polname, c.oid::regclass),
           concat_ws(' ', pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)),
           'sql', 'pg_catalog.pg_policy'::regclass, p.oid, null
    from pg_catalog.pg_policy p join pg_catalog.pg_class c on c.oid = p.polrelid join space s on s.oid = c.relnamespace
    union all
    select format('default of %s.%I', c.oid::regclass, a.attname), pg_catalog.pg_get_expr(d.adbin, d.adrelid), 'sql',
           'pg_catalog.pg_class'::regclass, c.oid, null
    from pg_catalog.pg_attrdef d join pg_catalog.pg_class c on c.oid = d.adrelid join space s on s.oid = c.relnamespace
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = d.adnum
    union all
    select format('constraint %I', k.conname), pg_catalog.pg_get_constraintdef(k.oid), 'sql',
           'pg_catalog.pg_constraint'::regclass, k.oid, null
    from pg_catalog.pg_constraint k join space s on s.oid = k.connamespace where k.contype = 'c'
    union all
    select 'domain ' || t.oid::regtype, t.typdefault, 'sql', 'pg_catalog.pg_type'::regclass, t.oid, null
    from pg_catalog.pg_type t join space s on s.oid = t.typnamespace where t.typtype = 'd' and t.typdefault is not null
    union all
    select format('rule %I on %s', r.rulename, c.oid::regclass), pg_catalog.pg_get_ruledef(r.oid), 'sql',
           'pg_catalog.pg_rewrite'::regclass, r.oid, null
    from pg_catalog.pg_rewrite r join pg_catalog.pg_class c on c.oid = r.ev_class join space s on s.oid = c.relnamespace
    where r.rulename <> '_RETURN'
    union all
    -- The function of a trigger stands above; here is its condition.
    select format('trigger %I on %s', t.tgname, c.oid::regclass),
           regexp_replace(pg_catalog.pg_get_triggerdef(t.oid), ' EXECUTE (FUNCTION|PROCEDURE) .*$', ''), 'sql',
           'pg_catalog.pg_trigger'::regclass, t.oid, null
    from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid join space s on s.oid = c.relnamespace
    where t.tgqual is not null)
select c.what, c.text, c.language,
    exists (select from brought b where b.classid = c.classid and b.objid = c.objid), c.signature
from code c
where c.text <> ''
order by 1";

/// What PUBLIC had and code can call.
const CLOSED: &str = "
select p.proname::text, t.object
from behalf.dangerous_functions() f (oid) join pg_catalog.pg_proc p on p.oid = f.oid
  join behalf.taken_from_public t on t.object = 'function ' || p.oid::regprocedure
union all
select t.object, t.object from behalf.taken_from_public t where t.object = 'temporary'
order by 1, 2";

/// Logins of clients that become the API roles, as `PostgREST`'s does.
const CLIENTS: &str = "
select r.rolname::text
from pg_catalog.pg_roles r
where r.rolcanlogin and not r.rolsuper
  -- The logins of Behalf, of every database of this cluster; and the owner, whom `migrate` makes a member.
  and r.rolname !~ '_tool_(anon|authenticated|service)$'
  and coalesce(pg_catalog.shobj_description(r.oid, 'pg_authid'), '') not like 'behalf: logins of %'
  and r.rolname <> current_user
  and not exists (select from pg_catalog.pg_database d where d.datname = current_database() and d.datdba = r.oid)
  and exists (select from pg_catalog.pg_roles a
              where a.rolname in ('anon', 'authenticated', 'service_role') and a.oid <> r.oid
                and pg_catalog.pg_has_role(r.oid, a.oid, 'MEMBER'))
order by 1";

/// What such a client calls as an API role: since version 12, `PostgREST` counts the new rows of an upsert with it.
const CALLED_BY_CLIENTS: &str = "function set_config(text,text,boolean)";

/// The views of the system.
const VIEWS: &str = "
select c.relname::text, pg_catalog.pg_get_viewdef(c.oid)
from pg_catalog.pg_class c
where c.relkind = 'v' and c.relnamespace = 'pg_catalog'::regnamespace
order by 1";

/// The app's code that needs what `behalf migrate` revokes from PUBLIC.
pub async fn app_uses(conn: &mut PgConnection) -> Result<Vec<AppUse>, sqlx::Error> {
    let mut tx = conn.begin().await?;
    // So that every name is written with its schema, whatever the path of the session is.
    sqlx::query("set local search_path = pg_catalog").execute(&mut *tx).await?;
    let closed = sqlx::query(CLOSED).persistent(false).fetch_all(&mut *tx).await?;
    let mut closed: Vec<_> = closed
        .iter()
        .map(|row| {
            let (name, object): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let how = if object == TEMPORARY { How::CreatesTemporary } else { How::Call };
            Ok(Closed { name, object, how })
        })
        .collect::<Result<_, sqlx::Error>>()?;
    let views = sqlx::query(VIEWS).persistent(false).fetch_all(&mut *tx).await?;
    let views = views.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, sqlx::Error>>()?;
    add_views(&mut closed, views);
    let rows = sqlx::query(CODE).persistent(false).fetch_all(&mut *tx).await?;
    let clients: Vec<String> = sqlx::query_scalar(CLIENTS).persistent(false).fetch_all(&mut *tx).await?;
    tx.rollback().await?;
    let mut uses = Vec::new();
    if closed.iter().any(|one| one.object == CALLED_BY_CLIENTS) {
        uses.extend(clients.into_iter().map(|login| AppUse {
            code: format!("login {login}"),
            reason: "becomes the API roles, as PostgREST does, whose upserts call set_config".to_owned(),
            objects: vec![CALLED_BY_CLIENTS.to_owned()],
            fix: "where no PostgREST uses this database: drop the login, or let behalf migrate revoke all the same (docs/operations.md)".to_owned(),
        }));
    }
    for row in rows {
        let (code, text, language): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (extension, signature): (bool, Option<String>) = (row.try_get(3)?, row.try_get(4)?);
        let (needs, reason) = needs(&text, &language, extension, &closed);
        if !needs.is_empty() {
            uses.push(AppUse { code, reason, objects: needs.into_iter().collect(), fix: fix(signature.as_deref()) });
        }
    }
    Ok(uses)
}

/// Adds the views that call what is closed, and the views upon these.
fn add_views(closed: &mut Vec<Closed>, views: Vec<(String, String)>) {
    let mut left: Vec<_> = views.into_iter().map(|(name, text)| (name, scan(&text))).collect();
    loop {
        let (using, others): (Vec<_>, Vec<_>) = left
            .into_iter()
            .map(|(name, seen)| (used(&seen, closed), name, seen))
            .partition(|(used, ..)| !used.is_empty());
        if using.is_empty() {
            return;
        }
        for (objects, name, _) in using {
            closed.extend(objects.into_iter().map(|object| Closed { name: name.clone(), object, how: How::View }));
        }
        left = others.into_iter().map(|(_, name, seen)| (name, seen)).collect();
    }
}

/// The objects that a text uses.
fn used(seen: &Seen, closed: &[Closed]) -> BTreeSet<String> {
    closed.iter().filter(|one| one.is_used(seen)).map(|one| one.object.clone()).collect()
}

impl Closed {
    fn is_used(&self, seen: &Seen) -> bool {
        match self.how {
            How::Call => seen.calls.contains(&self.name),
            How::CreatesTemporary => seen.temporary,
            How::View => seen.words.contains(&self.name),
        }
    }
}

/// What needs each object, as `behalf.leave_open` takes it.
pub(crate) fn by_object(uses: &[AppUse]) -> BTreeMap<&str, Vec<&str>> {
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in uses {
        for object in &one.objects {
            wanted.entry(object).or_default().push(&one.code);
        }
    }
    wanted
}

/// What this text needs, and why.
fn needs(text: &str, language: &str, extension: bool, closed: &[Closed]) -> (BTreeSet<String>, String) {
    let everything = || closed.iter().map(|one| one.object.clone()).collect::<BTreeSet<_>>();
    if !matches!(language, "sql" | "plpgsql") {
        return (everything(), format!("is written in {language}, which cannot be read"));
    }
    let mut seen = scan(text);
    if extension {
        seen.dynamic = false;
        for text in std::mem::take(&mut seen.literals) {
            let inner = scan(&text);
            seen.calls.extend(inner.calls);
            seen.words.extend(inner.words);
        }
    }
    if seen.dynamic {
        return (everything(), "runs statements that it builds as text, which may use any of them".to_owned());
    }
    let name = |one: &Closed| match one.how {
        How::CreatesTemporary => "temporary tables".to_owned(),
        How::Call | How::View => one.name.clone(),
    };
    let names: BTreeSet<_> = closed.iter().filter(|one| one.is_used(&seen)).map(name).collect();
    let reason = format!("uses {}", names.into_iter().collect::<Vec<_>>().join(", "));
    (used(&seen, closed), reason)
}

fn fix(function: Option<&str>) -> String {
    match function {
        Some(function) => format!(
            "alter routine {function} security definer set search_path = ''; then behalf migrate (it runs with its owner's rights then, so read it first and name schemas in it)"
        ),
        None => "move the call into a SECURITY DEFINER function, then behalf migrate".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed() -> Vec<Closed> {
        let one = |name: &str, object: &str, how| Closed { name: name.to_owned(), object: object.to_owned(), how };
        vec![
            one("pg_notify", "function pg_notify(text,text)", How::Call),
            one("set_config", "function set_config(text,text,boolean)", How::Call),
            one(TEMPORARY, TEMPORARY, How::CreatesTemporary),
        ]
    }

    fn names(text: &str, language: &str, extension: bool) -> Vec<String> {
        needs(text, language, extension, &closed()).0.into_iter().collect()
    }

    #[test]
    fn code_needs_what_it_names_and_everything_where_it_cannot_be_read() {
        assert_eq!(names("select pg_notify('a', 'b')", "sql", false), ["function pg_notify(text,text)"]);
        assert_eq!(names("create temp table t (a int)", "plpgsql", false), [TEMPORARY]);
        assert_eq!(names("create table if not exists pg_temp.t (a int)", "plpgsql", false), [TEMPORARY]);
        assert_eq!(names("select 1", "sql", false), [""; 0]);
        assert_eq!(names("begin execute q; end", "plpgsql", false).len(), 3);
        assert_eq!(names("return 1", "plv8", false).len(), 3);
    }

    #[test]
    fn a_view_of_the_system_needs_what_the_views_below_it_call() {
        let mut all = closed();
        let view = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        add_views(
            &mut all,
            vec![
                view("upper", "select * from lower"),
                view("lower", "select pg_notify('a', 'b')"),
                view("other", "select 1"),
            ],
        );
        let names = |text: &str| needs(text, "sql", false, &all).0.into_iter().collect::<Vec<_>>();
        assert_eq!(names("select * from pg_catalog.upper"), ["function pg_notify(text,text)"]);
        assert_eq!(names("select * from other"), [""; 0]);
    }

    #[test]
    fn an_extension_needs_what_its_literals_name() {
        assert_eq!(names("begin execute 'select 1'; end", "plpgsql", true), [""; 0]);
        let text = "begin execute 'select set_config(''a'', ''b'', true)'; end";
        assert_eq!(names(text, "plpgsql", true), ["function set_config(text,text,boolean)"]);
    }
}
