//! What a terminal shows of the files under way: a bar for each.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The bars. Where standard error is no terminal, nothing of them is shown.
pub(super) struct Bars {
    all: MultiProgress,
    style: ProgressStyle,
}

impl Bars {
    pub(super) fn new() -> anyhow::Result<Self> {
        let style = ProgressStyle::with_template("{bar:20} {percent:>3}% {prefix} {msg}")?;
        Ok(Self { all: MultiProgress::new(), style })
    }

    /// The bar of one file, until it is dropped.
    pub(super) fn begin(&self, name: &str) -> Bar {
        let bar = self.all.add(ProgressBar::new(1).with_style(self.style.clone()).with_prefix(name.to_owned()));
        Bar(bar)
    }

    /// Prints while no bar is drawn.
    pub(super) fn pause(&self, print: impl FnOnce()) {
        self.all.suspend(print);
    }
}

/// The bar of one file, which is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// So many of so many bytes were sent.
    pub(super) fn sent(&self, sent: u64, all: u64) {
        self.0.set_length(all.max(1));
        self.0.set_position(sent);
        self.0.set_message("is sent");
    }

    /// So many pages were read; `all` where it is known how many there are.
    pub(super) fn read(&self, read: u64, all: Option<u64>) {
        self.0.set_length(all.unwrap_or(read + 1).max(1));
        self.0.set_position(read);
        let of = all.map_or_else(String::new, |all| format!(" of {all}"));
        self.0.set_message(format!("is read: {read}{of} pages"));
    }

    /// So many chunks were indexed; `all` where it is known how many there are.
    pub(super) fn indexed(&self, indexed: u64, all: Option<u64>) {
        self.0.set_length(all.unwrap_or(indexed + 1).max(1));
        self.0.set_position(indexed);
        let of = all.map_or_else(String::new, |all| format!(" of {all}"));
        self.0.set_message(format!("is indexed: {indexed}{of} chunks"));
    }

    /// Its job has not begun.
    pub(super) fn waits(&self) {
        self.0.set_position(0);
        self.0.set_message("waits");
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
