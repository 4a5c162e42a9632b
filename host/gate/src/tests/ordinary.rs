//! Ordinary statements, which must be allowed.

use super::super::{DatabaseGrant, Kind, Policy, check};
use super::{catalog, grant, reader, writer};

const READS: &[&str] = &[
    "select 1",
    "select * from notes",
    "SELECT n.id, n.title FROM public.notes AS n WHERE n.owner_id = $1 ORDER BY n.created_at DESC LIMIT 10 OFFSET $2",
    "table notes",
    "values (1, 'a'), (2, 'b')",
    "(select 1)",
    "select 1;",
    "-- which notes\nselect id from notes; -- done\n",
    "/* all */ select /* of */ id from notes /* them */ ;;",
    "select distinct title from notes",
    "select distinct on (owner_id) owner_id, title from notes order by owner_id, created_at desc nulls last",
    "select count(*), count(distinct owner_id), sum(size), avg(size)::numeric(10, 2), min(size), max(size) from notes",
    "select owner_id, count(*) from notes group by owner_id having count(*) > 3",
    "select owner_id, title, count(*) from notes group by grouping sets ((owner_id), (title), ())",
    "select owner_id, grouping(owner_id), count(*) from notes group by rollup (owner_id, title)",
    "select a, b, sum(c) from orders group by cube (a, b)",
    "select * from notes n join documents d on d.note_id = n.id left join orders o using (id) natural join totals t",
    "select * from notes cross join lateral (select * from documents d where d.note_id = notes.id limit 3) d",
    "select * from notes, lateral jsonb_array_elements(notes.meta -> 'tags') as tag",
    "select n.*, (select count(*) from documents d where d.note_id = n.id) as documents from notes n",
    "with recent as (select * from notes where created_at > now() - interval '7 days') select * from recent",
    "with a as (select 1 as x), b as (select x + 1 as x from a) select * from a union all select * from b",
    "with recursive tree as (select id, parent_id, 1 as depth from notes where parent_id is null union all \
     select n.id, n.parent_id, t.depth + 1 from notes n join tree t on n.parent_id = t.id) \
     search depth first by id set ordering cycle id set looped using path select * from tree order by ordering",
    "with recursive t(n) as (values (1) union all select n + 1 from t where n < 100) select sum(n) from t",
    "select * from (with secrets as (select 1 as one) select * from secrets) s",
    "with pg_stuff as (select 1) select * from pg_stuff",
    "select id, row_number() over (partition by owner_id order by created_at desc) as rn from notes",
    "select id, lag(size, 1, 0) over w, sum(size) over (w rows between 2 preceding and current row) \
     from notes window w as (partition by owner_id order by created_at)",
    "select percentile_cont(0.5) within group (order by size), mode() within group (order by title) from notes",
    "select string_agg(title, ', ' order by title) filter (where title is not null), array_agg(distinct id) from notes",
    "select json_agg(n) from notes n",
    "select to_jsonb(n) - 'secret' || jsonb_build_object('a', 1) from notes n",
    "select meta->>'a', meta #>> '{a,b}', meta @> '{\"a\": 1}', meta ? 'a', meta ?| array['a', 'b'] from notes",
    "select jsonb_path_query(meta, '$.a[*] ? (@ > $min)', jsonb_build_object('min', 2)) from notes",
    "select * from jsonb_to_recordset($1) as r(a int, b text collate \"C\", c numeric(10,2), d text[])",
    "select * from json_populate_record(null::public.notes, $1::json)",
    "select json_object('a': 1, 'b': title returning jsonb), json_array(1, 2), json_array(select id from notes) from notes",
    "select json_objectagg(title: id), json_arrayagg(title order by title) from notes",
    "select json_exists(meta, '$.a'), json_query(meta, '$.a' with wrapper), json('1'), json_scalar(1) from notes",
    "select * from notes, json_table(meta, '$[*]' columns (id for ordinality, a text path '$.a', \
     nested path '$.b[*]' columns (b int path '$'))) t",
    "select meta is json object, xmlelement(name a, xmlattributes(title as t), body), xmlforest(title) from notes",
    "select tags[1], tags[2:3], array_length(tags, 1), cardinality(tags), 'a' = any(tags), tags || array['x'] from notes",
    "select id from notes where id = any($1::uuid[]) and not (size <> all (array[1, 2]))",
    "select id from notes where id in ($1, $2, 3) and title not in (select title from documents)",
    "select * from notes where exists (select from documents d where d.note_id = notes.id)",
    "select array(select id from notes order by 1)",
    "select unnest(tags), generate_subscripts(tags, 1) from notes",
    "select * from generate_series(1, 10) with ordinality as g(x, n)",
    "select d::date from generate_series('2024-01-01'::timestamptz, now(), '1 day') d",
    "select * from rows from (generate_series(1, 2), json_to_record('{}') as (a int)) as r(x, y)",
    "select date_trunc('month', created_at), extract(year from created_at), date_part('dow', created_at) from notes",
    "select created_at at time zone 'utc', current_date, current_timestamp(0), localtime, now(), age(created_at) from notes",
    "select interval '1 day', date '2024-01-01', timestamp with time zone '2024-01-01', make_interval(days => 3)",
    "select created_at + interval '1' day, (a, b) overlaps (c, d), to_char(now(), 'YYYY-MM-DD') from notes",
    "select coalesce(title, ''), nullif(title, ''), greatest(1, 2), least(1, 2), case when true then 1 else 2 end from notes",
    "select case title when 'a' then 1 when 'b' then 2 end from notes",
    "select title || ' ' || body, lower(title), initcap(title), length(body), left(title, 3), md5(body) from notes",
    "select substring(title from 1 for 3), position('a' in title), overlay(title placing 'x' from 1), trim(both from title)",
    "select substring(title from 'a(.*)b'), title similar to '%(a|b)%', title like 'a\\%' escape '\\' from notes",
    "select title ilike '%a%', title ~* 'a', regexp_replace(title, 'a', 'b', 'g'), regexp_matches(title, 'a') from notes",
    "select * from notes where size between 1 and 3 and size not between symmetric 5 and 4 and a is distinct from b",
    "select * from notes where title is null or done is not true or (a, b) = (1, 2) or row(a, b) < row(3, 4)",
    "select ts_rank(tsv, q), ts_headline('english', body, q) from notes, websearch_to_tsquery('english', $1) q where tsv @@ q",
    "select * from notes where to_tsvector('english', title || ' ' || body) @@ plainto_tsquery('english', 'cats')",
    "select id, embedding <-> $1::vector as distance from documents order by embedding <-> $1::vector limit 5",
    "select 1 - (embedding <=> '[1,2,3]'::vector(3)), embedding operator(extensions.<=>) $1::extensions.vector from documents",
    "select cosine_distance(embedding, $1) from documents",
    "select similarity(title, 'a'), title % 'a', unaccent(title), extensions.digest(body, 'sha256') from notes",
    "select title::citext, 'happy'::mood, cast(id as text), id::text::varchar(20), $1::bigint, '{1}'::int[]::_int4",
    "select pg_typeof(id), pg_column_size(body), pg_size_pretty(10::bigint), collation for (title) from notes",
    "select gen_random_uuid(), uuid_generate_v4(), random(), clock_timestamp(), encode(sha256('a'), 'hex')",
    "select current_user, current_role, user, current_schema",
    "select auth.uid(), auth.jwt() ->> 'email' from notes where owner_id = (select auth.uid())",
    "select full_name(n), n.full_name, n.name, n.text from notes n",
    "select (n).title, (json_each('{}')).key from notes n",
    "select table_name from information_schema.tables where table_schema = 'public'",
    "select column_name, data_type from information_schema.columns where table_name = 'notes' order by ordinal_position",
    "select * from open_orders union select * from orders except select * from totals intersect select * from totals",
    "select * from notes tablesample bernoulli (10) repeatable (1)",
    "select * from notes order by title collate \"C\" using ~<~ fetch first 3 rows with ties",
    "select \"id\", \"Weird Name\" from \"public\".\"notes\"",
    "select U&'d\\0061t\\+000061', E'a\\nb', $$a;b$$, $t$ -- not a comment $t$, b'101', x'1f', 1e3, .5, 0x1f, 1_000",
    "select 'a;b' as \"c;d\" from notes where title = ';'",
    "select xmin, ctid, tableoid from notes",
    "select * from public.pg_stuff",
    "select a.b.c.d from notes as a",
];

