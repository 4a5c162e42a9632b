//! What the service role sends about a user.

use behalf_passwords::{MAX_PASSWORD_BYTES, is_supported};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::AuthError;
use crate::store::managed_users::Ban;
use crate::{address, duration, phone};

/// The role of users. Tokens of users have no other: the keys are for the others.
pub(super) const USER_ROLE: &str = "authenticated";

/// A user to make or to change. What is absent stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = AdminUser)]
pub(crate) struct UserRequest {
    /// The id of a new user; a new one where absent.
    pub(super) id: Option<Uuid>,
    /// The mail address.
    email: Option<String>,
    /// The phone number, as in E.164. No messages are sent to it.
    phone: Option<String>,
    /// The password.
    pub(super) password: Option<String>,
    /// The hash of the password of a new user, argon2 or bcrypt.
    password_hash: Option<String>,
    /// Whether the address counts as confirmed.
    #[serde(default)]
    pub(super) email_confirm: Option<bool>,
    /// Whether the number counts as confirmed.
    #[serde(default)]
    pub(super) phone_confirm: Option<bool>,
    /// Fields of the metadata that users may change themselves; `null` takes one away.
    #[schema(value_type = Option<Object>)]
    pub(super) user_metadata: Option<Map<String, Value>>,
    /// Fields of the metadata that only the service role changes; `null` takes one away.
    #[schema(value_type = Option<Object>)]
    pub(super) app_metadata: Option<Map<String, Value>>,
    /// `authenticated`; users have no other role.
    role: Option<String>,
    /// For how long the user is banned, such as `24h`, or `none`.
    ban_duration: Option<String>,
}

/// A request whose fields fit.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) role: Option<String>,
    pub(super) password_hash: Option<String>,
    pub(super) ban: Option<Ban>,
}

impl UserRequest {
    /// Checks what needs no database.
    pub(super) fn check(&self) -> Result<Checked, AuthError> {
        if given(self.password.as_ref()).is_some() && given(self.password_hash.as_ref()).is_some() {
            return Err(AuthError::validation("Only a password or a password hash should be provided"));
        }
        let password_hash = given(self.password_hash.as_ref()).map(str::to_owned);
        if password_hash.as_deref().is_some_and(|hash| !is_supported(hash)) {
            return Err(AuthError::validation("password_hash must be an argon2 or bcrypt hash of a usual cost"));
        }
        Ok(Checked {
            email: given(self.email.as_ref()).map(address::parse).transpose()?,
            phone: given(self.phone.as_ref()).map(phone::parse).transpose()?,
            role: given(self.role.as_ref()).map(role).transpose()?,
            password_hash,
            ban: given(self.ban_duration.as_ref()).map(ban).transpose()?,
        })
    }

    /// The names of the fields that were sent, for the audit log.
    pub(super) fn fields(&self) -> Vec<&'static str> {
        [
            ("email", self.email.is_some()),
            ("phone", self.phone.is_some()),
            ("password", self.password.is_some()),
            ("password_hash", self.password_hash.is_some()),
            ("email_confirm", self.email_confirm.is_some()),
            ("phone_confirm", self.phone_confirm.is_some()),
            ("user_metadata", self.user_metadata.is_some()),
            ("app_metadata", self.app_metadata.is_some()),
            ("role", self.role.is_some()),
            ("ban_duration", self.ban_duration.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, sent)| sent.then_some(name))
        .collect()
    }
}

/// Checks that hashes read the whole password.
pub(super) fn check_length(password: &str) -> Result<(), AuthError> {
    if password.len() > MAX_PASSWORD_BYTES {
        let message = format!("Password cannot be longer than {MAX_PASSWORD_BYTES} characters");
        return Err(AuthError::validation(message));
    }
    Ok(())
}

/// A field that is there and not empty: GoTrue reads an empty text as an absent one.
fn given(field: Option<&String>) -> Option<&str> {
    field.map(String::as_str).filter(|text| !text.is_empty())
}

fn role(text: &str) -> Result<String, AuthError> {
    if text == USER_ROLE {
        return Ok(text.to_owned());
    }
    Err(AuthError::validation(format!("role must be {USER_ROLE:?}: users have no other role")))
}

fn ban(text: &str) -> Result<Ban, AuthError> {
    if text == "none" {
        return Ok(Ban::Lifted);
    }
    let wrong = || AuthError::validation("invalid format for ban duration: write a duration such as 24h, or none");
    let time = duration::parse(text).ok_or_else(wrong)?;
    if time.is_zero() {
        return Ok(Ban::Lifted);
    }
    Utc::now().checked_add_signed(time).map(Ban::Until).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(body: Value) -> Result<Checked, AuthError> {
        serde_json::from_value::<UserRequest>(body).expect("a request").check()
    }

    #[test]
    fn a_user_gets_no_role_of_a_key() {
        for role in ["service_role", "anon", "postgres", "supabase_auth_admin", "Authenticated", "authenticated "] {
            assert!(checked(json!({ "role": role })).is_err(), "{role}");
        }
        assert_eq!(
            checked(json!({ "role": "authenticated" })).expect("it fits").role.as_deref(),
            Some("authenticated")
        );
        assert_eq!(checked(json!({ "role": "" })).expect("it fits").role, None);
    }

    #[test]
    fn a_ban_ends_in_the_future_or_now() {
        let ban = |text: &str| checked(json!({ "ban_duration": text })).expect("it fits").ban;
        assert_eq!(ban("none"), Some(Ban::Lifted));
        assert_eq!(ban(""), None);
        let hour = Utc::now() + chrono::TimeDelta::hours(23);
        assert!(matches!(ban("24h"), Some(Ban::Until(end)) if end > hour));
        assert!(checked(json!({ "ban_duration": "1 day" })).is_err());
    }

    #[test]
    fn a_hash_that_nobody_can_check_is_refused() {
        for bad in ["plain", "$2a$10$short", "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$aGFzaA", "$1$x$y"] {
            assert!(checked(json!({ "password_hash": bad })).is_err(), "{bad}");
        }
        let bcrypt = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
        assert!(checked(json!({ "password_hash": bcrypt })).is_ok());
        assert!(checked(json!({ "password_hash": bcrypt, "password": "a-password" })).is_err());
    }
}
