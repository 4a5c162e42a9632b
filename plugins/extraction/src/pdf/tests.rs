//! What is read of ordinary files.

use super::sample::{LINE, file, file_with, objects, packed, page, read, stream, with};
use crate::failure::{Reason, Stop};
use crate::pages::Pages;
use crate::testing::Collected;

/// The texts of all pages.
fn texts(file: &[u8]) -> Vec<String> {
    read(file).expect("text").1.into_iter().map(|page| page.text).collect()
}

#[test]
fn a_line_is_read() {
    let (summary, pages) = read(&file(&objects(LINE))).expect("a line of text");
    assert_eq!(summary.format, "pdf");
    assert_eq!(pages.len(), 1);
    assert_eq!(pages[0].text, "Hello plain words");
    assert_eq!(summary.omitted, Vec::<String>::new());
}

/// Pages with these contents, in order.
fn pages(contents: &[&[u8]]) -> Vec<u8> {
    let numbers: Vec<u32> = (10..).step_by(2).take(contents.len()).collect();
    let kids: Vec<String> = numbers.iter().map(|number| format!("{number} 0 R")).collect();
    let mut others = vec![(2, format!("<</Type/Pages/Kids[{}]>>", kids.join(" ")).into_bytes())];
    others.push((8, stream("/Subtype/Image/Width 9/Height 9", b"")));
    for (number, content) in numbers.iter().zip(contents) {
        let page = format!(
            "<</Type/Page/MediaBox[0 0 600 800]/Contents {} 0 R/Resources<</Font<</F1 5 0 R>>/XObject<</I 8 0 R>>>>>>",
            number + 1
        );
        others.push((*number, page.into_bytes()));
        others.push((number + 1, stream("", content)));
    }
    file(&with(LINE, &others))
}

#[test]
fn pages_keep_their_numbers() {
    let image: &[u8] = b"q 500 0 0 700 50 50 cm /I Do Q";
    let (summary, pages) = read(&pages(&[LINE, image, b"", LINE, b"BI /W 1 /H 1 ID x EI"])).expect("text");
    let texts: Vec<&str> = pages.iter().map(|page| page.text.as_str()).collect();
    assert_eq!(texts, ["Hello plain words", "", "", "Hello plain words", ""]);
    assert_eq!(summary.pictures, [2, 5]);
}

#[test]
fn pages_of_pictures_and_pages_of_nothing_are_failures() {
    let reason = |contents: &[&[u8]]| read(&pages(contents)).err().map(|failure| failure.reason);
    assert_eq!(reason(&[b"/I Do", b""]), Some(Reason::OnlyPictures));
    assert_eq!(reason(&[b"", b"q Q"]), Some(Reason::Empty));
    // Letters that were drawn as shapes.
    assert_eq!(reason(&[&b"9 9 m 20 20 l 30 9 l f ".repeat(50)]), Some(Reason::OnlyPictures));
}

#[test]
fn many_pages_are_read_in_parts_until_no_more_are_wanted() {
    let contents: Vec<Vec<u8>> =
        (0..150).map(|page| format!("BT /F1 12 Tf 72 700 Td (Page {page} of many) Tj ET").into_bytes()).collect();
    let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    let file = pages(&contents);
    let texts = texts(&file);
    assert_eq!(texts.len(), 150);
    assert!(texts.iter().enumerate().all(|(page, text)| *text == format!("Page {page} of many")));
    let mut sink = Collected { most: 70, ..Collected::default() };
    let source: &dyn crate::Source = &file.as_slice();
    let end = super::extract(&mut crate::document::Document::new(source), &mut Pages::new("pdf", &mut sink));
    assert!(matches!(end, Err(Stop::Enough)));
    assert_eq!(sink.pages.len(), 70);
}

#[test]
fn title_and_author_are_those_of_the_file() {
    let info = (6, b"<</Title(A\\000 caf\\351\\r\\nbook)/Author<FEFF041F>>>".to_vec());
    let (summary, _) = read(&file_with(&with(LINE, &[info]), "/Info 6 0 R")).expect("text");
    assert_eq!(summary.title.as_deref(), Some("A café book"));
    assert_eq!(summary.author.as_deref(), Some("П"));
    let xmp = "<dc:title><rdf:Alt><rdf:li>Of the &amp; stream</rdf:li></rdf:Alt></dc:title>";
    let catalog = b"<</Type/Catalog/Pages 2 0 R/Metadata 6 0 R>>".to_vec();
    let others = [(1, catalog), (6, packed("/Type/Metadata", xmp.as_bytes()))];
    let (summary, _) = read(&file(&with(LINE, &others))).expect("text");
    assert_eq!(summary.title.as_deref(), Some("Of the & stream"));
    assert_eq!(summary.author, None);
}

