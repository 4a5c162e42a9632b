//! Tests of the bounds on costly functions and operators, and of the checks that the gate puts into statements.

use std::sync::Arc;

use super::super::{Catalog, Policy, Refusal, bounds, builtin, check, functions};
use super::{CATALOG, catalog, grant, reader, row, writer};

fn sent(sql: &str) -> String {
    check(sql, &writer()).unwrap_or_else(|refusal| panic!("{sql}: {refusal}")).statement
}

/// Statements that an index serves, or whose sizes the text shows.
const UNTOUCHED: &[&str] = &[
    "select id from notes where title like 'abc%'",
    "select id from notes where title ilike '%abc%' or body not like 'a\\%' escape '\\'",
    "select id from notes where lower(title) like 'abc%' and lower(title) like $1",
    "select id from notes n where n.title like any (array['a%', 'b%'])",
    "select id from notes where title ~ '^a.*b$' and title similar to '%(a|b)%'",
    "select id from notes, websearch_to_tsquery('english', $1) q where tsv @@ q",
    "select id from notes where to_tsvector('english', title || ' ' || body) @@ plainto_tsquery('english', $1)",
    "select id from notes where tsv @@ 'cats <-> dogs' and tsv @@ $1::tsquery",
    "select n.id from notes n, (select websearch_to_tsquery($1) as q) s where n.tsv @@ s.q",
    "select id from notes where tags @> array['a'] and tags && $1 and meta @> '{\"a\": 1}' and meta @> $2::jsonb",
    "select id from notes where meta -> 'tags' ? 'a' and meta ?| array['a', 'b'] and meta @? '$.a[*] ? (@ > 2)'",
    "select jsonb_path_query(meta, '$.a[*] ? (@ > $min && @.b == \"x == y\")', '{\"min\": 2}') from notes",
    "select replace(title, '-', ''), translate(title, 'áé', 'ae'), split_part(title, ',', 2), trim(title) from notes",
    "select replace(replace(replace(title, 'a', ''), 'b', 'c'), 'd', 'e') like 'x%' from notes",
    "select position('a' in title), strpos(title, $1), string_to_array(title, ','), trim(both 'x' from title) from notes",
    "select extract(epoch from now()) - sum(size), size - size * 2, size - size::numeric(10, 2) from notes",
    "select now() - created_at, size - 1, -size, now() - interval '1 day', now() - $1 from notes",
    "select size - 1e3, size - $1::int, size - 2::numeric(10, 2), now() - $2::interval, meta - 'a'::text from notes",
    "select id from notes where meta @> '{\"a\": 1}'::jsonb and tags @> array['a']::text[] and title like '%1e5%'",
    "select id from notes where title like 'a%'::text and title like 'b%'::varchar(20)",
    "update notes set title = replace(title, 'a', 'b') where title like 'a%' returning replace(title, 'a', 'c')",
];

#[test]
fn what_an_index_serves_and_what_the_text_shows_to_be_small_stays_as_it_is() {
    for sql in UNTOUCHED {
        assert_eq!(sent(sql), *sql);
    }
}

