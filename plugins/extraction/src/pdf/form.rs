//! Resources of pages and forms: fonts, images without their points, and forms, which are contents of their own.

use unpdf::parser::raw::{PdfDict, PdfStream};

use super::content::{self, Allowance, Names, Painted};
use super::filter::Budget;
use super::part::{MAX_CONTENT, Part};
use super::plain;
use super::reach::scale_of;
use super::value::{Id, array, as_dict, dict, get, name, numbers};
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
    pub(super) takes: Painted,
}

/// Resources whose fonts, forms and images were written.
pub(super) struct Resources<'a> {
    fonts: Vec<u8>,
    objects: Vec<u8>,
    painted: Vec<(&'a [u8], Painted)>,
    /// How many ems the widest character of each font has, and of a font that is not one of them.
    widest: Vec<(&'a [u8], f64)>,
    widest_other: f64,
}

impl Resources<'_> {
    /// Adds a form that the page's own content does not name.
    pub(super) fn add(&mut self, name: &str, form: &Form) {
        refer(&mut self.objects, name.as_bytes(), form.number);
    }

    /// The dictionary.
    pub(super) fn written(&self) -> Vec<u8> {
        [b"<</Font<<", self.fonts.as_slice(), b">>/XObject<<", self.objects.as_slice(), b">>>>"].concat()
    }
}

impl Names for Resources<'_> {
    fn painted(&self, name: &[u8]) -> Option<Painted> {
        find(&self.painted, name)
    }

    fn widest(&self, font: &[u8]) -> f64 {
        find(&self.widest, font).unwrap_or(self.widest_other)
    }
}

/// The value of a name. The names come from a dictionary, in order.
fn find<T: Copy>(values: &[(&[u8], T)], name: &[u8]) -> Option<T> {
    let place = values.binary_search_by(|(known, _)| (*known).cmp(name));
    place.ok().and_then(|place| values.get(place)).map(|(_, value)| *value)
}

/// Writes what resources hold. `path` is the forms around them, from the page on.
pub(super) fn resources<'a>(
    part: &mut Part<'a>,
    from: Option<&'a PdfDict>,
    budget: &mut Budget,
    path: &mut Vec<Id>,
) -> Result<Resources<'a>, Failure> {
    let raw = part.raw;
    let (fonts, objects, painted, widest) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // A form without resources has those of what is around it: any font may be meant then.
    let widest_other = if from.is_some() { 1.0 } else { part.widest };
    let mut resources = Resources { fonts, objects, painted, widest, widest_other };
    let held = |kind: &str| from.and_then(|from| dict(raw, from, kind)).into_iter().flatten().take(MAX_NAMES);
    for (name, value) in held("Font") {
        if let Some(font) = part.font(value, budget)? {
            refer(&mut resources.fonts, name, font.number);
            resources.widest.push((name, font.widest));
        }
    }
    for (name, value) in held("XObject") {
        let Some(stream) = raw.resolve(value).as_stream() else { continue };
        let form = match self::name(raw, &stream.dict, "Subtype") {
            b"Form" => form(part, value.as_reference(), stream, budget, path)?,
            // One operator, whatever it shows.
            _ => Some(Form { number: part.stream(IMAGE, b""), takes: Painted::IMAGE }),
        };
        if let Some(form) = form {
            refer(&mut resources.objects, name, form.number);
            resources.painted.push((name, form.takes));
        }
    }
    Ok(resources)
}

fn refer(out: &mut Vec<u8>, name: &[u8], number: usize) {
    plain::name(name, out);
    out.extend_from_slice(format!(" {number} 0 R").as_bytes());
}

/// Writes a form, once for each form of the file; nothing if it is left out.
pub(super) fn form<'a>(
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
    let kept = content::keep(&content, &mut left, &resources);
    let mut entries = b"/Type/XObject/Subtype/Form".to_vec();
    plain::entries(raw, &stream.dict, &["BBox"], &mut entries);
    let matrix = numbers::<6>(raw, array(raw, &stream.dict, "Matrix"));
    if let Some(matrix) = matrix {
        plain::numbers("Matrix", &matrix, &mut entries);
    }
    if own.is_some() {
        entries.extend_from_slice(b"/Resources ");
        entries.extend_from_slice(&resources.written());
    }
    let mut cost = Allowance::PAGE.minus(left).unwrap_or(Allowance::PAGE);
    // The library saves the state, moves, cuts and restores around a form.
    cost.operators += 8;
    let reach = kept.reach * matrix.map_or(1.0, |matrix| scale_of(&matrix));
    let number = part.stream(&entries, &kept.bytes);
    Ok(Some(Form { number, takes: Painted { cost, reach } }))
}