/// All of them, reads and writes.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    READS.iter().copied().chain(WRITES.iter().map(|(sql, _, _)| *sql))
}

#[test]
fn ordinary_reads_pass() {
    for sql in READS {
        match check(sql, &reader()) {
            Ok(verdict) => {
                assert!(!verdict.writes && verdict.returns_rows && verdict.kind == Kind::Select, "{sql}");
            }
            Err(refusal) => assert_eq!(refusal.to_string(), "", "{sql}"),
        }
    }
}

const WRITES: &[(&str, Kind, bool)] = &[
    ("insert into notes (title, body) values ($1, $2)", Kind::Insert, false),
    ("insert into notes (title) values ('a'), (default) returning *", Kind::Insert, true),
    ("insert into notes default values returning id, old, new.title", Kind::Insert, true),
    ("insert into notes (owner_id, title) select auth.uid(), title from documents", Kind::Insert, false),
    ("insert into notes overriding system value values (1)", Kind::Insert, false),
    (
        "insert into notes as n (id, title) values ($1, $2) on conflict (id, lower(title) collate \"C\" text_ops) where x \
         do update set title = excluded.title, tags[1] = 'a', addr.city = 'b' where n.title <> excluded.title returning n.id",
        Kind::Insert,
        true,
    ),
    ("insert into notes (id) values (1) on conflict on constraint notes_pkey do nothing", Kind::Insert, false),
    ("with n as (select 1 as id) insert into notes (id) select id from n", Kind::Insert, false),
    ("update notes set title = $1, size = size + 1, done = default where id = $2", Kind::Update, false),
    ("update notes n set (title, body) = (select title, body from documents d where d.id = n.id)", Kind::Update, false),
    (
        "update notes set title = d.title from documents d where d.note_id = notes.id returning notes.*",
        Kind::Update,
        true,
    ),
    ("delete from notes where id = $1", Kind::Delete, false),
    ("delete from notes using documents d where d.note_id = notes.id returning notes.id", Kind::Delete, true),
    (
        "merge into notes n using (select 1 as id) s on n.id = s.id when matched and n.done then delete \
         when matched then update set title = 'a' when not matched then insert (id) values (s.id) \
         when not matched by source then do nothing returning merge_action(), n.*",
        Kind::Merge,
        true,
    ),
    ("with gone as (delete from notes where done returning *) select count(*) from gone", Kind::Select, true),
    ("select archive_note(id) from notes", Kind::Select, true),
];

