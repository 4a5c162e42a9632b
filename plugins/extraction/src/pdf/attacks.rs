//! Files that are made to harm their reader. Each ends: with its text, or with a failure.

use super::content::MAX_TEXTS;
use super::sample::{LINE, Objects, bomb, deflate, file, file_with, objects, packed, page, read, stream, with};
use crate::failure::Reason;

const HELLO: &str = "Hello plain words";

/// The text of all pages, or why there is none.
fn outcome(file: &[u8]) -> Result<String, Reason> {
    let (_, pages) = read(file).map_err(|failure| failure.reason)?;
    Ok(pages.into_iter().map(|page| page.text).collect::<Vec<_>>().join("|"))
}

/// The outcome of the line of text with other objects.
fn outcome_with(others: &[(u32, Vec<u8>)]) -> Result<String, Reason> {
    outcome(&file(&with(LINE, others)))
}

/// The same of a content of this length and filter.
fn outcome_of_stream(entries: &str, bytes: &[u8]) -> Result<String, Reason> {
    outcome_with(&[(4, stream(entries, bytes))])
}

fn says_hello(outcome: Result<String, Reason>) {
    assert_eq!(outcome.expect("text"), HELLO);
}

fn text(value: &str) -> Vec<u8> {
    value.as_bytes().to_vec()
}

#[test]
fn trees_that_turn_in_circles_end() {
    let nodes = "<</Type/Pages/Parent 3 0 R/Kids[2 0 R 3 0 R 6 0 R]/Count 9>>";
    says_hello(outcome(&file(&vec![
        (1, text("<</Type/Catalog/Pages 2 0 R>>")),
        (2, text(nodes)),
        (6, page("/Parent 6 0 R", "")),
        (4, stream("", LINE)),
        (5, text("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")),
    ])));
    assert_eq!(outcome_with(&[(2, text("2 0 R"))]).as_deref(), Ok(HELLO), "found without the tree");
    let circle = [(6, text("7 0 R")), (7, text("6 0 R"))];
    let catalog = "<</Type/Catalog/Pages 2 0 R/Names 6 0 R/AcroForm 7 0 R/Outlines 6 0 R/Metadata 6 0 R/AA 6 0 R>>";
    let page = page("/Annots 6 0 R/Rotate 7 0 R/CropBox 6 0 R", "/XObject 6 0 R");
    says_hello(outcome_with(&[&circle[..], &[(1, text(catalog)), (3, page)]].concat()));
}

#[test]
fn trees_that_lie_about_their_size_have_the_pages_that_are_there() {
    for count in ["10000000", "-5", "99999999999999999999"] {
        says_hello(outcome_with(&[(2, text(&format!("<</Type/Pages/Kids[3 0 R]/Count {count}>>")))]));
    }
    let same = format!("<</Type/Pages/Kids[{}]/Count 100000>>", "3 0 R ".repeat(100_000));
    says_hello(outcome_with(&[(2, text(&same))]));
    let nodes = (6..20_000).map(|node| (node, text(&format!("<</Type/Pages/Kids[{} 0 R]>>", node + 1))));
    let mut deep: Objects = nodes.collect();
    deep.extend([(2, text("<</Type/Pages/Kids[6 0 R]>>")), (20_000, page("", "")), (3, text("null"))]);
    says_hello(outcome_with(&deep));
}

#[test]
fn too_many_pages_are_too_large_before_one_is_read() {
    let kids: Vec<String> = (10..20_011).map(|kid| format!("{kid} 0 R")).collect();
    let mut pages: Objects = (10..20_011).map(|number| (number, page("", ""))).collect();
    pages.push((2, text(&format!("<</Type/Pages/Kids[{}]>>", kids.join(" ")))));
    assert_eq!(outcome_with(&pages), Err(Reason::TooLarge));
}

#[test]
fn tables_of_places_that_turn_in_circles_end() {
    let whole = file(&objects(LINE));
    let start = whole.windows(4).position(|window| window == b"xref").expect("the table");
    for previous in [start, 0, 7, usize::MAX, whole.len() - 3] {
        says_hello(outcome(&file_with(&objects(LINE), &format!("/Prev {previous}"))));
    }
    let at_itself = String::from_utf8_lossy(&whole).replace("0000000009 00000 n", &format!("{start:010} 00000 n"));
    says_hello(outcome(at_itself.as_bytes()));
    let nowhere = String::from_utf8_lossy(&whole).replace(&format!("startxref\n{start}"), "startxref\n99999999999");
    says_hello(outcome(nowhere.as_bytes()));
}

