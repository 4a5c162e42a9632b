//! Tests of the built-in model through its public interface.

use futures::{FutureExt, StreamExt};
use serde_json::json;

use super::*;

fn tool(name: &str, read_only: bool, parameters: Value) -> ToolSpec {
    ToolSpec { name: name.to_owned(), description: String::new(), parameters, read_only }
}

fn tools() -> Vec<ToolSpec> {
    let search = json!({"properties": {"query": {"type": "string"}}, "required": ["query"]});
    vec![
        tool("list_notes", true, json!({"type": "object"})),
        tool("delete_note", false, json!({"properties": {"id": {"type": "integer"}}, "required": ["id"]})),
        tool("knowledge_search", true, search),
    ]
}

fn deltas(messages: Vec<Message>, tools: Vec<ToolSpec>) -> Vec<Delta> {
    let request = ChatRequest { messages, tools, ..ChatRequest::default() };
    let answer = chat(&request).collect::<Vec<_>>().now_or_never().expect("it waits for nothing");
    answer.into_iter().map(|delta| delta.expect("it cannot fail")).collect()
}

fn text(deltas: &[Delta]) -> String {
    deltas.iter().filter_map(|delta| if let Delta::Text(text) = delta { Some(text.as_str()) } else { None }).collect()
}

fn said(messages: Vec<Message>, tools: Vec<ToolSpec>) -> String {
    text(&deltas(messages, tools))
}

fn call(id: &str, name: &str, arguments: Value) -> ToolCall {
    ToolCall { id: id.to_owned(), name: name.to_owned(), arguments }
}

fn with_result(content: &str) -> Vec<Message> {
    let made = call("call_1", "list_notes", json!({}));
    let asked = Message::calling("", vec![made.clone()]);
    vec![Message::user("my notes"), asked, Message::tool(&made, content)]
}

#[test]
fn a_named_tool_is_called_with_exactly_these_arguments() {
    let made = deltas(vec![Message::user("/delete_note {\"id\": 7, \"x\": [1]}")], tools());
    let wanted = Delta::ToolCall(call("call_1", "delete_note", json!({"id": 7, "x": [1]})));
    assert_eq!(made, [wanted, done(FinishReason::ToolCalls)]);
    let made = deltas(vec![Message::user("/list_notes")], tools());
    assert_eq!(made.first(), Some(&Delta::ToolCall(call("call_1", "list_notes", json!({})))));
}

#[test]
fn an_unknown_tool_and_malformed_arguments_are_told() {
    let answer = said(vec![Message::user("/drop_all {}")], tools());
    assert!(answer.contains("no tool `drop_all`") && answer.contains("`list_notes`, `delete_note`"), "{answer}");
    let answer = said(vec![Message::user("/list_notes {")], tools());
    assert!(answer.contains("not JSON"), "{answer}");
    let answer = said(vec![Message::user("/list_notes")], Vec::new());
    assert!(answer.contains("No tools are available"), "{answer}");
}

#[test]
fn a_fitting_tool_is_called_once_and_its_rows_are_quoted() {
    let made = deltas(vec![Message::user("show my notes")], tools());
    assert_eq!(made.first(), Some(&Delta::ToolCall(call("call_1", "list_notes", json!({})))));
    let answer = said(with_result(r#"[{"id": 1, "title": "Milk"}]"#), tools());
    assert!(answer.contains("| 1 | Milk |"), "{answer}");
    assert!(answer.ends_with(ABOUT), "{answer}");
}

#[test]
fn free_questions_go_to_the_search() {
    let made = deltas(vec![Message::user("How long is parental leave?")], tools());
    let wanted = call("call_1", "knowledge_search", json!({"query": "How long is parental leave?"}));
    assert_eq!(made.first(), Some(&Delta::ToolCall(wanted)));
}

#[test]
fn a_writing_tool_is_not_called_unasked() {
    let made = deltas(vec![Message::user("delete note 7")], tools()[1..2].to_vec());
    assert!(text(&made).contains("Nothing here fits"), "{made:?}");
}

#[test]
fn a_failure_is_told_and_nothing_is_tried_again() {
    let made = call("call_1", "list_notes", json!({}));
    let messages = vec![Message::user("my notes"), Message::tool_failure(&made, "the deadline passed")];
    let answer = said(messages, tools());
    assert!(answer.contains("The tool `list_notes` failed: the deadline passed"), "{answer}");
}

#[test]
fn an_earlier_questions_results_do_not_answer_this_one() {
    let mut messages = with_result("[]");
    messages.push(Message::assistant("none"));
    messages.push(Message::user("and now my notes?"));
    let made = deltas(messages, tools());
    assert_eq!(made.first(), Some(&Delta::ToolCall(call("call_2", "list_notes", json!({})))));
}

#[test]
fn with_tools_withheld_it_answers_with_what_it_has() {
    assert!(said(with_result(r#"["Milk"]"#), Vec::new()).contains("- Milk"));
    let context = Message::system("Context:\nNotes live in the cellar.");
    assert!(said(vec![context, Message::user("where are the notes?")], Vec::new()).contains("cellar"));
    assert!(said(vec![Message::user("my notes")], Vec::new()).contains("No tools are available"));
    assert!(said(Vec::new(), tools()).contains("no question"));
}

#[test]
fn text_comes_in_several_pieces_and_then_the_end() {
    let made = deltas(with_result(r#"[{"text": "ünïcödé in every word ".repeat"}]"#), tools());
    let texts = made.iter().filter(|delta| matches!(delta, Delta::Text(_))).count();
    assert!(texts >= 2, "{made:?}");
    assert_eq!(made.last(), Some(&done(FinishReason::Stop)));
    assert_eq!(made.len(), texts + 1);
    let whole = "a  b\n\nc ".repeat(50) + &"long".repeat(40);
    assert_eq!(pieces(&whole).collect::<String>(), whole);
}
