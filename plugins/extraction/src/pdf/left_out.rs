//! What of a PDF is left out, each as a sentence. Nothing of it is followed or run.

use unpdf::parser::raw::RawDocument;

use super::appearance::is_drawn;
use super::tree::PageNode;
use super::value::{array, as_dict, dict, get, name};
use crate::pages::Pages;

/// Most annotations of a page that are looked at.
const MAX_ANNOTATIONS: usize = 1000;

const SCRIPTS: &str = "Scripts were left out; none was run.";
const FILES: &str = "Files inside of the document were left out.";
const FORMS: &str = "Form fields were left out where the file does not draw what was filled in.";
const LINKS: &str = "Links were left out; their text was kept, and none was followed.";
const NOTES: &str = "Notes and drawings that were added to the pages were left out.";
const MEDIA: &str = "Sounds and films were left out.";

/// Says what the document as a whole holds.
pub(super) fn of_document(raw: &RawDocument, pages: &mut Pages<'_>) {
    let Ok(catalog) = raw.catalog() else { return };
    if let Some(names) = dict(raw, catalog, "Names") {
        if get(raw, names, "JavaScript").is_some() {
            pages.omit(SCRIPTS);
        }
        if get(raw, names, "EmbeddedFiles").is_some() {
            pages.omit(FILES);
        }
    }
    let opens = dict(raw, catalog, "OpenAction").is_some_and(|action| name(raw, action, "S") == b"JavaScript");
    if opens || get(raw, catalog, "AA").is_some() {
        pages.omit(SCRIPTS);
    }
}

/// Says what is added to a page.
pub(super) fn of_page(raw: &RawDocument, page: &PageNode<'_>, pages: &mut Pages<'_>) {
    for annotation in array(raw, page.dict, "Annots").iter().take(MAX_ANNOTATIONS) {
        let Some(annotation) = as_dict(raw.resolve(annotation)) else { continue };
        let sentence = match name(raw, annotation, "Subtype") {
            b"Link" => LINKS,
            b"Widget" | b"FreeText" | b"Stamp" if is_drawn(raw, annotation) => continue,
            b"Widget" => FORMS,
            b"FileAttachment" => FILES,
            b"Sound" | b"Movie" | b"Screen" | b"RichMedia" | b"3D" => MEDIA,
            b"Popup" | b"Highlight" | b"Underline" | b"Squiggly" | b"StrikeOut" | b"" => continue,
            _ => NOTES,
        };
        pages.omit(sentence);
    }
}
