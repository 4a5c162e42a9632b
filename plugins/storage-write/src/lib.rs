//! Lets a model write files of the app as the caller. What keeps it to where the caller may write is outside of this component: the
//! host writes each object as the caller.

#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

use alloc::string::String;

use behalf_sdk::{Error, Tool, storage};
use serde::{Deserialize, Serialize};

/// The media type where none is given.
const TEXT: &str = "text/plain;charset=UTF-8";

/// `storage_write {bucket, path, content, content_type?}`: what was written.
struct StorageWrite;

#[derive(Deserialize)]
struct Arguments {
    bucket: String,
    path: String,
    content: String,
    #[serde(default)]
    content_type: Option<String>,
}

#[derive(Serialize)]
struct Written {
    path: String,
    size: usize,
}

impl Tool for StorageWrite {
    const NAME: &'static str = "storage_write";
    const DEFINITION: &'static str = include_str!("storage_write.json");
    type Arguments = Arguments;
    type Output = Written;

    fn call(arguments: Arguments) -> Result<Written, Error> {
        let Arguments { bucket, path, content, content_type } = arguments;
        storage::write(&bucket, &path, content.as_bytes(), content_type.as_deref().unwrap_or(TEXT))?;
        Ok(Written { path, size: content.len() })
    }
}

behalf_sdk::export_lean_tools!(StorageWrite);

#[cfg(test)]
mod tests {
    use behalf_sdk::mock::Host;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_is_written_and_replaced() {
        let host = Host::new();
        let write =
            |content: &str| host.call::<StorageWrite>(json!({"bucket": "files", "path": "a/1", "content": content}));
        assert_eq!(write("é"), Ok(json!({"path": "a/1", "size": 2})));
        assert_eq!(write("new"), Ok(json!({"path": "a/1", "size": 3})));
        assert_eq!(host.object("files", "a/1"), Some((TEXT.into(), b"new".to_vec())));
        let written = host.call::<StorageWrite>(
            json!({"bucket": "files", "path": "b", "content": "x", "content_type": "text/markdown"}),
        );
        assert_eq!(written, Ok(json!({"path": "b", "size": 1})));
        assert_eq!(host.object("files", "b").map(|(content_type, _)| content_type), Some("text/markdown".into()));
    }

    #[test]
    fn a_refusal_is_a_denial() {
        let host = Host::new();
        host.fail_storage("denied", "new row violates row-level security policy");
        let refused = host.call::<StorageWrite>(json!({"bucket": "files", "path": "a", "content": "x"}));
        assert_eq!(refused.map_err(|error| error.code), Err("denied".into()));
    }
}
