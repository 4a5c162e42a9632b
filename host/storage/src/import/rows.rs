//! Rows of a dump, checked: what cannot be read ends the import, what does not fit here is left out with a reason.

use behalf_blobs::Stored;
use behalf_dump::{Block, Fault, Row, Values};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Wanted;
use crate::name::{BucketId, ObjectName};
use crate::upload::facts::{ANY_TYPE, Facts, NO_CACHE};

/// A row that can be stored, or why it is left out.
#[derive(Debug)]
pub(super) enum Checked<T> {
    Fit(T),
    Unfit { id: String, why: &'static str },
}

/// A bucket of another project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MovedBucket {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: Option<String>,
    pub(crate) public: bool,
    pub(crate) file_size_limit: Option<i64>,
    /// As Postgres writes an array.
    pub(crate) allowed_mime_types: Option<String>,
    pub(crate) created_at: Option<DateTime<Utc>>,
    pub(crate) updated_at: Option<DateTime<Utc>>,
}

/// An object of another project, without its bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MovedObject {
    pub(crate) id: Uuid,
    pub(crate) bucket: String,
    pub(crate) name: String,
    pub(crate) owner: Option<String>,
    /// What the other server called its bytes.
    pub(crate) version: Option<String>,
    /// How many bytes it has, where its row says so.
    pub(crate) size: Option<u64>,
    pub(crate) metadata: Map<String, Value>,
    /// JSON, as it was.
    pub(crate) user_metadata: Option<String>,
    pub(crate) created_at: Option<DateTime<Utc>>,
    pub(crate) updated_at: Option<DateTime<Utc>>,
    pub(crate) last_accessed_at: Option<DateTime<Utc>>,
}

impl MovedObject {
    /// The column `metadata`: what it was, and what is known of the bytes as they are stored here.
    pub(super) fn facts(&self, stored: &Stored) -> String {
        let text = |name: &str| self.metadata.get(name).and_then(Value::as_str).map(str::to_owned);
        let facts = Facts {
            mime_type: text("mimetype").unwrap_or_else(|| ANY_TYPE.to_owned()),
            cache_control: text("cacheControl").unwrap_or_else(|| NO_CACHE.to_owned()),
            robots: text("xRobotsTag"),
        };
        let mut column = self.metadata.clone();
        if let Ok(Value::Object(facts)) = serde_json::from_str(&facts.stored(stored)) {
            column.extend(facts);
        }
        Value::Object(column).to_string()
    }
}

/// Whose a row is. Older dumps have the first column alone, and the newest prefer the second.
fn owner(values: Values<'_>) -> Option<String> {
    values.text("owner_id").or_else(|| values.text("owner")).filter(|owner| !owner.is_empty()).map(str::to_owned)
}

/// Reads a row of `storage.buckets`.
pub(super) fn bucket(block: &Block<Wanted>, row: &Row) -> Result<Checked<MovedBucket>, Fault> {
    let values = Values::of(block, row);
    let (id, name) = (values.needed("id")?, values.needed("name")?);
    let unfit = if [id, name].contains(&"sources") {
        Some("the bucket sources is the host's own: it has the files of /api/sources")
    } else if values.text("type").is_some_and(|kind| kind != "STANDARD") {
        Some("it is a bucket for analytics or vectors")
    } else if [id, name].iter().any(|text| BucketId::parse_new(text).is_err()) {
        Some("its name has characters that no bucket has here")
    } else {
        None
    };
    if let Some(why) = unfit {
        return Ok(Checked::Unfit { id: id.to_owned(), why });
    }
    Ok(Checked::Fit(MovedBucket {
        id: id.to_owned(),
        name: name.to_owned(),
        owner: owner(values),
        public: values.flag("public")?,
        file_size_limit: values.number("file_size_limit")?,
        allowed_mime_types: values.text("allowed_mime_types").map(str::to_owned),
        created_at: values.time("created_at")?,
        updated_at: values.time("updated_at")?,
    }))
}

