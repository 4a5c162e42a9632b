//! Making a cluster, once.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;

use super::folder::{read_short, remove, write_whole};
use super::log::last_lines;
use super::place::Place;
use super::programs::Programs;
use super::{DATABASE, OWNER, StartError};

/// Half-made clusters are in folders with this prefix.
const HALF_MADE: &str = "new-";

/// Sees to it that there is a cluster these programs can run, and returns its owner's password.
pub(super) async fn ensure(place: &Place, programs: &Programs) -> Result<String, StartError> {
    let Some(made_by) = read_short(&place.data().join("PG_VERSION"))? else {
        return make(place, programs).await;
    };
    let dir = place.dir.clone();
    if made_by != programs.major().to_string() {
        let programs = programs.version().to_owned();
        return Err(StartError::OtherVersion { data: place.data(), dir, made_by, programs });
    }
    read_short(&place.password())?.ok_or_else(|| StartError::Password {
        data: place.data(),
        password: place.password(),
        dir,
        detail: "there is no such file".to_owned(),
    })
}

/// Makes it beside its final place and renames it, so that one that was interrupted is never taken for whole.
async fn make(place: &Place, programs: &Programs) -> Result<String, StartError> {
    tracing::info!(
        data = %place.data().display(),
        version = programs.version(),
        "making a local Postgres; this takes a few seconds, the first time only"
    );
    for old in fs::read_dir(place.keep()).into_iter().flatten().flatten() {
        if old.file_name().to_string_lossy().starts_with(HALF_MADE) {
            // A program of an interrupted start may still write there; the next start tries again.
            let _ = remove(&old.path());
        }
    }
    let password = if let Some(password) = read_short(&place.password())? {
        password
    } else {
        let password = hex::encode(rand::random::<[u8; 16]>());
        write_whole(&place.password(), &format!("{password}\n"))?;
        password
    };
    let half =
        tempfile::Builder::new().prefix(HALF_MADE).tempdir_in(place.keep()).map_err(StartError::file(place.keep()))?;
    let for_initdb = half.path().join("password");
    write_whole(&for_initdb, &format!("{password}\n"))?;
    place.users.give(&for_initdb)?;
    place.users.give(half.path())?;

    // Not every system has C.UTF-8; in plain C, letters beyond ASCII keep their case.
    if init(programs, half.path(), "C.UTF-8").await.is_err() {
        init(programs, half.path(), "C").await?;
    }
    create_database(programs, &half.path().join("data")).await?;
    fs::rename(half.path().join("data"), place.data()).map_err(StartError::file(&place.data()))?;
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

/// Without a server: nothing can connect before the cluster is complete.
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
    // It ends well even where the statement failed.
    let said = last_lines(&output.stderr);
    if output.status.success() && !said.contains("ERROR:") {
        return Ok(());
    }
    Err(StartError::Make { output: said })
}
