//! Knowledge bases as tools in the sandbox reach them. The sandbox decides which bases a call may search; policies decide what of them.

use std::sync::Arc;

use behalf_contracts::{Retrieval, RetrievalError, RetrievalQuery, RetrievedChunk, SearchMethod};
use behalf_sandbox::{
    KnowledgeBaseRef, KnowledgeCaller, KnowledgeError, KnowledgeFuture, KnowledgeMethod, KnowledgeQuery,
    KnowledgeSearch, Passage,
};
use serde_json::Value;

/// Searches for tools, as the caller of the call.
#[derive(Clone, Debug)]
pub struct GuestKnowledge(Arc<dyn Retrieval>);

impl GuestKnowledge {
    /// Searches with this.
    pub fn new(retrieval: Arc<dyn Retrieval>) -> Self {
        Self(retrieval)
    }
}

impl KnowledgeSearch for GuestKnowledge {
    fn bases<'a>(
        &'a self,
        caller: KnowledgeCaller<'a>,
        names: &'a [String],
    ) -> KnowledgeFuture<'a, Vec<KnowledgeBaseRef>> {
        Box::pin(async move {
            let work = self.0.find_bases(caller.principal, names);
            let found = tokio::time::timeout(caller.deadline, work)
                .await
                .map_err(|_| too_slow())?
                .map_err(|error| failed(&error))?;
            Ok(found.into_iter().map(|base| KnowledgeBaseRef { id: base.id, name: base.name }).collect())
        })
    }

    fn search<'a>(
        &'a self,
        caller: KnowledgeCaller<'a>,
        query: KnowledgeQuery<'a>,
    ) -> KnowledgeFuture<'a, Vec<Passage>> {
        Box::pin(async move {
            let asked = RetrievalQuery {
                text: query.text.to_owned(),
                knowledge_bases: query.bases.to_vec(),
                top_k: query.top_k,
                method: query.method.map(method),
                threshold: query.threshold,
                filter_metadata: query.filter_metadata.cloned(),
                own_sources_only: query.own_sources_only,
                agent_id: caller.agent,
                ..RetrievalQuery::default()
            };
            let work = self.0.search(caller.principal, &asked);
            let found = tokio::time::timeout(caller.deadline, work)
                .await
                .map_err(|_| too_slow())?
                .map_err(|error| failed(&error))?;
            Ok(found.into_iter().map(passage).collect())
        })
    }
}

fn method(method: KnowledgeMethod) -> SearchMethod {
    match method {
        KnowledgeMethod::Vector => SearchMethod::Vector,
        KnowledgeMethod::FullText => SearchMethod::FullText,
        KnowledgeMethod::Hybrid => SearchMethod::Hybrid,
        KnowledgeMethod::Tree => SearchMethod::Tree,
    }
}

fn passage(chunk: RetrievedChunk) -> Passage {
    let meta = match chunk.meta {
        Value::Object(meta) => meta,
        _ => serde_json::Map::new(),
    };
    Passage {
        chunk: chunk.chunk_id,
        source: chunk.source_id,
        source_name: chunk.source_name,
        knowledge_base: chunk.knowledge_base_id,
        text: chunk.text,
        score: chunk.score,
        meta,
    }
}

fn too_slow() -> KnowledgeError {
    KnowledgeError { retryable: true, ..KnowledgeError::new("timeout", RetrievalError::Timeout.to_string()) }
}

fn failed(error: &RetrievalError) -> KnowledgeError {
    let text = error.to_string();
    match error {
        RetrievalError::Invalid(_) => KnowledgeError::new("invalid", text),
        RetrievalError::NotFound | RetrievalError::Forbidden => KnowledgeError::new("not_granted", text),
        RetrievalError::Timeout => too_slow(),
        RetrievalError::Busy => KnowledgeError { retryable: true, ..KnowledgeError::new("limit", text) },
        RetrievalError::Unavailable(_) => KnowledgeError::unavailable(),
    }
}
