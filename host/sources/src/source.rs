//! A source as clients see it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// How far a source's text has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExtractionStatus)]
pub(crate) enum Status {
    /// It waits.
    Pending,
    /// It is being fetched or read.
    Extracting,
    /// Its text is there.
    Extracted,
    /// It holds pictures and no text.
    AttentionRequired,
    /// It cannot be read; `error_code` and `error_message` say why.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl Status {
    /// Whether nothing more happens by itself.
    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Extracting)
    }

    /// The name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Extracting => "extracting",
            Self::Extracted => "extracted",
            Self::AttentionRequired => "attention_required",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of this name.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        let all =
            [Self::Pending, Self::Extracting, Self::Extracted, Self::AttentionRequired, Self::Failed, Self::Cancelled];
        all.into_iter().find(|status| status.as_str() == text)
    }
}

/// A document, and how far its text has been read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Source {
    /// Its id.
    pub(crate) id: Uuid,
    /// Whose it is; null for the service role's own.
    pub(crate) owner_id: Option<Uuid>,
    /// Its name.
    pub(crate) name: String,
    /// The end of its file's name, such as `pdf`.
    pub(crate) file_type: Option<String>,
    /// The media type of its file.
    pub(crate) content_type: Option<String>,
    /// The bytes of its file; null while it is not fetched.
    pub(crate) size: Option<i64>,
    /// A name for its file. The bytes are at `/api/sources/{source}/download`.
    pub(crate) storage_path: Option<String>,
    /// How far it is.
    pub(crate) extraction_status: Status,
    /// What was made of it.
    #[schema(value_type = Object)]
    pub(crate) derivatives: Value,
    /// What the app keeps with it.
    #[schema(value_type = Object)]
    pub(crate) metadata: Value,
    /// What its file says of itself.
    #[schema(value_type = Object)]
    pub(crate) auto_metadata: Value,
    /// Pages, as far as that is known.
    pub(crate) pages: Option<i32>,
    /// Pages that were read.
    pub(crate) pages_done: Option<i32>,
    /// How much of it was read, from 0 to 100; null while that is not known.
    pub(crate) percent: Option<i32>,
    /// Why it cannot be read, in one sentence.
    pub(crate) error_message: Option<String>,
    /// Why it cannot be read, in one word.
    pub(crate) error_code: Option<String>,
    /// The job that fetches or reads it.
    pub(crate) job_id: Option<Uuid>,
    /// When its text was there; RFC 3339.
    pub(crate) extracted_at: Option<String>,
    /// RFC 3339.
    pub(crate) created_at: String,
    /// RFC 3339.
    pub(crate) updated_at: String,
}

/// Where the bytes of a source are, beside what clients see of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StoredFile {
    /// The source's name.
    pub(crate) name: String,
    /// The end of its file's name.
    pub(crate) file_type: Option<String>,
    /// The media type of its file.
    pub(crate) content_type: Option<String>,
    /// The bytes, if they are there.
    pub(crate) blob_id: Option<Uuid>,
    /// How many bytes.
    pub(crate) size: Option<i64>,
    /// Their SHA-256 in hex.
    pub(crate) content_hash: Option<String>,
}

impl StoredFile {
    /// The name under which a browser saves it: with the end that says what it is.
    pub(crate) fn download_name(&self) -> String {
        match &self.file_type {
            Some(end) if crate::file_type::extension(&self.name).is_none_or(|own| !own.eq_ignore_ascii_case(end)) => {
                format!("{}.{end}", self.name)
            }
            _ => self.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_one_name() {
        for name in ["pending", "extracting", "extracted", "attention_required", "failed", "cancelled"] {
            let status = Status::of_text(name).expect(name);
            assert_eq!(serde_json::to_value(status).expect("JSON"), name);
        }
        assert_eq!(Status::of_text("Pending"), None);
    }

    #[test]
    fn a_saved_file_has_the_end_of_its_type() {
        let file = |name: &str, file_type: Option<&str>| StoredFile {
            name: name.to_owned(),
            file_type: file_type.map(str::to_owned),
            content_type: None,
            blob_id: None,
            size: None,
            content_hash: None,
        };
        assert_eq!(file("a.PDF", Some("pdf")).download_name(), "a.PDF");
        assert_eq!(file("Report", Some("pdf")).download_name(), "Report.pdf");
        assert_eq!(file("v1.2", Some("pdf")).download_name(), "v1.2.pdf");
        assert_eq!(file("Report", None).download_name(), "Report");
    }
}
