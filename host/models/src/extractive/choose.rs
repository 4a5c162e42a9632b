//! Chooses the tool whose words match a message.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::words::words;
use crate::chat::ToolSpec;

/// A tool to call, with its required arguments.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) tool: String,
    pub(super) arguments: Value,
    /// Whether words of the message match the tool. If not, it is a search tool that takes any text.
    pub(super) fits: bool,
}

/// Names of properties that take free text.
const TEXT_PROPERTIES: [&str; 14] = [
    "input",
    "keyword",
    "keywords",
    "message",
    "phrase",
    "prompt",
    "q",
    "query",
    "question",
    "search",
    "search_query",
    "search_term",
    "text",
    "topic",
];

/// A text property whose description names one of these takes a query language, and messages are not written in one.
const LANGUAGES: [&str; 12] = [
    "cel",
    "cypher",
    "expression",
    "graphql",
    "jq",
    "jsonpath",
    "postgres",
    "postgresql",
    "regex",
    "sparql",
    "sql",
    "xpath",
];

/// The pattern of a text that is not blank, which every message is that is searched for.
const NOT_BLANK: &str = r"\S";

/// Longest search text.
const MAX_TEXT_CHARS: usize = 1_000;

/// Weights of matching words: those of the tool's name count most.
const NAME: usize = 4;
const DESCRIPTION: usize = 2;
const PROPERTY: usize = 1;

/// The read-only tool that matches best; the first one if several match equally. If no word matches, a search tool gets
/// the whole message.
pub(super) fn choose(message: &str, tools: &[ToolSpec]) -> Option<Choice> {
    let said = words(message);
    let mut best: Option<(usize, Choice)> = None;
    for tool in tools.iter().filter(|tool| tool.read_only) {
        let Some((arguments, takes_text)) = fill(tool, message) else {
            continue;
        };
        let score = score(tool, &said);
        let searches = takes_text && is_search(tool);
        // A matching word counts more than being a search tool.
        let rank = score * 2 + usize::from(searches);
        if rank > 0 && best.as_ref().is_none_or(|(highest, _)| rank > *highest) {
            best = Some((rank, Choice { tool: tool.name.clone(), arguments, fits: score > 0 }));
        }
    }
    best.map(|(_, choice)| choice)
}

fn score(tool: &ToolSpec, said: &BTreeSet<String>) -> usize {
    let hits = |text: &str| words(text).intersection(said).count();
    let properties: Vec<&str> = properties(tool).into_iter().flat_map(Map::keys).map(String::as_str).collect();
    hits(&tool.name) * NAME + hits(&tool.description) * DESCRIPTION + hits(&properties.join(" ")) * PROPERTY
}

/// Arguments for the tool, if the message can provide all required ones, and whether they contain the message's text.
fn fill(tool: &ToolSpec, message: &str) -> Option<(Value, bool)> {
    let required = match tool.parameters.get("required") {
        None => &[],
        Some(required) => required.as_array()?.as_slice(),
    };
    match required {
        [] => Some((json!({}), false)),
        [Value::String(name)] => {
            let property = properties(tool)?.get(name)?;
            let text = text_for(tool, name, property, message)?;
            Some((json!({ name: text }), true))
        }
        _ => None,
    }
}

fn text_for(tool: &ToolSpec, name: &str, property: &Value, message: &str) -> Option<String> {
    let is_text = match property.get("type") {
        Some(Value::String(kind)) => kind == "string",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
        _ => false,
    };
    let is_free = ["enum", "const", "format"].iter().all(|limit| property.get(limit).is_none())
        && property.get("pattern").is_none_or(|pattern| pattern == NOT_BLANK);
    if !is_text || !is_free || TEXT_PROPERTIES.binary_search(&name).is_err() || wants_a_language(tool, property) {
        return None;
    }
    let bound = |key: &str| property.get(key).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok());
    let longest = bound("maxLength").unwrap_or(MAX_TEXT_CHARS).min(MAX_TEXT_CHARS);
    let text: String = message.trim().chars().take(longest).collect();
    (!text.is_empty() && text.chars().count() >= bound("minLength").unwrap_or(0)).then_some(text)
}

fn wants_a_language(tool: &ToolSpec, property: &Value) -> bool {
    let described = property.get("description").and_then(Value::as_str).unwrap_or_default();
    let titled = property.get("title").and_then(Value::as_str).unwrap_or_default();
    let text = format!("{} {} {described} {titled}", tool.name, tool.description).to_lowercase();
    let mut said = text.split(|c: char| !c.is_alphanumeric());
    // A tool called `database_query` takes SQL even if its description does not say so.
    said.any(|word| LANGUAGES.binary_search(&word).is_ok()) || tool.name.to_lowercase().contains("database")
}

fn is_search(tool: &ToolSpec) -> bool {
    const SEARCHES: [&str; 8] = ["search", "find", "lookup", "knowledge", "retriev", "retrieval", "ask", "recall"];
    let name = words(&tool.name);
    SEARCHES.iter().any(|word| words(word).is_subset(&name))
}

