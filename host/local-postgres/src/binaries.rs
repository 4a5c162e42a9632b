//! Finds the programs of a Postgres with pgvector.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::StartError;

/// The oldest major version whose row-level security the host can use.
const OLDEST: u32 = 15;
/// The programs that this crate runs.
const NEEDED: [&str; 4] = ["postgres", "initdb", "pg_ctl", "psql"];
/// Folders in which packages install one folder per major version.
const PACKAGED: [(&str, &str); 3] = [("/usr/lib/postgresql", "bin"), ("/usr", "bin"), ("/opt/homebrew/opt", "bin")];

/// A folder of usable programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) bin_dir: PathBuf,
    /// The version, such as `16.14`.
    pub(super) version: String,
    pub(super) major: u32,
}

impl Binaries {
    /// Uses the given folder, or else the first usable Postgres that is installed; newer versions are tried first.
    pub(super) async fn find(wish: Option<&Path>) -> Result<Self, StartError> {
        if let Some(bin_dir) = wish {
            let unfit = |reason| StartError::Unfit { bin_dir: bin_dir.to_path_buf(), reason };
            return Self::look(bin_dir).await.map_err(unfit);
        }
        let mut looked = Vec::new();
        for bin_dir in installed().await {
            match Self::look(&bin_dir).await {
                Ok(found) => return Ok(found),
                Err(reason) => looked.push(format!("{}: {reason}", bin_dir.display())),
            }
        }
        if looked.is_empty() {
            looked.push("none is installed".to_owned());
        }
        Err(StartError::NotFound { looked: looked.join("; ") })
    }

    /// The path of a program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin_dir.join(name)
    }

    /// The same programs in another folder.
    pub(super) fn moved_to(&self, bin_dir: PathBuf) -> Self {
        Self { bin_dir, ..self.clone() }
    }

    async fn look(bin_dir: &Path) -> Result<Self, String> {
        let bin_dir = fs::canonicalize(bin_dir).map_err(|error| error.to_string())?;
        if let Some(missing) = NEEDED.iter().find(|name| !bin_dir.join(name).is_file()) {
            return Err(format!("there is no {missing}"));
        }
        let printed = ask(&bin_dir.join("postgres"), "--version").await.ok_or("postgres --version fails")?;
        let version = printed.split_whitespace().nth(2).unwrap_or_default().to_owned();
        let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
        let major: u32 = version[..digits].parse().map_err(|_| format!("its version is unknown ({printed})"))?;
        if major < OLDEST {
            return Err(format!("version {version} is older than {OLDEST}"));
        }
        if !has_pgvector(&bin_dir, major).await {
            return Err(format!("version {version} has no pgvector"));
        }
        Ok(Self { bin_dir, version, major })
    }
}

/// Program folders on this machine, in the order in which they are tried.
async fn installed() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for (base, bin) in PACKAGED {
        let names = fs::read_dir(base).into_iter().flatten().flatten();
        for name in names.filter_map(|entry| entry.file_name().into_string().ok()) {
            let major = name.trim_start_matches("postgresql@").trim_start_matches("pgsql-").parse::<f32>();
            if let Ok(major) = major {
                folders.push((major, Path::new(base).join(name).join(bin)));
            }
        }
    }
    folders.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut folders: Vec<PathBuf> = folders.into_iter().map(|(_, folder)| folder).collect();
    if let Some(first) = ask(Path::new("pg_config"), "--bindir").await.map(PathBuf::from) {
        folders.retain(|folder| *folder != first);
        folders.insert(0, first);
    }
    folders
}

/// Whether pgvector is installed. `pg_config` prints the folder of extensions; without it, which only development
/// packages contain, the usual folders are searched.
async fn has_pgvector(bin_dir: &Path, major: u32) -> bool {
    let prefix = bin_dir.parent().unwrap_or(bin_dir);
    let mut shares = vec![
        prefix.join("share/postgresql"),
        prefix.join("share"),
        PathBuf::from(format!("/usr/share/postgresql/{major}")),
    ];
    if let Some(share) = ask(&bin_dir.join("pg_config"), "--sharedir").await {
        shares = vec![PathBuf::from(share)];
    }
    shares.iter().any(|share| share.join("extension/vector.control").is_file())
}

/// The output of a program; `None` if it is missing or fails.
async fn ask(program: &Path, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).stdin(Stdio::null()).output().await.ok()?;
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Some(printed).filter(|printed| output.status.success() && !printed.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_without_the_programs_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let refused = Binaries::find(Some(dir.path())).await.expect_err("empty").to_string();
        assert!(refused.contains("there is no postgres"), "{refused}");
    }
}
