//! Reads the claims of a verified token, prepares those that a transaction binds, and keeps those that outlive the token.

use serde_json::{Map, Value, json};
use thiserror::Error;
use uuid::Uuid;

use super::mapped::{MAPPED_CLAIM, OWN_SUBJECT_CLAIM, Subject, SubjectForm, bind_subject, own_subject};
use super::principal::Role;

/// Claims that describe the token and not the user; tools and policies do not need them.
const TOKEN_CLAIMS: [&str; 4] = ["exp", "iat", "nbf", "jti"];

/// Claims that would give rights or name another user if a token could bring them; they are dropped before anything reads them.
const POWERLESS_CLAIMS: [&str; 3] = ["is_service_role", MAPPED_CLAIM, OWN_SUBJECT_CLAIM];

/// Claims that only the host sets where somebody acts for the user.
const HOST_CLAIMS: [&str; 4] = ["sub", "role", "aud", "act"];

/// Largest claims, as JSON text: as large as a token may be, because each statement of the user's carries them.
const MAX_CLAIMS_BYTES: usize = 16 * 1024;

/// The payload of a token whose signature, audience, issuer and times were checked.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) subject: Subject,
    /// The moment from which the token is refused: its `exp` and the clock skew.
    pub(super) accepted_until: i64,
    pub(super) issued_at: Option<i64>,
    pub(super) not_before: Option<i64>,
    payload: Map<String, Value>,
}

impl Claims {
    /// Reads a verified payload of the project's own; the error names the claim that does not fit a user's token.
    pub(super) fn from_payload(payload: Map<String, Value>, skew_seconds: i64) -> Result<Self, &'static str> {
        let subject =
            payload.get("sub").and_then(Value::as_str).and_then(canonical_uuid).ok_or("sub must be a user id")?;
        Self::of_subject(payload, Subject::own(subject), skew_seconds)
    }

    /// The same for a user whose id is known already.
    pub(super) fn of_subject(
        payload: Map<String, Value>,
        subject: Subject,
        skew_seconds: i64,
    ) -> Result<Self, &'static str> {
        if payload.get("role").and_then(Value::as_str) == Some("anon") {
            return Err("an anonymous token names no user");
        }
        let expires_at = payload.get("exp").and_then(seconds).ok_or("exp is missing")?;
        let optional = |name: &str, wrong| payload.get(name).map(|value| seconds(value).ok_or(wrong)).transpose();
        Ok(Self {
            subject,
            accepted_until: expires_at.saturating_add(skew_seconds),
            issued_at: optional("iat", "iat must be a number of seconds")?,
            not_before: optional("nbf", "nbf must be a number of seconds")?,
            payload,
        })
    }

    /// The JSON that is bound to a transaction: the verified claims, with `sub` and `role` in the host's own form.
    pub(super) fn to_bound_json(&self, role: Role, form: SubjectForm) -> String {
        let mut bound = self.payload.clone();
        for name in TOKEN_CLAIMS.iter().chain(&POWERLESS_CLAIMS) {
            bound.remove(*name);
        }
        drop_nul(&mut bound);
        bind_subject(&mut bound, &self.subject, form);
        bound.insert("role".to_owned(), Value::String(role.as_str().to_owned()));
        Value::Object(bound).to_string()
    }

    /// A claim that is an id, such as the session's. `None` where the token has none, or another form of it.
    pub(super) fn id(&self, name: &str) -> Option<Uuid> {
        self.payload.get(name).and_then(Value::as_str).and_then(canonical_uuid)
    }
}

/// A time of a token, in seconds since 1970. Fractions of a second are cut off, so a token never lives past its expiry.
fn seconds(value: &Value) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the cast saturates, and a saturated time is still compared rightly"
    )]
    value.as_f64().filter(|seconds| seconds.is_finite()).map(|seconds| seconds as i64)
}

/// Why claims about a user cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ClaimsError {
    /// They are no JSON object.
    #[error("claims must be a JSON object")]
    Form,
    /// They are too large.
    #[error("claims may have at most 16 KiB")]
    TooLarge,
}

/// What is known about a user beside who they are: `app_metadata`, `email` and the like. Never the user's id or role, which
/// the host alone binds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserClaims {
    claims: Map<String, Value>,
    /// The `sub` of a user whose issuer is not the project's own; see [`Subject`].
    own_subject: Option<String>,
}

impl UserClaims {
    /// Reads claims. Those that the host sets itself, and those that describe a token, are dropped.
    pub fn read(claims: Value) -> Result<Self, ClaimsError> {
        let Value::Object(mut claims) = claims else { return Err(ClaimsError::Form) };
        for name in TOKEN_CLAIMS.iter().chain(&POWERLESS_CLAIMS).chain(&HOST_CLAIMS) {
            claims.remove(*name);
        }
        drop_nul(&mut claims);
        let claims = Self { claims, own_subject: None };
        if claims.to_json().to_string().len() > MAX_CLAIMS_BYTES {
            return Err(ClaimsError::TooLarge);
        }
        Ok(claims)
    }

    /// Reads what [`Self::to_json`] wrote to a place that only hosts write to. Beside the claims, that tells how the issuer of
    /// the user calls them.
    pub fn read_stored(mut stored: Value) -> Result<Self, ClaimsError> {
        let own = stored.as_object_mut().and_then(|stored| stored.remove(OWN_SUBJECT_CLAIM));
        let claims = Self::read(stored)?;
        Ok(Self { own_subject: own.and_then(|own| own.as_str().map(str::to_owned)), ..claims })
    }

