//! What tests of all formats share.

use crate::failure::Failure;
use crate::pages::{Page, Sink, Summary};

/// Keeps the pages.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) pages: Vec<Page>,
    /// The last page that is wanted; 0 for all.
    pub(crate) most: usize,
}

impl Sink for Collected {
    fn add_page(&mut self, page: Page) -> bool {
        self.pages.push(page);
        self.most == 0 || self.pages.len() < self.most
    }

    fn progress(&mut self, done: u32, total: Option<u32>) {
        assert!(total.is_none_or(|total| done <= total), "{done} of {total:?} pages");
    }
}

/// A document's summary and pages.
pub(crate) fn extract(bytes: &[u8], extension: &str) -> Result<(Summary, Vec<Page>), Failure> {
    let mut sink = Collected::default();
    crate::extract(&bytes, extension, &mut sink).map(|summary| (summary, sink.pages))
}
