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
    run_with(program, arguments, dir, None).await
}

/// The same with a variable of its environment.
pub(super) async fn run_with<A: AsRef<OsStr>>(
    program: &Path,
    arguments: &[A],
    dir: &Path,
    variable: Option<(&str, &OsStr)>,
) -> anyhow::Result<()> {
    let status = command(program, dir)
        .args(arguments)
        .envs(variable)
        .stdout(std::io::stderr())
        .status()
        .await
        .with_context(|| format!("cannot run {}", program.display()))?;
    if !status.success() {
        bail!("{} ended with {status}; what it printed stands above", program.display());
    }
    Ok(())
}

/// Runs a program in a folder and returns its standard output. Its errors are shown as they come: its standard error is ours,
/// so that it writes in colour where ours is a terminal.
pub(super) async fn output<A: AsRef<OsStr>>(program: &Path, arguments: &[A], dir: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot run {}", program.display());
    // Not `Command::output`, which takes standard error away whatever was set.
    let child = command(program, dir)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(cannot)?;
    let done = child.wait_with_output().await.with_context(cannot)?;
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
