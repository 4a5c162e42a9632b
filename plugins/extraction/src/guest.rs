//! The component's imports and its export.

use crate::document::Source;
use crate::failure::{Failure, Reason};
use crate::pages::{Page, Sink, Summary};

mod bindings {
    #![allow(missing_docs, clippy::pedantic, unsafe_code, reason = "generated from extraction.wit")]

    wit_bindgen::generate!({ path: "wit", world: "extractor" });

    use super::Component;

    export!(Component with_types_in self);
}

use bindings::behalf::extraction::document;

/// The component.
pub(crate) struct Component;

impl bindings::Guest for Component {
    fn extract(hint: bindings::Hint) -> Result<bindings::Summary, bindings::Failure> {
        crate::extract(&Lent, &hint.extension, &mut Lent).map(Into::into).map_err(Into::into)
    }
}

/// The document that the host lends.
struct Lent;

impl Source for Lent {
    fn size(&self) -> u64 {
        document::size()
    }

    fn read(&self, offset: u64, length: u32) -> Vec<u8> {
        document::read(offset, length)
    }
}

impl Sink for Lent {
    fn add_page(&mut self, page: Page) -> bool {
        document::add_page(&document::Page { text: page.text, name: page.name })
    }

    fn progress(&mut self, done: u32, total: Option<u32>) {
        document::progress(done, total);
    }
}

impl From<Summary> for bindings::Summary {
    fn from(summary: Summary) -> Self {
        let Summary { format, title, author, pictures, omitted } = summary;
        Self { format: format.into(), title, author, pictures, omitted }
    }
}

impl From<Failure> for bindings::Failure {
    fn from(failure: Failure) -> Self {
        let reason = match failure.reason {
            Reason::UnknownFormat => bindings::Reason::UnknownFormat,
            Reason::Damaged => bindings::Reason::Damaged,
            Reason::Encrypted => bindings::Reason::Encrypted,
            Reason::TooLarge => bindings::Reason::TooLarge,
            Reason::OnlyPictures => bindings::Reason::OnlyPictures,
            Reason::Empty => bindings::Reason::Empty,
        };
        Self { reason, message: failure.message.into() }
    }
}
