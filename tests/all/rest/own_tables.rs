//! docs/your-own-tables.md: its statements make tables that show each caller what the page says, over `/rest/v1` and to tools.

use std::process::Command;

use behalf_tests::app::{anon_key, token};
use behalf_tests::fences::fences;
use behalf_tests::projects::repository;
use behalf_tests::{ALICE, App, BOB, User};
use reqwest::Method;
use serde_json::{Value, json};

fn page() -> Vec<(String, String)> {
    fences(&std::fs::read_to_string(repository().join("docs/your-own-tables.md")).unwrap())
}

async fn app() -> App {
    let app = App::start().await;
    let mut statements = 0;
    for (language, content) in page() {
        if language == "sql" {
            app.database.execute(&content).await;
            statements += 1;
        }
    }
    assert_eq!(statements, 5);
    // The host hears of new tables soon.
    behalf_tests::eventually("the tables are known", async || {
        app.get(&User::Is(ALICE), "/rest/v1/open_tasks").await.status == 200
            && app.post(&User::Is(ALICE), "/rest/v1/rpc/team_size", json!({ "of_team": "x" })).await.status == 200
    })
    .await;
    app
}

async fn titles(app: &App, user: &User, path: &str) -> Vec<String> {
    let answer = app.get(user, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    let rows = answer.json.as_array().unwrap();
    rows.iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_on_own_tables_holds() {
    let app = app().await;
    let (alice, bob) = (User::Is(ALICE), User::Is(BOB));
    for (user, title) in [(&alice, "Water the garden"), (&bob, "Wash the car")] {
        let made = app.post(user, "/rest/v1/tasks", json!({ "title": title })).await;
        assert_eq!(made.status, 201, "{}", made.text);
    }
    // Each sees their own, over HTTP and through a tool; nobody writes for somebody else.
    assert_eq!(titles(&app, &alice, "/rest/v1/tasks?select=title").await, ["Water the garden"]);
    let query = json!({ "query": "select title from tasks" });
    assert_eq!(app.call(&bob, "database_query", query).await.result(), &json!([{ "title": "Wash the car" }]));
    let forged = app.post(&alice, "/rest/v1/tasks", json!({ "title": "x", "owner_id": BOB })).await;
    assert_eq!((forged.status, forged.json["code"].as_str()), (403, Some("42501")), "{}", forged.text);
    // Nobody is nobody's owner. Whether a request without a user is refused or empty is a question of grants.
    let stranger = app.get(&User::Anon, "/rest/v1/tasks").await;
    assert!(stranger.json == json!([]) || stranger.status == 401, "{} {}", stranger.status, stranger.text);

    // A team reads together, and changes what is its members' own.
    app.database
        .execute(&format!("insert into members values ('garden', '{ALICE}'), ('garden', '{BOB}'), ('other', '{BOB}')"))
        .await;
    let shared = app
        .send(&alice, Method::PATCH, "/rest/v1/tasks?title=eq.Water%20the%20garden", json!({ "team": "garden" }))
        .await;
    assert_eq!(shared.status, 204, "{}", shared.text);
    let both = titles(&app, &bob, "/rest/v1/open_tasks?select=title&order=title").await;
    assert_eq!(both, ["Wash the car", "Water the garden"]);
    let id: i64 = app.database.value("select id from tasks where team = 'garden'").await;
    let finish = async |user: &User| app.post(user, "/rest/v1/rpc/finish", json!({ "task": id })).await.json;
    assert_eq!((finish(&bob).await, finish(&alice).await), (Value::Null, json!(true)));
    assert_eq!(titles(&app, &alice, "/rest/v1/open_tasks?select=title").await, Vec::<String>::new());
    // A function with its owner's rights answers its narrow question, to members.
    let size =
        async |user: &User, team: &str| app.post(user, "/rest/v1/rpc/team_size", json!({ "of_team": team })).await.json;
    assert_eq!((size(&alice, "garden").await, size(&alice, "other").await), (json!(2), json!(0)));
    let refused = app.post(&User::Anon, "/rest/v1/rpc/team_size", json!({ "of_team": "garden" })).await;
    assert!(refused.status == 401 || refused.status == 403 || refused.status == 404, "{}", refused.text);

    // No table of the page shows every row, and its commands work.
    let ready = app.get(&User::Nobody, "/readyz").await;
    assert_eq!(ready.json["exposed_relations"], 0, "{}", ready.text);
    for (language, script) in page() {
        if language != "sh" {
            continue;
        }
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-eu", "-c", &script])
            .env("BASE_URL", &app.url)
            .env("ANON_KEY", anon_key())
            .env("ALICE", token(ALICE));
        let done = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
        let printed = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success() && printed.matches("Water the garden").count() == 2, "{script}\n{printed}");
    }
}
