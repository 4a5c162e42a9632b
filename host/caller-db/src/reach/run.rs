//! The door for the statements of reaches: their texts were derived of policies, and run as the caller.

use std::sync::Arc;
use std::time::Instant;

use behalf_host_db::ReadError;
use behalf_identity::Role;
use futures::future::BoxFuture;
use thiserror::Error;
use uuid::Uuid;

use super::super::app::AppError;
use super::super::fixed::{FixedAccess, FixedRow, Work};
use super::super::{CallerDb, array_literal};
use super::policies::{Counted, Policies};
use super::statement::ReachText;
use super::{Kept, Known, MAX_SOURCES, Reach, ReachRequest, Reached, derive};

/// Rows that are read for the sources: memberships may name one several times.
const RAW_ROWS: usize = 4 * MAX_SOURCES;

/// Rows that a rough statement reads beyond the sources that are enough.
const SPARE_ROWS: usize = 64;

/// What a plan is made for: the sources of this caller, without compiling it.
const SETTINGS: &[&str] = &["SET LOCAL jit = off", "SET LOCAL plan_cache_mode = force_custom_plan"];

/// Why nothing is known of a caller's reach.
#[derive(Debug, Error)]
pub enum ReachError {
    /// The policies cannot be read.
    #[error("the policies on ai.chunks cannot be read")]
    Policies(#[from] ReadError),
    /// There is no connection for this caller.
    #[error(transparent)]
    Caller(AppError),
}

/// What is to be found out.
#[derive(Clone, Copy)]
struct Question<'a> {
    request: &'a ReachRequest<'a>,
    /// For a rough answer: so many chunks are enough to know, of so many in the table.
    enough: Option<fn(u64) -> u32>,
}

impl CallerDb {
    /// The sources outside of which the caller sees no chunk, and how many chunks are in them.
    pub fn reach<'a>(&'a self, request: ReachRequest<'a>) -> BoxFuture<'a, Result<Reached, ReachError>> {
        Box::pin(async move { self.find_reach(Question { request: &request, enough: None }).await })
    }

    /// The same, roughly: the number of chunks is estimated by what a source has on average. Where that makes more than `enough` of the
    /// number of all, the sources are not named. Where nothing is known of averages, and where no source is found, this is
    /// [`CallerDb::reach`].
    pub fn rough_reach<'a>(
        &'a self,
        request: ReachRequest<'a>,
        enough: fn(u64) -> u32,
    ) -> BoxFuture<'a, Result<Reached, ReachError>> {
        Box::pin(async move { self.find_reach(Question { request: &request, enough: Some(enough) }).await })
    }

    async fn find_reach(&self, question: Question<'_>) -> Result<Reached, ReachError> {
        let cache = &self.shared.reach;
        let role = question.request.principal.role();
        if role == Role::Service {
            // It bypasses policies, and every way finds the same for it.
            let known = Known::default();
            let (read, found) = tokio::join!(Policies::read(&cache.host, role), self.ask_reach(&known, question));
            let (_, counted) = read?;
            return self.settle_reach(Known { counted, ..known }, found);
        }
        let last = cache.last(role);
        let attempt = async {
            match &last {
                Some(known) => Some(self.ask_reach(known, question).await),
                None => None,
            }
        };
        let (read, tried) = tokio::join!(Policies::read(&cache.host, role), attempt);
        let (policies, counted) = read?;
        let (known, found) = match (last, tried) {
            (Some(last), Some(found)) if *last.policies == policies => (Known { counted, ..last }, found),
            _ => {
                let known = Known { policies: Arc::new(policies), counted };
                let found = self.ask_reach(&known, question).await;
                (known, found)
            }
        };
        cache.set_last(role, known.clone());
        self.settle_reach(known, found)
    }

    fn settle_reach(&self, known: Known, found: Result<Reach, AppError>) -> Result<Reached, ReachError> {
        let table_chunks = known.counted.chunks;
        match found {
            Ok(reach) => Ok(Reached { reach, table_chunks }),
            Err(error @ AppError::Busy(_)) => Err(ReachError::Caller(error)),
            Err(_) => {
                // The search goes on without, and so do those of the next minute.
                let cache = &self.shared.reach;
                if let Some(kept) = cache.get(&known.policies) {
                    cache.keep(known.policies, Kept { given_up: Some(Instant::now()), ..kept });
                }
                Ok(Reached { reach: Reach::Unknown, table_chunks })
            }
        }
    }

    async fn ask_reach(&self, known: &Known, question: Question<'_>) -> Result<Reach, AppError> {
        let kept = match self.shared.reach.get(&known.policies) {
            Some(kept) => kept,
            None => derived(self, Arc::clone(&known.policies)).await,
        };
        let Some(text) = kept.usable() else { return Ok(Reach::Unknown) };
        if let Some(enough) = question.enough
            && let Some(reach) = self.run_rough(text, known, (question.request, enough)).await?
        {
            return Ok(reach);
        }
        self.run_counting(text, question.request).await
    }

    /// None where the rough statement is of no use.
    async fn run_rough(
        &self,
        text: &ReachText,
        known: &Known,
        (request, enough): (&ReachRequest<'_>, fn(u64) -> u32),
    ) -> Result<Option<Reach>, AppError> {
        let sees_all = !known.policies.chunks.enabled;
        let Some(mean) = known.mean().or(sees_all.then_some(Counted { chunks: 1, sources: 1 })) else {
            return Ok(None);
        };
        let most = u64::from(enough(known.counted.chunks)).saturating_mul(mean.sources) / mean.chunks;
        // A few more, because memberships may name a source several times.
        let rows = usize::try_from(most).unwrap_or(MAX_SOURCES).min(MAX_SOURCES) + SPARE_ROWS;
        let (bases, read, all) = (bases(request), rows.to_string(), request.most_of_all.to_string());
        let params = text.rough_params([&bases, &read, &all]);
        Ok(self.run_reach(text.rough(), &params, request).await?.first().and_then(|row| read_rough(row, rows, mean)))
    }

    async fn run_counting(&self, text: &ReachText, request: &ReachRequest<'_>) -> Result<Reach, AppError> {
        let bases = bases(request);
        let (raw, most) = (RAW_ROWS.to_string(), MAX_SOURCES.to_string());
        let (chunks, all) = (request.most_chunks.to_string(), request.most_of_all.to_string());
        let counted = request.counted_sources.max(1).to_string();
        let params = [&*bases, &*raw, &*most, &*chunks, &*all, &*counted].map(Some);
        Ok(self.run_reach(text.counting(), &params, request).await?.first().map_or(Reach::Unknown, read))
    }

    async fn run_reach(
        &self,
        text: &str,
        params: &[Option<&str>],
        request: &ReachRequest<'_>,
    ) -> Result<Vec<FixedRow>, AppError> {
        self.run_work(Work {
            principal: request.principal,
            key: request.key,
            access: FixedAccess::Read,
            settings: SETTINGS,
            variables: &[],
            text,
            params,
            limits: request.limits,
        })
        .await
    }
}

