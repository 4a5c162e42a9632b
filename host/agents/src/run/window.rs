//! Chooses the messages that fit into a model's context. Tokens are estimated, because each provider counts in its own way.

use behalf_models::{Message, Opaque, ToolSpec};

/// A rough mean over languages and code.
const CHARS_PER_TOKEN: usize = 4;

/// What a message costs beside its text.
const CHARS_PER_MESSAGE: usize = 16;

/// Stands for a tool result that no longer fits.
const LEFT_OUT: &str =
    "[This result was left out because the conversation has grown too long. Call the tool again if you need it.]";

/// Characters that fit into so many tokens.
pub(crate) fn chars(tokens: u32) -> usize {
    usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(CHARS_PER_TOKEN)
}

/// Characters that the tools' descriptions take.
pub(crate) fn chars_of_tools(tools: &[ToolSpec]) -> usize {
    let one = |tool: &ToolSpec| {
        tool.name.len() + tool.description.len() + tool.parameters.to_string().len() + CHARS_PER_MESSAGE
    };
    tools.iter().map(one).sum()
}

/// The messages to send: instructions, as many of the latest earlier runs as fit, and the current run.
///
/// Earlier runs are left out whole, so a tool call is never without its result. Where the current run alone is too long,
/// its oldest results make room, but never those the model has not answered to.
pub(crate) fn fit(system: Option<&str>, history: &[Vec<Message>], current: &[Message], room: usize) -> Vec<Message> {
    let system = system.filter(|text| !text.is_empty()).map(Message::system);
    let fixed = system.iter().chain(current).map(size).sum::<usize>();
    let mut left = room.saturating_sub(fixed);
    let mut kept = Vec::new();
    for run in history.iter().rev() {
        let cost = run.iter().map(size).sum();
        let Some(rest) = left.checked_sub(cost) else { break };
        left = rest;
        kept.push(run);
    }
    let earlier = kept.into_iter().rev().flatten().cloned();
    let current = shorten(current, fixed.saturating_sub(room));
    system.into_iter().chain(earlier).chain(current).collect()
}

fn shorten(current: &[Message], mut excess: usize) -> Vec<Message> {
    let answered = current.iter().rposition(|message| matches!(message, Message::Assistant { .. })).unwrap_or(0);
    let one = |(place, message): (usize, &Message)| {
        let mut message = message.clone();
        if excess > 0
            && place < answered
            && let Message::Tool { content, .. } = &mut message
        {
            let saved = content.chars().count().saturating_sub(LEFT_OUT.len());
            if saved > 0 {
                excess = excess.saturating_sub(saved);
                LEFT_OUT.clone_into(content);
            }
        }
        message
    };
    current.iter().enumerate().map(one).collect()
}

fn size(message: &Message) -> usize {
    let text = match message {
        Message::System { content } | Message::User { content } => content.chars().count(),
        Message::Assistant { content, tool_calls, opaque } => {
            let calls = tool_calls.iter().map(|call| call.name.len() + call.arguments.to_string().len());
            let opaque = opaque.as_deref().map_or(0, Opaque::size);
            content.chars().count() + calls.sum::<usize>() + opaque
        }
        Message::Tool { name, content, .. } => name.len() + content.chars().count(),
    };
    text + CHARS_PER_MESSAGE
}

#[cfg(test)]
mod tests {
    use super::*;
    use behalf_models::ToolCall;
    use serde_json::json;

    fn step(id: &str, result: &str) -> [Message; 2] {
        let call = ToolCall { id: id.to_owned(), name: "look".to_owned(), arguments: json!({}) };
        let result = Message::tool(&call, result);
        [Message::calling("", vec![call]), result]
    }

    #[test]
    fn the_oldest_runs_are_left_out_whole() {
        let run = |text: &str| {
            let mut messages = vec![Message::user(text)];
            messages.extend(step("c", &"x".repeat(50)));
            messages
        };
        let history = [run("first"), run("second"), run("third")];
        let current = [Message::user("now")];
        let all = fit(Some("Be brief."), &history, &current, 10_000);
        assert_eq!(all.len(), 11);
        let some = fit(Some("Be brief."), &history, &current, 320);
        assert_eq!(some.get(1), Some(&Message::user("second")));
        assert_eq!(some.len(), 8);
        let none = fit(None, &history, &current, 0);
        assert_eq!(none, current);
    }

    #[test]
    fn a_hole_in_the_history_is_never_made() {
        let history = [vec![Message::user("a")], vec![Message::user("b".repeat(1_000))], vec![Message::user("c")]];
        let kept = fit(None, &history, &[Message::user("now")], 200);
        assert_eq!(kept, [Message::user("c"), Message::user("now")]);
    }

    #[test]
    fn old_results_make_room_and_fresh_ones_stay() {
        let mut current = vec![Message::user("q")];
        current.extend(step("1", &"a".repeat(4_000)));
        current.extend(step("2", &"b".repeat(4_000)));
        let sent = fit(None, &[], &current, 5_000);
        assert_eq!(sent.len(), current.len());
        assert!(
            matches!(sent.get(2), Some(Message::Tool { content, call_id, .. }) if content == LEFT_OUT && call_id == "1")
        );
        assert_eq!(sent.get(4), current.get(4));
    }
}
