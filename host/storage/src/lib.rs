//! Buckets and objects: `/storage/v1`, as Supabase Storage offers it.
//!
//! Owns the tables of the schema `storage`, the routes under `/storage/v1`, and resumable uploads. Every operation of a caller runs
//! as that caller (`CallerDb::run_fixed`), under the app's policies on `storage.objects` and `storage.buckets`. What needs no caller
//! (public buckets, signed addresses, the limits of a bucket) has the rights of the tables' owner: a look is one call of a function
//! (`HostDb::read`), a write a transaction (`HostDb::begin_storage`). Bytes are in `behalf-blobs`. Imports foundations only.

mod asset;
mod body;
mod caller;
mod change;
mod client_version;
mod cursor;
mod error;
mod for_tools;
mod import;
mod name;
mod object;
mod options;
mod routes;
mod size;
mod start;
mod state;
mod store;
mod upload;
mod url_signer;

pub use for_tools::ToolObjects;
pub use import::{ImportError, ImportOptions, ImportReport, Refused, TableReport, import};
pub use options::{StorageOptions, UploadLimits};
pub use routes::{elsewhere, routes};
pub use start::{TablesError, check_tables};
pub use state::Storage;
