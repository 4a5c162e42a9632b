//! Tests of Word documents.

use crate::failure::Reason;
use crate::testing::{extract, office, reason, relation, texts};

const KIND: &str = "wordprocessingml.document";

fn docx(body: &str, parts: &[(&str, &str)]) -> Vec<u8> {
    let document = format!("<w:document xmlns:w=\"w\" xmlns:r=\"r\"><w:body>{body}</w:body></w:document>");
    let mut all = vec![("word/document.xml", document.as_str())];
    all.extend(parts);
    office("word/document.xml", KIND, &all)
}

fn paragraph(text: &str) -> String {
    format!("<w:p><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>")
}

fn styled(style: &str, text: &str) -> String {
    format!("<w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
}

const STYLES: &str = r#"<w:styles><w:style w:type="paragraph" w:styleId="Ü1"><w:name w:val="heading 1"/></w:style>
    <w:style w:styleId="Own"><w:name w:val="My own"/><w:basedOn w:val="Ü1"/></w:style>
    <w:style w:styleId="Loop"><w:name w:val="Loop"/><w:basedOn w:val="Loop"/></w:style>
    <w:style w:styleId="Out"><w:name w:val="Out"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>
    <w:style w:styleId="New"><w:name w:val="New"/><w:pPr><w:pageBreakBefore/></w:pPr></w:style>
    <w:style w:styleId="C"><w:name w:val="Source Code"/></w:style></w:styles>"#;

const NUMBERING: &str = r#"<w:numbering><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/>
    <w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl><w:lvl w:ilvl="1"><w:numFmt w:val="lowerLetter"/>
    <w:lvlText w:val="(%2)"/></w:lvl></w:abstractNum><w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0">
    <w:numFmt w:val="bullet"/></w:lvl></w:abstractNum><w:num w:numId="5"><w:abstractNumId w:val="0"/></w:num>
    <w:num w:numId="6"><w:abstractNumId w:val="1"/></w:num></w:numbering>"#;

fn item(list: u32, level: u32, text: &str) -> String {
    format!(
        "<w:p><w:pPr><w:numPr><w:ilvl w:val=\"{level}\"/><w:numId w:val=\"{list}\"/></w:numPr></w:pPr>\
         <w:r><w:t>{text}</w:t></w:r></w:p>"
    )
}

#[test]
fn headings_and_lists_stay_what_they_are() {
    let body = [
        styled("Ü1", "One"),
        styled("Own", "Two"),
        styled("Out", "Three"),
        styled("Loop", "text"),
        item(5, 0, "a"),
        item(5, 1, "b"),
        item(5, 0, "c"),
        item(6, 0, "d"),
        item(99, 0, "no list"),
        styled("C", "x = 1"),
        styled("C", "y = 2"),
    ];
    let bytes = docx(&body.concat(), &[("word/styles.xml", STYLES), ("word/numbering.xml", NUMBERING)]);
    let expected = "# One\n\n# Two\n\n### Three\n\ntext\n\n1. a\n    - (a) b\n2. c\n- d\n\nno list\n\n\
        ```\nx = 1\ny = 2\n```";
    assert_eq!(texts(&bytes, "docx"), [expected]);
}

#[test]
fn runs_have_emphasis_links_notes_and_no_deleted_text() {
    let body = r#"<w:p><w:r><w:rPr><w:b/></w:rPr><w:t>bold</w:t></w:r><w:r><w:rPr><w:b w:val="0"/></w:rPr>
        <w:t xml:space="preserve"> plain &amp; </w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>
        <w:moveFrom><w:r><w:t>gone</w:t></w:r></w:moveFrom><w:ins><w:r><w:t>new</w:t></w:r></w:ins>
        <w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:tab/></w:r>
        <w:hyperlink r:id="r7"><w:r><w:t>link</w:t></w:r></w:hyperlink><w:r><w:footnoteReference w:id="2"/></w:r>
        <w:r><w:br/><w:t>next</w:t></w:r></w:p>"#;
    let relations = format!(
        "<Relationships>{}{}{}</Relationships>",
        relation("r7", "hyperlink", "https://example.org/"),
        relation("r8", "footnotes", "word/notes.xml"),
        relation("r9", "header", "word/header1.xml"),
    );
    let notes = "<w:footnotes><w:footnote w:type=\"separator\" w:id=\"0\"><w:p/></w:footnote><w:footnote w:id=\"2\">\
        <w:p><w:r><w:t>the</w:t></w:r><w:r><w:t xml:space=\"preserve\"> note</w:t></w:r></w:p></w:footnote></w:footnotes>";
    let parts =
        [("word/_rels/document.xml.rels", relations.as_str()), ("word/notes.xml", notes), ("word/vbaProject.bin", "")];
    let (summary, pages) = extract(&docx(body, &parts), "docm").expect("a document");
    let expected = "**bold** plain & new [link](https://example.org/)[^1]  \nnext\n\n[^1]: the note";
    assert_eq!(pages[0].text, expected);
    assert_eq!(summary.omitted, ["Macros are left out.", "Headers and footers are left out."]);
}

#[test]
fn tables_stay_tables() {
    let cell = |properties: &str, text: &str| format!("<w:tc><w:tcPr>{properties}</w:tcPr>{}</w:tc>", paragraph(text));
    let body = format!(
        "<w:tbl><w:tr>{}{}</w:tr><w:tr>{}{}{}</w:tr><w:tr>{}{}{}</w:tr></w:tbl>",
        cell("<w:gridSpan w:val=\"2\"/>", "wide"),
        cell("", "c"),
        cell("<w:vMerge w:val=\"restart\"/>", "tall"),
        cell("", "b | b"),
        cell("", ""),
        cell("<w:vMerge/>", ""),
        cell("", "x"),
        cell("", "y"),
    );
    assert_eq!(
        texts(&docx(&body, &[]), "docx"),
        ["| wide |  | c |\n| --- | --- | --- |\n| tall | b \\| b |\n|  | x | y |"]
    );
}

#[test]
fn pages_end_where_word_or_the_author_ended_them() {
    let rendered = "<w:r><w:lastRenderedPageBreak/></w:r>";
    let hard = "<w:p><w:r><w:br w:type=\"page\"/></w:r></w:p>";
    let section = |kind: &str| format!("<w:p><w:pPr><w:sectPr><w:type w:val=\"{kind}\"/></w:sectPr></w:pPr></w:p>");
    let after = |text: &str| format!("<w:p>{rendered}<w:r><w:t>{text}</w:t></w:r></w:p>");
    let body = [
        paragraph("1"),
        // Word writes both for one page.
        hard.into(),
        after("2"),
        // A page without text.
        hard.into(),
        format!("<w:p>{rendered}</w:p>{hard}"),
        after("4"),
        // The kind says how the section that ends there has begun.
        section("nextPage"),
        paragraph("still 4"),
        section("continuous"),
        styled("New", "5"),
        section("nextPage"),
        after("6"),
    ];
    let bytes = docx(&body.concat(), &[("word/styles.xml", STYLES)]);
    let expected = ["1", "2", "", "4\n\nstill 4", "5", "6"];
    assert_eq!(texts(&bytes, "docx")[..3], expected[..3]);
    assert_eq!(texts(&bytes, "docx").len(), 6);
}

#[test]
fn formulas_and_text_boxes_are_text() {
    let body = "<w:p><w:r><w:t>before </w:t></w:r><w:r><mc:AlternateContent><mc:Choice><w:txbxContent>\
        <w:p><w:r><w:t>in the box</w:t></w:r></w:p></w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>\
        <w:p><w:r><w:t>again</w:t></w:r></w:p></w:txbxContent></mc:Fallback></mc:AlternateContent></w:r>\
        <m:oMath><m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e>\
        <m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:den></m:f></m:oMath></w:p>";
    assert_eq!(texts(&docx(body, &[]), "docx"), ["in the box\n\nbefore (1)/(x^{2})"]);
}

#[test]
fn tables_inside_of_each_other_end_at_a_bound() {
    let nested = |depth: usize| {
        let begin = "<w:tbl><w:tr><w:tc>".repeat(depth);
        docx(&format!("{begin}{}{}", paragraph("deep"), "</w:tc></w:tr></w:tbl>".repeat(depth)), &[])
    };
    assert_eq!(texts(&nested(200), "docx"), ["deep"]);
    assert_eq!(reason(&nested(100_000), "docx"), Err(Reason::Damaged));
}

#[test]
fn more_pages_than_a_document_may_have_are_too_large() {
    let body = "<w:p><w:r><w:t>x</w:t><w:br w:type=\"page\"/></w:r></w:p>".repeat(100_000);
    assert_eq!(reason(&docx(&body, &[]), "docx"), Err(Reason::TooLarge));
}

#[test]
fn entities_are_not_expanded_and_nothing_outside_is_read() {
    let document = format!(
        "<!DOCTYPE w:document [<!ENTITY a \"{}\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c SYSTEM \"file:///etc/passwd\">]>\
         <w:document><w:body><w:p><w:r><w:t>x&b;&c;&#65;&lt;y</w:t></w:r></w:p></w:body></w:document>",
        "lol".repeat(1000)
    );
    let bytes = office("word/document.xml", KIND, &[("word/document.xml", &document)]);
    assert_eq!(texts(&bytes, "docx"), ["x\\&b;\\&c;A\\<y"]);
}

#[test]
fn a_document_without_its_main_part_is_damaged() {
    assert_eq!(reason(&office("word/document.xml", KIND, &[]), "docx"), Err(Reason::Damaged));
    let bytes = docx(&paragraph("text"), &[]);
    for length in [bytes.len() / 2, bytes.len() - 1, bytes.len() - 30] {
        assert_eq!(reason(&bytes[..length], "docx"), Err(Reason::Damaged), "{length} bytes");
    }
    assert_eq!(reason(&docx("", &[]), "docx"), Err(Reason::Empty));
    assert_eq!(texts(&bytes, "pdf"), ["text"], "the bytes decide");
}
