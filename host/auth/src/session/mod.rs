//! Sessions: their tokens, how they are refreshed, and how they end.

use behalf_host_db::AuthTx;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::client::Client;
use crate::error::AuthError;
use crate::state::Auth;

/// How a user proved who they are: an entry of `amr`. The names are GoTrue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// A password.
    Password,
    /// A one-time code.
    Otp,
    /// A link in a letter.
    MagicLink,
    /// A link to a lost account.
    Recovery,
    /// An invitation.
    Invite,
    /// The confirmation of a new account.
    EmailSignup,
    /// The confirmation of a new address.
    EmailChange,
    /// External sign-in.
    OAuth,
    /// No proof: an anonymous user.
    Anonymous,
    /// A second factor.
    Totp,
}

impl Method {
    /// The name in `amr` and in `auth.mfa_amr_claims`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Otp => "otp",
            Self::MagicLink => "magiclink",
            Self::Recovery => "recovery",
            Self::Invite => "invite",
            Self::EmailSignup => "email/signup",
            Self::EmailChange => "email_change",
            Self::OAuth => "oauth",
            Self::Anonymous => "anonymous",
            Self::Totp => "totp",
        }
    }

    /// The method of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [
            Self::Password,
            Self::Otp,
            Self::MagicLink,
            Self::Recovery,
            Self::Invite,
            Self::EmailSignup,
            Self::EmailChange,
            Self::OAuth,
            Self::Anonymous,
            Self::Totp,
        ]
        .into_iter()
        .find(|method| method.as_str() == name)
    }
}

/// A session with its tokens, as clients read it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// The access token, a JWT.
    pub(crate) access_token: String,
    /// `bearer`.
    pub(crate) token_type: &'static str,
    /// Seconds for which the access token is valid.
    pub(crate) expires_in: u64,
    /// When it ends, in seconds since 1970.
    pub(crate) expires_at: i64,
    /// The token that gets the next access token, once.
    pub(crate) refresh_token: String,
    /// The user.
    #[schema(value_type = Object)]
    pub(crate) user: Value,
    /// The provider's own access token, after an external sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider_token: Option<String>,
    /// The provider's own refresh token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider_refresh_token: Option<String>,
    /// Why the password is weak, where it is: `{"message", "reasons"}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) weak_password: Option<Value>,
}

impl Auth {
    /// Begins a session for a user who proved by `method` who they are: writes the session, its first refresh token and its
    /// `amr` entry, notes the sign-in, and signs an access token. Refuses banned and deleted users. The caller commits `tx`.
    pub(crate) async fn sign_in(
        &self,
        _tx: &mut AuthTx,
        _user: Uuid,
        _method: Method,
        _client: &Client,
    ) -> Result<Session, AuthError> {
        Err(AuthError::new(500, "unexpected_failure", "not built"))
    }

    /// The user as clients read it, with identities and factors.
    pub(crate) async fn user_json(&self, _tx: &mut AuthTx, _user: Uuid) -> Result<Value, AuthError> {
        Err(AuthError::new(500, "unexpected_failure", "not built"))
    }

    /// Signs a new access token for a session that exists and gives it a new refresh token: after a second factor, and where the
    /// claims changed. The caller commits `tx`.
    pub(crate) async fn renew(&self, _tx: &mut AuthTx, _session: Uuid, _added: Option<Method>) -> Result<Session, AuthError> {
        Err(AuthError::new(500, "unexpected_failure", "not built"))
    }

    /// Ends sessions of a user: all, all but one, or one. Every host refuses their tokens within a second after the commit.
    pub(crate) async fn end_sessions(&self, _tx: &mut AuthTx, _user: Uuid, _which: Which) -> Result<(), AuthError> {
        Err(AuthError::new(500, "unexpected_failure", "not built"))
    }
}

/// Which sessions of a user end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    /// All of them.
    All,
    /// All but this one.
    AllBut(Uuid),
    /// This one.
    One(Uuid),
}
