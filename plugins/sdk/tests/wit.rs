//! The interface in this crate is the host's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).expect("a folder of interfaces");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let file = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    paths.map(|path| (file(&path), fs::read_to_string(&path).expect("an interface"))).collect()
}

/// The crate carries a copy, so that it can be published and works wherever it is copied to.
#[test]
fn the_interface_is_the_hosts() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = files(&here.join("wit"));
    assert!(own.contains_key("tool.wit"));
    let hosts = here.join("../../wit");
    // Beside the host's sources only.
    if hosts.join("tool.wit").is_file() {
        assert_eq!(own, files(&hosts), "copy wit/*.wit to plugins/sdk/wit");
    }
}
