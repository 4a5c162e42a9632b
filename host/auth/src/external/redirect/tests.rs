//! Where links may lead, and what others try to make of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;

pub(in crate::external) fn options(site: &str, patterns: &[&str]) -> AuthOptions {
    AuthOptions {
        public_url: "https://project.example.net".to_owned(),
        site_url: site.to_owned(),
        redirect_urls: patterns.iter().map(|&pattern| pattern.to_owned()).collect(),
        issuer: String::new(),
        audience: String::new(),
        token_lifetime: Duration::ZERO,
        sign_up: true,
        anonymous: false,
        auto_confirm: false,
        confirm_both_addresses: true,
        manual_linking: false,
        password_min_length: 6,
        password_classes: Vec::new(),
        common_passwords: false,
        password_change_needs_reauthentication: false,
        code_lifetime: Duration::ZERO,
        code_digits: 6,
        letter_pause: Duration::ZERO,
        letters_per_hour: 0,
        letters_per_client: 0,
        refreshes_per_5_minutes: 0,
        tries_per_5_minutes: 0,
        refresh_reuse: Duration::ZERO,
        session_lifetime: None,
        session_idle: None,
        token_hook: None,
        max_factors: 0,
        providers: BTreeMap::new(),
    }
}

#[test]
fn the_apps_own_host_is_allowed_and_no_other() {
    for (site, asked, fine) in [
        ("https://example.com", "https://example.com/path", true),
        ("https://example.com", "https://EXAMPLE.com/path#x", true),
        ("https://example.com", "https://example.com:443/path", true),
        ("https://example.com", "http://example.com/path", false),
        ("http://example.com", "https://example.com/path", false),
        ("https://example.com", "https://example.com:8443/path", false),
        ("https://example.com:9000", "https://example.com:9000/path", true),
        ("https://example.com:9000", "https://example.com/path", false),
        ("https://example.com:9000", "https://example.com:9001/path", false),
        ("http://localhost:3000", "http://localhost:8080/callback", true),
        ("http://127.0.0.1:3000", "http://127.0.0.1:8080/callback", true),
        ("http://[::1]:3000", "http://[::1]:8080/callback", true),
        ("https://localhost:3000", "http://localhost:8080/callback", false),
        ("http://localhost:3000", "http://127.0.0.1:3000/callback", false),
        ("myapp://callback", "myapp://callback/deeper", true),
        ("myapp://callback", "myapp://other", false),
        ("https://example.com", "myapp://example.com", false),
    ] {
        let options = options(site, &[]);
        let led = allowed(&options, Some(asked));
        assert_eq!(led == asked, fine, "{asked} for {site} leads to {led}");
    }
    let options = options("https://example.com", &[]);
    assert_eq!(allowed(&options, None), "https://example.com");
    assert_eq!(allowed(&options, Some("")), "https://example.com");
}

#[test]
fn patterns_allow_what_they_say() {
    let list = [
        "http://localhost:8000/*",
        "http://**:12345/*",
        "https://*.example.org/**",
        "myapp://callback",
        "com.example.app://**",
        "exp+my.app:/auth",
        "https://exact.example.org/cb?next=a",
    ];
    let options = options("https://example.com", &list);
    for fine in [
        "http://localhost:8000/path",
        "http://localhost:8000/path?param=1",
        "http://localhost:8000/path#fragment/with/separators",
        "http://127.0.0.1:12345/path",
        "http://[0:0:0:0:0:0:0:1]:12345/path",
        "https://a.example.org/x/y?next=https://b.example",
        "https://A.example.org/",
        "myapp://callback",
        "com.example.app://login-callback/",
        "exp+my.app:/auth",
        "https://exact.example.org/cb?next=a",
        "https://a.example.org/%C3%A4/ä",
    ] {
        let wanted = if fine.contains("//A.") { "https://example.com" } else { fine };
        // Patterns are texts: a host in capitals matches none that is written small.
        let led = allowed(&options, Some(fine));
        assert!(led == wanted || fine.contains("//A."), "{fine} leads to {led}");
    }
}

