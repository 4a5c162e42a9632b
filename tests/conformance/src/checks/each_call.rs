//! The promises that hold for each call, whatever it is made for.

use crate::call::{Call, CallRecord, Failure, Outcome, Statement, shortened};
use crate::caller::Caller;
use crate::leaves::words;
use crate::suite::Suite;
use crate::test_bed::TestBed;
use crate::tool::Tool;

/// The line that the host writes when it drops further lines.
const DROPPED: &str = "further lines of this call were dropped";
/// The most characters of an error message; models read all of it.
const MAX_MESSAGE_CHARS: usize = 2_000;
/// Text of crashes and stack traces in the languages of tools.
const TRACES: [&str; 6] = [
    "Traceback (most recent call last)",
    "panicked at",
    "stack backtrace",
    "\n    at ",
    "    at <anonymous>",
    "RUST_BACKTRACE",
];

/// Why a call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// Its arguments fit.
    Fitting,
    /// Its arguments fit, and another caller than alice makes it.
    Caller,
    /// Its arguments do not fit.
    Hostile {
        /// Whether the tool must answer with an error.
        must_be_refused: bool,
    },
    /// There is no such tool.
    Unknown,
}

impl CallKind {
    /// The promise that a crash breaks.
    fn crash(self) -> &'static str {
        match self {
            Self::Fitting => "arguments.fitting",
            Self::Caller => "callers.handled",
            Self::Hostile { .. } => "arguments.hostile",
            Self::Unknown => "arguments.unknown_tool",
        }
    }
}

impl<G: TestBed> Suite<'_, G> {
    /// Checks one call against the promises that hold for every call.
    pub(crate) fn check_call(&mut self, tool: Option<usize>, call: &Call, seen: &CallRecord, kind: CallKind) {
        for id in
            [kind.crash(), "limits.time", "limits.memory", "limits.output", "limits.calls", "limits.log", "result.json"]
        {
            self.findings.checked(id);
        }
        match &seen.outcome {
            Outcome::Result(_) => self.check_result(tool, call, seen, kind),
            Outcome::Error { code, message } => {
                // The message may quote hostile arguments at length; a host never lets them through.
                if !matches!(kind, CallKind::Hostile { .. }) {
                    self.findings.checked("errors.sentence");
                    if let Some(fault) = fault_of_error(code, message, &call.arguments) {
                        self.breaks("errors.sentence", call, format!("{fault}: {}", seen.summary()));
                    }
                }
                if matches!(kind, CallKind::Hostile { must_be_refused: true }) {
                    self.findings.checked("arguments.refused");
                }
            }
            Outcome::Failed(Failure::Commit, _) => self.check_swallowed(call, seen),
            Outcome::Failed(failure, _) => {
                let id = match failure {
                    Failure::Trap => kind.crash(),
                    Failure::Deadline => "limits.time",
                    Failure::Memory => "limits.memory",
                    Failure::Output => "limits.output",
                    Failure::HostCalls => "limits.calls",
                    Failure::NotJson => "result.json",
                    // The component is not to blame.
                    Failure::NotGranted | Failure::Commit | Failure::Host => return,
                };
                self.breaks(id, call, seen.summary());
            }
        }
        if seen.log.iter().any(|line| line.contains(DROPPED)) {
            self.breaks("limits.log", call, format!("after {} lines the host dropped the rest", seen.log.len()));
        }
        self.check_closed_world(tool, call, seen);
        self.check_marks(call, seen);
    }

    /// Whether a tool reported success although a statement had failed. The host then refuses to commit.
    pub(crate) fn check_swallowed(&mut self, call: &Call, seen: &CallRecord) {
        const ID: &str = "statements.failed";
        if let Some(failed) = seen.swallowed() {
            let detail = shortened(&failed.detail);
            self.breaks(ID, call, format!("a statement failed ({detail}), and the tool reported success"));
        }
    }

    /// A statement that the host refuses for what it is fails in every call.
    fn check_refused(&mut self, call: &Call, seen: &CallRecord) {
        const ID: &str = "statements.failed";
        let Some(refused) = seen.statements.iter().find(|one| one.is_refused_in_form()) else { return };
        self.findings.checked(ID);
        let Statement { detail, .. } = refused;
        self.breaks(
            ID,
            call,
            format!("the host refused a statement ({detail}), and the tool answered with {}", seen.summary()),
        );
    }

    fn check_closed_world(&mut self, tool: Option<usize>, call: &Call, seen: &CallRecord) {
        const ID: &str = "annotations.open_world";
        if !tool.and_then(|tool| self.tools.get(tool)).is_some_and(Tool::is_closed) {
            return;
        }
        if let Some(request) = seen.requests.first() {
            self.breaks(ID, call, format!("it tried to send a request: {}", request.detail));
        }
    }

    fn check_result(&mut self, tool: Option<usize>, call: &Call, seen: &CallRecord, kind: CallKind) {
        match kind {
            CallKind::Unknown => self.breaks("arguments.unknown_tool", call, seen.summary()),
            CallKind::Hostile { must_be_refused: true } => self.breaks("arguments.refused", call, seen.summary()),
            CallKind::Hostile { .. } => {}
            CallKind::Fitting | CallKind::Caller => {
                if let Some(fault) = self.misfit(tool, seen) {
                    self.breaks("result.schema", call, format!("{fault} in {}", seen.summary()));
                }
                if kind == CallKind::Fitting {
                    self.check_refused(call, seen);
                }
            }
        }
    }

    /// The place at which a result does not fit the output schema.
    pub(crate) fn misfit(&mut self, tool: Option<usize>, seen: &CallRecord) -> Option<String> {
        let schema = self.tools.get(tool?)?.output.as_ref()?;
        self.findings.checked("result.schema");
        let fault = schema.faults(seen.result()?).into_iter().next()?;
        Some(format!("{:?}: {}", fault.pointer, shortened(&fault.message)))
    }

    fn check_marks(&mut self, call: &Call, seen: &CallRecord) {
        if call.caller == Caller::Service {
            return;
        }
        let said = match &seen.outcome {
            Outcome::Result(value) => ("isolation.results", words(value)),
            Outcome::Error { code, message } => ("isolation.errors", format!("{code} {message}")),
            Outcome::Failed(_, message) => ("isolation.errors", message.clone()),
        };
        let log = ("isolation.logs", seen.log.join("\n"));
        let progress = ("isolation.progress", seen.progress.join("\n"));
        for (id, text) in [said, log, progress] {
            if text.is_empty() {
                continue;
            }
            self.findings.checked(id);
            if let Some(seen) = self.foreign_mark(call, &text) {
                self.breaks(id, call, format!("{} was shown {seen}", call.caller.name()));
            }
        }
    }

    /// The first mark of another user in a text, with the word it is part of.
    pub(crate) fn foreign_mark(&self, call: &Call, text: &str) -> Option<String> {
        let sent = serde_json::from_str(&call.arguments).map_or_else(|_| call.arguments.clone(), |sent| words(&sent));
        self.marks.foreign(call.caller, text, &sent)
    }

    /// Whether the result, the error, the log or the progress of a call contains a mark of another user.
    pub(crate) fn has_foreign_mark(&self, call: &Call, seen: &CallRecord) -> bool {
        all_text(seen).iter().any(|text| self.foreign_mark(call, text).is_some())
    }

    /// Adds to the findings that this call breaks a promise.
    pub(crate) fn breaks(&mut self, id: &'static str, call: &Call, seen: String) {
        let again = self.reproduce.call(id, call, &self.setup);
        self.findings.broken(id, seen, again);
    }
}