/// The document with its objects 1, 2, 3 and 5 in a stream of objects, and a table as a stream. `change` changes the
/// dictionaries of both.
fn with_object_stream(more: &str, change: impl Fn(&str) -> String) -> Vec<u8> {
    let (mut numbers, mut bodies) = (String::new(), String::new());
    for (number, body) in objects(LINE).iter().filter(|(number, _)| *number != 4) {
        numbers = format!("{numbers}{number} {} ", bodies.len());
        bodies = format!("{bodies}{} ", String::from_utf8_lossy(body));
    }
    let held = format!("{numbers}{bodies}{more}");
    let dictionary = change(&format!("/Type/ObjStm/N 4/First {}", numbers.len()));
    let parts = [(4, stream("", LINE)), (6, packed(&dictionary, held.as_bytes()))];
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut entries = [[0_u8; 4]; 7];
    for (index, number) in [1, 2, 3, 5].into_iter().enumerate() {
        entries[number] = [2, 0, 6, u8::try_from(index).expect("four objects")];
    }
    for (number, body) in parts {
        let [high, low] = u16::try_from(out.len()).expect("a small file").to_be_bytes();
        entries[number] = [1, high, low, 0];
        out.extend_from_slice(format!("{number} 0 obj\n").as_bytes());
        out.extend_from_slice(&body);
        out.extend_from_slice(b"\nendobj\n");
    }
    let start = out.len();
    let dictionary = change("/Type/XRef/W[1 2 1]/Size 7/Root 1 0 R");
    out.extend_from_slice(b"7 0 obj\n");
    out.extend_from_slice(&packed(&dictionary, &entries.concat()));
    out.extend_from_slice(format!("\nendobj\nstartxref\n{start}\n%%EOF\n").as_bytes());
    out
}

#[test]
fn streams_of_objects_hold_only_objects() {
    says_hello(outcome(&with_object_stream("", str::to_owned)));
    // Everything else is found without the table, or is damaged; what matters is that each of them ends.
    says_hello(outcome(&with_object_stream("", |entries| entries.replace("/N 4", "/N 4/Extends 6 0 R"))));
    for (from, to) in [
        ("/N 4", "/N 4000000000"),
        ("/N 4", "/N -1"),
        ("/First ", "/First -"),
        ("/W[1 2 1]", "/W[1 -2 1]"),
        ("/W[1 2 1]", "/W[0 0 0]"),
        ("/W[1 2 1]", "/W[9223372036854775807 2 1]"),
        ("/Size 7", "/Size 7/Index[0 7 0 4000000000 5]"),
        ("/Size 7", "/Size 9999999999"),
    ] {
        let outcome = outcome(&with_object_stream("", |entries| entries.replace(from, to)));
        assert!(matches!(outcome.as_deref(), Ok(HELLO) | Err(Reason::Damaged)), "{to}: {outcome:?}");
    }
    assert_eq!(outcome(&with_object_stream(&"[".repeat(10_000), str::to_owned)), Err(Reason::Damaged));
    let objects = stream("/Type/ObjStm/N 1/First 4/Filter/FlateDecode", &bomb(200, b' '));
    assert_eq!(outcome_with(&[(6, objects)]), Err(Reason::TooLarge));
}

#[test]
fn bombs_do_not_unpack() {
    let gigabyte = bomb(1024, 0);
    assert_eq!(outcome_of_stream("/Filter/FlateDecode", &gigabyte), Err(Reason::Damaged));
    assert_eq!(outcome_of_stream("/Filter/FlateDecode", &bomb(65, b' ')), Err(Reason::Damaged));
    let font = |entries: &str| text(&format!("<</Type/Font/Subtype/TrueType/BaseFont/Other{entries}>>"));
    let gigabyte = (6, stream("/Filter/FlateDecode", &gigabyte));
    says_hello(outcome_with(&[gigabyte.clone(), (5, font("/ToUnicode 6 0 R"))]));
    says_hello(outcome_with(&[gigabyte.clone(), (5, font("/FontDescriptor<</FontFile2 6 0 R/Flags 32>>"))]));
    says_hello(outcome_with(&[gigabyte.clone(), (1, text("<</Pages 2 0 R/Metadata 6 0 R>>"))]));
    let image = stream("/Subtype/Image/Width 30000/Height 30000/Filter/FlateDecode", &bomb(100, 0));
    let paints = [b"/I Do ", LINE].concat();
    says_hello(outcome(&file(&with(&paints, &[(6, image), (3, page("", "/XObject<</I 6 0 R>>"))]))));
}

