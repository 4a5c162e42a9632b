//! `behalf jobs`: background jobs, on the host's own login.

use anyhow::Context;
use behalf_config::Settings;
use behalf_host_db::Act;
use behalf_queue::{JobCounts, JobFilter, JobId, JobRow, JobState, JobTable};
use behalf_web::Page;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use uuid::Uuid;

use super::host_db::host_db;

/// `behalf jobs`
#[derive(Debug, Subcommand)]
pub(super) enum JobsCommand {
    /// List jobs that wait, are under way, failed for good or were cancelled, the latest first.
    List(ListArgs),
    /// Let a job wait again that failed for good or was cancelled. It has all its attempts again.
    Retry(JobArgs),
    /// Ask to cancel a job that waits or is under way. A running host ends it within a second or so.
    Cancel(JobArgs),
}

/// `behalf jobs list`
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only those in this state.
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only those of this kind, such as `sources.extract`.
    #[arg(long)]
    kind: Option<String>,
    /// Only those of this lane, such as `documents`.
    #[arg(long)]
    lane: Option<String>,
    /// Only those of this owner: `user:` and an id, `service` or `host`.
    #[arg(long)]
    owner: Option<String>,
    /// The most jobs to list.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Jobs to leave out first.
    #[arg(long, default_value_t = 0)]
    offset: u32,
    /// Print JSON, as `GET /api/jobs` answers.
    #[arg(long)]
    json: bool,
}

/// The job of a command.
#[derive(Debug, Args)]
pub(super) struct JobArgs {
    /// The job's id.
    id: Uuid,
    /// Print the job as JSON.
    #[arg(long)]
    json: bool,
}

/// The state of jobs to list.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Ready,
    Delayed,
    Running,
    Dead,
    Cancelled,
}

impl From<State> for JobState {
    fn from(state: State) -> Self {
        match state {
            State::Ready => Self::Ready,
            State::Delayed => Self::Delayed,
            State::Running => Self::Running,
            State::Dead => Self::Dead,
            State::Cancelled => Self::Cancelled,
        }
    }
}

impl JobsCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let settings = Settings::load()?;
        let db = host_db(&settings).await?;
        let done = self.on(&JobTable::new(db.clone())).await;
        db.close().await;
        done
    }

    async fn on(self, table: &JobTable) -> anyhow::Result<()> {
        match self {
            Self::List(args) => list(table, args).await,
            Self::Retry(args) => {
                let row = table.retry(Act::Host, JobId(args.id)).await.context("the job stays as it is")?;
                show(&row, args.json, "waits again")
            }
            Self::Cancel(args) => {
                let row = table.cancel(Act::Host, JobId(args.id)).await.context("the job stays as it is")?;
                show(&row, args.json, "is to be cancelled")
            }
        }
    }
}

async fn list(table: &JobTable, args: ListArgs) -> anyhow::Result<()> {
    let ListArgs { state, kind, lane, owner, limit, offset, json } = args;
    let page = Page { limit: limit.max(1).into(), offset: offset.into() };
    let (rows, total) = table.list(&JobFilter { state: state.map(JobState::from), kind, lane, owner, page }).await?;
    let counts = table.counts().await?;
    if json {
        let list =
            json!({ "jobs": rows, "total": total, "counts": counts, "limit": page.limit, "offset": page.offset });
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(());
    }
    for row in &rows {
        println!("{}", line(row));
    }
    let JobCounts { ready, delayed, running, dead, cancelled } = counts;
    eprintln!(
        "behalf: {total} fit; in all {ready} ready, {delayed} delayed, {running} running, {dead} dead, {cancelled} cancelled"
    );
    Ok(())
}

/// The id, the state, the attempts, what it is, whose it is, and why it failed.
fn line(row: &JobRow) -> String {
    let attempts = format!("{}/{}", row.attempts, row.max_attempts);
    let code = row.error_code.as_deref().unwrap_or("-");
    format!("{}  {:<9}  {attempts:>5}  {:<24}  {:<41}  {code}", row.id, row.state, row.kind, row.owner)
}

fn show(row: &JobRow, json: bool, what: &str) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(row)?);
    } else {
        eprintln!("behalf: the job {} {what}", row.id);
    }
    Ok(())
}
