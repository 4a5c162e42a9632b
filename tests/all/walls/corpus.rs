//! Attacks on the identity of a tool's statements, each with what stops it. The tests of the walls share this table; each
//! takes the other walls away and looks whether its own holds.
//!
//! | wall | how it is tested alone |
//! |---|---|
//! | construction | `construction.rs`: forged arguments, headers and imports; who can make a `Principal` |
//! | gate | `gate.rs`: a database in which everything wall 3 revoked is granted back |
//! | privilege | `privilege.rs`: no host; the tool's login with SQL of its own, by either protocol |
//! | watch | `watch.rs`: statements that are allowed and heavy, and a session that becomes somebody else's |
//!
//! A wall that cannot hold alone says so here: [`Alone::Falls`] gives the reason, and the test of that wall asserts that
//! the attack goes through there, so that the table stays true. In all of these cases it is the gate that stops it.

use behalf_tests::database::run;
use behalf_tests::{ALICE, App, BOB, TestDatabase, User};
use futures::{StreamExt, TryStreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row, ValueRef};
use uuid::Uuid;

/// What the gate says to one of the attack's statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// It refuses it by this rule.
    Refuses(&'static str),
    /// It is an ordinary statement, and row-level security is what there is to get around.
    Passes,
}

/// What privileges and policies do to it without any other wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    /// One of its statements fails with this SQLSTATE.
    Denies(&'static str),
    /// All of it runs and neither shows nor changes anything of another user.
    Hides,
    /// As [`Self::Denies`] by the extended protocol; by the simple one it goes through.
    DeniesExtended(&'static str),
    /// It goes through, for this reason.
    Falls(&'static str),
}

/// What shows that the attack is one: what it does where nothing stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    /// The usual login (a member of every role) on an ordinary database reads another user's rows with it.
    Reads,
    /// That login can do it.
    Runs,
    /// The database's owner reads another user's rows with it.
    OwnerReads,
    /// The owner changes another user's rows with it.
    OwnerWrites,
    /// The owner can do it.
    OwnerRuns,
}

/// One attack.
#[derive(Clone, Debug)]
pub(super) struct Attack {
    #[expect(dead_code, reason = "a failing test prints it")]
    pub(super) name: &'static str,
    /// Statements of one call, in their order.
    pub(super) steps: Vec<String>,
    pub(super) gate: Gate,
    pub(super) alone: Alone,
    pub(super) control: Control,
}

type Entry = (&'static str, &'static [&'static str], Gate, Alone, Control);

use Alone::{Denies, DeniesExtended, Falls, Hides};
use Control::{OwnerReads, OwnerRuns, OwnerWrites, Reads, Runs};
use Gate::{Passes, Refuses};

const DENIED: Alone = Denies("42501");
const STATEMENT: Gate = Refuses("statement_not_allowed");
const FUNCTION: Gate = Refuses("function_not_allowed");
const RELATION: Gate = Refuses("relation_not_granted");

/// `SET` of a setting that is no server parameter needs no privilege that could be revoked.
const SET: Alone = Falls("SET of the claims needs no privilege");
/// Postgres has no privilege for these statements.
const FREE: Alone = Falls("Postgres has no privilege for it");
/// Functions of the project belong to the project.
const THEIRS: Alone = Falls("PUBLIC may run functions of the project, and this one is written to do it");

/// Becoming somebody else. `{steal}` is a query that becomes Bob and reads in one statement.
const IDENTITY: &[Entry] = &[
    (
        "claims rewritten in a common table expression",
        &[
            "with x as materialized (select set_config('request.jwt.claims', '{claims}', true)) select n.* from x, notes n",
        ],
        FUNCTION,
        DENIED,
        Reads,
    ),
    ("claims rewritten in a sub-select", &["{steal}"], FUNCTION, DENIED, Reads),
    (
        "claims rewritten before the next statement",
        &["select set_config('request.jwt.claims', '{claims}', true)", "select body from notes"],
        FUNCTION,
        DENIED,
        Reads,
    ),
    (
        "role rewritten before the next statement",
        &["select set_config('ro' || 'le', 'service_role', true)", "select body from notes"],
        FUNCTION,
        DENIED,
        Reads,
    ),
    (
        "role rewritten within one statement",
        &[
            "select b.x from (select set_config('role', 'service_role', true) as c offset 0) s, lateral (select query_to_xml(\
           'select (select body from notes order by owner_id desc limit 1)::int', true, true, '')::text as x where s.c is not null offset 0) b",
        ],
        FUNCTION,
        DENIED,
        Reads,
    ),
    (
        "claims set for the transaction",
        &["set local request.jwt.claims = '{claims}'", "select body from notes"],
        STATEMENT,
        SET,
        Reads,
    ),
    (
        "claims set for the session",
        &["set request.jwt.claims = '{claims}'", "select body from notes"],
        STATEMENT,
        SET,
        Reads,
    ),
    (
        "role set for the transaction",
        &["set local role service_role", "select body from notes"],
        STATEMENT,
        DENIED,
        Reads,
    ),
    (
        "role reset, then set",
        &["reset role", "set role service_role", "select body from notes"],
        STATEMENT,
        DENIED,
        Reads,
    ),
    (
        "role set to none, then another",
        &["set role none", "set role service_role", "select body from notes"],
        STATEMENT,
        DENIED,
        Reads,
    ),
    (
        "role reset to the login, which owns nothing",
        &["reset role", "select body from notes"],
        STATEMENT,
        DENIED,
        OwnerReads,
    ),
    ("session authorization", &["set session authorization behalf_host"], STATEMENT, DENIED, OwnerRuns),
    (
        "commit, then a transaction of one's own",
        &[
            "commit",
            "begin",
            "set local role authenticated",
            "set local request.jwt.claims = '{claims}'",
            "select body from notes",
        ],
        STATEMENT,
        SET,
        Reads,
    ),
    (
        "rollback, then a transaction of one's own",
        &[
            "rollback",
            "begin",
            "set local role authenticated",
            "set local request.jwt.claims = '{claims}'",
            "select body from notes",
        ],
        STATEMENT,
        SET,
        Reads,
    ),
    (
        "a savepoint around the claims",
        &["savepoint a", "set local request.jwt.claims = '{claims}'", "release a", "select body from notes"],
        STATEMENT,
        SET,
        Reads,
    ),
    (
        "several statements in one text",
        &["select 1; set local request.jwt.claims = '{claims}'; select body from notes"],
        Refuses("several_statements"),
        DeniesExtended("42601"),
        Reads,
    ),
    (
        "commit behind a select",
        &[
            "select 1; commit; begin; set local role authenticated; set local request.jwt.claims = '{claims}'; select body from notes",
        ],
        Refuses("several_statements"),
        DeniesExtended("42601"),
        Reads,
    ),
    (
        "an anonymous block that rewrites the claims",
        &["do $$ begin execute 'set local request.jwt.claims = ''{claims}'''; end $$", "select body from notes"],
        STATEMENT,
        DENIED,
        Reads,
    ),
    (
        "an anonymous block that answers by its error",
        &["do $$ declare found text; begin execute 'set local request.jwt.claims = ''{claims}'''; \
           select string_agg(body, ',') into found from notes; raise exception '%', found; end $$"],
        STATEMENT,
        DENIED,
        Reads,
    ),
    (
        "a temporary function with a role of its own",
        &[
            "create function pg_temp.f() returns setof text language sql set role = 'service_role' as 'select body from public.notes'",
            "select * from pg_temp.f()",
        ],
        STATEMENT,
        DENIED,
        Reads,
    ),
    (
        "a prepared statement run as another",
        &["prepare steal as select body from notes", "set local request.jwt.claims = '{claims}'", "execute steal"],
        STATEMENT,
        SET,
        Reads,
    ),
    (
        "row security switched off",
        &["set local row_security = off", "select body from notes"],
        STATEMENT,
        DENIED,
        OwnerReads,
    ),
    ("triggers switched off", &["set local session_replication_role = replica"], STATEMENT, DENIED, OwnerRuns),
];

/// SQL in a string, and names that hide what they name. Those of XML answer by an error: a server may be built without it,
/// and runs the string all the same.
const DISGUISES: &[Entry] = &[
    (
        "SQL in a string: query_to_xml",
        &["select query_to_xml($q$select x.body::int from ({steal}) x$q$, true, true, '')::text"],
        FUNCTION,
        DENIED,
        Reads,
    ),
    (
        "SQL in a string: ts_stat",
        &["select word from ts_stat($q$select to_tsvector('simple', x.body) from ({steal}) x$q$)"],
        FUNCTION,
        DENIED,
        Reads,
    ),
    (
        "SQL in a string: ts_rewrite",
        &[
            "select ts_rewrite('a'::tsquery, $q$select 'a'::tsquery, plainto_tsquery('simple', x.body) from ({steal}) x limit 1$q$)::text",
        ],
        FUNCTION,
        DENIED,
        Reads,
    ),
    (
        "attribute notation: SQL in a string",
        &["select (($q$select to_tsvector('simple', x.body) from ({steal}) x$q$)::text).ts_stat"],
        Refuses("attribute_not_allowed"),
        DENIED,
        Reads,
    ),
    (
        "attribute notation: a setting",
        &["select ('port'::text).current_setting"],
        Refuses("attribute_not_allowed"),
        Falls("everybody may read settings; none holds a secret"),
        Runs,
    ),
    (
        "attribute notation: a function that runs as its owner",
        &["select n.gist from notes n limit 1"],
        Refuses("attribute_not_allowed"),
        THEIRS,
        Reads,
    ),
    (
        "a function that runs as its owner",
        &["select * from all_notes()"],
        Refuses("function_not_granted"),
        THEIRS,
        Reads,
    ),
    (
        "a function that runs SQL text",
        &["select run_sql($q${steal}$q$)"],
        Refuses("function_not_granted"),
        DENIED,
        Reads,
    ),
    (
        "a function that runs SQL text, with SET",
        &[
            "select n.body from (select public.do_sql($q$set local request.jwt.claims = '{claims}'$q$) as c offset 0) s, \
           lateral (select * from notes where s.c is null offset 0) n",
        ],
        Refuses("function_not_granted"),
        THEIRS,
        Reads,
    ),
    (
        "a domain whose check rewrites the claims",
        &["select n.body from (select '{claims}'::claims_text as c offset 0) s, \
           lateral (select * from notes where s.c is not null offset 0) n"],
        Refuses("type_not_allowed"),
        DENIED,
        Reads,
    ),
    (
        "a type that looks names up",
        &["select 'vault'::regclass"],
        Refuses("type_not_allowed"),
        Falls("names are no secret"),
        Runs,
    ),
];

/// How one name can be written.
const SPELLINGS: &[(&str, &str)] = &[
    ("spelled in quotes", r#""set_config""#),
    ("spelled with escapes", r#"U&"\0073et_config""#),
    ("spelled with escapes of one's own", r#"U&"set!005fconfig" uescape '!' "#),
    ("spelled with its schema", "pg_catalog.set_config"),
    ("spelled with its schema in quotes", r#""pg_catalog" . "set_config""#),
    ("spelled in capitals", "SET_CONFIG"),
    ("spelled with comments", "/**/set_config/* ( */"),
];

/// Other sessions, and what outlasts a call.
const SESSIONS: &[Entry] = &[
    ("queries of the same login", &["reset role", "select query from pg_stat_activity"], STATEMENT, DENIED, Reads),
    ("sessions: view", &["select usename, client_addr from pg_stat_activity"], RELATION, DENIED, Runs),
    ("sessions: function", &["select * from pg_catalog.pg_stat_get_activity(null)"], FUNCTION, DENIED, Runs),
    ("prepared statements of the session", &["select statement from pg_prepared_statements"], RELATION, DENIED, Runs),
    ("cursors of the session", &["select statement from pg_cursors"], RELATION, DENIED, Runs),
    ("locks of all sessions", &["select * from pg_locks"], RELATION, DENIED, Runs),
    ("settings of the session", &["select name, setting from pg_settings"], RELATION, DENIED, Runs),
    ("settings, shown", &["show all"], STATEMENT, FREE, Runs),
    (
        "the bound claims",
        &["select current_setting('request.jwt.claims')"],
        FUNCTION,
        Falls("they are the caller's own"),
        Runs,
    ),
    (
        "statistics of a table under row-level security",
        &["select * from pg_stats where tablename = 'notes'"],
        RELATION,
        Hides,
        OwnerReads,
    ),
    ("statistics themselves", &["select stavalues1::text from pg_statistic"], RELATION, DENIED, Reads),
    ("an advisory lock of the session", &["select pg_advisory_lock(42)"], FUNCTION, DENIED, Runs),
    ("an advisory lock of the transaction", &["select pg_try_advisory_xact_lock(42)"], FUNCTION, DENIED, Runs),
    ("a notification by function", &["select pg_notify('a', 'b')"], FUNCTION, DENIED, Runs),
    ("a notification", &["notify a, 'b'"], STATEMENT, FREE, Runs),
    ("listening", &["listen a"], STATEMENT, FREE, Runs),
    ("ending another session", &["select pg_terminate_backend(2147483647)"], FUNCTION, DENIED, Runs),
    ("cancelling another session", &["select pg_cancel_backend(2147483647)"], FUNCTION, DENIED, Runs),
    ("sleeping", &["select pg_sleep(0.001)"], FUNCTION, DENIED, Runs),
    ("sleeping for an interval", &["select pg_sleep_for('1 ms')"], FUNCTION, DENIED, Runs),
    ("a snapshot for others", &["select pg_export_snapshot()"], FUNCTION, DENIED, Runs),
    ("a temporary table", &["create temp table kept as select 1 as a"], STATEMENT, DENIED, Runs),
    ("a temporary table by SELECT INTO", &["select 1 as a into temp kept"], Refuses("select_into"), DENIED, Runs),
    (
        "a cursor that outlasts its transaction",
        &["declare c cursor with hold for select body from notes"],
        STATEMENT,
        FREE,
        Runs,
    ),
    ("a prepared statement that stays", &["prepare stays as select 1"], STATEMENT, FREE, Runs),
    ("others' prepared statements thrown away", &["deallocate all"], STATEMENT, FREE, Runs),
    ("the session thrown away", &["commit", "discard all"], STATEMENT, FREE, Runs),
    ("a time-out switched off", &["set statement_timeout = 0"], STATEMENT, FREE, Runs),
    (
        "a table locked",
        &["lock table notes in access exclusive mode"],
        STATEMENT,
        Falls("who may write a table may lock it"),
        Runs,
    ),
    ("rows locked", &["select * from notes for update"], Refuses("locking_clause"), Hides, OwnerReads),
    (
        "a plan with the count of rows that a policy removed",
        &["explain (analyze) select * from notes"],
        STATEMENT,
        FREE,
        Runs,
    ),
    ("a sequence moved on", &["select nextval('invoice_seq')"], FUNCTION, Falls("inserting needs it"), Runs),
    ("a sequence set back", &["select setval('invoice_seq', 1)"], FUNCTION, DENIED, Runs),
    ("a sequence read", &["select last_value from invoice_seq"], RELATION, DENIED, Runs),
];

/// Files, large objects, programs, and what only an owner may do.
const SYSTEM: &[Entry] = &[
    ("a large object of another", &["select convert_from(lo_get(424242), 'UTF8')"], FUNCTION, DENIED, Reads),
    ("a large object made", &["select lo_from_bytea(0, 'x')"], FUNCTION, DENIED, Runs),
    ("a file made a large object", &["select lo_import('PG_VERSION')"], FUNCTION, DENIED, Runs),
    ("a large object made a file", &["select lo_export(424242, '/dev/null')"], FUNCTION, DENIED, Runs),
    ("a file of the server's folder", &["select pg_read_file('PG_VERSION')"], FUNCTION, DENIED, Runs),
    ("a file of the machine", &["select pg_read_binary_file('/etc/passwd')"], FUNCTION, DENIED, OwnerRuns),
    ("a folder", &["select pg_ls_dir('.')"], FUNCTION, DENIED, Runs),
    ("a file's size", &["select pg_stat_file('PG_VERSION')"], FUNCTION, DENIED, Runs),
    ("copy to a program", &["copy (select 1) to program 'cat > /dev/null'"], STATEMENT, DENIED, OwnerRuns),
    ("copy from a program", &["copy notes (title, body) from program 'true'"], STATEMENT, DENIED, OwnerRuns),
    ("copy to a file", &["copy notes to '/dev/null'"], STATEMENT, DENIED, OwnerRuns),
    ("copy to the client", &["copy notes to stdout"], STATEMENT, Hides, OwnerReads),
    (
        "row-level security switched off",
        &["alter table notes disable row level security"],
        STATEMENT,
        DENIED,
        OwnerRuns,
    ),
    ("a policy of one's own", &["create policy all_of_it on notes using (true)"], STATEMENT, DENIED, OwnerRuns),
    (
        "a trigger of one's own",
        &["create trigger t before insert on notes for each row execute function suppress_redundant_updates_trigger()"],
        STATEMENT,
        DENIED,
        OwnerRuns,
    ),
    ("a rule of one's own", &["create rule r as on insert to notes do also select 1"], STATEMENT, DENIED, OwnerRuns),
    ("a view of one's own", &["create view mine as select * from notes"], STATEMENT, DENIED, OwnerRuns),
    (
        "a function of one's own",
        &["create function mine() returns int language sql as 'select 1'"],
        STATEMENT,
        DENIED,
        OwnerRuns,
    ),
    ("a role granted to oneself", &["grant service_role to behalf_tool_anon"], STATEMENT, DENIED, OwnerRuns),
    (
        "a privilege granted to oneself",
        &["grant execute on function set_config to authenticated"],
        STATEMENT,
        DENIED,
        OwnerRuns,
    ),
    ("a table emptied", &["truncate vault"], STATEMENT, DENIED, OwnerWrites),
    ("a table dropped", &["drop table vault cascade"], STATEMENT, DENIED, OwnerRuns),
    ("password hashes", &["select rolname, rolpassword from pg_authid"], RELATION, DENIED, Runs),
    ("password hashes by the view", &["select usename, passwd from pg_shadow"], RELATION, DENIED, Runs),
    (
        "sources of functions",
        &["select prosrc from pg_proc"],
        RELATION,
        Falls("everybody may read the catalogue"),
        Runs,
    ),
    ("the host's plugins", &["select * from ai.plugins"], RELATION, DENIED, OwnerRuns),
    ("the host's audit log", &["select * from ai.tool_calls"], RELATION, Hides, OwnerReads),
];

/// Ordinary statements about other users' rows.
const ROWS: &[Entry] = &[
    ("rows asked for by their owner", &["select * from notes where owner_id = '{bob}'"], Passes, Hides, OwnerReads),
    ("rows asked for by their place", &["select n.* from notes n where ctid >= '(0,0)'"], Passes, Hides, OwnerReads),
    ("rows by sampling", &["select * from notes tablesample system (100)"], Passes, Hides, OwnerReads),
    (
        "rows under another operator",
        &["select (select string_agg(body, ',') from notes), (table vault limit 1)"],
        Passes,
        Hides,
        OwnerReads,
    ),
    ("rows without any policy", &["select * from vault"], Passes, Hides, OwnerReads),
    ("rows through a view that runs as its reader", &["select * from own_note"], Passes, Hides, OwnerReads),
    (
        "a value in an error's text",
        &["select body::int from notes where owner_id = '{bob}'"],
        Passes,
        Hides,
        OwnerReads,
    ),
    (
        "a value in the error of a cheap function",
        &["select 1 from notes where case when owner_id = '{bob}' then complain(body) end"],
        Passes,
        Hides,
        OwnerReads,
    ),
    (
        "a value in the error of a function before the policy",
        &["select 1 from notes where complain(body)"],
        Passes,
        Denies("P0001"),
        OwnerReads,
    ),
    (
        "a row in another's name",
        &["insert into notes (owner_id, title, body) values ('{bob}', 'a', 'b')"],
        Passes,
        DENIED,
        OwnerWrites,
    ),
    ("a row given away", &["update notes set owner_id = '{bob}'"], Passes, DENIED, OwnerWrites),
    (
        "another's row changed",
        &["update notes set title = 'taken' where owner_id = '{bob}' returning *"],
        Passes,
        Hides,
        OwnerWrites,
    ),
    ("another's row deleted", &["delete from notes where id = '{bob_note}' returning *"], Passes, Hides, OwnerWrites),
    (
        "another's row merged into",
        &["merge into notes n using (values ('{bob_note}'::uuid)) v (id) on n.id = v.id \
           when matched then update set title = 'taken' when not matched then insert (id, title, body) values (v.id, 'a', 'b')"],
        Passes,
        Denies("23505"),
        OwnerWrites,
    ),
    (
        "another's row deleted by a merge",
        &["merge into notes n using (values ('{bob_note}'::uuid)) v (id) on n.id = v.id when matched then delete"],
        Passes,
        Hides,
        OwnerWrites,
    ),
    (
        "another's row in the way of an insert that updates",
        &["insert into notes (id, owner_id, title, body) values ('{bob_note}', '{alice}', 'a', 'b') \
           on conflict (id) do update set title = 'taken' returning *"],
        Passes,
        DENIED,
        OwnerWrites,
    ),
    (
        "another's value taken over by a join",
        &["update notes a set body = b.body from notes b where b.owner_id = '{bob}' returning a.body"],
        Passes,
        Hides,
        OwnerReads,
    ),
    // Last, as it takes the attacker's own rows with it.
    (
        "every row deleted",
        &["with gone as (delete from notes returning *) select * from gone"],
        Passes,
        Hides,
        OwnerReads,
    ),
];

/// Becomes Bob and reads, in one statement.
const STEAL: &str = "select n.body from (select set_config('request.jwt.claims', '{claims}', true) as c offset 0) s, \
     lateral (select * from public.notes where s.c is not null offset 0) n";

/// Tables, functions and rows that the attacks are about. Bob's values hold a marker that no attack knows.
const GROUND: &str = "
update public.notes set title = '{marker}', body = '{marker}' where owner_id = '{bob}';
insert into public.notes (id, owner_id, title, body) values ('{bob_note}', '{bob}', '{marker}', '{marker}');
-- Bob's rows come first where a table is read in its order.
update public.notes set title = title where owner_id <> '{bob}';
update public.expenses set merchant = '{marker}', note = '{marker}' where owner_id = '{bob}';
update public.budgets set category = '{marker}' where owner_id = '{bob}';

create table public.vault (secret text not null);
alter table public.vault enable row level security;
insert into public.vault values ('{marker}');

create view public.own_note with (security_invoker = true) as select * from public.notes;
create view public.every_note as select * from public.notes;

create function public.all_notes() returns setof text language sql stable security definer
    as 'select body from public.notes';
create function public.gist(public.notes) returns text language sql stable security definer
    as 'select string_agg(body, '','') from public.notes';
create function public.run_sql(statement text) returns text language plpgsql
    as 'declare answer text; begin execute statement into answer; return answer; end';
create function public.do_sql(statement text) returns text language plpgsql
    as 'begin execute statement; return null; end';
create function public.complain(value text) returns boolean language plpgsql immutable cost 0.0000001
    as 'begin raise exception ''saw %'', value; end';
create function public.becomes(value text) returns boolean language plpgsql stable
    as 'begin perform set_config(''request.jwt.claims'', value, true); return true; end';
create domain public.claims_text as text check (public.becomes(value));
create domain public.short_text as text check (length(value) < 100);
create sequence public.invoice_seq;

select lo_from_bytea(424242, '{marker}');
grant select on large object 424242 to public;

insert into ai.tool_calls (call_id, actor, user_id, role, tool, arguments_sha256, started_at, outcome, detail)
    values (gen_random_uuid(), '{bob}', '{bob}', 'authenticated', '{marker}', '', now(), 'ok', '{marker}');
analyze public.notes;
";

/// Gives back to PUBLIC what wall 3 takes from it, and more.
const OPENED: &str = "
do $$
declare
    target regprocedure;
begin
    for target in select behalf.dangerous_functions() loop
        execute format('grant execute on function %s to public', target);
    end loop;
    execute format('grant temporary, create on database %I to public', current_database());
    execute format('alter role behalf_tool_authenticated in database %I set track_activities = on', current_database());
end
$$;
grant usage on language plpgsql, sql to public;
grant usage, create on schema public to public;
grant select on pg_catalog.pg_authid, pg_catalog.pg_shadow, pg_catalog.pg_statistic to public;
grant all on sequence public.invoice_seq to public;
";

/// A database with something to steal.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) database: TestDatabase,
    /// Stands in every row of Bob's and nowhere else. Letters only, so that nothing cuts or escapes it.
    pub(super) marker: String,
}

impl Ground {
    pub(super) async fn new() -> Self {
        let letters = |c: char| char::from(b'g' + u8::try_from(c.to_digit(16).unwrap()).unwrap());
        let marker = Uuid::new_v4().simple().to_string().chars().map(letters).collect();
        let ground = Self { database: TestDatabase::create().await, marker };
        ground.database.execute(&ground.fill(GROUND).replace("{marker}", &ground.marker)).await;
        ground
    }

    /// One where nothing that wall 3 revokes is revoked.
    pub(super) async fn opened() -> Self {
        let ground = Self::new().await;
        ground.database.execute(OPENED).await;
        ground
    }

    /// The table of attacks, aimed at Bob.
    pub(super) fn attacks(&self) -> Vec<Attack> {
        let listed = [IDENTITY, DISGUISES, SESSIONS, SYSTEM, ROWS].into_iter().flatten().map(|entry| {
            let (name, steps, gate, alone, control) = *entry;
            Attack { name, steps: steps.iter().map(|step| self.fill(step)).collect(), gate, alone, control }
        });
        let spelled = SPELLINGS.iter().map(|(name, spelling)| {
            let steps = vec![self.fill(&STEAL.replace("set_config", spelling))];
            Attack { name, steps, gate: FUNCTION, alone: DENIED, control: Reads }
        });
        // Those that change rows are at the end of the list.
        spelled.chain(listed).collect()
    }

    #[expect(clippy::unused_self, reason = "what is filled in belongs to the ground")]
    pub(super) fn fill(&self, text: &str) -> String {
        let bob = BOB.to_string();
        text.replace("{steal}", STEAL)
            .replace("{claims}", &format!(r#"{{"sub":"{bob}","role":"authenticated"}}"#))
            .replace("{bob_note}", "b0b00000-0000-4000-8000-00000000000e")
            .replace("{alice}", &ALICE.to_string())
            .replace("{bob}", &bob)
    }

    /// Whether something of Bob's is in these bytes.
    pub(super) fn is_stolen(&self, bytes: &[u8]) -> bool {
        bytes.windows(self.marker.len()).any(|window| window == self.marker.as_bytes())
    }

    /// A number that changes when a row of Bob's does.
    pub(super) async fn sum_of_bobs_rows(&self, owner: &mut PgConnection) -> String {
        let sql = self.fill(
            "select md5(string_agg(row, '|' order by row)) from (
                 select n::text from notes n where owner_id = '{bob}' union all select v::text from vault v
                 union all select e::text from expenses e where owner_id = '{bob}'
                 union all select b::text from budgets b where owner_id = '{bob}') t (row)",
        );
        // A table that is empty has no sum.
        let sum: Option<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(owner).await.unwrap();
        sum.unwrap_or_default()
    }

    /// A session of this login in which Bob's value stood in a query. It has to be kept for as long as it is to be seen.
    pub(super) async fn bystander(&self, login: &str) -> PgConnection {
        let mut conn = self.database.login(login).await;
        run(&mut conn, &format!("select '{}'", self.marker)).await;
        conn
    }
}

/// How SQL is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// One statement, as the host sends it.
    Extended,
    /// Whatever is in the text.
    Simple,
}

/// What an attacker with a connection gets to see.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Every value, and every text of an error.
    pub(super) bytes: Vec<u8>,
    /// SQLSTATE of the statement that failed.
    pub(super) sqlstate: Option<String>,
}

/// Does what the host does to begin, and no more.
pub(super) async fn begin_as(conn: &mut PgConnection, user: Uuid) {
    let claims = json!({ "sub": user, "role": "authenticated" });
    run(conn, &format!("begin; set local role authenticated; set local request.jwt.claims = '{claims}'")).await;
}

/// Sends statements one after the other, up to the first that fails.
pub(super) async fn send(conn: &mut PgConnection, steps: &[String], protocol: Protocol) -> Seen {
    let mut seen = Seen::default();
    for step in steps {
        if let Err(error) = send_one(conn, step, protocol, &mut seen.bytes).await {
            let error = error.into_database_error().unwrap_or_else(|| panic!("the connection broke: {step}"));
            seen.bytes.extend(format!("{error:?}").into_bytes());
            seen.sqlstate = Some(error.code().unwrap().into_owned());
            break;
        }
    }
    seen
}

async fn send_one(
    conn: &mut PgConnection,
    sql: &str,
    protocol: Protocol,
    bytes: &mut Vec<u8>,
) -> Result<(), sqlx::Error> {
    if sql.starts_with("copy") && sql.ends_with("to stdout") {
        let mut parts = conn.copy_out_raw(sql).await?;
        while let Some(part) = parts.try_next().await? {
            bytes.extend_from_slice(&part);
        }
        return Ok(());
    }
    let safe = AssertSqlSafe(sql.to_owned());
    let mut rows = match protocol {
        Protocol::Extended => sqlx::query(safe).fetch(conn),
        Protocol::Simple => sqlx::raw_sql(safe).fetch(conn),
    };
    while let Some(row) = rows.next().await {
        keep(&row?, bytes);
    }
    Ok(())
}

fn keep(row: &PgRow, bytes: &mut Vec<u8>) {
    for index in 0..row.len() {
        let value = row.try_get_raw(index).unwrap();
        if !value.is_null() {
            bytes.extend_from_slice(value.as_bytes().unwrap());
            bytes.push(b'\n');
        }
    }
}

/// What a caller of the host gets to see.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Headers and body as they came.
    pub(super) bytes: Vec<u8>,
    pub(super) json: Value,
}

impl Reply {
    /// `error.code` of the statements that failed.
    pub(super) fn codes(&self) -> Vec<&str> {
        let outcomes = self.json["result"].as_array().into_iter().flatten();
        outcomes.filter_map(|outcome| outcome["error"]["code"].as_str()).collect()
    }

    pub(super) fn call_id(&self) -> Uuid {
        self.json["call_id"].as_str().unwrap_or_else(|| panic!("{}", self.json)).parse().unwrap()
    }
}

/// Has the probe run statements in one call.
pub(super) async fn through_host(app: &App, user: &User, steps: &[String]) -> Reply {
    let statements: Vec<_> = steps.iter().map(|sql| json!({ "sql": sql })).collect();
    call(app, user, "sql_many", &json!({ "statements": statements })).await
}

/// Calls a tool and keeps all of the answer.
pub(super) async fn call(app: &App, user: &User, tool: &str, arguments: &Value) -> Reply {
    let path = format!("/api/tools/{tool}/call");
    let response =
        app.request(user, Method::POST, &path).json(&json!({ "arguments": arguments })).send().await.unwrap();
    let status = response.status().as_u16();
    let mut bytes = format!("{:?}\n", response.headers()).into_bytes();
    let body = response.bytes().await.unwrap();
    bytes.extend_from_slice(&body);
    Reply { status, bytes, json: serde_json::from_slice(&body).unwrap_or_default() }
}
