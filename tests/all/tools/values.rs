//! Values arrive as they are: a JSON value becomes what its column or parameter is, and an array is read by its own delimiter.

use behalf_tests::{ALICE, Answer, App, Options, TestDatabase, User};
use serde_json::{Value, json};

const THINGS: &str = "
create type public.mood as enum ('low', 'high');
create type public.address as (street text, numbers int[]);
create domain public.labels as text[];
create domain public.document as jsonb;
create domain public.inner_amount as numeric(20, 2);
create domain public.amount as public.inner_amount check (value >= 0);
create table public.things (
    id int primary key, embedding vector(3), half halfvec(3), meta jsonb, plain json, metas jsonb[], place public.address,
    places public.address[], moods public.mood[], tags public.labels, note public.document, amount public.amount,
    amounts public.amount[], boxes box[], grid int[], code varchar(10), made timestamptz default now());
alter table public.things enable row level security;
create policy all_of_it on public.things to authenticated using (true) with check (true);
grant select, insert, update, delete on public.things to authenticated;
";

async fn host() -> App {
    let database = TestDatabase::create().await;
    database.execute(THINGS).await;
    App::on(database, Options::default()).await
}

fn thing() -> Value {
    json!({
        "id": 1, "embedding": [1, 2.5, -3], "half": [1, 2, 3], "meta": ["a"], "plain": "text",
        "metas": [["a"], {"b": 1}, "c", null], "place": {"street": "Long \"road\", \\", "numbers": [1, 2]},
        "places": [{"street": "x"}, null], "moods": ["low", "high"], "tags": ["a", "NULL", null], "note": "a string",
        "amount": "12345678901234567.89", "amounts": ["1.50", 2], "boxes": ["(1,1),(0,0)", "(3,3),(2,2)"],
        "grid": [[1, 2], [3, 4]], "code": "x\"y",
    })
}

async fn write(app: &App, arguments: Value) -> Answer {
    app.call(&User::Is(ALICE), "database_write", arguments).await
}

async fn insert(app: &App, data: Value) -> Value {
    write(app, json!({"table": "things", "operation": "insert", "data": data})).await.result().clone()
}

