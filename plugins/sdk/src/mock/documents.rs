//! The documents of a mocked host: each belongs to one user, or to callers without one.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::bindings::behalf::tool::knowledge::{Error, Passage};

/// Passages of an answer, where the tool does not say how many.
const TOP_K: usize = 5;

#[derive(Debug, Default)]
pub(super) struct Documents {
    all: Vec<Document>,
    failure: Option<Error>,
}

#[derive(Debug)]
struct Document {
    user: Option<String>,
    base: String,
    name: String,
    text: String,
}

impl Documents {
    pub(super) fn put(&mut self, user: Option<&str>, base: &str, name: &str, text: &str) {
        let document = Document {
            user: user.map(str::to_owned),
            base: base.to_owned(),
            name: name.to_owned(),
            text: text.to_owned(),
        };
        self.all.push(document);
    }

    pub(super) fn fail(&mut self, failure: Error) {
        self.failure = Some(failure);
    }

    /// The documents of a user, those first that share most words with the question. None where no document was ever put.
    pub(super) fn search(
        &self,
        user: Option<&str>,
        text: &str,
        options: &Value,
    ) -> Result<Option<Vec<Passage>>, Error> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.all.is_empty() {
            return Ok(None);
        }
        let mine = || self.all.iter().enumerate().filter(|(_, one)| one.user.as_deref() == user);
        let asked = options["knowledge_bases"].as_array();
        for name in asked.into_iter().flatten().filter_map(Value::as_str) {
            if !mine().any(|(_, one)| one.base == name) {
                let message =
                    format!("this call has no knowledge base {name:?}: leave knowledge_bases out for all it has");
                return Err(Error { code: "not_granted".into(), message, retryable: false });
            }
        }
        let in_base = |one: &Document| asked.is_none_or(|asked| asked.iter().any(|name| name == one.base.as_str()));
        let least = options["threshold"].as_f64().unwrap_or(0.0);
        let mut found: Vec<_> = mine()
            .filter(|(_, one)| in_base(one))
            .map(|(place, one)| passage(place, one, likeness(text, &one.text)))
            .filter(|passage| f64::from(passage.score) >= least)
            .collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(options["top_k"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(TOP_K));
        Ok(Some(found))
    }
}

fn passage(place: usize, document: &Document, score: f32) -> Passage {
    let meta = json!({"source_name": document.name, "knowledge_base_id": document.base});
    Passage {
        chunk: format!("00000000-0000-4000-8000-{:012}", place + 1),
        source: format!("00000000-0000-4000-9000-{:012}", place + 1),
        text: document.text.clone(),
        score,
        meta: serde_json::to_string(&meta).unwrap_or_default(),
    }
}

/// The share of the question's words that a text has. No model is here.
pub(super) fn likeness(question: &str, text: &str) -> f32 {
    let (question, text) = (words(question), words(text));
    let shared = u16::try_from(question.intersection(&text).count()).unwrap_or(u16::MAX);
    let all = u16::try_from(question.len()).unwrap_or(u16::MAX).max(1);
    f32::from(shared) / f32::from(all)
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use crate::knowledge::{Options, search};
    use crate::mock::Host;

    #[test]
    fn a_search_finds_the_callers_documents_alone() {
        let host = Host::new();
        host.put_document(Some(Host::USER), "Handbook", "leave.md", "Leave is 30 days a year.");
        host.put_document(Some(Host::USER), "Handbook", "tea.md", "Tea is free.");
        host.put_document(Some("bob"), "Plans", "b.md", "Bob's leave.");
        let found = |options: &Options| search("how many days of leave", options).expect("passages");
        let texts: Vec<_> = found(&Options::default()).into_iter().map(|one| one.text).collect();
        assert_eq!(texts, ["Leave is 30 days a year.", "Tea is free."]);
        assert!(found(&Options { top_k: Some(1), ..Options::default() })[0].meta.contains("leave.md"));
        assert_eq!(found(&Options { threshold: Some(0.3), ..Options::default() }).len(), 1);
        let plans = Options { knowledge_bases: ["Plans".into()].into(), ..Options::default() };
        assert_eq!(search("leave", &plans).expect_err("not this caller's").code, "denied");
        host.set_caller("bob");
        assert_eq!(search("leave", &plans).expect("passages").len(), 1);
        host.set_role("anon");
        assert_eq!(search("leave", &Options::default()), Ok([].into()));
        host.fail_knowledge("unavailable", "Not now.");
        let error = search("leave", &Options::default()).expect_err("an error");
        assert_eq!((error.code.as_str(), error.retryable), ("failed", true));
    }
}
