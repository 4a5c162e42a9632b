//! Domains with casts, and domains that name media types.

use super::attacks::{HOSTILE, encoded, harmless};
use super::{Ask, ask, code, get, text};
use crate::{Body, Headers, Method, Plan, RestError};

fn accepting(path: &str, query: &str, accept: &str) -> Result<Plan, RestError> {
    let headers = Headers { accept: Some(accept), ..Headers::default() };
    ask(Method::Get, &Ask { path, query, headers, ..Ask::default() })
}

fn content_type(plan: &Plan) -> String {
    let row: [Option<&[u8]>; 7] = [None, Some(b"1"), Some(b"00ff"), None, None, None, None];
    let answer = plan.answer(&row, None).unwrap();
    answer.headers.into_iter().find(|(name, _)| name == "Content-Type").map(|(_, value)| value).unwrap_or_default()
}

#[test]
fn columns_are_shown_by_the_function_of_their_cast() {
    let shown = "\"api\".\"hexcolor_json\"(\"t0\".\"color\")";
    for (query, expected) in [
        ("select=color", format!("select {shown} as \"color\" from")),
        ("select=shade:color", format!("select {shown} as \"shade\" from")),
        ("select=color::text", format!("select cast({shown} as \"pg_catalog\".\"text\") as \"color\" from")),
        ("", format!("\"t0\".\"name\", {shown} as \"color\", \"t0\".\"parent_id\" from")),
        ("select=*,id", format!("{shown} as \"color\", \"t0\".\"parent_id\", \"t0\".\"id\" as \"id\" from")),
        ("select=color,count()", format!("{shown} as \"color\", pg_catalog.count(*) as \"count\" from")),
        ("select=color->a", "\"hexcolor_json\"(pg_catalog.to_jsonb(\"t0\".\"color\")->$1) as \"a\"".to_owned()),
    ] {
        let sql = text("paints", query);
        assert!(sql.contains(&expected), "{query}: {sql}");
    }
    assert!(text("paints", "select=color,count()").contains("group by \"t0\".\"color\""));
    assert!(text("paints", "order=color").contains("order by \"t0\".\"color\""));
    assert!(!text("paints", "select=mixed").contains("hexcolor_json"));
    assert!(text("rpc/all_paints", "").contains(shown));
    assert!(!text("rpc/paint_columns", "").contains("hexcolor_json"));
    assert!(text("paints", "select=id,paints(*)").contains("hexcolor_json\"(\"t1\".\"color\")"));
    assert!(text("paints", "select=id,...parent_id(*)").contains("hexcolor_json\"(\"t1\".\"color\") as \"c3\""));
}

#[test]
fn conditions_are_read_by_the_function_of_their_cast() {
    let read = "\"api\".\"hexcolor_read\"($1::pg_catalog.text)";
    let each = "(select \"api\".\"hexcolor_read\"(\"u0\".\"value\") from pg_catalog.unnest($1::pg_catalog.text[]) as \
                \"u0\"(\"value\"))";
    for (query, expected) in [
        ("color=eq.x", format!("\"t0\".\"color\" = {read}")),
        ("color=gte.x", format!("\"t0\".\"color\" >= {read}")),
        ("color=not.in.(x,y)", format!("not \"t0\".\"color\" = any {each}")),
        ("color=eq(any).{x,y}", format!("\"t0\".\"color\" = any {each}")),
        ("or=(color.lt(all).{x},id.eq.1)", format!("\"t0\".\"color\" < all {each}")),
        ("color=like.x*", "\"t0\".\"color\" like $1".to_owned()),
        ("color=isdistinct.x", "\"t0\".\"color\" is distinct from $1".to_owned()),
        ("color=is.null", "\"t0\".\"color\" is null".to_owned()),
        ("mixed=eq.x", "\"t0\".\"mixed\" = $1".to_owned()),
    ] {
        let sql = text("paints", &format!("select=id&{query}"));
        assert!(sql.contains(&expected), "{query}: {sql}");
    }
    let delete = ask(Method::Delete, &Ask { path: "paints", query: "color=eq.x", ..Ask::default() }).unwrap();
    assert!(delete.main.text().contains(&format!("\"w0\".\"color\" = {read}")), "{}", delete.main.text());
}

