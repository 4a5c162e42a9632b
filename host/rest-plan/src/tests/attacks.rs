//! SQL through everything that a client can write. The text of a statement may have none of it, except as a quoted key of the
//! answer.

use super::{Ask, ask, code, get};
use crate::{Headers, Method, Plan, RestError};

/// What ends a name, a value, a cast, a list, a comment or a statement, with a word that is easy to find.
pub(super) const HOSTILE: &[&str] = &[
    "x\"; drop table evil; --",
    "x'; drop table evil; --",
    "x') or evil=(1",
    "text) from pg_authid; --evil",
    "a\") values (1); reset role; --evil",
    "evil/**/",
    "$1 evil",
    "E'\\'' evil",
    "$evil$",
    "evil\\\"",
    "evil\0",
    "evil\n--",
    "\u{ff02}; evil",
    "evil::regclass",
    "pg_sleep(evil)",
    "../evil",
    "*,(select evil)",
];

pub(super) fn encoded(text: &str) -> String {
    let mut out = String::new();
    crate::syntax::encode_into(&mut out, text);
    out
}

/// The text without names in quotes.
fn outside_of_names(sql: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for next in sql.chars() {
        if next == '"' {
            inside = !inside;
        } else if !inside {
            out.push(next);
        }
    }
    assert!(!inside, "a quote is open in {sql}");
    out
}

/// Whatever the request became, its text is not in the statement.
pub(super) fn harmless(what: &str, result: Result<Plan, RestError>) {
    let Ok(plan) = result else { return };
    assert!(plan.time_zone.as_ref().is_none_or(|zone| !zone.contains("evil")), "{what}: {:?}", plan.time_zone);
    let statements = [Some(&plan.main), plan.explain.as_ref(), plan.pre_request.as_ref()];
    for statement in statements.into_iter().flatten() {
        let text = outside_of_names(statement.text());
        assert!(!text.contains("evil"), "{what}: {}", statement.text());
        assert!(!text.contains("--") && !text.contains("/*") && !text.contains(';'), "{what}: {}", statement.text());
        assert!(!statement.text().contains('\0'));
    }
    assert!(!plan.shape.contains("evil"), "{what}: {}", plan.shape);
}

#[test]
fn sql_through_every_parameter_is_harmless() {
    for hostile in HOSTILE {
        let text = encoded(hostile);
        let quoted = encoded(&format!("\"{}\"", hostile.replace('\\', "\\\\").replace('"', "\\\"")));
        for part in [&text, &quoted] {
            for query in [
                format!("select={part}"),
                format!("select={part}:id"),
                format!("select=id::{part}"),
                format!("select=meta->{part}"),
                format!("select=meta->>{part}"),
                format!("select={part}:projects(id)"),
                format!("select={part}(id)"),
                format!("select=projects!{part}(id)"),
                format!("select=...{part}(id)"),
                format!("select=...projects({part}:id)"),
                format!("select=id.{part}()"),
                format!("select=id.sum()::{part}"),
                format!("select={part}:id.sum()"),
                format!("{part}=eq.1"),
                format!("id={part}"),
                format!("id=eq.{part}"),
                format!("id={part}.1"),
                format!("id=in.({part})"),
                format!("id=in.(1,{part},2)"),
                format!("id=is.{part}"),
                format!("id=eq({part}).1"),
                format!("name=fts({part}).x"),
                format!("name=wfts.{part}"),
                format!("name=like.{part}"),
                format!("meta->>{part}=eq.1"),
                format!("or=({part})"),
                format!("or=(id.eq.{part})"),
                format!("or=({part}.eq.1)"),
                format!("and=(id.in.({part}))"),
                format!("order={part}"),
                format!("order=id.{part}"),
                format!("order=meta->{part}"),
                format!("select=id,projects(id)&order=projects({part})"),
                format!("limit={part}"),
                format!("offset={part}"),
                format!("select=id,projects(id)&projects.limit={part}"),
                format!("select=id,projects(id)&projects.{part}=eq.1"),
                format!("{part}.id=eq.1"),
                format!("columns={part}"),
                format!("on_conflict={part}"),
            ] {
                harmless(&query, get("clients", &query));
                harmless(&query, get("rpc/get_projects", &query));
                for method in [Method::Post, Method::Patch, Method::Delete, Method::Put] {
                    let headers = Headers {
                        prefer: vec!["return=representation,resolution=merge-duplicates,missing=default,tx=rollback"],
                        ..Headers::default()
                    };
                    let body = br#"{"id":1,"name":"x"}"#;
                    harmless(&query, ask(method, &Ask { path: "clients", query: &query, body, headers }));
                }
            }
        }
    }
}

#[test]
fn sql_through_paths_is_harmless() {
    for hostile in HOSTILE {
        assert!(get(hostile, "").is_err());
        for method in [Method::Get, Method::Post] {
            let path = format!("rpc/{hostile}");
            assert!(ask(method, &Ask { path: &path, ..Ask::default() }).is_err());
            let path = format!("rpc/greet{hostile}");
            assert!(ask(method, &Ask { path: &path, ..Ask::default() }).is_err());
        }
    }
}

