//! `behalf:tool/log`: lines that a guest logs.

use behalf_problem::Private;
use wasmtime::component::Linker;

use super::capability::{Capability, HasView, Holds, View};
use crate::bindings::behalf::tool::log::{Host, Level, add_to_linker};
use crate::options::{SandboxError, SandboxOptions};
use crate::versions::{Interface, Version};

/// Lines of one call.
const MAX_LINES: usize = 200;
/// Bytes of all lines of one call together.
const MAX_BYTES: usize = 64 * 1024;

/// A line that a guest wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// `trace`, `debug`, `info`, `warn`, `error`, `stdout`, `stderr`.
    pub level: &'static str,
    /// The text, cut where it was too long.
    pub message: Private,
}

/// The lines of one call, within its budget.
#[derive(Debug, Default)]
pub(crate) struct LogCtx {
    lines: Vec<LogLine>,
    bytes: usize,
    full: bool,
}

impl LogCtx {
    pub(crate) fn write(&mut self, level: &'static str, message: &str) {
        if self.full {
            return;
        }
        let room = MAX_BYTES.saturating_sub(self.bytes);
        if self.lines.len() >= MAX_LINES || room == 0 {
            self.full = true;
            self.lines.push(LogLine { level: "warn", message: "further lines of this call were dropped".into() });
            return;
        }
        let message = cut(message, room);
        self.bytes += message.len().max(1);
        self.lines.push(LogLine { level, message: message.into() });
    }

    /// Bytes that writing this line would take.
    fn room_for(&self, message: &str) -> usize {
        if self.full { 0 } else { message.len().min(MAX_BYTES.saturating_sub(self.bytes)) + size_of::<LogLine>() }
    }

    pub(crate) fn into_lines(self) -> Vec<LogLine> {
        self.lines
    }
}

/// The longest beginning of at most `max` bytes that ends between characters.
fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

impl Host for View<'_, LogCtx> {
    async fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.base.host_calls.count()?;
        let level = match level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        // Lines are kept until the call ends.
        self.base.memory.reserve(self.ctx.room_for(&message))?;
        self.ctx.write(level, &message);
        Ok(())
    }
}

/// Log lines. They carry no power.
#[derive(Debug)]
pub(crate) struct Log;

impl Capability for Log {
    type Ctx = LogCtx;
    type Granted = ();

    fn open(_options: &SandboxOptions) -> Result<Self, SandboxError> {
        Ok(Self)
    }

    fn interface(version: Version) -> Option<Interface> {
        match version {
            Version::V0_1 => Some(Interface { name: "log", functions: &["write"] }),
        }
    }

    fn link<T: Holds<Self>>(linker: &mut Linker<T>, version: Version) -> wasmtime::Result<()> {
        match version {
            Version::V0_1 => add_to_linker::<T, HasView<Self>>(linker, T::view),
        }
    }
}