    /// Whether another issuer than the project's own knows the user.
    pub fn are_of_another_issuer(&self) -> bool {
        self.own_subject.is_some()
    }

    /// What is kept of claims that the host bound.
    pub(super) fn of_bound(bound: Value) -> Result<Self, ClaimsError> {
        let own_subject = own_subject(&bound);
        Ok(Self { own_subject, ..Self::read(bound)? })
    }

    /// The claims as a JSON object, to store them.
    pub fn to_json(&self) -> Value {
        let mut claims = self.claims.clone();
        if let Some(own) = &self.own_subject {
            claims.insert(OWN_SUBJECT_CLAIM.to_owned(), json!(own));
        }
        Value::Object(claims)
    }

    /// The JSON that is bound to a transaction in which `actor` acts for the user.
    pub(super) fn to_bound_json(&self, user: Uuid, acting: Acting<'_>) -> String {
        let mut bound = self.claims.clone();
        bind_subject(&mut bound, &Subject { user, own: self.own_subject.clone() }, acting.form);
        let own = [
            ("role", json!(Role::Authenticated.as_str())),
            ("aud", json!(acting.audience)),
            ("act", json!({ "sub": acting.actor })),
        ];
        bound.extend(own.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(bound).to_string()
    }
}

/// Who acts for a user, and how that is bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acting<'a> {
    /// The bound `aud`.
    pub(super) audience: &'a str,
    /// The bound `act`.
    pub(super) actor: &'a str,
    /// How the subject is bound.
    pub(super) form: SubjectForm,
}

/// Drops what Postgres refuses: a JSON value with the character NUL, and with it every policy that reads the claims.
fn drop_nul(claims: &mut Map<String, Value>) {
    claims.retain(|name, value| !name.contains('\0') && !has_nul(value));
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The claims of a token that this process verified. Only [`Principal::verified_claims`](crate::Principal::verified_claims)
/// makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedClaims {
    pub(super) user: Uuid,
    pub(super) claims: UserClaims,
    pub(super) issued_at: i64,
}

impl VerifiedClaims {
    /// The user whose token it was.
    pub fn user(&self) -> Uuid {
        self.user
    }

    /// What the token said of the user.
    pub fn claims(&self) -> &UserClaims {
        &self.claims
    }

    /// When the token was issued, in seconds since 1970; 0 where it does not say.
    pub fn issued_at(&self) -> i64 {
        self.issued_at
    }
}

/// Accepts the 36-character form in either case. Braces, `urn:` and the form without hyphens are refused: with two
/// spellings of one user, comparisons go wrong.
pub(super) fn canonical_uuid(text: &str) -> Option<Uuid> {
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
            r#"{"sub":"6f9619ff-8b86-d011-b42d-00cf4fc964ff","exp":9999999999.9,"role":"service_role","is_service_role":true,"email":"a@b.c","jti":"x","behalf_uid":"00000000-0000-0000-0000-000000000001","behalf_sub":"x","nul":["a\u0000"]}"#,
        ), 60)
        .expect("valid claims");
        let bound: Value =
            serde_json::from_str(&claims.to_bound_json(Role::Authenticated, SubjectForm::Theirs)).expect("JSON");
        assert_eq!(
            bound,
            serde_json::json!({"sub": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "role": "authenticated", "email": "a@b.c"})
        );
        assert_eq!(claims.accepted_until, 9_999_999_999 + 60);
    }

    #[test]
    fn an_anonymous_or_timeless_token_is_no_user() {
        for bad in [
            r#"{"sub":"6f9619ff-8b86-d011-b42d-00cf4fc964ff","exp":1,"role":"anon"}"#,
            r#"{"sub":"6f9619ff-8b86-d011-b42d-00cf4fc964ff"}"#,
            r#"{"exp":1}"#,
            r#"{"sub":"6f9619ff-8b86-d011-b42d-00cf4fc964ff","exp":9999999999,"iat":"today"}"#,
            r#"{"sub":"6f9619ff-8b86-d011-b42d-00cf4fc964ff","exp":9999999999,"nbf":"tomorrow"}"#,
            r#"{"sub":"alice","exp":1}"#,
            r#"{"sub":["6f9619ff-8b86-d011-b42d-00cf4fc964ff"],"exp":1}"#,
        ] {
            assert!(Claims::from_payload(payload(bad), 60).is_err(), "{bad}");
        }
    }

    #[test]
    fn kept_claims_never_say_who_the_user_is_or_what_they_may() {
        let said = json!({
            "sub": "b", "role": "service_role", "aud": "other", "act": {"sub": "x"}, "is_service_role": true, "exp": 1,
            "behalf_uid": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "behalf_sub": "auth0|1",
            "app_metadata": {"tenant": "blue"}, "nul": ["a\u{0}b"],
        });
        let claims = UserClaims::read(said).expect("an object");
        assert_eq!(claims.to_json(), json!({"app_metadata": {"tenant": "blue"}}));
        let user = Uuid::from_u128(7);
        let acting = Acting { audience: "authenticated", actor: "service_role", form: SubjectForm::Theirs };
        let bound: Value = serde_json::from_str(&claims.to_bound_json(user, acting)).expect("JSON");
        assert_eq!(
            bound,
            json!({
                "sub": user, "role": "authenticated", "aud": "authenticated", "act": {"sub": "service_role"},
                "app_metadata": {"tenant": "blue"},
            })
        );
        assert_eq!(UserClaims::read(json!([])), Err(ClaimsError::Form));
        assert_eq!(UserClaims::read(json!({"x": "y".repeat(20_000)})), Err(ClaimsError::TooLarge));
    }
}
