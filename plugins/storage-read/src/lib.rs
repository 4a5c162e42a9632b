//! Lets a model list and read the files of the app as the caller. What keeps it to the caller's files is outside of this component:
//! the host looks for each object as the caller.

#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use behalf_sdk::{Error, Tool, storage};
use serde::{Deserialize, Serialize};

/// Files of one answer.
const PAGE: u32 = 100;
/// Bytes of a text that a model reads at once.
const MAX_TEXT: u64 = 50_000;
/// How long an address is valid.
const VALID: Duration = Duration::from_hours(1);

/// `storage_read {operation, bucket, path?, cursor?}`: the files of a folder, or the content of one.
struct StorageRead;

#[derive(Deserialize)]
struct Arguments {
    operation: Operation,
    bucket: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Operation {
    List,
    Download,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Files {
        files: Vec<File>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_cursor: Option<String>,
    },
    Content {
        path: String,
        content_type: String,
        content: String,
    },
    Elsewhere {
        path: String,
        signed_url: String,
    },
}

#[derive(Serialize)]
struct File {
    path: String,
    size: u64,
    content_type: String,
    updated_at: String,
}

impl Tool for StorageRead {
    const NAME: &'static str = "storage_read";
    const DEFINITION: &'static str = include_str!("storage_read.json");
    type Arguments = Arguments;
    type Output = Answer;

    fn call(arguments: Arguments) -> Result<Answer, Error> {
        let Arguments { operation, bucket, path, cursor } = arguments;
        match operation {
            Operation::List => list(&bucket, path.as_deref().unwrap_or_default(), cursor.as_deref()),
            Operation::Download => match path.filter(|path| !path.is_empty()) {
                Some(path) => download(&bucket, path),
                None => Err(Error::invalid_arguments("A download needs path: the file to read.")),
            },
        }
    }
}

fn list(bucket: &str, folder: &str, cursor: Option<&str>) -> Result<Answer, Error> {
    let folder = folder.trim_end_matches('/');
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let page = storage::list(bucket, &prefix, PAGE, cursor)?;
    let file = |one: storage::StoredObject| File {
        path: one.name,
        size: one.size,
        content_type: one.content_type,
        updated_at: one.updated_at,
    };
    Ok(Answer::Files { files: page.objects.into_iter().map(file).collect(), next_cursor: page.next })
}

fn download(bucket: &str, path: String) -> Result<Answer, Error> {
    let text = match storage::read(bucket, &path, MAX_TEXT) {
        Ok(storage::Content { bytes, content_type }) => String::from_utf8(bytes).ok().map(|text| (text, content_type)),
        Err(error) if error.code == "too_large" => None,
        Err(error) => return Err(error.into()),
    };
    match text {
        Some((content, content_type)) => Ok(Answer::Content { path, content_type, content }),
        None => Ok(Answer::Elsewhere { signed_url: storage::signed_url(bucket, &path, VALID)?, path }),
    }
}

behalf_sdk::export_lean_tools!(StorageRead);

#[cfg(test)]
mod tests {
    use behalf_sdk::mock::Host;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_folder_is_listed_with_the_folders_below_it() {
        let host = Host::new();
        for name in ["a/1", "a/b/2", "ab/3"] {
            host.put_object("files", name, "text/plain", name);
        }
        for path in ["a", "a/"] {
            let listed = host.call::<StorageRead>(json!({"operation": "list", "bucket": "files", "path": path}));
            let listed = listed.expect("a list");
            let paths: Vec<_> = listed["files"].as_array().expect("files").iter().map(|one| &one["path"]).collect();
            assert_eq!(paths, ["a/1", "a/b/2"]);
        }
        let all = host.call::<StorageRead>(json!({"operation": "list", "bucket": "files"})).expect("a list");
        assert_eq!((all["files"].as_array().map(Vec::len), &all["next_cursor"]), (Some(3), &json!(null)));
    }

    #[test]
    fn a_text_is_read_and_for_other_files_there_is_an_address() {
        let host = Host::new();
        host.put_object("files", "text", "text/markdown", "# é");
        host.put_object("files", "image", "image/png", [0xff_u8, 0xd8]);
        host.put_object("files", "long", "text/plain", "x".repeat(50_001));
        let download =
            |path: &str| host.call::<StorageRead>(json!({"operation": "download", "bucket": "files", "path": path}));
        assert_eq!(download("text"), Ok(json!({"path": "text", "content_type": "text/markdown", "content": "# é"})));
        for path in ["image", "long"] {
            let answer = download(path).expect("an answer");
            assert!(answer["signed_url"].as_str().is_some_and(|url| url.contains(path)), "{answer}");
            assert!(answer.get("content").is_none());
        }
        assert_eq!(download("none").map_err(|error| error.message), Err("Object not found".to_owned()));
        assert_eq!(download("").map_err(|error| error.code), Err("invalid_arguments".to_owned()));
    }
}