#[test]
fn bodies_are_read_by_the_function_of_their_cast() {
    let write = |method, query, body, prefer| {
        let headers = Headers { prefer: vec![prefer], ..Headers::default() };
        ask(method, &Ask { path: "paints", query, body, headers }).unwrap()
    };
    let insert = write(Method::Post, "", br##"{"id":1,"color":"#00ff00"}"##, "return=representation");
    let source = "(select \"api\".\"hexcolor_read\"(\"b1\".\"color\") as \"color\", \"b1\".\"id\" from \
                  pg_catalog.json_to_record($1::pg_catalog.json) as \"b1\"(\"color\" pg_catalog.json, \"id\" \
                  \"pg_catalog\".\"int4\")) as \"b0\"";
    assert!(insert.main.text().contains(source), "{}", insert.main.text());
    assert!(insert.main.text().contains("\"hexcolor_json\"(\"t0\".\"color\") as \"color\""));
    assert!(insert.may_refuse() && insert.may_change_settings());
    let defaults = write(Method::Post, "", br#"[{"id":1,"color":"x"}]"#, "missing=default");
    assert!(defaults.main.text().contains(") as \"b1\"(\"color\" pg_catalog.json"), "{}", defaults.main.text());
    let update = write(Method::Patch, "id=eq.1", br#"{"color":"x"}"#, "return=minimal");
    assert!(update.main.text().contains("set \"color\" = \"b0\".\"color\" from (select"), "{}", update.main.text());
    assert!(!update.main.text().contains("hexcolor_json"));
    let location = write(Method::Post, "", br#"{"id":1}"#, "return=headers-only");
    assert!(!location.main.text().contains("hexcolor"), "{}", location.main.text());
}

#[test]
fn a_function_answers_with_the_media_type_that_it_returns() {
    let page = accepting("rpc/a_page", "", "text/html").unwrap();
    assert!(
        page.main.text().contains(", (pg_catalog.array_agg(\"r0\".\"pgrst_scalar\"))[1], "),
        "{}",
        page.main.text()
    );
    assert_eq!(content_type(&page), "text/html");
    let picture = accepting("rpc/a_picture", "", "image/webp, IMAGE/PNG;q=0.5").unwrap();
    assert!(picture.main.text().contains("pg_catalog.encode(((pg_catalog.array_agg("), "{}", picture.main.text());
    let row: [Option<&[u8]>; 7] = [None, Some(b"1"), Some(b"00ff"), None, None, None, None];
    assert_eq!(picture.answer(&row, None).unwrap().body, Body::Hex(2));
    assert_eq!(content_type(&picture), "image/png");
    assert_eq!(content_type(&accepting("rpc/upper", "", "text/upper").unwrap()), "Text/Upper");
    assert!(content_type(&accepting("rpc/a_page", "", "*/*").unwrap()).starts_with("application/json"));
    for accept in ["*/*", "text/csv", "app/any"] {
        assert_eq!(content_type(&accepting("rpc/any_media", "", accept).unwrap()), "application/octet-stream");
    }
    for (path, accept) in [("rpc/pages", "text/html"), ("rpc/a_page", "text/*"), ("rpc/greet", "text/html")] {
        assert_eq!(code(accepting(path, "", accept)), "PGRST107", "{path} {accept}");
    }
    let object = accepting("rpc/any_media", "", "application/vnd.pgrst.object+json").unwrap();
    assert!(content_type(&object).starts_with("application/vnd.pgrst.object+json"));
}

#[test]
fn an_aggregate_makes_a_media_type_of_rows() {
    let poems = "\"api\".\"as_poems\"((\"r0\".*)::\"api\".\"poems\")";
    let rows = "\"api\".\"as_rows\"(\"r0\".*)";
    for (path, query, accept, expected) in [
        ("poems", "", "application/vnd.poems", Some(poems)),
        ("poems", "id=eq.1&limit=2", "application/vnd.poems", Some(poems)),
        ("poems", "select=*", "application/vnd.poems;q=0.3, text/html", Some(poems)),
        ("poems", "select=id,title", "application/vnd.poems", None),
        ("poems", "select=id", "application/vnd.rows", Some(rows)),
        ("clients", "select=id,projects(id)", "application/vnd.rows", Some(rows)),
        ("clients", "", "application/vnd.poems", None),
        ("paints", "", "application/vnd.rows", Some(rows)),
        ("rpc/all_poems", "", "application/vnd.poems", Some(poems)),
        ("rpc/greet", "", "application/vnd.rows", Some("\"as_rows\"(\"r0\".\"pgrst_scalar\")")),
        ("rpc/set_ints", "n=1", "application/vnd.rows", Some(rows)),
        ("poems", "", "application/json", Some("\"own_json\"((\"r0\".*)::\"api\".\"poems\")")),
        ("poems", "", "*/*", Some("json_agg")),
        (
            "numbers",
            "",
            "text/csv",
            Some("pg_catalog.encode((\"api\".\"as_numbers\"((\"r0\".*)::\"api\".\"numbers\"))"),
        ),
        ("numbers", "select=n", "text/csv", Some("string_agg")),
    ] {
        match (accepting(path, query, accept), expected) {
            (Ok(plan), Some(expected)) => assert!(plan.main.text().contains(expected), "{}", plan.main.text()),
            (Err(error), None) => assert_eq!(error.code, "PGRST107", "{path}?{query} {accept}"),
            (plan, _) => panic!("{path}?{query} {accept}: {plan:?}"),
        }
    }
    let plan = accepting("poems", "", "application/vnd.pgrst.plan+json; for=\"application/vnd.poems\"").unwrap();
    assert!(plan.main.text().contains(poems) && plan.gives_lines());
    let headers = Headers {
        accept: Some("application/vnd.poems"),
        prefer: vec!["return=representation,resolution=merge-duplicates"],
        ..Headers::default()
    };
    let insert = ask(Method::Post, &Ask { path: "poems", body: br#"{"id":1}"#, headers, ..Ask::default() }).unwrap();
    assert!(insert.main.text().contains(poems) && insert.may_refuse(), "{}", insert.main.text());
}

#[test]
fn sql_through_values_and_media_types_is_harmless() {
    for hostile in HOSTILE {
        let part = encoded(hostile);
        for query in [
            format!("color=eq.{part}"),
            format!("color=in.({part},{part})"),
            format!("color=not.eq(any).{part}"),
            format!("or=(color.gt.{part})"),
            format!("select={part}:color"),
            format!("select=color->{part}"),
            format!("select=color::{part}"),
            format!("select=*,paints(*)&paints.color=eq.{part}"),
        ] {
            harmless(&query, get("paints", &query));
            harmless(&query, get("rpc/all_paints", &query));
            harmless(&query, ask(Method::Delete, &Ask { path: "paints", query: &query, ..Ask::default() }));
        }
        let body = serde_json::json!([{ "id": hostile, "color": hostile }]).to_string();
        for prefer in ["return=representation", "missing=default,resolution=merge-duplicates"] {
            let headers = Headers { prefer: vec![prefer], ..Headers::default() };
            harmless(
                &body,
                ask(Method::Post, &Ask { path: "paints", body: body.as_bytes(), headers, ..Ask::default() }),
            );
        }
        for path in ["rpc/a_page", "rpc/any_media", "poems", "numbers"] {
            let accept = format!("{hostile}, {hostile};q=0.1, application/vnd.pgrst.plan; for=\"{hostile}\"");
            let plan = accepting(path, "", &accept);
            if let Ok(plan) = &plan {
                assert!(plan.gives_lines() || !content_type(plan).contains("evil"), "{accept}");
            }
            harmless(&accept, plan);
        }
    }
}

#[test]
fn no_name_of_a_request_chooses_a_function() {
    for query in ["color=eq.hexcolor_json", "select=hexcolor_json", "select=hexcolor_json(color)", "as_poems=eq.1"] {
        let Ok(plan) = get("paints", &format!("select=id&{query}")) else { continue };
        assert!(!plan.main.text().contains("hexcolor_json"), "{}", plan.main.text());
    }
    let many = vec!["*"; 5_000].join(",");
    assert_eq!(code(get("paints", &format!("select={many}"))), "54000");
    let values = format!("color=in.({})", "1,".repeat(50_000));
    assert_eq!(get("paints", &values).unwrap().main.params().len(), 1);
}
