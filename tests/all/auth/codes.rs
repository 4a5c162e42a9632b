//! One-time codes and links, from the letters that the host writes.

use behalf_tests::{Answer, App, Mailbox, User};
use reqwest::Method;
use serde_json::json;

pub(super) const PASSWORD: &str = "correct horse battery staple";
pub(super) const ADA: &str = "ada@people.example";
pub(super) const EVE: &str = "eve@people.example";

/// Signs up; the account waits for its letter.
pub(super) async fn sign_up(app: &App, email: &str) -> Answer {
    let answer = app.post(&User::Anon, "/auth/v1/signup", json!({ "email": email, "password": PASSWORD })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

/// Signs up and confirms the address; the access token.
pub(super) async fn member(app: &App, mailbox: &Mailbox, email: &str) -> String {
    sign_up(app, email).await;
    let sent = mailbox.to(email).len().max(1);
    let letter = mailbox.letter(email, sent).await;
    app.follow(&letter.link()).await.access_token()
}

pub(super) async fn ask(app: &App, path: &str, email: &str) -> Answer {
    let answer = app.post(&User::Anon, path, json!({ "email": email })).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"), "{path}");
    answer
}

pub(super) async fn verify(app: &App, kind: &str, email: &str, code: &str) -> Answer {
    app.post(&User::Anon, "/auth/v1/verify", json!({ "type": kind, "email": email, "token": code })).await
}

async fn password_grant(app: &App, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    app.post(&User::Anon, "/auth/v1/token?grant_type=password", body).await
}

/// A code that is not this one.
fn other(code: &str) -> String {
    let number: u32 = code.parse().unwrap();
    format!("{:06}", (number + 1) % 1_000_000)
}

pub(super) fn assert_code(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.json["error_code"].as_str()), (status, Some(code)), "{}", answer.text);
}

#[tokio::test]
async fn a_link_confirms_a_new_account_once() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    let answer = sign_up(&app, ADA).await;
    assert!(answer.json["access_token"].is_null() && answer.json["id"].is_string(), "{}", answer.text);
    assert_code(&password_grant(&app, ADA, PASSWORD).await, 400, "email_not_confirmed");

    let letter = mailbox.letter(ADA, 1).await;
    let led = app.follow(&letter.link()).await;
    assert_eq!(
        (led.status, led.to.host_str(), led.fragment("type").as_deref()),
        (303, Some("app.example"), Some("signup"))
    );
    for name in ["refresh_token", "expires_in", "expires_at", "token_type"] {
        assert!(led.fragment(name).is_some_and(|value| !value.is_empty()), "{name}: {}", led.to);
    }
    let user = app.get(&User::Token(led.access_token()), "/auth/v1/user").await;
    assert_eq!(user.json["email"], ADA, "{}", user.text);
    assert!(user.json["email_confirmed_at"].is_string(), "{}", user.text);
    assert_eq!(password_grant(&app, ADA, PASSWORD).await.status, 200);

    let again = app.follow(&letter.link()).await;
    assert_eq!(again.fragment("error_code").as_deref(), Some("otp_expired"), "{}", again.to);
    assert_eq!(again.fragment("error").as_deref(), Some("access_denied"));
    assert_eq!(again.fragment("access_token"), None);
    assert_code(&verify(&app, "signup", ADA, &letter.code()).await, 403, "otp_expired");
}

#[tokio::test]
async fn a_code_confirms_a_new_account_once() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    sign_up(&app, ADA).await;
    let letter = mailbox.letter(ADA, 1).await;
    let session = verify(&app, "signup", "ADA@people.example", &letter.code()).await;
    assert_eq!((session.status, session.json["user"]["email"].as_str()), (200, Some(ADA)), "{}", session.text);
    assert_code(&verify(&app, "signup", ADA, &letter.code()).await, 403, "otp_expired");
    let link = app.follow(&letter.link()).await;
    assert_eq!(link.fragment("error_code").as_deref(), Some("otp_expired"), "the link goes with the code");
}

#[tokio::test]
async fn of_two_requests_with_one_link_one_gets_a_session() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    sign_up(&app, ADA).await;
    let link = mailbox.letter(ADA, 1).await.link();
    let led = futures::future::join_all((0..6).map(|_| app.follow(&link))).await;
    assert_eq!(led.iter().filter(|led| led.fragment("access_token").is_some()).count(), 1);
    assert_eq!(app.database.value::<i64>("select count(*) from auth.sessions").await, 1);
}

