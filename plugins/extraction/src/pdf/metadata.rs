//! Title and author, as the file says them.

use unpdf::parser::raw::{PdfObject, RawDocument};

use super::filter::Budget;
use super::value::{dict, get, stream};
use crate::pages::Pages;

/// Most bytes of the metadata stream that are looked at.
const MAX_XMP: usize = 1024 * 1024;
/// Most bytes of a title or a name.
const MAX_STRING: usize = 4 * 1024;
/// Most streams of metadata's bytes between an element and its first item.
const MAX_ELEMENT: usize = 1024;

/// The characters of the bytes 0x80 to 0x9F in PDF's own encoding; the others are those of Latin-1.
const PDF_DOC: [char; 32] = [
    '•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘', '’', '‚', '™', 'ﬁ', 'ﬂ', 'Ł', 'Œ',
    'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž', '\u{fffd}',
];

/// Says the title and the author.
pub(super) fn read(raw: &RawDocument, pages: &mut Pages<'_>) {
    let info = dict(raw, raw.trailer(), "Info");
    let entry = |key: &str| info.and_then(|info| get(raw, info, key)).and_then(PdfObject::as_str_bytes).map(decode);
    pages.set_title(&entry("Title").unwrap_or_default());
    pages.set_author(&entry("Author").unwrap_or_default());
    let xmp = raw.catalog().ok().and_then(|catalog| stream(raw, catalog, "Metadata"));
    let xmp = xmp.and_then(|xmp| Budget::of(4 * MAX_XMP).unpack(xmp, MAX_XMP).ok().flatten());
    let Some(xmp) = xmp else { return };
    let xmp = String::from_utf8_lossy(&xmp);
    pages.set_title(&item(&xmp, "dc:title").unwrap_or_default());
    pages.set_author(&item(&xmp, "dc:creator").unwrap_or_default());
}

/// A string of a PDF: UTF-16, UTF-8 or PDF's own encoding.
fn decode(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(MAX_STRING)];
    if let Some(bytes) = bytes.strip_prefix(b"\xfe\xff") {
        let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        return char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    }
    if let Some(bytes) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let of = |&byte: &u8| match byte {
        0x80..=0x9f => PDF_DOC[usize::from(byte - 0x80)],
        0xa0 => '€',
        _ => char::from(byte),
    };
    bytes.iter().map(of).collect()
}

/// The first item of an element: `<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Title</rdf:li>`.
fn item(xmp: &str, element: &str) -> Option<String> {
    let after = |text: &'_ str, what: &str| text.find(what).map(|place| place + what.len());
    let element = &xmp[after(xmp, &format!("<{element}"))?..];
    let start = after(element, "<rdf:li").filter(|start| *start < MAX_ELEMENT)?;
    let element = &element[start..];
    let text = &element[after(element, ">")?..];
    let text = &text[..text.find('<')?];
    if text.len() > MAX_STRING {
        return None;
    }
    let mut plain = text.to_owned();
    for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")] {
        plain = plain.replace(entity, character);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_in_their_three_encodings() {
        assert_eq!(decode(b"\xfe\xff\x04\x1f\x00!\xd8\x00"), "П!\u{fffd}");
        assert_eq!(decode(b"\xef\xbb\xbf\xc3\xa9\xff"), "é\u{fffd}");
        assert_eq!(decode(b"caf\xe9 \x85 \xa0"), "café – €");
        assert_eq!(decode(&vec![b'a'; 10 * MAX_STRING]).len(), MAX_STRING);
    }

    #[test]
    fn an_item_of_the_metadata_is_found() {
        let xmp =
            "<dc:title>\n<rdf:Alt><rdf:li xml:lang='x-default'>A &lt;b&gt; &amp;amp;</rdf:li></rdf:Alt></dc:title>";
        assert_eq!(item(xmp, "dc:title").as_deref(), Some("A <b> &amp;"));
        assert_eq!(item(xmp, "dc:creator"), None);
        assert_eq!(item("<dc:title", "dc:title"), None);
        assert_eq!(item("<dc:title><rdf:li>open", "dc:title"), None);
    }
}
