//! Sign-in at a provider that belongs to others, and what others try with it.

use behalf_tests::{App, User};
use serde_json::{Value, json};

use super::oidc::{
    Browser, Oidc, SITE, VERIFIER, WITH_CHALLENGE, add_account, exchange, fragment, hashed, me, query, tampered, user,
    with,
};

const ADA: &str = "ada@people.example";

fn ada() -> Value {
    user("ada", ADA, true)
}

/// Asserts that a sign-in was led back with this error.
fn assert_failed(led: &reqwest::Url, error: &str, code: &str) {
    let (query, fragment) = (query(led), fragment(led));
    assert_eq!(query.get("error").map(String::as_str), Some(error), "{led}");
    assert_eq!(query.get("error_code").map_or("", String::as_str), code, "{led}");
    assert_eq!(fragment.get("error"), query.get("error"), "{led}");
    assert!(!fragment.contains_key("access_token") && !query.contains_key("code"), "{led}");
}

async fn id_token_grant(app: &App, body: Value) -> behalf_tests::Answer {
    app.post(&User::Anon, "/auth/v1/token?grant_type=id_token", body).await
}

async fn count(app: &App, table: &str) -> i64 {
    app.database.value(&format!("select count(*) from auth.{table}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_at_a_provider_and_stays_the_same_user() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    let led = Browser::new().sign_in(&app, &ada(), "&redirect_to=https://app.example/home").await;
    assert!(led.as_str().starts_with("https://app.example/home#"), "{led}");
    let session = fragment(&led);
    assert!(!session["provider_token"].is_empty() && session["token_type"] == "bearer" && session["expires_in"] != "0");
    let first = me(&app, &session["access_token"]).await;
    assert_eq!(first["email"], ADA);
    assert!(first["email_confirmed_at"].is_string());
    assert_eq!(first["app_metadata"]["provider"], "test");
    let about = &first["user_metadata"];
    assert_eq!(
        (&about["full_name"], &about["avatar_url"]),
        (&json!("Ada Lovelace"), &json!("https://p.example/a.png"))
    );
    assert_eq!(
        (&about["sub"], &about["email_verified"], &about["iss"]),
        (&json!("ada"), &json!(true), &json!(oidc.issuer))
    );
    assert_eq!(first["identities"][0]["provider"], "test");
    assert_eq!(first["identities"][0]["id"], "ada");

    // The refresh token works, and another sign-in with another address is the same user's: the provider's id counts.
    let body = json!({ "refresh_token": session["refresh_token"] });
    let renewed = app.post(&User::Anon, "/auth/v1/token?grant_type=refresh_token", body).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    let moved = user("ada", "moved@people.example", false);
    let again = fragment(&Browser::new().sign_in(&app, &moved, "").await);
    let again = me(&app, &again["access_token"]).await;
    assert_eq!((&again["id"], &again["email"]), (&first["id"], &json!(ADA)));
    assert_eq!(again["identities"][0]["identity_data"]["email"], "moved@people.example");
    assert_eq!((count(&app, "users").await, count(&app, "flow_state").await), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_with_other_keys_and_another_way_to_send_the_secret_works_as_well() {
    let oidc = Oidc::start().await;
    let app = oidc.app_with(json!({ "test": oidc.provider("elliptic") }), &[]).await;
    let led = Browser::new().sign_in(&app, &ada(), WITH_CHALLENGE).await;
    let session = exchange(&app, &query(&led)["code"], VERIFIER).await;
    assert_eq!(session.status, 200, "{}", session.text);
    assert_eq!(session.json["user"]["email"], ADA);
    assert!(session.json["provider_token"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_once_and_only_in_the_browser_that_asked() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    let (attacker, victim) = (Browser::new(), Browser::new());

    // Login CSRF: the attacker has the victim's browser end the attacker's sign-in.
    let answer = attacker.answer(&app, &user("eve", "eve@people.example", true), "").await;
    assert_failed(&victim.call_back(&app, &answer).await, "invalid_request", "bad_oauth_state");
    // Even with a sign-in of its own under way there.
    let own = victim.answer(&app, &ada(), "").await;
    assert_failed(&victim.call_back(&app, &answer).await, "invalid_request", "bad_oauth_state");
    let state = query(&answer)["state"].clone();
    let unmarked = with(&answer, "state", Some(state.split('.').next().unwrap()));
    assert_failed(&victim.call_back(&app, &unmarked).await, "invalid_request", "bad_oauth_state");
    // None of it ended what the victim began, nor what the attacker did.
    assert!(fragment(&victim.call_back(&app, &own).await).contains_key("access_token"));
    assert!(fragment(&attacker.call_back(&app, &answer).await).contains_key("access_token"));

    for (browser, answer) in [(&victim, &own), (&attacker, &answer)] {
        assert_failed(&browser.call_back(&app, answer).await, "invalid_request", "bad_oauth_state");
    }
    for state in [None, Some(""), Some("x"), Some("6f9619ff-8b86-d011-b42d-00cf4fc964ff"), Some("' or 1=1 --")] {
        let led = victim.call_back(&app, &with(&own, "state", state)).await;
        assert!(led.as_str().starts_with(SITE) && query(&led)["error"] == "invalid_request", "{led}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_another_sign_in_is_not_exchanged() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    let (attacker, victim) = (Browser::new(), Browser::new());
    // The attacker has got hold of the victim's code, and puts it into a sign-in of his own.
    let stolen = victim.answer(&app, &ada(), "").await;
    let own = attacker.answer(&app, &user("eve", "eve@people.example", true), "").await;
    let injected = with(&own, "code", Some(&query(&stolen)["code"]));
    assert_failed(&attacker.call_back(&app, &injected).await, "server_error", "unexpected_failure");
    assert_eq!(count(&app, "users").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_issuer_is_refused() {
    let (honest, evil) = (Oidc::with_claims_in_tokens().await, Oidc::with_claims_in_tokens().await);
    let providers = json!({ "test": honest.provider("app"), "other": evil.provider("app") });
    let app = honest.app_with(providers, &[]).await;
    let browser = Browser::new();
    let answer = browser.answer(&app, &ada(), "").await;
    let led = browser.call_back(&app, &with(&answer, "iss", Some(&evil.issuer))).await;
    assert_failed(&led, "invalid_request", "bad_oauth_callback");
    // This provider always says who it is; an answer that leaves it out is not its.
    let answer = browser.answer(&app, &ada(), "").await;
    assert_failed(&browser.call_back(&app, &with(&answer, "iss", None)).await, "invalid_request", "bad_oauth_callback");
    // An ID token of one is none of the other, though the app has the same id at both.
    let token = evil.tokens("app", &ada(), None).await["id_token"].clone();
    let refused = id_token_grant(&app, json!({ "provider": "test", "id_token": token })).await;
    assert_eq!(
        (refused.status, refused.json["error_code"].as_str()),
        (400, Some("validation_failed")),
        "{}",
        refused.text
    );
    // The same id at two providers is two users.
    let one = id_token_grant(&app, json!({ "provider": "other", "id_token": token })).await;
    assert_eq!(one.status, 200, "{}", one.text);
    let token = honest.tokens("app", &user("ada", "another@people.example", true), None).await["id_token"].clone();
    let two = id_token_grant(&app, json!({ "provider": "test", "id_token": token })).await;
    assert_eq!(two.status, 200, "{}", two.text);
    assert_ne!(one.json["user"]["id"], two.json["user"]["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_refuses_is_led_back_to_the_app() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    let mut refusing = ada();
    refusing["refuses"] = json!(true);
    let led = Browser::new().sign_in(&app, &refusing, "&redirect_to=https://app.example/in?step=1").await;
    assert!(led.as_str().starts_with("https://app.example/in?"), "{led}");
    assert_failed(&led, "access_denied", "");
    let said = query(&led);
    assert_eq!((said["error_description"].as_str(), said["step"].as_str()), ("the user said no", "1"));
    for (provider, status) in [("unknown", 400), ("email", 400), ("", 400)] {
        let answer = app.get(&User::Nobody, &format!("/auth/v1/authorize?provider={provider}")).await;
        assert_eq!(
            (answer.status, answer.json["error_code"].as_str()),
            (status, Some("validation_failed")),
            "{provider}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unverified_address_takes_over_no_account_and_makes_none() {
    let oidc = Oidc::with_claims_in_tokens().await;
    for autoconfirm in ["false", "true"] {
        let app = oidc.app(&[("auth_autoconfirm", autoconfirm)]).await;
        let victim = add_account(&app, ADA, true).await;
        let led = Browser::new().sign_in(&app, &user("eve", ADA, false), "").await;
        assert_failed(&led, "access_denied", "provider_email_needs_verification");
        let token = oidc.tokens("app", &user("eve", "ADA@people.example", false), None).await;
        let refused = id_token_grant(&app, json!({ "provider": "test", "id_token": token["id_token"] })).await;
        // The token has the address, and is refused because nobody verified it.
        assert_eq!(
            (refused.status, refused.json["error_code"].as_str()),
            (422, Some("provider_email_needs_verification")),
            "{}",
            refused.text
        );
        assert!(refused.json["msg"].as_str().unwrap().starts_with("Unverified email"), "{}", refused.text);
        let kept: String =
            app.database.value(&format!("select encrypted_password from auth.users where id = '{victim}'")).await;
        assert_eq!((kept.as_str(), count(&app, "identities").await), ("planted", 1));
        let stranger = Browser::new().sign_in(&app, &user("new", "new@people.example", false), "").await;
        if autoconfirm == "true" {
            assert!(fragment(&stranger).contains_key("access_token"), "{stranger}");
        } else {
            assert_failed(&stranger, "access_denied", "provider_email_needs_verification");
            assert_eq!(count(&app, "users").await, 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_address_leads_to_the_account_that_has_it() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    let account = add_account(&app, ADA, true).await;
    let session = fragment(&Browser::new().sign_in(&app, &ada(), "").await);
    let me = me(&app, &session["access_token"]).await;
    assert_eq!(me["id"], account);
    assert_eq!(me["app_metadata"]["providers"], json!(["email", "test"]));
    assert_eq!(
        (&me["user_metadata"]["planted"], &me["user_metadata"]["full_name"]),
        (&json!(true), &json!("Ada Lovelace"))
    );
    // Its password still works for its owner, who confirmed the address.
    let kept: String = app.database.value("select encrypted_password from auth.users").await;
    assert_eq!(kept, "planted");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_began_an_account_with_the_address_of_another_loses_it() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    let account = add_account(&app, ADA, false).await;
    app.database
        .execute(&format!(
            "insert into auth.sessions (id, user_id, created_at, updated_at) values (gen_random_uuid(), '{account}', now(), now()); \
             insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to) \
             values (gen_random_uuid(), '{account}', 'recovery_token', 'planted', '{ADA}'); \
             insert into auth.mfa_factors (id, user_id, factor_type, status, secret, created_at, updated_at) \
             values (gen_random_uuid(), '{account}', 'totp', 'verified', 'planted', now(), now())"
        ))
        .await;
    let session = fragment(&Browser::new().sign_in(&app, &ada(), "").await);
    let me = me(&app, &session["access_token"]).await;
    assert_eq!((&me["id"], me["email_confirmed_at"].is_string()), (&json!(account), true));
    assert_eq!(me["app_metadata"]["providers"], json!(["test"]));
    assert!(me["user_metadata"]["planted"].is_null());
    assert_eq!(me["identities"].as_array().unwrap().len(), 1);
    let password: Option<String> = app.database.value("select encrypted_password from auth.users").await;
    assert_eq!(password.unwrap_or_default(), "");
    for (table, rows) in [("sessions", 1), ("one_time_tokens", 0), ("mfa_factors", 0)] {
        assert_eq!(count(&app, table).await, rows, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_sign_up_is_off_only_those_who_have_an_account_sign_in() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[("auth_signup", "false")]).await;
    assert_failed(&Browser::new().sign_in(&app, &ada(), "").await, "access_denied", "signup_disabled");
    let account = add_account(&app, ADA, true).await;
    let session = fragment(&Browser::new().sign_in(&app, &ada(), "").await);
    assert_eq!(me(&app, &session["access_token"]).await["id"], account);
    app.database.execute("update auth.users set banned_until = now() + interval '1 day'").await;
    assert_failed(&Browser::new().sign_in(&app, &ada(), "").await, "access_denied", "user_banned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_in_user_links_an_identity_that_is_nobody_elses() {
    let oidc = Oidc::start().await;
    let off = oidc.app(&[]).await;
    let session = fragment(&Browser::new().sign_in(&off, &ada(), "").await);
    let path = "/auth/v1/user/identities/authorize?provider=test&skip_http_redirect=true";
    let refused = off.get(&User::Token(session["access_token"].clone()), path).await;
    assert_eq!((refused.status, refused.json["error_code"].as_str()), (404, Some("manual_linking_disabled")));

    let app = oidc.app(&[("auth_manual_linking", "true")]).await;
    assert_eq!(app.get(&User::Nobody, path).await.status, 401);
    let session = fragment(&Browser::new().sign_in(&app, &ada(), "").await);
    let ada_token = User::Token(session["access_token"].clone());
    let link = async |id: &str| {
        let mut hint = reqwest::Url::parse("http://x/").unwrap();
        hint.query_pairs_mut().append_pair("login_hint", &user(id, "other@people.example", false).to_string());
        let asked = app.get(&ada_token, &format!("{path}&{}{WITH_CHALLENGE}", hint.query().unwrap())).await;
        assert_eq!(asked.status, 200, "{}", asked.text);
        let browser = Browser::new();
        let answer = browser.walk(asked.json["url"].as_str().unwrap().parse().unwrap()).await;
        browser.call_back(&app, &answer).await
    };
    // Somebody is led to the page of a link that another asked for: without the verifier nothing is linked.
    let led = link("victim").await;
    assert_eq!(
        exchange(&app, &query(&led)["code"], "of the victim's own app").await.json["error_code"],
        "bad_code_verifier"
    );
    assert_eq!((count(&app, "identities").await, count(&app, "behalf_waiting_links").await), (1, 0));

    let led = link("second").await;
    assert_eq!(count(&app, "identities").await, 1);
    let linked = exchange(&app, &query(&led)["code"], VERIFIER).await;
    assert_eq!(linked.status, 200, "{}", linked.text);
    assert_eq!(linked.json["user"]["email"], ADA);
    assert_eq!(linked.json["user"]["identities"].as_array().unwrap().len(), 2);
    assert_failed(&link("second").await, "server_error", "identity_already_exists");
    // Another's identity stays another's.
    let bob = fragment(&Browser::new().sign_in(&app, &user("bob", "bob@people.example", true), "").await);
    assert_failed(&link("bob").await, "server_error", "identity_already_exists");
    assert_eq!(me(&app, &bob["access_token"]).await["identities"].as_array().unwrap().len(), 1);
    // The linked identity signs in as its user.
    let again = fragment(&Browser::new().sign_in(&app, &user("second", "other@people.example", false), "").await);
    assert_eq!(me(&app, &again["access_token"]).await["email"], ADA);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_counts_for_the_app_it_is_for_and_with_the_nonce_it_was_made_with() {
    let oidc = Oidc::start().await;
    let mut provider = oidc.provider("app");
    provider["other_client_ids"] = json!(["elliptic"]);
    let app = oidc.app_with(json!({ "test": provider }), &[]).await;
    // The user exists; ID tokens of this provider hold no address.
    Browser::new().sign_in(&app, &ada(), "").await;
    let tokens = oidc.tokens("app", &ada(), Some(&hashed("of the app"))).await;
    let (id_token, access_token) = (tokens["id_token"].as_str().unwrap(), tokens["access_token"].clone());
    let grant = async |change: &dyn Fn(&mut Value)| {
        let mut body =
            json!({ "provider": "test", "id_token": id_token, "nonce": "of the app", "access_token": access_token });
        change(&mut body);
        id_token_grant(&app, body).await
    };
    let session = grant(&|_| ()).await;
    assert_eq!(session.status, 200, "{}", session.text);
    assert_eq!(session.json["user"]["email"], ADA);
    let by_issuer = |body: &mut Value| {
        body["issuer"] = json!(oidc.issuer);
        body["provider"] = Value::Null;
    };
    assert_eq!(grant(&by_issuer).await.status, 200);
    assert_eq!(grant(&|body| body["access_token"] = Value::Null).await.status, 200);

    let changes: [&dyn Fn(&mut Value); 10] = [
        &|body| body["nonce"] = json!("another"),
        &|body| body["nonce"] = json!(hashed("of the app")),
        &|body| body["nonce"] = Value::Null,
        &|body| body["provider"] = json!("unknown"),
        &|body| body["id_token"] = json!(""),
        &|body| body["id_token"] = json!(tampered(id_token, |_, claims| claims["sub"] = json!("eve"))),
        &|body| body["id_token"] = json!(tampered(id_token, |header, _| header["alg"] = json!("none"))),
        &|body| body["id_token"] = json!(tampered(id_token, |header, _| header["jku"] = json!("https://evil.example"))),
        &|body| body["id_token"] = json!(tampered(id_token, |header, _| header["crit"] = json!(["exp"]))),
        &|body| body["link_identity"] = json!(true),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let refused = grant(change).await;
        let seen = (refused.status, refused.json["error_code"].as_str());
        assert_eq!(seen, (400, Some("validation_failed")), "change {number}: {}", refused.text);
    }
    // Of another app at the same provider, and of one that the operator named.
    for (client, status) in [("other-app", 400), ("elliptic", 200)] {
        let token = oidc.tokens(client, &ada(), None).await["id_token"].clone();
        let answer = id_token_grant(&app, json!({ "provider": "test", "id_token": token })).await;
        assert_eq!(answer.status, status, "{client}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_choose_nothing_that_protects_a_sign_in() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    let more = "&state=mine&nonce=mine&redirect_uri=https://evil.example&client_id=evil&response_mode=query&prompt=login&scope=x\
                &scopes=offline_access,email";
    let page = query(&Browser::new().begin(&app, &ada(), more).await);
    assert!(page["state"] != "mine" && page["nonce"] != "mine" && page["client_id"] == "app");
    assert_eq!(page["redirect_uri"], "http://project.example/auth/v1/callback");
    assert_eq!((page["prompt"].as_str(), page["scope"].as_str()), ("login", "openid email profile offline_access"));
    assert!(
        !page.contains_key("response_mode")
            && !page.contains_key("provider")
            && page["code_challenge_method"] == "S256"
    );
    // A form is taken as well, as Apple's page sends it.
    let answer = Browser::new().answer(&app, &ada(), WITH_CHALLENGE).await;
    let (status, to) = Browser::new().send_form(&app, answer.query().unwrap()).await;
    let to = to.unwrap();
    assert_eq!(status, 302);
    assert_eq!(exchange(&app, &query(&to)["code"], VERIFIER).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_answers_with_one_state_at_once_one_counts() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    let browser = Browser::new();
    for more in ["", WITH_CHALLENGE] {
        let answer = browser.answer(&app, &ada(), more).await;
        let led = futures::future::join_all((0..6).map(|_| browser.call_back(&app, &answer))).await;
        let is_won =
            |led: &&reqwest::Url| query(led).contains_key("code") || fragment(led).contains_key("access_token");
        assert_eq!(led.iter().filter(is_won).count(), 1, "{led:?}");
    }
    assert_eq!((count(&app, "users").await, count(&app, "sessions").await), (1, 1));
}