#[test]
fn ordinary_writes_pass_where_writing_is_granted() {
    for (sql, kind, returns_rows) in WRITES {
        match check(sql, &writer()) {
            Ok(verdict) => {
                assert_eq!((verdict.kind, verdict.returns_rows, verdict.writes), (*kind, *returns_rows, true), "{sql}");
            }
            Err(refusal) => assert_eq!(refusal.to_string(), "", "{sql}"),
        }
    }
}

#[test]
fn no_write_passes_where_only_reading_is_granted() {
    for (sql, _, _) in WRITES {
        let rule = check(sql, &reader()).expect_err(sql).rule();
        assert!(["write_not_granted", "function_not_granted"].contains(&rule), "{rule}: {sql}");
    }
}

#[test]
fn a_verdict_describes_the_statement() {
    let verdict = check(" /* x */ -- y\n select $2, $1::text ; /* z */ ;", &reader()).expect("an ordinary statement");
    assert_eq!(verdict.statement, "select $2, $1::text");
    assert_eq!(verdict.parameters, 2);
    let other = check("select id from notes where title = 'a'", &reader()).expect("an ordinary statement");
    let same = check("SELECT id FROM notes WHERE title = 'b' -- c", &reader()).expect("an ordinary statement");
    assert_eq!(other.fingerprint, same.fingerprint);
    assert_eq!(other.fingerprint.len(), 16);
    assert_ne!(other.fingerprint, verdict.fingerprint);
}

#[test]
fn what_a_grant_names_is_allowed() {
    let public = |name: &str| ("public".to_owned(), name.to_owned());
    let named =
        DatabaseGrant { functions: ["exec_sql", "is_admin", "archive_note"].map(public).to_vec(), ..grant(false) };
    let policy = Policy::new(named, catalog());
    for sql in ["select exec_sql('select 1')", "select public.is_admin(1), archive_note(2)"] {
        assert!(check(sql, &policy).is_ok_and(|verdict| !verdict.writes), "{sql}");
    }
    let tables = DatabaseGrant { tables: ["notes", "elsewhere"].map(public).to_vec(), ..grant(false) };
    let policy = Policy::new(tables, catalog());
    assert!(check("select * from notes, elsewhere", &policy).is_ok());
    let information = DatabaseGrant { schemas: vec!["information_schema".to_owned()], ..grant(false) };
    assert!(check("select * from information_schema.key_column_usage", &Policy::new(information, catalog())).is_ok());
}
