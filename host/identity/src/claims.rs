//! Reads the claims of a verified token and prepares those that a transaction binds.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::principal::Role;

/// Claims that describe the token and not the user; tools and policies do not need them.
const TOKEN_CLAIMS: [&str; 4] = ["exp", "iat", "nbf", "jti"];

/// Claims that a user could add to gain rights; they are dropped before anything reads them.
const POWERLESS_CLAIMS: [&str; 1] = ["is_service_role"];

/// The payload of a token whose signature, audience, issuer and expiry were checked.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) subject: Uuid,
    pub(super) expires_at: i64,
    payload: Map<String, Value>,
}

impl Claims {
    /// Reads a verified payload; the error names the claim that does not fit a user's token.
    pub(super) fn from_payload(payload: Map<String, Value>) -> Result<Self, &'static str> {
        if payload.get("role").and_then(Value::as_str) == Some("anon") {
            return Err("an anonymous token names no user");
        }
        let subject =
            payload.get("sub").and_then(Value::as_str).and_then(canonical_uuid).ok_or("sub must be a user id")?;
        let expires_at =
            payload.get("exp").and_then(Value::as_f64).filter(|seconds| seconds.is_finite()).ok_or("exp is missing")?;
        // Fractions of a second are cut off, so a token never lives past its expiry.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the cast saturates, and a saturated time is still compared rightly"
        )]
        let expires_at = expires_at as i64;
        Ok(Self { subject, expires_at, payload })
    }

    /// The JSON that is bound to a transaction: the verified claims, with `sub` and `role` in the host's own form.
    pub(super) fn to_bound_json(&self, role: Role) -> String {
        let mut bound = self.payload.clone();
        for name in TOKEN_CLAIMS.iter().chain(&POWERLESS_CLAIMS) {
            bound.remove(*name);
        }
        bound.insert("sub".to_owned(), Value::String(self.subject.to_string()));
        bound.insert("role".to_owned(), Value::String(role.as_str().to_owned()));
        Value::Object(bound).to_string()
    }
}

/// Accepts the 36-character form in either case. Braces, `urn:` and the form without hyphens are refused: with two
/// spellings of one user, comparisons go wrong.
fn canonical_uuid(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    let mut buffer = Uuid::encode_buffer();
    (text.len() == 36 && text.eq_ignore_ascii_case(id.hyphenated().encode_lower(&mut buffer))).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).expect("the test's own JSON")
    }

    #[test]
    fn only_the_canonical_uuid_is_a_subject() {
        let id = "6F9619FF-8B86-D011-B42D-00CF4FC964FF";
        assert_eq!(canonical_uuid(id).map(|id| id.to_string()), Some(id.to_lowercase()));
        for bad in [format!("{{{id}}}"), format!("urn:uuid:{id}"), id.replace('-', ""), format!(" {id}"), String::new()]
        {
            assert!(canonical_uuid(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_self_chosen_role_and_service_flag_do_not_reach_the_database() {
        let claims = Claims::from_payload(payload(
            r#"{"sub":"6f9619ff-8b86-d011-b42d-00cf4fc964ff","exp":9999999999.9,"role":"service_role","is_service_role":true,"email":"a@b.c","jti":"x"}"#,
        ))
        .expect("valid claims");
        let bound: Value = serde_json::from_str(&claims.to_bound_json(Role::Authenticated)).expect("JSON");
        assert_eq!(
            bound,
            serde_json::json!({"sub": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "role": "authenticated", "email": "a@b.c"})
        );
        assert_eq!(claims.expires_at, 9_999_999_999);
    }

    #[test]
    fn an_anonymous_or_timeless_token_is_no_user() {
        for bad in [
            r#"{"sub":"6f9619ff-8b86-d011-b42d-00cf4fc964ff","exp":1,"role":"anon"}"#,
            r#"{"sub":"6f9619ff-8b86-d011-b42d-00cf4fc964ff"}"#,
            r#"{"exp":1}"#,
            r#"{"sub":"alice","exp":1}"#,
            r#"{"sub":["6f9619ff-8b86-d011-b42d-00cf4fc964ff"],"exp":1}"#,
        ] {
            assert!(Claims::from_payload(payload(bad)).is_err(), "{bad}");
        }
    }
}
