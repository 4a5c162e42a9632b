//! Checks of where files of `/storage/v1` are kept.

use std::path::Path;

use behalf_blobs::{BlobPlace, check_place};
use behalf_config::{Settings, StoragePlace};
use behalf_problem::LogText as _;
use behalf_telemetry::Finding;

use crate::app::{addresses_need_a_secret, storage_place};

const NAME: &str = "storage";

/// Whether files can be written, how large they may be, and whether other hosts find them. An object store is asked only where
/// `asks_others`.
pub(super) async fn examine(settings: &Settings, asks_others: bool) -> Vec<Finding> {
    match &settings.storage.place {
        Some(StoragePlace::Off) => return vec![Finding::ok(NAME, "/storage/v1 is switched off")],
        Some(StoragePlace::At(there)) => return vec![Finding::ok(NAME, format!("/storage/v1 is at {there}"))],
        _ => {}
    }
    let place = match storage_place(settings) {
        Ok(Some(place)) => place,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![Finding::error(NAME, error.to_string(), "docs/settings.md describes the form")],
    };
    let mut findings = match &place {
        BlobPlace::Folder(path) => vec![folder(path, &place).await],
        BlobPlace::Store { url, .. } if asks_others => vec![store(url.as_str(), &place).await],
        BlobPlace::Store { url, .. } => vec![Finding::ok(NAME, format!("files are kept at {url}"))],
    };
    findings.extend(size_limit(settings.storage.storage_file_size_limit));
    if addresses_need_a_secret(settings) {
        findings.push(Finding::warning(
            "signed-addresses",
            "signed addresses of objects end with the host's process, because no secret signs them",
            "set BEHALF_SECRETS_KEY (`behalf keys` makes one)",
        ));
    }
    findings
}

async fn folder(path: &Path, place: &BlobPlace) -> Finding {
    let shown = path.display();
    if matches!(path.try_exists(), Ok(false)) {
        return Finding::ok(NAME, format!("files are kept in {shown}, which will be made"));
    }
    match check_place(place).await {
        Ok(()) => Finding::ok(
            NAME,
            format!("files are kept in {shown}; several hosts need a folder there that all of them mount"),
        ),
        Err(error) => Finding::error(
            NAME,
            format!("files cannot be kept in {shown}: {}", error.log_text()),
            "make the folder writable for the host's user, free some space, or set BEHALF_STORAGE",
        ),
    }
}

async fn store(address: &str, place: &BlobPlace) -> Finding {
    match check_place(place).await {
        Ok(()) => Finding::ok(NAME, format!("files are kept at {address}")),
        Err(error) => Finding::error(
            NAME,
            format!("files cannot be written, read and deleted at {address}: {}", error.log_text()),
            "check BEHALF_STORAGE, its region and its keys, and that the bucket exists",
        ),
    }
}

fn size_limit(bytes: u64) -> Option<Finding> {
    const NAME: &str = "file-size-limit";
    (bytes == 0).then(|| {
        Finding::warning(
            NAME,
            "no object may have a single byte",
            "set BEHALF_STORAGE_FILE_SIZE_LIMIT to a number of bytes",
        )
    })
}

#[cfg(test)]
mod tests {
    use behalf_telemetry::Level;

    use super::*;

    async fn levels(pairs: &[(&'static str, String)]) -> Vec<(&'static str, Level)> {
        let settings = Settings::from_pairs(pairs.iter().cloned()).expect("settings");
        examine(&settings, true).await.into_iter().map(|finding| (finding.check, finding.level)).collect()
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_written_is_an_error() {
        let secret = ("jwt_secret", "0123456789abcdef0123456789abcdef".to_owned());
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("file");
        std::fs::write(&file, "x").expect("a file");
        let place = |path: &Path| ("storage", format!("file://{}", path.display()));
        assert_eq!(levels(&[secret.clone(), place(dir.path())]).await, [(NAME, Level::Ok)]);
        assert_eq!(levels(&[secret.clone(), place(&dir.path().join("new"))]).await, [(NAME, Level::Ok)]);
        assert_eq!(levels(&[secret.clone(), place(&file)]).await, [(NAME, Level::Error)]);
        let limits = levels(&[secret, place(dir.path()), ("storage_file_size_limit", "0".to_owned())]).await;
        assert_eq!(limits, [(NAME, Level::Ok), ("file-size-limit", Level::Warning)]);
        let keyless = levels(&[place(dir.path())]).await;
        assert_eq!(keyless, [(NAME, Level::Ok), ("signed-addresses", Level::Warning)]);
        assert_eq!(levels(&[("storage", "off".to_owned())]).await, [(NAME, Level::Ok)]);
    }
}