/// Everything that a caller is told by a call.
pub(crate) fn all_text(seen: &CallRecord) -> Vec<String> {
    let said = match &seen.outcome {
        Outcome::Result(value) => words(value),
        Outcome::Error { message, .. } | Outcome::Failed(_, message) => message.clone(),
    };
    std::iter::once(said).chain(seen.log.iter().cloned()).chain(seen.progress.iter().cloned()).collect()
}

fn fault_of_error(code: &str, message: &str, arguments: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !code.starts_with(|c: char| c.is_ascii_lowercase()) || !code.chars().all(plain) || code.len() > 64 {
        return Some("its code is no word");
    }
    if message.split_whitespace().count() < 2 {
        return Some("its message is no sentence");
    }
    if message.chars().count() > MAX_MESSAGE_CHARS {
        return Some("its message is too long");
    }
    if TRACES.iter().any(|trace| message.contains(trace)) {
        return Some("its message is a stack trace");
    }
    // The message may quote arguments; JSON writes control characters as \u00….
    let quoted = arguments.contains("\\u00");
    let steers = |c: char| c.is_control() && !c.is_ascii_whitespace() && !quoted;
    message.chars().any(steers).then_some("its message has control characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_word_and_a_sentence() {
        assert_eq!(fault_of_error("failed", "The month is not one.", "{}"), None);
        for (code, message) in [
            ("", "The month is not one."),
            ("Not Found", "The month is not one."),
            ("failed", ""),
            ("failed", "oops"),
            ("failed", "thread 'main' panicked at src/lib.rs"),
            ("failed", "Colours: \u{1b}[31mred"),
        ] {
            assert!(fault_of_error(code, message, "{}").is_some(), "{code} {message}");
        }
        assert!(fault_of_error("failed", &"word ".repeat(500), "{}").is_some());
        assert_eq!(fault_of_error("failed", "There is no \u{1}.", r#"{"a": "\u0001"}"#), None);
    }
}
