//! Letters to users: made from templates, and sent by SMTP or written to a folder.
//!
//! Owns the templates and the line of letters that wait. Knows no database and no feature. No log line holds an address, a code or
//! what a mail server said.

mod delivery;
mod letter;
mod message;
mod options;
mod outbox;
mod template;
mod templates;
#[cfg(test)]
mod tests;

pub use letter::{Letter, LetterKind};
pub use options::{MailError, MailOptions, Transport};
pub use outbox::Outbox;
