//! What commands of one user keep for later ones, as the XDG Base Directory Specification places it.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use behalf_config::environment;

/// A folder that no other user may enter. None where the user has no place for one.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let named = environment("XDG_CACHE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let cache = named.or_else(|| Some(PathBuf::from(environment("HOME")?).join(".cache")))?;
    let dir = cache.join("behalf").join(name);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).ok()?;
    // A home may be read-only.
    tempfile::tempfile_in(&dir).is_ok().then_some(dir)
}
