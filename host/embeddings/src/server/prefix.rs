//! What some models were trained to read before a question, and before what may answer it.

use crate::Purpose;

/// A part of a model's name, and what comes before a query and before a document. The models' cards say so.
const PREFIXES: [(&str, &str, &str); 5] = [
    ("nomic-embed-text", "search_query: ", "search_document: "),
    ("-e5-", "query: ", "passage: "),
    ("mxbai-embed-large", "Represent this sentence for searching relevant passages: ", ""),
    ("snowflake-arctic-embed", "Represent this sentence for searching relevant passages: ", ""),
    ("embeddinggemma", "task: search result | query: ", "title: none | text: "),
];

/// The text that goes before each text of this purpose.
pub(super) fn of(model: &str, purpose: Purpose) -> &'static str {
    let model = model.to_ascii_lowercase();
    let known = PREFIXES.iter().find(|(part, ..)| model.contains(part));
    known.map_or("", |(_, query, document)| match purpose {
        Purpose::Query => query,
        Purpose::Document => document,
    })
}
