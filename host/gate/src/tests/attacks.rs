//! Statements that must be refused, each with the rule that refuses it.

use std::sync::Arc;

use super::super::{Catalog, DatabaseGrant, Policy, check};
use super::{catalog, grant, reader, row, writer};

fn assert_refused(policy: &Policy, cases: &[(&str, &[&str])]) {
    for (rule, statements) in cases {
        for sql in *statements {
            match check(sql, policy) {
                Err(refusal) => assert_eq!(refusal.rule(), *rule, "{sql}\n{refusal}"),
                Ok(_) => panic!("passed: {sql}"),
            }
        }
    }
}

/// A statement for every place where an expression is allowed, with a call of the function that changes the session's
/// identity.
const PLACES: &[&str] = &[
    "select * from (select set_config('a.b', 'c', true) offset 0) s, notes",
    "select pg_catalog.set_config('a.b', 'c', true)",
    "select * from set_config('a.b', 'c', true)",
    "select * from rows from (generate_series(1, 2), set_config('a.b', 'c', true))",
    "select 1 from notes order by set_config('a.b', 'c', true)",
    "select 1 from notes group by set_config('a.b', 'c', true)",
    "select 1 from notes having set_config('a.b', 'c', true) = 'c'",
    "select 1 from notes limit length(set_config('a.b', 'c', true))",
    "select 1 offset length(set_config('a.b', 'c', true))",
    "select distinct on (set_config('a.b', 'c', true)) 1 from notes",
    "values (set_config('a.b', 'c', true))",
    "select count(*) filter (where set_config('a.b', 'c', true) is null) from notes",
    "select string_agg(title, ',' order by set_config('a.b', 'c', true)) from notes",
    "select sum(id) over (partition by set_config('a.b', 'c', true)) from notes",
    "select sum(id) over w from notes window w as (order by set_config('a.b', 'c', true))",
    "select sum(id) over (rows length(set_config('a.b', 'c', true)) preceding) from notes",
    "select percentile_cont(0.5) within group (order by length(set_config('a.b', 'c', true))) from notes",
    "select case when set_config('a.b', 'c', true) = 'c' then 1 end",
    "select case 'c' when set_config('a.b', 'c', true) then 1 else 2 end",
    "select case when true then 1 else length(set_config('a.b', 'c', true)) end",
    "select coalesce(set_config('a.b', 'c', true)), greatest(1, 2)",
    "select greatest(set_config('a.b', 'c', true))",
    "select array[set_config('a.b', 'c', true)]",
    "select row(set_config('a.b', 'c', true))",
    "select (array['a'])[length(set_config('a.b', 'c', true))]",
    "select (array['a'])[1:length(set_config('a.b', 'c', true))]",
    "select set_config('a.b', 'c', true)::text",
    "select set_config('a.b', 'c', true) collate \"C\"",
    "select set_config('a.b', 'c', true) is null",
    "select (set_config('a.b', 'c', true) = 'c') is true",
    "select not (set_config('a.b', 'c', true) = 'c')",
    "select 'c' in ('d', set_config('a.b', 'c', true))",
    "select 'c' between 'a' and set_config('a.b', 'c', true)",
    "select 'c' = any (array[set_config('a.b', 'c', true)])",
    "select 'c' in (select set_config('a.b', 'c', true))",
    "select (select set_config('a.b', 'c', true))",
    "select array(select set_config('a.b', 'c', true))",
    "select exists (select set_config('a.b', 'c', true))",
    "select concat(variadic array[set_config('a.b', 'c', true)])",
    "select make_interval(days => length(set_config('a.b', 'c', true)))",
    "select 1 union select length(set_config('a.b', 'c', true))",
    "select 1 from notes n join documents d on set_config('a.b', 'c', true) = 'c'",
    "select 1 from notes tablesample bernoulli (length(set_config('a.b', 'c', true)))",
    "select 1 from notes tablesample system (1) repeatable (length(set_config('a.b', 'c', true)))",
    "select xmlelement(name a, set_config('a.b', 'c', true))",
    "select xmlelement(name a, xmlattributes(set_config('a.b', 'c', true) as b))",
    "select json_object('a': set_config('a.b', 'c', true))",
    "select json_object(set_config('a.b', 'c', true): 1)",
    "select json_array(set_config('a.b', 'c', true))",
    "select json_array(select set_config('a.b', 'c', true))",
    "select json_arrayagg(set_config('a.b', 'c', true))",
    "select json_arrayagg(id order by set_config('a.b', 'c', true)) from notes",
    "select json_objectagg('a': set_config('a.b', 'c', true))",
    "select json_objectagg('a': id) filter (where set_config('a.b', 'c', true) = 'c') from notes",
    "select json_exists(set_config('a.b', 'c', true)::jsonb, '$')",
    "select json_query('{}', '$' passing set_config('a.b', 'c', true) as x)",
    "select json_query('{}', '$' default set_config('a.b', 'c', true)::jsonb on error)",
    "select json_scalar(set_config('a.b', 'c', true))",
    "select json_serialize(set_config('a.b', 'c', true))",
    "select json(set_config('a.b', 'c', true))",
    "select * from json_table('{}', '$' columns (a int path '$' default length(set_config('a.b', 'c', true)) on error))",
    "with recursive t(n) as (select 1 union all select n + 1 from t where set_config('a.b', 'c', true) = 'c') select * from t",
    "insert into notes values (set_config('a.b', 'c', true))",
    "insert into notes (id) select 1 returning set_config('a.b', 'c', true)",
    "insert into notes (id) values (1) on conflict (id) do update set title = set_config('a.b', 'c', true)",
    "insert into notes (id) values (1) on conflict (id) where set_config('a.b', 'c', true) = 'c' do nothing",
    "insert into notes (id) values (1) on conflict (id) do update set id = 1 where set_config('a.b', 'c', true) = 'c'",
    "insert into notes (id) values (1) on conflict ((set_config('a.b', 'c', true))) do nothing",
    "insert into notes (tags[length(set_config('a.b', 'c', true))]) values ('a')",
    "update notes set title = set_config('a.b', 'c', true)",
    "update notes set (title, body) = (set_config('a.b', 'c', true), 'b')",
    "update notes set tags[length(set_config('a.b', 'c', true))] = 'a'",
    "update notes set id = 1 from set_config('a.b', 'c', true)",
    "update notes set id = 1 where set_config('a.b', 'c', true) = 'c'",
    "delete from notes using set_config('a.b', 'c', true)",
    "delete from notes where set_config('a.b', 'c', true) = 'c'",
    "delete from notes returning set_config('a.b', 'c', true)",
    "merge into notes n using documents d on set_config('a.b', 'c', true) = 'c' when matched then delete",
    "merge into notes n using documents d on true when matched and set_config('a.b', 'c', true) = 'c' then delete",
    "merge into notes n using documents d on true when matched then update set title = set_config('a.b', 'c', true)",
    "merge into notes n using documents d on true when not matched then insert values (set_config('a.b', 'c', true))",
    "merge into notes n using set_config('a.b', 'c', true) d on true when matched then delete",
    "with x as (insert into notes values (set_config('a.b', 'c', true)) returning 1) select 1 from x",
];

