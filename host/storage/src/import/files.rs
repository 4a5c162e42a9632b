//! Where the bytes of an object are in the folder.
//!
//! A server of Supabase Storage that keeps files in a folder has `bucket/name/version`. Tools that copy a bucket of an object store make
//! `bucket/name`.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::stream::{self, Stream};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::rows::MovedObject;

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// The file of an object, or where it should be; none where the object's names could lead elsewhere. Users of the app chose them.
pub(super) fn find(files: &Path, object: &MovedObject) -> Option<PathBuf> {
    let is_one = |text: &str| is_inside(text) && !text.contains('/');
    if !is_one(&object.bucket) || !is_inside(&object.name) {
        return None;
    }
    let plain = files.join(&object.bucket).join(&object.name);
    let versioned = object.version.as_deref().filter(|version| is_one(version)).map(|version| plain.join(version));
    Some(versioned.filter(|path| path.is_file()).unwrap_or(plain))
}

/// Whether a relative path stays where it begins, and has one way to be written.
fn is_inside(path: &str) -> bool {
    !path.contains(['\\', '\0']) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The file with its length; none where there is none.
pub(super) async fn open(path: &Path) -> io::Result<Option<(File, u64)>> {
    let file = match File::open(path).await {
        Ok(file) => file,
        // The last one where a part of the path is a file.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let metadata = file.metadata().await?;
    Ok(metadata.is_file().then_some((file, metadata.len())))
}

/// The bytes of a file.
pub(super) fn bytes(file: File) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin {
    Box::pin(stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok((read > 0).then(|| (Bytes::from(piece), file)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(bucket: &str, name: &str, version: Option<&str>) -> MovedObject {
        MovedObject {
            bucket: bucket.to_owned(),
            name: name.to_owned(),
            version: version.map(str::to_owned),
            ..MovedObject::default()
        }
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let files = Path::new("/nowhere/files");
        for (bucket, name) in [
            ("..", "a"),
            (".", "a"),
            ("a/b", "c"),
            ("a", "../b"),
            ("a", "b/../../../etc/passwd"),
            ("a", "/etc/passwd"),
            ("a", "b//c"),
            ("a", "./b"),
            ("a", "b/"),
            ("a", "b\\..\\c"),
            ("a", ""),
        ] {
            assert_eq!(find(files, &object(bucket, name, None)), None, "{bucket} {name}");
        }
        assert_eq!(find(files, &object("a", "b/c.txt", None)), Some(files.join("a/b/c.txt")));
    }

    #[test]
    fn a_file_of_the_version_comes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let named = folder.path().join("a/b.txt");
        std::fs::create_dir_all(&named).expect("a folder");
        std::fs::write(named.join("v1"), "x").expect("a file");
        let find = |version| find(folder.path(), &object("a", "b.txt", Some(version)));
        assert_eq!(find("v1"), Some(named.join("v1")));
        assert_eq!(find("v2"), Some(named.clone()), "which is no file");
        assert_eq!(find("../b.txt/v1"), Some(named));
    }
}