/// Reads a row of `storage.objects`.
pub(super) fn object(block: &Block<Wanted>, row: &Row) -> Result<Checked<MovedObject>, Fault> {
    let values = Values::of(block, row);
    let id = values.id("id")?;
    let (Some(bucket), Some(name)) = (values.text("bucket_id"), values.text("name")) else {
        return Ok(Checked::Unfit { id: id.to_string(), why: "it has no bucket or no name" });
    };
    let unfit = if values.flag("is_delete_marker")? || values.text("archived_at").is_some() {
        Some("it is an earlier version, and this host keeps none")
    } else if ObjectName::parse(name).is_err() {
        Some("its name has characters that no object has here, or too many")
    } else {
        None
    };
    if let Some(why) = unfit {
        return Ok(Checked::Unfit { id: id.to_string(), why });
    }
    let metadata: Map<String, Value> = match values.object("metadata")? {
        Some(text) => serde_json::from_str(text).map_err(|_| Fault::Value("metadata", "a JSON object"))?,
        None => Map::new(),
    };
    Ok(Checked::Fit(MovedObject {
        id,
        bucket: bucket.to_owned(),
        name: name.to_owned(),
        owner: owner(values),
        version: values.text("version").map(str::to_owned),
        // Some servers wrote it as text.
        size: metadata.get("size").and_then(|size| size.as_u64().or_else(|| size.as_str()?.parse().ok())),
        metadata,
        user_metadata: values.object("user_metadata")?.map(str::to_owned),
        created_at: values.time("created_at")?,
        updated_at: values.time("updated_at")?,
        last_accessed_at: values.time("last_accessed_at")?,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "11111111-1111-4111-8111-111111111111";

    fn block(table: Wanted, fields: &[(&str, &str)]) -> (Block<Wanted>, Row) {
        let columns = fields.iter().map(|(name, _)| (*name).to_owned()).collect();
        let values = fields.iter().map(|(_, value)| Some((*value).to_owned())).collect();
        (Block { table, columns }, Row { line: 1, values })
    }

    fn moved(fields: &[(&str, &str)]) -> Checked<MovedObject> {
        let fields = [&[("id", ID), ("bucket_id", "a"), ("name", "b.txt")], fields].concat();
        let (block, row) = block(Wanted::Objects, &fields);
        object(&block, &row).expect("it can be read")
    }

    #[test]
    fn what_is_no_bucket_of_an_app_here_is_left_out() {
        for fields in [
            [("id", "sources"), ("name", "sources"), ("type", "STANDARD")],
            [("id", "a"), ("name", "sources"), ("type", "STANDARD")],
            [("id", "a/b"), ("name", "a"), ("type", "STANDARD")],
            [("id", "a"), ("name", "a"), ("type", "VECTOR")],
        ] {
            let (block, row) = block(Wanted::Buckets, &fields);
            assert!(matches!(bucket(&block, &row), Ok(Checked::Unfit { .. })), "{fields:?}");
        }
        let (block, row) = block(Wanted::Buckets, &[("id", "a"), ("name", "a"), ("owner", ID), ("public", "t")]);
        let Ok(Checked::Fit(found)) = bucket(&block, &row) else { panic!("it fits") };
        assert!(found.public && found.owner.as_deref() == Some(ID) && found.file_size_limit.is_none());
    }

    #[test]
    fn earlier_versions_and_strange_names_are_left_out() {
        for fields in [[("is_delete_marker", "t")], [("archived_at", "2024-01-02 03:04:05+00")]] {
            assert!(matches!(moved(&fields), Checked::Unfit { .. }), "{fields:?}");
        }
        let (block, row) = block(Wanted::Objects, &[("id", ID), ("bucket_id", "a"), ("name", "b\u{7}")]);
        assert!(matches!(object(&block, &row), Ok(Checked::Unfit { .. })));
    }

    #[test]
    fn metadata_stays_but_for_what_is_known_of_the_bytes() {
        let before = "{\"eTag\": \"\\\"old\\\"\", \"size\": 3, \"mimetype\": \"text/plain\", \"mine\": 1}";
        let Checked::Fit(object) = moved(&[("metadata", before)]) else { panic!("it fits") };
        assert_eq!(object.size, Some(3));
        let stored = Stored { size: 3, etag: "\"new\"".to_owned(), modified: DateTime::UNIX_EPOCH };
        let facts: Value = serde_json::from_str(&object.facts(&stored)).expect("JSON");
        assert_eq!(
            (&facts["eTag"], &facts["mimetype"], &facts["mine"]),
            (&json!("\"new\""), &json!("text/plain"), &json!(1))
        );
        let Checked::Fit(bare) = moved(&[]) else { panic!("it fits") };
        let facts: Value = serde_json::from_str(&bare.facts(&stored)).expect("JSON");
        assert_eq!((&facts["mimetype"], &facts["cacheControl"]), (&json!(ANY_TYPE), &json!(NO_CACHE)));
    }
}
