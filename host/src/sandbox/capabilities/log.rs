use serde::Serialize;

use crate::sandbox::bindings::behalf::tool::log::{Host, Level};
use crate::sandbox::state::CallState;

/// Lines of one call.
const MAX_LINES: usize = 200;
/// Bytes of all lines of one call together.
const MAX_BYTES: usize = 64 * 1024;

/// A line that a guest wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// `trace`, `debug`, `info`, `warn`, `error`, `stdout`, `stderr`.
    pub level: &'static str,
    /// The text, cut where it was too long.
    pub message: String,
}

/// What a call has logged, within its budget.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct LogCtx {
    lines: Vec<LogLine>,
    bytes: usize,
    full: bool,
}

impl LogCtx {
    pub(in crate::sandbox) fn write(&mut self, level: &'static str, message: &str) {
        if self.full {
            return;
        }
        let room = MAX_BYTES.saturating_sub(self.bytes);
        if self.lines.len() >= MAX_LINES || room == 0 {
            self.full = true;
            self.lines.push(LogLine { level: "warn", message: "further lines of this call were dropped".to_owned() });
            return;
        }
        let message = cut(message, room);
        self.bytes += message.len().max(1);
        self.lines.push(LogLine { level, message: message.to_owned() });
    }

    pub(in crate::sandbox) fn into_lines(self) -> Vec<LogLine> {
        self.lines
    }
}

/// The longest beginning of at most `max` bytes that ends between characters.
fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

impl Host for CallState {
    async fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.host_calls.count()?;
        let level = match level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        self.log.write(level, &message);
        Ok(())
    }
}
