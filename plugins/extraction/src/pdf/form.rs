//! Resources of pages and forms: fonts, images without their points, and forms, which are contents of their own.

use unpdf::parser::raw::{PdfDict, PdfStream};

use super::content::{self, Allowance};
use super::filter::Budget;
use super::part::{MAX_CONTENT, Part};
use super::plain;
use super::value::{Id, as_dict, dict, get, name};
use crate::failure::Failure;

/// Most forms inside of each other. The library follows 32.
const MAX_DEPTH: usize = 12;
/// Most fonts, forms and images of a page or a form.
const MAX_NAMES: usize = 2000;
/// What is written for an image.
const IMAGE: &[u8] = b"/Type/XObject/Subtype/Image/Width 1/Height 1";

/// A form that was written.
#[derive(Clone, Copy)]
pub(super) struct Form {
    number: usize,
    /// What it takes of a page, with the forms in it.
    cost: Allowance,
}

/// Resources that were written.
pub(super) struct Resources<'a> {
    pub(super) written: Vec<u8>,
    painted: Vec<(&'a [u8], Allowance)>,
}

impl Resources<'_> {
    /// What a form or an image takes of a page; nothing if it is left out.
    pub(super) fn cost(&self, name: &[u8]) -> Option<Allowance> {
        let place = self.painted.binary_search_by(|(known, _)| (*known).cmp(name));
        place.ok().and_then(|place| self.painted.get(place)).map(|(_, cost)| *cost)
    }
}

/// Writes what resources hold. `path` is the forms around them, from the page on.
pub(super) fn resources<'a>(
    part: &mut Part<'a>,
    from: Option<&'a PdfDict>,
    budget: &mut Budget,
    path: &mut Vec<Id>,
) -> Result<Resources<'a>, Failure> {
    let mut resources = Resources { written: b"<</Font<<".to_vec(), painted: Vec::new() };
    let raw = part.raw;
    let held = |kind: &str| from.and_then(|from| dict(raw, from, kind)).into_iter().flatten().take(MAX_NAMES);
    for (name, value) in held("Font") {
        if let Some(number) = part.font(value, budget)? {
            refer(&mut resources.written, name, number);
        }
    }
    resources.written.extend_from_slice(b">>/XObject<<");
    for (name, value) in held("XObject") {
        let Some(stream) = raw.resolve(value).as_stream() else { continue };
        let form = match self::name(raw, &stream.dict, "Subtype") {
            b"Form" => form(part, value.as_reference(), stream, budget, path)?,
            // One operator, whatever it shows.
            _ => Some(Form { number: part.stream(IMAGE, b""), cost: Allowance::ONE }),
        };
        if let Some(form) = form {
            refer(&mut resources.written, name, form.number);
            resources.painted.push((name, form.cost));
        }
    }
    resources.written.extend_from_slice(b">>>>");
    Ok(resources)
}

fn refer(out: &mut Vec<u8>, name: &[u8], number: usize) {
    plain::name(name, out);
    out.extend_from_slice(format!(" {number} 0 R").as_bytes());
}

/// Writes a form, once for each form of the file; nothing if it is left out.
fn form<'a>(
    part: &mut Part<'a>,
    id: Option<Id>,
    stream: &'a PdfStream,
    budget: &mut Budget,
    path: &mut Vec<Id>,
) -> Result<Option<Form>, Failure> {
    // A stream is never a direct value.
    let Some(id) = id else { return Ok(None) };
    if let Some(form) = part.forms.get(&id) {
        return Ok(*form);
    }
    if path.contains(&id) || path.len() >= MAX_DEPTH || part.is_full() {
        return Ok(None);
    }
    path.push(id);
    let form = write(part, stream, budget, path)?;
    path.pop();
    part.forms.insert(id, form);
    Ok(form)
}

fn write<'a>(
    part: &mut Part<'a>,
    stream: &'a PdfStream,
    budget: &mut Budget,
    path: &mut Vec<Id>,
) -> Result<Option<Form>, Failure> {
    let raw = part.raw;
    let Some(content) = budget.unpack(stream, MAX_CONTENT)? else { return Ok(None) };
    let own = get(raw, &stream.dict, "Resources").and_then(as_dict);
    let resources = resources(part, own, budget, path)?;
    let mut left = Allowance::PAGE;
    // Without resources of its own a form has those of the page, and what it paints there is not known here.
    let kept = content::keep(&content, &mut left, |name| resources.cost(name));
    let mut entries = b"/Type/XObject/Subtype/Form".to_vec();
    plain::entries(raw, &stream.dict, &["BBox", "Matrix"], &mut entries);
    if own.is_some() {
        entries.extend_from_slice(b"/Resources ");
        entries.extend_from_slice(&resources.written);
    }
    let mut cost = Allowance::PAGE.minus(left).unwrap_or(Allowance::PAGE);
    // The library saves the state, moves, cuts and restores around a form.
    cost.operators += 8;
    Ok(Some(Form { number: part.stream(&entries, &kept.bytes), cost }))
}
