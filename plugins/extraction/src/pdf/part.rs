//! A small PDF of some pages, with what their text needs.

use std::collections::HashMap;

use unpdf::parser::raw::{PdfDict, PdfObject, RawDocument};

use super::content::{self, Allowance};
use super::filter::Budget;
use super::font::Font;
use super::form::Form;
use super::tree::PageNode;
use super::turn::{LETTER, Turn};
use super::value::{Id, as_dict, get, numbers};
use super::{appearance, font, form, plain};
use crate::failure::Failure;

/// Most bytes of a part. More fonts and forms are left out.
const MAX_LENGTH: usize = 96 * 1024 * 1024;
/// Most bytes of the content of a page or a form, unpacked. Maps have some ten millions.
pub(super) const MAX_CONTENT: usize = 64 * 1024 * 1024;
/// Most codes of all tables of a part. The library keeps each with its characters, for each font that has the table.
const MAX_CODES: u64 = 2_000_000;
/// Most characters of a part whose width stands in a range.
const MAX_CHARACTERS: u64 = 500_000;
/// Most streams of a page.
const MAX_STREAMS: usize = 1000;
/// Most points from the middle of the space to a page's sides. A page has at most 14,400.
const MAX_SIDE: f64 = 30_000.0;
/// The catalog and the root of the pages, which are written last.
const CATALOG: usize = 1;
const ROOT: usize = 2;

/// How many of something may still come.
pub(super) struct Allowed(u64);

impl Allowed {
    /// Takes so many; false, and nothing is taken, if there are not as many left.
    pub(super) fn spend(&mut self, count: u64) -> bool {
        let left = self.0.checked_sub(count);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// A PDF while it is written.
pub(super) struct Part<'a> {
    pub(super) raw: &'a RawDocument,
    out: Vec<u8>,
    /// Where each object begins, by its number less one.
    places: Vec<usize>,
    pages: Vec<usize>,
    /// The fonts and forms that were written or left out, by where they are in the file.
    pub(super) fonts: HashMap<Id, Option<Font>>,
    pub(super) forms: HashMap<Id, Option<Form>>,
    /// How many ems the widest character of all fonts has.
    pub(super) widest: f64,
    /// Codes that tables may still give characters to, and characters that ranges may still give a width to.
    pub(super) codes: Allowed,
    pub(super) characters: Allowed,
    /// Whether any of the fonts is one of the first of TeX.
    pub(super) is_tex: bool,
}

impl<'a> Part<'a> {
    pub(super) fn new(raw: &'a RawDocument) -> Self {
        let (fonts, forms) = (HashMap::new(), HashMap::new());
        let out = b"%PDF-1.7\n".to_vec();
        let (codes, characters) = (Allowed(MAX_CODES), Allowed(MAX_CHARACTERS));
        let (places, pages) = (vec![0; ROOT], Vec::new());
        Self { raw, out, places, pages, fonts, forms, widest: 1.0, codes, characters, is_tex: false }
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether another font or form may be added.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= MAX_LENGTH
    }

    /// Adds a page, turned by a number of quarters against the clock, and says whether everything on it was kept.
    pub(super) fn add(&mut self, page: &PageNode<'a>, quarters: u8, budget: &mut Budget) -> Result<bool, Failure> {
        let (content, mut is_whole) = self.content(page.dict, budget)?;
        let resources = page.inherited.resources.and_then(as_dict);
        let mut resources = form::resources(self, resources, budget, &mut Vec::new())?;
        let mut allowance = Allowance::PAGE;
        let kept = content::keep(&content, &mut allowance, &resources);
        drop(content);
        is_whole &= kept.is_whole;
        let drawn = appearance::draw(self, page.dict, &mut resources, &mut allowance, budget)?;
        let sides = |value: Option<&PdfObject>| {
            let sides = numbers::<4>(self.raw, value.and_then(PdfObject::as_array).unwrap_or_default());
            sides.map(|sides| sides.map(|side| side.clamp(-MAX_SIDE, MAX_SIDE)))
        };
        let (media, crop) = (sides(page.inherited.media_box), sides(page.inherited.crop_box));
        let turn = Turn::new(quarters, media.unwrap_or(LETTER));
        // States that the content leaves open end with it.
        let content = [turn.operator().as_bytes(), b"q\n", kept.bytes.as_slice(), b"\nQ ", drawn.as_slice()].concat();
        let content = self.stream(b"", &content);
        let mut dict = format!("<</Type/Page/Parent {ROOT} 0 R/Contents {content} 0 R/Resources ").into_bytes();
        dict.extend_from_slice(&resources.written());
        for (key, sides) in [("MediaBox", media), ("CropBox", crop)] {
            if let Some(sides) = sides {
                plain::numbers(key, &turn.sides(sides), &mut dict);
            }
        }
        if let Some(rotate) = page.inherited.rotate.filter(|_| quarters == 0) {
            plain::entry(self.raw, "Rotate", rotate, &mut dict);
        }
        dict.extend_from_slice(b">>");
        let page = self.object(&dict);
        self.pages.push(page);
        Ok(is_whole)
    }

