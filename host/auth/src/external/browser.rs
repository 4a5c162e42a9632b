//! Binds a sign-in that ends with the session itself to the browser in which it began, so that nobody can have another's browser
//! end a sign-in of his own (login CSRF). The browser keeps a secret in a cookie; the state that the provider sends back contains
//! a hash of it. A flow with a challenge needs none of this: only the app that began it has the verifier.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::error::AuthError;
use crate::options::AuthOptions;

/// Characters of a secret: 32 bytes in base64.
const SECRET_LENGTH: usize = 43;

/// Seconds for which a browser keeps its secret.
const MAX_AGE: u32 = 900;

/// The secret of a browser.
#[derive(Clone)]
pub(crate) struct BrowserSecret(String);

impl BrowserSecret {
    /// The one of the browser that sends these headers, if it has one.
    pub(crate) fn sent(options: &AuthOptions, headers: &HeaderMap) -> Option<Self> {
        let name = name(options);
        let cookies = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut own = cookies.flat_map(|line| line.split(';')).filter_map(|cookie| {
            let (own, value) = cookie.trim().split_once('=')?;
            (own == name).then_some(value)
        });
        let value = own.next()?;
        // Two of one name: somebody else set one of them.
        let fine = own.next().is_none() && value.len() == SECRET_LENGTH && URL_SAFE_NO_PAD.decode(value).is_ok();
        fine.then(|| Self(value.to_owned()))
    }

    /// A new one.
    pub(crate) fn new() -> Result<Self, AuthError> {
        random_text().map(Self)
    }

    /// The cookie that makes the browser keep it.
    pub(crate) fn cookie(&self, options: &AuthOptions) -> Option<HeaderValue> {
        // Apple's page sends its answer as a form of another site, which takes cookies along only with `SameSite=None`.
        let how = if is_over_tls(options) { "SameSite=None; Secure" } else { "SameSite=Lax" };
        let text = format!("{}={}; Path=/; Max-Age={MAX_AGE}; HttpOnly; {how}", name(options), self.0);
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The state of a flow in this browser.
    pub(crate) fn state(&self, flow: Uuid) -> String {
        format!("{flow}.{}", self.mark(flow))
    }

    /// Whether a state is that of a flow in this browser.
    pub(crate) fn is_of(&self, flow: Uuid, mark: Option<&str>) -> bool {
        mark.is_some_and(|mark| mark.as_bytes().ct_eq(self.mark(flow).as_bytes()).into())
    }

    fn mark(&self, flow: Uuid) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{flow} {}", self.0)))
    }
}

/// 32 random bytes as text.
pub(super) fn random_text() -> Result<String, AuthError> {
    let mut bytes = [0; 32];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| AuthError::internal(&error))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The flow and the mark of a state.
pub(super) fn read_state(state: &str) -> Option<(Uuid, Option<&str>)> {
    let (flow, mark) = state.split_once('.').map_or((state, None), |(flow, mark)| (flow, Some(mark)));
    // Only the form that was sent: a state is compared, not interpreted.
    let id = Uuid::try_parse(flow).ok().filter(|id| id.to_string() == flow)?;
    Some((id, mark))
}

/// Over TLS, a name that no other host of the same site can set.
fn name(options: &AuthOptions) -> &'static str {
    if is_over_tls(options) { "__Host-behalf-sign-in" } else { "behalf-sign-in" }
}

fn is_over_tls(options: &AuthOptions) -> bool {
    options.public_url.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::external::redirect::tests::options;

    fn sent(line: &str) -> Option<BrowserSecret> {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_str(line).expect("a header"));
        BrowserSecret::sent(&options("https://example.com", &[]), &headers)
    }

    #[test]
    fn a_state_belongs_to_one_browser_and_one_flow() {
        let options = options("https://example.com", &[]);
        let (one, other) = (BrowserSecret::new().expect("a secret"), BrowserSecret::new().expect("a secret"));
        let flow = Uuid::new_v4();
        let state = one.state(flow);
        let (read, mark) = read_state(&state).expect("a state");
        assert_eq!(read, flow);
        assert!(one.is_of(flow, mark) && !other.is_of(flow, mark));
        assert!(!one.is_of(Uuid::new_v4(), mark) && !one.is_of(flow, None) && !one.is_of(flow, Some("")));
        let cookie = one.cookie(&options).expect("a cookie");
        let line = cookie.to_str().expect("text").split(';').next().expect("a pair").to_owned();
        assert!(sent(&format!("a=b; {line}; c=d")).expect("the secret").is_of(flow, mark));
        assert!(sent(&format!("{line}; {line}")).is_none());
        assert!(sent("__Host-behalf-sign-in=short").is_none() && sent("a=b").is_none());
    }

    #[test]
    fn states_have_one_form() {
        let flow = Uuid::new_v4();
        assert_eq!(read_state(&flow.to_string()), Some((flow, None)));
        for text in ["", ".", "x", &flow.simple().to_string(), &flow.to_string().to_uppercase(), &format!("{{{flow}}}")]
        {
            assert!(read_state(text).is_none(), "{text}");
        }
    }
}
