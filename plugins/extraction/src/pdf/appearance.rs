//! What is drawn over a page: fields as they were filled in, notes and stamps, each a form with its place.

use unpdf::parser::raw::{PdfDict, PdfObject, RawDocument};

use super::content::{Allowance, Names};
use super::filter::Budget;
use super::form::{self, Resources};
use super::part::Part;
use super::reach::MAX_REACH;
use super::turn::moved;
use super::value::{array, as_dict, get, name, numbers};
use crate::failure::Failure;

/// Most annotations of a page that are drawn.
const MAX_ANNOTATIONS: usize = 1000;
/// Flags of annotations that are not shown: hidden, and not on a screen.
const NOT_SHOWN: i64 = 0b10_0010;
/// What a form is moved by if it does not say it.
const UNMOVED: [f64; 6] = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// Whether an annotation has something to be drawn.
pub(super) fn is_drawn(raw: &RawDocument, annotation: &PdfDict) -> bool {
    get(raw, annotation, "AP").and_then(as_dict).is_some_and(|drawn| get(raw, drawn, "N").is_some())
}

/// Adds what is drawn over a page to its resources, and gives the operators that draw it.
pub(super) fn draw<'a>(
    part: &mut Part<'a>,
    page: &'a PdfDict,
    resources: &mut Resources<'a>,
    allowance: &mut Allowance,
    budget: &mut Budget,
) -> Result<Vec<u8>, Failure> {
    let raw = part.raw;
    let mut content = Vec::new();
    for (index, annotation) in array(raw, page, "Annots").iter().take(MAX_ANNOTATIONS).enumerate() {
        let Some(annotation) = as_dict(raw.resolve(annotation)) else { continue };
        let flags = get(raw, annotation, "F").and_then(PdfObject::as_i64).unwrap_or_default();
        if flags & NOT_SHOWN != 0 || name(raw, annotation, "Subtype") == b"Popup" {
            continue;
        }
        let Some(value) = shown(part, annotation) else { continue };
        let Some(stream) = raw.resolve(value).as_stream() else { continue };
        let Some(place) = placed(part, annotation, &stream.dict) else { continue };
        let Some(form) = form::form(part, value.as_reference(), stream, budget, &mut Vec::new())? else { continue };
        let [across, up, x, y] = place;
        let Some(left) = allowance.minus(form.takes.cost) else { break };
        if form.takes.reach * across.abs().max(up.abs()) > MAX_REACH {
            continue;
        }
        let name = format!("Drawn{index}");
        // The page may have such a name too, and paint it as often as what it knows by it allows.
        if resources.painted(name.as_bytes()).is_some() {
            continue;
        }
        *allowance = left;
        resources.add(&name, &form);
        content
            .extend_from_slice(format!("q {across:.6} 0 0 {up:.6} {x:.4} {y:.4} cm /Drawn{index} Do Q\n").as_bytes());
    }
    Ok(content)
}

/// The form that is shown, of those for the states of a field the one of its state.
fn shown<'a>(part: &Part<'a>, annotation: &'a PdfDict) -> Option<&'a PdfObject> {
    let drawn = as_dict(get(part.raw, annotation, "AP")?)?;
    let normal = drawn.get(b"N".as_slice())?;
    match part.raw.resolve(normal) {
        PdfObject::Dict(states) => states.get(name(part.raw, annotation, "AS")),
        _ => Some(normal),
    }
}

/// How a form is stretched and moved so that it fills the place of its annotation.
fn placed(part: &Part<'_>, annotation: &PdfDict, form: &PdfDict) -> Option<[f64; 4]> {
    let read = |dict: &PdfDict, key: &str| numbers::<4>(part.raw, array_of(part, dict, key));
    let place = read(annotation, "Rect")?;
    let shape = read(form, "BBox")?;
    let matrix = numbers::<6>(part.raw, array_of(part, form, "Matrix")).unwrap_or(UNMOVED);
    let moved = [(0, 1), (0, 3), (2, 1), (2, 3)].map(|(x, y)| moved(&matrix, shape[x], shape[y]));
    let least = |side: [f64; 4]| side.into_iter().fold(f64::INFINITY, f64::min);
    let most = |side: [f64; 4]| side.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let fit = |from: [f64; 4], to: [f64; 2]| {
        let (start, length) = (least(from), most(from) - least(from));
        let scale = if length > 0.0 { ((to[1] - to[0]).abs() / length).clamp(1e-6, 1e6) } else { 1.0 };
        (scale, to[0].min(to[1]) - start * scale)
    };
    let (across, x) = fit(moved.map(|(x, _)| x), [place[0], place[2]]);
    let (up, y) = fit(moved.map(|(_, y)| y), [place[1], place[3]]);
    Some([across, up, x, y])
}

fn array_of<'d>(part: &'d Part<'_>, dict: &'d PdfDict, key: &str) -> &'d [PdfObject] {
    array(part.raw, dict, key)
}
