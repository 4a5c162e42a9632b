//! Agents' knowledge: which bases a run searches, the passages that its model reads, and what its answer cites.
//!
//! Every search is made as the run's caller. Passages reach a model as quoted data, numbered, with their sources.

mod agent_knowledge;
mod asked;
mod base;
mod citation;
mod frame;
mod passage;
mod search;
mod tool;
mod tool_result;

pub(crate) use agent_knowledge::{AgentKnowledge, SearchedFor, StartSearch};
pub(crate) use asked::{AskedKnowledge, read_own_sources_only};
pub(crate) use base::{SearchConfig, SearchedBase, read_bases};
pub(crate) use citation::cited;
pub(crate) use frame::{CITE, with_passages};
pub(crate) use passage::{Passage, Quoted};
pub(crate) use tool::{KNOWLEDGE_SEARCH, SearchScope};
pub(crate) use tool_result::{highest_number, quote_result};
