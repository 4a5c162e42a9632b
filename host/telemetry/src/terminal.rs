//! What an author sees on the terminal of `behalf dev` and `behalf tool run` beside the log: calls of their own tools, and the texts of
//! these.

use std::io::{Write as _, stderr};
use std::sync::atomic::{AtomicU8, Ordering};

use behalf_problem::Private;

/// How much of tools and their calls is shown. Only commands for authors show anything: nobody else reads their terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Shown {
    /// Nothing.
    Nothing,
    /// What servers of tools say that cannot be used.
    Servers,
    /// And what tools log and print, and their statements that fail.
    Output,
    /// And each call, as one line with its cause where it failed.
    Calls,
}

static SHOWN: AtomicU8 = AtomicU8::new(Shown::Nothing as u8);

/// Shows so much from now on.
pub fn show(shown: Shown) {
    SHOWN.store(shown as u8, Ordering::Relaxed);
}

/// Whether so much is shown.
pub fn shows(shown: Shown) -> bool {
    SHOWN.load(Ordering::Relaxed) >= shown as u8
}

/// Shows a text of a tool, line by line, where so much is shown.
pub fn text_of_tool(shown: Shown, tool: &str, what: &str, text: &Private) {
    if shows(shown) {
        lines(&format!("{tool}, {what}: "), text.for_terminal());
    }
}

/// Shows one call.
pub fn line_of_call(text: &str) {
    if shows(Shown::Calls) {
        lines("", text);
    }
}

/// Writes a text, each of its lines with the same beginning. Many calls write at once, and none into the lines of another.
fn lines(beginning: &str, text: &str) {
    let mut all = String::new();
    let mut rest = text.lines().peekable();
    if rest.peek().is_none() {
        all = line(beginning, "");
    }
    rest.for_each(|one| all.push_str(&line(beginning, one)));
    // Who closed the terminal does not read it.
    let _ = stderr().lock().write_all(all.as_bytes());
}

fn line(beginning: &str, text: &str) -> String {
    format!("behalf: {}{}\n", printable(beginning), printable(text))
}

/// The text without what a terminal would carry out.
fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\t', " ")
}
