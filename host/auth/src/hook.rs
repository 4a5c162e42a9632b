//! The function of the app that may change the claims of access tokens, as GoTrue's hook for custom access tokens.

use behalf_host_db::AuthTx;
use behalf_problem::LogText as _;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::error::AuthError;

type Fits = fn(&Value) -> bool;

/// Claims that a token needs, and what each has to be.
const REQUIRED: [(&str, Fits); 10] = [
    ("aud", |claim| claim.is_string() || claim.is_array()),
    ("exp", Value::is_i64),
    ("iat", Value::is_i64),
    ("sub", Value::is_string),
    ("email", Value::is_string),
    ("phone", Value::is_string),
    ("role", Value::is_string),
    ("aal", Value::is_string),
    ("session_id", Value::is_string),
    ("is_anonymous", Value::is_boolean),
];

/// Claims of which a hook may not make others: they say who the user is, in which session, and how they proved it.
const KEPT: [&str; 7] = ["iss", "aud", "sub", "iat", "aal", "session_id", "is_anonymous"];

/// Asks `function` for the claims of a token. It runs in the transaction of the sign-in, for two seconds at most.
pub(crate) async fn change_claims(
    tx: &mut AuthTx,
    function: &str,
    user: Uuid,
    claims: &Value,
    method: &str,
) -> Result<Value, AuthError> {
    let event = json!({ "user_id": user, "claims": claims, "authentication_method": method });
    sqlx::query("set local statement_timeout = '2s'").execute(&mut **tx).await?;
    let answer: Option<Value> = sqlx::query_scalar("select behalf.token_hook($1, $2)")
        .bind(function)
        .bind(event)
        .fetch_one(&mut **tx)
        .await
        .map_err(|error| failed(&error))?;
    sqlx::query("set local statement_timeout = '30s'").execute(&mut **tx).await?;
    read(answer.unwrap_or_default(), claims)
}

fn failed(error: &sqlx::Error) -> AuthError {
    tracing::error!(error = error.log_text(), "the hook for access tokens failed");
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.as_deref() == Some("57014") {
        return AuthError::new(422, "hook_timeout", "Failed to reach hook within maximum time of 2.000000 seconds");
    }
    AuthError::new(500, "unexpected_failure", "Error running hook for access tokens")
}

/// The claims of a hook's answer, or its refusal.
fn read(mut answer: Value, before: &Value) -> Result<Value, AuthError> {
    if let Some(error) = refusal(&answer) {
        return Err(error);
    }
    let Value::Object(claims) = answer["claims"].take() else {
        return Err(wrong("claims is missing"));
    };
    for (name, fits) in REQUIRED {
        if !claims.get(name).is_some_and(fits) {
            return Err(wrong(name));
        }
    }
    if let Some(name) = KEPT.into_iter().find(|name| claims.get(*name) != before.get(*name)) {
        return Err(wrong(name));
    }
    // A token may end earlier, not later.
    if claims["exp"].as_i64() > before["exp"].as_i64() || !metadata_is_whole(&claims) {
        return Err(wrong("exp, app_metadata or user_metadata"));
    }
    Ok(Value::Object(claims))
}

fn metadata_is_whole(claims: &Map<String, Value>) -> bool {
    ["app_metadata", "user_metadata"].into_iter().all(|name| claims.get(name).is_none_or(Value::is_object))
}

/// `{"error": {"http_code", "message"}}`: the app does not want this user to sign in.
fn refusal(answer: &Value) -> Option<AuthError> {
    let error = answer.get("error")?.as_object()?;
    let message = error.get("message").and_then(Value::as_str).filter(|message| !message.is_empty())?;
    let status = error.get("http_code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = status.filter(|status| (400..600).contains(status)).unwrap_or(500);
    let code = if status >= 500 { "unexpected_failure" } else { "unknown" };
    Some(AuthError::new(status, code, message.to_owned()))
}

fn wrong(what: &str) -> AuthError {
    tracing::error!(claim = what, "the hook for access tokens returned claims that do not fit");
    let message = format!("output claims do not conform to the expected schema: {what}");
    AuthError::new(500, "unexpected_failure", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before() -> Value {
        json!({
            "iss": "https://x.example/auth/v1", "aud": "authenticated", "exp": 2_000, "iat": 1_000, "sub": "u", "email": "",
            "phone": "", "role": "authenticated", "aal": "aal1", "session_id": "s", "is_anonymous": false,
            "app_metadata": {}, "user_metadata": {},
        })
    }

    fn changed(name: &str, value: Value) -> Result<Value, AuthError> {
        let mut claims = before();
        claims[name] = value;
        read(json!({ "claims": claims }), &before())
    }

    #[test]
    fn a_hook_adds_claims_and_takes_none_that_a_token_needs() {
        assert_eq!(changed("team", json!("red")).expect("claims")["team"], "red");
        assert_eq!(changed("exp", json!(1_500)).expect("claims")["exp"], 1_500);
        assert!(changed("role", json!("editor")).is_ok());
        for (name, value) in [
            ("sub", json!("another")),
            ("session_id", json!("another")),
            ("aal", json!("aal2")),
            ("is_anonymous", json!(true)),
            ("exp", json!(9_999)),
            ("exp", Value::Null),
            ("role", json!(1)),
            ("email", Value::Null),
            ("iss", json!("https://other.example")),
            ("app_metadata", json!("x")),
        ] {
            assert_eq!(changed(name, value.clone()).expect_err("refused").status, 500, "{name} {value}");
        }
        assert!(read(Value::Null, &before()).is_err() && read(json!({"claims": null}), &before()).is_err());
    }

    #[test]
    fn a_hook_refuses_with_a_status_and_a_sentence() {
        let refused =
            read(json!({"error": {"http_code": 403, "message": "not today"}}), &before()).expect_err("refused");
        assert_eq!((refused.status.as_u16(), &*refused.message), (403, "not today"));
        let odd = read(json!({"error": {"http_code": 200, "message": "no"}}), &before()).expect_err("refused");
        assert_eq!(odd.status.as_u16(), 500);
    }
}
