//! Why a document cannot be read, and how a reader stops.

use std::error::Error;
use std::fmt;
use std::io;

/// What kind of failure it is; the same kinds as in `extraction.wit`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// No format that is known.
    UnknownFormat,
    /// Its bytes are not those of its format.
    Damaged,
    /// It needs a password.
    Encrypted,
    /// It is larger, when it is unpacked, than a document may be.
    TooLarge,
    /// It holds pictures and no text.
    OnlyPictures,
    /// It holds nothing.
    Empty,
}

/// A document that cannot be read. The message is a constant, so that it can quote nothing of the document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failure {
    /// Its kind.
    pub reason: Reason,
    /// One sentence for the document's owner.
    pub message: &'static str,
}

impl Failure {
    pub(crate) const fn unknown_format(message: &'static str) -> Self {
        Self { reason: Reason::UnknownFormat, message }
    }

    pub(crate) const fn damaged(message: &'static str) -> Self {
        Self { reason: Reason::Damaged, message }
    }

    pub(crate) const fn encrypted(message: &'static str) -> Self {
        Self { reason: Reason::Encrypted, message }
    }

    pub(crate) const fn too_large(message: &'static str) -> Self {
        Self { reason: Reason::TooLarge, message }
    }

    pub(crate) const fn only_pictures(message: &'static str) -> Self {
        Self { reason: Reason::OnlyPictures, message }
    }

    pub(crate) const fn empty(message: &'static str) -> Self {
        Self { reason: Reason::Empty, message }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.message)
    }
}

impl Error for Failure {}

/// Libraries that read from a bounded reader pass its failure through in their own errors.
impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        Self::other(failure)
    }
}

/// Why a reader ends before the document does.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The host wants no more pages. What was handed over stays.
    Enough,
    /// The document cannot be read.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Finds the failure that a bounded reader has put into it. Any other error means that the bytes are wrong.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(failure_in(&error))
    }
}

/// The failure inside of an error of a library, or that the document is damaged.
pub(crate) fn failure_in(error: &(dyn Error + 'static)) -> Failure {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return *failure;
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    Failure::damaged("The file is damaged: its content cannot be read.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_found_again_inside_of_other_errors() {
        let failure = Failure::too_large("It is too large.");
        let error = io::Error::other(io::Error::from(failure));
        assert_eq!(failure_in(&error), failure);
        assert_eq!(failure_in(&io::Error::other("something")).reason, Reason::Damaged);
    }
}