#[tokio::test]
async fn a_code_signs_in_and_adds_who_is_new() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    let body = json!({ "email": ADA, "data": { "name": "Ada" }, "create_user": true, "code_challenge": null });
    let answer = app.post(&User::Anon, "/auth/v1/otp", body).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    let session = verify(&app, "email", ADA, &mailbox.letter(ADA, 1).await.code()).await;
    assert_eq!(session.status, 200, "{}", session.text);
    assert_eq!(session.json["user"]["user_metadata"]["name"], "Ada", "{}", session.text);
    assert_eq!(session.json["user"]["app_metadata"]["providers"], json!(["email"]), "{}", session.text);

    ask(&app, "/auth/v1/otp", ADA).await;
    let letter = mailbox.letter(ADA, 2).await;
    assert_eq!(letter.parameter("type"), "magiclink");
    let token = letter.parameter("token");
    let by_hash = json!({ "type": "email", "token_hash": token });
    let session = app.post(&User::Anon, "/auth/v1/verify", by_hash.clone()).await;
    assert_eq!(session.status, 200, "{}", session.text);
    assert_code(&app.post(&User::Anon, "/auth/v1/verify", by_hash).await, 403, "otp_expired");

    let stranger = json!({ "email": EVE, "create_user": false });
    assert_eq!(app.post(&User::Anon, "/auth/v1/otp", stranger).await.status, 200);
    ask(&app, "/auth/v1/magiclink", ADA).await;
    mailbox.letter(ADA, 3).await;
    assert!(mailbox.to(EVE).is_empty());
    assert_eq!(app.database.value::<i64>("select count(*) from auth.users").await, 1);
}

#[tokio::test]
async fn a_lost_password_is_replaced_and_other_sessions_end() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    let before = member(&app, &mailbox, ADA).await;
    ask(&app, "/auth/v1/recover", ADA).await;
    let letter = mailbox.letter(ADA, 2).await;
    let led = app.follow(&letter.link()).await;
    assert_eq!(led.fragment("type").as_deref(), Some("recovery"));
    let caller = User::Token(led.access_token());
    let set = |password: &str| json!({ "password": password });
    let weak = app.send(&caller, Method::PUT, "/auth/v1/user", set("abc")).await;
    assert_code(&weak, 422, "weak_password");
    let same = app.send(&caller, Method::PUT, "/auth/v1/user", set(PASSWORD)).await;
    assert_code(&same, 422, "same_password");
    let changed = app.send(&caller, Method::PUT, "/auth/v1/user", set("another long passphrase")).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_code(&password_grant(&app, ADA, PASSWORD).await, 400, "invalid_credentials");
    assert_eq!(password_grant(&app, ADA, "another long passphrase").await.status, 200);
    assert_eq!(app.get(&caller, "/auth/v1/user").await.status, 200);
    behalf_tests::eventually("the older session ends", async || {
        app.get(&User::Token(before.clone()), "/auth/v1/user").await.status == 403
    })
    .await;
}

#[tokio::test]
async fn programs_that_check_links_do_not_use_them_up() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    sign_up(&app, ADA).await;
    let letter = mailbox.letter(ADA, 1).await;
    let head = app.open(&letter.link(), Method::HEAD).await;
    assert_eq!((head.status().as_u16(), head.headers().get("location")), (200, None));
    let mut wrong = letter.link();
    wrong.set_query(Some(&format!("token={}&type=recovery", letter.parameter("token"))));
    assert_eq!(app.follow(&wrong).await.fragment("error_code").as_deref(), Some("otp_expired"));
    assert!(app.follow(&letter.link()).await.fragment("access_token").is_some());
}

#[tokio::test]
async fn a_code_dies_after_ten_tries_on_all_hosts_together() {
    let mailbox = Mailbox::new();
    let one = mailbox.app(&[]).await;
    let two = App::on(one.database.clone(), mailbox.options(&[])).await;
    sign_up(&one, ADA).await;
    let letter = mailbox.letter(ADA, 1).await;
    let wrong = other(&letter.code());
    let tries = (0..10).map(|n| verify(if n % 2 == 0 { &one } else { &two }, "signup", ADA, &wrong));
    for answer in futures::future::join_all(tries).await {
        assert_code(&answer, 403, "otp_expired");
    }
    assert_code(&verify(&two, "signup", ADA, &letter.code()).await, 403, "otp_expired");
    // A new letter has a new code, with tries of its own.
    let resend = json!({ "type": "signup", "email": ADA });
    assert_eq!(one.post(&User::Anon, "/auth/v1/resend", resend).await.text, "{}");
    let second = mailbox.letter(ADA, 2).await;
    assert_eq!(
        two.follow(&letter.link()).await.fragment("error_code").as_deref(),
        Some("otp_expired"),
        "it was replaced"
    );
    assert_eq!(verify(&one, "signup", ADA, &second.code()).await.status, 200);
}