async fn query(app: &App, sql: &str, params: Value) -> Value {
    app.call(&User::Is(ALICE), "database_query", json!({"query": sql, "params": params})).await.result().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_value_becomes_what_its_column_is() {
    let app = host().await;
    assert_eq!(insert(&app, thing()).await, json!({"success": true, "rows_affected": 1}));
    for (expression, expected) in [
        ("embedding::text", "[1,2.5,-3]"),
        ("half::text", "[1,2,3]"),
        ("meta::text", r#"["a"]"#),
        ("plain::text", r#""text""#),
        ("metas[1]::text", r#"["a"]"#),
        ("metas[2] ->> 'b'", "1"),
        ("metas[3]::text", r#""c""#),
        ("coalesce(metas[4]::text, 'NULL') || cardinality(metas)", "NULL4"),
        ("(place).street", r#"Long "road", \"#),
        ("(place).numbers::text", "{1,2}"),
        ("places::text", r#"{"(x,)",NULL}"#),
        ("moods::text", "{low,high}"),
        ("tags::text", r#"{a,"NULL",NULL}"#),
        ("note::text", r#""a string""#),
        ("amount::text", "12345678901234567.89"),
        ("amounts::text", "{1.50,2.00}"),
        ("boxes[2]::text || cardinality(boxes)", "(3,3),(2,2)2"),
        ("grid::text", "{{1,2},{3,4}}"),
        ("code", r#"x"y"#),
    ] {
        let seen: String = app.database.value(&format!("select {expression} from things where id = 1")).await;
        assert_eq!(seen, expected, "{expression}");
    }
    // Several rows of different columns, an update, and conditions.
    insert(&app, json!([{"id": 2, "meta": "plain", "tags": []}, {"id": 3, "note": {"a": []}, "meta": 7}])).await;
    let change = json!({"table": "things", "operation": "update",
        "data": {"meta": {"k": "v"}, "tags": ["z"], "embedding": [0, 0, 1]}, "where": {"meta": "plain"}});
    assert_eq!(write(&app, change).await.result()["rows_affected"], 1);
    let removed = json!({"table": "things", "operation": "delete", "where": {"tags": ["z"], "meta": {"k": "v"}}});
    assert_eq!(write(&app, removed).await.result()["rows_affected"], 1);
    let left: String = app.database.value("select string_agg(id || meta::text, ' ' order by id) from things").await;
    assert_eq!(left, r#"1["a"] 37"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_its_column_cannot_take_is_the_callers_mistake() {
    let app = host().await;
    for data in [
        json!({"id": 1, "embedding": [1, 2]}),
        json!({"id": 1, "moods": ["sideways"]}),
        json!({"id": 1, "amount": "-1"}),
        json!({"id": 1, "code": "longer than ten"}),
        json!({"id": 1, "grid": [[1, 2], [3]]}),
        json!({"id": [1]}),
    ] {
        let answer = write(&app, json!({"table": "things", "operation": "insert", "data": data})).await;
        assert_eq!(answer.status, 422, "{data}: {}", answer.text);
        assert_eq!((&answer.json["code"], &answer.json["retryable"]), (&json!("tool_error"), &json!(false)), "{data}");
    }
    assert_eq!(app.database.value::<i64>("select count(*) from things").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_value_becomes_what_its_parameter_is() {
    let app = host().await;
    insert(&app, thing()).await;
    for (condition, value) in [
        ("meta = $1", json!(["a"])),
        ("embedding = $1", json!([1, 2.5, -3])),
        ("half = $1", json!([1, 2, 3])),
        ("id = any($1)", json!([7, 1])),
        ("moods = $1", json!(["low", "high"])),
        ("tags = $1", json!(["a", "NULL", null])),
        ("metas[2] = $1", json!({"b": 1})),
        ("grid = $1", json!([[1, 2], [3, 4]])),
        ("place = $1::public.address", json!({"street": "Long \"road\", \\", "numbers": [1, 2]})),
        ("code = any($1)", json!(["x\"y", null])),
        ("amount = $1", json!("12345678901234567.89")),
    ] {
        let found = query(&app, &format!("select id from things where {condition}"), json!([value])).await;
        assert_eq!(found, json!([{"id": 1}]), "{condition}");
    }
    for (expression, value, expected) in [
        ("$1::jsonb", json!(["a", 1, null]), json!(["a", 1, null])),
        ("$1::json", json!([]), json!([])),
        ("$1::text[]", json!(["a,b", "", "NULL", null]), json!(["a,b", "", "NULL", null])),
        ("$1::int[]", json!([]), json!([])),
        ("$1::jsonb[]", json!([["a"], 1]), json!([["a"], 1])),
        ("$1::vector", json!([0.5, 1]), json!([0.5, 1.0])),
        ("$1::box[]", json!(["(1,1),(0,0)", "(2,2),(1,1)"]), json!(["(1,1),(0,0)", "(2,2),(1,1)"])),
        ("($1::public.address).street", json!({"street": "y"}), json!("y")),
        ("$1::text", json!(["a"]), json!("[\"a\"]")),
        ("$1::text", json!({"a": 1}), json!("{\"a\":1}")),
        ("$1::text", json!("{1,2}"), json!("{1,2}")),
        ("$1::int[]", json!("{1,2}"), json!([1, 2])),
    ] {
        let found = query(&app, &format!("select {expression} as value"), json!([value])).await;
        assert_eq!(found, json!([{ "value": expected }]), "{expression} of {value}");
        // The same statement again, whose parameters are known by now.
        let again = query(&app, &format!("select {expression} as value"), json!([value])).await;
        assert_eq!(again, found, "{expression}");
    }
    // A wrong statement is told as ever, although its parameters are asked for first.
    let wrong = json!({"query": "select nothing from things where meta = $1", "params": [["a"]]});
    let answer = app.call(&User::Is(ALICE), "database_query", wrong).await;
    assert!(answer.status == 422 && answer.text.contains("nothing"), "{}", answer.text);
    assert_eq!(query(&app, "select id from things", json!([])).await, json!([{"id": 1}]), "the connection goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_array_is_read_by_its_own_delimiter_and_element() {
    let app = host().await;
    insert(&app, thing()).await;
    let found = query(&app, "select boxes, tags, metas, grid, places, amounts, moods from things", json!([])).await;
    let expected = json!([{
        "boxes": ["(1,1),(0,0)", "(3,3),(2,2)"], "tags": ["a", "NULL", null], "metas": [["a"], {"b": 1}, "c", null],
        "grid": [[1, 2], [3, 4]], "places": ["(x,)", null], "amounts": ["1.50", "2.00"], "moods": ["low", "high"],
    }]);
    assert_eq!(found, expected);
    // An array of a domain is read as an array of what is below it.
    app.database
        .execute("create domain public.small as int; alter table things add counts public.small[] default '{1,2}'")
        .await;
    assert_eq!(query(&app, "select counts from things", json!([])).await, json!([{"counts": [1, 2]}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_returns_the_rows_that_it_made() {
    let app = host().await;
    let returning = async |operation: &str, more: Value, columns: Value| {
        let mut arguments = json!({"table": "things", "operation": operation, "returning": columns});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        write(&app, arguments).await
    };
    let rows = json!([{"id": 1, "meta": "x"}, {"id": 2, "tags": ["a"]}]);
    let made = returning("insert", json!({"data": rows}), json!(["id", "meta", "tags"])).await;
    let rows = json!([{"id": 1, "meta": "x", "tags": null}, {"id": 2, "meta": null, "tags": ["a"]}]);
    assert_eq!(made.result(), &json!({"success": true, "rows_affected": 2, "rows": rows}));
    let changed = returning("update", json!({"data": {"code": "c"}, "where": {"id": 2}}), json!(["*"])).await;
    let row = &changed.result()["rows"][0];
    assert!(row["code"] == "c" && row["id"] == 2 && row["made"].is_string(), "{row}");
    let none = returning("delete", json!({"where": {"id": 9}}), json!(["id"])).await;
    assert_eq!(none.result(), &json!({"success": true, "rows_affected": 0, "rows": []}));
    let gone = returning("delete", json!({"where": {"id": 1}}), json!(["id"])).await;
    assert_eq!(gone.result()["rows"], json!([{"id": 1}]));
    // More rows than the host returns: nothing is written that the caller is not told of.
    let many: Vec<_> = (10..1_200).map(|id| json!({ "id": id })).collect();
    let cut = returning("insert", json!({"data": many}), json!(["id"])).await;
    assert!(cut.status == 422 && cut.text.contains("nothing was changed"), "{}", cut.text);
    assert_eq!(app.database.value::<i64>("select count(*) from things").await, 1);
}
