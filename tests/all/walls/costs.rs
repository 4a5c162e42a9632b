//! What the gate adds to statements: bounds on functions that the server cannot interrupt, and the limits of a grant where
//! Postgres would list every name.

use behalf_tests::{ALICE, App, Options, TestDatabase, User, guests, read_grants};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::host_call::{call, through_host};

/// A host with the probe. Alice's table has a tag, a document and indexes.
async fn app(grants: &Value) -> App {
    let database = TestDatabase::create().await;
    database
        .execute(
            "alter table public.notes add tags text[] default '{a}', add meta jsonb default '{\"a\": [1, 2]}',
                 add tsv tsvector generated always as (to_tsvector('simple', title)) stored;
             create table public.words (word text);
             insert into public.words select 'w' || n from generate_series(1, 20000) n;
             create index words_prefix on public.words (word text_pattern_ops);
             grant select on public.words to authenticated;
             analyze public.words",
        )
        .await;
    let app = App::on(database, Options::default()).await;
    app.install(guests::PROBE, grants).await;
    app
}

async fn sql(app: &App, sql: &str) -> Value {
    call(app, &User::Is(ALICE), "sql", &json!({ "sql": sql })).await.json["result"].clone()
}

/// Each takes minutes without a bound, and neither a cancel nor a terminate ends it before.
const COSTLY: &[(&str, &str)] = &[
    ("select length(translate(repeat('a', 1000000), repeat('b', 1000000), ''))", "translate"),
    ("select length(btrim(repeat('a', 1000000), repeat('b', 1000000) || 'a'))", "btrim"),
    ("select length(trim(leading repeat('b', 1000000) || 'a' from repeat('a', 1000000)))", "ltrim"),
    ("select strpos(repeat('a', 4000000), 'b' || repeat('a', 2000000))", "strpos"),
    (
        "select strpos(notes.big, 'b') from (notes cross join (select repeat('a', 4000000) as big) s) as notes limit 1",
        "strpos",
    ),
    ("select length(translate('1e131071'::numeric::text, '1e131071'::numeric::text, ''))", "translate"),
    ("select position('b' || repeat('a', 2000000) in repeat('a', 4000000))", "position"),
    ("select length(replace(repeat('a', 4000000), 'b' || repeat('a', 2000000), 'c'))", "replace"),
    ("select length(split_part(repeat('a', 4000000), 'b' || repeat('a', 2000000), 2))", "split_part"),
    ("select cardinality(string_to_array(repeat('a', 4000000), 'b' || repeat('a', 2000000)))", "string_to_array"),
    ("select count(*) from string_to_table(repeat('a', 4000000), 'b' || repeat('a', 2000000))", "string_to_table"),
    ("select length(normalize(repeat(U&'\\0301', 500000) || repeat(U&'\\0316', 500000)))", "normalize"),
    ("select repeat('a', 1000000) like '%' || repeat('a', 500000) || 'b%'", "LIKE"),
    ("select repeat('a', 1000000) not ilike '%' || repeat('a', 500000) || 'b%'", "NOT ILIKE"),
    ("select repeat('a', 1000000) like any (array(select '%aaaaaaaaaab%' from generate_series(1, 100000)))", "LIKE"),
    ("select x like y from (select repeat('a', 1000000) as x, '%' || repeat('a', 500000) || 'b%' as y) s", "LIKE"),
    ("select array(select generate_series(1, 300000)) @> array(select generate_series(300000, 1, -1))", "@>"),
    ("select array(select generate_series(1, 300000)) && array(select -generate_series(1, 300000))", "&&"),
    (
        "select to_jsonb(array(select generate_series(1, 300000))) <@ to_jsonb(array(select generate_series(300000, 1, -1)))",
        "<@",
    ),
    (
        "select to_jsonb(array(select generate_series(1, 300000))) ?| array(select n::text from generate_series(1, 300000) n)",
        "?|",
    ),
    (
        "select to_jsonb(array(select n::text from generate_series(1, 300000) n)) - array(select '-' || n from generate_series(1, 300000) n)",
        "-",
    ),
    (
        "select jsonb_path_exists(jsonb_build_object('a', array(select generate_series(1, 300000)), 'b', array(select -generate_series(1, 300000))), '$ ? (@.a == @.b)')",
        "jsonb_path_exists",
    ),
    (
        "select jsonb_build_object('a', array(select generate_series(1, 300000)), 'b', array(select -generate_series(1, 300000))) @? '$ ? (@.a == @.b)'",
        "@?",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_server_could_not_interrupt_is_bounded() {
    let app = app(&read_grants()).await;
    for (statement, what) in COSTLY {
        let result = sql(&app, statement).await;
        let error = &result["error"];
        assert_eq!((&error["code"], &error["sqlstate"]), (&json!("limit"), &json!("54000")), "{statement}: {result}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(&format!("{what} takes at most ")), "{statement}: {message}");
    }
    // Nothing of them runs on.
    let mut owner = app.database.owner().await;
    let active: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_activity a where datname = current_database() and usename ~ '^behalf_tool_'
             and exists (select from pg_locks l where l.pid = a.pid and l.locktype = 'virtualxid')",
    )
    .fetch_one(&mut owner)
    .await
    .unwrap();
    assert_eq!(active, 0);
}

/// A stored value that is compressed has a size of its own, a hundredth of what a function works on.
#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_value_is_measured_by_what_it_holds() {
    let app = app(&read_grants()).await;
    let marks = "repeat(U&'\\0301', 150000) || repeat(U&'\\0316', 150000)";
    let numbers = "to_jsonb(array(select 1 from generate_series(1, 200000)))";
    app.database
        .execute(&format!(
            "insert into notes (owner_id, title, body, meta) values ('{ALICE}', 'packed', {marks}, {numbers})"
        ))
        .await;
    let stored =
        "select bool_and(pg_column_size(v) < 16000) from notes, lateral (values (body)) one (v) where title = 'packed'";
    assert!(app.database.value::<bool>(stored).await, "the value is not compressed");
    for (statement, what) in [
        ("select length(normalize(body)) from notes where title = 'packed'", "normalize"),
        ("select jsonb_path_exists(meta, '$[*] ? (@ < $[*])') from notes where title = 'packed'", "jsonb_path_exists"),
    ] {
        let result = sql(&app, statement).await;
        assert_eq!(result["error"]["code"], "limit", "{statement}: {result}");
        let message = result["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{what} takes at most ")), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_parameter_of_a_costly_function_is_not_sent() {
    let app = app(&read_grants()).await;
    let ask = async |sql: &str, params: Value| {
        let arguments = json!({ "sql": sql, "params": params });
        call(&app, &User::Is(ALICE), "sql", &arguments).await.json["result"].clone()
    };
    let long = "%a".repeat(600);
    let result = ask("select count(*) from notes where title like $1", json!([long])).await;
    assert_eq!(result["error"]["code"], "limit", "{result}");
    let message = result["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("LIKE takes at most 1024 bytes here, and the parameter $1 has 1200"), "{message}");
    let result = ask("select count(*) > 0 from notes where title like $1", json!(["%"])).await;
    assert_eq!(result["rows"], json!([[true]]), "{result}");
    // Behind a cast, the server measures it.
    let result = ask("select count(*) from notes where title like $1::text", json!([long])).await;
    assert_eq!(result["error"]["code"], "limit", "{result}");
    let result = ask("select count(*) > 0 from notes where title like $1::text", json!(["%"])).await;
    assert_eq!(result["rows"], json!([[true]]), "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_xml_and_polygons_cost_nobody_can_ask_for() {
    let app = app(&read_grants()).await;
    for statement in [
        "select xpath('//a[. = //b]', '<r/>')",
        "select * from xmltable('//a[. = //b]' passing '<r/>' columns x text path '.') t",
        "select ('<a/>')::xml",
        "select xmlparse(content '<a/>')",
        "select xmlcomment('a')",
        "select coalesce(xmlelement(name a), $1)",
        "select isopen($1) and $1 ?# $1",
        "select polygon(100000, '<(0,0),10>'::circle) && polygon(100000, '<(0,0),9>'::circle)",
    ] {
        assert_eq!(sql(&app, statement).await["error"]["code"], "refused", "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounded_statement_answers_as_before() {
    let app = app(&read_grants()).await;
    for (statement, expected) in [
        ("select translate(lower('ÁB'), lower('ÁB'), 'ab')", json!("ab")),
        ("select trim(both repeat('x', 2) from 'xxaxx'), 1", json!("a")),
        ("select replace(lower('ABC'), lower('B'), '-')", json!("a-c")),
        ("select split_part(lower('A,B'), lower(','), 2)", json!("b")),
        ("select 'abc' like '%' || lower('B') || '%'", json!(true)),
        ("select 'abc' not like '%' || lower('B') || '%' escape '!'", json!(false)),
        ("select 'a%c' like any (array['x', lower('A!%') || '%'])", json!(false)),
        ("select array(select 1) @> array(select 1)", json!(true)),
        ("select jsonb_build_object('a', 1) @> jsonb_build_object('a', 1)", json!(true)),
        ("select (jsonb_build_object('a', 1, 'b', 2) - array[lower('A')])::text", json!("{\"b\": 2}")),
        ("select jsonb_path_exists(jsonb_build_object('a', 1, 'b', 1), '$ ? (@.a == @.b)')", json!(true)),
        ("select int4range(1, 5) @> 3 and int4range(1, 5) && int4range(4, 6)", json!(true)),
        ("select ts_rank(tsv, to_tsquery('simple', lower('NOTE'))) is null from notes limit 1", json!(false)),
        ("select ts_rank('{1,1,1,1}', tsv, to_tsquery('simple', 'note')) is null from notes limit 1", json!(false)),
        (
            "select count(*) >= 0 from notes where tsv @@ 'note'::tsquery and meta @> '{\"a\": 1e2}'::jsonb and tags @> array['a1e5']::text[]",
            json!(true),
        ),
        (
            "select count(*) >= 0 from notes where tags && array(select 'a') and meta @> jsonb_build_object('a', 1)",
            json!(true),
        ),
        ("select normalize(lower('Á'), nfd) = normalize(lower('Á'), nfd)", json!(true)),
        ("select count(*) > 5 from words where word like lower('W1') || '%'", json!(true)),
    ] {
        let result = sql(&app, statement).await;
        assert_eq!(result["rows"][0][0], expected, "{statement}: {result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_serves_a_search_whose_pattern_is_checked() {
    let app = app(&read_grants()).await;
    let mut owner = app.database.owner().await;
    // What the gate sends for `word like lower('W19') || '%'`.
    let checked =
        "explain select * from words where word like behalf_limits.at_most(lower('W19') || '%', 1024, 'LIKE')";
    let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(checked)).fetch_all(&mut owner).await.unwrap();
    assert!(plan.iter().any(|line| line.contains("words_prefix")), "{plan:?}");
    let result = sql(&app, "select count(*) from words where word like lower('W19') || '%'").await;
    assert_eq!(result["rows"], json!([[1111]]), "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_beyond_the_grant_stay_hidden() {
    let app = app(&read_grants()).await;
    // The number of a function; its name must not come back.
    let result = sql(&app, "select array[pg_typeof(1), '17296', '2249']").await;
    assert!(result.to_string().contains("17296") && result.to_string().contains("2249"), "{result}");
    assert!(!result.to_string().contains("record"), "{result}");
    for refused in [
        "select '2249'::regtype::text",
        "select 2249::oid::regtype",
        "select (1).pg_typeof",
        "select * from pg_typeof(1)",
        "select format_type(2249, null)",
        "select pg_get_viewdef(2249)",
        "select relname from pg_catalog.pg_class",
        "select * from json_to_record('{\"a\": 2249}') as r(a regtype)",
    ] {
        let result = sql(&app, refused).await;
        assert!(
            ["refused", "not_granted"].contains(&result["error"]["code"].as_str().unwrap_or_default()),
            "{refused}: {result}"
        );
    }
    for view in ["tables", "columns"] {
        let statement = format!("select distinct table_schema from information_schema.{view}");
        let result = sql(&app, &statement).await;
        assert_eq!(result["rows"], json!([["public"]]), "{view}: {result}");
    }
    let shown = sql(&app, "select table_name from information_schema.tables t where t.table_name = 'notes'").await;
    assert_eq!(shown["rows"], json!([["notes"]]), "{shown}");
    // A schema beyond the grant: what exists there is answered as what does not.
    let answers = through_host(
        &app,
        &User::Is(ALICE),
        &["select behalf_limits.at_most(1, 2, 'x')".to_owned(), "select behalf_limits.no_such(1, 2, 'x')".to_owned()],
    )
    .await;
    let messages: Vec<String> = answers.json["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|outcome| outcome["error"]["message"].as_str().unwrap().replace("at_most", "no_such"))
        .collect();
    assert_eq!(messages[0], messages[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_of_tables_shows_no_other_table() {
    let app = app(&json!({ "database": { "access": "read", "schemas": ["public"], "tables": ["notes"] } })).await;
    for view in ["tables", "columns"] {
        let statement = format!("select distinct table_schema || '.' || table_name from information_schema.{view}");
        let result = sql(&app, &statement).await;
        assert_eq!(result["rows"], json!([["public.notes"]]), "{view}: {result}");
    }
    // The same tables as in the host's own description.
    let described = call(&app, &User::Is(ALICE), "describe", &json!({})).await.json["result"].to_string();
    assert!(described.contains("notes") && !described.contains("words"), "{described}");
}
