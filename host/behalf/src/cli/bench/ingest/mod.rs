//! Documents that are uploaded and read, or indexed as well: how many a second, what calls of tools wait for it, and what is lost or
//! doubled where hosts and databases are killed meanwhile.

mod calls;
mod chunks;
mod documents;
mod found;
mod index;
mod kills;
mod stage;
mod stages;
mod texts;
mod upload;

use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::test_bed::{Database, ITEMS};
use calls::{alone, meanwhile};
use found::{Counter, READ};
use stage::Stage;
use upload::{Files, Uploads};

/// `behalf bench ingest`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct IngestArgs {
    /// Documents that are uploaded and read, or indexed, without a kill, and then so many others with kills.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    documents: u32,
    /// Index short texts in a knowledge base with the local model, instead of only reading PDFs.
    #[arg(long)]
    index: bool,
    /// What chance begins with, for the texts that are indexed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Pages of each PDF.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pages: u32,
    /// How often the host is killed.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    kills: u32,
    /// How often Postgres is killed.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    postgres_kills: u32,
    /// Uploads at the same moment.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    uploads: u16,
    /// Seconds of calls before the first upload.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=600))]
    quiet_seconds: u16,
}

pub(super) async fn measure(args: &IngestArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_length(u64::from(args.documents) * 2);
    bar.set_message("preparing a database and a host");
    let mut stage = Stage::start(Database::prepare(ITEMS).await?).await?;
    let report = if args.index { index::on(&mut stage, args, bar).await } else { on(&mut stage, args, bar).await };
    stage.clear().await?;
    report
}

async fn on(stage: &mut Stage, args: &IngestArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    let counter = Counter::begin(&stage.owner_url(), ProgressBar::hidden()).await?;
    let before = stage.resident_kib()?;
    let files = Files::Pdf { pages: args.pages };
    let uploads = Uploads { documents: args.documents, files, at_once: usize::from(args.uploads) };
    // The first document waits until the reader of documents is compiled.
    let warm = Uploads { documents: 1, ..uploads }.send(stage.target(), 0, bar).await?;
    counter.wait(READ, 1).await?;
    bar.set_message("calls alone");
    let quiet = alone(stage, Duration::from_secs(args.quiet_seconds.into())).await?;
    bar.set_message("documents, and calls beside them");
    let (first, mut sent) = (Instant::now(), warm);
    let undisturbed = meanwhile(stage, async {
        let sent = uploads.send(stage.target(), 1, bar).await?;
        counter.wait(READ, sent.len() + 1).await?;
        Ok(sent)
    })
    .await?;
    let seconds = first.elapsed().as_secs_f64();
    sent.extend(undisturbed.result);
    bar.set_message("documents while hosts and databases are killed");
    let killed = Instant::now();
    let target = stage.target();
    let all = sent.len() + usize::try_from(args.documents)?;
    let (more, ()) = futures::try_join!(
        async {
            let more = uploads.send(target, 1 + args.documents, bar).await?;
            counter.wait(READ, all).await?;
            Ok(more)
        },
        kills::kill(stage, (&counter, READ), args, sent.len()),
    )?;
    let killed = killed.elapsed().as_secs_f64();
    sent.extend(more);
    bar.set_message("counting");
    let found = counter.found(&sent, args.pages, &stage.files()).await?;
    let (documents, pages) = (f64::from(args.documents), f64::from(args.pages));
    Ok(json!({
        "documents": args.documents, "pages_each": args.pages, "uploads_at_once": args.uploads, "postgres": stage.version(),
        "documents_per_second": documents / seconds, "pages_per_second": documents * pages / seconds,
        "memory_before_kib": before, "memory_peak_kib": undisturbed.peak_kib,
        "calls_quiet": quiet.calls, "calls_beside": undisturbed.calls,
        "calls_p99_ratio": undisturbed.calls.p99_us / quiet.calls.p99_us,
        "killed": { "hosts": args.kills, "postgres": args.postgres_kills, "documents": args.documents, "seconds": killed },
        "lost": found.lost, "doubled": found.doubled, "left": { "jobs": found.jobs, "blobs": found.blobs },
    }))
}