    /// The content of a page, and whether all of it could be unpacked.
    fn content(&self, page: &PdfDict, budget: &mut Budget) -> Result<(Vec<u8>, bool), Failure> {
        let streams = match get(self.raw, page, "Contents") {
            Some(PdfObject::Array(streams)) => streams.as_slice(),
            Some(stream) => std::slice::from_ref(stream),
            None => return Ok((Vec::new(), true)),
        };
        let mut content = Vec::new();
        let mut is_whole = streams.len() <= MAX_STREAMS;
        for stream in streams.iter().take(MAX_STREAMS) {
            let Some(stream) = self.raw.resolve(stream).as_stream() else { continue };
            match budget.unpack(stream, MAX_CONTENT - content.len())? {
                Some(bytes) => {
                    content.extend_from_slice(&bytes);
                    content.push(b'\n');
                }
                None => is_whole = false,
            }
            if content.len() >= MAX_CONTENT {
                return Ok((content, false));
            }
        }
        Ok((content, is_whole))
    }

    /// Writes a font, once for each font of the file; nothing if it is left out.
    pub(super) fn font(&mut self, value: &'a PdfObject, budget: &mut Budget) -> Result<Option<Font>, Failure> {
        let id = value.as_reference();
        if let Some(font) = id.and_then(|id| self.fonts.get(&id)) {
            return Ok(*font);
        }
        let font = match as_dict(self.raw.resolve(value)) {
            Some(dict) if !self.is_full() => Some(font::write(self, dict, budget)?),
            _ => None,
        };
        self.widest = font.map_or(self.widest, |font| self.widest.max(font.widest));
        self.is_tex |= font.is_some_and(|font| font.is_tex);
        if let Some(id) = id {
            self.fonts.insert(id, font);
        }
        Ok(font)
    }

    /// Writes an object and gives its number.
    pub(super) fn object(&mut self, body: &[u8]) -> usize {
        self.places.push(self.out.len());
        let number = self.places.len();
        self.write(number, body);
        number
    }

    /// Writes a stream and gives its number. `entries` is what its dictionary has beside the length.
    pub(super) fn stream(&mut self, entries: &[u8], bytes: &[u8]) -> usize {
        let mut body = b"<<".to_vec();
        body.extend_from_slice(entries);
        body.extend_from_slice(format!("/Length {}>>stream\n", bytes.len()).as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\nendstream");
        self.object(&body)
    }

    fn write(&mut self, number: usize, body: &[u8]) {
        self.out.extend_from_slice(format!("{number} 0 obj\n").as_bytes());
        self.out.extend_from_slice(body);
        self.out.extend_from_slice(b"\nendobj\n");
    }

    /// The whole PDF.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.places[CATALOG - 1] = self.out.len();
        self.write(CATALOG, format!("<</Type/Catalog/Pages {ROOT} 0 R>>").as_bytes());
        self.places[ROOT - 1] = self.out.len();
        let kids: Vec<String> = self.pages.iter().map(|page| format!("{page} 0 R")).collect();
        self.write(ROOT, format!("<</Type/Pages/Count {}/Kids[{}]>>", kids.len(), kids.join(" ")).as_bytes());
        let (start, size) = (self.out.len(), self.places.len() + 1);
        self.out.extend_from_slice(format!("xref\n0 {size}\n0000000000 65535 f \n").as_bytes());
        for place in &self.places {
            self.out.extend_from_slice(format!("{place:010} 00000 n \n").as_bytes());
        }
        let trailer = format!("trailer\n<</Size {size}/Root {CATALOG} 0 R>>\nstartxref\n{start}\n%%EOF\n");
        self.out.extend_from_slice(trailer.as_bytes());
        self.out
    }
}
