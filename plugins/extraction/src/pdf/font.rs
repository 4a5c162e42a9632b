//! What of a font tells which characters its codes stand for, and how wide they are.

use unpdf::parser::raw::{PdfDict, PdfObject, PdfStream, RawDocument};

use super::filter::Budget;
use super::part::{Allowed, Part};
use super::value::{array, as_dict, dict, get, name, numbers, stream};
use super::{cmap, plain};
use crate::failure::Failure;

/// Most bytes of a font's program, unpacked. Fonts of all Chinese characters have some ten millions.
const MAX_PROGRAM: usize = 32 * 1024 * 1024;
/// Most tables that a table of codes builds on.
const MAX_BASES: usize = 4;

/// Most ems of a character's width, and most units of that of a glyph that is drawn by operators, whose em is any size.
const MAX_WIDTH: f64 = 3.0;
const MAX_UNITS: f64 = 10_000.0;
/// The last number of a character.
const MAX_CHARACTER: f64 = 65_535.0;
/// Most widths of a font.
const MAX_WIDTHS: usize = 100_000;

const FONT: &[&str] =
    &["Type", "Subtype", "BaseFont", "FirstChar", "LastChar", "FontBBox", "CIDSystemInfo", "CIDToGIDMap"];
const DESCRIPTOR: &[&str] = &[
    "Type",
    "FontName",
    "FontFamily",
    "FontStretch",
    "FontWeight",
    "Flags",
    "FontBBox",
    "ItalicAngle",
    "Ascent",
    "Descent",
    "CapHeight",
    "XHeight",
    "StemV",
];

/// A font that was written.
#[derive(Clone, Copy)]
pub(super) struct Font {
    pub(super) number: usize,
    /// How many ems its widest character has, at least 1.
    pub(super) widest: f64,
    /// Whether it is one of the first fonts of TeX, which have no letters with accents.
    pub(super) is_tex: bool,
}

/// Writes a font.
pub(super) fn write<'a>(part: &mut Part<'a>, font: &'a PdfDict, budget: &mut Budget) -> Result<Font, Failure> {
    let (mut out, mut widest) = entries(part, font, budget)?;
    let raw = part.raw;
    if let Some(table) = stream(raw, font, "ToUnicode")
        && let Some((table, codes)) = budget.unpack(table, cmap::MAX_LENGTH)?.and_then(cmap::bounded)
        && part.codes.spend(codes)
    {
        let number = part.stream(b"", &table);
        out.extend_from_slice(format!("/ToUnicode {number} 0 R").as_bytes());
    }
    match get(raw, font, "Encoding") {
        Some(PdfObject::Stream(table)) => {
            if let Some(number) = table_of_codes(part, table, budget, MAX_BASES)? {
                out.extend_from_slice(format!("/Encoding {number} 0 R").as_bytes());
            }
        }
        Some(encoding) => plain::entry(raw, "Encoding", encoding, &mut out),
        None => {}
    }
    if let Some(descendant) = array(raw, font, "DescendantFonts").first().and_then(|font| as_dict(raw.resolve(font))) {
        let (descendant, wide) = entries(part, descendant, budget)?;
        widest = widest.max(wide);
        let number = part.object(&[b"<<", descendant.as_slice(), b">>"].concat());
        out.extend_from_slice(format!("/DescendantFonts[{number} 0 R]").as_bytes());
    }
    let is_tex = is_tex(name(raw, font, "BaseFont"));
    Ok(Font { number: part.object(&[b"<<", out.as_slice(), b">>"].concat()), widest, is_tex })
}

/// Whether a font has a name as `ABCDEF+CMR10`: of Computer Modern, upright, bold, slanted, and of small letters.
fn is_tex(name: &[u8]) -> bool {
    let name = name.rsplit(|byte| *byte == b'+').next().unwrap_or_default();
    let letters = name.trim_ascii_end().split(u8::is_ascii_digit).next().unwrap_or_default();
    letters.len() < name.len()
        && matches!(
            letters,
            b"CMR"
                | b"CMB"
                | b"CMBX"
                | b"CMTI"
                | b"CMBXTI"
                | b"CMSL"
                | b"CMBXSL"
                | b"CMSS"
                | b"CMSSBX"
                | b"CMSSI"
                | b"CMCSC"
        )
}