/// A statement, and what is checked in it.
const CHECKED: &[(&str, &[&str])] = &[
    ("select translate(repeat('a', 100000), repeat('b', 100000), '')", &["1048576, 'translate'", "128, 'translate'"]),
    ("select btrim(repeat('a', 9), repeat('b', 9))", &["1048576, 'btrim'", "128, 'btrim'"]),
    ("select trim(leading repeat('b', 9) from title) from notes", &["128, 'ltrim'"]),
    ("select position(repeat('b', 9) in title) from notes", &["512, 'position'"]),
    ("select pg_catalog.strpos(x, x) from (select repeat('a', 9) as x) s", &["1048576, 'strpos'", "512, 'strpos'"]),
    ("with notes as (select repeat('a', 9) as x) select replace(x, 'a', '') from notes", &["1048576, 'replace'"]),
    ("select * from string_to_table(repeat('a', 9), repeat('b', 9))", &["'string_to_table'"]),
    ("select normalize(title), normalize(title, nfkd) from notes", &["16384, 'normalize'"]),
    ("select 1 from notes n join documents d on d.title like n.title || '%'", &["1024, 'LIKE'"]),
    ("select repeat('a', 9) like '%a%'", &["1048576, 'LIKE'"]),
    ("select 1 from notes where title ilike '%' || $1 || '%'", &["1024, 'ILIKE'"]),
    ("select 1 from notes where title not like lower($1)", &["1024, 'NOT LIKE'"]),
    ("select 1 from notes where title operator(pg_catalog.~~) lower($1)", &["1024, 'LIKE'"]),
    ("select repeat('a', 9) like any (array(select title from notes))", &["1048576, 'LIKE'", "1024, 'LIKE'"]),
    ("select array(select 1) @> array(select 2)", &["32768, '@>'"]),
    ("select array(select 1) && tags from notes", &["8192, '&&'"]),
    ("select tags <@ array(select 2) from notes", &["8192, '<@'"]),
    ("select to_jsonb(1) - array(select 'a')", &["4096, '-'"]),
    ("select jsonb_path_exists(meta, '$ ? (@.a == @.b)') from notes", &["65536, 'jsonb_path_exists'"]),
    ("select jsonb_path_query(target => meta, path => '$.a') from notes", &["65536, 'jsonb_path_query'"]),
    ("select jsonb_path_exists(meta, '$ ? (/* \" */ @.a == @.b /* \" */)') from notes", &["'jsonb_path_exists'"]),
    ("select meta @? $1 from notes", &["65536, '@?'"]),
    ("select json_exists(meta, '$ ? (@.a == @.b)') from notes", &["'the JSON function'"]),
    ("select * from notes, json_table(meta, '$' columns (a int path '$ ? (@.a == @.b)')) t", &["'JSON_TABLE'"]),
    (
        "select ts_rank(tsv, websearch_to_tsquery($1)), ts_rank('{1,1,1,1}', tsv, to_tsquery($1)) from notes",
        &["2048, 'ts_rank'"],
    ),
    ("select xmlagg(xmlelement(name a, title)) from notes", &["262144, 'xmlagg'"]),
    ("select replace(n.title, 'a', 'b') from (select repeat('a', 9) as title) n, notes", &["1048576, 'replace'"]),
    ("select replace(title, 'a', 'b') from notes, (select 1 as one) s", &["1048576, 'replace'"]),
    (
        "insert into notes (title) values ('a') on conflict (id) do update set title = replace(excluded.title, 'a', 'b')",
        &["'replace'"],
    ),
    ("select id from notes where title like $1::text", &["1024, 'LIKE'"]),
    ("select word_similarity_op(title, lower($1)) from notes", &["1024, 'word_similarity_op'"]),
    ("select extensions.texticlike(title, lower($1)) from notes", &["1024, 'texticlike'"]),
    ("select meta @@ $1 from notes", &["65536, '@@'"]),
    ("select meta @@ $1::jsonpath from notes", &["65536, '@@'"]),
    ("select meta @@ any ('{\"$[*] == $x\"}') from notes", &["65536, '@@'"]),
    (
        "select jsonb_path_exists(meta, '$[*] < $x'::varchar(8)::jsonpath, '{}') from notes",
        &["65536, 'jsonb_path_exists'"],
    ),
    ("select jsonb_path_exists(meta, '$[*] < $x'::name::jsonpath, '{}') from notes", &["65536, 'jsonb_path_exists'"]),
    ("select replace(replace(title, 'ab'::varchar(1), 'cc'), 'd', 'e') from notes", &["1048576, 'replace'"]),
    ("select similarity(title, 'a'), word_similarity(title, lower($1)) from notes", &["1024, 'word_similarity'"]),
];

#[test]
fn the_server_checks_what_the_gate_cannot_see() {
    for (sql, expected) in CHECKED {
        let sent = sent(sql);
        assert!(sent.contains("behalf_limits.at_most("), "{sent}");
        for check in *expected {
            assert!(sent.contains(check), "{check}: {sent}");
        }
    }
}

/// Values that a statement computes and that have the name of a table.
const DISGUISED: &[&str] = &[
    "select strpos(notes.big, $1) from (notes cross join (select repeat('a', 300000000) as big) s) as notes",
    "select (select count(*) from (select strpos(n.big, $1)) x, notes n) from (select repeat('a', 9) as big) n",
    "select (select strpos(\"coalesce\".\"coalesce\", $1) from coalesce(repeat('a', 9))) from notes as \"coalesce\"",
    "select 1 from ((select repeat('a', 9) as big) as notes join documents d on strpos(notes.big, $1) > 0) as j, notes",
];

