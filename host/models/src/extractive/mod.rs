//! `builtin/extractive`: a deterministic replacement for a language model.
//!
//! It needs no network and no settings, so a new host can run agents. It calls the tool that a message names
//! (`/tool_name {…}`), or else the read-only tool whose words match the message best, and answers by quoting the
//! result. Unless the user names the tool, it never calls one that writes, and never writes a query language.

mod choose;
mod command;
mod context;
mod passages;
mod render;
mod words;

use futures::{StreamExt, stream};
use serde_json::Value;

use super::chat::{ChatRequest, ChatStream, Delta, FinishReason, Message, ToolCall, ToolSpec, Usage};
use command::Command;
use render::ToolResult;

/// The end of every answer.
const ABOUT: &str = "I am builtin/extractive: I quote what tools return and use no language model.";

/// About the size of a model's pieces, so that clients handle both in the same way.
const PIECE_BYTES: usize = 48;

/// The model's decision for one turn.
#[derive(Debug, PartialEq)]
enum Turn {
    Call { tool: String, arguments: Value },
    Answer(String),
}

/// Answers one turn.
pub(super) fn chat(request: &ChatRequest) -> ChatStream {
    let deltas = match decide(&request.messages, &request.tools) {
        Turn::Call { tool, arguments } => {
            let call = ToolCall { id: next_call_id(&request.messages), name: tool, arguments };
            vec![Delta::ToolCall(call), done(FinishReason::ToolCalls)]
        }
        Turn::Answer(answer) => {
            let mut deltas: Vec<_> = pieces(&format!("{answer}\n\n{ABOUT}")).map(Delta::Text).collect();
            deltas.push(done(FinishReason::Stop));
            deltas
        }
    };
    stream::iter(deltas.into_iter().map(Ok)).boxed()
}

fn decide(messages: &[Message], tools: &[ToolSpec]) -> Turn {
    let Some((asked_at, question)) = last_question(messages) else {
        return Turn::Answer("There is no question to answer.".to_owned());
    };
    let results = results_since(messages, asked_at);
    if !results.is_empty() {
        return Turn::Answer(render::results(&results));
    }
    match Command::read(question) {
        Some(Ok(command)) => call_named(command, tools),
        Some(Err(fault)) => Turn::Answer(fault),
        None => route(question, messages, tools),
    }
}

/// Calls the tool that the user named, read-only or not, because the user chose it.
fn call_named(command: Command, tools: &[ToolSpec]) -> Turn {
    if tools.iter().any(|tool| tool.name == command.tool) {
        return Turn::Call { tool: command.tool, arguments: command.arguments };
    }
    Turn::Answer(format!("There is no tool `{}` here. {}", command.tool, tools_there_are(tools)))
}

fn route(question: &str, messages: &[Message], tools: &[ToolSpec]) -> Turn {
    let choice = choose::choose(question, tools);
    // Passages in the instructions win over a search tool that no word matches, but not over a tool that words match.
    let quoted = match &choice {
        Some(choice) if choice.fits => None,
        _ => context::quote(messages, question),
    };
    match (quoted, choice) {
        (Some(quoted), _) => Turn::Answer(quoted),
        (None, Some(choice)) => Turn::Call { tool: choice.tool, arguments: choice.arguments },
        (None, None) => Turn::Answer(format!(
            "Nothing here fits that message. {} Write `/tool_name {{\"argument\": \"value\"}}` to call one directly.",
            tools_there_are(tools)
        )),
    }
}

fn last_question(messages: &[Message]) -> Option<(usize, &str)> {
    messages.iter().enumerate().rev().find_map(|(at, message)| match message {
        Message::User { content } => Some((at, content.trim())),
        _ => None,
    })
}

fn results_since(messages: &[Message], asked_at: usize) -> Vec<ToolResult<'_>> {
    let later = messages.iter().skip(asked_at);
    later
        .filter_map(|message| match message {
            Message::Tool { name, content, failed, .. } => Some(ToolResult { tool: name, content, failed: *failed }),
            _ => None,
        })
        .collect()
}

fn tools_there_are(tools: &[ToolSpec]) -> String {
    /// The most names that are listed.
    const LISTED: usize = 30;
    if tools.is_empty() {
        return "No tools are available now.".to_owned();
    }
    let names: Vec<_> = tools.iter().take(LISTED).map(|tool| format!("`{}`", tool.name)).collect();
    let more = tools.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("The tools are {}{more}.", names.join(", "))
}

/// A call id that is unique in the conversation, and the same when the same conversation is replayed.
fn next_call_id(messages: &[Message]) -> String {
    let made: usize = messages
        .iter()
        .map(|message| if let Message::Assistant { tool_calls, .. } = message { tool_calls.len() } else { 0 })
        .sum();
    format!("call_{}", made + 1)
}

fn done(finish_reason: FinishReason) -> Delta {
    Delta::Done { usage: Usage::default(), finish_reason }
}

/// Splits a text after spaces; the pieces joined are the text.
fn pieces(text: &str) -> impl Iterator<Item = String> {
    let mut pieces = vec![String::new()];
    for word in text.split_inclusive(char::is_whitespace) {
        if let Some(last) = pieces.last_mut().filter(|last| last.is_empty() || last.len() + word.len() <= PIECE_BYTES) {
            last.push_str(word);
        } else {
            pieces.push(word.to_owned());
        }
    }
    pieces.into_iter().filter(|piece| !piece.is_empty())
}

#[cfg(test)]
mod tests;
