//! The examples of `plugins/examples`: each keeps every promise, passes its own tests, and does its work for whoever calls.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::header;
use behalf_tests::projects::{behalf_on, command, project, repository};
use behalf_tests::{ALICE, App, BOB, Options, TestDatabase, User};
use reqwest::Method;
use serde_json::{Value, json};

const SECRETS_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const ALICE_IS: User = User::Is(ALICE);
const BOB_IS: User = User::Is(BOB);

/// A test for each example: the conformance suite finds nothing.
macro_rules! examples {
    ($($test:ident => $example:literal,)+) => {
        $(#[tokio::test]
        async fn $test() {
            keeps_every_promise($example).await;
        })+

        const EXAMPLES: &[&str] = &[$($example),+];
    };
}

examples! {
    contact_match_keeps_every_promise => "contact-match",
    expense_conversion_keeps_every_promise => "expense-conversion",
    free_slots_keeps_every_promise => "free-slots",
    spending_trends_keeps_every_promise => "spending-trends",
    statement_import_keeps_every_promise => "statement-import",
}

#[test]
fn every_example_is_checked() {
    let entries = std::fs::read_dir(repository().join("plugins/examples")).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path()).filter(|path| path.join("plugin.toml").is_file());
    let mut names: Vec<_> = folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, EXAMPLES);
}

/// The folder of an example, as a path in the repository.
fn folder(example: &str) -> String {
    format!("plugins/examples/{example}")
}

async fn component(example: &str) -> String {
    project(&folder(example)).await.display().to_string()
}

async fn keeps_every_promise(example: &str) {
    let file = component(example).await;
    let database = TestDatabase::create().await;
    let owner = database.owner_url();
    let checked = behalf_on(&database, &["tool", "check", &file, "--json", "--database-url", &owner]).await;
    let report = checked.json();
    let promises = report["promises"].as_array().unwrap();
    let broken: Vec<_> = promises.iter().filter(|promise| promise["standing"] == "broken").collect();
    assert!(checked.ok && broken.is_empty(), "{example}: {broken:#?}");
    let kept = |id: &str| promises.iter().any(|promise| promise["id"] == id && promise["standing"] == "kept");
    for id in ["calls.work", "isolation.results", "isolation.interference"] {
        assert!(kept(id), "{example}: {id} was not checked");
    }
}

/// What `plugin.toml` asks for.
fn grants(example: &str) -> Value {
    let manifest = repository().join(folder(example)).join("plugin.toml");
    let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
    serde_json::to_value(&manifest["grants"]).unwrap()
}

/// A database with the tables and rows of an example.
async fn database(example: &str) -> TestDatabase {
    let database = TestDatabase::create().await;
    let fixture = repository().join(folder(example)).join("fixture.sql");
    database.execute(&std::fs::read_to_string(fixture).unwrap()).await;
    database
}

/// A host with an example as its plugin.
async fn app_with(example: &str) -> App {
    let app = App::on(database(example).await, Options::default()).await;
    app.install(&component(example).await, &grants(example)).await;
    app
}

/// The result of a call that succeeds.
async fn result(app: &App, user: &User, tool: &str, arguments: Value) -> Value {
    app.call(user, tool, arguments).await.result().clone()
}