#[test]
fn a_computed_value_is_no_column_of_a_table_whatever_its_name() {
    for sql in DISGUISED {
        assert!(sent(sql).contains("1048576, 'strpos'"), "{}", sent(sql));
    }
}

/// Values whose text is longer than what the statement or a parameter has.
const GROWING: &[&str] = &[
    "'1e131071'::numeric::text",
    "'1e131071'::text",
    "(1e131071)::text",
    "1e131071 || ''",
    "'[1e131071]'::jsonb ->> 0",
    "'[1]'::jsonb ->> 0",
    "jsonb_extract_path_text('[1]', '0')",
    "'{1\\e131071}'::numeric[]::text",
    "coalesce('1e131071', 5.0) || ''",
    "1::numeric(1000, 999) || ''",
    "'{a}'::_bpchar(1000000)::text",
    "$1::numeric::text",
    "$1::jsonb::text",
    "$1::text",
];

#[test]
fn a_value_that_grows_as_a_text_is_checked() {
    for value in GROWING {
        let sql = format!("select strpos({value}, 'a'), $1::jsonb");
        assert!(sent(&sql).contains("1048576, 'strpos'"), "{}", sent(&sql));
    }
}

#[test]
fn either_argument_that_may_be_the_query_of_a_rank_is_checked() {
    for (arguments, checks) in [
        ("tsv, to_tsquery($1)", 1),
        ("tsv, to_tsquery($1), 32", 1),
        ("tsv, to_tsquery($1), size", 2),
        ("weights, tsv, to_tsquery($1)", 2),
        ("array[0.1, 0.2, 0.4, 1], tsv, to_tsquery($1)", 1),
        ("'{0.1,0.2,0.4,1}', tsv, to_tsquery($1), 32", 1),
    ] {
        let sent = sent(&format!("select ts_rank({arguments}) from notes"));
        assert_eq!(sent.matches("2048, 'ts_rank'").count(), checks, "{sent}");
    }
}

#[test]
fn the_text_of_a_document_counts_six_times() {
    let verdict = check("select jsonb_path_exists($1, '$ ? (@.a == @.b)')", &reader()).expect("ordinary");
    assert_eq!(verdict.parameter_bounds.first().map(|bound| bound.bytes), Some(64 * 1024 / 6));
    let long = format!("select jsonb_path_exists('[{}]', '$[*] == $[*]')", "1,".repeat(6000));
    assert_eq!(check(&long, &reader()).expect_err("a long document").rule(), "value_too_large");
}

#[test]
fn xml_stands_beside_parameters_whose_type_the_statement_shows() {
    let ordinary = "select xmlelement(name a, title), xmlforest(body), $2::text from notes n \
                    where n.owner_id = $1 and id in ($3, $4) order by id limit $5";
    assert_eq!(sent(ordinary), ordinary);
    assert!(check("select xmlagg(xmlelement(name a, title)) from notes where id = $1", &reader()).is_ok());
    for sql in [
        "select coalesce(xmlelement(name a), $1)",
        "select array[xmlforest(title), $1] from notes",
        "select case when true then xmlagg('<a/>') else $1 end from notes",
        "values (xmlelement(name a)), ($1)",
        "select xmlpi(name a) union all select $1",
        "with x as (select array[xmlelement(name a)] as c) select c = $1 from x",
    ] {
        assert_eq!(check(sql, &reader()).expect_err(sql).rule(), "construct_not_allowed", "{sql}");
    }
}

#[test]
fn a_statement_names_views_of_the_information_schema_a_few_times() {
    let of = |times: usize| {
        let views: Vec<String> = (0..times).map(|number| format!("information_schema.tables t{number}")).collect();
        check(&format!("select 1 from {}", views.join(", ")), &reader())
    };
    assert!(of(16).is_ok());
    let refusal = of(17).expect_err("too many");
    assert!(refusal.to_string().contains("more than 16 views of information_schema"), "{refusal}");
}