#[test]
fn bombs_again_and_again_use_up_the_document() {
    let parts = format!("[{}]", "6 0 R ".repeat(1000));
    let blank = (6, stream("/Filter/FlateDecode", &bomb(40, b' ')));
    assert_eq!(outcome_with(&[(4, text(&parts)), blank.clone()]), Err(Reason::TooLarge));
    let kids: Vec<String> = (10..60).map(|kid| format!("{kid} 0 R")).collect();
    let mut pages: Objects = (10..60).map(|number| (number, page("", ""))).collect();
    pages.push((2, text(&format!("<</Type/Pages/Kids[{}]>>", kids.join(" ")))));
    pages.push((4, blank.1));
    assert_eq!(outcome_with(&pages), Err(Reason::TooLarge));
}

#[test]
fn filters_are_few_and_bounded() {
    says_hello(outcome_of_stream("/Filter[/FlateDecode/FlateDecode]", &deflate(&deflate(LINE))));
    let filters = format!("/Filter[{}]", "/FlateDecode ".repeat(1000));
    assert_eq!(outcome_of_stream(&filters, LINE), Err(Reason::Damaged));
    let twice = bomb(300, 0);
    assert_eq!(outcome_of_stream("/Filter[/FlateDecode/FlateDecode]", &deflate(&twice)), Err(Reason::Damaged));
    says_hello(outcome_of_stream(
        "/Filter/ASCIIHexDecode",
        b"4254 2F46312031322054660a37322037303020546428486 56C6C6F20706c61696e20776f726473295 46a204554>",
    ));
    for (filter, bytes) in [
        ("ASCII85Decode", b"z".repeat(20_000_000)),
        ("ASCII85Decode", text("s8W-\"~>")),
        ("ASCII85Decode", text("a~>")),
        ("ASCII85Decode", text("zz!z~>")),
        ("RunLengthDecode", b"\x81 ".repeat(5_000_000)),
        ("RunLengthDecode", text("\x7f")),
        ("LZWDecode", (0..=255).cycle().take(100_000).collect()),
        ("LZWDecode", vec![0x80; 300_000]),
        ("LZWDecode", vec![]),
        ("JBIG2Decode", text("x")),
        ("Nothing", text("x")),
    ] {
        let outcome = outcome_of_stream(&format!("/Filter/{filter}"), &bytes);
        assert!(matches!(outcome, Err(Reason::Damaged | Reason::Empty)), "{filter}: {outcome:?}");
    }
    for parameters in [
        "/Predictor 15/Columns 2147483647/Colors 32/BitsPerComponent 16",
        "/Predictor 15/Columns -1/Colors -5/BitsPerComponent 0",
        "/Predictor 2/Columns 0/Colors 0/BitsPerComponent 0",
        "/Predictor 12/Columns 99999999999999999999",
    ] {
        let outcome = outcome_with(&[(4, packed(&format!("/DecodeParms<<{parameters}>>"), LINE))]);
        assert!(matches!(outcome.as_deref(), Ok(_) | Err(Reason::Damaged | Reason::Empty)), "{outcome:?}");
    }
}

#[test]
fn nesting_costs_no_stack() {
    let nested = |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    for (open, close) in [("[", "]"), ("<</A ", ">>")] {
        let page = page(&format!("/X {}", nested(open, close, 100_000)), "");
        assert_eq!(outcome_with(&[(3, page)]), Err(Reason::Damaged));
        let content = format!("BT /F1 12 Tf {} TJ ET ", nested(open, close, 100_000));
        let content = [content.as_bytes(), LINE].concat();
        says_hello(outcome_with(&[(4, packed("", &content))]));
    }
    assert_eq!(outcome_with(&[(6, text(&"1 0 obj ".repeat(100_000)))]), Err(Reason::Damaged));
    for open in ["q ", "Q ", "/A BMC ", "BT ", "0 0 600 800 re W n "] {
        let content = [open.repeat(50_000).as_bytes(), LINE].concat();
        says_hello(outcome(&file(&objects(&content))));
    }
}

