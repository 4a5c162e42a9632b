//! A call on the terminal of an author: what its tool logged and printed, its statements that failed, and one line of what became of it.

use std::time::Duration;

use behalf_caller_db::CallRecord;
use behalf_telemetry::terminal::{self, Shown};

/// Shows a call that has ended, as far as this process shows calls.
pub(super) fn show(record: &CallRecord, duration: Duration) {
    if !terminal::shows(Shown::Output) {
        return;
    }
    for (level, message) in record.texts.lines() {
        terminal::text_of_tool(Shown::Output, &record.tool, level, message);
    }
    for failed in record.texts.failed_statements() {
        terminal::text_of_tool(Shown::Output, &record.tool, "statement", &failed.lines());
    }
    terminal::line_of_call(&line(record, duration));
    show_cause(record);
}

/// The call: tool, outcome, who, time, statements, and the id by which its texts are found later.
fn line(record: &CallRecord, duration: Duration) -> String {
    let who = match record.user_id {
        Some(user) if record.actor == user.to_string() => user.to_string(),
        Some(user) => format!("{user} (by {})", record.actor),
        None => record.actor.clone(),
    };
    let statements = match record.statements.len() {
        1 => "1 statement".to_owned(),
        many => format!("{many} statements"),
    };
    let ms = duration.as_secs_f64() * 1_000.0;
    format!("{} {} for {who}: {ms:.1} ms, {statements} (call {})", record.tool, record.outcome, record.call_id)
}

/// Why the call failed, with everything that is known.
fn show_cause(record: &CallRecord) {
    if record.outcome == "ok" {
        return;
    }
    let tell = |text: &_| terminal::text_of_tool(Shown::Calls, &record.tool, record.outcome, text);
    for (pointer, message) in record.texts.faults() {
        let place = if pointer.is_empty() { "the arguments" } else { pointer };
        tell(&message.clone().map(|text| format!("{place}: {text}")));
    }
    if let Some(failure) = record.texts.failure() {
        tell(failure);
    } else if let Some(detail) = &record.detail {
        tell(&detail.as_str().into());
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_call_is_one_line() {
        let user = Uuid::from_u128(7);
        let mut record = CallRecord {
            call_id: Uuid::from_u128(1),
            tool: "find_notes".into(),
            actor: user.to_string(),
            user_id: Some(user),
            outcome: "ok",
            ..CallRecord::default()
        };
        let told = |record: &CallRecord| line(record, Duration::from_micros(12_340));
        assert_eq!(
            told(&record),
            format!("find_notes ok for {user}: 12.3 ms, 0 statements (call {})", Uuid::from_u128(1))
        );
        "service_role".clone_into(&mut record.actor);
        record.outcome = "tool_error";
        assert!(told(&record).starts_with(&format!("find_notes tool_error for {user} (by service_role): ")));
        record.user_id = None;
        assert!(told(&record).contains(" for service_role: "));
    }
}
