//! `behalf dev --demo chat` as a person starts it, with a Postgres of its own.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Child, ChildStdout, Command, Stdio};

use behalf_tests::app::STATE_DIR;
use behalf_tests::projects::behalf_bin;
use tempfile::TempDir;

/// A running demo. It ends, with its Postgres, when it is dropped.
pub(super) struct DevHost {
    /// The address of the page, as the command printed it.
    pub(super) page: String,
    /// `http://127.0.0.1:…`
    pub(super) url: String,
    child: Child,
    /// Its folder, which is deleted after its end.
    state: TempDir,
    /// A program that cannot write any more would end.
    _printed: BufReader<ChildStdout>,
}

impl DevHost {
    /// Starts it, and waits for the line that says where the page is.
    pub(super) async fn start() -> Self {
        tokio::task::spawn_blocking(Self::start_now).await.unwrap()
    }

    fn start_now() -> Self {
        let state = tempfile::tempdir().unwrap();
        // What all tests compile is compiled once.
        let compiled = format!("{STATE_DIR}/compiled");
        std::fs::create_dir_all(&compiled).unwrap();
        symlink(std::fs::canonicalize(compiled).unwrap(), state.path().join("compiled")).unwrap();
        let mut command = Command::new(behalf_bin());
        command.args(["dev", "--demo", "chat"]).current_dir(state.path());
        command.env("BEHALF_STATE_DIR", state.path()).env("BEHALF_BIND", "127.0.0.1:0");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let page = loop {
            line.clear();
            assert!(printed.read_line(&mut line).unwrap() > 0, "the host ended before it said where the page is");
            if let Some((_, page)) = line.split_once("The chat demo, with two users side by side: ") {
                break page.trim().to_owned();
            }
        };
        let url = page.strip_suffix("/demo/chat").unwrap().to_owned();
        Self { page, url, child, state, _printed: printed }
    }

    /// A line of the file in which the command keeps its keys.
    pub(super) fn kept(&self, name: &str) -> String {
        let file = std::fs::read_to_string(self.state.path().join("dev.env")).unwrap();
        let mut lines = file.lines().filter_map(|line| line.split_once('='));
        lines.find(|(known, _)| *known == name).unwrap().1.to_owned()
    }
}

impl Drop for DevHost {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().ok();
        self.child.wait().ok();
    }
}
