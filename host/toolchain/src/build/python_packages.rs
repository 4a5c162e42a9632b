//! The packages that go into a component in Python: which they are, and whether they are those that the author means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// What pip's own words above this mean.
pub(super) const NOT_PURE: &str = "the project's dependencies have to be pure Python: native code, as in numpy, pandas, lxml or orjson, does not run in a \
                                   component; use the standard library, or let the database compute";

/// Refuses a package of which pip took an old version, because every newer one has native code. `venv` has the version that the
/// author's own Python gets.
pub(super) fn check(venv: &Path, packages: &Path) -> anyhow::Result<()> {
    let newest = installed(&site_packages(venv)?)?;
    for (name, version) in installed(packages)? {
        let Some(meant) = newest.get(&name) else { continue };
        if is_older(&version, meant) {
            // Else the next build would go on without a word.
            std::fs::remove_dir_all(packages).ok();
            bail!(
                "{name} {meant} has native code, which does not run in a component, and pip would take {version} instead; do without \
                 it, or ask for the old version in pyproject.toml: \"{name}<={version}\""
            );
        }
    }
    Ok(())
}

fn site_packages(venv: &Path) -> anyhow::Result<PathBuf> {
    let lib = venv.join("lib");
    let versions = std::fs::read_dir(&lib).with_context(|| format!("cannot read {}", lib.display()))?;
    let mut folders = versions.flatten().map(|entry| entry.path().join("site-packages"));
    folders.find(|folder| folder.is_dir()).with_context(|| format!("{} has no packages", venv.display()))
}

/// Names and versions of what is installed in a folder.
fn installed(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter_map(|name| named(&name)).collect())
}

/// Name and version in the name of a folder: `pydantic-2.12.0.dist-info`.
fn named(folder: &str) -> Option<(String, String)> {
    let (name, version) = folder.strip_suffix(".dist-info")?.rsplit_once('-')?;
    Some((name.to_lowercase().replace('_', "-"), version.to_owned()))
}

/// Compares the numbers of two releases; what follows them (`rc1`, `.post1`) does not count.
fn is_older(version: &str, than: &str) -> bool {
    fn numbers(version: &str) -> Vec<u64> {
        let parts = version.split('.').map_while(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).map_or(part, |end| &part[..end]);
            digits.parse().ok()
        });
        let mut numbers: Vec<u64> = parts.collect();
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        numbers
    }
    numbers(version) < numbers(than)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with packages of these names and versions.
    fn folder(at: &Path, packages: &[&str]) {
        for package in packages {
            std::fs::create_dir_all(at.join(format!("{package}.dist-info"))).expect("a folder");
        }
    }

    #[test]
    fn an_old_version_that_was_taken_for_its_lack_of_native_code_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let (venv, packages) = (dir.path().join(".venv"), dir.path().join("packages"));
        folder(&venv.join("lib/python3.13/site-packages"), &["pydantic-2.12.0", "idna-3.10", "typing_extensions-4.16"]);
        folder(&packages, &["idna-3.10", "typing_extensions-4.16.0", "only_here-1"]);
        check(&venv, &packages).expect("the same versions");
        folder(&packages, &["pydantic-1.10.24"]);
        let error = check(&venv, &packages).expect_err("an old version").to_string();
        assert!(!packages.exists(), "no build goes on with them");
        assert_eq!(
            error,
            "pydantic 2.12.0 has native code, which does not run in a component, and pip would take 1.10.24 instead; do without it, \
             or ask for the old version in pyproject.toml: \"pydantic<=1.10.24\""
        );
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (older, newer) in [("1.9", "1.10"), ("2", "2.0.1"), ("1.10.24", "2.12.0"), ("2025.7", "2026.1.post1")] {
            assert!(is_older(older, newer) && !is_older(newer, older), "{older} {newer}");
        }
        assert!(!is_older("1.0", "1") && !is_older("1", "1.0.0"));
    }
}
