//! PDF.

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::pages::Pages;

/// Hands over the pages of a PDF.
pub(crate) fn extract(_document: &mut Document<'_>, _pages: &mut Pages<'_>) -> Result<(), Stop> {
    Err(Failure::unknown_format("PDF files cannot be read yet.").into())
}