fn properties(tool: &ToolSpec) -> Option<&Map<String, Value>> {
    tool.parameters.get("properties")?.as_object()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str, description: &str, parameters: Value) -> ToolSpec {
        ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters, read_only: true }
    }

    fn search(name: &str, description: &str) -> ToolSpec {
        let properties = json!({"query": {"type": "string"}, "top_k": {"type": "integer"}});
        tool(name, description, json!({"type": "object", "properties": properties, "required": ["query"]}))
    }

    fn listing(name: &str, description: &str) -> ToolSpec {
        tool(name, description, json!({"type": "object"}))
    }

    fn chosen(message: &str, tools: &[ToolSpec]) -> Option<String> {
        choose(message, tools).map(|choice| choice.tool)
    }

    #[test]
    fn lists_of_words_are_sorted_for_the_search() {
        assert!(TEXT_PROPERTIES.is_sorted());
        assert!(LANGUAGES.is_sorted());
    }

    #[test]
    fn the_tool_with_the_messages_words_is_chosen() {
        let tools = [listing("list_orders", "Lists orders"), listing("list_notes", "Lists the caller's notes")];
        assert_eq!(chosen("show me my notes", &tools).as_deref(), Some("list_notes"));
        assert_eq!(chosen("which orders are there?", &tools).as_deref(), Some("list_orders"));
        assert_eq!(chosen("list", &tools).as_deref(), Some("list_orders"), "the first among equals");
        assert_eq!(chosen("what is the weather", &tools), None);
    }

    #[test]
    fn a_search_gets_the_message_when_no_word_fits() {
        let tools = [listing("list_notes", "Lists notes"), search("knowledge_search", "Searches documents")];
        let choice = choose("How long is parental leave?", &tools).expect("the search takes any text");
        assert_eq!(choice.tool, "knowledge_search");
        assert_eq!(choice.arguments, json!({"query": "How long is parental leave?"}));
        assert!(!choice.fits);
        assert!(choose("search the documents", &tools).expect("words fit").fits);
    }

    #[test]
    fn a_search_whose_text_may_not_be_blank_gets_the_message() {
        let query = |pattern: &str| {
            let properties = json!({"query": {"type": "string", "minLength": 1, "pattern": pattern}});
            tool("knowledge_search", "Searches documents", json!({"properties": properties, "required": ["query"]}))
        };
        let choice = choose("How long is parental leave?", &[query(r"\S")]).expect("the message is not blank");
        assert_eq!(choice.arguments, json!({"query": "How long is parental leave?"}));
        assert_eq!(choose("How long is parental leave?", &[query("^[a-z]+$")]), None);
        assert_eq!(choose(" \n ", &[query(r"\S")]), None);
    }

    #[test]
    fn a_tool_that_is_not_read_only_is_never_chosen() {
        let mut delete = listing("delete_notes", "Deletes notes");
        delete.read_only = false;
        assert_eq!(chosen("delete notes", &[delete]), None);
    }

    #[test]
    fn tools_that_want_a_query_language_are_never_chosen() {
        let described = tool(
            "run",
            "Runs a query",
            json!({"properties": {"query": {"type": "string", "description": "SQL text"}}, "required": ["query"]}),
        );
        let tools = [
            search("database_query", "Reads rows"),
            search("run_query", "Runs an SQL SELECT statement"),
            search("graphql_search", "Searches"),
            described,
        ];
        assert_eq!(chosen("run the query on the database and search rows", &tools), None);
    }

    #[test]
    fn tools_whose_arguments_the_message_cannot_fill_are_never_chosen() {
        let required = |properties: Value, required: Value| {
            tool("find_notes", "Finds notes", json!({"properties": properties, "required": required}))
        };
        let tools = [
            required(json!({"query": {"type": "string"}, "user": {"type": "string"}}), json!(["query", "user"])),
            required(json!({"id": {"type": "string"}}), json!(["id"])),
            required(json!({"query": {"type": "integer"}}), json!(["query"])),
            required(json!({"query": {"type": "string", "enum": ["x"]}}), json!(["query"])),
            required(json!({"query": {"type": "string", "minLength": 500}}), json!(["query"])),
            required(json!({"query": true}), json!(["query"])),
            required(json!({}), json!(["query"])),
            required(json!([]), json!("query")),
            required(json!({}), json!([7])),
        ];
        assert_eq!(chosen("find notes", &tools), None);
    }

    #[test]
    fn text_is_cut_to_what_the_tool_takes() {
        let tools = [tool(
            "find_notes",
            "Finds notes",
            json!({"properties": {"q": {"type": ["string", "null"], "maxLength": 4}}, "required": ["q"]}),
        )];
        let choice = choose("nötés, find them", &tools).expect("the tool fits");
        assert_eq!(choice.arguments, json!({"q": "nöté"}));
        let choice = choose(&"find notes ".repeat(10_000), &[search("find_notes", "")]).expect("the tool fits");
        assert_eq!(choice.arguments["query"].as_str().map(str::len), Some(1_000));
    }
}
