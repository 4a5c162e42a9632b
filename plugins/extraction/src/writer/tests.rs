//! Tests of the writer.

use super::*;
use crate::pages::Page;
use crate::testing::Collected;

fn written(write: impl FnOnce(&mut Writer<'_, '_>) -> Result<(), Stop>) -> Vec<Page> {
    let mut sink = Collected::default();
    let mut pages = Pages::new("test", &mut sink);
    let mut writer = Writer::new(&mut pages);
    write(&mut writer).expect("it is small");
    writer.end_part().expect("it is small");
    sink.pages
}

fn texts(pages: &[Page]) -> Vec<&str> {
    pages.iter().map(|page| page.text.as_str()).collect()
}

fn paragraph(writer: &mut Writer<'_, '_>, text: &str, block: Block<'_>) -> Result<(), Stop> {
    writer.text(text, Style::default());
    writer.end(block)
}

#[test]
fn paragraphs_headings_and_lists_become_markdown() {
    let pages = written(|writer| {
        paragraph(writer, "Title", Block::Heading(1))?;
        paragraph(writer, "1. no list", Block::Paragraph)?;
        paragraph(writer, "a", Block::Item { level: 3, number: None })?;
        paragraph(writer, "b", Block::Item { level: 1, number: Some("(a)") })?;
        paragraph(writer, "c", Block::Item { level: 0, number: Some("2.") })?;
        paragraph(writer, "x = 1", Block::Code)?;
        paragraph(writer, "y = 2", Block::Code)?;
        paragraph(writer, "said", Block::Quote)
    });
    let expected = "# Title\n\n1\\. no list\n\n- a\n    - (a) b\n2. c\n\n```\nx = 1\ny = 2\n```\n\n> said";
    assert_eq!(texts(&pages), [expected]);
}

#[test]
fn a_long_text_is_cut_at_a_heading() {
    let long = "word ".repeat(1500);
    let pages = written(|writer| {
        for _ in 0..5 {
            paragraph(writer, "Heading", Block::Heading(2))?;
            paragraph(writer, &long, Block::Paragraph)?;
        }
        Ok(())
    });
    assert_eq!(pages.len(), 3);
    for page in &pages {
        assert!(page.text.starts_with("## Heading\n\nword"), "{}", &page.text[..20]);
        assert!(page.text.chars().count() <= PART);
    }
}

#[test]
fn a_text_without_headings_or_spaces_is_cut_too() {
    let pages = written(|writer| paragraph(writer, &"ä".repeat(100_000), Block::Paragraph));
    assert!(pages.iter().all(|page| page.text.chars().count() <= PART + SMALL));
    assert_eq!(pages.iter().map(|page| page.text.chars().count()).sum::<usize>(), 100_000);
}

#[test]
fn a_page_ends_inside_of_a_table_at_the_end_of_the_row() {
    let pages = written(|writer| {
        writer.begin_table()?;
        for row in ["head", "1", "2"] {
            writer.begin_row()?;
            writer.begin_cell()?;
            writer.text(row, Style::default());
            if row == "1" {
                writer.page_break()?;
            }
        }
        writer.end_table()
    });
    assert_eq!(texts(&pages), ["| head |\n| --- |\n| 1 |", "| head |\n| --- |\n| 2 |"]);
}

#[test]
fn a_large_table_is_cut_and_its_header_repeated() {
    let pages = written(|writer| {
        writer.begin_table()?;
        for row in 0..2000 {
            writer.begin_row()?;
            for column in 0..3 {
                writer.begin_cell()?;
                writer.text(&format!("row {row} column {column}"), Style::default());
            }
        }
        writer.end_table()
    });
    assert!(pages.len() > 2);
    for page in &pages {
        assert!(page.text.starts_with("| row 0 column 0 |"), "{}", &page.text[..30]);
        assert!(page.text.chars().count() < PART + 2 * SMALL, "{}", page.text.chars().count());
    }
}