/// The same function, spelled otherwise.
const SPELLINGS: &[&str] = &[
    "with x as materialized (select set_config('request.jwt.claims', '{\"sub\":\"b\"}', true)) select n.* from x, notes n",
    "select set_config('role', 'service_role', true)",
    "select \"set_config\"('a.b', 'c', true)",
    "select SET_CONFIG('a.b', 'c', true)",
    "select U&\"set\\005fconfig\"('a.b', 'c', true)",
    "select U&\"set!005fconfig\" uescape '!' ('a.b', 'c', true)",
    "select pg_catalog . \"set_config\" ('a.b', 'c', true)",
    "select /**/set_config/**/('a.b', 'c', true)",
    "select * from notes, lateral set_config('a.b', title, true)",
    "select set_config('a.b', '{}', true) is json",
    "select * from json_table(set_config('a.b', '{}', true)::jsonb, '$' columns (a int path '$'))",
];

#[test]
fn no_place_in_a_statement_takes_a_function_off_the_list() {
    assert_refused(&writer(), &[("function_not_allowed", PLACES), ("function_not_allowed", SPELLINGS)]);
}

#[test]
fn each_of_these_places_takes_a_function_on_the_list() {
    for sql in PLACES {
        let harmless = sql.replace("pg_catalog.set_config", "concat").replace("set_config", "concat");
        assert_eq!(check(&harmless, &writer()).err(), None, "{harmless}");
    }
}

