//! How letters are made and sent.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Where letters go.
#[derive(Clone)]
pub enum Transport {
    /// To a server: `smtp://user:password@host:587`, which begins TLS on a plain connection, or `smtps://…`. `smtp://host?tls=none`
    /// uses no TLS, as does a server on this machine; then no password is sent to another machine.
    Smtp(String),
    /// To this folder, a file for each letter.
    Folder(PathBuf),
}

/// The address of a server may hold its password.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Smtp(_) => f.write_str("Smtp(…)"),
            Self::Folder(folder) => f.debug_tuple("Folder").field(folder).finish(),
        }
    }
}

/// How letters are made and sent.
#[derive(Clone, Debug)]
pub struct MailOptions {
    /// Where they go. `None`: nowhere, and what needs one is refused.
    pub transport: Option<Transport>,
    /// The sender, such as `My App <no-reply@app.example>`.
    pub from: String,
    /// A folder with templates of the operator's own, by the names of the kinds: `magic_link.html`, `magic_link.txt` and
    /// `magic_link.subject.txt`. With one of the first two and not the other, the letter has that part alone.
    pub templates: Option<PathBuf>,
}

/// Why letters cannot be sent.
#[derive(Debug, Error)]
pub enum MailError {
    /// An option does not fit.
    #[error("{0}")]
    Option(String),
}

impl MailError {
    /// An option that does not fit.
    pub(crate) fn option(what: impl Into<String>) -> Self {
        Self::Option(what.into())
    }
}
