//! A file system that is full: nothing of what did not fit is seen or kept, and the host goes on when there is space again.
//!
//! The file system is a small one in memory, which only root may mount. `sweeping::a_full_disk_keeps_nothing_of_what_did_not_fit`
//! stands in for it elsewhere: the system refuses a write there because of the size of one file, while other files can still grow, and
//! directories and `fsync` never fail.

use std::path::Path;
use std::process::Command;

use behalf_tests::{App, Options, User, eventually};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use super::object_bed::{Reply, ask};
use super::sweeping::{Files, named};

/// Bytes of the file system.
const SPACE: usize = 8 * 1024 * 1024;
/// Bytes of an upload.
const LARGE: usize = 3 * 1024 * 1024;

/// A mounted file system in memory.
struct Small(TempDir);

impl Small {
    /// None where this process may not mount.
    fn mount() -> Option<Self> {
        let small = Self(tempfile::tempdir().unwrap());
        let options = format!("size={SPACE},mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tests"]).arg(small.path()).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(small)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(self.path()).status().ok();
    }
}

async fn upload(app: &App, name: &str, size: usize) -> Reply {
    let headers = [("content-type", "text/plain"), ("x-upsert", "true")];
    ask(app, &User::Service, Method::POST, &format!("/storage/v1/object/files/{name}"), &headers, vec![b'x'; size])
        .await
}

/// Begins a resumable upload, and returns its path.
async fn begin_by_tus(app: &App, name: &str, size: usize) -> String {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let metadata = format!("bucketName {},objectName {}", encode("files"), encode(name));
    let length = size.to_string();
    let headers = [("tus-resumable", "1.0.0"), ("upload-length", &*length), ("upload-metadata", &*metadata)];
    let begun = ask(app, &User::Service, Method::POST, "/storage/v1/upload/resumable", &headers, "").await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    let location = begun.header("location");
    location[location.find("/storage/v1").unwrap()..].to_owned()
}

async fn append(app: &App, path: &str, offset: usize, size: usize) -> Reply {
    let offset = offset.to_string();
    let headers =
        [("tus-resumable", "1.0.0"), ("upload-offset", &*offset), ("content-type", "application/offset+octet-stream")];
    ask(app, &User::Service, Method::PATCH, path, &headers, vec![b'y'; size]).await
}

async fn size_of(app: &App, name: &str) -> Option<usize> {
    let read = app.get(&User::Service, &format!("/storage/v1/object/authenticated/files/{name}")).await;
    (read.status == 200).then_some(read.text.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_file_system_keeps_nothing_of_what_did_not_fit_and_serves_on_when_there_is_space() {
    let Some(small) = Small::mount() else {
        eprintln!("this process may not mount a file system, so none was filled");
        return;
    };
    let files = Files::at(small.path());
    let app = App::with(Options { settings: files.settings(3) }).await;
    let made = app.post(&User::Service, "/storage/v1/bucket", json!({ "name": "files" })).await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(upload(&app, "kept", 1_000).await.status, 200);
    let resumable = begin_by_tus(&app, "resumed", LARGE).await;
    assert_eq!(append(&app, &resumable, 0, 1_000).await.status, 204);

    // Two fit; which ones is open. One of those that do not would replace an object.
    let names = ["a", "b", "c", "d", "e", "kept"];
    let replies = futures::future::join_all(names.map(|name| upload(&app, name, LARGE))).await;
    let (taken, refused): (Vec<_>, Vec<_>) =
        names.into_iter().zip(&replies).partition(|(_, reply)| reply.status == 200);
    assert!(taken.len() <= 2 && refused.len() >= 4, "{replies:?}");
    for (name, reply) in refused {
        reply.assert_error(507, "507", "Insufficient Storage", "The server has no space left for this object");
        assert!(!reply.text().contains(small.path().to_str().unwrap()), "{}", reply.text());
        let former = (name == "kept").then_some(1_000);
        assert_eq!(size_of(&app, name).await, former, "{name} is seen in part");
    }
    for (name, _) in &taken {
        assert_eq!(size_of(&app, name).await, Some(LARGE), "{name} is not whole");
    }
    eventually("bytes are there that did not fit", async || {
        let (of_rows, mut there) = (named(&app.database).await, files.all());
        // The resumable upload has bytes that no row names yet.
        there.retain(|file, _| of_rows.contains_key(file));
        there == of_rows && files.all().len() == of_rows.len() + 1
    })
    .await;

    // Full again, whatever was taken above, and in the middle of a part of the resumable upload.
    let mut fillers = 0;
    while upload(&app, &format!("filler-{fillers}"), 1024 * 1024).await.status == 200 {
        fillers += 1;
    }
    let full = append(&app, &resumable, 1_000, LARGE - 1_000).await;
    assert_eq!(full.status, 507, "{}", full.text());
    assert!(size_of(&app, "resumed").await.is_none());

    // Space comes back when objects are deleted and their bytes are swept.
    let mut gone: Vec<String> = taken.iter().map(|(name, _)| (*name).to_owned()).collect();
    gone.extend((0..fillers).map(|filler| format!("filler-{filler}")));
    let deleted =
        app.send(&User::Service, Method::DELETE, "/storage/v1/object/files", json!({ "prefixes": gone })).await;
    assert_eq!(deleted.status, 200, "{}", deleted.text);
    eventually("there is no space", async || upload(&app, "again", 2 * LARGE / 3).await.status == 200).await;
    eventually("the resumable upload does not go on", async || {
        append(&app, &resumable, 1_000, LARGE - 1_000).await.status == 204
    })
    .await;
    assert_eq!(size_of(&app, "resumed").await, Some(LARGE));
    eventually("bytes are there that no row names", async || files.all() == named(&app.database).await).await;
    // Before its folder is gone.
    app.stop().await;
}
