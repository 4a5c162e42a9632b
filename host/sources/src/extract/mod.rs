//! Reads documents: the job `sources.extract`.
//!
//! A file goes from the store of bytes to a temporary file that has no name, from there through the reader in the sandbox, and its
//! pages to a second such file. One transaction then replaces the source's pages, sets its status and ends the job. So nobody sees half
//! of a text, and a host that is killed leaves nothing but a job that another host begins again.
//!
//! What a document does ends in the status of its source. What the host's own parts do, such as a database that is away, is a failure
//! of the job, and is tried again.

mod copy;
mod handler;
mod ocr;
mod options;
mod outcome;
mod picture;
mod record;
mod spool;

pub use handler::ExtractHandler;
pub use options::{ExtractOptions, OcrOptions};
