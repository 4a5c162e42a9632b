//! What statements look like, and what answers say.

use super::{Ask, ask, code, get, text};
use crate::{Access, Body, End, Headers, Method, Plan};

fn inner(sql: &str) -> &str {
    let start = sql.find(" from (").map_or(0, |place| place + 7);
    sql.get(start..).and_then(|rest| rest.strip_suffix(") as \"r0\"")).unwrap_or(sql)
}

fn prefer(method: Method, path: &str, query: &str, body: &[u8], prefer: &str) -> Plan {
    let headers = Headers { prefer: vec![prefer], ..Headers::default() };
    ask(method, &Ask { path, query, body, headers }).unwrap()
}

#[test]
fn a_plain_read_is_one_select() {
    let sql = text("clients", "select=id,n:name::text&id=eq.5&order=id.desc&limit=3");
    assert_eq!(
        inner(&sql),
        "select \"t0\".\"id\" as \"id\", cast(\"t0\".\"name\" as \"pg_catalog\".\"text\") as \"n\" from \"api\".\"clients\" as \
         \"t0\" where \"t0\".\"id\" = $1 order by \"t0\".\"id\" desc limit $2"
    );
}

#[test]
fn the_same_shape_has_the_same_text() {
    let one = text("clients", "id=in.(1,2,3)&name=like.a*&limit=1&offset=1");
    let other = text("clients", "id=in.(9)&name=like.*b&limit=70&offset=9");
    assert_eq!(one, other);
}

#[test]
fn embedded_rows_are_sub_selects_and_inner_ones_are_conditions() {
    let sql = text("projects", "select=id,clients!inner(name),tasks(name)&clients.name=eq.x&tasks.limit=2");
    assert!(sql.contains("where exists (select from \"api\".\"clients\" as"), "{sql}");
    assert!(sql.contains("(select pg_catalog.row_to_json("), "{sql}");
    assert!(sql.contains("(select coalesce(pg_catalog.json_agg("), "{sql}");
}

#[test]
fn count_is_a_column_or_the_number_of_rows() {
    let sql = text("clients", "select=count&order=count");
    assert_eq!(
        inner(&sql),
        "select pg_catalog.count(*) as \"count\" from \"api\".\"clients\" as \"t0\" order by pg_catalog.count(*)"
    );
    assert!(text("projects", "select=id,tasks(n:count::text)").contains("cast(pg_catalog.count(*) as"));
    assert!(!text("clients", "select=name,count").contains("group by"));
    assert_eq!(code(get("rpc/greet", "select=count")), "42703");
}

#[test]
fn head_reads_embedded_rows_and_makes_no_body() {
    let head = |query| ask(Method::Head, &Ask { path: "projects", query, ..Ask::default() }).unwrap();
    let embeds = head("select=id,clients(name)");
    assert!(embeds.main.text().contains("pg_catalog.count(\"r0\".*) < 0"), "{}", embeds.main.text());
    let row: [Option<&[u8]>; 7] = [None, Some(b"1"), None, None, None, None, None];
    assert_eq!(embeds.answer(&row, None).unwrap().body, Body::Empty);
    assert!(!head("select=id").main.text().contains("\"r0\".*"));
}

#[test]
fn relationships_are_found_in_every_way() {
    for query in [
        "select=clients(name)",
        "select=client_id(name)",
        "select=c:clients!projects_client_id_fkey(name)",
        "select=clients_v(name)",
        "select=profiles(bio)",
        "select=client_of(name)",
        "select=...clients(n:name)",
        "select=id,...tasks(name)",
    ] {
        get("projects", query).unwrap_or_else(|error| panic!("{query}: {error:?}"));
    }
    get("users", "select=tasks!users_tasks(name),boss_id(name),users(name),secrets(t)").unwrap();
    get("projects_v", "select=clients(name),clients_v(name)").unwrap();
    assert_eq!(code(get("orders", "select=addresses(street)")), "PGRST201");
    assert_eq!(code(get("orders", "select=clients(name)")), "PGRST200");
    assert_eq!(code(get("projects", "select=id&nosuch.id=eq.1")), "PGRST108");
    assert_eq!(code(get("clients", "select=projects(id)&order=projects(id)")), "PGRST118");
}

#[test]
fn a_partition_is_a_table_without_relationships() {
    assert!(text("projects_old", "select=id").contains("from \"api\".\"projects_old\""));
    assert_eq!(code(get("projects_old", "select=clients(name)")), "PGRST200");
    assert_eq!(code(get("clients", "select=projects_old(id)")), "PGRST200");
}

#[test]
fn what_is_not_there_has_the_code_of_postgrest() {
    for (path, query, expected) in [
        ("nosuch", "", "PGRST205"),
        ("clients", "select=nosuch", "42703"),
        ("clients", "select=id::nosuch", "42704"),
        ("clients", "id=foo.1", "PGRST100"),
        ("clients", "limit=-1", "PGRST103"),
        ("rpc/nosuch", "", "PGRST202"),
        ("rpc/ambig", "a=1", "PGRST203"),
        ("projects", "select=id,...tasks(id.sum())", "PGRST127"),
    ] {
        assert_eq!(code(get(path, query)), expected, "{path}?{query}");
    }
}

#[test]
fn headers_choose_media_schema_and_strictness() {
    let with = |headers: Headers<'_>| code(ask(Method::Get, &Ask { path: "clients", headers, ..Ask::default() }));
    assert_eq!(with(Headers { accept: Some("text/html"), ..Headers::default() }), "PGRST107");
    assert_eq!(with(Headers { accept_profile: Some("nope"), ..Headers::default() }), "PGRST106");
    assert_eq!(with(Headers { prefer: vec!["handling=strict", "foo"], ..Headers::default() }), "PGRST122");
    assert_eq!(with(Headers { range: Some("5-1"), ..Headers::default() }), "PGRST103");
}

