//! The options of reading documents.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderValue, Uri};

/// How documents are read.
#[derive(Clone, Debug)]
pub struct ExtractOptions {
    /// The folder in which files without a name are made. It is made if it is not there.
    pub folder: PathBuf,
    /// The most bytes of a file.
    pub max_bytes: u64,
    /// Where pictures of text are sent to be read, if anywhere.
    pub ocr: Option<OcrOptions>,
}

/// A server that reads the text of pictures. It gets the file as the body of a `POST`, and answers `{"pages": ["text", …]}`.
#[derive(Clone)]
pub struct OcrOptions {
    /// Its address.
    pub url: Uri,
    /// The value of `Authorization`, if it needs one.
    pub authorization: Option<HeaderValue>,
    /// How long it may take for one file.
    pub timeout: Duration,
}

impl std::fmt::Debug for OcrOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OcrOptions").finish_non_exhaustive()
    }
}
