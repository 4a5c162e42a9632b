//! A letter before it is written.

use std::fmt;

use serde_json::Value;

/// What a letter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LetterKind {
    /// Confirm a new account.
    Confirmation,
    /// Sign in by a link or code.
    MagicLink,
    /// Set a new password.
    Recovery,
    /// An administrator invites somebody.
    Invite,
    /// Confirm a new address. To the new address, and to the old one where both have to agree.
    EmailChange,
    /// Confirm a sensitive change by a code.
    Reauthentication,
}

impl LetterKind {
    /// Every kind.
    pub(crate) const ALL: [Self; 6] =
        [Self::Confirmation, Self::MagicLink, Self::Recovery, Self::Invite, Self::EmailChange, Self::Reauthentication];

    /// The name of its templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::MagicLink => "magic_link",
            Self::Recovery => "recovery",
            Self::Invite => "invite",
            Self::EmailChange => "email_change",
            Self::Reauthentication => "reauthentication",
        }
    }
}

/// A letter to one user.
#[derive(Clone)]
pub struct Letter {
    /// The address.
    pub to: String,
    /// What it is about.
    pub kind: LetterKind,
    /// The link that does it, if there is one.
    pub confirmation_url: Option<String>,
    /// The one-time code.
    pub token: String,
    /// The hash by which the link names the code.
    pub token_hash: String,
    /// The app's address.
    pub site_url: String,
    /// Where the link leads afterwards.
    pub redirect_to: String,
    /// The user's address, and the new one where it changes.
    pub email: String,
    /// The new address, where it changes.
    pub new_email: Option<String>,
    /// `user_metadata`.
    pub data: Value,
}

/// Whoever prints a letter prints neither the address nor the code.
impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").field("kind", &self.kind).finish_non_exhaustive()
    }
}