#[test]
fn a_checked_statement_passes_no_name_that_was_refused_before() {
    let refused = check("select behalf_limits.at_most(1, 2, 'x')", &reader()).expect_err("not granted");
    assert_eq!(refused.rule(), "function_not_allowed");
    // What was already refused is refused in the arguments as well.
    let inside = check("select replace(set_config('a', 'b', true), $1, 'c')", &reader()).expect_err("set_config");
    assert_eq!(inside.rule(), "function_not_allowed");
}

#[test]
fn the_length_of_a_parameter_is_bounded_where_it_stands_alone() {
    let verdict = check("select 1 from notes where title like $2 and strpos($1, $2) > 0", &reader()).expect("ordinary");
    assert_eq!(verdict.statement, "select 1 from notes where title like $2 and strpos($1, $2) > 0");
    let bounds: Vec<_> = verdict.parameter_bounds.iter().map(|b| (b.index, b.bytes, b.what.as_str())).collect();
    // One bound a parameter: the narrowest.
    assert_eq!(bounds, [(2, 512, "strpos"), (1, 1024 * 1024, "strpos")]);
    assert!(check("select $1, title from notes", &reader()).expect("ordinary").parameter_bounds.is_empty());
}

#[test]
fn a_long_literal_leaves_less_to_the_other_argument() {
    let long = "b".repeat(1024);
    let sql = format!("select translate(title, '{long}', '') from notes");
    assert!(sent(&sql).contains("131072, 'translate'"), "{}", sent(&sql));
    let document = format!("select normalize('{}')", "é".repeat(10_000));
    assert_eq!(
        check(&document, &reader()),
        Err(Refusal::TooLarge { what: "normalize".to_owned(), bytes: 20_000, limit: 16_384 })
    );
}

#[test]
fn a_database_without_the_check_allows_only_what_needs_none() {
    let rows = CATALOG.lines().filter(|line| !line.is_empty() && !line.contains("at_most"));
    let bare = Catalog::from_rows(rows.map(|line| row(&line.split(' ').collect::<Vec<_>>())));
    let policy = Policy::new(grant(false), Arc::new(bare));
    let refusal = check("select replace(repeat('a', 9), 'a', 'b')", &policy).expect_err("it cannot be bounded");
    assert_eq!(refusal.rule(), "cost_not_bounded");
    assert!(check("select replace(title, 'a', 'b') from notes where title like 'a%'", &policy).is_ok());
}

#[test]
fn no_other_notation_gets_past_a_bound() {
    for (sql, rule) in [
        ("select n.normalize from notes n", "attribute_not_allowed"),
        ("select (title).pg_typeof from notes", "attribute_not_allowed"),
        ("select * from pg_typeof(1)", "construct_not_allowed"),
        ("select title like any (select body from notes) from notes", "construct_not_allowed"),
        ("select n.meta @@ s.p from notes n, (select $1::jsonpath as p) s", "construct_not_allowed"),
        ("select isopen($1), $1 ?# $1", "function_not_allowed"),
        ("select isclosed($1)", "function_not_allowed"),
        ("select npoints($1)", "function_not_allowed"),
        ("select popen($1)", "function_not_allowed"),
        ("select pclose($1)", "function_not_allowed"),
        ("select xmlcomment($1)", "function_not_allowed"),
        ("select xmltext($1)", "function_not_allowed"),
        ("select '<a/>'::xml", "type_not_allowed"),
        ("select '((0,0),(1,1))'::polygon", "type_not_allowed"),
        ("select xmlparse(content title) from notes", "construct_not_allowed"),
        ("select xmlserialize(content title as text) from notes", "construct_not_allowed"),
        ("select title is document from notes", "construct_not_allowed"),
        ("select * from xmltable('/a' passing title columns a text) t, notes", "construct_not_allowed"),
    ] {
        assert_eq!(check(sql, &reader()).expect_err(sql).rule(), rule, "{sql}");
    }
}

#[test]
fn the_name_of_a_type_is_a_text() {
    assert_eq!(sent("select array[pg_typeof(1), '17296']"), "SELECT ARRAY[pg_typeof(1)::pg_catalog.text, '17296']");
}

