//! `behalf auth`: the users of `/auth/v1`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use behalf_auth::{ImportOptions, ImportReport, TableReport, import};
use behalf_config::Settings;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::auth_keys::KeysCommand;
use super::host_db::host_db;
use crate::app::sealer;

/// Rows that were left out and are named. The others are counted.
const MAX_NAMED: usize = 20;

/// `behalf auth`
#[derive(Debug, Subcommand)]
pub(super) enum AuthCommand {
    /// Add the users of a dump of another project, as `pg_dump --data-only --schema=auth` writes it.
    ///
    /// Users keep their ids, so that rows that refer to them go on to do so, and their passwords, identities and second factors.
    /// Users who are here already stay as they are. Sessions are not taken over: everybody signs in anew. All users of the dump
    /// are added or, after an error, none. The app's triggers on auth.users run for each of them.
    Import(ImportArgs),
    /// Manage the keys that sign access tokens.
    #[command(subcommand)]
    Keys(KeysCommand),
}

/// `behalf auth import`
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The dump, in plain SQL.
    dump: PathBuf,
    /// Try it and change nothing.
    #[arg(long)]
    dry_run: bool,
}

impl AuthCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Import(args) => import_users(&args).await,
            Self::Keys(command) => command.run().await,
        }
    }
}

/// Prints what was done.
async fn import_users(args: &ImportArgs) -> anyhow::Result<()> {
    let settings = Settings::load()?;
    let sealer = sealer(&settings)?;
    let bar = bar(&args.dump)?;
    let db = host_db(&settings).await?;
    let progress = |bytes| bar.set_position(bytes);
    let options = ImportOptions { sealer: &sealer, dry_run: args.dry_run, progress: &progress };
    let imported = import(&db, &args.dump, &options).await;
    bar.finish_and_clear();
    db.close().await;
    print(&imported.context("nothing was changed")?, args.dry_run);
    Ok(())
}

/// Shows how much of the file was read. It is read twice.
fn bar(file: &Path) -> anyhow::Result<ProgressBar> {
    let read = || format!("{} cannot be read", file.display());
    let size = std::fs::metadata(file).with_context(read)?.len();
    let style = ProgressStyle::with_template("importing users {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}")?;
    Ok(ProgressBar::new(size.saturating_mul(2)).with_style(style))
}

fn print(report: &ImportReport, dry_run: bool) {
    let tables = [("users", &report.users), ("identities", &report.identities), ("second factors", &report.factors)];
    for (name, TableReport { added, kept, refused, .. }) in tables {
        println!("{name}: {added} added, {kept} kept, {refused} left out");
    }
    for refused in report.refused.iter().take(MAX_NAMED) {
        eprintln!("behalf: line {}: {} {}: {}", refused.line, refused.table, refused.id, refused.why);
    }
    let refused = report.users.refused + report.identities.refused + report.factors.refused;
    let named = u64::try_from(report.refused.len().min(MAX_NAMED)).unwrap_or(u64::MAX);
    if refused > named {
        eprintln!("behalf: and {} more rows were left out", refused - named);
    }
    for (name, table) in tables {
        if !table.ignored_columns.is_empty() {
            let columns: Vec<_> = table.ignored_columns.iter().map(String::as_str).collect();
            eprintln!("behalf: columns of {name} that have no place here: {}", columns.join(", "));
        }
    }
    if dry_run {
        println!("nothing was changed: this was a dry run");
    }
}
