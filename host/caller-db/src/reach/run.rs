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
use super::policies::Policies;
use super::statement::ReachText;
use super::{Kept, MAX_SOURCES, Reach, ReachRequest, Reached, derive};

/// Rows that are read for the sources: memberships may name one several times.
const RAW_ROWS: usize = 4 * MAX_SOURCES;

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

impl CallerDb {
    /// The sources outside of which the caller sees no chunk.
    pub fn reach<'a>(&'a self, request: ReachRequest<'a>) -> BoxFuture<'a, Result<Reached, ReachError>> {
        Box::pin(async move {
            let cache = &self.shared.reach;
            let role = request.principal.role();
            let (policies, table_chunks) = match role {
                // The service role bypasses policies, and every way finds the same for it.
                Role::Service => (Policies::default(), 0),
                Role::Anon | Role::Authenticated => Policies::read(&cache.host, role).await?,
            };
            let kept = match cache.get(&policies) {
                Some(kept) => kept,
                None => derived(self, policies.clone()).await,
            };
            let Some(text) = kept.usable() else { return Ok(Reached { reach: Reach::Unknown, table_chunks }) };
            match self.run_reach(text, &request).await {
                Ok(reach) => Ok(Reached { reach, table_chunks }),
                Err(error @ AppError::Busy(_)) => Err(ReachError::Caller(error)),
                Err(_) => {
                    // The search goes on without, and so do those of the next minute.
                    let given_up = Kept { given_up: Some(Instant::now()), ..kept };
                    cache.keep(Arc::new(policies), given_up);
                    Ok(Reached { reach: Reach::Unknown, table_chunks })
                }
            }
        })
    }

    async fn run_reach(&self, text: &ReachText, request: &ReachRequest<'_>) -> Result<Reach, AppError> {
        let bases: Vec<String> = request.knowledge_bases.iter().map(Uuid::to_string).collect();
        let bases = array_literal(&bases);
        let (raw, most) = (RAW_ROWS.to_string(), MAX_SOURCES.to_string());
        let (chunks, all) = (request.most_chunks.to_string(), request.most_of_all.to_string());
        let counted = request.counted_sources.max(1).to_string();
        let rows = self
            .run_work(Work {
                principal: request.principal,
                key: request.key,
                access: FixedAccess::Read,
                settings: SETTINGS,
                variables: &[],
                text: text.as_str(),
                params: &[Some(&bases), Some(&raw), Some(&most), Some(&chunks), Some(&all), Some(&counted)],
                limits: request.limits,
            })
            .await?;
        Ok(rows.first().map_or(Reach::Unknown, read))
    }
}

/// Derives the statement on a thread of the parser, and keeps it.
async fn derived(db: &CallerDb, policies: Policies) -> Kept {
    let policies = Arc::new(policies);
    let of = Arc::clone(&policies);
    let text = behalf_gate::on_parser_thread(move || derive::sources(&of).as_ref().and_then(ReachText::new)).await;
    let kept = Kept { text: text.flatten(), given_up: None };
    db.shared.reach.keep(policies, kept.clone());
    kept
}

fn read(row: &FixedRow) -> Reach {
    let chunks =
        row.text(3).and_then(|text| text.parse::<u64>().ok()).map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX));
    if row.text(0) == Some("true") {
        return Reach::All { chunks };
    }
    match row.text(2) {
        Some(ids) => Reach::Sources { ids: ids.split(',').filter_map(|id| id.parse().ok()).collect(), chunks },
        None => Reach::Many,
    }
}
