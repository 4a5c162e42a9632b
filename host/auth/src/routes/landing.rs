//! Where the link of a letter ends: the app's page, which reads from its address how it went.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use url::Url;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use crate::error::AuthError;
use crate::session::Session;
use crate::state::Auth;

/// The app's page.
#[derive(Clone, Debug)]
pub(super) struct Landing(Url);

impl Landing {
    /// The page at an address that was found to be allowed.
    pub(super) fn new(auth: &Auth, address: &str) -> Result<Self, AuthError> {
        let url = Url::parse(address).or_else(|_| Url::parse(&auth.options.site_url));
        Ok(Self(url.map_err(|error| AuthError::internal(&error))?))
    }

    /// With a session, in the fragment: browsers keep that from servers.
    pub(super) fn with_session(mut self, session: &Session, kind: &str) -> Result<Response, AuthError> {
        let (expires_at, expires_in) = (session.expires_at.to_string(), session.expires_in.to_string());
        self.set_fragment(&[
            ("access_token", &session.access_token),
            ("expires_at", &expires_at),
            ("expires_in", &expires_in),
            ("refresh_token", &session.refresh_token),
            ("token_type", session.token_type),
            ("type", kind),
        ]);
        self.redirect()
    }

    /// With the code that the app exchanges for the session.
    pub(super) fn with_code(mut self, code: Uuid) -> Result<Response, AuthError> {
        self.set_query(&[("code", &code.to_string())]);
        self.redirect()
    }

    /// With a text for the user.
    pub(super) fn with_message(mut self, message: &str, is_pkce: bool) -> Result<Response, AuthError> {
        if is_pkce {
            self.set_query(&[("message", message)]);
        }
        self.set_fragment(&[("message", message)]);
        self.redirect()
    }

    /// With an error: in the fragment, and for apps that take codes in the query as well.
    pub(super) fn with_error(mut self, error: &AuthError, is_pkce: bool) -> Result<Response, AuthError> {
        let mut pairs = vec![("error_code", error.code), ("error_description", error.message.as_ref())];
        pairs.extend(oauth_error(error.status).map(|name| ("error", name)));
        if is_pkce {
            self.set_query(&pairs);
        }
        self.set_fragment(&pairs);
        self.redirect()
    }

    fn set_fragment(&mut self, pairs: &[(&str, &str)]) {
        // Clients know by `sb` that the fragment is meant for them and not for the page.
        let all = pairs.iter().copied().chain([("sb", "")]);
        self.0.set_fragment(Some(&Serializer::new(String::new()).extend_pairs(all).finish()));
    }

    /// Replaces parameters: a code that stands in the address already must not be taken for this one.
    fn set_query(&mut self, pairs: &[(&str, &str)]) {
        let kept: Vec<_> = self.0.query_pairs().into_owned().collect();
        let kept = kept.iter().filter(|(name, _)| pairs.iter().all(|(new, _)| new != name));
        let all = kept.map(|(name, value)| (name.as_str(), value.as_str())).chain(pairs.iter().copied());
        let query = Serializer::new(String::new()).extend_pairs(all).finish();
        self.0.set_query(Some(&query));
    }

    fn redirect(self) -> Result<Response, AuthError> {
        let location = HeaderValue::from_str(self.0.as_str()).map_err(|error| AuthError::internal(&error))?;
        let headers = [
            (LOCATION, location),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ];
        Ok((StatusCode::SEE_OTHER, headers).into_response())
    }
}

/// The error's name in OAuth 2.0, where it has one.
fn oauth_error(status: StatusCode) -> Option<&'static str> {
    Some(match status {
        StatusCode::BAD_REQUEST => "invalid_request",
        StatusCode::UNAUTHORIZED => "unauthorized_client",
        status if status.as_u16() == 403 => "access_denied",
        StatusCode::INTERNAL_SERVER_ERROR => "server_error",
        StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(answer: Result<Response, AuthError>) -> Url {
        let answer = answer.expect("a redirect");
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        Url::parse(answer.headers()[LOCATION].to_str().expect("text")).expect("an address")
    }

    fn page(address: &str) -> Landing {
        Landing(Url::parse(address).expect("an address"))
    }

    #[test]
    fn a_code_in_the_address_is_replaced() {
        let code = Uuid::from_u128(1);
        let url = location(page("https://app.example/?a=b&code=evil&code=worse#x").with_code(code));
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs, [("a".to_owned(), "b".to_owned()), ("code".to_owned(), code.to_string())]);
    }

    #[test]
    fn an_error_stands_in_the_fragment_and_for_codes_in_the_query_as_well() {
        let error = AuthError::new(403, "otp_expired", "Email link is invalid or has expired");
        let url = location(page("https://app.example/a").with_error(&error, false));
        let fragment = url.fragment().unwrap_or_default();
        assert!(fragment.contains("error=access_denied") && fragment.contains("error_code=otp_expired"), "{url}");
        assert!(fragment.contains("error_description=Email+link+is+invalid+or+has+expired"), "{url}");
        assert_eq!(url.query(), None);
        let url = location(page("myapp://callback").with_error(&error, true));
        assert!(url.query().unwrap_or_default().contains("error_code=otp_expired"), "{url}");
    }
}
