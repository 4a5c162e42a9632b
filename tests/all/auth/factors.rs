//! Second factors: codes of authenticator apps.

use std::time::{SystemTime, UNIX_EPOCH};

use behalf_tests::{Answer, App, User};
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Algorithm, Builder, Secret};

use super::people::{Held, assert_refused, host, refresh, sign_in, sign_up, try_refresh};

const ADA: &str = "ada@people.example";
const EVE: &str = "eve@people.example";
/// Seconds for which an app shows a code.
const STEP: u64 = 30;

/// A factor that was enrolled, and the app that has its secret.
struct Authenticator {
    id: String,
    secret: String,
}

impl Authenticator {
    fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self { id: text(&answer.json["id"]), secret: text(&answer.json["totp"]["secret"]) }
    }

    /// The code that it shows so many steps from now. Near the end of a step it waits for the next one, so that the code is still
    /// good when it arrives.
    async fn code(&self, steps: i64) -> String {
        let mut now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        while now % STEP > STEP - 5 {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        }
        let secret = Secret::try_from_base32(&self.secret).unwrap();
        let app =
            Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_step_duration(STEP).with_secret(secret);
        app.build().unwrap().generate(now.checked_add_signed(steps * 30).unwrap()).to_string()
    }
}

async fn try_enroll(app: &App, held: &Held, name: &str) -> Answer {
    app.post(&held.caller(), "/auth/v1/factors", json!({ "factor_type": "totp", "friendly_name": name })).await
}

async fn enroll(app: &App, held: &Held, name: &str) -> Authenticator {
    Authenticator::of(&try_enroll(app, held, name).await)
}

async fn challenge(app: &App, held: &Held, factor: &str) -> String {
    let answer = app.post(&held.caller(), &format!("/auth/v1/factors/{factor}/challenge"), json!({})).await;
    assert_eq!((answer.status, answer.json["type"].as_str()), (200, Some("totp")), "{}", answer.text);
    answer.json["id"].as_str().unwrap().to_owned()
}

async fn try_code(app: &App, held: &Held, factor: &str, code: &str) -> Answer {
    let challenge = challenge(app, held, factor).await;
    answer_challenge(app, held, factor, &challenge, code).await
}

async fn answer_challenge(app: &App, held: &Held, factor: &str, challenge: &str, code: &str) -> Answer {
    let body = json!({ "challenge_id": challenge, "code": code });
    app.post(&held.caller(), &format!("/auth/v1/factors/{factor}/verify"), body).await
}

async fn unenroll(app: &App, held: &Held, factor: &str) -> Answer {
    app.send(&held.caller(), Method::DELETE, &format!("/auth/v1/factors/{factor}"), json!({})).await
}

/// A user with a second factor, and a session that it raised.
async fn raised(app: &App, email: &str) -> (Held, Authenticator) {
    let held = sign_up(app, email).await;
    let factor = enroll(app, &held, "phone").await;
    let answer = try_code(app, &held, &factor.id, &factor.code(0).await).await;
    (Held::of(&answer), factor)
}

