//! Why bytes cannot be read or written.

use std::io;

use thiserror::Error;

/// Why bytes cannot be read, or a blob not be begun.
#[derive(Debug, Error)]
pub enum BlobError {
    /// The store has no such bytes.
    #[error("the bytes are gone")]
    Gone,
    /// The range begins behind the end.
    #[error("the range begins behind the end of the {size} bytes")]
    Range {
        /// All bytes.
        size: u64,
    },
    /// The store is full.
    #[error("the store has no space left")]
    Full,
    /// The list of blobs cannot be read or written.
    #[error("the list of blobs cannot be used")]
    Ledger(#[from] sqlx::Error),
    /// The store failed.
    #[error("the store of bytes failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl BlobError {
    /// What an error of the file system means.
    pub(crate) fn from_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Gone,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::Full,
            _ => Self::Store(Box::new(error)),
        }
    }

    /// What an error of an object store means.
    pub(crate) fn from_store(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Gone,
            error => Self::Store(Box::new(error)),
        }
    }
}

/// Why a blob was not written; nothing of it is kept.
#[derive(Debug, Error)]
pub enum WriteError<E> {
    /// There are more bytes than are allowed.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    /// Whoever sends the bytes failed.
    #[error("the source of the bytes failed")]
    Source(E),
    /// They cannot be kept.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// Why the store cannot be used at all.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The address of the store is wrong.
    #[error("{0}")]
    Address(String),
    /// The folder cannot be made or opened.
    #[error("cannot use the folder of the store of bytes")]
    Folder(#[from] io::Error),
    /// The client of the store cannot be made.
    #[error("cannot use the store of bytes")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}
