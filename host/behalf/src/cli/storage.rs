//! `behalf storage`: the files of `/storage/v1`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use behalf_blobs::Blobs;
use behalf_config::Settings;
use behalf_jobs::Jobs;
use behalf_storage::{ImportOptions, ImportReport, TableReport, import};
use clap::{Args, Subcommand};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::host_db::host_db;
use crate::app::{blob_options, storage_place};

/// Rows that were left out and are named. The others are counted.
const MAX_NAMED: usize = 20;

/// How long the command waits for its last work.
const GRACE: Duration = Duration::from_secs(5);

/// `behalf storage`
#[derive(Debug, Subcommand)]
pub(super) enum StorageCommand {
    /// Add the buckets and objects of a dump of another project, as `pg_dump --data-only --schema=storage` writes it.
    ///
    /// The bytes come from a folder that has `bucket/name` or `bucket/name/version` for each object. Objects keep their ids, owners,
    /// times and metadata. What is here already stays as it is, so an import that ended early can be begun again. The app's triggers
    /// on storage.objects run for each of them. The command needs the same `BEHALF_STORAGE` as the hosts.
    Import(ImportArgs),
}

/// `behalf storage import`
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The dump, in plain SQL.
    dump: PathBuf,
    /// The folder with a folder for each bucket.
    files: PathBuf,
    /// Look at all of it and change nothing.
    #[arg(long)]
    dry_run: bool,
}

impl StorageCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Import(args) => import_objects(&args).await,
        }
    }
}

/// Prints what was done.
async fn import_objects(args: &ImportArgs) -> anyhow::Result<()> {
    let settings = Settings::load()?;
    if storage_place(&settings)?.is_none() {
        bail!("BEHALF_STORAGE says that files are not kept here; set it to where they are to be");
    }
    let bar = bar()?;
    let (db, jobs) = (host_db(&settings).await?, Jobs::new());
    let blobs = Blobs::open(&blob_options(&settings)?, db.clone(), &jobs).await?;
    let progress = |report: &ImportReport| {
        bar.set_message(format!("{} objects, {}", report.objects.added, HumanBytes(report.bytes)));
        bar.tick();
    };
    let ImportArgs { dump, files, dry_run } = args;
    let options = ImportOptions { dump, files, dry_run: *dry_run, progress: &progress };
    let imported = import(&db, &blobs, &options).await;
    bar.finish_and_clear();
    jobs.shutdown(GRACE).await;
    db.close().await;
    print(&imported.context("what was added before stays; begin again when this is right")?, *dry_run);
    Ok(())
}

fn bar() -> anyhow::Result<ProgressBar> {
    Ok(ProgressBar::new_spinner().with_style(ProgressStyle::with_template("importing {spinner} {msg}")?))
}

fn print(report: &ImportReport, dry_run: bool) {
    for (name, TableReport { added, kept, refused }) in [("buckets", report.buckets), ("objects", report.objects)] {
        println!("{name}: {added} added, {kept} kept, {refused} left out");
    }
    println!("bytes: {}", report.bytes);
    for refused in report.refused.iter().take(MAX_NAMED) {
        eprintln!("behalf: line {}: {} {}: {}", refused.line, refused.table, refused.id, refused.why);
    }
    let refused = report.buckets.refused + report.objects.refused;
    let named = u64::try_from(report.refused.len().min(MAX_NAMED)).unwrap_or(u64::MAX);
    if refused > named {
        eprintln!("behalf: and {} more rows were left out", refused - named);
    }
    if dry_run {
        println!("nothing was changed: this was a dry run");
    }
}
