//! Where sign-ins may lead: nowhere that the operator did not allow.

use behalf_tests::App;
use reqwest::Url;

use super::oidc::{Browser, Oidc, SITE, query, user, with};

/// Where a sign-in with this `redirect_to` ends, as the provider's refusal is led back.
async fn end_of(app: &App, redirect_to: &str) -> Url {
    let browser = Browser::new();
    let mut asked = Url::parse("http://x/").unwrap();
    asked.query_pairs_mut().append_pair("redirect_to", redirect_to);
    let page =
        browser.begin(app, &user("ada", "ada@people.example", true), &format!("&{}", asked.query().unwrap())).await;
    let answer = Url::parse("http://project.example/auth/v1/callback").unwrap();
    let state = query(&page)["state"].clone();
    let issuer = format!("{}://{}:{}", page.scheme(), page.host_str().unwrap(), page.port().unwrap());
    let answer =
        with(&with(&with(&answer, "state", Some(&state)), "error", Some("access_denied")), "iss", Some(&issuer));
    browser.call_back(app, &answer).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_leads_where_the_operator_allows_it() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    for fine in [
        "https://app.example/",
        "https://app.example/deep/page?next=%2Fa",
        "https://one.preview.example/a/b",
        "myapp://callback",
    ] {
        let led = end_of(&app, fine).await;
        assert!(led.as_str().starts_with(fine) && query(&led)["error"] == "access_denied", "{fine} leads to {led}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_leads_nowhere_else() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    for asked in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "https:evil.example",
        "https://app.example@evil.example/",
        "https://app.example:x@evil.example/",
        "https://app.example\\@evil.example/",
        "https://app.example.evil.example/",
        "https://evil.example/https://app.example/",
        "https://evil.example?x=.preview.example/",
        "https://evil.example#.preview.example/",
        "https://a.b.preview.example/",
        "https://preview.example/",
        "http://app.example/",
        "https://app.example:8443/",
        "https://xn--app-example.evil/",
        "https://app。example.evil/",
        "https://one.preview.example/../../x\u{0}",
        "https://one.preview.example/a/../b",
        "https://app.example/%2e%2e/x",
        "http://2130706433/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "javascript:alert(1)",
        "data:text/html,x",
        "myapp://callback.evil",
        "otherapp://callback",
        "https://app.example/\r\nset-cookie: a=b",
        " https://app.example/",
    ] {
        let led = end_of(&app, asked).await;
        let at = format!("{}://{}{}", led.scheme(), led.host_str().unwrap_or_default(), led.path());
        assert!(at == format!("{SITE}/") && led.port().is_none(), "{asked:?} leads to {led}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_attacker_puts_into_an_allowed_address_is_replaced() {
    let oidc = Oidc::start().await;
    let app = oidc.app(&[]).await;
    let led = end_of(&app, "https://app.example/cb?error=none&code=planted&keep=1#access_token=planted").await;
    let said = query(&led);
    assert_eq!((said["error"].as_str(), said["keep"].as_str()), ("access_denied", "1"));
    assert!(!led.fragment().unwrap().contains("planted"), "{led}");
}
