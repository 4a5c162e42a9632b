//! The knowledge of agents' runs: which bases a run searches, what is searched before its model is asked, and the tool for the rest.

use std::sync::Arc;

use behalf_contracts::{BaseInfo, Retrieval, ToolInvoker, ToolKind};
use behalf_identity::Principal;
use behalf_problem::LogText as _;
use uuid::Uuid;

use super::asked::AskedKnowledge;
use super::base::SearchedBase;
use super::frame::with_passages;
use super::passage::{Passage, Quoted};
use super::search::{Search, context_tokens};
use super::tool::{KNOWLEDGE_SEARCH, narrowed};
use crate::store::{AgentBaseStore, ContextHandlerStore};
use crate::toolbox::Toolbox;

/// The knowledge of agents' runs. A host without knowledge bases has none.
#[derive(Clone, Debug)]
pub(crate) struct AgentKnowledge {
    retrieval: Option<Arc<dyn Retrieval>>,
    bases: AgentBaseStore,
    handlers: ContextHandlerStore,
}

/// A search that was made before the model was asked.
#[derive(Debug, Default)]
pub(crate) struct StartSearch {
    /// What was found, numbered.
    pub(crate) found: Vec<Passage>,
    /// Where it was searched.
    pub(crate) bases: Vec<SearchedBase>,
    /// What failed, in words for clients.
    pub(crate) errors: Vec<String>,
}

/// A search without a run.
#[derive(Debug)]
pub(crate) struct FoundAlone {
    /// The passages as a model reads them; none where nothing was found.
    pub(crate) formatted: Option<String>,
    /// What is kept of them.
    pub(crate) quoted: Vec<Quoted>,
    /// What failed, in words for clients.
    pub(crate) errors: Vec<String>,
}

/// What a search is made for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SearchedFor<'a> {
    /// The agent.
    pub(crate) agent_id: Option<Uuid>,
    /// The HTTP request.
    pub(crate) request_id: Option<&'a str>,
}

impl AgentKnowledge {
    /// Searches through `retrieval` in the bases that `bases` gives to agents.
    pub(crate) fn new(
        retrieval: Option<Arc<dyn Retrieval>>,
        bases: AgentBaseStore,
        handlers: ContextHandlerStore,
    ) -> Self {
        Self { retrieval, bases, handlers }
    }

    /// Whether this host has knowledge bases.
    pub(crate) fn is_served(&self) -> bool {
        self.retrieval.is_some()
    }

    /// The earlier searches.
    pub(crate) fn handlers(&self) -> &ContextHandlerStore {
        &self.handlers
    }

    /// The bases of an agent, as far as this caller may search at all. A delegation that does not name the tool for it allows no search.
    pub(crate) async fn of_agent(&self, principal: &Principal, agent: Uuid) -> Result<Vec<SearchedBase>, sqlx::Error> {
        if self.retrieval.is_none() || !may_search(principal) {
            return Ok(Vec::new());
        }
        self.bases.of_agent(principal, agent).await
    }

    /// Searches as the request says before the model is asked; none where it says nothing of the kind. `has_passages` tells whether the
    /// request brings passages of its own, which then stand alone.
    pub(crate) async fn search_first(
        &self,
        principal: &Arc<Principal>,
        asked: &AskedKnowledge,
        (message, has_passages): (&str, bool),
        purpose: SearchedFor<'_>,
    ) -> Option<StartSearch> {
        let bases = match &asked.bases {
            Some(bases) => bases.clone(),
            None if asked.searches_first && !has_passages => asked.searchable.clone(),
            None => return None,
        };
        let retrieval = self.retrieval.as_deref().filter(|_| !bases.is_empty() && may_search(principal))?;
        let search = Search {
            principal,
            text: message,
            bases: &bases,
            own_sources_only: asked.own_sources_only,
            request_id: purpose.request_id,
            agent_id: purpose.agent_id,
        };
        let found = search.make(retrieval).await;
        let found_passages = (1..).zip(found.chunks).map(|(number, chunk)| Passage::found(number, chunk)).collect();
        Some(StartSearch { found: found_passages, errors: found.errors, bases })
    }

    /// Searches without a run.
    pub(crate) async fn search_alone(
        &self,
        principal: &Arc<Principal>,
        query: &str,
        bases: &[SearchedBase],
        room: usize,
        request_id: &str,
    ) -> Option<FoundAlone> {
        let asked = AskedKnowledge { bases: Some(bases.to_vec()), ..AskedKnowledge::default() };
        let purpose = SearchedFor { agent_id: None, request_id: Some(request_id) };
        self.retrieval.as_ref()?;
        let search = self.search_first(principal, &asked, (query, false), purpose).await.unwrap_or_default();
        let (formatted, quoted) = with_passages(None, &search.found, (room, room));
        Some(FoundAlone { formatted, quoted, errors: search.errors })
    }

    /// Lets a model search these bases: gives it the tool, or narrows the tool where the agent has it already.
    pub(crate) async fn join(
        &self,
        principal: &Arc<Principal>,
        bases: &[SearchedBase],
        tools: &dyn ToolInvoker,
        toolbox: &mut Toolbox,
    ) {
        let Some(retrieval) = self.retrieval.as_deref().filter(|_| !bases.is_empty() && may_search(principal)) else {
            return;
        };
        let Some(info) = tools.get(KNOWLEDGE_SEARCH).filter(|info| info.kind == ToolKind::Wasm) else {
            tracing::warn!("an agent has knowledge bases, and the tool that searches them is not there");
            return;
        };
        let visible = if bases.len() > 1 { visible(retrieval, principal, bases).await } else { Vec::new() };
        let (info, forced, scope) = narrowed(info, bases, &visible);
        toolbox.search_in(info, forced, scope);
    }
}

/// Those of these bases that the caller sees. Where that cannot be told, the model searches all of them at once.
async fn visible(retrieval: &dyn Retrieval, principal: &Arc<Principal>, bases: &[SearchedBase]) -> Vec<BaseInfo> {
    let ids: Vec<_> = bases.iter().map(|base| base.id.to_string()).collect();
    let mut found = retrieval.find_bases(principal, &ids).await.unwrap_or_else(|error| {
        tracing::warn!(error = error.log_text(), "the names of an agent's knowledge bases cannot be read");
        Vec::new()
    });
    // A base of somebody else's may have the id of one of these as its name.
    found.retain(|info| bases.iter().any(|base| base.id == info.id));
    found
}

/// Whether the caller's permission covers searches.
fn may_search(principal: &Principal) -> bool {
    principal.delegation().is_none_or(|delegation| delegation.allows_tool(KNOWLEDGE_SEARCH))
}

impl AskedKnowledge {
    /// Fixes what the run's model may search: the agent's bases, and those that the request adds.
    pub(crate) fn fix_searchable(&mut self, own: Vec<SearchedBase>) {
        let mut all = std::mem::take(&mut self.runtime);
        all.extend(own.into_iter().filter(|base| !all.iter().any(|other| other.id == base.id)).collect::<Vec<_>>());
        self.searchable = all;
    }

    /// Tokens of the passages that were found before the model was asked, where the bases bound them.
    pub(crate) fn bound(&mut self, bases: &[SearchedBase]) {
        self.passage_tokens = context_tokens(bases);
    }
}