fn bases(request: &ReachRequest<'_>) -> String {
    let bases: Vec<String> = request.knowledge_bases.iter().map(Uuid::to_string).collect();
    array_literal(&bases)
}

/// Derives the statement on a thread of the parser, and keeps it.
async fn derived(db: &CallerDb, policies: Arc<Policies>) -> Kept {
    let of = Arc::clone(&policies);
    let text = behalf_gate::on_parser_thread(move || derive::sources(&of).as_ref().and_then(ReachText::new)).await;
    let kept = Kept { text: text.flatten(), given_up: None };
    db.shared.reach.keep(policies, kept.clone());
    kept
}

fn read(row: &FixedRow) -> Reach {
    let chunks = number(row, 3);
    if row.text(0) == Some("true") {
        return Reach::All { chunks };
    }
    match row.text(2) {
        Some(ids) => Reach::Sources { ids: read_ids(ids), chunks },
        None => Reach::Many,
    }
}

/// Reads the row of a rough statement that was to return so many rows at most; none where it says too little.
fn read_rough(row: &FixedRow, rows: usize, mean: Counted) -> Option<Reach> {
    if row.text(0) == Some("true") {
        return Some(Reach::All { chunks: number(row, 3) });
    }
    let mut ids = read_ids(row.text(2).unwrap_or_default());
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return None;
    }
    if usize::try_from(number(row, 1)).is_ok_and(|read| read >= rows) {
        // There are more rows, perhaps of the same few sources.
        return (ids.len() * 2 > rows).then_some(Reach::Many);
    }
    let chunks = u64::try_from(ids.len()).unwrap_or(u64::MAX).saturating_mul(mean.chunks) / mean.sources;
    let chunks = u32::try_from(chunks).unwrap_or(u32::MAX);
    Some(Reach::Sources { ids, chunks })
}

fn read_ids(ids: &str) -> Vec<Uuid> {
    ids.split(',').filter_map(|id| id.parse().ok()).collect()
}

/// A number of a row, 0 where there is none.
fn number(row: &FixedRow, column: usize) -> u32 {
    row.text(column).and_then(|text| text.parse::<u64>().ok()).map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX))
}