/// Addresses that no list of the test allows, though parts of them look as if.
const ATTACKS: &[&str] = &[
    "",
    "/relative",
    "//evil.example/x",
    "evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https://evil.example",
    "https://evil.example/.example.org/",
    "https://evil.example?.example.org/",
    "https://evil.example#.example.org/",
    "https://evil.example\\.example.org/",
    "https:\\\\evil.example/.example.org/",
    "https://a.example.org\\@evil.example/",
    "https://a.example.org@evil.example/",
    "https://a.example.org:x@evil.example/",
    "https://a.example.org:443@evil.example/",
    "https://@a.example.org/",
    "https://a.example.org%40evil.example/",
    "https://a.example.org%2f@evil.example/",
    "https://evil.example%2f.example.org/",
    "https://evil.example%5c.example.org/",
    "https://evil.example%00.example.org/",
    "https://evil.example\u{0}.example.org/",
    "https://a.example.org\u{2f}..\u{2f}x",
    "https://evil\u{3002}example\u{2044}.example.org/",
    "https://evil.example\u{ff0f}.example.org/",
    "https://evil.example／.example.org/",
    "https://evil。example/.example.org/",
    "https://b\u{fc}cher.example.org/",
    " https://a.example.org/",
    "https://a.example.org/ ",
    "https://a.exam\tple.org/",
    "https://a.example.org/\r\nLocation: https://evil.example",
    "https://a.example.org/\u{202e}x",
    "https://a.\u{200b}example.org/",
    "https://a_b.example.org/",
    "https://-a.example.org/",
    "https://example.org/allowed/../other",
    "https://example.org/allowed/%2e%2e/other",
    "https://example.org/allowed/.%2E/other",
    "https://example.org/allowed/./x",
    "https://example.org/allowed/..",
    "https://example.org/allowed/..\\other",
    "http://2130706433:12345/path",
    "http://0x7f.1:12345/path",
    "http://0177.0.0.1:12345/path",
    "http://127.1:12345/path",
    "http://10.0.0.1:12345/path",
    "http://123.123.123.123?localhost:12345/path",
    "http://[65e7:9410:d8b6:e227:58cd:e55b:8fc0:206d]:12345/path",
    "http://[::ffff:10.0.0.1]:12345/path",
    "http://123?.localhost:8000/path",
    "http://evil.example:12345@x:12345/path",
    "http://localhost:8000",
    "http://localhost:8000/a/b",
    "http://localhost:3000/",
    "http://localhost:08000/path",
    "http://localhost:8000x/path",
    "javascript:alert(1)",
    "JavaScript:alert(1)//https://a.example.org/",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://a.example.org/x",
    "view-source:https://a.example.org/",
    "myapp://callback@evil",
    "myapp://callback/other",
    "myapp://callback.evil",
    "myapp2://callback",
    "MYAPP:callback",
    "intent://callback#Intent;scheme=https;end",
];

#[test]
fn attacks_lead_to_the_app() {
    let list = [
        "http://localhost:8000/*",
        "http://*.localhost:8000/*",
        "http://**:12345/*",
        "https://**.example.org/**",
        "https://example.org/allowed/**",
        "myapp://callback",
    ];
    let options = options("https://example.com/home", &list);
    for asked in ATTACKS {
        assert_eq!(allowed(&options, Some(asked)), "https://example.com/home", "{asked:?}");
    }
    // Even where the operator allows everything.
    let open = self::options("https://example.com/home", &["**"]);
    for asked in
        ["javascript:alert(1)", "data:text/html,x", "https://a@evil.example/", "file:///x", "/x", "https://10.0.0.1/"]
    {
        assert_eq!(allowed(&open, Some(asked)), "https://example.com/home", "{asked:?}");
    }
    assert_eq!(allowed(&open, Some(&format!("https://a.example/{}", "a".repeat(3_000)))), "https://example.com/home");
}

#[test]
fn the_page_that_asks_is_led_back_to() {
    let options = options("https://example.com", &["https://app.example.org/**"]);
    let mut headers = HeaderMap::new();
    let page = "https://app.example.org/page";
    headers.insert(REFERER, http::HeaderValue::from_static("https://app.example.org/page"));
    assert_eq!(of_request(&options, &headers, None), page);
    assert_eq!(of_request(&options, &headers, Some("https://evil.example/")), page);
    assert_eq!(of_request(&options, &headers, Some("https://app.example.org/x")), "https://app.example.org/x");
    headers.insert(REFERER, http::HeaderValue::from_static("https://evil.example/"));
    assert_eq!(of_request(&options, &headers, None), "https://example.com");
}

#[test]
fn patterns_that_lead_anywhere_are_known() {
    for open in ["**", "https://**", "http*://**", "https://*.*/**", "*://**/**"] {
        assert!(leads_anywhere(open), "{open}");
    }
    for fine in ["https://*.example.com/**", "https://**.example.com/**", "http://localhost:*/**", "myapp://**"] {
        assert!(!leads_anywhere(fine), "{fine}");
    }
}