/// Forgets which code was the last, so that a test need not wait for the next one.
async fn forget_tries(app: &App) {
    app.database.execute("delete from auth.behalf_factor_tries").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_raises_the_session_and_its_tokens() {
    let app = host(&[]).await;
    let held = sign_up(&app, ADA).await;
    let body = json!({ "factor_type": "totp", "friendly_name": "phone", "issuer": "My App" });
    let enrolled = app.post(&held.caller(), "/auth/v1/factors", body).await;
    let factor = Authenticator::of(&enrolled);
    assert_eq!(
        (enrolled.json["type"].as_str(), enrolled.json["friendly_name"].as_str()),
        (Some("totp"), Some("phone"))
    );
    let totp = &enrolled.json["totp"];
    assert!(totp["qr_code"].as_str().is_some_and(|picture| picture.contains("<svg")), "{}", enrolled.text);
    let uri = totp["uri"].as_str().unwrap();
    assert!(
        uri.starts_with("otpauth://totp/My%20App:ada%40people%2Eexample?") && uri.contains(&factor.secret),
        "{uri}"
    );
    assert_eq!(held.claims()["aal"], "aal1");

    let raised = try_code(&app, &held, &factor.id, &factor.code(0).await).await;
    assert_eq!(raised.json["user"]["factors"][0]["status"], "verified", "{}", raised.text);
    let raised = Held::of(&raised);
    let claims = raised.claims();
    assert_eq!((&claims["aal"], &claims["session_id"]), (&json!("aal2"), &held.claims()["session_id"]));
    let methods: Vec<_> = claims["amr"].as_array().unwrap().iter().map(|one| one["method"].clone()).collect();
    assert!(methods.contains(&json!("totp")) && methods.contains(&json!("password")), "{claims}");
    assert!(!raised.access.contains(&factor.secret));

    let refreshed = refresh(&app, &raised).await;
    assert_eq!(refreshed.claims()["aal"], "aal2");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_no_second_factor_raised_end() {
    let app = host(&[]).await;
    let first = sign_up(&app, ADA).await;
    let second = sign_in(&app, ADA).await;
    let other = sign_up(&app, EVE).await;
    let factor = enroll(&app, &first, "phone").await;
    let raised = Held::of(&try_code(&app, &first, &factor.id, &factor.code(0).await).await);
    behalf_tests::eventually("the other session is refused", async || {
        app.get(&second.caller(), "/auth/v1/user").await.status == 403
    })
    .await;
    assert!(try_refresh(&app, &second.refresh).await.status >= 400);
    assert_eq!(app.get(&raised.caller(), "/auth/v1/user").await.status, 200);
    assert_eq!(app.get(&other.caller(), "/auth/v1/user").await.status, 200, "nobody else's");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refresh_token_from_before_raises_nothing() {
    let app = host(&[]).await;
    let held = sign_up(&app, ADA).await;
    let factor = enroll(&app, &held, "phone").await;
    Held::of(&try_code(&app, &held, &factor.id, &factor.code(0).await).await);
    let stolen = try_refresh(&app, &held.refresh).await;
    assert!(stolen.status >= 400 || Held::of(&stolen).claims()["aal"] == "aal1", "{}", stolen.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_lost_the_answer_to_its_code_goes_on_at_the_first_level() {
    let app = host(&[]).await;
    let held = sign_up(&app, ADA).await;
    let factor = enroll(&app, &held, "phone").await;
    let lost = Held::of(&try_code(&app, &held, &factor.id, &factor.code(0).await).await);
    app.database.execute("update auth.refresh_tokens set updated_at = updated_at - interval '11 seconds'").await;
    let low = refresh(&app, &held).await;
    let claims = low.claims();
    assert_eq!((&claims["aal"], &claims["session_id"]), (&json!("aal1"), &held.claims()["session_id"]));
    assert!(claims["amr"].as_array().unwrap().iter().all(|one| one["method"] != "totp"), "{claims}");
    assert_eq!(refresh(&app, &low).await.claims()["aal"], "aal1");
    // If somebody has the answer after all, they are two.
    assert_refused(&try_refresh(&app, &lost.refresh).await, 400, "refresh_token_already_used");
    assert_refused(&try_refresh(&app, &low.refresh).await, 400, "refresh_token_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_with_the_tokens_of_its_second_factor() {
    let app = host(&[]).await;
    let (raised, _) = raised(&app, ADA).await;
    let next = refresh(&app, &raised).await;
    app.database.execute("update auth.refresh_tokens set updated_at = updated_at - interval '11 seconds'").await;
    // The answer of the refresh was lost; the level was not.
    let again = refresh(&app, &raised).await;
    assert_ne!(again.refresh, next.refresh);
    assert_eq!(refresh(&app, &again).await.claims()["aal"], "aal2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_and_a_challenge_are_used_once() {
    let app = host(&[]).await;
    let held = sign_up(&app, ADA).await;
    let factor = enroll(&app, &held, "phone").await;
    let met = challenge(&app, &held, &factor.id).await;
    let code = factor.code(0).await;
    let raised = Held::of(&answer_challenge(&app, &held, &factor.id, &met, &code).await);

    let replayed = try_code(&app, &raised, &factor.id, &code).await;
    assert_refused(&replayed, 422, "mfa_verification_failed");
    let earlier = try_code(&app, &raised, &factor.id, &factor.code(-1).await).await;
    assert_refused(&earlier, 422, "mfa_verification_failed");
    let again = answer_challenge(&app, &raised, &factor.id, &met, &factor.code(1).await).await;
    assert_refused(&again, 422, "mfa_ip_address_mismatch");
    let next = try_code(&app, &raised, &factor.id, &factor.code(1).await).await;
    assert_eq!(next.status, 200, "one step early is early enough: {}", next.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_with_one_code_one_is_taken() {
    let app = host(&[]).await;
    let (held, factor) = raised(&app, ADA).await;
    forget_tries(&app).await;
    let code = factor.code(0).await;
    let challenges = futures::future::join_all((0..4).map(|_| challenge(&app, &held, &factor.id))).await;
    let answers = challenges.iter().map(|one| answer_challenge(&app, &held, &factor.id, one, &code));
    let answers = futures::future::join_all(answers).await;
    let taken: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(taken.len(), 1, "{:?}", answers.iter().map(|answer| &answer.text).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_cost_ever_more_time() {
    let app = host(&[]).await;
    let held = sign_up(&app, ADA).await;
    let factor = enroll(&app, &held, "phone").await;
    let right = factor.code(0).await;
    let wrong = format!("{:06}", (right.parse::<u32>().unwrap() + 1) % 1_000_000);
    for _ in 0..5 {
        assert_refused(&try_code(&app, &held, &factor.id, &wrong).await, 422, "mfa_verification_failed");
    }
    let paused = try_code(&app, &held, &factor.id, &factor.code(0).await).await;
    assert_refused(&paused, 429, "over_request_rate_limit");
    app.database.execute("update auth.behalf_factor_tries set failed_at = now() - interval '31 seconds'").await;
    let later = try_code(&app, &held, &factor.id, &factor.code(0).await).await;
    assert_eq!(later.status, 200, "{}", later.text);
    let failures = "select failures from auth.behalf_factor_tries";
    assert_eq!(app.database.value::<i32>(failures).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_ends_after_five_minutes_and_belongs_to_its_factor() {
    let app = host(&[]).await;
    let (held, factor) = raised(&app, ADA).await;
    let old = challenge(&app, &held, &factor.id).await;
    app.database.execute("update auth.mfa_challenges set created_at = now() - interval '301 seconds'").await;
    let late = answer_challenge(&app, &held, &factor.id, &old, &factor.code(1).await).await;
    assert_refused(&late, 422, "mfa_challenge_expired");
    let other = enroll(&app, &held, "second phone").await;
    let foreign = challenge(&app, &held, &other.id).await;
    let mixed = answer_challenge(&app, &held, &factor.id, &foreign, &factor.code(1).await).await;
    assert_refused(&mixed, 422, "mfa_factor_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_factor_is_unenrolled_at_the_second_level_only() {
    let app = host(&[]).await;
    let (raised, factor) = raised(&app, ADA).await;
    let low = sign_in(&app, ADA).await;
    assert_eq!(low.claims()["aal"], "aal1");
    assert_refused(&unenroll(&app, &low, &factor.id).await, 422, "insufficient_aal");
    assert_refused(&try_enroll(&app, &low, "of a thief").await, 403, "insufficient_aal");
    let gone = unenroll(&app, &raised, &factor.id).await;
    assert_eq!((gone.status, gone.json["id"].as_str()), (200, Some(factor.id.as_str())), "{}", gone.text);
    assert_eq!(refresh(&app, &raised).await.claims()["aal"], "aal1", "nothing holds the session up any more");
    // What the token still says does not count.
    let again = enroll(&app, &raised, "phone").await;
    assert_eq!(unenroll(&app, &raised, &again.id).await.status, 200, "one that was never verified goes at any level");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_the_factors_of_another() {
    let app = host(&[]).await;
    let (_, factor) = raised(&app, ADA).await;
    let eve = sign_up(&app, EVE).await;
    for path in ["challenge", "verify"] {
        let body = json!({ "challenge_id": factor.id, "code": "123456" });
        let answer = app.post(&eve.caller(), &format!("/auth/v1/factors/{}/{path}", factor.id), body).await;
        assert_refused(&answer, 404, "mfa_factor_not_found");
    }
    assert_refused(&unenroll(&app, &eve, &factor.id).await, 404, "mfa_factor_not_found");
    assert_refused(&unenroll(&app, &eve, "not-an-id").await, 404, "validation_failed");
    let keys = app.post(&User::Service, "/auth/v1/factors", json!({ "factor_type": "totp" })).await;
    assert_eq!(keys.status, 403, "{}", keys.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_so_many_factors_with_names_of_their_own() {
    let app = host(&[("auth_max_factors", "2"), ("auth_anonymous", "true")]).await;
    let held = sign_up(&app, ADA).await;
    enroll(&app, &held, "phone").await;
    assert_refused(&try_enroll(&app, &held, "phone").await, 422, "mfa_factor_name_conflict");
    enroll(&app, &held, "key").await;
    assert_refused(&try_enroll(&app, &held, "third").await, 422, "too_many_enrolled_mfa_factors");
    for (kind, code, status) in [
        ("phone", "mfa_phone_enroll_not_enabled", 422),
        ("webauthn", "mfa_webauthn_enroll_not_enabled", 422),
        ("", "validation_failed", 400),
        ("TOTP", "validation_failed", 400),
    ] {
        let body = json!({ "factor_type": kind, "phone": "491701234567" });
        assert_refused(&app.post(&held.caller(), "/auth/v1/factors", body).await, status, code);
    }
    let nobody = Held::of(&app.post(&User::Anon, "/auth/v1/signup", json!({ "data": {} })).await);
    assert_refused(&try_enroll(&app, &nobody, "phone").await, 403, "no_authorization");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_sealed_where_the_host_has_a_key() {
    let app = host(&[("secrets_key", &"ab".repeat(32))]).await;
    let (_, factor) = raised(&app, ADA).await;
    let stored: String = app.database.value("select secret from auth.mfa_factors").await;
    assert!(stored.starts_with("sealed:") && !stored.contains(&factor.secret), "{stored}");
    let plain = host(&[]).await;
    let (_, factor) = raised(&plain, ADA).await;
    assert_eq!(plain.database.value::<String>("select secret from auth.mfa_factors").await, factor.secret);
}