#[tokio::test]
async fn a_code_counts_for_its_account_and_its_purpose_alone() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    member(&app, &mailbox, ADA).await;
    member(&app, &mailbox, EVE).await;
    ask(&app, "/auth/v1/recover", ADA).await;
    ask(&app, "/auth/v1/recover", EVE).await;
    let (ada, eve) = (mailbox.letter(ADA, 2).await, mailbox.letter(EVE, 2).await);
    assert_code(&verify(&app, "recovery", ADA, &eve.code()).await, 403, "otp_expired");
    for kind in ["signup", "invite", "email_change"] {
        assert_code(&verify(&app, kind, ADA, &ada.code()).await, 403, "otp_expired");
    }
    assert_code(&verify(&app, "recovery", "nobody@people.example", &ada.code()).await, 403, "otp_expired");
    let both = json!({ "type": "recovery", "email": EVE, "token_hash": ada.parameter("token") });
    assert_code(&app.post(&User::Anon, "/auth/v1/verify", both).await, 400, "validation_failed");
    assert_code(&verify(&app, "telepathy", ADA, &ada.code()).await, 400, "validation_failed");
    assert_code(&verify(&app, "", ADA, &ada.code()).await, 400, "validation_failed");
    assert_eq!(verify(&app, "recovery", ADA, &ada.code()).await.status, 200);
}

#[tokio::test]
async fn codes_and_links_end_with_their_time() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    member(&app, &mailbox, ADA).await;
    ask(&app, "/auth/v1/recover", ADA).await;
    let letter = mailbox.letter(ADA, 2).await;
    app.database.execute("update auth.users set recovery_sent_at = now() - interval '61 minutes'").await;
    assert_code(&verify(&app, "recovery", ADA, &letter.code()).await, 403, "otp_expired");
    let led = app.follow(&letter.link()).await;
    assert_eq!(led.fragment("error_code").as_deref(), Some("otp_expired"));
    assert_eq!(led.fragment("error_description").as_deref(), Some("Email link is invalid or has expired"));
}

#[tokio::test]
async fn what_a_table_holds_opens_nothing() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    sign_up(&app, ADA).await;
    let letter = mailbox.letter(ADA, 1).await;
    let stored: String = app.database.value("select token_hash from auth.one_time_tokens").await;
    let column: String = app.database.value("select confirmation_token from auth.users").await;
    for token in [stored, column] {
        assert_ne!(token, letter.parameter("token"));
        let body = json!({ "type": "signup", "token_hash": token });
        assert_code(&app.post(&User::Anon, "/auth/v1/verify", body).await, 403, "otp_expired");
    }
}

#[tokio::test]
async fn links_lead_to_allowed_addresses_only() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[("auth_redirect_urls", "https://*.friend.example/welcome")]).await;
    for (asked, leads) in [
        ("https://evil.example/", "https://app.example"),
        ("https://app.example.evil.example/", "https://app.example"),
        ("javascript:alert(1)", "https://app.example"),
        ("//evil.example", "https://app.example"),
        ("https://eu.friend.example/welcome", "https://eu.friend.example/welcome"),
        ("https://app.example/deep?a=b", "https://app.example/deep?a=b"),
    ] {
        let number = mailbox.to(ADA).len() + 1;
        let path = reqwest::Url::parse_with_params("http://x/auth/v1/otp", [("redirect_to", asked)]).unwrap();
        let path = format!("{}?{}", path.path(), path.query().unwrap());
        assert_eq!(app.post(&User::Anon, &path, json!({ "email": ADA })).await.status, 200);
        assert_eq!(mailbox.letter(ADA, number).await.parameter("redirect_to"), leads, "{asked}");
    }
    // Somebody changes the address in the link.
    let letter = mailbox.letter(ADA, 6).await;
    let mut link = letter.link();
    let (token, kind) = (letter.parameter("token"), letter.parameter("type"));
    link.set_query(Some(&format!("token={token}&type={kind}&redirect_to=https://evil.example/")));
    let led = app.follow(&link).await;
    assert_eq!(led.to.host_str(), Some("app.example"));
    led.access_token();
}

