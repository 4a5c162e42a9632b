//! Every setting does something: a setting that is read and then used by nobody is worse than one that is refused.

use std::path::Path;

use super::doors::{production, sources};

/// The fields of the structs that settings are read into.
fn fields() -> Vec<String> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../host/config/src"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    let texts: Vec<_> = texts.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let field = |line: &str| line.trim().strip_prefix("pub ")?.split_once(": ").map(|(name, _)| name.to_owned());
    let is_name =
        |name: &String| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    texts.iter().flat_map(|text| production(text).lines()).filter_map(field).filter(is_name).collect()
}

#[test]
fn every_setting_is_used_somewhere() {
    let fields = fields();
    assert!(fields.len() > 100 && fields.contains(&"host_connections".to_owned()), "{fields:?}");
    let used: Vec<_> =
        sources().into_iter().filter(|(path, _)| !path.to_string_lossy().contains("/config/src/")).collect();
    let is_used = |name: &str| used.iter().any(|(_, text)| production(text).contains(&format!(".{name}")));
    // Those of a group are read with the group.
    let unused: Vec<_> = fields.iter().filter(|name| !is_used(name)).collect();
    assert!(unused.is_empty(), "nobody uses {unused:?}");
}
