//! Small PDFs for tests.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compress, Compression, FlushCompress};

use crate::document::{Document, Source};
use crate::failure::Failure;
use crate::pages::{Page, Pages, Summary};
use crate::testing::Collected;

/// The summary and the pages of bytes that are taken for a PDF.
pub(super) fn read(bytes: &[u8]) -> Result<(Summary, Vec<Page>), Failure> {
    let mut sink = Collected::default();
    let mut pages = Pages::new("pdf", &mut sink);
    let source: &dyn Source = &bytes;
    let result = super::extract(&mut Document::new(source), &mut pages);
    pages.finish(result).map(|summary| (summary, sink.pages))
}

/// Content that shows one line of text.
pub(super) const LINE: &[u8] = b"BT /F1 12 Tf 72 700 Td (Hello plain words) Tj ET";

/// Objects with their numbers.
pub(super) type Objects = Vec<(u32, Vec<u8>)>;

/// A file with these objects, a table of their places, and the object 1 as its catalog.
pub(super) fn file(objects: &Objects) -> Vec<u8> {
    file_with(objects, "")
}

/// The same, with more entries in the trailer.
pub(super) fn file_with(objects: &Objects, trailer: &str) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let size = objects.iter().map(|(number, _)| number + 1).max().unwrap_or(1);
    let mut places = vec![None; size as usize];
    for (number, body) in objects {
        places[*number as usize] = Some(out.len());
        out.extend_from_slice(format!("{number} 0 obj\n").as_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(b"\nendobj\n");
    }
    let start = out.len();
    out.extend_from_slice(format!("xref\n0 {size}\n").as_bytes());
    for place in places {
        let line = place.map_or("0000000000 65535 f \n".into(), |place| format!("{place:010} 00000 n \n"));
        out.extend_from_slice(line.as_bytes());
    }
    let trailer = format!("trailer\n<</Size {size}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF\n");
    out.extend_from_slice(trailer.as_bytes());
    out
}

/// A stream with more entries in its dictionary.
pub(super) fn stream(entries: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("<<{entries}/Length {}>>\nstream\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\nendstream");
    out
}

/// A deflated stream.
pub(super) fn packed(entries: &str, bytes: &[u8]) -> Vec<u8> {
    stream(&format!("{entries}/Filter/FlateDecode"), &deflate(bytes))
}

/// Deflated bytes.
pub(super) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all bytes");
    encoder.finish().expect("memory takes all bytes")
}

/// `megabytes` of one byte again and again, deflated. Behind each block the packer begins anew, so that the packed bytes
/// of one block are those of all.
pub(super) fn bomb(megabytes: usize, byte: u8) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), true);
    let mut packed = Vec::with_capacity(64 * 1024);
    let block = vec![byte; 1024 * 1024];
    deflate.compress_vec(&block, &mut packed, FlushCompress::Full).expect("the block fits");
    let first = packed.len();
    deflate.compress_vec(&block, &mut packed, FlushCompress::Full).expect("the block fits");
    let again = packed.split_off(first);
    packed.extend(again.repeat(megabytes.saturating_sub(1)));
    packed
}

/// The objects of a document: 1 the catalog, 2 the pages, 3 the page, 4 its content, 5 its font F1.
pub(super) fn objects(content: &[u8]) -> Objects {
    vec![
        (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
        (2, b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec()),
        (3, page("", "")),
        (4, stream("", content)),
        (5, b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_vec()),
    ]
}

/// A page with more entries, and more resources.
pub(super) fn page(entries: &str, resources: &str) -> Vec<u8> {
    let resources = format!("/Resources<</Font<</F1 5 0 R>>{resources}>>");
    format!("<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R{resources}{entries}>>").into_bytes()
}

/// The document with some objects in place of its own, or beside them.
pub(super) fn with(content: &[u8], others: &[(u32, Vec<u8>)]) -> Objects {
    let mut objects = objects(content);
    objects.retain(|(number, _)| others.iter().all(|(other, _)| other != number));
    objects.extend_from_slice(others);
    objects
}
