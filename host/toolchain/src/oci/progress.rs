//! How far a push or a pull is.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A transfer of fewer bytes is not shown.
const SMALLEST: usize = 256 * 1024;

/// One transfer: a bar on a terminal, a line elsewhere, nothing where it is small.
pub(super) struct Transfer(ProgressBar);

impl Transfer {
    /// Begins to show a transfer of so many bytes, as in `pushing the component`.
    pub(super) fn start(doing: &str, name: &str, size: usize) -> Self {
        if size < SMALLEST {
            return Self(ProgressBar::hidden());
        }
        if !std::io::stderr().is_terminal() {
            eprintln!("behalf: {doing} the {name}, {} KiB", size.div_ceil(1024));
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(size as u64).with_message(format!("{doing} the {name}"));
        let style = ProgressStyle::with_template("{msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}");
        Self(style.map_or_else(|_| ProgressBar::hidden(), |style| bar.with_style(style)))
    }

    /// Counts bytes that were transferred.
    pub(super) fn add(&self, bytes: usize) {
        self.0.inc(bytes as u64);
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