#[test]
fn forms_that_paint_themselves_end() {
    let form = |content: &str, forms: &str| {
        let resources = format!("/Resources<</Font<</F1 5 0 R>>/XObject<<{forms}>>>>");
        stream(&format!("/Subtype/Form/BBox[0 0 600 800]{resources}"), content.as_bytes())
    };
    let page = |forms: &str| page("", &format!("/XObject<<{forms}>>"));
    let content = [b"/X Do /X Do ", LINE].concat();
    let itself = [(3, page("/X 6 0 R")), (6, form("/X Do /Y Do", "/X 6 0 R/Y 7 0 R")), (7, form("/X Do", "/X 6 0 R"))];
    says_hello(outcome(&file(&with(&content, &itself))));
    // Ten times ten times … ten billion operators.
    let mut fan: Objects =
        (6..16).map(|number| (number, form(&"/X Do ".repeat(10), &format!("/X {} 0 R", number + 1)))).collect();
    fan.extend([(3, page("/X 6 0 R")), (16, form("q Q", ""))]);
    says_hello(outcome(&file(&with(&content, &fan))));
}

#[test]
fn fonts_stay_small() {
    let composite = |entries: &str, descendant: &str| {
        let descendant = format!("/DescendantFonts[<</Subtype/CIDFontType2/BaseFont/Other{descendant}>>]");
        text(&format!("<</Type/Font/Subtype/Type0/BaseFont/Other/Encoding/Identity-H{entries}{descendant}>>"))
    };
    let table =
        |body: &str| packed("", format!("1 begincodespacerange <0000> <ffff> endcodespacerange {body}").as_bytes());
    let letters = "2 beginbfrange <4865> <7a7a> <0041> endbfrange";
    let outcome_of = |font: Vec<u8>, table: Vec<u8>| outcome_with(&[(5, font), (6, table)]);
    let read = outcome_of(composite("/ToUnicode 6 0 R", ""), table(letters)).expect("a table of letters");
    assert_eq!(read.chars().count(), 8, "{read}");
    let widths = "0 4000000000 500 ".repeat(10_000);
    for (entries, descendant) in [
        ("", format!("/W[{widths}]")),
        ("", format!("/W[{}]", "0 65535 500 ".repeat(10_000))),
        ("", "/W[-5 4294967295 500 65535 -1 300]/W2[0 4294967295 1 1 1]/DW -9999999999".into()),
        ("/ToUnicode 5 0 R", String::new()),
        ("/ToUnicode 4 0 R", String::new()),
    ] {
        let outcome = outcome_of(composite(entries, &descendant), vec![b' ']);
        assert_eq!(outcome, Err(Reason::Damaged), "no character is known");
    }
    for body in [
        "1 beginbfrange <00000000> <ffffffff> <0000> endbfrange".to_owned(),
        format!("100 beginbfrange {} endbfrange", "<0000> <ffff> <0041> ".repeat(10_000)),
        format!("1 beginbfchar <4865> <{}> endbfchar", "0041".repeat(100_000)),
        "/X usecmap".to_owned(),
    ] {
        assert_eq!(outcome_of(composite("/ToUnicode 6 0 R", ""), table(&body)), Err(Reason::Damaged));
    }
    let itself = "<</Type/Font/Subtype/Type0/BaseFont/Other/Encoding 6 0 R/DescendantFonts[5 0 R]>>";
    let base = packed("/Type/CMap/UseCMap 6 0 R", b"1 begincidrange <0000> <ffff> 0 endcidrange");
    let outcome = outcome_of(text(itself), base);
    assert!(matches!(outcome, Ok(_) | Err(Reason::Damaged)), "{outcome:?}");
    let simple = format!("<</Subtype/TrueType/FirstChar 0/LastChar 2000000000/Widths[{}]>>", "500 ".repeat(1_000_000));
    says_hello(outcome_of(text(&simple), vec![b' ']));
}

#[test]
fn glyphs_that_write_with_their_own_font_are_not_drawn() {
    let font = "<</Subtype/Type3/FontBBox[0 0 1 1]/FontMatrix[1 0 0 1 0 0]/FirstChar 97/LastChar 97/Widths[1]\
        /Encoding<</Differences[97/a]>>/CharProcs<</a 6 0 R>>/Resources<</Font<</F1 5 0 R>>>>>>";
    let glyph = stream("", b"1 0 d0 BT /F1 1 Tf (aaaa) Tj ET");
    let content = b"BT /F1 12 Tf 10 700 Td (aaaa) Tj ET";
    assert_eq!(outcome(&file(&with(content, &[(5, text(font)), (6, glyph)]))).as_deref(), Ok("aaaa"));
}

