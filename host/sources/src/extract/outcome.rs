//! How reading a document ends, as its source says it.

use behalf_sandbox::{Refusal, Summary};
use serde_json::{Value, json};

/// How reading a document ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Its pages are there.
    Extracted(Value),
    /// It holds pictures, and nothing here reads those.
    OnlyPictures,
    /// It cannot be read.
    Failed(Fault),
}

/// Why a source has no text: a code of a closed list, and one sentence for its owner. Neither quotes the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) sentence: &'static str,
}

/// The bytes are not in the store.
pub(super) const FILE_GONE: Fault = Fault { code: "file_gone", sentence: "The file is gone; upload it again." };

/// The bytes in the store are not those that were uploaded, or cannot be read.
pub(super) const UNREADABLE_BYTES: Fault =
    Fault { code: "unreadable_bytes", sentence: "The bytes of the file cannot be read; upload it again." };

/// The server that reads pictures failed, again and again.
pub(super) const OCR_FAILED: Fault =
    Fault { code: "ocr_failed", sentence: "The server that reads pictures could not be used; try again later." };

/// The host was too busy for it, again and again.
const DEADLINE: Fault = Fault { code: "deadline", sentence: "Reading the file took too long; try again later." };

/// The host failed, again and again.
const HOST_FAILED: Fault =
    Fault { code: "host_failed", sentence: "The host could not read the file; try again later." };

/// Whoever uploaded the file may not have it read any more.
const OWNER_GONE: Fault =
    Fault { code: "owner_gone", sentence: "The file was not read, because its owner may not sign in." };

impl Outcome {
    /// It in one word of a closed list, for metrics.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Extracted(_) => "extracted",
            Self::OnlyPictures => Refusal::OnlyPictures.code(),
            Self::Failed(fault) => fault.code,
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code(), sentence: refusal.sentence() }
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        if refusal == Refusal::OnlyPictures { Self::OnlyPictures } else { Self::Failed(refusal.into()) }
    }
}

/// What a source says where its job ended with this code.
pub(super) fn of_job(code: &str) -> Fault {
    match code {
        "deadline" => DEADLINE,
        "owner_gone" => OWNER_GONE,
        _ => HOST_FAILED,
    }
}

/// What a source keeps of what its file says of itself.
pub(super) fn metadata(summary: &Summary) -> Value {
    json!({
        "format": summary.format,
        "title": summary.title,
        "author": summary.author,
        "pages": summary.pages,
        "pictures": summary.pictures,
        "omitted": summary.omitted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_said_once_and_in_one_sentence() {
        let mut faults: Vec<Fault> = Refusal::ALL.into_iter().map(Fault::from).collect();
        faults.extend([FILE_GONE, UNREADABLE_BYTES, OCR_FAILED, HOST_FAILED, OWNER_GONE]);
        for fault in &faults {
            assert!(fault.sentence.ends_with('.') && fault.sentence.len() < 120, "{fault:?}");
            assert!(fault.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{fault:?}");
        }
        let mut codes: Vec<_> = faults.iter().map(|fault| fault.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), faults.len());
        // Time that ran out has one code, whether the document or the host used it up.
        assert_eq!(of_job("deadline").code, Fault::from(Refusal::Deadline).code);
        assert_eq!(of_job("anything").code, "host_failed");
    }
}
