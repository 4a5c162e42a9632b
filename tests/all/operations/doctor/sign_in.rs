//! What `behalf doctor` says of sign-in, and when `behalf serve` refuses to start.

use behalf_tests::projects::behalf_with;
use behalf_tests::{SECRET, TestDatabase};
use serde_json::Value;

type Settings = &'static [(&'static str, &'static str)];

/// What the command says of these checks: level, what was found, and how to fix it.
async fn said(database: &TestDatabase, more: Settings) -> Vec<(String, String, String)> {
    let printed = behalf_with(&settings(database, more), &["doctor", "--json"]).await;
    let findings: Vec<Value> =
        serde_json::from_str(&printed.out).unwrap_or_else(|error| panic!("{error}: {}{}", printed.out, printed.err));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |finding: &Value| {
        (
            format!("{} {}", text(&finding["check"]), text(&finding["level"])),
            text(&finding["found"]),
            text(&finding["fix"]),
        )
    };
    findings.iter().map(one).collect()
}

fn settings(database: &TestDatabase, more: Settings) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("host_database_url", database.host_url()),
        ("tool_database_url", database.tool_url()),
        ("jwt_secret", SECRET.to_owned()),
        ("bind", "127.0.0.1:0".to_owned()),
    ];
    settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lets_strangers_in_or_keeps_users_out_is_said() {
    const GOOD: Settings = &[
        ("smtp_url", "smtps://mail.example"),
        ("smtp_from", "App <no-reply@app.example>"),
        ("auth_site_url", "https://app.example"),
        ("auth_redirect_urls", "https://*.app.example/**"),
    ];
    let database = TestDatabase::create().await;
    let found = said(&database, GOOD).await;
    for check in ["sign-up ok", "passwords ok", "site-url ok", "redirect-addresses ok"] {
        assert!(found.iter().any(|(said, ..)| said == check), "{check}: {found:#?}");
    }
    assert!(!found.iter().any(|(said, ..)| said.starts_with("token-hook")), "none is set");
    let cases: [(Settings, &str, &str, &str); 8] = [
        (&[("auth_autoconfirm", "true")], "sign-up warning", "belongs to somebody else", "BEHALF_AUTH_AUTOCONFIRM"),
        (&[], "sign-up warning", "nobody who signs up can sign in", "BEHALF_SMTP_URL"),
        (&[("auth_password_common", "true")], "passwords warning", "password123", "BEHALF_AUTH_PASSWORD_COMMON"),
        (&[], "site-url warning", "lead to this host", "BEHALF_AUTH_SITE_URL"),
        (&[("auth_redirect_urls", "https://*.example")], "redirect-addresses warning", "strangers", "whole host names"),
        (
            &[("auth_redirect_urls", "https://app.example/**,**")],
            "redirect-addresses error",
            "** fits every host",
            "whole host names",
        ),
        (&[("auth", "off")], "sign-in ok", "switched off", ""),
        (&[("auth", "https://auth.example/auth/v1")], "sign-in ok", "https://auth.example", ""),
    ];
    for (more, check, found_part, fix_part) in cases {
        let found = said(&database, more).await;
        let is_so =
            |one: &(String, String, String)| one.0 == check && one.1.contains(found_part) && one.2.contains(fix_part);
        assert!(found.iter().any(is_so), "{more:?} {check}: {found:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_cannot_be_called_is_said_with_what_makes_it_callable() {
    let database = TestDatabase::create().await;
    let of_hook = async || {
        let found = said(&database, &[("auth_token_hook", "app.hook")]).await;
        found.into_iter().find(|(check, ..)| check.starts_with("token-hook")).expect("the check was made")
    };
    let missing = of_hook().await;
    assert!(missing.0 == "token-hook warning" && missing.1.contains("no function app.hook(jsonb)"), "{missing:?}");
    // One of another form is none.
    database
        .execute(
            "create schema app;
             create function app.hook(event json) returns json language sql return event;
             create procedure app.hook(event jsonb, more int) language sql as 'select 1'",
        )
        .await;
    assert!(of_hook().await.1.contains("no function"));
    database
        .execute(
            "create function app.hook(event jsonb) returns jsonb language sql return event;
             revoke execute on function app.hook(jsonb) from public",
        )
        .await;
    // Each statement that it says brings it further.
    for what in ["use the schema app", "execute app.hook(jsonb)"] {
        let (check, found, fix) = of_hook().await;
        assert!(check == "token-hook warning" && found.contains(what), "{check} {found}");
        database.execute(&fix).await;
    }
    let fine = of_hook().await;
    assert_eq!((fine.0.as_str(), fine.1.as_str()), ("token-hook ok", "app.hook changes claims"));
    let odd = said(&database, &[("auth_token_hook", "not a name")]).await;
    assert!(odd.iter().any(|(check, ..)| check == "token-hook error"), "{odd:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_starts_says_the_same_and_does_not_start_where_links_could_lead_anywhere() {
    let database = TestDatabase::create().await;
    let state = tempfile::tempdir().unwrap();
    let mut refused = settings(&database, &[("auth_redirect_urls", "https://**"), ("auth_token_hook", "app.hook")]);
    refused.push(("state_dir", state.path().display().to_string()));
    let printed = behalf_with(&refused, &["serve"]).await;
    let said = format!("{}{}", printed.out, printed.err);
    assert!(!printed.ok && printed.err.contains("redirect-addresses"), "{said}");
    assert!(said.contains("no function app.hook(jsonb)") && said.contains("BEHALF_AUTH_TOKEN_HOOK"), "{said}");
}
