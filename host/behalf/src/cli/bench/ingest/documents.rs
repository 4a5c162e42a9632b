//! The documents: PDFs whose pages say which document and page they are, with a page of words around that.

use std::fmt::Write as _;

/// Lines of a page.
const LINES: u32 = 40;
/// What each line says besides.
const LINE: &str = "the quick brown fox jumps over the lazy dog and reads what is written here";

/// What a page says, and no other page of any document.
pub(super) fn words(document: u32, page: u32) -> String {
    format!("document {document} page {page} ends here")
}

/// A document.
pub(super) fn pdf(document: u32, pages: u32) -> Vec<u8> {
    let kids: Vec<String> = (0..pages).map(|page| format!("{} 0 R", 4 + page * 2)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{}] /Count {pages} >>", kids.join(" ")),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    for page in 0..pages {
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents {} 0 R >>",
            5 + page * 2
        ));
        let text = content(document, page + 1);
        objects.push(format!("<< /Length {} >>\nstream\n{text}\nendstream", text.len()));
    }
    let (mut file, mut places) = ("%PDF-1.4\n".to_owned(), Vec::new());
    for (number, object) in objects.iter().enumerate() {
        places.push(file.len());
        add(&mut file, format_args!("{} 0 obj\n{object}\nendobj\n", number + 1));
    }
    let (table, size) = (file.len(), objects.len() + 1);
    add(&mut file, format_args!("xref\n0 {size}\n0000000000 65535 f \n"));
    for place in places {
        add(&mut file, format_args!("{place:010} 00000 n \n"));
    }
    add(&mut file, format_args!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n"));
    file.into_bytes()
}

/// The operators that draw a page.
fn content(document: u32, page: u32) -> String {
    let mut text = "BT /F1 10 Tf 60 740 Td 14 TL".to_owned();
    for line in 0..LINES {
        add(&mut text, format_args!(" ({line} {LINE}) Tj T*"));
    }
    add(&mut text, format_args!(" ({}) Tj ET", words(document, page)));
    text
}

fn add(text: &mut String, more: std::fmt::Arguments<'_>) {
    // A string takes everything.
    let _ = text.write_fmt(more);
}
