//! Letters that somebody asked for, which are written after the answer.

use behalf_host_db::AuthTx;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::client::Client;
use crate::error::AuthError;
use crate::external::pkce::Challenge;
use crate::letters::{self, By, LinkKind};
use crate::proof;
use crate::state::Auth;
use crate::store::audit_entries::{self, Entry};
use crate::store::users::{self, NewUser};
use crate::user::User;

/// A letter to write after the answer.
pub(super) struct Asked {
    /// Who asks.
    pub(super) client: Client,
    /// The address that was named.
    pub(super) address: String,
    /// Where the link leads.
    pub(super) redirect_to: String,
    /// The challenge of the PKCE flow.
    pub(super) challenge: Option<Challenge>,
    /// What the letter is for.
    pub(super) what: What,
}

/// What a letter is for.
pub(super) enum What {
    /// A link that signs in; with the metadata of the user to add, if one may be added.
    SignIn(Option<Value>),
    /// A link to a lost account.
    Recovery,
    /// The confirmation of a new account, again.
    Confirmation,
    /// The confirmations of a new address, again.
    EmailChange,
}

impl Asked {
    /// Writes the letter, if there is anything to send.
    pub(super) async fn write(&self, auth: &Auth) -> Result<(), AuthError> {
        match self.what {
            What::EmailChange => change_again(auth, self).await,
            _ => link(auth, self).await,
        }
    }
}

/// A link to the present address.
async fn link(auth: &Auth, asked: &Asked) -> Result<(), AuthError> {
    let mut tx = auth.begin().await?;
    let user = users::by_email(&mut tx, &asked.address).await?;
    let (user, kind) = match (user, &asked.what) {
        (Some(user), What::SignIn(_)) if is_new(&user) => (user, LinkKind::SignUp),
        (Some(user), What::SignIn(_)) => (user, LinkKind::MagicLink),
        (None, What::SignIn(Some(data))) => {
            let kind = if auth.options.auto_confirm { LinkKind::MagicLink } else { LinkKind::SignUp };
            (add(auth, &mut tx, &asked.address, data).await?, kind)
        }
        (Some(user), What::Recovery) => (user, LinkKind::Recovery),
        (Some(user), What::Confirmation) if user.email_confirmed_at.is_none() => (user, LinkKind::SignUp),
        _ => return Ok(()),
    };
    let posted = letters::write(auth, &mut tx, &user, kind, &asked.redirect_to, asked.challenge.as_ref()).await?;
    let entry = if kind == LinkKind::SignUp { Entry::ConfirmationRequested } else { Entry::RecoveryRequested };
    audit_entries::add(&mut tx, &user, entry, Some(&asked.client), None).await?;
    posted.commit(auth, tx).await
}

/// Whether the account waits for its first letter and has nothing that a stranger may have set. An account with a password gets
/// a link to sign in instead: following it drops the password, which whoever made the account set before the address was proved.
fn is_new(user: &User) -> bool {
    user.email_confirmed_at.is_none() && user.encrypted_password.as_deref().unwrap_or_default().is_empty()
}

/// Adds a user without a password.
async fn add(auth: &Auth, tx: &mut AuthTx, address: &str, data: &Value) -> Result<User, AuthError> {
    let id = Uuid::new_v4();
    let mut metadata = data.as_object().cloned().unwrap_or_else(Map::new);
    let own =
        json!({ "sub": id, "email": address, "email_verified": auth.options.auto_confirm, "phone_verified": false });
    metadata.extend(own.as_object().cloned().unwrap_or_default());
    let new = NewUser {
        id: Some(id),
        email: Some(address.to_owned()),
        confirmed: auth.options.auto_confirm,
        app_metadata: json!({ "provider": "email", "providers": ["email"] }),
        user_metadata: Value::Object(metadata),
        ..NewUser::default()
    };
    let user = users::add(tx, &new).await?;
    proof::add_identity(tx, id, address, auth.options.auto_confirm).await?;
    Ok(user)
}

/// Sends the letters of a change of address again.
async fn change_again(auth: &Auth, asked: &Asked) -> Result<(), AuthError> {
    let mut tx = auth.begin().await?;
    let seen = users::read_by_email(&mut tx, &asked.address).await?;
    let Some(new) = seen.as_ref().and_then(waiting_address) else { return Ok(()) };
    // The letter to the present address was counted before the answer. The one to the new address is counted before the user's row
    // is locked.
    letters::count(auth, &mut tx, By::Anybody(&asked.client), new).await?;
    let Some(user) = users::by_email(&mut tx, &asked.address).await? else { return Ok(()) };
    if waiting_address(&user) != Some(new) {
        return Ok(());
    }
    let is_taken = proof::is_taken(&mut tx, new, user.id).await?;
    let (to, challenge) = (asked.redirect_to.as_str(), asked.challenge.as_ref());
    let posted = letters::write_email_change(auth, &mut tx, &user, new, is_taken, to, challenge).await?;
    audit_entries::add(&mut tx, &user, Entry::ConfirmationRequested, Some(&asked.client), None).await?;
    posted.commit(auth, tx).await
}

/// The address to which the user wants to change.
fn waiting_address(user: &User) -> Option<&str> {
    user.email_change.as_deref().filter(|new| !new.is_empty())
}