#[expect(clippy::too_many_lines, reason = "a table, one line a statement")]
#[test]
fn nothing_but_a_single_plain_statement_passes() {
    assert_refused(
        &writer(),
        &[
            (
                "statement_not_allowed",
                &[
                    "set role service_role",
                    "set local request.jwt.claims = '{}'",
                    "reset role",
                    "reset all",
                    "set session authorization postgres",
                    "discard all",
                    "do $$ begin perform set_config('role', 'service_role', true); end $$",
                    "begin",
                    "commit",
                    "rollback",
                    "savepoint a",
                    "prepare p as select 1",
                    "execute p",
                    "deallocate all",
                    "declare c cursor with hold for select * from notes",
                    "fetch all from c",
                    "listen a",
                    "notify a",
                    "lock table notes",
                    "call wipe()",
                    "copy notes to program 'id'",
                    "copy notes from stdin",
                    "explain analyze select 1",
                    "show all",
                    "analyze notes",
                    "vacuum notes",
                    "truncate notes",
                    "create table a (b int)",
                    "create temp table a as select 1",
                    "create function pg_temp.f() returns int language sql as 'select 1'",
                    "create view v as select * from notes",
                    "alter table notes disable row level security",
                    "alter role authenticated set role to service_role",
                    "drop table notes",
                    "grant service_role to authenticated",
                    "comment on table notes is 'a'",
                    "refresh materialized view totals",
                    "import foreign schema a from server b into c",
                    "load 'a'",
                    "checkpoint",
                    "set constraints all deferred",
                    "hello world",
                    "'a'",
                ],
            ),
            (
                "several_statements",
                &[
                    "select 1; select 2",
                    "select 1; commit",
                    "select 1;/**/;drop table notes",
                    "commit; select 1",
                    "select 1; x",
                ],
            ),
            (
                "select_into",
                &[
                    "select * into stolen from notes",
                    "select 1 as a into temp stolen",
                    "with a as (select 1) select * into b from a",
                ],
            ),
            (
                "locking_clause",
                &[
                    "select * from notes for update",
                    "select * from notes for share of notes nowait",
                    "select * from (select * from notes for no key update skip locked) n",
                    "insert into notes select * from notes for key share",
                ],
            ),
        ],
    );
}

