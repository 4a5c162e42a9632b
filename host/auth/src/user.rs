//! A user, an identity and a second factor: as rows, and as clients read them.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::FromRow;
use uuid::Uuid;

use crate::error::AuthError;

/// The columns of `auth.users` that [`User`] reads, for `concat!`.
macro_rules! user_columns {
    () => {
        "id, aud, role, email, encrypted_password, email_confirmed_at, invited_at, confirmation_sent_at, recovery_sent_at, \
         email_change, email_change_sent_at, email_change_confirm_status, reauthentication_sent_at, last_sign_in_at, \
         raw_app_meta_data, raw_user_meta_data, phone, phone_confirmed_at, banned_until, created_at, updated_at, deleted_at, \
         is_sso_user, is_anonymous"
    };
}
pub(crate) use user_columns;

/// The columns of `auth.identities` that [`Identity`] reads, for `concat!`.
macro_rules! identity_columns {
    () => {
        "id, provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at, email"
    };
}
pub(crate) use identity_columns;

/// The most bytes of `user_metadata` and of `app_metadata`: both stand in each access token, and hosts take 16 KiB of one.
const MAX_METADATA_BYTES: usize = 5 * 1024;

/// Refuses `user_metadata` that is no object or too large for access tokens.
pub(crate) fn check_metadata(data: &Value) -> Result<(), AuthError> {
    if !data.is_object() {
        return Err(AuthError::validation("data must be an object"));
    }
    if data.to_string().len() > MAX_METADATA_BYTES {
        return Err(AuthError::validation(format!("data may have {MAX_METADATA_BYTES} bytes at most")));
    }
    Ok(())
}

/// A row of `auth.users`.
#[derive(Clone, Debug, FromRow)]
#[expect(clippy::struct_field_names, reason = "these are names of columns")]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) aud: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) encrypted_password: Option<String>,
    pub(crate) email_confirmed_at: Option<DateTime<Utc>>,
    pub(crate) invited_at: Option<DateTime<Utc>>,
    pub(crate) confirmation_sent_at: Option<DateTime<Utc>>,
    pub(crate) recovery_sent_at: Option<DateTime<Utc>>,
    /// The new address while it is not confirmed; empty otherwise.
    pub(crate) email_change: Option<String>,
    pub(crate) email_change_sent_at: Option<DateTime<Utc>>,
    pub(crate) email_change_confirm_status: Option<i16>,
    pub(crate) reauthentication_sent_at: Option<DateTime<Utc>>,
    pub(crate) last_sign_in_at: Option<DateTime<Utc>>,
    pub(crate) raw_app_meta_data: Option<Value>,
    pub(crate) raw_user_meta_data: Option<Value>,
    pub(crate) phone: Option<String>,
    pub(crate) phone_confirmed_at: Option<DateTime<Utc>>,
    pub(crate) banned_until: Option<DateTime<Utc>>,
    pub(crate) created_at: Option<DateTime<Utc>>,
    pub(crate) updated_at: Option<DateTime<Utc>>,
    pub(crate) deleted_at: Option<DateTime<Utc>>,
    pub(crate) is_sso_user: bool,
    pub(crate) is_anonymous: bool,
}

/// A row of `auth.identities`.
#[derive(Clone, Debug, FromRow)]
#[expect(clippy::struct_field_names, reason = "these are names of columns")]
pub(crate) struct Identity {
    pub(crate) id: Uuid,
    pub(crate) provider_id: String,
    pub(crate) user_id: Uuid,
    pub(crate) identity_data: Value,
    pub(crate) provider: String,
    pub(crate) last_sign_in_at: Option<DateTime<Utc>>,
    pub(crate) created_at: Option<DateTime<Utc>>,
    pub(crate) updated_at: Option<DateTime<Utc>>,
    pub(crate) email: Option<String>,
}

/// A row of `auth.mfa_factors`, without its secret.
#[derive(Clone, Debug, FromRow)]
#[expect(clippy::struct_field_names, reason = "these are names of columns")]
pub(crate) struct Factor {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) friendly_name: Option<String>,
    pub(crate) factor_type: String,
    pub(crate) status: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

impl User {
    /// Whether an administrator banned the user.
    pub(crate) fn is_banned(&self) -> bool {
        self.banned_until.is_some_and(|until| until > Utc::now())
    }

    /// The user as clients read it.
    pub(crate) fn to_json(&self, identities: &[Identity], factors: &[Factor]) -> Value {
        let mut user = json!({
            "id": self.id,
            "aud": self.aud.as_deref().unwrap_or_default(),
            "role": self.role.as_deref().unwrap_or_default(),
            "email": self.email.as_deref().unwrap_or_default(),
            "phone": self.phone.as_deref().unwrap_or_default(),
            "app_metadata": self.raw_app_meta_data.as_ref().unwrap_or(&json!({})),
            "user_metadata": self.raw_user_meta_data.as_ref().unwrap_or(&json!({})),
            "identities": identities.iter().map(Identity::to_json).collect::<Vec<_>>(),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "is_anonymous": self.is_anonymous,
        });
        let confirmed_at = match (self.email_confirmed_at, self.phone_confirmed_at) {
            (Some(email), Some(phone)) => Some(email.min(phone)),
            (email, phone) => email.or(phone),
        };
        let times = [
            ("email_confirmed_at", self.email_confirmed_at),
            ("phone_confirmed_at", self.phone_confirmed_at),
            ("confirmed_at", confirmed_at),
            ("invited_at", self.invited_at),
            ("confirmation_sent_at", self.confirmation_sent_at),
            ("recovery_sent_at", self.recovery_sent_at),
            ("email_change_sent_at", self.email_change_sent_at),
            ("reauthentication_sent_at", self.reauthentication_sent_at),
            ("last_sign_in_at", self.last_sign_in_at),
            ("banned_until", self.banned_until),
            ("deleted_at", self.deleted_at),
        ];
        for (name, time) in times {
            if let Some(time) = time {
                user[name] = json!(time);
            }
        }
        if let Some(new) = self.email_change.as_deref().filter(|new| !new.is_empty()) {
            user["new_email"] = json!(new);
        }
        if !factors.is_empty() {
            user["factors"] = factors.iter().map(Factor::to_json).collect();
        }
        user
    }
}

impl Identity {
    /// The identity as clients read it.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "identity_id": self.id,
            "id": self.provider_id,
            "user_id": self.user_id,
            "identity_data": self.identity_data,
            "provider": self.provider,
            "last_sign_in_at": self.last_sign_in_at,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "email": self.email,
        })
    }
}

impl Factor {
    /// The factor as clients read it.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "friendly_name": self.friendly_name,
            "factor_type": self.factor_type,
            "status": self.status,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        })
    }
}
