//! The pages of a PDF in their order, with what they inherit.

use std::collections::HashSet;

use unpdf::parser::raw::{PdfDict, PdfObject, RawDocument};

use super::value::{Id, array, as_dict, dict, get, name};
use crate::pages::MAX_PAGES;

/// Most nodes of a tree that are looked at. A tree has fewer inner nodes than pages.
const MAX_NODES: usize = 4 * MAX_PAGES as usize;
/// Most objects that are looked through if the tree has no page.
const MAX_OBJECTS: u32 = 100_000;

/// A page.
#[derive(Clone, Copy)]
pub(super) struct PageNode<'a> {
    pub(super) dict: &'a PdfDict,
    pub(super) inherited: Inherited<'a>,
}

/// What a page has from the nodes above it, unless it says something else.
#[derive(Clone, Copy, Default)]
pub(super) struct Inherited<'a> {
    pub(super) resources: Option<&'a PdfObject>,
    pub(super) media_box: Option<&'a PdfObject>,
    pub(super) crop_box: Option<&'a PdfObject>,
    pub(super) rotate: Option<&'a PdfObject>,
}

impl<'a> Inherited<'a> {
    fn below(self, raw: &'a RawDocument, dict: &'a PdfDict) -> Self {
        Self {
            resources: get(raw, dict, "Resources").or(self.resources),
            media_box: get(raw, dict, "MediaBox").or(self.media_box),
            crop_box: get(raw, dict, "CropBox").or(self.crop_box),
            rotate: get(raw, dict, "Rotate").or(self.rotate),
        }
    }
}

/// All pages, one more than [`MAX_PAGES`] at most. What a tree says of its size is not believed, and each node counts
/// once.
pub(super) fn pages(raw: &RawDocument) -> Vec<PageNode<'_>> {
    let pages = raw.catalog().ok().and_then(|catalog| catalog.get(b"Pages".as_slice()));
    let pages = pages.map(|root| walk(raw, root)).unwrap_or_default();
    if pages.is_empty() { scattered(raw) } else { pages }
}

fn walk<'a>(raw: &'a RawDocument, root: &'a PdfObject) -> Vec<PageNode<'a>> {
    let mut pages = Vec::new();
    let mut seen: HashSet<Id> = HashSet::new();
    let mut stack = vec![(root, Inherited::default())];
    let mut left = MAX_NODES;
    while let Some((node, inherited)) = stack.pop() {
        if left == 0 || pages.len() > MAX_PAGES as usize {
            break;
        }
        left -= 1;
        if node.as_reference().is_some_and(|id| !seen.insert(id)) {
            continue;
        }
        let Some(dict) = as_dict(raw.resolve(node)) else { continue };
        let inherited = inherited.below(raw, dict);
        if get(raw, dict, "Kids").is_none() {
            pages.push(PageNode { dict, inherited });
            continue;
        }
        let kids = array(raw, dict, "Kids");
        // The same array again and again costs nothing: only what was not seen is put on the stack, a page at most once.
        let fresh = kids.iter().filter(|kid| kid.as_reference().is_none_or(|id| !seen.contains(&id)));
        let from = stack.len();
        stack.extend(fresh.take(MAX_NODES.saturating_sub(from)).map(|kid| (kid, inherited)));
        stack[from..].reverse();
    }
    pages
}

/// Pages that no tree leads to, in the order of their numbers.
fn scattered(raw: &RawDocument) -> Vec<PageNode<'_>> {
    let size = raw.trailer().get(b"Size".as_slice()).and_then(PdfObject::as_i64);
    let size = size.and_then(|size| u32::try_from(size).ok()).unwrap_or(MAX_OBJECTS).min(MAX_OBJECTS);
    let pages = (1..=size).filter_map(|number| raw.get_object((number, 0)).and_then(as_dict));
    pages
        .filter(|page| name(raw, page, "Type") == b"Page")
        .map(|page| {
            // The node above it may be there, although nothing leads from it to the page.
            let above = dict(raw, page, "Parent").map(|above| Inherited::default().below(raw, above));
            PageNode { dict: page, inherited: above.unwrap_or_default().below(raw, page) }
        })
        .take(MAX_PAGES as usize + 1)
        .collect()
}
