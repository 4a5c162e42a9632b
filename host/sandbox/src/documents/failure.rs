//! Why a document was not read.

use std::io;
use std::time::Duration;

use thiserror::Error;

use super::bindings::Reason;
use crate::compiled::CompileError;

/// Why a document was not read.
#[derive(Debug, Error)]
pub enum ReadFailure {
    /// It is due to the document: reading it again would end in the same way.
    #[error("the document was not read: {}", .0.code())]
    Document(Refusal),
    /// Whoever asked for it wants it no more.
    #[error("reading the document was stopped")]
    Stopped,
    /// It is due to the host: reading the document later may succeed.
    #[error(transparent)]
    Host(#[from] ReaderError),
}

/// What is wrong with a document. The list is closed: each has a stable code and one sentence, and neither quotes the document. The
/// component's own words are not passed on, because it has read the document before it says them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
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
    /// Reading it takes more memory than there is for one document.
    Memory,
    /// Reading it takes more processor time than there is for one document.
    Deadline,
    /// It holds more text than a document may, or a page does.
    TooMuchText,
    /// It holds more pages than a document may.
    TooManyPages,
    /// The component that reads documents fails with it.
    Crashed,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::UnknownFormat,
        Self::Damaged,
        Self::Encrypted,
        Self::TooLarge,
        Self::OnlyPictures,
        Self::Empty,
        Self::Memory,
        Self::Deadline,
        Self::TooMuchText,
        Self::TooManyPages,
        Self::Crashed,
    ];

    /// A stable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownFormat => "unknown_format",
            Self::Damaged => "damaged",
            Self::Encrypted => "encrypted",
            Self::TooLarge => "too_large",
            Self::OnlyPictures => "only_pictures",
            Self::Empty => "empty",
            Self::Memory => "memory",
            Self::Deadline => "deadline",
            Self::TooMuchText => "too_much_text",
            Self::TooManyPages => "too_many_pages",
            Self::Crashed => "crashed",
        }
    }

    /// One sentence for the document's owner.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::UnknownFormat => "The file is of no format that can be read.",
            Self::Damaged => "The file is damaged, or it is not of the format that its beginning shows.",
            Self::Encrypted => "The file is protected by a password; upload it without one.",
            Self::TooLarge => "The file holds more, when it is unpacked, than a document may hold.",
            Self::OnlyPictures => "The file holds pictures and no text.",
            Self::Empty => "The file holds no text.",
            Self::Memory => "The file needs more memory to be read than a document may need.",
            Self::Deadline => "The file takes longer to be read than a document may take.",
            Self::TooMuchText => "The file holds more text than a document may hold.",
            Self::TooManyPages => "The file holds more pages than a document may hold.",
            Self::Crashed => "The file cannot be read: the reader of documents failed with it.",
        }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::UnknownFormat => Self::UnknownFormat,
            Reason::Damaged => Self::Damaged,
            Reason::Encrypted => Self::Encrypted,
            Reason::TooLarge => Self::TooLarge,
            Reason::OnlyPictures => Self::OnlyPictures,
            Reason::Empty => Self::Empty,
        }
    }
}

/// What failed in the host.
#[derive(Debug, Error)]
pub enum ReaderError {
    /// The engine could not be set up.
    #[error("cannot set up the WebAssembly engine for documents")]
    Engine(#[source] wasmtime::Error),
    /// The folder for compiled code is not usable.
    #[error("cannot use the folder for compiled code; it must be a folder of this user's with mode 0700")]
    Cache(#[source] io::Error),
    /// The component that reads documents has no native code.
    #[error("the component that reads documents cannot be compiled")]
    Compile(#[source] CompileError),
    /// The component imports what documents are not read with.
    #[error("the component that reads documents does not fit this host")]
    Link(#[source] wasmtime::Error),
    /// No thread could be started, or it ended without an answer.
    #[error("a thread that reads documents failed")]
    Thread(#[source] io::Error),
    /// The bytes of the document cannot be read.
    #[error("the bytes of a document cannot be read")]
    File(#[source] io::Error),
    /// The time passed before the reader had used its processor time: the host is too busy.
    #[error("reading a document took more than {} s, most of which it waited", .0.as_secs())]
    TooSlow(Duration),
}
