//! Tests of books.

use crate::failure::Reason;
use crate::testing::{extract, reason, zip};

const CONTAINER: &[u8] = b"<container><rootfiles><rootfile full-path=\"OEBPS/book.opf\"/></rootfiles></container>";
const PACKAGE: &[u8] =
    br#"<package><metadata><dc:title>A book</dc:title><dc:creator>Ada</dc:creator></metadata><manifest>
    <item id="c" href="toc.ncx" media-type="application/x-dtbncx+xml"/><item id="a" href="text/one%20a.xhtml"/>
    <item id="b" href="text/two.xhtml"/><item id="x" href="../../../etc/passwd"/></manifest>
    <spine><itemref idref="b"/><itemref idref="a"/><itemref idref="x"/><itemref idref="nothing"/></spine></package>"#;
const CONTENTS: &[u8] = br#"<ncx><navMap><navPoint><navLabel><text>Chapter&#1; two</text></navLabel>
    <content src="text/two.xhtml#top"/><navPoint><navLabel><text>A section</text></navLabel>
    <content src="text/two.xhtml#s"/></navPoint></navPoint></navMap></ncx>"#;

fn book(more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut entries: Vec<(&str, &[u8])> = vec![
        ("mimetype", b"application/epub+zip"),
        ("META-INF/container.xml", CONTAINER),
        ("OEBPS/book.opf", PACKAGE),
        ("OEBPS/toc.ncx", CONTENTS),
        ("OEBPS/text/one a.xhtml", b"<html><head><title>t</title></head><body><h1>One</h1><p>first</p></body></html>"),
        ("OEBPS/text/two.xhtml", b"<html><body><p>second</p></body></html>"),
    ];
    entries.extend(more);
    zip(&entries)
}

#[test]
fn chapters_are_pages_in_the_order_of_the_book() {
    let (summary, pages) = extract(&book(&[]), "epub").expect("a book");
    assert_eq!((summary.title.as_deref(), summary.author.as_deref()), (Some("A book"), Some("Ada")));
    let pages: Vec<_> = pages.iter().map(|page| (page.name.as_deref(), page.text.as_str())).collect();
    assert_eq!(pages, [(Some("Chapter two"), "second"), (None, "# One\n\nfirst")]);
}

#[test]
fn a_book_with_a_key_says_so_and_one_with_hidden_fonts_is_read() {
    let reference = |target: &str| format!("<encryption><CipherReference URI=\"{target}\"/></encryption>").into_bytes();
    let fonts = reference("OEBPS/font.otf");
    assert_eq!(reason(&book(&[("META-INF/encryption.xml", &fonts)]), "epub"), Ok(()));
    let text = reference("OEBPS/text/two.xhtml");
    assert_eq!(reason(&book(&[("META-INF/encryption.xml", &text)]), "epub"), Err(Reason::Encrypted));
}

#[test]
fn a_package_that_is_no_book_is_damaged() {
    let entries: [(&str, &[u8]); 2] = [("mimetype", b"application/epub+zip"), ("META-INF/container.xml", b"<a/>")];
    assert_eq!(reason(&zip(&entries), "epub"), Err(Reason::Damaged));
}
