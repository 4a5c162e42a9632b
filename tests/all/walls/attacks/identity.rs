//! Attacks that become another user, by other claims or another role. `{steal}` stands for the query [`STEAL`](super::STEAL).

use super::{DENIED, DeniesExtended, Entry, FUNCTION, OwnerReads, OwnerRuns, Reads, Refuses, SET, STATEMENT};

pub(super) const IDENTITY: &[Entry] = &[
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