#[tokio::test]
async fn a_link_of_an_app_with_codes_ends_in_a_code() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    let verifier = "a-verifier-that-is-long-enough-for-the-rule-of-43";
    let body = json!({ "email": ADA, "code_challenge": verifier, "code_challenge_method": "plain" });
    assert_eq!(app.post(&User::Anon, "/auth/v1/otp", body).await.status, 200);
    let letter = mailbox.letter(ADA, 1).await;
    let token = letter.parameter("token");
    let bare = token.strip_prefix("pkce_").expect("the token of a flow");
    let mut stripped = letter.link();
    stripped.set_query(Some(&format!("token={bare}&type=signup")));
    assert_eq!(app.follow(&stripped).await.fragment("error_code").as_deref(), Some("otp_expired"));

    let led = app.follow(&letter.link()).await;
    assert_eq!(led.fragment("access_token"), None, "{}", led.to);
    let code = led.query("code").unwrap();
    let grant = "/auth/v1/token?grant_type=pkce";
    let session = app.post(&User::Anon, grant, json!({ "auth_code": code, "code_verifier": verifier })).await;
    assert_eq!(session.status, 200, "{}", session.text);
    let again = app.follow(&letter.link()).await;
    assert_eq!(again.query("error_code").as_deref(), Some("otp_expired"), "{}", again.to);
}

#[tokio::test]
async fn a_password_that_was_set_before_the_address_was_proved_goes_with_the_owner_s_first_code() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    // A stranger signs up with the address and hopes that its owner confirms it.
    sign_up(&app, ADA).await;
    mailbox.letter(ADA, 1).await;
    ask(&app, "/auth/v1/otp", ADA).await;
    let session = verify(&app, "email", ADA, &mailbox.letter(ADA, 2).await.code()).await;
    assert_eq!(session.status, 200, "{}", session.text);
    assert_code(&password_grant(&app, ADA, PASSWORD).await, 400, "invalid_credentials");
}

#[tokio::test]
async fn a_change_of_the_password_needs_a_code_where_the_operator_says_so() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[("auth_reauthenticate", "true")]).await;
    let caller = User::Token(member(&app, &mailbox, ADA).await);
    app.database.execute("update auth.sessions set created_at = now() - interval '25 hours'").await;
    let put = |body| app.send(&caller, Method::PUT, "/auth/v1/user", body);
    let new = "another long passphrase";
    assert_code(&put(json!({ "password": new })).await, 400, "reauthentication_needed");
    let head = app.request(&caller, Method::HEAD, "/auth/v1/reauthenticate").send().await.unwrap();
    assert_eq!(head.status(), 200);
    let asked = app.get(&caller, "/auth/v1/reauthenticate").await;
    assert_eq!((asked.status, asked.text.as_str()), (200, "{}"));
    let code = mailbox.letter(ADA, 2).await.code();
    let wrong = put(json!({ "password": new, "nonce": other(&code) })).await;
    assert_code(&wrong, 422, "reauthentication_not_valid");
    assert_code(&verify(&app, "email", ADA, &code).await, 403, "otp_expired");
    assert_eq!(put(json!({ "password": new, "nonce": code })).await.status, 200);
    let again = put(json!({ "password": "a third long passphrase", "nonce": code })).await;
    assert_code(&again, 422, "reauthentication_not_valid");
    assert_eq!(mailbox.to(ADA).len(), 2, "a HEAD request sends no letter");
    assert_eq!(app.get(&User::Nobody, "/auth/v1/reauthenticate").await.status, 401);
}

#[tokio::test]
async fn a_client_that_tries_too_often_has_to_wait() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[("auth_tries_per_5_minutes", "3")]).await;
    for _ in 0..3 {
        assert_code(&verify(&app, "signup", ADA, "123456").await, 403, "otp_expired");
    }
    let refused = verify(&app, "signup", EVE, "123456").await;
    assert_code(&refused, 429, "over_request_rate_limit");
    let link = format!("{}/auth/v1/verify?token=abc&type=signup", app.url).parse().unwrap();
    assert_eq!(app.open(&link, Method::GET).await.status().as_u16(), 429);
}

#[tokio::test]
async fn an_address_that_an_app_stored_in_capitals_gets_codes_that_work() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    member(&app, &mailbox, ADA).await;
    app.database.execute("update auth.users set email = 'Ada@People.example'").await;
    ask(&app, "/auth/v1/otp", ADA).await;
    let letter = mailbox.letter("Ada@People.example", 1).await;
    let session = verify(&app, "email", ADA, &letter.code()).await;
    assert_eq!(session.status, 200, "{}", session.text);
}
