//! Tests of files of `LibreOffice`.

use crate::failure::Reason;
use crate::testing::{extract, reason, texts, zip};

fn odf(kind: &str, styles: &str, body: &str) -> Vec<u8> {
    let content = format!(
        "<office:document-content><office:automatic-styles>{styles}</office:automatic-styles>\
         <office:body>{body}</office:body></office:document-content>"
    );
    let meta = "<office:document-meta><office:meta><dc:title>Title</dc:title>\
        <meta:initial-creator>Ada</meta:initial-creator></office:meta></office:document-meta>";
    let kind = format!("application/vnd.oasis.opendocument.{kind}");
    zip(&[("mimetype", kind.as_bytes()), ("content.xml", content.as_bytes()), ("meta.xml", meta.as_bytes())])
}

const STYLES: &str = r#"<style:style style:name="B"><style:text-properties fo:font-weight="bold"/></style:style>
    <style:style style:name="New"><style:paragraph-properties fo:break-before="page"/></style:style>
    <text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1"/>
    <text:list-level-style-bullet text:level="2"/></text:list-style>"#;

#[test]
fn texts_keep_headings_lists_tables_notes_and_pages() {
    let body = r#"<office:text><text:tracked-changes><text:p>old</text:p></text:tracked-changes>
        <text:h text:outline-level="2">Head</text:h>
        <text:p>a<text:s text:c="3"/>b <text:span text:style-name="B">bold</text:span><text:note><text:note-citation>1
        </text:note-citation><text:note-body><text:p>a note</text:p></text:note-body></text:note>
        <office:annotation><text:p>comment</text:p></office:annotation><text:a xlink:href="https://example.org">link
        </text:a></text:p><text:list text:style-name="L"><text:list-item><text:p>one</text:p><text:list><text:list-item>
        <text:p>inner</text:p></text:list-item></text:list></text:list-item><text:list-item><text:p>two</text:p>
        </text:list-item></text:list><text:p text:style-name="New">second<text:soft-page-break/>third</text:p>
        <table:table><table:table-row><table:table-cell table:number-columns-spanned="2"><text:p>wide</text:p>
        </table:table-cell><table:covered-table-cell/></table:table-row><table:table-row><table:table-cell><text:p>x
        </text:p></table:table-cell><table:table-cell><text:p>y</text:p></table:table-cell></table:table-row>
        </table:table></office:text>"#;
    let (summary, pages) = extract(&odf("text", STYLES, body), "odt").expect("a text");
    assert_eq!(
        (summary.format, summary.title.as_deref(), summary.author.as_deref()),
        ("odt", Some("Title"), Some("Ada"))
    );
    assert_eq!(summary.omitted, ["Comments are left out."]);
    let texts: Vec<&str> = pages.iter().map(|page| page.text.as_str()).collect();
    let expected = [
        "## Head\n\na   b **bold**[^1] [link](https://example.org)\n\n1. one\n    - inner\n2. two\n\n[^1]: a note",
        "second",
        "third\n\n| wide |  |\n| --- | --- |\n| x | y |",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn sheets_repeat_what_the_file_repeats_and_no_more() {
    let body = r#"<office:spreadsheet><table:table table:name="One"><table:table-row table:number-rows-repeated="1048576">
        <table:table-cell table:number-columns-repeated="16384"/></table:table-row><table:table-row>
        <table:table-cell table:number-columns-repeated="3"/><table:table-cell office:value-type="float"
        table:number-columns-repeated="2"><text:p>1</text:p><office:annotation><text:p>c</text:p></office:annotation>
        </table:table-cell></table:table-row><table:table-row table:number-rows-repeated="4000000000">
        <table:table-cell><text:p>x</text:p></table:table-cell></table:table-row></table:table></office:spreadsheet>"#;
    let (summary, pages) = extract(&odf("spreadsheet", "", body), "ods").expect("sheets");
    assert_eq!((summary.format, pages[0].name.as_deref()), ("ods", Some("One")));
    assert_eq!(summary.omitted, ["Comments are left out."]);
    assert!(pages[0].text.starts_with("|  | 1 | 1 |\n| --- | --- | --- |\n| x |\n| x |\n"));
    assert_eq!(pages.iter().map(|page| page.text.matches("| x |").count()).sum::<usize>(), 1000);
}

#[test]
fn slides_are_pages_with_notes() {
    let body = r#"<office:presentation><draw:page draw:name="First"><draw:frame presentation:class="title"><draw:text-box>
        <text:p>Title</text:p></draw:text-box></draw:frame><draw:frame><draw:text-box><text:list><text:list-item>
        <text:p>one</text:p></text:list-item></text:list></draw:text-box></draw:frame><presentation:notes><draw:frame>
        <draw:text-box><text:p>say this</text:p></draw:text-box></draw:frame></presentation:notes></draw:page>
        <draw:page draw:name="page2"><draw:frame><draw:image/></draw:frame></draw:page></office:presentation>"#;
    let (summary, pages) = extract(&odf("presentation", "", body), "odp").expect("slides");
    assert_eq!((pages[0].name.as_deref(), pages[1].name.as_deref()), (Some("Title"), None));
    assert_eq!(pages[0].text, "# Title\n\n- one\n\nNotes: say this");
    assert_eq!(summary.pictures, [2]);
}

#[test]
fn an_encrypted_file_says_so() {
    let manifest =
        "<manifest:manifest><manifest:file-entry><manifest:encryption-data/></manifest:file-entry></manifest:manifest>";
    let entries: [(&str, &[u8]); 3] = [
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("META-INF/manifest.xml", manifest.as_bytes()),
        ("content.xml", b"\x01\x02"),
    ];
    assert_eq!(reason(&zip(&entries), "odt"), Err(Reason::Encrypted));
}

#[test]
fn lists_inside_of_each_other_end_at_a_bound() {
    let nested = |depth: usize| {
        let (begin, end) = ("<text:list><text:list-item>", "</text:list-item></text:list>");
        odf("text", "", &format!("{}<text:p>x</text:p>{}", begin.repeat(depth), end.repeat(depth)))
    };
    assert_eq!(texts(&nested(400), "odt"), ["- x"]);
    assert_eq!(reason(&nested(50_000), "odt"), Err(Reason::Damaged));
}

#[test]
fn formulas_are_read_from_their_parts() {
    let body = "<office:text><text:p>so <draw:frame><draw:object xlink:href=\"./Object 1\"/></draw:frame>.</text:p>\
        </office:text>";
    let content = format!("<office:document-content><office:body>{body}</office:body></office:document-content>");
    let formula = "<math><semantics><mrow><mi>v</mi><mo>=</mo><mfrac><msub><mi>s</mi><mn>0</mn></msub><msup><mi>t</mi>\
        <mn>2</mn></msup></mfrac></mrow><annotation>v = s over t</annotation></semantics></math>";
    let entries: [(&str, &[u8]); 4] = [
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("content.xml", content.as_bytes()),
        ("Object 1/content.xml", formula.as_bytes()),
        ("Object 2/content.xml", b"<office:document-content/>"),
    ];
    assert_eq!(texts(&zip(&entries), "odt"), [r"so v=(s\_{0})/(t^{2})."]);
}
