//! `behalf sources add`: uploads files, at most four at once, and says how each ended.

use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::ensure;
use behalf_toolchain::stop_signal;
use clap::Args;
use futures::stream::{StreamExt as _, iter};

use super::UserArgs;
use super::bars::Bars;
use super::base::KnowledgeBase;
use super::files::files;
use super::host::Host;
use super::upload::{Outcome, add, line};

/// Files at once.
const AT_ONCE: usize = 4;

/// `behalf sources add`
#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    /// Files, and folders whose files are taken; names that begin with a dot, and links in folders, are left out.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    user: UserArgs,
    /// The knowledge base that gets the sources, by its name or id; it must be there. The command waits until they are indexed.
    #[arg(long, value_name = "NAME")]
    knowledge_base: Option<String>,
}

/// How many files ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    read: usize,
    indexed: usize,
    there: usize,
    failed: usize,
    left: usize,
}

impl Tally {
    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Read { .. } => self.read += 1,
            Outcome::Indexed { .. } => self.indexed += 1,
            Outcome::There { .. } => self.there += 1,
            Outcome::Failed(_) => self.failed += 1,
        }
        self.left -= 1;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.indexed > 0 {
            write!(f, "{} indexed, ", self.indexed)?;
        }
        write!(f, "{} read, {} there already, {} failed", self.read, self.there, self.failed)?;
        if self.left > 0 {
            write!(f, ", {} not waited for; what was uploaded stays, and the host goes on to read it", self.left)?;
        }
        Ok(())
    }
}

pub(super) async fn run(args: &AddArgs) -> anyhow::Result<ExitCode> {
    let files = files(&args.paths)?;
    ensure!(!files.is_empty(), "there are no files in these folders; name a file, or a folder that has some");
    let host = Host::find(&args.user.host, &args.user.user).await?;
    let base = match &args.knowledge_base {
        Some(name) => Some(KnowledgeBase::find(&host, name).await?),
        None => None,
    };
    let (bars, mut tally) = (Bars::new()?, Tally { left: files.len(), ..Tally::default() });
    let mut ended = pin!(
        iter(files)
            .map(async |path| {
                let bar = Arc::new(bars.begin(&name(&path)));
                (add(&host, base.as_ref(), &path, &bar).await, path)
            })
            .buffer_unordered(AT_ONCE)
    );
    let mut stop = pin!(stop_signal());
    loop {
        tokio::select! {
            _ = &mut stop => break,
            next = ended.next() => match next {
                Some((outcome, path)) => {
                    tally.count(&outcome);
                    bars.pause(|| println!("{}", told(&path, &outcome)));
                }
                None => break,
            },
        }
    }
    bars.pause(|| println!("{tally}"));
    Ok(if tally.failed + tally.left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A file as a line begins with it.
fn name(path: &Path) -> String {
    line(&path.display().to_string())
}

/// How one file ended.
fn told(path: &Path, outcome: &Outcome) -> String {
    let name = name(path);
    match outcome {
        Outcome::Read { id, pages: Some(1) } => format!("{name}: read, 1 page, source {id}"),
        Outcome::Read { id, pages: Some(pages) } => format!("{name}: read, {pages} pages, source {id}"),
        Outcome::Indexed { id, chunks: 1 } => format!("{name}: indexed, 1 chunk, source {id}"),
        Outcome::Indexed { id, chunks } => format!("{name}: indexed, {chunks} chunks, source {id}"),
        Outcome::Read { id, pages: None } => format!("{name}: read, source {id}"),
        Outcome::There { id, name: other, status } => {
            format!("{name}: there already as {other}, {status}, source {id}")
        }
        Outcome::Failed(why) => format!("{name}: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_counted_once() {
        let mut tally = Tally { left: 4, ..Tally::default() };
        tally.count(&Outcome::Read { id: "1".to_owned(), pages: None });
        let there = ["2", "a.txt", "extracted"].map(str::to_owned);
        let [id, name, status] = there;
        tally.count(&Outcome::There { id, name, status });
        tally.count(&Outcome::Failed("no".to_owned()));
        assert_eq!(tally, Tally { read: 1, indexed: 0, there: 1, failed: 1, left: 1 });
        assert!(tally.to_string().starts_with("1 read, 1 there already, 1 failed, 1 not waited for"), "{tally}");
    }

    #[test]
    fn a_name_stays_on_its_line() {
        let outcome = Outcome::Read { id: "1".to_owned(), pages: Some(2) };
        let told = told(Path::new("a\n\u{1b}[31mb.txt"), &outcome);
        assert!(!told.contains(['\n', '\u{1b}']) && told.ends_with("b.txt: read, 2 pages, source 1"), "{told}");
    }
}
