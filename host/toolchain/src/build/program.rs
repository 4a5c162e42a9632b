//! Other programs that a build runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::process::Command;

/// The program of this name in the folders of `PATH`.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Runs a program in a folder. Its output goes to standard error; it prints its own errors.
pub(super) async fn run<A: AsRef<OsStr>>(program: &Path, arguments: &[A], dir: &Path) -> anyhow::Result<()> {
    let status = command(program, dir)
        .args(arguments)
        .stdout(std::io::stderr())
        .status()
        .await
        .with_context(|| format!("cannot run {}", program.display()))?;
    if !status.success() {
        bail!("{} ended with {status}; what it printed stands above", program.display());
    }
    Ok(())
}

/// Runs a program in a folder and returns its standard output.
pub(super) async fn output<A: AsRef<OsStr>>(program: &Path, arguments: &[A], dir: &Path) -> anyhow::Result<String> {
    let done = command(program, dir)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .await
        .with_context(|| format!("cannot run {}", program.display()))?;
    if !done.status.success() {
        bail!("{} ended with {}; what it printed stands above", program.display(), done.status);
    }
    String::from_utf8(done.stdout).with_context(|| format!("{} printed no text", program.display()))
}

fn command(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).stdin(Stdio::null()).kill_on_drop(true);
    command
}
