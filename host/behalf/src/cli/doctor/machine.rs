//! Checks of files and folders of this machine.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use behalf_config::{Settings, environment};
use behalf_telemetry::Finding;

/// Files and folders of this machine.
pub(super) fn examine(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![state_dir(&settings.state_dir)];
    let config = environment("BEHALF_CONFIG").map_or_else(|| PathBuf::from("behalf.toml"), PathBuf::from);
    for path in [settings.state_dir.join("dev.env"), config] {
        findings.extend(secret_file(&path));
    }
    findings
}

/// Whoever writes to the folder with compiled code runs code in this process.
fn state_dir(dir: &Path) -> Finding {
    const NAME: &str = "state-dir";
    let shown = dir.display();
    let meta = match std::fs::metadata(dir) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Finding::ok(NAME, format!("{shown} will be made"));
        }
        Err(error) => {
            return Finding::error(
                NAME,
                format!("{shown} cannot be looked at: {error}"),
                "set BEHALF_STATE_DIR to a folder of this user's",
            );
        }
    };
    let (own, mode) = (own_user(), meta.mode() & 0o777);
    if !meta.is_dir() {
        Finding::error(NAME, format!("{shown} is no folder"), "set BEHALF_STATE_DIR to a folder of this user's")
    } else if own != Some(meta.uid()) {
        Finding::error(
            NAME,
            format!("{shown} belongs to the user with id {}", meta.uid()),
            format!("chown -R $(id -u) {shown}"),
        )
    } else if mode & 0o022 != 0 {
        Finding::error(
            NAME,
            format!("{shown} can be written by others (mode {mode:o}); compiled code lies there"),
            format!("chmod 700 {shown}"),
        )
    } else if mode & 0o077 != 0 {
        Finding::warning(NAME, format!("{shown} can be read by others (mode {mode:o})"), format!("chmod 700 {shown}"))
    } else {
        Finding::ok(NAME, format!("{shown} is this user's alone"))
    }
}

fn secret_file(path: &Path) -> Option<Finding> {
    const NAME: &str = "secret-files";
    let mode = std::fs::metadata(path).ok()?.mode() & 0o777;
    let shown = path.display();
    match mode {
        mode if mode & 0o022 != 0 => Some(Finding::error(
            NAME,
            format!("{shown} can be written by others (mode {mode:o})"),
            format!("chmod 600 {shown}"),
        )),
        mode if mode & 0o077 != 0 => Some(Finding::warning(
            NAME,
            format!("{shown} can be read by others (mode {mode:o})"),
            format!("chmod 600 {shown}"),
        )),
        _ => Some(Finding::ok(NAME, format!("{shown} is this user's alone"))),
    }
}

fn own_user() -> Option<u32> {
    std::fs::metadata("/proc/self").ok().map(|meta| meta.uid())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use behalf_telemetry::Level;

    #[test]
    fn a_folder_that_others_can_write_is_found() {
        let dir = tempfile::tempdir().expect("a folder");
        for (mode, level) in [(0o700, Level::Ok), (0o755, Level::Warning), (0o777, Level::Error)] {
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).expect("set");
            assert_eq!(state_dir(dir.path()).level, level, "{mode:o}");
        }
        assert_eq!(state_dir(&dir.path().join("none")).level, Level::Ok);
    }
}
