//! Tests of Excel files.

use crate::failure::Reason;
use crate::testing::{extract, office, reason, relation, texts};

const KIND: &str = "spreadsheetml.sheet";

fn workbook(sheets: &[(&str, &str)], parts: &[(&str, &str)]) -> Vec<u8> {
    let list: Vec<String> =
        sheets.iter().enumerate().map(|(i, (name, _))| format!("<sheet {name} r:id=\"s{i}\"/>")).collect();
    let main = format!("<workbook><sheets>{}</sheets></workbook>", list.concat());
    let names: Vec<String> = (0..sheets.len()).map(|i| format!("xl/worksheets/sheet{i}.xml")).collect();
    let relations: String =
        names.iter().enumerate().map(|(i, name)| relation(&format!("s{i}"), "worksheet", name)).collect();
    let relations = format!("<Relationships>{relations}</Relationships>");
    let contents: Vec<String> =
        sheets.iter().map(|(_, rows)| format!("<worksheet><sheetData>{rows}</sheetData></worksheet>")).collect();
    let mut all = vec![("xl/workbook.xml", main.as_str()), ("xl/_rels/workbook.xml.rels", &relations)];
    all.extend(names.iter().zip(&contents).map(|(name, content)| (name.as_str(), content.as_str())));
    all.extend(parts);
    office("xl/workbook.xml", KIND, &all)
}

#[test]
fn sheets_are_pages_with_tables() {
    let rows = "<row r=\"2\"><c r=\"B2\" t=\"s\"><v>1</v></c><c r=\"C2\" t=\"inlineStr\"><is><t>in</t><t>line</t></is></c></row>\
        <row r=\"3\"><c r=\"B3\" s=\"1\"><f>TODAY()</f><v>45351</v></c><c r=\"C3\"><v>0.30000000000000004</v></c></row>\
        <row r=\"4\"><c r=\"B4\" t=\"b\"><v>1</v></c><c r=\"C4\" t=\"e\"><v>#DIV/0!</v></c><c t=\"str\"><v>text</v></c></row>\
        <row r=\"5\"><c r=\"C5\" s=\"2\"><v>0.5</v></c></row>";
    let strings = "<sst count=\"9\" uniqueCount=\"99999999999\"><si><t>zero</t></si><si><r><t>o</t></r><r><t>ne</t></r>\
        <rPh><t>spoken</t></rPh></si></sst>";
    let styles = "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"dd/mm/yyyy\"/></numFmts><cellStyleXfs><xf/>\
        </cellStyleXfs><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"164\"/><xf numFmtId=\"9\"/></cellXfs></styleSheet>";
    let sheets = [("name=\"One\"", rows), ("name=\"Two\" state=\"hidden\"", rows), ("name=\"Empty\"", "")];
    let bytes = workbook(&sheets, &[("xl/sharedStrings.xml", strings), ("xl/styles.xml", styles)]);
    let (summary, pages) = extract(&bytes, "xlsx").expect("a workbook");
    assert_eq!(summary.omitted, ["Hidden sheets are left out."]);
    assert_eq!((pages.len(), pages[0].name.as_deref()), (1, Some("One")));
    let expected =
        "| one | inline |  |\n| --- | --- | --- |\n| 2024-02-29 | 0.3 |\n| TRUE | #DIV/0! | text |\n|  | 50% |";
    assert_eq!(pages[0].text, expected);
}

#[test]
fn the_last_cell_of_a_sheet_costs_one_cell() {
    let rows =
        "<row r=\"1048576\" spans=\"1:16384\"><c r=\"XFD1048576\"><v>1</v></c><c r=\"ZZZZZZZ9\"><v>2</v></c></row>";
    assert_eq!(texts(&workbook(&[("name=\"a\"", rows)], &[]), "xlsx"), ["| 1 |\n| --- |"]);
}

#[test]
fn a_million_cells_are_pages_of_rows() {
    let row: Vec<String> = (0..50).map(|i| format!("<c><v>{i}</v></c>")).collect();
    let rows = format!("<row>{}</row>", row.concat()).repeat(20_000);
    let pages = texts(&workbook(&[("name=\"a\"", &rows)], &[]), "xlsx");
    assert_eq!(pages.iter().map(|page| page.lines().count() - 2).sum::<usize>(), 19_999);
    assert!(pages.iter().all(|page| page.chars().count() < 21_000));
}

#[test]
fn a_text_that_a_row_repeats_ends_at_a_bound() {
    let strings = format!("<sst><si><t>{}</t></si></sst>", "x".repeat(100_000));
    let row = format!("<row>{}</row>", "<c t=\"s\"><v>0</v></c>".repeat(16_000));
    let bytes = workbook(&[("name=\"a\"", &row)], &[("xl/sharedStrings.xml", &strings)]);
    assert_eq!(reason(&bytes, "xlsx"), Err(Reason::TooLarge));
    let row = "<row><c t=\"s\"><v>0</v></c></row>".repeat(10_000);
    let bytes = workbook(&[("name=\"a\"", &row)], &[("xl/sharedStrings.xml", &strings)]);
    assert_eq!(reason(&bytes, "xlsx"), Err(Reason::TooLarge));
}