#[test]
fn sql_through_bodies_is_harmless() {
    for hostile in HOSTILE {
        let key = serde_json::json!({ "id": 1, *hostile: hostile }).to_string();
        let value = serde_json::json!([{ "id": hostile, "name": hostile }]).to_string();
        let arguments = serde_json::json!({ "name": hostile, "a": hostile, "v": [hostile], "n": hostile }).to_string();
        let csv = format!("id,\"{}\"\n1,\"{0}\"\n", hostile.replace('"', "\"\""));
        let form = format!("id={0}&{0}=1", encoded(hostile));
        for (content_type, body) in [
            ("application/json", &key),
            ("application/json", &value),
            ("application/json", &arguments),
            ("text/csv", &csv),
            ("application/x-www-form-urlencoded", &form),
            ("text/plain", &key),
            ("application/octet-stream", &key),
        ] {
            let headers = Headers {
                content_type: Some(content_type),
                prefer: vec!["return=representation"],
                ..Headers::default()
            };
            for path in [
                "clients",
                "nopk",
                "rpc/greet",
                "rpc/vari",
                "rpc/raw_text",
                "rpc/raw_bytea",
                "rpc/set_ints",
                "rpc/raw_json",
            ] {
                for method in [Method::Post, Method::Patch] {
                    let query = "columns=id,name";
                    for query in ["", query] {
                        let asked = Ask { path, query, body: body.as_bytes(), headers: headers.clone() };
                        harmless(body, ask(method, &asked));
                    }
                }
            }
        }
    }
}

#[test]
fn sql_through_headers_is_harmless() {
    for hostile in HOSTILE {
        let parts = [
            format!("count={hostile}"),
            format!("timezone={hostile}"),
            format!("max-affected={hostile}, handling=strict"),
            format!("tx={hostile}"),
            (*hostile).to_owned(),
        ];
        for prefer in &parts {
            let headers = Headers { prefer: vec![prefer], ..Headers::default() };
            harmless(prefer, ask(Method::Get, &Ask { path: "clients", headers, ..Ask::default() }));
        }
        for headers in [
            Headers { accept: Some(hostile), ..Headers::default() },
            Headers { accept_profile: Some(hostile), ..Headers::default() },
            Headers { content_profile: Some(hostile), ..Headers::default() },
            Headers { content_type: Some(hostile), ..Headers::default() },
            Headers { range: Some(hostile), ..Headers::default() },
        ] {
            for method in [Method::Get, Method::Post] {
                let asked = Ask { path: "clients", body: b"{}", headers: headers.clone(), ..Ask::default() };
                harmless(hostile, ask(method, &asked));
            }
        }
        let plan = format!("application/vnd.pgrst.plan+text; for=\"{hostile}\"; options=analyze|{hostile}");
        let headers = Headers { accept: Some(&plan), ..Headers::default() };
        harmless(&plan, ask(Method::Get, &Ask { path: "clients", headers, ..Ask::default() }));
    }
}

#[test]
fn nesting_without_end_is_refused() {
    let deep = format!("and={}id.eq.1{}", "(and".repeat(10_000) + "(", ")".repeat(10_001));
    assert_eq!(code(get("clients", &deep)), "PGRST100");
    let cycle = format!("select={}id{}", "projects(clients(".repeat(5_000), "))".repeat(5_000));
    assert_eq!(code(get("clients", &cycle)), "PGRST100");
    let long = format!("select=meta{}", "->a".repeat(10_000));
    harmless("a long path", get("clients", &long));
}

#[test]
fn a_cycle_of_embedded_resources_within_the_bound_is_planned() {
    let query = format!("select={}id{}", "projects(clients(".repeat(8), "))".repeat(8));
    assert!(get("clients", &query).is_ok());
}

#[test]
fn more_values_than_a_statement_takes_are_refused() {
    let many = "id=eq.1&".repeat(65_536);
    assert_eq!(code(get("clients", &many)), "54000");
    let list = format!("id=in.({})", "1,".repeat(500_000));
    let plan = get("clients", &list).unwrap();
    assert_eq!(plan.main.params().len(), 1);
}

#[test]
fn what_is_cut_off_anywhere_is_no_panic() {
    let query = "select=a:id::text,x:projects!hint!inner(id,...tasks(name)),meta->\"a b\"->>0,count()&or=(id.eq.\"x\",not.and(id.in.\
                 (1,2),name.like(any).{a,b}))&order=id.desc.nullslast,projects(id)&id=fts(english).x&é=eq.é";
    for end in 0..query.len() {
        if let Some(part) = query.get(..end) {
            let _ = get("clients", part);
            let _ = get("rpc/get_projects", part);
        }
        if let Some(part) = query.get(end..) {
            let _ = get("clients", part);
        }
    }
}