#[tokio::test]
async fn a_statement_is_imported_once_for_each_user() {
    let app = app_with("statement-import").await;
    let csv = "Buchungstag;Empfänger;Verwendungszweck;Betrag\n02.03.2026;Green Grocer;Karte 4711;-42,10\n\
               31.02.2026;Green Grocer;;-1,00\n03.03.2026;Café Zürich;;-1.204,00\n03.03.2026;Café Zürich;;-1.204,00\n";
    let arguments = json!({ "account": "Giro", "csv": csv });
    let entry = |day: &str, payee: &str, purpose: &str, amount: &str| {
        let currency = "EUR";
        json!({ "booked_on": day, "payee": payee, "purpose": purpose, "amount": amount, "currency": currency })
    };
    let rejected = json!([{ "line": 3, "reason": "\"31.02.2026\" is no day of the calendar." }]);
    let imported = |added: u64, there: u64, entries: &[&Value]| json!({ "added": added, "already_there": there, "rejected": 1, "entries": entries, "rejected_lines": rejected });
    // The first line is among alice's entries. The two that are alike are two.
    let (old, new) = (
        entry("2026-03-02", "Green Grocer", "Karte 4711", "-42.10"),
        entry("2026-03-03", "Café Zürich", "", "-1204.00"),
    );
    let first = result(&app, &ALICE_IS, "import_statement", arguments.clone()).await;
    assert_eq!(first, imported(2, 1, &[&new, &new]));
    let again = result(&app, &ALICE_IS, "import_statement", arguments.clone()).await;
    assert_eq!(again, imported(0, 3, &[]));
    let bobs = result(&app, &BOB_IS, "import_statement", arguments.clone()).await;
    assert_eq!(bobs, imported(3, 0, &[&old, &new, &new]));
    let count = |owner| format!("select count(*) from public.bank_entries where owner_id = '{owner}'");
    assert_eq!(app.database.value::<i64>(&count(ALICE)).await, 3);
    assert_eq!(app.database.value::<i64>(&count(BOB)).await, 4);

    let nobody = app.call(&User::Anon, "import_statement", arguments).await;
    assert_eq!((nobody.status, &nobody.json["tool_code"]), (403, &json!("denied")), "{}", nobody.text);
    let wrong = app.call(&ALICE_IS, "import_statement", json!({ "account": "Giro", "csv": "a,b\n1,2\n" })).await;
    assert_eq!((wrong.status, &wrong.json["tool_code"]), (422, &json!("invalid_arguments")), "{}", wrong.text);
}

/// The statistics of `spending_trends`, by the order of its fields.
fn statistics(numbers: [&str; 7], verdict: &str) -> Value {
    let [total, mean, median, smallest, largest, trend, last] = numbers;
    json!({
        "total": total, "mean": mean, "median": median, "smallest": smallest, "largest": largest,
        "trend_per_month": trend, "last": last, "verdict": verdict,
    })
}

#[tokio::test]
async fn trends_are_those_of_the_user() {
    let app = app_with("spending-trends").await;
    let arguments = json!({ "until": "2025-06", "months": 6 });
    let alices = result(&app, &ALICE_IS, "spending_trends", arguments.clone()).await;
    let totals: Vec<_> = alices["months"].as_array().unwrap().iter().map(|month| month["total"].clone()).collect();
    assert_eq!(totals, ["1110.20", "1095.10", "1194.00", "1099.95", "1112.40", "1280.05"]);
    let overall = ["6891.70", "1148.62", "1111.30", "1095.10", "1280.05", "23.06", "1280.05"];
    assert_eq!(alices["overall"], statistics(overall, "usual"));
    let rent = ["4800.00", "800.00", "800.00", "800.00", "800.00", "0.00", "800.00"];
    let food = ["2002.70", "333.78", "307.60", "295.10", "480.05", "25.60", "480.05"];
    let travel = ["89.00", "14.83", "0.00", "0.00", "89.00", "-2.54", "0.00"];
    let categories = json!([
        { "category": "rent", "expenses": 6, "statistics": statistics(rent, "usual") },
        { "category": "food", "expenses": 6, "statistics": statistics(food, "higher") },
        { "category": "travel", "expenses": 1, "statistics": statistics(travel, "usual") },
    ]);
    assert_eq!((&alices["categories"], &alices["truncated"]), (&categories, &json!(false)));

    let bobs = result(&app, &BOB_IS, "spending_trends", arguments).await;
    let car = statistics(["286.50", "47.75", "69.98", "0.00", "75.25", "-8.02", "0.00"], "lower");
    assert_eq!(bobs["categories"], json!([{ "category": "car", "expenses": 4, "statistics": car }]));
    assert_eq!(bobs["overall"], car);
    assert_eq!(bobs["months"][1], json!({ "month": "2025-02", "total": "69.90" }));
}

fn slot(starts_at: &str, ends_at: &str, minutes: u64) -> Value {
    json!({ "starts_at": starts_at, "ends_at": ends_at, "minutes": minutes })
}

