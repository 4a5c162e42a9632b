//! Bytes by id: in a local folder, or in an object store (S3, GCS, Azure). The database never holds them.
//!
//! Owns `behalf.blobs`, the list of all bytes that were ever begun and not deleted. A blob is listed before its first byte is
//! written, and a row of another table names it in the transaction that makes it visible (triggers do that). So bytes that nothing
//! names are found without looking at the store, whatever was killed. Knows no feature. A path or name of a user never becomes a
//! path or name in the store: only the blob's id does.

mod acts;
mod backend;
mod check;
mod error;
mod folder;
mod hash;
mod id;
mod intake;
mod lease;
mod ledger;
mod options;
mod reader;
mod remote;
mod store;
mod sweep;
mod upload;
mod writer;

pub use check::check_place;
pub use error::{BlobError, OpenError, WriteError};
pub use id::BlobId;
pub use options::{BlobOptions, BlobPlace};
pub use reader::BlobReader;
pub use store::{BlobPurpose, Blobs};
pub use upload::PartUpload;
pub use writer::{NewBlob, Stored};
