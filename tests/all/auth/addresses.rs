//! Changes of a user's own account: addresses, metadata, and what nobody may change of themselves.

use behalf_tests::{Answer, App, Mailbox, User};
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery staple";
const ADA: &str = "ada@people.example";
const NEW: &str = "ada.new@people.example";
const EVE: &str = "eve@people.example";

async fn member(app: &App, mailbox: &Mailbox, email: &str) -> User {
    let body = json!({ "email": email, "password": PASSWORD });
    let answer = app.post(&User::Anon, "/auth/v1/signup", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let letter = mailbox.letter(email, 1).await;
    User::Token(app.follow(&letter.link()).await.access_token())
}

async fn put(app: &App, caller: &User, body: Value) -> Answer {
    app.send(caller, Method::PUT, "/auth/v1/user", body).await
}

async fn verify(app: &App, email: &str, code: &str) -> Answer {
    let body = json!({ "type": "email_change", "email": email, "token": code });
    app.post(&User::Anon, "/auth/v1/verify", body).await
}

fn assert_code(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.json["error_code"].as_str()), (status, Some(code)), "{}", answer.text);
}

#[tokio::test]
async fn both_addresses_agree_to_a_change() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    let ada = member(&app, &mailbox, ADA).await;
    let answer = put(&app, &ada, json!({ "email": NEW })).await;
    assert_eq!((answer.status, answer.json["new_email"].as_str()), (200, Some(NEW)), "{}", answer.text);
    assert_eq!(answer.json["email"], ADA);
    let (old, new) = (mailbox.letter(ADA, 2).await, mailbox.letter(NEW, 1).await);
    assert_ne!(old.code(), new.code());

    let half = app.follow(&new.link()).await;
    assert!(half.fragment("message").is_some_and(|text| text.starts_with("Confirmation link accepted")), "{}", half.to);
    assert_eq!(half.fragment("access_token"), None);
    assert_eq!(app.get(&ada, "/auth/v1/user").await.json["email"], ADA);
    let again = app.follow(&new.link()).await;
    assert_eq!(again.fragment("error_code").as_deref(), Some("otp_expired"), "one address cannot agree twice");
    assert_code(&verify(&app, NEW, &new.code()).await, 403, "otp_expired");

    let session = verify(&app, ADA, &old.code()).await;
    assert_eq!((session.status, session.json["user"]["email"].as_str()), (200, Some(NEW)), "{}", session.text);
    let identity = &session.json["user"]["identities"][0]["identity_data"];
    assert_eq!((identity["email"].as_str(), identity["email_verified"].as_bool()), (Some(NEW), Some(true)));
    let grant = "/auth/v1/token?grant_type=password";
    let body = |email| json!({ "email": email, "password": PASSWORD });
    assert_eq!(app.post(&User::Anon, grant, body(NEW)).await.status, 200);
    assert_code(&app.post(&User::Anon, grant, body(ADA)).await, 400, "invalid_credentials");
}

#[tokio::test]
async fn the_first_half_by_code_says_so() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    let ada = member(&app, &mailbox, ADA).await;
    assert_eq!(put(&app, &ada, json!({ "email": NEW })).await.status, 200);
    let half = verify(&app, ADA, &mailbox.letter(ADA, 2).await.code()).await;
    assert_eq!((half.status, half.json["code"].as_str()), (200, Some("200")), "{}", half.text);
    assert!(half.json["msg"].is_string() && half.json["access_token"].is_null());
    // Sent again, both halves begin anew.
    let resend = json!({ "type": "email_change", "email": ADA });
    assert_eq!(app.post(&User::Anon, "/auth/v1/resend", resend).await.text, "{}");
    let (old, new) = (mailbox.letter(ADA, 3).await, mailbox.letter(NEW, 2).await);
    let half = verify(&app, NEW, &new.code()).await;
    assert_eq!(half.json["code"], "200", "{}", half.text);
    assert_eq!(verify(&app, ADA, &old.code()).await.json["user"]["email"], NEW);
}

#[tokio::test]
async fn the_new_address_agrees_alone_where_the_operator_says_so() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[("auth_secure_email_change", "false")]).await;
    let ada = member(&app, &mailbox, ADA).await;
    assert_eq!(put(&app, &ada, json!({ "email": NEW })).await.status, 200);
    let led = app.follow(&mailbox.letter(NEW, 1).await.link()).await;
    assert_eq!(app.get(&User::Token(led.access_token()), "/auth/v1/user").await.json["email"], NEW);
    assert_eq!(mailbox.to(ADA).len(), 1);
}

