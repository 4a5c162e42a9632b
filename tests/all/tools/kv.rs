//! The store of a plugin: whose entries a call reaches, that they are part of its transaction, and their bounds.

use behalf_tests::{ALICE, App, BOB, User, guests, write_grants};
use reqwest::Method;
use serde_json::{Value, json};

async fn app(grant: &Value) -> App {
    let app = App::start().await;
    app.install(guests::KV, &json!({ "kv": grant })).await;
    app
}

/// A host with the guest that has a store and the database.
async fn app_with_rows(database: &Value, kv: &Value) -> App {
    let app = App::start().await;
    app.install(guests::KV_DATABASE, &json!({ "database": database, "kv": kv })).await;
    app
}

fn set(key: &str, value: &str) -> Value {
    json!({"do": "set", "key": key, "value": value})
}

fn get(key: &str) -> Value {
    json!({"do": "get", "key": key})
}

fn replace(key: &str, old: Option<&str>, value: &str) -> Value {
    json!({"do": "replace", "key": key, "old": old, "value": value})
}

fn keys(prefix: &str) -> Value {
    json!({"do": "keys", "prefix": prefix, "limit": 1_000})
}

/// Makes these steps in one call, which succeeds, and returns what came of each.
async fn steps(app: &App, user: &User, tool: &str, steps: &[Value]) -> Vec<Value> {
    let answer = app.call(user, tool, json!({ "steps": steps })).await;
    answer.result().as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone()
}

async fn one(app: &App, user: &User, step: Value) -> Value {
    steps(app, user, "entries", &[step]).await.remove(0)
}

