//! Tests of `PowerPoint` files.

use crate::failure::Reason;
use crate::testing::{extract, office, reason, relation};

const KIND: &str = "presentationml.presentation";

fn shape(kind: &str, paragraphs: &str) -> String {
    format!("<p:sp><p:nvSpPr><p:nvPr>{kind}</p:nvPr></p:nvSpPr><p:txBody>{paragraphs}</p:txBody></p:sp>")
}

fn text(properties: &str, text: &str) -> String {
    format!("<a:p><a:pPr {properties}/><a:r><a:rPr/><a:t>{text}</a:t></a:r></a:p>")
}

fn pptx(slides: &[String], parts: &[(&str, &str)]) -> Vec<u8> {
    let ids: Vec<String> = (0..slides.len()).map(|i| format!("<p:sldId id=\"{}\" r:id=\"s{i}\"/>", 256 + i)).collect();
    let main = format!("<p:presentation><p:sldIdLst>{}</p:sldIdLst></p:presentation>", ids.concat());
    let relations: String =
        (0..slides.len()).map(|i| relation(&format!("s{i}"), "slide", &format!("ppt/slides/slide{i}.xml"))).collect();
    let relations = format!("<Relationships>{relations}</Relationships>");
    let names: Vec<String> = (0..slides.len()).map(|i| format!("ppt/slides/slide{i}.xml")).collect();
    let mut all = vec![("ppt/presentation.xml", main.as_str()), ("ppt/_rels/presentation.xml.rels", &relations)];
    all.extend(names.iter().zip(slides).map(|(name, slide)| (name.as_str(), slide.as_str())));
    all.extend(parts);
    office("ppt/presentation.xml", KIND, &all)
}

#[test]
fn slides_are_pages_with_names_lists_tables_and_notes() {
    let first = [
        shape("<p:ph type=\"title\"/>", &text("", "The &#7;title")),
        shape("<p:ph idx=\"1\"/>", &[text("", "one"), text("lvl=\"1\"", "inner"), text("", "two")].concat()),
        shape("<p:ph type=\"sldNum\"/>", &text("", "17")),
        shape("", &text("", "a free text")),
        format!(
            "<p:graphicFrame><a:tbl><a:tr><a:tc gridSpan=\"2\">{}</a:tc><a:tc hMerge=\"1\"/></a:tr><a:tr><a:tc>{}</a:tc>\
             <a:tc>{}</a:tc></a:tr></a:tbl></p:graphicFrame>",
            text("", "head"),
            text("", "x"),
            text("", "y")
        ),
    ];
    let slides = [format!("<p:sld>{}</p:sld>", first.concat()), "<p:sld><p:pic><a:blip/></p:pic></p:sld>".into()];
    let relations = format!("<Relationships>{}</Relationships>", relation("n", "notesSlide", "ppt/notes1.xml"));
    let notes = format!("<p:notes>{}</p:notes>", shape("<p:ph type=\"body\"/>", &text("", "say this")));
    let parts = [("ppt/slides/_rels/slide0.xml.rels", relations.as_str()), ("ppt/notes1.xml", &notes)];
    let (summary, pages) = extract(&pptx(&slides, &parts), "pptx").expect("slides");
    assert_eq!(pages[0].name.as_deref(), Some("The title"));
    let expected = "# The title\n\n- one\n    - inner\n- two\n\na free text\n\n\
        | head |  |\n| --- | --- |\n| x | y |\n\nNotes:\n\nsay this";
    assert_eq!(pages[0].text, expected);
    assert_eq!((pages.len(), summary.pictures, pages[1].text.as_str()), (2, vec![2], ""));
}

#[test]
fn slides_that_are_missing_are_blank_and_the_order_is_the_decks() {
    let slides: Vec<String> = ["a", "b"].map(|t| format!("<p:sld>{}</p:sld>", shape("", &text("", t)))).into();
    let main =
        "<p:presentation><p:sldId r:id=\"s1\"/><p:sldId r:id=\"nothing\"/><p:sldId r:id=\"s0\"/></p:presentation>";
    let relations: String = ["s0", "s1"].map(|id| relation(id, "slide", &format!("ppt/{id}.xml"))).concat();
    let relations = format!("<Relationships>{relations}</Relationships>");
    let parts = [
        ("ppt/presentation.xml", main),
        ("ppt/_rels/presentation.xml.rels", &relations),
        ("ppt/s0.xml", &slides[0]),
        ("ppt/s1.xml", &slides[1]),
    ];
    let pages = extract(&office("ppt/presentation.xml", KIND, &parts), "pptx").expect("slides").1;
    assert_eq!(pages.iter().map(|page| page.text.as_str()).collect::<Vec<_>>(), ["b", "a"]);
}

#[test]
fn the_same_slide_ten_thousand_times_ends_at_a_bound() {
    let ids = "<p:sldId r:id=\"s\"/>".repeat(9_000);
    let main = format!("<p:presentation>{ids}</p:presentation>");
    let relations = format!("<Relationships>{}</Relationships>", relation("s", "slide", "ppt/s.xml"));
    let slide = format!("<p:sld>{}</p:sld>", shape("", &text("", &"x".repeat(100_000))));
    let parts = [
        ("ppt/presentation.xml", main.as_str()),
        ("ppt/_rels/presentation.xml.rels", &relations),
        ("ppt/s.xml", &slide),
    ];
    assert_eq!(reason(&office("ppt/presentation.xml", KIND, &parts), "pptx"), Err(Reason::TooLarge));
}
