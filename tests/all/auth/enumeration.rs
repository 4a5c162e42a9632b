//! Nobody learns who has an account: not by the status of an answer, nor by its text, nor by the limits.

use behalf_tests::{Answer, App, Mailbox, User};
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery staple";
/// Has an account.
const ADA: &str = "ada@people.example";
/// Signed up and did not confirm it.
const EVE: &str = "eve@people.example";
/// Has none.
const NOBODY: &str = "nobody@people.example";

async fn sign_up(app: &App, email: &str) {
    let answer = app.post(&User::Anon, "/auth/v1/signup", json!({ "email": email, "password": PASSWORD })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// A host with Ada and Eve.
async fn people(mailbox: &Mailbox, settings: &[(&'static str, &str)]) -> App {
    let app = mailbox.app(&[]).await;
    sign_up(&app, ADA).await;
    app.follow(&mailbox.letter(ADA, 1).await.link()).await.access_token();
    sign_up(&app, EVE).await;
    mailbox.letter(EVE, 1).await;
    app.database.execute("delete from auth.behalf_letters").await;
    App::on(app.database.clone(), mailbox.options(settings)).await
}

/// Status, header and text of an answer to a request that names an address.
async fn seen(app: &App, path: &str, body: &Value, email: &str) -> (u16, Vec<String>, Answer) {
    let mut body = body.clone();
    body["email"] = json!(email);
    let response = app.request(&User::Anon, Method::POST, path).json(&body).send().await.unwrap();
    let mut names: Vec<_> = response.headers().keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    (response.status().as_u16(), names, Answer::of(response).await)
}

#[tokio::test]
async fn answers_are_the_same_with_an_account_and_without() {
    let mailbox = Mailbox::new();
    let app = people(&mailbox, &[]).await;
    let hash = "a".repeat(56);
    for (path, body, wanted) in [
        ("/auth/v1/recover", json!({}), 200),
        ("/auth/v1/otp", json!({ "create_user": false }), 200),
        (
            "/auth/v1/otp",
            json!({ "create_user": false, "code_challenge": "a".repeat(43), "code_challenge_method": "s256" }),
            200,
        ),
        ("/auth/v1/resend", json!({ "type": "signup" }), 200),
        ("/auth/v1/resend", json!({ "type": "email_change" }), 200),
        ("/auth/v1/token?grant_type=password", json!({ "password": "not the password" }), 400),
        ("/auth/v1/verify", json!({ "type": "email", "token": "000000" }), 403),
        ("/auth/v1/verify", json!({ "type": "recovery", "token": "000000" }), 403),
        ("/auth/v1/verify", json!({ "type": "email_change", "token": "000000" }), 403),
        ("/auth/v1/verify", json!({ "type": "signup", "token_hash": hash }), 400),
        // These add an account where there is none, so they come last.
        ("/auth/v1/otp", json!({}), 200),
        ("/auth/v1/magiclink", json!({}), 200),
    ] {
        let (status, headers, answer) = seen(&app, path, &body, NOBODY).await;
        assert_eq!(status, wanted, "{path} {body}: {}", answer.text);
        for email in [ADA, EVE] {
            let other = seen(&app, path, &body, email).await;
            assert_eq!((other.0, &other.1, &other.2.text), (status, &headers, &answer.text), "{path} {body} {email}");
        }
    }
}

#[tokio::test]
async fn a_sign_up_looks_the_same_with_an_account_and_without() {
    let mailbox = Mailbox::new();
    let app = people(&mailbox, &[]).await;
    // Numbers that the database prints otherwise.
    let data =
        r#"{ "big": 1e16, "bigger": 1.5e300, "small": 1e-7, "zero": -0.0, "tail": 1.50, "deep": [{ "n": 12E3 }] }"#;
    let mut data: Value = serde_json::from_str(data).unwrap();
    data["name"] = json!("x");
    let body = json!({ "password": PASSWORD, "data": data });
    let (status, headers, answer) = seen(&app, "/auth/v1/signup", &body, NOBODY).await;
    assert_eq!(status, 200, "{}", answer.text);
    for email in [ADA, EVE] {
        let (other_status, other_headers, other) = seen(&app, "/auth/v1/signup", &body, email).await;
        assert_eq!((other_status, &other_headers), (status, &headers), "{email}: {}", other.text);
        assert_eq!(shape(&other.json, email), shape(&answer.json, NOBODY), "{email}");
    }
    // Neither account was changed.
    let body = json!({ "email": ADA, "password": PASSWORD });
    let session = app.post(&User::Anon, "/auth/v1/token?grant_type=password", body).await;
    assert!(session.status == 200 && session.json["user"]["user_metadata"]["name"].is_null(), "{}", session.text);
    assert_eq!(mailbox.to(ADA).len(), 1, "a confirmed user gets no letter");
}

/// What a client can compare: the names of all members and every value that is no id, no time and no address.
fn shape(value: &Value, email: &str) -> Value {
    match value {
        Value::Object(all) => all.iter().map(|(name, value)| (name.clone(), shape(value, email))).collect(),
        Value::Array(all) => all.iter().map(|value| shape(value, email)).collect(),
        Value::String(text) if text == email => json!("an address"),
        Value::String(text) if uuid::Uuid::try_parse(text).is_ok() => json!("an id"),
        Value::String(text) if text.len() > 19 && text.as_bytes()[10] == b'T' => json!("a time"),
        other => other.clone(),
    }
}

#[tokio::test]
async fn limits_of_letters_say_nothing_of_accounts() {
    let mailbox = Mailbox::new();
    let limited =
        [("auth_letter_pause_seconds", "60"), ("auth_letters_per_hour", "6"), ("auth_letters_per_client", "0")];
    let app = people(&mailbox, &limited).await;
    for email in [ADA, EVE, NOBODY] {
        let (status, _, answer) = seen(&app, "/auth/v1/recover", &json!({}), email).await;
        assert_eq!(status, 200, "{email}: {}", answer.text);
    }
    for path in ["/auth/v1/recover", "/auth/v1/otp", "/auth/v1/signup"] {
        for email in [ADA, EVE, NOBODY] {
            let (status, _, answer) = seen(&app, path, &json!({ "password": PASSWORD }), email).await;
            assert_eq!(
                (status, answer.json["error_code"].as_str()),
                (429, Some("over_email_send_rate_limit")),
                "{path} {email}"
            );
        }
    }
    // A letter that nobody gets counts like one that somebody gets.
    for n in 0..3 {
        let (status, _, answer) = seen(&app, "/auth/v1/recover", &json!({}), &format!("n{n}@people.example")).await;
        assert_eq!(status, 200, "{}", answer.text);
    }
    app.database.execute("update auth.behalf_letters set pauses = false").await;
    for email in [ADA, EVE, NOBODY] {
        let (status, _, answer) = seen(&app, "/auth/v1/recover", &json!({}), email).await;
        assert_eq!((status, answer.json["msg"].as_str()), (429, Some("email rate limit exceeded")), "{email}");
    }
}

#[tokio::test]
async fn where_strangers_may_not_sign_up_a_code_is_asked_for_in_the_same_way() {
    let mailbox = Mailbox::new();
    let app = people(&mailbox, &[("auth_signup", "false")]).await;
    for email in [NOBODY, ADA] {
        let (status, _, answer) = seen(&app, "/auth/v1/otp", &json!({}), email).await;
        assert_eq!((status, answer.text.as_str()), (200, "{}"), "{email}");
    }
    mailbox.letter(ADA, 2).await;
    assert!(mailbox.to(NOBODY).is_empty());
    assert_eq!(app.database.value::<i64>("select count(*) from auth.users").await, 2);
}
