//! The PKCE flow: a sign-in by letter or provider ends with a code in the app's address, which the app exchanges for the session
//! with the secret that only it knows (RFC 7636).
//!
//! A flow that begins with a challenge ends with its verifier and in no other way: the method is the one that was stored, and a
//! code is worth nothing without the verifier. A wrong verifier ends the flow, so that there is one try.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_host_db::AuthTx;
use chrono::{TimeDelta, Utc};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::account;
use super::flow::linking_disabled;
use super::profile::Profile;
use crate::client::Client;
use crate::error::AuthError;
use crate::session::{Method, Session};
use crate::state::Auth;
use crate::store::flow_state::{self, Flow, Issued, NewFlow};
use crate::store::linked;

/// For how long a code is valid.
const CODE_LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// Characters of a challenge and of a verifier (RFC 7636, section 4).
const CHALLENGE_LENGTH: std::ops::RangeInclusive<usize> = 43..=128;

/// The challenge of a request that begins a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// `code_challenge`.
    pub(crate) challenge: String,
    /// `s256` or `plain`.
    pub(crate) method: String,
}

impl Challenge {
    /// Reads `code_challenge` and `code_challenge_method` of a request; `None` where both are absent, null or empty.
    pub(crate) fn read(challenge: Option<&str>, method: Option<&str>) -> Result<Option<Self>, AuthError> {
        let given = |text: Option<&'_ str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let (challenge, method) = match (given(challenge), given(method)) {
            (None, None) => return Ok(None),
            (Some(challenge), Some(method)) => (challenge, method.to_ascii_lowercase()),
            _ => {
                return Err(AuthError::validation("PKCE flow requires code_challenge_method and code_challenge"));
            }
        };
        if !CHALLENGE_LENGTH.contains(&challenge.len()) {
            return Err(AuthError::validation("code challenge has to be between 43 and 128 characters"));
        }
        if !challenge.bytes().all(is_unreserved) {
            return Err(AuthError::validation(
                "code challenge can only contain alphanumeric characters, hyphens, periods, underscores and tildes",
            ));
        }
        if !matches!(method.as_str(), "s256" | "plain") {
            return Err(AuthError::validation("Invalid code_challenge_method"));
        }
        Ok(Some(Self { challenge, method }))
    }

    /// Begins a flow for a letter that was asked for with this challenge, and returns the flow's id.
    pub(crate) async fn begin(&self, tx: &mut AuthTx, user: Uuid, method: Method) -> Result<Uuid, AuthError> {
        let id = Uuid::new_v4();
        let flow = NewFlow {
            id,
            user: Some(user),
            method,
            provider: method.as_str(),
            challenge: Some(self.parts()),
            redirect: None,
            verifier: None,
            linking: None,
        };
        flow_state::add(tx, &flow).await?;
        Ok(id)
    }

    /// The challenge and its method.
    pub(super) fn parts(&self) -> (&str, &str) {
        (&self.challenge, &self.method)
    }
}

/// The code with which the app gets its session, after the user followed the link of a flow. It is valid for five minutes.
pub(crate) async fn issue_code(tx: &mut AuthTx, flow: Uuid) -> Result<Uuid, AuthError> {
    issue(tx, flow, None, (None, None)).await
}

/// The code of a flow that ends with this user, with the provider's own tokens.
pub(super) async fn issue(
    tx: &mut AuthTx,
    flow: Uuid,
    user: Option<Uuid>,
    (access_token, refresh_token): (Option<&str>, Option<&str>),
) -> Result<Uuid, AuthError> {
    let code = Uuid::new_v4();
    let issued = Issued { user, code_hash: &hash_of(code), access_token, refresh_token };
    if flow_state::issue(tx, flow, issued).await? {
        return Ok(code);
    }
    Err(AuthError::new(422, "flow_state_not_found", "No valid flow state found for user."))
}

/// `grant_type=pkce`: `{"auth_code", "code_verifier"}`.
pub(crate) async fn grant(auth: &Auth, body: &Value, client: &Client) -> Result<Session, AuthError> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(code), Some(verifier)) = (text("auth_code"), text("code_verifier")) else {
        return Err(AuthError::validation("invalid request: both auth code and code verifier should be non-empty"));
    };
    let unknown = || AuthError::new(404, "flow_state_not_found", "invalid flow state, no valid flow state found");
    let code = Uuid::try_parse(code).map_err(|_| unknown())?;
    let mut tx = auth.begin().await?;
    let flow = flow_state::by_code(&mut tx, &hash_of(code)).await?.ok_or_else(unknown)?;
    let waiting = linked::waiting(&mut tx, flow.id).await?;
    // Whatever comes of it, the code has been used.
    flow_state::remove(&mut tx, flow.id).await?;
    let refused = match flow.user_id {
        None => unknown(),
        Some(_) if is_over(&flow) => {
            AuthError::new(422, "flow_state_expired", "invalid flow state, flow state has expired")
        }
        Some(_) if !is_verified(&flow, verifier) => {
            AuthError::new(400, "bad_code_verifier", "code challenge does not match previously saved code verifier")
        }
        Some(user) => {
            let session = end(auth, &mut tx, flow, user, waiting, client).await?;
            tx.commit().await?;
            return Ok(session);
        }
    };
    tx.commit().await?;
    Err(refused)
}

