//! The server's log: its last lines for error messages, and a limit on its size.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use behalf_problem::LogText as _;
use tokio::task::JoinHandle;

use super::StartError;

/// A larger log is moved to `server.log.1`, so both take about twice this size at most.
const LIMIT: u64 = 8 << 20;
/// The interval between checks of the log's size.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// Lines in an error message: enough for the reason of a failed start.
const TAIL_LINES: usize = 15;

/// The file of the server's messages. The host opens it and passes it on, so it may be in a folder where the server's
/// user could not create it.
#[derive(Clone, Debug)]
pub(super) struct ServerLog {
    path: PathBuf,
}

impl ServerLog {
    /// The log below `dir`.
    pub(super) fn in_dir(dir: &Path) -> Self {
        Self { path: dir.join("server.log") }
    }

    /// The path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file for the server, and returns its present length.
    pub(super) fn open(&self) -> Result<(File, u64), StartError> {
        let fail = || StartError::file(&self.path);
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path).map_err(fail())?;
        let length = file.metadata().map_err(fail())?.len();
        Ok((file, length))
    }

    /// The last lines written after the first `skip` bytes.
    pub(super) fn tail(&self, skip: u64) -> String {
        let read = || {
            let mut file = File::open(&self.path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(skip.max(length.saturating_sub(64 << 10))))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            std::io::Result::Ok(bytes)
        };
        last_lines(&read().unwrap_or_default())
    }

    /// Limits the size of the log until the returned task is aborted.
    pub(super) fn keep_bounded(&self) -> JoinHandle<()> {
        let log = self.clone();
        tokio::spawn(async move {
            loop {
                let each = log.clone();
                let _ = tokio::task::spawn_blocking(move || each.move_if_long(LIMIT)).await;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        })
    }

    /// Copies and empties the file. A renamed file would not do, because the server keeps it open and would write to
    /// it.
    fn move_if_long(&self, limit: u64) {
        let moved = || {
            if fs::metadata(&self.path)?.len() > limit {
                fs::copy(&self.path, self.path.with_extension("log.1"))?;
                OpenOptions::new().write(true).open(&self.path)?.set_len(0)?;
            }
            std::io::Result::Ok(())
        };
        // Where the folder was removed after the server's end, there is nothing to move.
        if let Err(error) = moved()
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(error = error.log_text(), path = %self.path.display(), "the log of Postgres grows, because it cannot be moved");
        }
    }
}

/// The last lines of a program's output.
pub(super) fn last_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_long_log_is_moved_while_the_server_keeps_writing() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = ServerLog::in_dir(dir.path());
        let (mut file, _) = log.open().expect("opened");
        writeln!(file, "first").expect("written");
        log.move_if_long(3);
        writeln!(file, "second").expect("written");
        assert_eq!(log.tail(0), "second");
        assert_eq!(fs::read_to_string(dir.path().join("server.log.1")).expect("moved"), "first\n");
    }
}