#[tokio::test]
async fn a_change_to_an_address_of_another_looks_like_any_other_and_never_happens() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    let ada = member(&app, &mailbox, ADA).await;
    member(&app, &mailbox, EVE).await;
    let free = put(&app, &ada, json!({ "email": "free@people.example" })).await;
    mailbox.letter("free@people.example", 1).await;
    let taken = put(&app, &ada, json!({ "email": EVE })).await;
    assert_eq!((taken.status, taken.json["new_email"].as_str()), (free.status, Some(EVE)), "{}", taken.text);
    let old = mailbox.letter(ADA, 3).await;
    assert_eq!(verify(&app, ADA, &old.code()).await.json["code"], "200");
    assert_eq!(mailbox.to(EVE).len(), 1, "the other user hears nothing");
    assert_eq!(app.get(&ada, "/auth/v1/user").await.json["email"], ADA);
}

#[tokio::test]
async fn of_two_users_who_want_one_address_the_first_to_prove_it_gets_it() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[("auth_secure_email_change", "false")]).await;
    let (ada, eve) = (member(&app, &mailbox, ADA).await, member(&app, &mailbox, EVE).await);
    assert_eq!(put(&app, &ada, json!({ "email": NEW })).await.status, 200);
    assert_eq!(put(&app, &eve, json!({ "email": NEW })).await.status, 200);
    let (first, second) = (mailbox.letter(NEW, 1).await, mailbox.letter(NEW, 2).await);
    let session = verify(&app, NEW, &first.code()).await;
    assert_eq!(session.json["user"]["email"], NEW, "{}", session.text);
    let led = app.follow(&second.link()).await;
    assert_eq!(led.fragment("error_code").as_deref(), Some("email_exists"), "{}", led.to);
    assert_eq!(app.get(&eve, "/auth/v1/user").await.json["email"], EVE);
}

#[tokio::test]
async fn an_anonymous_user_becomes_permanent() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[("auth_anonymous", "true")]).await;
    let session = app.post(&User::Anon, "/auth/v1/signup", json!({ "data": { "cart": 3 } })).await;
    assert_eq!(session.json["user"]["is_anonymous"], true, "{}", session.text);
    let caller = User::Token(session.json["access_token"].as_str().unwrap().to_owned());
    let alone = put(&app, &caller, json!({ "password": PASSWORD })).await;
    assert_code(&alone, 422, "validation_failed");
    let answer = put(&app, &caller, json!({ "email": ADA, "password": PASSWORD })).await;
    assert_eq!((answer.status, answer.json["is_anonymous"].as_bool()), (200, Some(true)), "{}", answer.text);
    let led = app.follow(&mailbox.letter(ADA, 1).await.link()).await;
    let user = app.get(&User::Token(led.access_token()), "/auth/v1/user").await;
    assert_eq!(
        (user.json["is_anonymous"].as_bool(), user.json["email"].as_str()),
        (Some(false), Some(ADA)),
        "{}",
        user.text
    );
    assert_eq!(user.json["id"], session.json["user"]["id"]);
    assert_eq!(user.json["app_metadata"]["providers"], json!(["email"]));
    assert_eq!(user.json["user_metadata"]["cart"], 3);
}

#[tokio::test]
async fn metadata_is_merged_and_opens_nothing() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    let ada = member(&app, &mailbox, ADA).await;
    assert_eq!(put(&app, &ada, json!({ "data": { "a": 1, "b": { "c": 2 } } })).await.status, 200);
    let answer = put(&app, &ada, json!({ "data": { "a": null, "d": [3] } })).await;
    let data = &answer.json["user_metadata"];
    assert_eq!((&data["a"], &data["b"]["c"], &data["d"]), (&Value::Null, &json!(2), &json!([3])), "{}", answer.text);
    assert!(data.as_object().unwrap().get("a").is_none());

    assert_code(&put(&app, &ada, json!({ "app_metadata": { "admin": true } })).await, 403, "not_admin");
    let tries = json!({
        "role": "service_role", "aud": "x", "is_anonymous": true, "is_super_admin": true, "banned_until": "none",
        "raw_app_meta_data": { "admin": true }, "email_confirm": true, "id": "00000000-0000-0000-0000-000000000000",
        "data": { "role": "service_role", "app_metadata": { "admin": true }, "sub": EVE }
    });
    let user = put(&app, &ada, tries).await;
    assert_eq!((user.status, user.json["role"].as_str()), (200, Some("authenticated")), "{}", user.text);
    assert_eq!(user.json["app_metadata"], json!({ "provider": "email", "providers": ["email"] }));
    assert_eq!(user.json["is_anonymous"], false);
    let again =
        app.post(&User::Anon, "/auth/v1/token?grant_type=password", json!({ "email": ADA, "password": PASSWORD }));
    let again = again.await;
    assert_eq!(again.json["user"]["role"], "authenticated", "{}", again.text);
    assert_code(&put(&app, &ada, json!({ "data": "text" })).await, 400, "validation_failed");
    assert_code(&put(&app, &ada, json!({ "data": { "x": "y".repeat(20_000) } })).await, 400, "validation_failed");
    assert_code(&put(&app, &ada, json!({ "phone": "4915112345678" })).await, 400, "phone_provider_disabled");
}