/// The entries that simple fonts, composite fonts and the fonts in those have alike, without brackets, and how many ems
/// the widest character has.
fn entries<'a>(part: &mut Part<'a>, font: &'a PdfDict, budget: &mut Budget) -> Result<(Vec<u8>, f64), Failure> {
    let raw = part.raw;
    let mut out = Vec::new();
    plain::entries(raw, font, FONT, &mut out);
    let matrix = numbers::<6>(raw, array(raw, font, "FontMatrix"));
    if let Some(matrix) = matrix {
        plain::numbers("FontMatrix", &matrix, &mut out);
    }
    // How many ems one unit of width is.
    let drawn = matrix.filter(|_| name(raw, font, "Subtype") == b"Type3");
    let (unit, most) = drawn.map_or((0.001, MAX_WIDTH * 1000.0), |matrix| (matrix[0].abs(), MAX_UNITS));
    let mut widths = Widths { most, widest: 0.0 };
    for (key, heads, length) in [("Widths", 0, 1), ("W", 2, 3), ("W2", 2, 5), ("DW2", 0, 1)] {
        let values = array(raw, font, key);
        if !values.is_empty() {
            plain::name(key.as_bytes(), &mut out);
            widths.groups(raw, values, (heads, length), &mut part.characters, &mut out);
        }
    }
    let descriptor = dict(raw, font, "FontDescriptor");
    widths.entry(get(raw, font, "DW"), "DW", &mut out);
    let Some(descriptor) = descriptor else { return Ok((out, (widths.widest * unit).max(1.0))) };
    out.extend_from_slice(b"/FontDescriptor<<");
    plain::entries(raw, descriptor, DESCRIPTOR, &mut out);
    widths.entry(get(raw, descriptor, "MissingWidth"), "MissingWidth", &mut out);
    for key in ["FontFile", "FontFile2", "FontFile3"] {
        let Some(program) = stream(raw, descriptor, key) else { continue };
        if let Some(bytes) = budget.unpack(program, MAX_PROGRAM)? {
            let mut entries = Vec::new();
            plain::entries(raw, &program.dict, &["Subtype", "Length1", "Length2", "Length3"], &mut entries);
            let number = part.stream(&entries, &bytes);
            out.extend_from_slice(format!("/{key} {number} 0 R").as_bytes());
            break;
        }
    }
    out.extend_from_slice(b">>");
    Ok((out, (widths.widest * unit).max(1.0)))
}

/// Writes widths, none wider than `most`.
struct Widths {
    most: f64,
    widest: f64,
}

impl Widths {
    fn width(&mut self, width: f64, out: &mut Vec<u8>) {
        let width = width.clamp(-self.most, self.most);
        self.widest = self.widest.max(width.abs());
        plain::real(width, out);
        out.push(b' ');
    }

    fn entry(&mut self, value: Option<&PdfObject>, key: &str, out: &mut Vec<u8>) {
        if let Some(width) = value.and_then(PdfObject::as_f64) {
            plain::name(key.as_bytes(), out);
            out.push(b' ');
            self.width(width, out);
        }
    }

    /// Writes a table of widths. It is a row of groups, each of so many numbers of characters and as many numbers all
    /// in all; an array of widths ends a group.
    /// The library keeps the width of each character on its own, so `characters` bounds how many there are.
    fn groups(
        &mut self,
        raw: &RawDocument,
        values: &[PdfObject],
        (heads, length): (usize, usize),
        characters: &mut Allowed,
        out: &mut Vec<u8>,
    ) {
        out.push(b'[');
        let (mut place, mut first) = (0, 0.0);
        let mut left = MAX_WIDTHS;
        for value in values {
            let value = raw.resolve(value);
            if let Some(widths) = value.as_array() {
                out.push(b'[');
                for width in widths.iter().take(left) {
                    self.width(raw.resolve(width).as_f64().unwrap_or_default(), out);
                }
                out.push(b']');
                left = left.saturating_sub(widths.len());
                place = 0;
            } else if place < heads {
                // As the number of a character a width is not much wider than one.
                let number = value.as_f64().unwrap_or_default().clamp(0.0, MAX_CHARACTER);
                let is_allowed = place == 0 || characters.spend(whole(number - first) + 1);
                plain::real(if is_allowed { number } else { first }, out);
                out.push(b' ');
                first = number;
                place += 1;
            } else {
                self.width(value.as_f64().unwrap_or_default(), out);
                place = (place + 1) % length;
            }
            left = left.saturating_sub(1);
            if left == 0 {
                break;
            }
        }
        out.push(b']');
    }
}

/// The distance between two characters, or nothing if it goes backwards.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "characters have numbers below 65,536")]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}

/// Writes a table of codes and those that it builds on.
fn table_of_codes<'a>(
    part: &mut Part<'a>,
    table: &'a PdfStream,
    budget: &mut Budget,
    bases: usize,
) -> Result<Option<usize>, Failure> {
    let Some((bytes, codes)) = budget.unpack(table, cmap::MAX_LENGTH)?.and_then(cmap::bounded) else {
        return Ok(None);
    };
    if !part.codes.spend(codes) {
        return Ok(None);
    }
    let raw = part.raw;
    let mut entries = b"/Type/CMap".to_vec();
    plain::entries(raw, &table.dict, &["CMapName", "CIDSystemInfo", "WMode"], &mut entries);
    match get(raw, &table.dict, "UseCMap") {
        Some(PdfObject::Stream(base)) if bases > 0 => {
            if let Some(number) = table_of_codes(part, base, budget, bases - 1)? {
                entries.extend_from_slice(format!("/UseCMap {number} 0 R").as_bytes());
            }
        }
        Some(PdfObject::Name(_)) => plain::entries(raw, &table.dict, &["UseCMap"], &mut entries),
        _ => {}
    }
    Ok(Some(part.stream(&entries, &bytes)))
}