#[expect(clippy::too_many_lines, reason = "a table, one line a statement")]
#[test]
fn functions_off_the_list_are_refused_by_every_spelling() {
    assert_refused(
        &writer(),
        &[
            (
                "function_not_allowed",
                &[
                    "select query_to_xml('select set_config(''role'', ''x'', true)', true, true, '')",
                    "select table_to_xml('secrets', true, true, '')",
                    "select * from ts_stat('select tsv from private.secrets')",
                    "select ts_rewrite('a'::tsquery, 'select t, s from private.secrets')",
                    "select current_setting('request.jwt.claims')",
                    "select pg_sleep(100)",
                    "select pg_notify('a', 'b')",
                    "select pg_advisory_xact_lock(1)",
                    "select lo_import('/etc/passwd')",
                    "select pg_read_file('/etc/passwd')",
                    "select nextval('order_seq')",
                    "select setval('order_seq', 1)",
                    "select version()",
                    "select has_table_privilege('a', 'b')",
                    "select pg_get_viewdef('a')",
                    "select pg_terminate_backend(1)",
                    "select to_regclass('a')",
                    "select txid_current()",
                    "select obj_description(1)",
                    "select database_to_xml(true, true, '')",
                    "select inet_server_addr()",
                    "select dblink('a', 'b')",
                    "select extensions.dblink('a', 'b')",
                    "select extensions.cube_dim('a')",
                    "select crosstab('select 1')",
                    "select set_limit(0.1)",
                    "select never_heard_of('a')",
                    "select private.never('a')",
                    "select private.wipe()",
                    "select pg_temp.f()",
                    "select pg_toast.f()",
                    "select information_schema._pg_expandarray('{1}')",
                    "select postgres.pg_catalog.lower('a')",
                    "select regclass('secrets')",
                    "select regproc('a')",
                    "select pg_catalog.regclass('a')",
                    "select treat('a' as regclass)",
                    "select mood('a')",
                    "select session_user",
                    "select current_catalog",
                    "select \"session_user\"()",
                    "select textin('a')",
                    "select int4eq(1, 2), pg_catalog.int4eq(1, 2)",
                    "select array_agg_transfn(null, 1)",
                ],
            ),
            (
                "function_not_granted",
                &[
                    "select exec_sql('select 1')",
                    "select public.exec_sql('select 1')",
                    "select * from public.exec_sql('select 1')",
                    "select is_admin(1)",
                    "select mixed(1)",
                    // A function of the project may be meant as well, and would run SQL text.
                    "select upper('a')",
                    "select json_value(body, '$.a') from notes",
                ],
            ),
        ],
    );
}

#[test]
fn a_dot_does_not_call_a_function_off_the_list() {
    assert_refused(
        &writer(),
        &[(
            "attribute_not_allowed",
            &[
                "select ('port'::text).current_setting",
                "select f.current_setting from lower('port') f",
                "select (1).pg_sleep",
                "select (1::bigint).pg_advisory_lock",
                "select ('select 1').exec_sql",
                "select ('a').cube_dim",
                "select ('a').dblink",
                "select (n.body).exec_sql from notes n",
                "select n.exec_sql from notes n",
                "select public.n.exec_sql from notes n",
                "select ('select 1'::text).ts_stat",
                "select (array['port'])[1].current_setting",
                "select ($1).current_setting",
                "select $1.current_setting",
                "select (select 'port').current_setting",
                "select (row(1)).is_admin",
                "select n.is_admin from notes n",
                "select (n).archive_note from notes n",
                "select n.\"current_setting\" from lower('port') n",
                "select 1 from notes order by ('x').lo_import",
                "update notes set title = ('port').current_setting",
                "insert into notes values (1) returning notes.current_setting",
            ],
        )],
    );
}

#[test]
fn relations_outside_the_grant_are_refused() {
    assert_refused(
        &writer(),
        &[(
            "relation_not_granted",
            &[
                "select * from private.secrets",
                "select * from secrets",
                "table private.secrets",
                "select * from \"private\".\"secrets\"",
                "select * from U&\"priv\\0061te\".secrets",
                "select * from postgres.public.notes",
                "select * from only private.secrets",
                "select * from auth.users",
                "select * from vault.decrypted_secrets",
                "select * from pg_class",
                "select * from pg_catalog.pg_class",
                "select * from pg_stat_activity",
                "select * from pg_settings",
                "select * from pg_stuff",
                "select * from pg_stat_statements",
                "select * from extensions.pg_stat_statements",
                "select * from pg_temp.notes",
                "select * from pg_toast.pg_toast_1",
                "select * from information_schema.routines",
                "select * from information_schema.key_column_usage",
                "select * from information_schema.role_table_grants",
                "select * from order_seq",
                "select * from elsewhere",
                "select * from missing",
                "select (select a from private.secrets)",
                "select * from notes where exists (select 1 from private.secrets)",
                "select * from notes n join private.secrets s on true",
                "select * from notes, lateral (select * from private.secrets) s",
                "select 1 union all select a from private.secrets",
                "with a as (select * from private.secrets) select 1",
                "select * from private.secrets tablesample system (100)",
                "insert into private.secrets values (1)",
                "insert into notes select * from private.secrets",
                "insert into information_schema.tables values (1)",
                "update private.secrets set a = 1",
                "update notes set a = 1 from private.secrets",
                "delete from private.secrets",
                "delete from notes using private.secrets",
                "merge into private.secrets s using notes n on true when matched then delete",
                "merge into notes n using private.secrets s on true when matched then delete",
                "merge into notes n using (select * from private.secrets) s on true when matched then delete",
                "with a as (delete from private.secrets returning *) select * from a",
            ],
        )],
    );
}

