//! Checks the signature of a token and its registered claims, with a key that the caller chose.
//!
//! The key is never the token's choice: `jku`, `x5u`, `x5c` and `jwk` of a header are not looked at, and `kid` only chooses among
//! the keys of one issuer.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Map, Value};

use super::verify_error::VerifyError;

/// The reason to refuse a token that another key signed.
pub(super) const WRONG_SIGNATURE: &str = "wrong signature";

/// What the registered claims of a token must say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    /// How far the clocks may differ.
    pub(super) clock_skew: Duration,
    /// `aud`, where this is looked at here.
    pub(super) audience: Option<&'a str>,
    /// `iss`, where one is required.
    pub(super) issuer: Option<&'a str>,
}

/// The payload of a token that this key signed.
pub(super) fn check(
    token: &str,
    key: &DecodingKey,
    alg: Algorithm,
    rules: Rules<'_>,
) -> Result<Map<String, Value>, VerifyError> {
    let mut validation = Validation::new(alg);
    validation.leeway = rules.clock_skew.as_secs();
    validation.validate_nbf = true;
    let mut required = vec!["exp", "sub"];
    if let Some(audience) = rules.audience {
        validation.set_audience(&[audience]);
        required.push("aud");
    } else {
        validation.validate_aud = false;
    }
    if let Some(issuer) = rules.issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    validation.required_spec_claims = required.into_iter().map(str::to_owned).collect::<HashSet<_>>();
    match decode::<Map<String, Value>>(token, key, &validation) {
        Ok(data) => Ok(data.claims),
        Err(error) => Err(match error.kind() {
            ErrorKind::ExpiredSignature => VerifyError::Expired,
            ErrorKind::InvalidAudience => VerifyError::Audience,
            ErrorKind::InvalidIssuer => VerifyError::Invalid("wrong issuer"),
            ErrorKind::InvalidSignature => VerifyError::Invalid(WRONG_SIGNATURE),
            ErrorKind::ImmatureSignature => VerifyError::Invalid("it is not valid yet"),
            ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => VerifyError::Audience,
            ErrorKind::MissingRequiredClaim(claim) if claim == "sub" => VerifyError::Invalid("sub must be a user id"),
            ErrorKind::MissingRequiredClaim(_) => VerifyError::Invalid("a required claim is missing"),
            _ => VerifyError::Invalid("it is not a signed JWT"),
        }),
    }
}

/// Refuses a token whose header asks for extensions: this host knows none, and whoever does not know one must not accept the
/// token (RFC 7515, section 4.1.11). The library overlooks `crit`, so the header is read here first.
pub(super) fn refuse_critical(token: &str) -> Result<(), VerifyError> {
    let header = part(token, 0).ok_or(VerifyError::Invalid("it is not a signed JWT"))?;
    if header.contains_key("crit") {
        return Err(VerifyError::Invalid("its header asks for extensions (`crit`), and none is supported"));
    }
    Ok(())
}

/// The issuer that a token names. Nothing of it is checked yet: it says which rules the token has to meet.
pub(super) fn stated_issuer(token: &str) -> Option<String> {
    part(token, 1)?.get("iss")?.as_str().map(str::to_owned)
}

fn part(token: &str, index: usize) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index)?).ok()?).ok()
}
