//! Sessions: their tokens, how they are refreshed, and how they end.

mod chain;
mod claims;
mod live;
mod prune;
mod refresh;

use behalf_host_db::AuthTx;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::client::Client;
use crate::error::AuthError;
use crate::state::Auth;
use crate::store::audit_entries::{self, Entry};
use crate::store::sessions::SessionRow;
use crate::store::{factors, identities, refresh_tokens, sessions, users};
use crate::user::User;

pub use live::{Sessions, follow_ended};
pub(crate) use prune::prune;

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
        tx: &mut AuthTx,
        user: Uuid,
        method: Method,
        client: &Client,
    ) -> Result<Session, AuthError> {
        let found = users::by_id(tx, user).await?.ok_or_else(no_user)?;
        if found.is_banned() {
            return Err(AuthError::new(403, "user_banned", "User is banned"));
        }
        let row = sessions::add(tx, user, &chain::new_key()?, self.options.session_lifetime, client).await?;
        sessions::prove(tx, row.id, method).await?;
        let token = chain::first()?;
        refresh_tokens::add(tx, user, row.id, &token, None).await?;
        users::signed_in(tx, user).await?;
        let traits = json!({ "provider": method.as_str() });
        audit_entries::add(tx, &found, Entry::SignedIn, Some(client), Some(traits)).await?;
        self.issue(tx, user, &row, token, method.as_str()).await
    }

    /// The user as clients read it, with identities and factors.
    pub(crate) async fn user_json(&self, tx: &mut AuthTx, user: Uuid) -> Result<Value, AuthError> {
        let found = users::read(tx, user).await?.ok_or_else(no_user)?;
        self.with_parts(tx, &found).await
    }

    /// Signs a new access token for a session that exists and gives it a new refresh token: after a second factor, and where the
    /// claims changed. The caller commits `tx`.
    pub(crate) async fn renew(
        &self,
        tx: &mut AuthTx,
        session: Uuid,
        added: Option<Method>,
    ) -> Result<Session, AuthError> {
        let row = sessions::lock(tx, session).await?.ok_or_else(no_session)?;
        if let Some(method) = added {
            sessions::prove(tx, session, method).await?;
        }
        // The client that lost the answer still has this one, and may go on with it.
        let parent = refresh_tokens::active(tx, session).await?.map(|active| active.token);
        refresh_tokens::use_up(tx, session).await?;
        let token = chain::first()?;
        refresh_tokens::add(tx, row.user_id, session, &token, parent.as_deref()).await?;
        // The proof may have raised the session.
        let row = sessions::lock(tx, session).await?.ok_or_else(no_session)?;
        let method = added.map_or("token_refresh", Method::as_str);
        self.issue(tx, row.user_id, &row, token, method).await
    }

    /// Ends sessions of a user: all, all but one, or one. Every host refuses their tokens within a second after the commit.
    pub(crate) async fn end_sessions(&self, tx: &mut AuthTx, user: Uuid, which: Which) -> Result<(), AuthError> {
        sessions::end(tx, user, which).await
    }

    /// Signs an access token for a session, and puts it together with the refresh token.
    async fn issue(
        &self,
        tx: &mut AuthTx,
        user: Uuid,
        row: &SessionRow,
        refresh_token: String,
        method: &str,
    ) -> Result<Session, AuthError> {
        let user = users::read(tx, user).await?.ok_or_else(no_user)?;
        let (access_token, expires_at) = self.access_token(tx, &user, row, method).await?;
        let left = expires_at.saturating_sub(chrono::Utc::now().timestamp());
        Ok(Session {
            access_token,
            token_type: "bearer",
            // A client takes a session without this for none.
            expires_in: u64::try_from(left).unwrap_or_default().max(1),
            expires_at,
            refresh_token,
            user: self.with_parts(tx, &user).await?,
            provider_token: None,
            provider_refresh_token: None,
            weak_password: None,
        })
    }

    async fn with_parts(&self, tx: &mut AuthTx, user: &User) -> Result<Value, AuthError> {
        let identities = identities::of_user(tx, user.id).await?;
        let factors = factors::of_user(tx, user.id).await?;
        Ok(user.to_json(&identities, &factors))
    }
}

/// The user was deleted, or belongs to another issuer.
pub(crate) fn no_user() -> AuthError {
    AuthError::new(403, "user_not_found", "User from sub claim in JWT does not exist")
}

/// The session has ended.
pub(crate) fn no_session() -> AuthError {
    AuthError::new(403, "session_not_found", "Session from session_id claim in JWT does not exist")
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
