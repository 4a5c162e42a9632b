//! The statements that the gate's own tests attack with, sent as arguments, rows, filters and names.

use std::collections::BTreeSet;

use behalf_tests::App;
use reqwest::Method;
use serde_json::json;

use super::{alice, app, bob, percent, send};

/// The tests of the gate, as text: their statements are its string literals.
const ATTACKS: &str = include_str!("../../../host/gate/src/tests/attacks.rs");

/// What `echo`, a computed column and a computed relationship are made of.
const FUNCTIONS: &str = "
    create function echo(said text) returns text language sql stable as 'select said';
    create function echo_json(said json) returns json language sql stable as 'select said';
    create function echo_all(variadic said text[]) returns text[] language sql stable as 'select said';
    create function loud(tasks) returns text language sql stable as $$ select upper($1.title) $$;
    create function twins(tasks) returns setof tasks language sql stable as $$ select * from tasks where title = $1.title $$;
    grant execute on function echo(text), echo_json(json), echo_all(text[]), loud(tasks), twins(tasks) to authenticated";

/// Every statement of the gate's tests.
fn corpus() -> BTreeSet<String> {
    let mut statements = BTreeSet::new();
    let mut rest = ATTACKS;
    while let Some(start) = rest.find('"') {
        let (mut literal, mut end) = (String::new(), start + 1);
        let mut chars = rest[end..].char_indices();
        while let Some((at, character)) = chars.next() {
            end = start + 1 + at + character.len_utf8();
            match character {
                '"' => break,
                '\\' => match chars.next() {
                    Some((_, 'n')) => literal.push('\n'),
                    Some((_, '\n')) => {}
                    Some((_, other)) => literal.push(other),
                    None => break,
                },
                other => literal.push(other),
            }
        }
        rest = &rest[end..];
        if literal.contains(' ') {
            statements.insert(literal);
        }
    }
    statements
}

/// Nobody's identity, rows or tables were touched.
async fn nothing_happened(app: &App) {
    let mine = app.get(&bob(), "/rest/v1/tasks?select=title").await;
    assert_eq!(mine.json, json!([{"title": "mend brakes"}]));
    app.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_in_arguments_are_text() {
    let app = app_with_functions().await;
    let corpus = corpus();
    assert!(corpus.len() > 200, "{} statements", corpus.len());
    for statement in &corpus {
        let said = app.post(&alice(), "/rest/v1/rpc/echo", json!({ "said": statement })).await;
        assert_eq!((said.status, &said.json), (200, &json!(statement)), "{statement}: {}", said.text);
        let body = json!([statement, { statement.as_str(): statement }]);
        let said = app.post(&alice(), "/rest/v1/rpc/echo_json", json!({ "said": body })).await;
        assert_eq!((said.status, &said.json), (200, &body), "{statement}: {}", said.text);
        let query = format!("/rest/v1/rpc/echo_all?said={0}&said={0}", percent(statement));
        let said = app.get(&alice(), &query).await;
        assert_eq!((said.status, &said.json), (200, &json!([statement, statement])), "{statement}: {}", said.text);
    }
    nothing_happened(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_in_rows_and_filters_are_text() {
    let app = app_with_functions().await;
    for statement in &corpus() {
        let body = json!({ "list_id": 1, "title": statement }).to_string();
        let prefer = [("prefer", "return=representation")];
        let select = "/rest/v1/tasks?select=title,loud,twins(title)";
        let made = send(&app, &alice(), Method::POST, select, &prefer, &body).await.answer;
        // The function reads its tables as they were before the insert.
        assert_eq!(made.status, 201, "{statement}: {}", made.text);
        assert_eq!(made.json[0]["loud"], json!(statement.to_uppercase()), "{statement}");
        let same = format!("title=eq.{}", percent(statement));
        let found = app.get(&alice(), &format!("{select}&{same}")).await;
        let wanted = json!([{"title": statement, "loud": statement.to_uppercase(), "twins": [{"title": statement}]}]);
        assert_eq!((found.status, &found.json), (200, &wanted), "{statement}: {}", found.text);
        let gone = send(&app, &alice(), Method::DELETE, &format!("/rest/v1/tasks?{same}"), &[], "").await.answer;
        assert_eq!(gone.status, 204, "{statement}: {}", gone.text);
    }
    nothing_happened(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_in_names_are_refused() {
    let app = app_with_functions().await;
    for statement in &corpus() {
        let text = percent(statement);
        for path in [
            format!("/rest/v1/{text}"),
            format!("/rest/v1/rpc/{text}"),
            format!("/rest/v1/rpc/echo?{text}=x"),
            format!("/rest/v1/tasks?select={text}"),
            format!("/rest/v1/tasks?select=loud::{text}"),
            format!("/rest/v1/tasks?select=twins({text})"),
            format!("/rest/v1/tasks?order={text}"),
            format!("/rest/v1/tasks?{text}=eq.1"),
        ] {
            let answer = app.get(&alice(), &path).await;
            assert!((400..500).contains(&answer.status), "{path}: {} {}", answer.status, answer.text);
        }
    }
    nothing_happened(&app).await;
}

async fn app_with_functions() -> App {
    let app = app().await;
    app.database.execute(FUNCTIONS).await;
    behalf_tests::eventually("the functions are there", async || {
        app.get(&alice(), "/rest/v1/tasks?select=loud,twins(id)").await.status == 200
            && app.get(&alice(), "/rest/v1/rpc/echo?said=x").await.status == 200
    })
    .await;
    app
}
