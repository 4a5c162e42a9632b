//! What an author sees on the terminal of `behalf dev` and `behalf tool run` beside the log: texts of their own tools.

use std::sync::atomic::{AtomicBool, Ordering};

use behalf_problem::Private;

static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// Shows texts of tools from now on. Only commands for authors do this, whose terminal nobody else reads.
pub fn show_texts() {
    IS_SHOWN.store(true, Ordering::Relaxed);
}

/// Shows a text of a tool's call, where this process shows texts.
pub fn text_of_tool(tool: &str, what: &str, text: &Private) {
    if IS_SHOWN.load(Ordering::Relaxed) {
        eprintln!("behalf: {}, {what}: {}", printable(tool), printable(text.for_terminal()));
    }
}

/// The text without what a terminal would carry out.
fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\t', " ")
}