/// Ends a flow whose verifier was shown: links what waits for it, and signs the user in.
async fn end(
    auth: &Auth,
    tx: &mut AuthTx,
    flow: Flow,
    user: Uuid,
    waiting: Option<Profile>,
    client: &Client,
) -> Result<Session, AuthError> {
    match (flow.linking_target_id, waiting) {
        (None, None) => {}
        (Some(target), Some(profile)) if auth.options.manual_linking => {
            account::link(auth, tx, &flow.provider_type, &profile, target).await?;
        }
        _ => return Err(linking_disabled()),
    }
    let unknown = || AuthError::new(404, "flow_state_not_found", "invalid flow state, no valid flow state found");
    let method = Method::parse(&flow.authentication_method).ok_or_else(unknown)?;
    let mut session = auth.sign_in(tx, user, method, client).await?;
    session.provider_token = flow.provider_access_token.filter(|token| !token.is_empty());
    session.provider_refresh_token = flow.provider_refresh_token.filter(|token| !token.is_empty());
    Ok(session)
}

/// What the table keeps of a code. A code has 122 random bits, so a plain hash hides it.
fn hash_of(code: Uuid) -> String {
    hex::encode(Sha256::digest(code.to_string()))
}

fn is_over(flow: &Flow) -> bool {
    flow.auth_code_issued_at.is_none_or(|issued| issued + CODE_LIFETIME <= Utc::now())
}

/// Whether the verifier is the one whose challenge began the flow.
fn is_verified(flow: &Flow, verifier: &str) -> bool {
    let Some(challenge) = &flow.code_challenge else { return false };
    let made = match flow.code_challenge_method.as_deref() {
        Some("s256") => URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)),
        Some("plain") => verifier.to_owned(),
        _ => return false,
    };
    !challenge.is_empty() && made.as_bytes().ct_eq(challenge.as_bytes()).into()
}

/// Characters of challenges and verifiers.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn flow(challenge: Option<&str>, method: Option<&str>) -> Flow {
        Flow {
            id: Uuid::nil(),
            user_id: Some(Uuid::nil()),
            authentication_method: "oauth".to_owned(),
            provider_type: "google".to_owned(),
            code_challenge: challenge.map(str::to_owned),
            code_challenge_method: method.map(str::to_owned),
            provider_access_token: None,
            provider_refresh_token: None,
            auth_code_issued_at: Some(Utc::now()),
            created_at: Some(Utc::now()),
            referrer: None,
            linking_target_id: None,
        }
    }

    #[test]
    fn a_challenge_has_both_parts_and_the_right_form() {
        let read = Challenge::read;
        assert_eq!(read(None, None).expect("nothing"), None);
        assert_eq!(read(Some(""), Some("")).expect("nothing"), None);
        let both = read(Some(CHALLENGE), Some("S256")).expect("a challenge").expect("a challenge");
        assert_eq!(both.parts(), (CHALLENGE, "s256"));
        assert!(read(Some(CHALLENGE), Some("plain")).is_ok());
        for (challenge, method) in [
            (Some(CHALLENGE), None),
            (Some(CHALLENGE), Some("")),
            (None, Some("s256")),
            (Some(""), Some("s256")),
            (Some(CHALLENGE), Some("s512")),
            (Some(CHALLENGE), Some("none")),
            (Some(&CHALLENGE[1..]), Some("s256")),
            (Some(&"a".repeat(129)), Some("s256")),
            (Some(&format!("{CHALLENGE}=")), Some("s256")),
            (Some(&format!("{CHALLENGE}\0")), Some("s256")),
            (Some(&"ä".repeat(43)), Some("s256")),
        ] {
            let refused = read(challenge, method).expect_err("a wrong challenge");
            assert_eq!((refused.status.as_u16(), refused.code), (400, "validation_failed"), "{challenge:?} {method:?}");
        }
    }

    #[test]
    fn only_the_verifier_ends_a_flow_and_only_by_its_method() {
        assert!(is_verified(&flow(Some(CHALLENGE), Some("s256")), VERIFIER));
        assert!(is_verified(&flow(Some(VERIFIER), Some("plain")), VERIFIER));
        // Whoever saw the challenge cannot end the flow with it.
        assert!(!is_verified(&flow(Some(CHALLENGE), Some("s256")), CHALLENGE));
        assert!(!is_verified(&flow(Some(CHALLENGE), Some("plain")), VERIFIER));
        assert!(!is_verified(&flow(Some(CHALLENGE), Some("s256")), ""));
        assert!(!is_verified(&flow(Some(""), Some("plain")), ""));
        assert!(!is_verified(&flow(None, Some("plain")), ""));
        assert!(!is_verified(&flow(None, None), VERIFIER));
        assert!(!is_verified(&flow(Some(CHALLENGE), None), VERIFIER));
        let mut late = flow(Some(CHALLENGE), Some("s256"));
        assert!(!is_over(&late));
        late.auth_code_issued_at = Some(Utc::now() - CODE_LIFETIME);
        assert!(is_over(&late));
        late.auth_code_issued_at = None;
        assert!(is_over(&late));
    }
}
