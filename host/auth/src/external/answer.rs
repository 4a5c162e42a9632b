//! Leads the browser back to the app: with a code, with the session, or with what went wrong.

use axum::response::{IntoResponse, Response};
use behalf_problem::LogText as _;
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use url::Url;
use uuid::Uuid;

use super::outside::ProviderError;
use crate::error::AuthError;
use crate::session::Session;

/// The most characters of a provider's text that are passed on.
const MAX_TEXT: usize = 300;

/// Why a sign-in at a provider failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// For a reason of this host.
    Ours(AuthError),
    /// The provider says so, in the words of OAuth 2.0.
    Theirs { error: String, description: String },
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        Self::Ours(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Ours(error.into())
    }
}

impl Failure {
    /// The provider's answer.
    pub(crate) fn theirs(error: &str, description: Option<&str>) -> Self {
        Self::Theirs { error: plain(error), description: plain(description.unwrap_or_default()) }
    }

    /// The provider did not help while this was done.
    pub(crate) fn of_provider(error: &ProviderError, what: &'static str) -> Self {
        tracing::warn!(error = error.log_text(), what, "a provider of external sign-in did not help");
        Self::Ours(AuthError::new(500, "unexpected_failure", what))
    }

    /// `error`, `error_code` and `error_description`.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Theirs { error, description } => {
                vec![("error", error.clone()), ("error_description", description.clone())]
            }
            Self::Ours(ours) => {
                let error = match (ours.code, ours.status.as_u16()) {
                    ("signup_disabled" | "user_banned" | "provider_email_needs_verification", _) | (_, 403) => {
                        "access_denied"
                    }
                    (_, 400) => "invalid_request",
                    (_, 401) => "unauthorized_client",
                    (_, 503) => "temporarily_unavailable",
                    _ => "server_error",
                };
                vec![
                    ("error", error.to_owned()),
                    ("error_code", ours.code.to_owned()),
                    ("error_description", ours.message.clone().into_owned()),
                ]
            }
        }
    }
}

/// Leads to a page of a provider.
pub(crate) fn to_provider(page: &Url) -> Response {
    lead(StatusCode::FOUND, page.as_str())
}

/// Leads back with a code.
pub(crate) fn with_code(app: &str, code: Uuid) -> Response {
    lead(StatusCode::FOUND, &with_query(app, &[("code", code.to_string())]))
}

/// Leads back with the session, in the part of the address that browsers send to no server.
pub(crate) fn with_session(app: &str, session: &Session) -> Response {
    let mut fields = vec![
        ("access_token", session.access_token.clone()),
        ("expires_at", session.expires_at.to_string()),
        ("expires_in", session.expires_in.to_string()),
        ("provider_token", session.provider_token.clone().unwrap_or_default()),
        ("refresh_token", session.refresh_token.clone()),
        ("sb", String::new()),
        ("token_type", session.token_type.to_owned()),
    ];
    if let Some(token) = &session.provider_refresh_token {
        fields.push(("provider_refresh_token", token.clone()));
    }
    lead(StatusCode::FOUND, &with_fragment(app, &fields))
}

/// Leads back with what went wrong: in the query and, for older clients, behind the `#`.
pub(crate) fn with_failure(status: StatusCode, app: &str, failure: &Failure) -> Response {
    let mut fields = failure.parameters();
    let app = with_query(app, &fields);
    fields.push(("sb", String::new()));
    lead(status, &with_fragment(&app, &fields))
}

fn lead(status: StatusCode, to: &str) -> Response {
    let Ok(mut location) = HeaderValue::from_str(to) else {
        return AuthError::new(500, "unexpected_failure", "the app's address cannot be led to").into_response();
    };
    location.set_sensitive(true);
    let headers = [
        (LOCATION, location),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (status, headers).into_response()
}

/// The address with these parameters, which replace those of the same names.
fn with_query(app: &str, fields: &[(&'static str, String)]) -> String {
    let Ok(mut url) = Url::parse(app) else { return app.to_owned() };
    url.set_fragment(None);
    let is_other = |name: &str| fields.iter().all(|(own, _)| name != *own);
    let others = url.query_pairs().into_owned().filter(|(name, _)| is_other(name)).collect::<Vec<_>>();
    url.query_pairs_mut().clear().extend_pairs(others).extend_pairs(fields);
    url.into()
}

fn with_fragment(app: &str, fields: &[(&'static str, String)]) -> String {
    let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let Ok(mut url) = Url::parse(app) else { return app.to_owned() };
    url.set_fragment(Some(&text));
    url.into()
}

/// A provider's text without what is no text.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(response: &Response) -> &str {
        response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    #[test]
    fn a_code_replaces_one_that_somebody_put_there() {
        let led = with_code("https://app.example/cb?code=planted&next=%2Fa#access_token=planted", Uuid::nil());
        assert_eq!(location(&led), "https://app.example/cb?next=%2Fa&code=00000000-0000-0000-0000-000000000000");
        assert_eq!(
            location(&with_code("myapp://cb", Uuid::nil())),
            "myapp://cb?code=00000000-0000-0000-0000-000000000000"
        );
        assert_eq!(led.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok()), Some("no-store"));
    }

    #[test]
    fn what_a_provider_says_cannot_leave_its_parameter() {
        let failure = Failure::theirs("access_denied&x=1\r\n", Some("no#y=1\u{0}"));
        let led = with_failure(StatusCode::FOUND, "https://app.example/cb?error=planted", &failure);
        assert_eq!(
            location(&led),
            "https://app.example/cb?error=access_denied%26x%3D1&error_description=no%23y%3D1\
             #error=access_denied%26x%3D1&error_description=no%23y%3D1&sb="
        );
    }

    #[test]
    fn failures_have_the_names_of_oauth() {
        for (status, code, error) in [
            (422, "signup_disabled", "access_denied"),
            (403, "user_banned", "access_denied"),
            (400, "bad_oauth_state", "invalid_request"),
            (500, "unexpected_failure", "server_error"),
            (503, "unexpected_failure", "temporarily_unavailable"),
        ] {
            let parameters = Failure::Ours(AuthError::new(status, code, "x")).parameters();
            assert_eq!(
                parameters,
                [("error", error.to_owned()), ("error_code", code.to_owned()), ("error_description", "x".to_owned())]
            );
        }
    }
}
