//! Makes a database cluster on the first start.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;

use super::folder::{read_short, remove, write_whole};
use super::layout::Layout;
use super::log::last_lines;
use super::programs::Programs;
use super::{DATABASE, OWNER, StartError};

/// Prefix of folders in which a cluster is being made.
const HALF_MADE: &str = "new-";

/// Makes a cluster if there is none, checks that these programs can run it, and returns its owner's password.
pub(super) async fn ensure(layout: &Layout, programs: &Programs) -> Result<String, StartError> {
    let Some(made_by) = read_short(&layout.data().join("PG_VERSION"))? else {
        return make(layout, programs).await;
    };
    let dir = layout.dir.clone();
    if made_by != programs.major().to_string() {
        let programs = programs.version().to_owned();
        return Err(StartError::OtherVersion { data: layout.data(), dir, made_by, programs });
    }
    read_short(&layout.password())?.ok_or_else(|| StartError::Password {
        data: layout.data(),
        password: layout.password(),
        dir,
        detail: "there is no such file".to_owned(),
    })
}

/// Makes a cluster in a temporary folder and renames it, so that an incomplete one is never used.
async fn make(layout: &Layout, programs: &Programs) -> Result<String, StartError> {
    tracing::info!(
        data = %layout.data().display(),
        version = programs.version(),
        "making a local Postgres; this takes a few seconds, the first time only"
    );
    for old in fs::read_dir(layout.keep()).into_iter().flatten().flatten() {
        if old.file_name().to_string_lossy().starts_with(HALF_MADE) {
            // A program of an interrupted start may still write to it; the next start tries again.
            let _ = remove(&old.path());
        }
    }
    let password = if let Some(password) = read_short(&layout.password())? {
        password
    } else {
        let password = hex::encode(rand::random::<[u8; 16]>());
        write_whole(&layout.password(), &format!("{password}\n"))?;
        password
    };
    let half = tempfile::Builder::new()
        .prefix(HALF_MADE)
        .tempdir_in(layout.keep())
        .map_err(StartError::file(layout.keep()))?;
    let for_initdb = half.path().join("password");
    write_whole(&for_initdb, &format!("{password}\n"))?;
    layout.users.give(&for_initdb)?;
    layout.users.give(half.path())?;

    // Not every system has C.UTF-8. In C, upper() and lower() change ASCII letters only.
    if init(programs, half.path(), "C.UTF-8").await.is_err() {
        init(programs, half.path(), "C").await?;
    }
    create_database(programs, &half.path().join("data")).await?;
    fs::rename(half.path().join("data"), layout.data()).map_err(StartError::file(&layout.data()))?;
    Ok(password)
}

async fn init(programs: &Programs, half: &Path, locale: &str) -> Result<(), StartError> {
    let output = programs
        .command("initdb")
        .arg("--pgdata")
        .arg(half.join("data"))
        .arg("--pwfile")
        .arg(half.join("password"))
        .args(["--username", OWNER, "--encoding", "UTF8", "--locale", locale, "--data-checksums"])
        .args(["--auth-host", "scram-sha-256", "--auth-local", "scram-sha-256"])
        .kill_on_drop(true)
        .output()
        .await
        .map_err(programs.failed("initdb"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(StartError::Make { output: last_lines(&[output.stdout, output.stderr].concat()) })
}

/// Makes the database without a running server, so that nothing connects before the cluster is complete.
async fn create_database(programs: &Programs, data: &Path) -> Result<(), StartError> {
    let fail = || programs.failed("postgres");
    let mut single = programs
        .command("postgres")
        .arg("--single")
        .arg("-D")
        .arg(data)
        .arg("postgres")
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(fail())?;
    if let Some(mut stdin) = single.stdin.take() {
        stdin.write_all(format!("create database {DATABASE}\n").as_bytes()).await.map_err(fail())?;
    }
    let output = single.wait_with_output().await.map_err(fail())?;
    // The program exits with success even if the statement failed.
    let said = last_lines(&output.stderr);
    if output.status.success() && !said.contains("ERROR:") {
        return Ok(());
    }
    Err(StartError::Make { output: said })
}