#[test]
fn writes_are_one_statement_and_say_how_they_end() {
    let insert = prefer(Method::Post, "clients", "", br#"{"id":1,"name":"x"}"#, "return=representation,tx=rollback");
    assert_eq!((insert.access, insert.ends, insert.may_refuse()), (Access::Write, End::Rollback, false));
    assert!(
        insert
            .main
            .text()
            .starts_with("with \"rest_source\" as (insert into \"api\".\"clients\" as \"w0\" (\"id\", \"name\")")
    );
    let upsert = prefer(Method::Post, "clients", "", br#"[{"id":1,"name":"x"}]"#, "resolution=merge-duplicates");
    assert!(upsert.main.text().contains("on conflict (\"id\") do update set \"id\" = excluded.\"id\""));
    let strict = prefer(Method::Delete, "clients", "id=eq.1", b"", "handling=strict,max-affected=1");
    assert!(strict.may_refuse());
    let put = prefer(Method::Put, "clients", "id=eq.1", br#"{"id":1,"name":"x"}"#, "return=minimal");
    assert!(put.may_refuse());
    let wrong = Ask { path: "clients", query: "name=eq.x", body: br#"{"id":1}"#, ..Ask::default() };
    assert_eq!(code(ask(Method::Put, &wrong)), "PGRST105");
}

#[test]
fn bodies_that_do_not_fit_are_refused() {
    for (body, expected) in [
        (&b""[..], "PGRST102"),
        (b"{x", "PGRST102"),
        (br#"[{"id":1},{"name":"x"}]"#, "PGRST102"),
        (br#"{"nosuch":1}"#, "PGRST204"),
    ] {
        assert_eq!(code(ask(Method::Post, &Ask { path: "clients", body, ..Ask::default() })), expected);
    }
}

#[test]
fn calls_are_read_only_unless_they_may_write() {
    let call = |method, path, body| ask(method, &Ask { path, body, ..Ask::default() }).unwrap();
    assert_eq!(call(Method::Post, "rpc/greet", b"{}").access, Access::Read);
    assert_eq!(call(Method::Post, "rpc/ret_void", b"").access, Access::Write);
    assert_eq!(call(Method::Get, "rpc/ret_void", b"").access, Access::Read);
    let direct = call(Method::Post, "rpc/add_them", br#"{"a":1,"b":"2"}"#);
    assert!(direct.main.text().contains("\"add_them\"(\"a\" := $1::\"pg_catalog\".\"int4\", \"b\" := $2"));
    assert_eq!(direct.main.params(), [Some(b"1".to_vec()), Some(b"2".to_vec())]);
    let by_json = call(Method::Post, "rpc/arr", br#"{"a":[1,2]}"#);
    assert!(by_json.main.text().contains("json_to_record"));
}

#[test]
fn a_record_is_a_value() {
    let source = |query| text("rpc/records", query).split(") select ").next().map(str::to_owned);
    assert_eq!(
        source("").as_deref(),
        Some(
            "with \"rest_source\" as (select \"c0\".\"pgrst_scalar\" from (select \"api\".\"records\"() as \"pgrst_scalar\") \
             as \"c0\""
        )
    );
    assert!(
        text("rpc/records", "n=1").contains("(\"n\" := $1::\"pg_catalog\".\"int4\") as \"pgrst_scalar\") as \"c0\")")
    );
}

#[test]
fn answers_are_made_of_the_row() {
    let read = prefer(Method::Get, "clients", "limit=2", b"", "count=exact");
    let row: [Option<&[u8]>; 7] = [Some(b"5"), Some(b"2"), Some(b"[]"), None, None, None, None];
    let answer = read.answer(&row, None).unwrap();
    assert_eq!((answer.status, answer.body), (206, Body::Column(2)));
    assert!(answer.headers.contains(&("Content-Range".to_owned(), "0-1/5".to_owned())));
    let beyond = prefer(Method::Get, "clients", "offset=9", b"", "count=exact");
    let none: [Option<&[u8]>; 7] = [Some(b"5"), Some(b"0"), Some(b"[]"), None, None, None, None];
    let refused = beyond.answer(&none, None).unwrap_err();
    assert_eq!(refused.code, "PGRST103");
    assert!(refused.headers.contains(&("Preference-Applied".to_owned(), "count=exact".to_owned())));
    let insert = prefer(Method::Post, "clients", "", br#"{"id":1,"name":"x"}"#, "return=headers-only");
    let row: [Option<&[u8]>; 7] = [None, Some(b"1"), None, Some(b"[\"a b&c\"]"), None, None, None];
    let answer = insert.answer(&row, None).unwrap();
    assert!(answer.headers.contains(&("Location".to_owned(), "/clients?id=eq.a%20b%26c".to_owned())));
    let odd = prefer(Method::Post, "we ird", "", br#"{"c,d":"x"}"#, "return=headers-only");
    let answer = odd.answer(&row, None).unwrap();
    assert!(answer.headers.contains(&("Location".to_owned(), "/we%20ird?a%20%22b=eq.a%20b%26c".to_owned())));
}

#[test]
fn a_row_that_is_cut_short_is_no_panic() {
    let plan = get("clients", "").unwrap();
    for columns in 0..7 {
        let row: Vec<Option<&[u8]>> = vec![Some(&b"\xff"[..]); columns];
        let _ = plan.answer(&row, Some(b"x"));
    }
}

#[test]
fn the_shape_of_a_request_has_no_values() {
    let plan = get("clients", "name=eq.secret&or=(id.gt.77,name.like.hidden*)&select=id,projects(name)").unwrap();
    assert_eq!(plan.shape, "read api.clients eq or gt like embed:api.projects");
}