#[tokio::test]
async fn free_time_is_what_the_users_own_events_leave() {
    let app = app_with("free-slots").await;
    let week = json!({ "from": "2026-03-02", "to": "2026-03-06", "minutes": 60, "time_zone": "Europe/Zurich" });
    let whole =
        |day: &str, offset: &str| slot(&format!("{day}T09:00:00{offset}"), &format!("{day}T17:00:00{offset}"), 480);
    let alices = result(&app, &ALICE_IS, "free_slots", week.clone()).await;
    let monday = slot("2026-03-02T11:00:00+01:00", "2026-03-02T16:30:00+01:00", 330);
    let slots = [monday, whole("2026-03-05", "+01:00"), whole("2026-03-06", "+01:00")];
    assert_eq!(alices, json!({ "time_zone": "Europe/Zurich", "slots": slots, "truncated": false }));
    let bobs = result(&app, &BOB_IS, "free_slots", week).await;
    let slots = ["2026-03-03", "2026-03-04", "2026-03-06"].map(|day| whole(day, "+01:00"));
    assert_eq!(bobs["slots"], json!(slots));

    // The clocks change on the Sunday between these days.
    let zone = json!({ "from": "2026-03-27", "to": "2026-03-30", "time_zone": "Europe/Zurich" });
    let alices = result(&app, &ALICE_IS, "free_slots", zone).await;
    assert_eq!(alices["slots"], json!([whole("2026-03-27", "+01:00"), whole("2026-03-30", "+02:00")]));
    let nowhere = json!({ "from": "2026-03-02", "time_zone": "Europe/Nowhere" });
    let refused = app.call(&ALICE_IS, "free_slots", nowhere).await;
    assert_eq!((refused.status, &refused.json["tool_code"]), (422, &json!("invalid_arguments")), "{}", refused.text);
}

#[tokio::test]
async fn a_contact_is_found_among_the_users_own() {
    let app = app_with("contact-match").await;
    let id = |end: &str| format!("c0ac0000-0000-4000-8000-0000000000{end}");
    let one = |end: &str, name: &str, email: Value, score: f64, reason: &str| json!({ "id": id(end), "name": name, "email": email, "score": score, "reason": reason });
    let anna = json!({ "name": "Anna Mueller" });
    let alices = result(&app, &ALICE_IS, "match_contacts", anna.clone()).await;
    let matches = [
        one("a1", "Dr. Müller, Anna", json!("Anna@Example.com"), 1.0, "same_name"),
        one("a2", "Anne Miller", Value::Null, 0.83, "similar_name"),
    ];
    assert_eq!(alices, json!({ "matches": matches, "contacts_compared": 5, "truncated": false }));
    let bobs = result(&app, &BOB_IS, "match_contacts", anna).await;
    let matches = [one("b1", "Anna Muller", json!("muller@example.org"), 1.0, "same_name")];
    assert_eq!(bobs, json!({ "matches": matches, "contacts_compared": 2, "truncated": false }));
    let by_address = json!({ "name": "A. M.", "email": "anna@example.com" });
    let alices = result(&app, &ALICE_IS, "match_contacts", by_address).await;
    assert_eq!(alices["matches"], json!([one("a1", "Dr. Müller, Anna", json!("Anna@Example.com"), 1.0, "same_email")]));
}

/// A server of rates; returns `host:port`, and the keys that it was sent.
async fn rates() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let keys = Arc::<Mutex<Vec<String>>>::default();
    let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&keys));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (host, keys)
}

async fn answer(State(keys): State<Arc<Mutex<Vec<String>>>>, request: Request) -> axum::Json<Value> {
    let key = request.headers().get(header::AUTHORIZATION).map_or("none", |value| value.to_str().unwrap());
    keys.lock().unwrap().push(key.to_owned());
    let rates = json!({ "CHF": 0.8, "EUR": 0.9, "JPY": 150, "USD": 1 });
    axum::Json(json!({ "timestamp": 1_764_547_200, "base": "USD", "rates": rates }))
}

