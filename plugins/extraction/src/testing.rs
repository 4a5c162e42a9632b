//! What tests of all formats share.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::failure::{Failure, Reason};
use crate::pages::{Page, Sink, Summary};

/// Keeps the pages.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) pages: Vec<Page>,
    /// The last page that is wanted; 0 for all.
    pub(crate) most: usize,
}

impl Sink for Collected {
    fn add_page(&mut self, page: Page) -> bool {
        self.pages.push(page);
        self.most == 0 || self.pages.len() < self.most
    }

    fn progress(&mut self, done: u32, total: Option<u32>) {
        assert!(total.is_none_or(|total| done <= total), "{done} of {total:?} pages");
    }
}

/// A document's summary and pages.
pub(crate) fn extract(bytes: &[u8], extension: &str) -> Result<(Summary, Vec<Page>), Failure> {
    let mut sink = Collected::default();
    crate::extract(&bytes, extension, &mut sink).map(|summary| (summary, sink.pages))
}

/// A zip file of these entries.
pub(crate) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        zip.start_file(*name, options).expect("a new name");
        zip.write_all(bytes).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

/// A file of Office: its main part is of this kind, such as `word/document.xml` of `wordprocessingml.document`.
pub(crate) fn office(main: &str, kind: &str, parts: &[(&str, &str)]) -> Vec<u8> {
    let types = format!(
        "<Types><Override PartName=\"/{main}\" \
         ContentType=\"application/vnd.openxmlformats-officedocument.{kind}.main+xml\"/></Types>"
    );
    let package = format!("<Relationships>{}</Relationships>", relation("r1", "officeDocument", main));
    let mut entries = vec![("[Content_Types].xml", types.as_bytes()), ("_rels/.rels", package.as_bytes())];
    entries.extend(parts.iter().map(|(name, text)| (*name, text.as_bytes())));
    zip(&entries)
}

/// A relationship to another part, or to an address outside of the file.
pub(crate) fn relation(id: &str, kind: &str, target: &str) -> String {
    let is_external = target.contains("://");
    let mode = if is_external { " TargetMode=\"External\"" } else { "" };
    let target = if is_external { target.into() } else { format!("/{target}") };
    format!("<Relationship Id=\"{id}\" Type=\"http://example.org/relationships/{kind}\" Target=\"{target}\"{mode}/>")
}

/// The texts of the pages of a document that can be read.
pub(crate) fn texts(bytes: &[u8], extension: &str) -> Vec<String> {
    extract(bytes, extension).expect("it can be read").1.into_iter().map(|page| page.text).collect()
}

/// Why a document cannot be read.
pub(crate) fn reason(bytes: &[u8], extension: &str) -> Result<(), Reason> {
    extract(bytes, extension).map(drop).map_err(|failure| failure.reason)
}
