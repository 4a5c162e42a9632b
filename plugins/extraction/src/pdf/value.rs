//! Values of a PDF, with their references followed.

use unpdf::parser::raw::{PdfDict, PdfObject, PdfStream, RawDocument};

/// The number and the generation of an object.
pub(super) type Id = (u32, u16);

/// The value of a key.
pub(super) fn get<'a>(raw: &'a RawDocument, dict: &'a PdfDict, key: &str) -> Option<&'a PdfObject> {
    match raw.resolve(dict.get(key.as_bytes())?) {
        // A reference that leads nowhere or in circles.
        PdfObject::Reference(..) | PdfObject::Null => None,
        value => Some(value),
    }
}

/// A dictionary, also that of a stream.
pub(super) fn as_dict(value: &PdfObject) -> Option<&PdfDict> {
    match value {
        PdfObject::Dict(dict) => Some(dict),
        PdfObject::Stream(stream) => Some(&stream.dict),
        _ => None,
    }
}

/// The dictionary that a key leads to.
pub(super) fn dict<'a>(raw: &'a RawDocument, from: &'a PdfDict, key: &str) -> Option<&'a PdfDict> {
    as_dict(get(raw, from, key)?)
}

/// The array that a key leads to; empty if there is none.
pub(super) fn array<'a>(raw: &'a RawDocument, from: &'a PdfDict, key: &str) -> &'a [PdfObject] {
    get(raw, from, key).and_then(PdfObject::as_array).unwrap_or_default()
}

/// The name that a key leads to; empty if there is none.
pub(super) fn name<'a>(raw: &'a RawDocument, from: &'a PdfDict, key: &str) -> &'a [u8] {
    get(raw, from, key).and_then(PdfObject::as_name).unwrap_or_default()
}

/// The stream that a key leads to.
pub(super) fn stream<'a>(raw: &'a RawDocument, from: &'a PdfDict, key: &str) -> Option<&'a PdfStream> {
    get(raw, from, key)?.as_stream()
}

/// An array of this many numbers, each within ten millions; nothing if it is something else.
pub(super) fn numbers<const COUNT: usize>(raw: &RawDocument, values: &[PdfObject]) -> Option<[f64; COUNT]> {
    let number = |value: &PdfObject| raw.resolve(value).as_f64().filter(|number| number.is_finite());
    let numbers: Vec<f64> =
        values.iter().take(COUNT).filter_map(number).map(|number| number.clamp(-1e7, 1e7)).collect();
    numbers.try_into().ok()
}