#[tokio::test]
async fn nothing_that_a_user_writes_becomes_a_header_of_a_letter() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    for email in [
        "a@people.example\r\nBcc: eve@people.example",
        "a@people.example\nBcc: eve@people.example",
        "a@people.example, eve@people.example",
        "Ada <a@people.example>",
        "a@people.example%0d%0aBcc:eve@people.example ",
        "a\u{0}@people.example",
    ] {
        for path in ["otp", "recover", "magiclink", "signup"] {
            let body = json!({ "email": email, "password": PASSWORD });
            let answer = app.post(&User::Anon, &format!("/auth/v1/{path}"), body).await;
            assert_eq!(answer.status, 400, "{path} {email:?}: {}", answer.text);
        }
        let body = json!({ "email": email, "type": "signup" });
        assert_eq!(app.post(&User::Anon, "/auth/v1/resend", body).await.status, 400, "{email:?}");
    }
    let name = "Ada\r\nBcc: eve@people.example\r\n\r\n<script>alert(1)</script>";
    let body = json!({ "email": ADA, "data": { "name": name, "Bcc": EVE } });
    assert_eq!(app.post(&User::Anon, "/auth/v1/otp", body).await.status, 200);
    let letter = mailbox.letter(ADA, 1).await;
    assert!(letter.head.lines().all(|line| !line.to_lowercase().starts_with("bcc")), "{}", letter.head);
    assert_eq!(mailbox.all().len(), 1);
    let ada = app.follow(&letter.link()).await.access_token();
    let answer = put(&app, &User::Token(ada), json!({ "email": "x@people.example\r\nBcc: eve@people.example" })).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}

#[tokio::test]
async fn a_session_that_ended_changes_nothing() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    let ada = member(&app, &mailbox, ADA).await;
    app.database.execute("delete from auth.sessions").await;
    let answer = put(&app, &ada, json!({ "password": "another long passphrase" })).await;
    assert_eq!(answer.status, 403, "{}", answer.text);
    assert_eq!(put(&app, &User::Nobody, json!({ "data": {} })).await.status, 401);
    assert_eq!(put(&app, &User::Anon, json!({ "data": {} })).await.status, 401);
    assert_eq!(put(&app, &User::Service, json!({ "data": {} })).await.status, 403);
}

#[tokio::test]
async fn where_addresses_count_without_a_letter_a_taken_one_is_refused() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[("auth_autoconfirm", "true"), ("auth_anonymous", "true")]).await;
    let account = json!({ "email": EVE, "password": PASSWORD });
    assert_eq!(app.post(&User::Anon, "/auth/v1/signup", account).await.status, 200);
    let session = app.post(&User::Anon, "/auth/v1/signup", json!({})).await;
    let caller = User::Token(session.json["access_token"].as_str().unwrap().to_owned());
    assert_code(&put(&app, &caller, json!({ "email": EVE })).await, 422, "email_exists");
    let answer = put(&app, &caller, json!({ "email": ADA })).await;
    let user = &answer.json;
    assert_eq!((user["email"].as_str(), user["is_anonymous"].as_bool()), (Some(ADA), Some(false)), "{}", answer.text);
    assert!(mailbox.all().is_empty());
    // A permanent user's new address needs a letter all the same.
    let answer = put(&app, &caller, json!({ "email": NEW })).await;
    assert_eq!((answer.json["email"].as_str(), answer.json["new_email"].as_str()), (Some(ADA), Some(NEW)));
    mailbox.letter(NEW, 1).await;
}
