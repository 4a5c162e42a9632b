//! What of a font tells which characters its codes stand for, and how wide they are.

use unpdf::parser::raw::{PdfDict, PdfObject, PdfStream};

use super::filter::Budget;
use super::part::Part;
use super::value::{array, as_dict, dict, get, stream};
use super::{cmap, plain};
use crate::failure::Failure;

/// Most bytes of a font's program, unpacked. Fonts of all Chinese characters have some ten millions.
const MAX_PROGRAM: usize = 32 * 1024 * 1024;
/// Most tables that a table of codes builds on.
const MAX_BASES: usize = 4;

const FONT: &[&str] = &[
    "Type",
    "Subtype",
    "BaseFont",
    "FirstChar",
    "LastChar",
    "Widths",
    "FontMatrix",
    "FontBBox",
    "CIDSystemInfo",
    "DW",
    "DW2",
    "W",
    "W2",
    "CIDToGIDMap",
];
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
    "MissingWidth",
];

/// Writes a font and gives its number.
pub(super) fn write<'a>(part: &mut Part<'a>, font: &'a PdfDict, budget: &mut Budget) -> Result<usize, Failure> {
    let mut out = entries(part, font, budget)?;
    let raw = part.raw;
    if let Some(table) = stream(raw, font, "ToUnicode")
        && let Some(table) = budget.unpack(table, cmap::MAX_LENGTH)?.filter(|table| cmap::is_bounded(table))
    {
        let number = part.stream(b"", &table);
        out.extend_from_slice(format!("/ToUnicode {number} 0 R").as_bytes());
    }
    match get(raw, font, "Encoding") {
        Some(PdfObject::Stream(table)) => {
            if let Some(number) = codes(part, table, budget, MAX_BASES)? {
                out.extend_from_slice(format!("/Encoding {number} 0 R").as_bytes());
            }
        }
        Some(encoding) => plain::entry(raw, "Encoding", encoding, &mut out),
        None => {}
    }
    if let Some(descendant) = array(raw, font, "DescendantFonts").first().and_then(|font| as_dict(raw.resolve(font))) {
        let descendant = entries(part, descendant, budget)?;
        let number = part.object(&[b"<<", descendant.as_slice(), b">>"].concat());
        out.extend_from_slice(format!("/DescendantFonts[{number} 0 R]").as_bytes());
    }
    Ok(part.object(&[b"<<", out.as_slice(), b">>"].concat()))
}

/// The entries that simple fonts, composite fonts and the fonts in those have alike, without brackets.
fn entries<'a>(part: &mut Part<'a>, font: &'a PdfDict, budget: &mut Budget) -> Result<Vec<u8>, Failure> {
    let raw = part.raw;
    let mut out = Vec::new();
    plain::entries(raw, font, FONT, &mut out);
    let Some(descriptor) = dict(raw, font, "FontDescriptor") else { return Ok(out) };
    out.extend_from_slice(b"/FontDescriptor<<");
    plain::entries(raw, descriptor, DESCRIPTOR, &mut out);
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
    Ok(out)
}

/// Writes a table of codes and those that it builds on.
fn codes<'a>(
    part: &mut Part<'a>,
    table: &'a PdfStream,
    budget: &mut Budget,
    bases: usize,
) -> Result<Option<usize>, Failure> {
    let Some(bytes) = budget.unpack(table, cmap::MAX_LENGTH)?.filter(|bytes| cmap::is_bounded(bytes)) else {
        return Ok(None);
    };
    let raw = part.raw;
    let mut entries = b"/Type/CMap".to_vec();
    plain::entries(raw, &table.dict, &["CMapName", "CIDSystemInfo", "WMode"], &mut entries);
    match get(raw, &table.dict, "UseCMap") {
        Some(PdfObject::Stream(base)) if bases > 0 => {
            if let Some(number) = codes(part, base, budget, bases - 1)? {
                entries.extend_from_slice(format!("/UseCMap {number} 0 R").as_bytes());
            }
        }
        Some(PdfObject::Name(_)) => plain::entries(raw, &table.dict, &["UseCMap"], &mut entries),
        _ => {}
    }
    Ok(Some(part.stream(&entries, &bytes)))
}