#[test]
fn conditions_on_nested_resources_do_not_multiply() {
    let select = "select=id,a:projects(b:clients(c:projects(d:clients(e:projects(f:clients(id))))))";
    let members = |key: &str| vec![format!("{key}.not.is.null"); 30].join(",");
    let mut query = select.to_owned();
    let mut path = String::new();
    for key in ["a", "b", "c", "d", "e", "f"] {
        query.push_str(&format!("&{path}or=({})", members(key)));
        path.push_str(key);
        path.push('.');
    }
    assert_eq!(code(get("clients", &query)), "54000");
    assert_eq!(code(ask(Method::Head, &Ask { path: "clients", query: &query, ..Ask::default() })), "54000");
}

#[test]
fn orders_by_a_related_column_do_not_multiply() {
    let terms = vec!["a(id)"; 5_000].join(",");
    let members = vec!["id.is.null"; 2_900].join(",");
    let query = format!("select=id,a:clients(id)&order={terms}&a.or=({members})");
    assert_eq!(code(get("projects", &query)), "54000");
}

#[test]
fn columns_of_nested_spreads_do_not_multiply() {
    let stars = vec!["*"; 5_000].join(",");
    let mut query = stars.clone();
    for resource in ["clients", "projects"].iter().cycle().take(12) {
        query = format!("{stars},...{resource}({query})");
    }
    assert_eq!(code(get("clients", &format!("select={query}"))), "54000");
    assert_eq!(code(get("clients", &format!("select={stars},id.count()"))), "54000");
}

#[test]
fn values_of_repeated_conditions_do_not_multiply() {
    let terms = vec!["a(id)"; 400].join(",");
    let query = format!("select=id,a:clients(id)&order={terms}&a.name=eq.{}", "x".repeat(100_000));
    assert_eq!(code(get("projects", &query)), "54000");
}

#[test]
fn a_body_is_read_for_a_relation_or_function_that_is_there() {
    let post = |path, content_type, body: &[u8]| {
        let headers = Headers { content_type: Some(content_type), ..Headers::default() };
        ask(Method::Post, &Ask { path, body, headers, ..Ask::default() })
    };
    assert_eq!(code(post("nothing", "application/json", b"{x")), "PGRST205");
    assert_eq!(code(post("clients", "application/json", b"{x")), "PGRST102");
    let missing = post("rpc/nothing", "text/csv", b"a,b\n1").unwrap_err();
    assert_eq!(missing.code, "PGRST202");
    assert!(missing.message.contains("nothing(a, b)"), "{}", missing.message);
    let short_rows = format!("{}\n", "x".repeat(60)) + &"1\n".repeat(100_000);
    let refused = post("clients", "text/csv", short_rows.as_bytes()).unwrap_err();
    assert_eq!((refused.status, &*refused.code), (413, "54000"));
}

#[test]
fn values_that_the_server_could_not_stop_for_are_refused() {
    for (operator, most) in
        [("like", 1024), ("not.ilike(any)", 1024), ("like(all)", 1024), ("cs", 8192), ("cd", 8192), ("ov", 8192)]
    {
        let filter = |size: usize| format!("tags={operator}.{}", "x".repeat(size));
        assert!(get("projects", &filter(most)).is_ok());
        let refused = get("projects", &filter(most + 1)).unwrap_err();
        assert_eq!((refused.status, &*refused.code), (400, "54000"));
        assert!(refused.message.contains(&most.to_string()), "{}", refused.message);
        assert_eq!(
            code(ask(Method::Delete, &Ask { path: "projects", query: &filter(most + 1), ..Ask::default() })),
            "54000"
        );
        let group = format!("or=(id.eq.1,{})", filter(most + 1).replacen('=', ".", 1));
        assert_eq!(code(get("projects", &group)), "54000");
    }
    for kind in ["xml", "_xml", "XML", "polygon"] {
        assert_eq!(code(get("clients", &format!("select=name::{kind}"))), "42704");
        assert_eq!(code(get("clients", &format!("select=name.max()::{kind}"))), "42704");
    }
}

#[test]
fn long_names_do_not_make_long_errors() {
    let long = "x".repeat(50_000);
    for (path, query) in [
        (long.as_str(), String::new()),
        ("clients", format!("select={long}")),
        ("clients", format!("select={long}(id)")),
        ("clients", format!("select=projects!{long}(id)")),
        ("clients", format!("select=id::{long}")),
        ("clients", format!("{long}.id=eq.1")),
        ("clients", format!("order={long}(id)")),
        ("clients", format!("id={long}")),
        ("rpc/greet", format!("{long}=1")),
        (&*format!("rpc/{long}"), String::new()),
    ] {
        let error = get(path, &query).unwrap_err();
        assert!(error.body().len() < 3_000, "{}", error.body().len());
    }
    let body = format!("{{\"{long}\":1}}");
    for path in ["clients", "rpc/greet"] {
        let error = ask(Method::Post, &Ask { path, body: body.as_bytes(), ..Ask::default() }).unwrap_err();
        assert!(error.body().len() < 3_000, "{}", error.body().len());
    }
    let headers = Headers { accept: Some(&long), content_type: Some(&long), ..Headers::default() };
    for method in [Method::Get, Method::Post] {
        let asked = Ask { path: "clients", headers: headers.clone(), ..Ask::default() };
        if let Err(error) = ask(method, &asked) {
            assert!(error.body().len() < 3_000, "{}", error.body().len());
        }
    }
}
