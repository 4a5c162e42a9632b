//! The knowledge bases that one call can search, and the bounds of each search.

use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_identity::{CallerKey, Principal};
use uuid::Uuid;

use super::grant::{EVERY_BASE, KnowledgeGrants};
use super::options::{SearchOptions, invalid};
use super::search::{
    KnowledgeBaseRef, KnowledgeCaller, KnowledgeError, KnowledgeQuery, KnowledgeScope, KnowledgeSearch, Passage,
};
use crate::deadline::Deadline;
use crate::memory::Memory;

/// Bytes of a query. A question or a paragraph; models for embeddings read no more.
const MAX_TEXT: usize = 8_000;
/// The longest time for one search.
const SEARCH: Duration = Duration::from_secs(30);

/// The knowledge bases that one call can search.
#[derive(Debug)]
pub(super) struct CallKnowledge {
    /// None where this host has no knowledge bases.
    pub(super) search: Option<Arc<dyn KnowledgeSearch>>,
    pub(super) grant: KnowledgeGrants,
    pub(super) scope: KnowledgeScope,
    pub(super) principal: Arc<Principal>,
    pub(super) agent: Option<Uuid>,
    pub(super) key: CallerKey,
    pub(super) deadline: Deadline,
    /// Bytes of the largest answer.
    pub(super) output_bytes: usize,
}

/// A guest's mistake as a WIT error inside, an end of the guest outside.
pub(super) type Done<T> = wasmtime::Result<Result<T, KnowledgeError>>;

impl CallKnowledge {
    /// The passages that fit a text best.
    pub(super) async fn passages(&self, memory: &Memory, text: &str, options: &str) -> Done<Vec<Passage>> {
        let _query = memory.charge(text.len().saturating_add(options.len()))?;
        let found = match self.found(text, options).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let bytes: usize = found.iter().map(size).sum();
        // With the copy that the guest gets.
        let _charge = memory.charge(bytes.saturating_mul(2))?;
        if bytes > self.output_bytes {
            let message = format!(
                "the passages have {bytes} bytes, and this call takes at most {}; ask for fewer with top_k",
                self.output_bytes
            );
            return Ok(Err(KnowledgeError::new("limit", message)));
        }
        Ok(Ok(found))
    }

    async fn found(&self, text: &str, options: &str) -> Result<Vec<Passage>, KnowledgeError> {
        let options = SearchOptions::read(options)?;
        if !(1..=MAX_TEXT).contains(&text.trim().len()) || text.len() > MAX_TEXT || text.contains('\0') {
            return Err(invalid(format!("the text to search for has 1 to {MAX_TEXT} bytes, and no zero byte")));
        }
        let missing = || KnowledgeError::new("unavailable", "this host has no knowledge bases");
        let search = self.search.as_deref().ok_or_else(missing)?;
        let bases = self.bases(search, options.knowledge_bases.as_deref()).await?;
        if bases.is_empty() {
            return Ok(Vec::new());
        }
        let query = KnowledgeQuery {
            text,
            bases: &bases,
            top_k: options.top_k,
            method: options.method.map(Into::into),
            filter_metadata: options.filter_metadata.as_ref(),
            threshold: options.threshold,
            own_sources_only: self.scope.own_sources_only,
        };
        search.search(self.caller(), query).await
    }

    fn caller(&self) -> KnowledgeCaller<'_> {
        let left = self.deadline.at().saturating_duration_since(Instant::now());
        KnowledgeCaller { principal: &self.principal, agent: self.agent, key: self.key, deadline: left.min(SEARCH) }
    }

    /// The bases of a search: those that were asked for, of those that were granted, of those that the call is narrowed to, as far
    /// as the caller can see them.
    async fn bases(&self, search: &dyn KnowledgeSearch, asked: Option<&[String]>) -> Result<Vec<Uuid>, KnowledgeError> {
        let every = self.grant.has_every_base();
        let narrowed: Option<Vec<_>> =
            self.scope.knowledge_bases.as_ref().map(|ids| ids.iter().map(Uuid::to_string).collect());
        let all = [EVERY_BASE.to_owned()];
        let names = match (every, asked, &narrowed) {
            (false, ..) => &self.grant.knowledge_bases[..],
            // A name that is `*` would be all of them.
            (true, Some(asked), _) if !asked.iter().any(|name| name == EVERY_BASE) => asked,
            (true, _, Some(ids)) => &ids[..],
            (true, _, None) => &all[..],
        };
        let mut found = if names.is_empty() { Vec::new() } else { search.bases(self.caller(), names).await? };
        if let Some(ids) = &self.scope.knowledge_bases {
            found.retain(|base| ids.contains(&base.id));
        }
        if let Some(asked) = asked {
            check_all_there(asked, &found)?;
            found.retain(|base| asked.iter().any(|name| is_named(base, name)));
        }
        let mut ids: Vec<_> = found.into_iter().map(|base| base.id).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}

fn is_named(base: &KnowledgeBaseRef, name: &str) -> bool {
    base.name == name || Uuid::try_parse(name).is_ok_and(|id| id == base.id)
}

/// One answer for a base that was not granted, one that the call is not narrowed to, one that the caller cannot see and one that does
/// not exist: a tool does not learn which of them it is.
fn check_all_there(asked: &[String], found: &[KnowledgeBaseRef]) -> Result<(), KnowledgeError> {
    match asked.iter().find(|name| !found.iter().any(|base| is_named(base, name))) {
        Some(name) => {
            let message = format!("this call has no knowledge base {name:?}: leave knowledge_bases out for all it has");
            Err(KnowledgeError::new("not_granted", message))
        }
        None => Ok(()),
    }
}

/// Bytes of a passage in an answer.
fn size(passage: &Passage) -> usize {
    let meta = serde_json::to_string(&passage.meta).map_or(0, |meta| meta.len());
    size_of_val(passage) + passage.text.len() + meta + passage.source_name.as_ref().map_or(0, String::len)
}
