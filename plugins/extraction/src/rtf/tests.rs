//! Tests of RTF.

use crate::failure::Reason;
use crate::testing::{extract, reason, texts};

#[test]
fn text_has_its_letters_headings_lists_notes_and_pages() {
    let rtf = r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}}{\colortbl;\red1;}
{\info{\title A title}{\author Ada}{\operator nobody}}{\*\generator x;}
\pard\outlinelevel0 Head\par\pard A \b bold\b0  word, gr\'fc\'dfe, {\f1 \'cf\'f0}, \u8364?\uc2\u8364xx and \uc1\u-10179?\u-8704?
\{braces\}{\footnote \pard the\par note}.\line next\par
\pard{\listtext 1.\tab}\ilvl0 one\par{\listtext\'b7\tab}two\par\pard\page{\header no}{\pict 0102}after{\v hidden}\par}";
    let (summary, pages) = extract(rtf.as_bytes(), "doc").expect("RTF");
    assert_eq!(
        (summary.format, summary.title.as_deref(), summary.author.as_deref()),
        ("rtf", Some("A title"), Some("Ada"))
    );
    let first =
        "# Head\n\nA **bold** word, grüße, Пр, €€ and 😀{braces}[^1].  \nnext\n\n1. one\n- two\n\n[^1]: the note";
    assert_eq!(pages.iter().map(|page| page.text.as_str()).collect::<Vec<_>>(), [first, "after"]);
    assert_eq!(summary.omitted, ["Pictures are left out."]);
}

#[test]
fn tables_stay_tables() {
    let rtf = r"{\rtf1\pard before\par\trowd\cellx1\cellx2\pard\intbl a\cell b\cell\row
\trowd\pard\intbl 1\par 2\cell\cell\row\pard after\par}";
    assert_eq!(texts(rtf.as_bytes(), "rtf"), ["before\n\n| a | b |\n| --- | --- |\n| 1<br>2 |\n\nafter"]);
}

#[test]
fn merged_cells_cover_their_columns() {
    let rtf = r"{\rtf1\trowd\clvmgf\cellx100\cellx310\pard\intbl a\cell wide\cell\row
\trowd\clvmrg\cellx100\cellx205\cellx300\pard\intbl\cell b\cell c\cell\row\pard\par
\trowd\cellx150\pard\intbl x\cell\row\trowd\cellx150\pard\intbl y\cell\row\pard end}";
    let expected = "| a | wide |  |\n| --- | --- | --- |\n|  | b | c |\n\n| x |\n| --- |\n| y |\n\nend";
    // The paragraph between the two tables is empty, and the page has one table for both.
    let joined = "| a | wide |  |\n| --- | --- | --- |\n|  | b | c |\n| x |\n| y |\n\nend";
    let text = texts(rtf.as_bytes(), "rtf").concat();
    assert!(text == expected || text == joined, "{text}");
}

#[test]
fn links_and_pages_are_kept() {
    let rtf = r#"{\rtf1\pard see {\field{\*\fldinst {HYPERLINK "https://a.example/b" }}{\fldrslt {\b the page}}} and
{\field{\*\fldinst HYPERLINK "javascript:alert(1)"}{\fldrslt that}}{\footnote a {\field{\*\fldinst PAGE}{\fldrslt 1}} b}\par
\pard\outlinelevel0\b\pagebb Head\par\pard\plain text\sect\sectd\sbknone same\sect\sectd other\par}"#;
    let first = "see [**the page**](https://a.example/b) andthat[^1]\n\n[^1]: a 1 b";
    assert_eq!(texts(rtf.as_bytes(), "rtf"), [first, "# Head\n\ntext\n\nsame", "other"]);
}

#[test]
fn hostile_files_end_at_a_bound() {
    assert_eq!(reason(format!("{{\\rtf1{}", "{".repeat(100_000)).as_bytes(), "rtf"), Err(Reason::Damaged));
    assert_eq!(texts(format!("{{\\rtf1{}x", "}".repeat(100_000)).as_bytes(), "rtf"), ["x"]);
    assert_eq!(texts(b"{\\rtf1 a\\bin2147483647 b}", "rtf"), ["a"]);
    assert_eq!(texts(b"{\\rtf1\\uc-1\\u99999999 x\\f-5\\ilvl-1\\outlinelevel-1 y\\par", "rtf").len(), 1);
    assert_eq!(reason(b"{\\rtf1{\\info{\\title t}}}", "rtf"), Err(Reason::Empty));
    assert_eq!(reason("{\\rtf1 x\\page".repeat(30_000).as_bytes(), "rtf"), Err(Reason::Damaged));
    assert_eq!(reason(format!("{{\\rtf1{}", " x\\page".repeat(30_000)).as_bytes(), "rtf"), Err(Reason::TooLarge));
}
