//! Table `auth.users`.

use behalf_host_db::AuthTx;
use serde_json::Value;
use uuid::Uuid;

use crate::error::AuthError;
use crate::user::User;

/// A user to add.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewUser {
    /// The id; a new one where it is `None`.
    pub(crate) id: Option<Uuid>,
    /// The address in lower case; none for anonymous users.
    pub(crate) email: Option<String>,
    /// The hash of the password.
    pub(crate) password: Option<String>,
    /// Whether the address counts as confirmed.
    pub(crate) confirmed: bool,
    /// `app_metadata`, with `provider` and `providers`.
    pub(crate) app_metadata: Value,
    /// `user_metadata`.
    pub(crate) user_metadata: Value,
    /// Whether it is an anonymous user.
    pub(crate) anonymous: bool,
    /// The database role of its tokens.
    pub(crate) role: Option<String>,
}

/// Adds a user. `email_exists` where another user has the address.
pub(crate) async fn add(_tx: &mut AuthTx, _user: &NewUser) -> Result<User, AuthError> {
    Err(AuthError::new(500, "unexpected_failure", "not built"))
}

/// The user of this id who was not deleted, locked until the transaction ends.
pub(crate) async fn by_id(_tx: &mut AuthTx, _id: Uuid) -> Result<Option<User>, AuthError> {
    Err(AuthError::new(500, "unexpected_failure", "not built"))
}

/// The user with this address in any case, who was not deleted and is no user of single sign-on, locked until the transaction ends.
pub(crate) async fn by_email(_tx: &mut AuthTx, _email: &str) -> Result<Option<User>, AuthError> {
    Err(AuthError::new(500, "unexpected_failure", "not built"))
}