#[test]
fn pages_of_a_million_operators_are_cut() {
    let lines = "0 0 m 10 10 l S 5 5 20 20 re f ".repeat(200_000);
    says_hello(outcome(&file(&objects(&[lines.as_bytes(), LINE].concat()))));
    let grid = (0..2000).map(|line| format!("{line} 0 m {line} 800 l S 0 {line} m 600 {line} l S"));
    let grid = grid.collect::<Vec<_>>().join(" ");
    says_hello(outcome(&file(&objects(&[grid.as_bytes(), b" ", LINE].concat()))));
    let words = (0..2 * MAX_TEXTS).map(|word| format!("{} {} Td (w) Tj", word % 7, word % 3));
    let words = words.collect::<Vec<_>>().join(" ");
    let text = outcome(&file(&objects(format!("BT /F1 2 Tf {words} ET").as_bytes())));
    assert!(text.expect("the first words").matches('w').count() <= MAX_TEXTS);
    let image = "BI /W 999999999 /H 999999999 /BPC 8 /CS /RGB ID xx EI ".repeat(50_000);
    says_hello(outcome(&file(&objects(&[image.as_bytes(), LINE].concat()))));
}

#[test]
fn lengths_are_not_believed() {
    for length in ["5", "999999999", "-7", "4 0 R", "9223372036854775807", "(x)"] {
        let content = [format!("<</Length {length}>>\nstream\n").as_bytes(), LINE, b"\nendstream"].concat();
        says_hello(outcome_with(&[(4, content)]));
    }
}

#[test]
fn pages_of_any_size_are_read() {
    for entries in [
        "/MediaBox[-100000000000000000000000000000000000000 -9 99999999999999999999999999999999999999 9]",
        "/MediaBox[0 0 0 0]/CropBox[9 9 1 1]/UserUnit 0/Rotate 99999999999999999999",
        "/MediaBox[(a) null]/Rotate -45",
    ] {
        let outcome = outcome_with(&[(3, page(entries, ""))]);
        assert!(matches!(outcome.as_deref(), Ok(HELLO | "") | Err(Reason::Empty | Reason::Damaged)), "{outcome:?}");
    }
    let far = "BT /F1 9999999999 Tf 99999999999 0 0 -99999999999 99999999999999 -9999999999999 Tm (far) Tj \
        0 0 0 0 0 0 Tm (flat) Tj /F1 0 Tf (none) Tj ET ";
    let text = outcome(&file(&objects(&[far.as_bytes(), LINE].concat()))).expect("text");
    assert!(text.contains(HELLO), "{text}");
}

#[test]
fn what_is_no_whole_pdf_is_damaged_or_read_as_far_as_it_goes() {
    let whole = file(&objects(LINE));
    assert_eq!(outcome(b"%PDF-1.7\n"), Err(Reason::Damaged));
    assert_eq!(outcome(b"%PDF-"), Err(Reason::Damaged));
    says_hello(outcome(&[vec![b'x'; 2000], whole.clone()].concat()));
    let table = whole.windows(4).position(|window| window == b"xref").expect("the table");
    says_hello(outcome(&whole[..table]));
    for end in 0..whole.len() {
        let outcome = outcome(&whole[..end]);
        assert!(!matches!(outcome, Err(Reason::OnlyPictures | Reason::TooLarge)), "{end}: {outcome:?}");
    }
}

#[test]
fn encryption_that_cannot_be_right_needs_a_password() {
    for entries in [
        "/V 9/R 99/O(a)/U(b)/P 0",
        "/V 2/R 3/Length 999999/O(a)/U(b)/P 0",
        "/V 2/R 3/Length 0/O(a)/U(b)/P 0",
        "/V 2/R 3/Length -8/O(a)/U(b)/P 0",
        "/V 5/R 6/Length 256/O(a)/U(b)/OE()/UE()/P 0",
        "/V 4/R 4/CF<</StdCF<</CFM/AESV2>>>>/StmF/StdCF/StrF/StdCF/O(a)/U(b)/P 0",
    ] {
        let trailer = format!("/Encrypt<</Filter/Standard{entries}>>/ID[(x)(y)]");
        assert_eq!(outcome(&file_with(&objects(LINE), &trailer)), Err(Reason::Encrypted), "{entries}");
    }
    assert_eq!(outcome(&file_with(&objects(LINE), "/Encrypt<<>>")), Err(Reason::Damaged));
}
