//! Flows with a challenge end with its verifier, once, and in no other way.

use behalf_tests::{App, User};
use serde_json::{Value, json};

use super::oidc::{Browser, CHALLENGE, Oidc, VERIFIER, WITH_CHALLENGE, exchange, fragment, query, user};

fn ada() -> Value {
    user("ada", "ada@people.example", true)
}

/// A code at the end of a sign-in.
async fn code(app: &App) -> String {
    let led = Browser::new().sign_in(app, &ada(), WITH_CHALLENGE).await;
    assert!(!fragment(&led).contains_key("access_token"), "{led}");
    query(&led)["code"].clone()
}

fn assert_refused(answer: &behalf_tests::Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.json["error_code"].as_str()), (status, Some(code)), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_works_once_and_with_its_verifier() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    let first = code(&app).await;
    // The table does not tell codes.
    let kept: String = app.database.value("select auth_code from auth.flow_state").await;
    assert_ne!(kept, first);
    let session = exchange(&app, &first, VERIFIER).await;
    assert_eq!(session.status, 200, "{}", session.text);
    assert_eq!(session.json["user"]["email"], "ada@people.example");
    assert!(session.json["provider_token"].is_string());
    assert_refused(&exchange(&app, &first, VERIFIER).await, 404, "flow_state_not_found");
    let rows: i64 = app.database.value("select count(*) from auth.flow_state").await;
    assert_eq!(rows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_exchange_a_code_at_once_one_gets_a_session() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    let code = code(&app).await;
    let answers = futures::future::join_all((0..8).map(|_| exchange(&app, &code, VERIFIER))).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((won, answers.iter().filter(|answer| answer.status == 404).count()), (1, 7));
    let sessions: i64 = app.database.value("select count(*) from auth.sessions").await;
    assert_eq!(sessions, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_verifier_ends_the_flow() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    // Whoever intercepts a code may have seen the challenge, which is no secret.
    for wrong in ["wrong", CHALLENGE, &VERIFIER.to_uppercase()] {
        let code = code(&app).await;
        assert_refused(&exchange(&app, &code, wrong).await, 400, "bad_code_verifier");
        assert_refused(&exchange(&app, &code, VERIFIER).await, 404, "flow_state_not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_verifier_there_is_no_session() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    let code = code(&app).await;
    let path = "/auth/v1/token?grant_type=pkce";
    for body in [
        json!({ "auth_code": code }),
        json!({ "auth_code": code, "code_verifier": "" }),
        json!({ "auth_code": code, "code_verifier": null }),
        json!({ "auth_code": code, "code_verifier": [VERIFIER] }),
        json!({ "code_verifier": VERIFIER }),
        json!({}),
    ] {
        assert_refused(&app.post(&User::Anon, path, body).await, 400, "validation_failed");
    }
    for other in ["no-uuid", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "' or 1=1 --"] {
        assert_refused(&exchange(&app, other, VERIFIER).await, 404, "flow_state_not_found");
    }
    // None of that ended the flow.
    assert_eq!(exchange(&app, &code, VERIFIER).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_valid_for_five_minutes() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    let late = code(&app).await;
    app.database
        .execute("update auth.flow_state set auth_code_issued_at = now() - interval '5 minutes 1 second'")
        .await;
    assert_refused(&exchange(&app, &late, VERIFIER).await, 422, "flow_state_expired");
    let in_time = code(&app).await;
    app.database.execute("update auth.flow_state set auth_code_issued_at = now() - interval '4 minutes'").await;
    assert_eq!(exchange(&app, &in_time, VERIFIER).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_cannot_be_made_a_weaker_one() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    // Half a challenge is refused, and does not begin a flow without one.
    for more in [
        format!("code_challenge={CHALLENGE}"),
        format!("code_challenge={CHALLENGE}&code_challenge_method="),
        "code_challenge_method=s256".to_owned(),
        format!("code_challenge={CHALLENGE}&code_challenge_method=none"),
        "code_challenge=short&code_challenge_method=plain".to_owned(),
        format!("code_challenge={}&code_challenge_method=s256", "a".repeat(129)),
        format!("code_challenge={CHALLENGE}%3D&code_challenge_method=s256"),
    ] {
        let answer = app.get(&User::Nobody, &format!("/auth/v1/authorize?provider=test&{more}")).await;
        assert_refused(&answer, 400, "validation_failed");
    }
    // The answer of the provider ends a flow with a code, whatever it says of a challenge.
    let browser = Browser::new();
    let answer = browser.answer(&app, &ada(), WITH_CHALLENGE).await;
    let changed = format!("{answer}&code_challenge=&code_challenge_method=plain&response_type=token");
    let led = browser.call_back(&app, &changed.parse().unwrap()).await;
    assert!(query(&led).contains_key("code") && !fragment(&led).contains_key("access_token"), "{led}");
    // A plain challenge is its verifier; one of the other kind is not.
    let plain = format!("&code_challenge={VERIFIER}&code_challenge_method=plain");
    let led = Browser::new().sign_in(&app, &ada(), &plain).await;
    assert_eq!(exchange(&app, &query(&led)["code"], VERIFIER).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_leads_to_another_browser_is_worth_nothing_there() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    // The attacker's answer of the provider, opened in the victim's browser: the app there has no verifier of that flow.
    let answer = Browser::new().answer(&app, &user("eve", "eve@people.example", true), WITH_CHALLENGE).await;
    let led = Browser::new().call_back(&app, &answer).await;
    // The answer is used up.
    let again = Browser::new().call_back(&app, &answer).await;
    assert_eq!(query(&again)["error_code"], "flow_state_already_used");
    let other = "another-verifier-of-the-victims-own-app-0123456789";
    assert_refused(&exchange(&app, &query(&led)["code"], other).await, 400, "bad_code_verifier");
}