async fn entries(app: &App) -> i64 {
    app.database.value("select count(*) from behalf_kv.entries").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_reaches_the_store_of_its_caller_and_of_no_other() {
    let app = app(&json!({"access": "write"})).await;
    let (alice, bob) = (User::Is(ALICE), User::Is(BOB));
    let done =
        steps(&app, &alice, "entries", &[set("a", "1"), set("b", r#"{"x": [null]}"#), get("b"), get("none")]).await;
    assert_eq!(done, [json!("set"), json!("set"), json!(r#"{"x": [null]}"#), Value::Null]);
    assert_eq!(one(&app, &alice, keys("")).await, json!(["a", "b"]), "it is there for the next call");
    assert_eq!(one(&app, &bob, keys("")).await, json!([]));
    assert_eq!(one(&app, &bob, get("a")).await, Value::Null);
    assert_eq!(one(&app, &bob, json!({"do": "remove", "key": "a"})).await, false);
    assert_eq!(one(&app, &bob, set("a", "2")).await, "set", "the same key of another user is another entry");
    assert_eq!(one(&app, &alice, get("a")).await, "1");
    for nobody in [User::Anon, User::Service] {
        for step in [get("a"), set("a", "1"), keys("")] {
            assert_eq!(one(&app, &nobody, step).await["code"], "denied", "{nobody:?}");
        }
    }
    assert_eq!(one(&app, &User::ServiceFor(ALICE), get("a")).await, "1", "who acts for her has her store");
    assert_eq!(one(&app, &alice, json!({"do": "remove", "key": "a"})).await, true);
    assert_eq!(one(&app, &alice, json!({"do": "remove", "key": "a"})).await, false);
    assert_eq!((one(&app, &alice, get("a")).await, one(&app, &bob, get("a")).await), (Value::Null, json!("2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_share_a_store_where_that_was_granted() {
    let app = app(&json!({"access": "write", "scope": "plugin"})).await;
    assert_eq!(one(&app, &User::Is(ALICE), set("rate", "1.5")).await, "set");
    for user in [User::Is(BOB), User::Anon, User::Service] {
        assert_eq!(one(&app, &user, get("rate")).await, "1.5", "{user:?}");
    }
    assert_eq!(one(&app, &User::Anon, replace("rate", Some("1.5"), "2")).await, true);
    assert_eq!(one(&app, &User::Is(ALICE), get("rate")).await, "2");
    let owners = "select concat_ws('/', user_id::text, actor, store) from behalf_kv.entries";
    assert_eq!(app.database.value::<String>(owners).await, "", "it is nobody's");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_plugin_reaches_the_store_of_another() {
    let app = app(&json!({"access": "write"})).await;
    let mut database = write_grants()["database"].clone();
    database["schemas"] = json!(["public", "ai"]);
    app.install(guests::KV_DATABASE, &json!({"database": database, "kv": {"access": "write"}})).await;
    let alice = User::Is(ALICE);
    assert_eq!(one(&app, &alice, set("secret", "1")).await, "set");
    let query = json!({"do": "query", "sql": "select value from behalf_kv.entries"});
    let seen = steps(&app, &alice, "entries_and_rows", &[get("secret"), keys(""), query]).await;
    assert_eq!(seen[..2], [Value::Null, json!([])]);
    assert_eq!(seen[2]["code"], "not_granted", "no grant of a schema leads there: {seen:?}");
    // With the gate taken away: a statement on the caller's own login finds nothing, and may write nothing.
    let as_alice = |statement: &str| {
        format!(
            "do $$ begin
                 perform set_config('request.jwt.claims', '{{\"sub\":\"{ALICE}\",\"role\":\"authenticated\"}}', true);
                 set local role authenticated; {statement} end $$"
        )
    };
    let looks = as_alice("if exists (select from behalf_kv.entries) then raise 'it sees an entry'; end if;");
    app.database.execute(&looks).await;
    let writes = as_alice(
        "begin insert into behalf_kv.entries (plugin_id, store, key, value, user_id)
             select p.id, auth.uid()::text, 'planted', '1', auth.uid() from (select gen_random_uuid() as id) p;
             raise 'it writes an entry';
         exception when insufficient_privilege then null; end;",
    );
    app.database.execute(&writes).await;
    assert_eq!(entries(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_read_writes_nothing() {
    let alice = User::Is(ALICE);
    let reading = app(&json!({"access": "read"})).await;
    let writing = app(&json!({"access": "write"})).await;
    assert_eq!(one(&writing, &alice, set("a", "1")).await, "set");
    for (app, tool) in [(&reading, "entries"), (&writing, "reading_entries")] {
        for step in [set("a", "2"), replace("a", None, "2"), json!({"do": "remove", "key": "a"})] {
            let refused = steps(app, &alice, tool, &[step]).await.remove(0);
            assert_eq!(refused["code"], "not_granted", "{tool}: {refused}");
        }
    }
    assert_eq!(steps(&writing, &alice, "reading_entries", &[get("a")]).await, [json!("1")]);
    for (name, expected) in [("entries", false), ("reading_entries", true)] {
        let shown = writing.get(&alice, &format!("/api/tools/{name}")).await;
        assert_eq!(shown.json["annotations"]["readOnlyHint"], expected, "{}", shown.text);
    }
    let none = app(&json!({"access": "none"})).await;
    let answer = none.call(&alice, "entries", json!({"steps": [get("a")]})).await;
    assert!(answer.status >= 400 && answer.text.contains("behalf:tool/kv"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_part_of_the_calls_transaction() {
    let app = app_with_rows(&write_grants()["database"], &json!({"access": "write"})).await;
    let alice = User::Is(ALICE);
    let make = async |all: &[Value]| steps(&app, &alice, "entries_and_rows", all).await;
    let note = |title: &str| json!({"do": "execute", "sql": format!("insert into notes (title, body) values ('{title}', '')")});
    let count = async |title: &str| -> i64 {
        app.database.value(&format!("select count(*) from notes where title = '{title}'")).await
    };
    let (begin, end, undo) =
        (json!({"do": "begin_scope"}), json!({"do": "end_scope"}), json!({"do": "end_scope", "keep": false}));
    let failing = json!({"do": "query", "sql": "select 1 / (select count(*) from notes where false)"});

    // A call that fails keeps neither.
    let failed =
        app.call(&alice, "entries_and_rows", json!({"steps": [set("a", "1"), note("lost")], "end": "error"})).await;
    assert_eq!(failed.status, 422, "{}", failed.text);
    assert_eq!((entries(&app).await, count("lost").await), (0, 0));
    // A failed statement outside of a scope ends the store's work with that of the call.
    let failed = app.call(&alice, "entries_and_rows", json!({"steps": [set("a", "1"), failing, get("a")]})).await;
    assert_eq!((failed.status, failed.json["code"].as_str()), (422, Some("commit_failed")), "{}", failed.text);
    assert_eq!(entries(&app).await, 0);
    // A scope undoes both or keeps both.
    let done = make(&[
        begin.clone(),
        set("a", "1"),
        note("undone"),
        undo,
        get("a"),
        begin.clone(),
        set("b", "1"),
        note("kept"),
        end.clone(),
        get("b"),
    ])
    .await;
    assert_eq!((&done[4], &done[9]), (&Value::Null, &json!("1")), "{done:?}");
    assert_eq!((count("undone").await, count("kept").await, entries(&app).await), (0, 1, 1));
    // A statement that failed in a scope undoes what was written there, and the call goes on.
    let done = make(&[begin, set("c", "1"), failing, set("c", "2"), end, get("c"), set("d", "1")]).await;
    assert_eq!(
        (&done[3]["code"], &done[4]["code"], &done[5]),
        (&json!("aborted"), &json!("aborted"), &Value::Null),
        "{done:?}"
    );
    assert_eq!(make(&[keys("")]).await, [json!(["b", "d"])]);
    // What was committed stays.
    let early = json!({"steps": [set("e", "1"), {"do": "commit"}, set("f", "1")], "end": "error"});
    assert_eq!(app.call(&alice, "entries_and_rows", early).await.status, 422);
    assert_eq!(make(&[keys("")]).await, [json!(["b", "d", "e"])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rows_a_call_keeps_all_it_wrote_or_nothing() {
    let app = app(&json!({"access": "write"})).await;
    let alice = User::Is(ALICE);
    for end in ["error", "trap"] {
        let failed = app.call(&alice, "entries", json!({"steps": [set("a", "1")], "end": end})).await;
        assert!(failed.status >= 400, "{}", failed.text);
        assert_eq!(entries(&app).await, 0, "{end}");
    }
    let answer = app.call(&alice, "entries", json!({"steps": [set("a", "1"), set("b", "2"), get("a")]})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    app.settled().await;
    let row = app.audit_of(&answer).await;
    assert_eq!(
        row["transaction_ids"].as_array().map(Vec::len),
        Some(1),
        "one transaction, and the row names it: {row}"
    );
    let said = row.to_string();
    assert!(said.contains("kv.set") && said.contains("kv.get"), "{row}");
    assert_eq!(entries(&app).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_written_gives_no_right_to_write_rows() {
    let mut database = write_grants()["database"].clone();
    database["access"] = json!("read");
    let app = app_with_rows(&database, &json!({"access": "write"})).await;
    // A view of the app's that writes behind a SELECT.
    app.database
        .execute(
            "create function public.note_it() returns integer language plpgsql volatile as $$
                 begin insert into notes (title, body) values ('behind a select', ''); return 1; end $$;
             create view public.noting with (security_invoker) as select public.note_it() as one;
             grant select on public.noting to authenticated",
        )
        .await;
    let sneaky = json!({"do": "query", "sql": "select one from noting"});
    let steps_of = |all: Value| json!({ "steps": all });
    let alice = User::Is(ALICE);
    let plain = json!({"do": "query", "sql": "select title from notes"});
    let insert = json!({"do": "execute", "sql": "insert into notes (title, body) values ('refused', '')"});
    let done =
        steps(&app, &alice, "entries_and_rows", &[set("a", "1"), plain.clone(), insert, set("b", "2"), plain]).await;
    assert_eq!((&done[0], &done[3]), (&json!("set"), &json!("set")), "the mode ends with its statement: {done:?}");
    assert_eq!(done[2]["code"], "not_granted", "{done:?}");
    assert_eq!(done[1], done[4]);
    let scoped =
        json!([{"do": "begin_scope"}, set("c", "1"), sneaky, {"do": "end_scope", "keep": false}, set("d", "1")]);
    let answer = app.call(&alice, "entries_and_rows", steps_of(scoped)).await;
    let seen = answer.result();
    assert_eq!(
        (&seen[2]["code"], &seen[2]["sqlstate"], &seen[4]),
        (&json!("not_granted"), &json!("25006"), &json!("set")),
        "{seen}"
    );
    assert_eq!(steps(&app, &alice, "entries_and_rows", &[keys("")]).await, [json!(["a", "b", "d"])]);
    let written: i64 =
        app.database.value("select count(*) from notes where title in ('behind a select', 'refused')").await;
    assert_eq!(written, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_calls_that_replace_a_value_one_is_told_so() {
    let app = app(&json!({"access": "write"})).await;
    let alice = User::Is(ALICE);
    let done = steps(
        &app,
        &alice,
        "entries",
        &[
            replace("n", Some("0"), "1"),
            replace("n", None, "1"),
            replace("n", None, "9"),
            replace("n", Some("1 "), "9"),
            replace("n", Some("1"), "2"),
            get("n"),
        ],
    )
    .await;
    assert_eq!(done, [json!(false), json!(true), json!(false), json!(false), json!(true), json!("2")]);
    // Many calls at once: each number is given once, because whoever came second was told and tried again.
    assert_eq!(one(&app, &alice, set("n", "0")).await, "set");
    let count = async || {
        loop {
            let old = one(&app, &alice, get("n")).await.as_str().unwrap().to_owned();
            let next = (old.parse::<u32>().unwrap() + 1).to_string();
            if one(&app, &alice, replace("n", Some(&old), &next)).await == true {
                return;
            }
        }
    };
    futures::future::join_all((0..8).map(|_| count())).await;
    assert_eq!(one(&app, &alice, get("n")).await, "8");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_bounds_is_refused() {
    let app = app(&json!({"access": "write"})).await;
    let alice = User::Is(ALICE);
    let (long, large) = ("k".repeat(257), format!("\"{}\"", "v".repeat(65_535)));
    for wrong in [
        set("", "1"),
        set(&long, "1"),
        set("a\0", "1"),
        set("a", ""),
        set("a", "no json"),
        set("a", &large),
        replace("a", Some("{"), "1"),
        get(""),
        json!({"do": "keys", "limit": 0}),
        json!({"do": "keys", "limit": 1_001}),
        json!({"do": "keys", "limit": 10_000_000_000_u64}),
    ] {
        let refused = one(&app, &alice, wrong.clone()).await;
        assert_eq!(refused["code"], "invalid", "{refused}");
    }
    let largest = format!("\"{}\"", "v".repeat(65_534));
    assert_eq!(one(&app, &alice, set(&"k".repeat(256), &largest)).await, "set");
    // Keys come in the order of their bytes, part by part, and a prefix means what it says.
    let hostile = ["a%", "a_", "a/1", "a/2", "b", "ü", "Z"];
    let all: Vec<_> = hostile.iter().map(|key| set(key, "1")).collect();
    assert!(steps(&app, &alice, "entries", &all).await.iter().all(|done| done == "set"));
    assert_eq!(one(&app, &alice, keys("a")).await, json!(["a%", "a/1", "a/2", "a_"]));
    assert_eq!(one(&app, &alice, keys("a%")).await, json!(["a%"]));
    assert_eq!(
        one(&app, &alice, json!({"do": "keys", "prefix": "a", "after": "a/1", "limit": 1})).await,
        json!(["a/2"])
    );
    assert_eq!(one(&app, &alice, json!({"do": "flood"})).await, json!({"count": 100, "code": "limit"}));
    // Grants beyond the host's bounds are refused.
    for wrong in [json!({"access": "write", "max_entries": 10_001}), json!({"access": "write", "max_bytes": 0})] {
        let answer = app.upload(guests::KV, &json!({ "kv": wrong })).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_takes_no_more_than_its_grant_says() {
    let app = app(&json!({"access": "write", "max_entries": 3, "max_bytes": 100})).await;
    let alice = User::Is(ALICE);
    let full = async |step: Value| {
        let refused = one(&app, &alice, step).await;
        assert_eq!((&refused["code"], &refused["retryable"]), (&json!("limit"), &json!(false)), "{refused}");
    };
    let sized = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    assert_eq!(one(&app, &alice, set("a", &sized(90))).await, "set");
    full(set("b", &sized(9))).await;
    full(replace("a", Some(&sized(90)), &sized(100))).await;
    full(replace("b", None, &sized(9))).await;
    assert_eq!(one(&app, &alice, replace("a", Some("1"), &sized(100))).await, false, "another value is the reason");
    // A refusal ends nothing: the call goes on in its transaction.
    let done = steps(
        &app,
        &alice,
        "entries",
        &[set("b", &sized(9)), set("b", &sized(8)), set("a", "1"), set("c", "1"), set("d", "1")],
    )
    .await;
    assert_eq!(
        (&done[0]["code"], &done[1], &done[3], &done[4]["code"]),
        (&json!("limit"), &json!("set"), &json!("set"), &json!("limit")),
        "{done:?}"
    );
    assert_eq!(one(&app, &alice, keys("")).await, json!(["a", "b", "c"]));
    assert_eq!(one(&app, &alice, set("a", "2")).await, "set", "what is there may be written again");
    assert_eq!(one(&app, &alice, json!({"do": "remove", "key": "c"})).await, true);
    assert_eq!(one(&app, &alice, set("d", "1")).await, "set");
    assert_eq!(
        steps(&app, &User::Is(BOB), "entries", &[set("a", "1"), keys("")]).await[1],
        json!(["a"]),
        "his is another store"
    );
    // Calls that do not see each other's entries find room both, and only as many commit as there is room for.
    let app = self::app(&json!({"access": "write", "max_entries": 3})).await;
    let writes = (0..12).map(|number| {
        let app = &app;
        async move { app.call(&User::Is(ALICE), "entries", json!({"steps": [set(&format!("k{number}"), "1")]})).await }
    });
    let ended = futures::future::join_all(writes).await;
    assert_eq!(entries(&app).await, 3);
    let kept = ended.iter().filter(|answer| answer.status == 200 && answer.result()[0] == "set").count();
    assert_eq!(kept, 3, "nobody is told of an entry that is not there");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_go_with_their_user_and_with_their_plugin() {
    let app = App::start().await;
    let plugin = app.install(guests::KV, &json!({"kv": {"access": "write"}})).await;
    for user in [ALICE, BOB] {
        assert_eq!(one(&app, &User::Is(user), set("a", "1")).await, "set");
    }
    app.database.execute(&format!("insert into behalf.deleted_users (user_id) values ('{ALICE}')")).await;
    let left: String = app.database.value("select string_agg(user_id::text, ',') from behalf_kv.entries").await;
    assert_eq!(left, BOB.to_string());
    let id = plugin.json["id"].as_str().unwrap();
    let gone = app.send(&User::Service, Method::DELETE, &format!("/api/plugins/{id}"), json!({})).await;
    assert!(gone.status < 300, "{}", gone.text);
    assert_eq!(entries(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_has_a_store_of_its_own() {
    let app = app(&json!({"access": "write"})).await;
    let alice = User::Is(ALICE);
    let agent = app.agent(&["entries"]).await;
    assert_eq!(one(&app, &alice, set("a", "\"of alice\"")).await, "set");
    let made = app.post(&alice, "/api/delegations", json!({"agent_id": agent, "tools": ["entries"]})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let service = User::Token(made.json["token"].as_str().unwrap().to_owned());
    let run = async |question: &str| {
        let path = format!("/api/agents/{agent}/run");
        app.post(&service, &path, json!({ "message": question })).await
    };
    let asked =
        run(r#"/entries {"steps": [{"do": "get", "key": "a"}, {"do": "set", "key": "b", "value": "1"}]}"#).await;
    assert!(asked.status == 200 && !asked.text.contains("of alice"), "{}", asked.text);
    let stores = "select string_agg((actor is null)::text || ' ' || key, ',' order by key) from behalf_kv.entries";
    assert_eq!(app.database.value::<String>(stores).await, "true a,false b");
    assert_eq!(one(&app, &alice, keys("")).await, json!(["a"]));
}