#[test]
fn the_information_schema_is_cut_to_the_grant() {
    let sql = "select table_name from information_schema.tables t where t.table_schema = 'ai'";
    assert!(sent(sql).contains("v.table_schema IN ('public')"), "{}", sent(sql));
    let schemas = vec!["public".to_owned(), "information_schema".to_owned()];
    let all = Policy::new(super::DatabaseGrant { schemas, ..grant(false) }, catalog());
    for view in [
        "columns",
        "constraint_column_usage",
        "key_column_usage",
        "referential_constraints",
        "schemata",
        "table_constraints",
        "tables",
        "views",
    ] {
        let narrowed = check(&format!("select * from information_schema.{view}"), &all).expect(view).statement;
        assert!(
            narrowed.contains(" IN ('public')") && narrowed.contains(&format!("information_schema.{view} v ")),
            "{narrowed}"
        );
    }
    let tables = vec![("public".to_owned(), "it's".to_owned())];
    let policy = Policy::new(super::DatabaseGrant { tables, ..grant(false) }, catalog());
    let narrowed = check("table information_schema.columns", &policy).expect("an open view").statement;
    assert!(narrowed.contains("v.table_schema = 'public' AND v.table_name = 'it''s'"), "{narrowed}");
    let nothing = Policy::new(super::DatabaseGrant { schemas: Vec::new(), ..grant(false) }, catalog());
    let narrowed = check("table information_schema.columns", &nothing).expect("an open view").statement;
    assert!(narrowed.contains("WHERE false"), "{narrowed}");
}

#[test]
fn the_name_of_a_function_beyond_the_grant_is_not_told_from_one_that_does_not_exist() {
    for name in ["private.wipe", "private.no_such_function"] {
        let refusal = check(&format!("select {name}()"), &reader()).expect_err("not granted");
        assert_eq!(refusal, Refusal::Function { name: name.to_owned() });
    }
}

#[test]
fn nothing_in_a_literal_is_taken_for_a_position() {
    let sent = sent("select replace(lower($1), 'location: 5, \\\\ \" location: 6', 'location: 7')");
    assert!(sent.contains("'location: 5, ") && sent.contains("\" location: 6', 'location: 7')"), "{sent}");
}

/// Every ordinary statement would mean the same after a check was put into it.
#[test]
fn ordinary_statements_survive_being_written_anew() {
    for sql in super::ordinary::all() {
        let Ok(parsed) = super::super::text::one_statement(sql).and_then(super::super::tree::parse) else { continue };
        assert!(super::super::tree::text(&parsed).is_ok(), "{sql}");
    }
}

#[test]
fn the_tables_of_bounds_are_sorted_and_name_what_is_allowed() {
    assert!(
        bounds::FUNCTIONS.is_sorted_by_key(|(name, _)| *name) && bounds::OPERATORS.is_sorted_by_key(|(name, _)| *name)
    );
    let of_extension = |name: &str| name.contains("word_similarity") || name.starts_with("textic");
    for (name, _) in bounds::FUNCTIONS {
        assert!(functions::is_allowed(name) != of_extension(name), "{name}");
    }
}

/// The document's table has a row for every bound and for everything that left the list, and says so.
#[test]
fn the_document_says_what_the_code_does() {
    let document = include_str!("../../../../docs/statement-costs.md");
    let mut bounded = Vec::new();
    for line in document.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let done = cells.last().copied().unwrap_or_default();
        let names: Vec<&str> = cells[0].split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty() && cells.len() == 5, "{line}");
        for name in names {
            let is_bounded =
                bounds::of_function(name).is_some() || bounds::of_operator(&name.replace("\\|", "|")).is_some();
            let is_listed = functions::is_allowed(name);
            let of_type = builtin::is_type(name);
            if done.starts_with("bounded") {
                assert!(is_bounded, "{name} has no bound");
                bounded.push(name.replace("\\|", "|"));
            } else if done.starts_with("left the list") {
                assert!(!is_bounded && !is_listed && !of_type, "{name} can be used");
            } else {
                assert!(done.starts_with("stays"), "{line}");
                assert!(!is_bounded, "{name} is bounded");
            }
        }
    }
    let coded = bounds::FUNCTIONS.iter().chain(&bounds::OPERATORS).map(|(name, _)| *name);
    let missing: Vec<_> = coded.filter(|name| !bounded.iter().any(|known| known == name)).collect();
    assert!(missing.is_empty(), "the document does not have {missing:?}");
}