#[test]
fn a_common_table_expression_unlocks_no_relation_outside_its_scope() {
    assert_refused(
        &writer(),
        &[(
            "relation_not_granted",
            &[
                "select * from secrets, (with secrets as (select 1) select 1) q",
                "select * from (with secrets as (select 1) select 1) q, secrets",
                "select (with secrets as (select 1) select 1), a from secrets",
                // Not yet visible to itself, nor to what stands before it.
                "with secrets as (select * from secrets) select * from secrets",
                "with a as (select * from secrets), secrets as (select 1) select * from a",
                "with a as (with secrets as (select 1) select 1) select * from secrets",
                "(with secrets as (select 1) select 1) union all select * from secrets",
                "select * from secrets union all (with secrets as (select 1) select 1)",
                "with secrets as (select 1) select * from private.secrets",
                "with secrets as (select 1) select * from \"Secrets\"",
                "with pg_class as (select 1) select * from pg_catalog.pg_class",
                "select 1 where exists (with secrets as (select 1) select 1) and exists (select 1 from secrets)",
                // A target is never a common table expression.
                "with secrets as (select 1) insert into secrets values (1)",
                "with secrets as (select 1) update secrets set a = 1",
                "with secrets as (select 1) delete from secrets",
                "with secrets as (select 1) merge into secrets using notes on true when matched then delete",
                "with recursive a as (select 1), b as (with secrets as (select 1) select 1) select * from secrets",
            ],
        )],
    );
}

#[test]
fn types_outside_the_list_are_refused_by_every_spelling() {
    assert_refused(
        &writer(),
        &[
            (
                "type_not_allowed",
                &[
                    "select 'secrets'::regclass",
                    "select cast('a' as regclass)",
                    "select regclass 'secrets'",
                    "select 'a'::pg_catalog.regclass",
                    "select 'a'::\"regclass\"",
                    "select 'a'::U&\"reg\\0063lass\"",
                    "select '{a}'::regclass[]",
                    "select '{a}'::_regclass",
                    "select array['a']::regproc[]",
                    "select 'a'::regconfig",
                    "select 'a'::REGROLE",
                    "select null::pg_authid",
                    "select null::information_schema.sql_identifier",
                    "select '1'::cstring, '1'::internal",
                    "select 1::xid",
                    "select '{a=r/b}'::aclitem",
                    "select '0/0'::pg_lsn",
                    "select tableoid::oid from notes",
                    "select null::private.secrets",
                    "select null::private.inner",
                    "select null::auth.users",
                    "select null::cube",
                    "select 'a'::class_ref",
                    "select 'a'::never_heard_of",
                    "select 'a'::postgres.pg_catalog.text",
                    "select * from json_to_record('{}') as (a regclass)",
                    "select * from rows from (json_to_record('{}') as (a int, b regclass[])) r",
                    "select * from json_table('{}', '$' columns (a regclass path '$'))",
                    "select * from json_table('{}', '$' columns (nested path '$' columns (a regclass path '$')))",
                    "select json_query('{}', '$' returning regclass)",
                    "select json_object('a': 1 returning regclass)",
                    "select json_arrayagg(1 returning regclass)",
                    "select json_serialize('{}' returning regclass)",
                    "select json_populate_record(null::private.secrets, '{}')",
                ],
            ),
            ("construct_not_allowed", &["select 'a'::setof text", "select 1::numeric(1 + 1)"]),
        ],
    );
}

