//! Sources: documents that users upload, and the text that is read out of them. `/api/sources`.
//!
//! Owns the tables `ai.sources` and `ai.source_pages`, their routes, and the jobs that fetch and read documents. Reads run as the
//! caller (`CallerDb::run_fixed`), under the app's policies on `ai.sources`; writes run in the owner's name (`HostDb::begin`), under
//! the policies for the host. Bytes are in `behalf-blobs`, and documents are read in the sandbox. Imports foundations only.

mod extract;