#[test]
fn notes_stand_at_the_end_of_their_page() {
    let pages = written(|writer| {
        writer.text("one", Style::default());
        writer.note("1", "first");
        writer.end(Block::Paragraph)?;
        writer.page_break()?;
        writer.text("two", Style::default());
        writer.note("2", "second");
        writer.end(Block::Paragraph)
    });
    assert_eq!(texts(&pages), ["one[^1]\n\n[^1]: first", "two[^2]\n\n[^2]: second"]);
}

#[test]
fn a_table_inside_of_a_cell_is_text_of_the_cell() {
    let pages = written(|writer| {
        writer.begin_table()?;
        for text in ["a", "b"] {
            writer.begin_row()?;
            writer.begin_cell()?;
            writer.text(text, Style::default());
            writer.begin_table()?;
            for text in ["inner", "cell"] {
                writer.begin_cell()?;
                writer.text(text, Style::default());
            }
            writer.end_table()?;
        }
        writer.end_table()
    });
    assert_eq!(texts(&pages), ["| a<br>inner<br>cell |\n| --- |\n| b<br>inner<br>cell |"]);
}

#[test]
fn what_never_ends_is_bounded() {
    let mut sink = Collected::default();
    let mut pages = Pages::new("test", &mut sink);
    let mut writer = Writer::new(&mut pages);
    for _ in 0..10_000 {
        writer.text(&"word ".repeat(100), Style::default());
        assert!(writer.page.len() + writer.line.len() < 2 * (MAX_LINE + PART));
    }
    writer.end_part().expect("it is cut into pages");
    assert!(sink.pages.iter().all(|page| page.text.len() <= PART + SMALL));
    let mut pages = Pages::new("test", &mut sink);
    let mut writer = Writer::new(&mut pages);
    writer.begin_table().expect("it is small");
    let mut cell = || {
        writer.begin_cell()?;
        writer.text(&"word ".repeat(1000), Style::default());
        writer.end_cell()
    };
    assert!(matches!((0..10_000).try_for_each(|_| cell()), Err(Stop::Failed(TOO_LARGE))));
    let mut pages = Pages::new("test", &mut sink);
    let mut writer = Writer::new(&mut pages);
    (0..100).for_each(|_| writer.note("1", &"word ".repeat(10_000)));
    assert!(matches!(writer.end(Block::Paragraph), Err(Stop::Failed(TOO_LARGE))));
}

#[test]
fn notes_make_no_links_where_they_are_no_notes() {
    let mut sink = Collected::default();
    let mut pages = Pages::new("test", &mut sink);
    let mut writer = Writer::new(&mut pages);
    writer.text("text", Style::default());
    for text in ["javascript:alert(1)", "//example.org/a", "See: *that*", "https://example.org/"] {
        writer.note("1", text);
    }
    writer.end_part().expect("it is small");
    let notes: Vec<&str> = sink.pages[0].text.lines().filter(|line| line.starts_with("[^1]: ")).collect();
    let expected = ["javascript: alert(1)", "/ /example.org/a", "See: \\*that\\*", "https://example.org/"];
    assert_eq!(notes, expected.map(|text| format!("[^1]: {text}")));
}

#[test]
fn code_that_is_cut_is_code_in_both_parts() {
    let pages = written(|writer| {
        writer.code(&"<b> and more\n".repeat(5000))?;
        writer.code("    last")
    });
    let texts = texts(&pages);
    assert!(texts.len() > 2);
    assert!(texts.iter().all(|text| text.starts_with("```\n") && text.ends_with("\n```")));
    assert_eq!(texts.iter().map(|text| text.matches("<b> and more").count()).sum::<usize>(), 5000);
    let pages = written(|writer| {
        writer.text(&"\\<b".repeat(40_000), Style::default());
        Ok(())
    });
    assert!(pages.iter().all(|page| !page.text.replace("\\\\", "").replace("\\<", "").contains('<')));
}
