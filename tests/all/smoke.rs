//! The shortest way through the host: a token, a call of a tool, and the caller's rows.

use behalf_tests::{ALICE, App, BOB, User, guests, write_grants};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn each_user_sees_exactly_their_own_rows() {
    let app = App::start().await;
    for (user, expected) in [
        (User::Is(ALICE), json!(["Garden", "Safe"])),
        (User::Is(BOB), json!(["Car"])),
        (User::ServiceFor(ALICE), json!(["Garden", "Safe"])),
        (User::Anon, json!([])),
        (User::Service, json!(["Car", "Garden", "Safe"])),
    ] {
        let answer =
            app.call(&user, "database_query", json!({"query": "select title from notes order by title"})).await;
        if matches!(user, User::Anon) {
            // anon has no right to a table of the demo, or sees no rows of it.
            assert!(answer.status == 403 || answer.result() == &json!([]), "{}", answer.text);
            continue;
        }
        let titles: Vec<_> = answer.result().as_array().unwrap().iter().map(|row| row["title"].clone()).collect();
        assert_eq!(json!(titles), expected, "{user:?}");
    }
    let answer = app.post(&User::Is(BOB), "/api/tools/database_query/call", json!({})).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_come_and_go() {
    let app = App::start().await;
    app.install(guests::PROBE, &write_grants()).await;
    let sql = "select 1::int2 a, 2::int4 b, 3::int8 c, 1.5::float4 d, 0.1::float8 e, 12345678901234567890.123::numeric f,
        true g, 'x'::text h, '\\x00ff'::bytea i, '2026-11-23 10:00:00.5+02'::timestamptz j, '2026-11-23'::date k,
        'a11ce000-0000-4000-8000-000000000001'::uuid l, '{\"a\": [1]}'::jsonb m, array[1,2,null]::int4[] n, array['a,b','c']::text[] o,
        '[1,2.5]'::vector p, null::text q, interval '1 day' r, '2026-11-23 10:00'::timestamp s";
    let answer = app.call(&User::Is(ALICE), "values", json!({"sql": sql, "params": []})).await;
    let expected = json!([
        {"integer": 1}, {"integer": 2}, {"integer": 3}, {"float": 1.5}, {"float": 0.1}, {"text": "12345678901234567890.123"},
        {"boolean": true}, {"text": "x"}, {"bytes": [0, 255]}, {"text": "2026-11-23T08:00:00.5+00:00"},
        {"text": "2026-11-23"}, {"text": "a11ce000-0000-4000-8000-000000000001"}, {"text": "{\"a\": [1]}"},
        {"text": "[1,2,null]"}, {"text": "[\"a,b\",\"c\"]"}, {"vector": [1.0, 2.5]}, {"null": null}, {"text": "1 day"},
        {"text": "2026-11-23T10:00:00"},
    ]);
    assert_eq!(answer.result()["rows"], json!([expected]));
    let types =
        answer.result()["columns"].as_array().unwrap().iter().map(|column| column["type_name"].as_str().unwrap());
    let types: Vec<_> = types.collect();
    assert_eq!(types[5..10], ["numeric", "bool", "text", "bytea", "timestamptz"]);
}