#[test]
fn operators_and_small_names_outside_the_list_are_refused() {
    assert_refused(
        &writer(),
        &[
            (
                "operator_not_allowed",
                &[
                    "select 1 operator(private.+) 2",
                    "select 1 operator(pg_catalog.!!!) 2",
                    "select 1 operator(pg_temp.+) 2",
                    "select 'select 1' !!! 1",
                    "select 1 operator(public.!!!) 2",
                    "select 1 ~~~~~ 2",
                    "select 1 !!! any (array[1])",
                    "select 1 !!! all (select 1)",
                    "select 1 from notes order by 1 using !!!",
                ],
            ),
            (
                "name_not_allowed",
                &[
                    "select 'a' collate private.c",
                    "select * from notes tablesample private.system (1)",
                    "select * from notes tablesample system_rows (1)",
                    "insert into notes (id) values (1) on conflict (id private.ops) do nothing",
                ],
            ),
            ("construct_not_allowed", &["delete from notes where current of c", "select /*+ Set(role postgres) */ 1"]),
            ("parameter_out_of_range", &["select $0", "select $65536", "select $2147483647"]),
        ],
    );
}

#[test]
fn a_name_that_a_hidden_schema_takes_first_is_refused() {
    let shadowed = row(&["relation", "private", "notes", "r"]);
    let listed = ["public", "extensions", "private"].map(str::to_owned).to_vec();
    let later = DatabaseGrant { search_path: listed.clone(), ..grant(false) };
    assert!(check("select * from notes", &Policy::new(later, catalog())).is_ok());
    let rows = [shadowed, row(&["relation", "public", "notes", "r"])];
    let earlier = DatabaseGrant { search_path: listed.into_iter().rev().collect(), ..grant(false) };
    let policy = Policy::new(earlier, Arc::new(Catalog::from_rows(rows)));
    assert_refused(&policy, &[("relation_not_granted", &["select * from notes"])]);
    assert!(check("select * from public.notes", &policy).is_ok());
}

#[test]
fn a_grant_of_tables_reaches_no_further() {
    let tables = vec![("public".to_owned(), "notes".to_owned()), ("private".to_owned(), "secrets".to_owned())];
    let policy = Policy::new(DatabaseGrant { tables, ..grant(true) }, catalog());
    assert!(check("select * from notes", &policy).is_ok());
    assert_refused(
        &policy,
        &[
            (
                "relation_not_granted",
                &["select * from documents", "select * from private.secrets", "insert into orders values (1)"],
            ),
            ("type_not_allowed", &["select null::documents"]),
            ("function_not_granted", &["select full_name(n) from notes n", "select archive_note(1)"]),
        ],
    );
}

#[test]
fn a_grant_of_system_schemas_grants_nothing() {
    let schemas = ["pg_catalog", "pg_toast", "pg_temp", "information_schema"].map(str::to_owned).to_vec();
    let policy =
        Policy::new(DatabaseGrant { schemas: schemas.clone(), search_path: schemas, ..grant(true) }, catalog());
    assert_refused(
        &policy,
        &[
            (
                "relation_not_granted",
                &[
                    "select * from pg_class",
                    "select * from pg_catalog.pg_authid",
                    "select * from information_schema.user_mappings",
                ],
            ),
            ("function_not_allowed", &["select set_config('a', 'b', true)", "select pg_catalog.pg_sleep(1)"]),
        ],
    );
}

#[test]
fn an_empty_catalog_refuses_every_relation() {
    let policy = Policy::new(grant(true), Arc::default());
    assert_refused(
        &policy,
        &[
            ("relation_not_granted", &["select * from notes", "insert into notes values (1)"]),
            ("function_not_allowed", &["select set_config('a', 'b', true)", "select auth.uid()"]),
            ("type_not_allowed", &["select '[1]'::vector", "select 'a'::regclass"]),
            ("attribute_not_allowed", &["select ('port').current_setting"]),
        ],
    );
}

#[test]
fn a_missing_and_a_hidden_relation_read_the_same() {
    let message = |sql: &str, name: &str| check(sql, &reader()).expect_err(sql).to_string().replace(name, "?");
    assert_eq!(
        message("select * from private.secrets", "private.secrets"),
        message("select * from private.nothing", "private.nothing")
    );
    assert!(message("select * from note", "-").ends_with("Did you mean public.notes?"));
}
