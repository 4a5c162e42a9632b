//! A file that was taken becomes a source.

use behalf_identity::Principal;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Taken;
use crate::error::SourceError;
use crate::file_type::FileType;
use crate::name;
use crate::source::Status;
use crate::state::Sources;
use crate::store::new::{self, NewSource};

/// Letters of the hash in the name of a file, as the platform has them.
const HASH_LETTERS: usize = 8;

/// A file that becomes a source.
#[derive(Debug)]
pub(crate) struct NewFile {
    /// The id that the source gets.
    pub(crate) id: Uuid,
    /// The name that it gets.
    pub(crate) name: String,
    /// What kind of file it is.
    pub(crate) file_type: FileType,
    /// What the app and the host keep with it.
    pub(crate) metadata: Map<String, Value>,
    /// The bytes.
    pub(crate) taken: Taken,
    /// How it came, for the audit log.
    pub(crate) came_by: &'static str,
}

/// A source that was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AddedSource)]
pub(crate) struct Added {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
    /// The end of its file's name.
    file_type: &'static str,
    /// The media type of its file.
    content_type: &'static str,
    /// The bytes of its file.
    size: i64,
    /// A name for its file.
    storage_path: String,
    /// `pending`.
    extraction_status: Status,
    /// The job that reads it.
    task_id: Uuid,
}

impl NewFile {
    /// Adds the source. Without a row, the bytes are deleted.
    pub(crate) async fn add(
        self,
        sources: &Sources,
        principal: &Principal,
        request_id: &str,
    ) -> Result<Added, SourceError> {
        let Self { id, name, file_type, metadata, taken, came_by } = self;
        let storage_path = storage_path(id, &name, &taken.hash, file_type);
        let row = NewSource {
            id,
            name: &name,
            file_type: file_type.extension(),
            content_type: file_type.content_type(),
            storage_path: &storage_path,
            size: taken.rows_size(),
            content_hash: &taken.hash,
            blob_id: taken.blob.id().to_string(),
            metadata,
            came_by,
        };
        let task_id = new::add(sources, principal, &row, request_id).await?;
        let size = row.size;
        taken.blob.keep();
        Ok(Added {
            id,
            name,
            file_type: file_type.extension(),
            content_type: file_type.content_type(),
            size,
            storage_path,
            extraction_status: Status::Pending,
            task_id,
        })
    }
}

/// The name of a file in the bucket `sources`, as the platform's clients know it. No bytes are found by it.
pub(crate) fn storage_path(id: Uuid, name: &str, hash: &str, file_type: FileType) -> String {
    let hash: String = hash.chars().take(HASH_LETTERS).collect();
    format!("{id}/original/{}_{hash}.{}", name::in_path(name), file_type.extension())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_platforms_form() {
        let file_type = FileType::of_extension("PDF").expect("a type");
        let path = storage_path(Uuid::nil(), "Über/../x.pdf", "0123456789abcdef", file_type);
        assert_eq!(path, "00000000-0000-0000-0000-000000000000/original/ber____x_01234567.pdf");
    }
}
