//! The plugin interface: it is documented and compatible with released versions, and the files generated from it are current.
//!
//! `REFRESH_GENERATED=1 ./dev test -E 'test(/^wit::/)'` writes the generated files.

mod bindings;
mod compatibility;
mod items;
mod package;
mod reference;
mod versions;

use std::path::{Path, PathBuf};

/// A file or folder of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Fails if the file differs from what is generated now. With `REFRESH_GENERATED` it writes the file instead.
fn assert_current(path: &str, generated: &[u8]) {
    let file = repository(path);
    if behalf_config::environment("REFRESH_GENERATED").is_some() {
        std::fs::write(&file, generated).unwrap();
    }
    let committed = std::fs::read(&file).unwrap_or_default();
    assert!(
        committed == generated,
        "{path} is not what is generated from wit/; refresh it: REFRESH_GENERATED=1 ./dev test -E 'test(/^wit::/)'"
    );
}
