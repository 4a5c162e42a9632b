//! Documents of knowledge bases in memory, for one command. Each belongs to one user: a search finds those of its caller.
//!
//! A command tries a component, not the app: its policies and its search are tried on a host. Here, the documents that share most words
//! with the question come first.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use behalf_sandbox::{
    KnowledgeBaseRef, KnowledgeCaller, KnowledgeError, KnowledgeFuture, KnowledgeQuery, KnowledgeSearch, Passage,
};
use futures::FutureExt as _;
use uuid::Uuid;

/// Passages of an answer where the tool does not say how many.
const TOP_K: u32 = 5;

/// A document of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrialDocument {
    /// Whose it is.
    pub(crate) user: Uuid,
    /// The name of its knowledge base.
    pub(crate) knowledge_base: String,
    /// Its name.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
}

/// Documents in memory.
#[derive(Debug, Default)]
pub(crate) struct TrialDocuments {
    all: Vec<TrialDocument>,
    /// Users whose documents are away.
    deleted: Mutex<BTreeSet<Uuid>>,
    fails: AtomicBool,
}

impl TrialDocuments {
    pub(crate) fn new(all: Vec<TrialDocument>) -> Self {
        Self { all, ..Self::default() }
    }

    /// Makes every search fail, or no longer.
    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    /// Takes away the documents of a user.
    pub(crate) fn delete(&self, user: Uuid) {
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner).insert(user);
    }

    /// Brings back all documents.
    pub(crate) fn restore(&self) {
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The documents that a caller can see, with their places.
    fn visible(&self, caller: &KnowledgeCaller<'_>) -> Result<Vec<(usize, &TrialDocument)>, KnowledgeError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(KnowledgeError::unavailable());
        }
        let deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        let sees = |one: &TrialDocument| {
            (caller.principal.is_service() || caller.principal.subject() == Some(one.user))
                && !deleted.contains(&one.user)
        };
        Ok(self.all.iter().enumerate().filter(|(_, one)| sees(one)).collect())
    }

    fn bases_of(&self, caller: KnowledgeCaller<'_>, names: &[String]) -> Result<Vec<KnowledgeBaseRef>, KnowledgeError> {
        let mut found: Vec<KnowledgeBaseRef> = Vec::new();
        for (_, document) in self.visible(&caller)? {
            let (id, name) = (base_id(&document.knowledge_base), &document.knowledge_base);
            let asked = names.iter().any(|one| one == "*" || one == name || *one == id.to_string());
            if asked && found.iter().all(|base| base.id != id) {
                found.push(KnowledgeBaseRef { id, name: name.clone() });
            }
        }
        Ok(found)
    }

    fn found(&self, caller: KnowledgeCaller<'_>, query: KnowledgeQuery<'_>) -> Result<Vec<Passage>, KnowledgeError> {
        let visible = self.visible(&caller)?;
        let mut found: Vec<_> = visible
            .into_iter()
            .filter(|(_, one)| query.bases.contains(&base_id(&one.knowledge_base)))
            .map(|(place, one)| passage(place, one, likeness(query.text, &one.text)))
            .filter(|passage| passage.score >= query.threshold.unwrap_or(0.0))
            .collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(query.top_k.unwrap_or(TOP_K) as usize);
        Ok(found)
    }
}

impl KnowledgeSearch for TrialDocuments {
    fn bases<'a>(
        &'a self,
        caller: KnowledgeCaller<'a>,
        names: &'a [String],
    ) -> KnowledgeFuture<'a, Vec<KnowledgeBaseRef>> {
        std::future::ready(self.bases_of(caller, names)).boxed()
    }

    fn search<'a>(
        &'a self,
        caller: KnowledgeCaller<'a>,
        query: KnowledgeQuery<'a>,
    ) -> KnowledgeFuture<'a, Vec<Passage>> {
        std::future::ready(self.found(caller, query)).boxed()
    }
}

fn passage(place: usize, document: &TrialDocument, score: f32) -> Passage {
    Passage {
        chunk: Uuid::from_u128(0xc000_0000 + place as u128),
        source: Uuid::from_u128(0x5000_0000 + place as u128),
        source_name: Some(document.name.clone()),
        knowledge_base: Some(base_id(&document.knowledge_base)),
        text: document.text.clone(),
        score,
        meta: serde_json::Map::new(),
    }
}

/// The same id for the same name, in every command.
fn base_id(name: &str) -> Uuid {
    let sum = name.bytes().fold(0_u128, |sum, byte| sum.wrapping_mul(0x0100_0193).wrapping_add(u128::from(byte) + 1));
    Uuid::from_u128(0xba5e_0000_0000_4000_8000_0000_0000_0000 | (sum & 0xffff_ffff_ffff))
}

/// The share of the question's words that a text has.
pub(crate) fn likeness(question: &str, text: &str) -> f32 {
    let (question, text) = (words(question), words(text));
    let count = |words: usize| f32::from(u16::try_from(words).unwrap_or(u16::MAX));
    count(question.intersection(&text).count()) / count(question.len().max(1))
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}
