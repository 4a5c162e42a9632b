//! Plugins of a host: operators upload, change and delete them, and every host of a database has the same ones.

mod hosts;
mod management;
mod names;
mod upgrades;

use behalf_tests::{ALICE, Answer, App, User};
use reqwest::Method;
use serde_json::{Value, json};

async fn patch(app: &App, id: &str, change: Value) -> Answer {
    app.send(&User::Service, Method::PATCH, &format!("/api/plugins/{id}"), change).await
}

async fn delete(app: &App, id: &str) -> Answer {
    app.send(&User::Service, Method::DELETE, &format!("/api/plugins/{id}"), json!(null)).await
}

fn id(answer: &Answer) -> String {
    answer.json["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
}

/// Inserts a row through the probe, and returns the code of its error, or `ok`.
async fn insert(app: &App) -> String {
    let sql = "insert into notes (title, body) values ('registry', '')";
    let answer = app.call(&User::Is(ALICE), "sql", json!({"mode": "execute", "sql": sql})).await;
    match (answer.status, answer.json["result"]["error"]["code"].as_str()) {
        (200, None) => "ok".to_owned(),
        (200, Some(code)) => code.to_owned(),
        _ => answer.json["code"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned(),
    }
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}
