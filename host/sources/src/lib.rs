//! Sources: documents that users upload, and the text that is read out of them. `/api/sources`.
//!
//! Owns the tables `ai.sources` and `ai.source_pages`, their routes, and the jobs that fetch and read documents. What is read for a
//! caller runs as that caller (`CallerDb::run_fixed`), under the app's policies on `ai.sources`; what is written runs in the owner's
//! name (`HostDb::begin`), so nobody changes a source that is not their own. Bytes are in `behalf-blobs`, jobs in `behalf-queue`, and
//! documents are read in the sandbox. Imports foundations only. Never does: keep a file or a text anywhere but in these places; write
//! what a job found after its source was cancelled, deleted or given another job (`work`).

mod download;
mod error;
mod extract;
mod fetch;
mod file_type;
mod metadata;
mod name;
mod options;
mod routes;
mod source;
mod state;
mod store;
mod token;
mod upload;
mod watch;
mod work;

pub use extract::{ExtractHandler, ExtractOptions, OcrOptions};
pub use fetch::FetchHandler;
pub use options::SourcesOptions;
pub use routes::{elsewhere, routes};
pub use state::{Sources, SourcesParts};
pub use work::{DOCUMENTS_LANE, IMPORTS_LANE};