#[tokio::test(flavor = "multi_thread")]
async fn expenses_are_converted_with_rates_that_all_callers_share() {
    let (host, keys) = rates().await;
    let settings = vec![("http_allow_private", host.clone()), ("secrets_key", SECRETS_KEY.to_owned())];
    let app = App::on(database("expense-conversion").await, Options { settings }).await;
    let mut granted = grants("expense-conversion");
    granted["http"]["hosts"] = json!([host]);
    granted["http"]["secrets"][0]["host"] = json!(host);
    let plugin = app.install(&component("expense-conversion").await, &granted).await.json["id"].clone();
    let plugin = format!("/api/plugins/{}", plugin.as_str().unwrap());
    let settings = json!({ "settings": { "rates_url": format!("http://{host}/api/latest.json") } });
    let changed = app.send(&User::Service, Method::PATCH, &plugin, settings).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let march = json!({ "currency": "EUR", "month": "2025-03" });

    // Without its key, the host sends nothing.
    let refused = app.call(&ALICE_IS, "convert_expenses", march.clone()).await;
    assert!(refused.status == 422 && keys.lock().unwrap().is_empty(), "{}", refused.text);
    let key = json!({ "value": "key-of-the-operator" });
    let set = app.send(&User::Service, Method::PUT, &format!("{plugin}/secrets/rates_key"), key).await;
    assert_eq!(set.status, 200, "{}", set.text);

    let alices = result(&app, &ALICE_IS, "convert_expenses", march.clone()).await;
    let expected = json!({
        "currency": "EUR", "rates_as_of": "2025-12-01T00:00:00.000Z", "rates_are_old": false, "total": "82.27", "expenses": 3,
        "categories": [
            { "category": "food", "total": "67.27", "expenses": 2 },
            { "category": "leisure", "total": "15.00", "expenses": 1 },
        ],
        "not_converted": [{ "category": "leisure", "currency": "XTS", "total": "7.00", "expenses": 1 }],
        "truncated": false,
    });
    assert_eq!(alices, expected);
    let bobs = result(&app, &BOB_IS, "convert_expenses", march.clone()).await;
    let car = json!([{ "category": "car", "total": "135.00", "expenses": 1 }]);
    assert_eq!((&bobs["total"], &bobs["categories"]), (&json!("135.00"), &car));
    assert_eq!(result(&app, &ALICE_IS, "convert_expenses", march).await, expected);
    assert_eq!(*keys.lock().unwrap(), ["Token key-of-the-operator"], "the rates are fetched once");
}

/// Runs a program in the folder of an example; it must succeed.
async fn passes(example: &str, program: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = command(program, &repository().join(folder(example)));
    let done = command.args(arguments).envs(variables.iter().copied()).output().await.unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{} {arguments:?} in {example}:\n{text}", program.display());
    text
}

/// Those in Rust are tests of the workspace of plugins, which run with it.
#[tokio::test]
async fn native_tests_of_the_examples_pass() {
    let npm = Path::new("npm");
    component("expense-conversion").await;
    passes("expense-conversion", npm, &["test"], &[]).await;
    component("free-slots").await;
    passes("free-slots", npm, &["test"], &[]).await;
    passes("free-slots", npm, &["run", "check"], &[]).await;

    component("spending-trends").await;
    let python = repository().join(folder("spending-trends")).join(".venv/bin/python");
    let run = ["-m", "unittest", "discover", "tests"];
    let text = passes("spending-trends", &python, &run, &[("PYTHONPATH", "src")]).await;
    assert!(text.contains("\nOK") && !text.contains("Ran 0 tests"), "{text}");

    let out = tempfile::tempdir().unwrap();
    let program = out.path().join("tests").display().to_string();
    let line = format!(
        "cc -std=gnu17 -g -Wall -Wextra -Werror -Ivendor/behalf-sdk src/*.c tests/*.c vendor/behalf-sdk/mock/native.c -o '{program}'"
    );
    passes("contact-match", Path::new("sh"), &["-c", &line], &[]).await;
    let text = passes("contact-match", Path::new(&program), &[], &[]).await;
    assert!(text.contains(" tests, 0 failed"), "{text}");
}