#[test]
fn what_is_not_text_is_left_out_with_a_sentence() {
    let catalog = "<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert)>>\
        /Names<</EmbeddedFiles<</Names[]>>>>>>";
    let annotations = "/Annots[<</Subtype/Link/A<</S/URI/URI(http://example.org)>>>><</Subtype/Widget/FT/Tx/V(secret)>>\
        <</Subtype/Text/Contents(note)>><</Subtype/Movie>><</Subtype/FileAttachment>>]";
    let file = file(&with(LINE, &[(1, catalog.as_bytes().to_vec()), (3, page(annotations, ""))]));
    let (summary, pages) = read(&file).expect("text");
    assert_eq!(pages[0].text, "Hello plain words");
    let about: Vec<&str> = summary.omitted.iter().filter_map(|sentence| sentence.split(' ').next()).collect();
    assert_eq!(about, ["Files", "Scripts", "Links", "Form", "Notes", "Sounds"]);
}

#[test]
fn fields_are_read_as_they_are_drawn() {
    let field = "<</Subtype/Widget/FT/Tx/V(not this)/Rect[72 600 272 620]/AP<</N 6 0 R>>>>";
    let hidden = "<</Subtype/Widget/F 2/Rect[72 500 272 520]/AP<</N 6 0 R>>>>";
    let state = "<</Subtype/Widget/AS/On/Rect[72 400 272 420]/AP<</N<</On 7 0 R/Off 6 0 R>>>>>>";
    let form = |text: &str| {
        let content = format!("BT /F1 12 Tf 2 5 Td ({text}) Tj ET");
        stream("/Subtype/Form/BBox[0 0 200 20]/Resources<</Font<</F1 5 0 R>>>>", content.as_bytes())
    };
    let annotations = page(&format!("/Annots[{field}{hidden}{state}]"), "");
    let others = [(3, annotations), (6, form("Filled in")), (7, form("Chosen"))];
    let texts = texts(&file(&with(LINE, &others)));
    assert_eq!(texts[0].split_whitespace().collect::<Vec<_>>().join(" "), "Hello plain words Filled in Chosen");
}

#[test]
fn turned_text_is_read_from_its_first_line_on() {
    for (matrix, step) in [("0 1 -1 0 100 100", "20 0"), ("-1 0 0 -1 500 100", "0 20"), ("0 -1 1 0 500 700", "-20 0")] {
        let lines: Vec<String> = (1..5)
            .map(|line| {
                let [x, y] = [0, 1].map(|side| {
                    let start: i32 =
                        matrix.split(' ').nth(4 + side).and_then(|number| number.parse().ok()).expect("a number");
                    let step: i32 = step.split(' ').nth(side).and_then(|number| number.parse().ok()).expect("a number");
                    start + line * step
                });
                let turn = matrix.split(' ').take(4).collect::<Vec<_>>().join(" ");
                format!("BT /F1 12 Tf {turn} {x} {y} Tm (Turned line {line}.) Tj ET")
            })
            .collect();
        let texts = texts(&file(&objects(lines.join(" ").as_bytes())));
        let text = texts[0].split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(text, "Turned line 1. Turned line 2. Turned line 3. Turned line 4.", "{matrix}");
    }
}

#[test]
fn a_table_with_lines_is_a_table() {
    let lines: Vec<String> = (0..4)
        .map(|line| format!("100 {0} m 400 {0} l S {1} 500 m {1} 590 l S", 500 + 30 * line, 100 + 100 * line))
        .collect();
    let cells: Vec<String> = (0..9)
        .map(|cell| {
            format!("BT /F1 10 Tf 1 0 0 1 {} {} Tm (cell {cell}) Tj ET", 110 + 100 * (cell % 3), 570 - 30 * (cell / 3))
        })
        .collect();
    let texts = texts(&file(&objects([lines, cells].concat().join(" ").as_bytes())));
    assert!(texts[0].contains("| cell 3 | cell 4 | cell 5 |"), "{}", texts[0]);
}
