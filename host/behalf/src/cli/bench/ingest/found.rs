//! What the database has in the end.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::bail;
use behalf_host_db::run_script;
use indicatif::ProgressBar;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use uuid::Uuid;

use super::documents::words;
use super::upload::Sent;

/// How long nothing may happen before the measurement gives up.
const PATIENCE: Duration = Duration::from_mins(5);
/// How long what a killed host left may take to be deleted.
const SWEEP: Duration = Duration::from_mins(3);
const ASK: Duration = Duration::from_millis(50);

/// A row for each time that a source came to its end, and whether its text was there.
const ENDS: &str = "
    create table public.source_ends (source_id uuid not null, status text not null);
    alter table public.source_ends enable row level security;
    create function public.note_end() returns trigger language plpgsql security definer set search_path = '' as $$
    begin
        insert into public.source_ends values (new.id, new.extraction_status);
        return null;
    end
    $$;
    create trigger note_end after update of extraction_status on ai.sources for each row
        when (new.extraction_status not in ('pending', 'extracting')) execute function public.note_end();";

/// Sources that came to the end of being read.
pub(super) const READ: &str =
    "select count(*) from ai.sources where extraction_status not in ('pending', 'extracting')";
/// Places of sources in bases that came to the end of being indexed.
pub(super) const INDEXED: &str =
    "select count(*) from ai.indexed_sources where index_status not in ('pending', 'indexing')";

/// Counts in the database, as its owner.
pub(super) struct Counter {
    owner_url: String,
    /// Shows how many sources are indexed.
    bar: ProgressBar,
}

/// What is missing, and what is there twice or should not be there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    /// Documents that the host took and whose pages are not all there.
    pub(super) lost: usize,
    /// Sources that were read to the end more than once, that have more pages than their document, or that nobody uploaded.
    pub(super) doubled: usize,
    /// Rows of jobs.
    pub(super) jobs: i64,
    /// Bytes that no source names: rows of the list, and files.
    pub(super) blobs: i64,
}

impl Counter {
    pub(super) async fn begin(owner_url: &str, bar: ProgressBar) -> anyhow::Result<Self> {
        run_script(owner_url, ENDS).await?;
        Ok(Self { owner_url: owner_url.to_owned(), bar })
    }

    pub(super) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnectOptions::from_str(&self.owner_url)?.connect().await
    }

    /// Waits until so many sources came to the end of [`READ`] or [`INDEXED`]. The server may be away meanwhile.
    pub(super) async fn wait(&self, what: &'static str, sources: usize) -> anyhow::Result<()> {
        let (mut seen, mut changed) = (0, Instant::now());
        loop {
            if let Ok(count) = self.ended(what).await {
                if what == INDEXED {
                    self.bar.set_position(u64::try_from(count)?);
                }
                if count >= i64::try_from(sources)? {
                    return Ok(());
                }
                if count != seen {
                    (seen, changed) = (count, Instant::now());
                }
            }
            if changed.elapsed() > PATIENCE {
                bail!("nothing was done for {} seconds; {seen} of {sources} sources are", PATIENCE.as_secs());
            }
            tokio::time::sleep(ASK).await;
        }
    }

    async fn ended(&self, what: &'static str) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(what).fetch_one(&mut self.connect().await?).await
    }

    /// Compares what is there with what was sent, once what killed hosts left had time to be deleted.
    pub(super) async fn found(&self, sent: &[Sent], pages: u32, files: &Path) -> anyhow::Result<Found> {
        let mut owner = self.connect().await?;
        let rows: Vec<(Uuid, i32, String)> =
            sqlx::query_as("select source_id, page, text from ai.source_pages").fetch_all(&mut owner).await?;
        let mut texts: HashMap<Uuid, HashMap<u32, String>> = HashMap::new();
        for (source, page, text) in rows {
            texts.entry(source).or_default().insert(u32::try_from(page)?, text);
        }
        let is_whole = |one: &&Sent| {
            let of_source = texts.get(&one.source);
            of_source.is_some_and(|of_source| {
                (1..=pages)
                    .all(|page| of_source.get(&page).is_some_and(|text| text.contains(&words(one.document, page))))
            })
        };
        let whole = sent.iter().filter(is_whole).count();
        let long = texts.values().filter(|of_source| of_source.keys().any(|page| *page > pages)).count();
        let again: i64 = sqlx::query_scalar(
            "select count(*) from (select from public.source_ends group by source_id having count(*) > 1) as again",
        )
        .fetch_one(&mut owner)
        .await?;
        let sources: i64 = sqlx::query_scalar("select count(*) from ai.sources").fetch_one(&mut owner).await?;
        let taken: HashSet<Uuid> = sent.iter().map(|one| one.source).collect();
        let more = usize::try_from(sources)?.saturating_sub(taken.len());
        let (jobs, blobs) = left(&mut owner, files).await?;
        Ok(Found { lost: sent.len() - whole, doubled: long + usize::try_from(again)? + more, jobs, blobs })
    }
}

/// Jobs and bytes that are left over.
pub(super) async fn left(owner: &mut PgConnection, files: &Path) -> anyhow::Result<(i64, i64)> {
    let began = Instant::now();
    loop {
        let jobs: i64 = sqlx::query_scalar("select count(*) from behalf.jobs").fetch_one(&mut *owner).await?;
        let (listed, named): (i64, i64) = sqlx::query_as(
            "select (select count(*) from behalf.blobs), (select count(*) from ai.sources where blob_id is not null)",
        )
        .fetch_one(&mut *owner)
        .await?;
        let blobs = (listed - named).abs() + (i64::try_from(count(files))? - named).abs();
        if jobs + blobs == 0 || began.elapsed() > SWEEP {
            return Ok((jobs, blobs));
        }
        tokio::time::sleep(ASK).await;
    }
}

/// Files of the folders in a folder.
fn count(folder: &Path) -> usize {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries(folder).filter(|entry| entry.path().is_dir()).map(|entry| entries(&entry.path()).count()).sum()
}
