//! Tests of files of Office before 2007.

use std::io::{Cursor, Write};

use super::records::CONTINUE;
use crate::failure::Reason;
use crate::testing::{extract, reason, texts};

fn compound(streams: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).expect("memory");
    for (name, bytes) in streams {
        file.create_stream(name).expect("a new name").write_all(bytes).expect("memory");
    }
    file.into_inner().into_inner()
}

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a small record");
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), data].concat()
}

/// A cell: its place, its format, and what it holds.
fn cell(kind: u16, row: u16, column: u16, format: u16, data: &[u8]) -> Vec<u8> {
    let head = [row, column, format].map(u16::to_le_bytes).concat();
    record(kind, &[&head[..], data].concat())
}

fn begin(kind: u16) -> Vec<u8> {
    record(0x0809, &[0, 6, kind.to_le_bytes()[0], 0])
}

/// A workbook of sheets, each with its name and whether it is hidden, and their records.
fn workbook(globals: &[Vec<u8>], sheets: &[(&str, u8)], cells: &[u8]) -> Vec<u8> {
    let globals = globals.concat();
    let name = |(name, _): &(&str, u8)| 8 + name.len();
    let head = 4 + 4 + globals.len() + sheets.iter().map(|sheet| 4 + name(sheet)).sum::<usize>() + 4;
    let place = u32::try_from(head).expect("small").to_le_bytes();
    let mut bytes = begin(5);
    for (name, state) in sheets {
        let length = u8::try_from(name.len()).expect("a short name");
        bytes.extend(record(0x0085, &[&place[..], &[*state, 0, length, 0], name.as_bytes()].concat()));
    }
    bytes.extend(globals);
    bytes.extend(record(0x000a, &[]));
    bytes.extend(begin(16));
    bytes.extend(cells);
    bytes.extend(record(0x000a, &[]));
    compound(&[("/Workbook", &bytes)])
}

#[test]
fn sheets_of_old_workbooks_are_tables() {
    // "short", and a text that goes on in the next record in letters of two bytes, with a run of another look.
    let shared = [
        record(0x00fc, b"\x02\0\0\0\x02\0\0\0\x05\0\0short\x04\0\x08\x01\0ab"),
        record(CONTINUE, b"\x01\xe4\0\xdf\0\0\0\0\0"),
    ];
    let globals = [
        record(0x041e, b"\xa4\0\x0a\0\0yyyy-mm-dd"),
        record(0x00e0, &[0; 20]),
        record(0x00e0, b"\0\0\xa4\0"),
        shared.concat(),
    ];
    let cells = [
        cell(0x00fd, 0, 0, 0, &[0, 0, 0, 0]),
        cell(0x00fd, 0, 1, 0, &[1, 0, 0, 0]),
        cell(0x0203, 1, 0, 1, &45351.0_f64.to_le_bytes()),
        cell(0x027e, 1, 1, 0, &((12345_u32 << 2) | 3).to_le_bytes()),
        cell(0x0006, 2, 0, 0, &[0, 0, 0, 0, 0, 0, 0xff, 0xff]),
        record(0x0207, b"\x06\0\0result"),
        cell(0x0205, 2, 1, 0, &[1, 0]),
        cell(0x00fd, 3, 0, 0, &[9, 9, 9, 9]),
        cell(0x0203, 65_535, 255, 0, &f64::NAN.to_le_bytes()),
        cell(0x0203, 65_535, 255, 0, &2.5_f64.to_le_bytes()),
    ];
    let bytes = workbook(&globals, &[("One", 0), ("Two", 1)], &cells.concat());
    let (summary, pages) = extract(&bytes, "xls").expect("a workbook");
    assert_eq!((summary.format, pages[0].name.as_deref(), pages.len()), ("xls", Some("One"), 1));
    let expected =
        "| short | abäß |  |\n| --- | --- | --- |\n| 2024-02-29 | 123.45 |\n| result | TRUE |\n|  |  | 2.5 |";
    assert_eq!(pages[0].text, expected);
    assert_eq!(summary.omitted, ["Hidden sheets are left out."]);
}

#[test]
fn files_with_a_password_say_so() {
    assert_eq!(reason(&compound(&[("/EncryptedPackage", b"x")]), "docx"), Err(Reason::Encrypted));
    assert_eq!(reason(&workbook(&[record(0x002f, &[1, 0])], &[("a", 0)], &[]), "xls"), Err(Reason::Encrypted));
}

#[test]
fn many_sheets_at_one_place_end_at_a_bound() {
    let cells = cell(0x0201, 0, 0, 0, &[]).repeat(100_000);
    let bytes = workbook(&[], &vec![("a", 0); 5000], &cells);
    assert_eq!(reason(&bytes, "xls"), Err(Reason::Damaged));
}

#[test]
fn texts_with_more_paragraphs_than_memory_are_too_large() {
    assert_eq!(reason(&compound(&[("/WordDocument", &vec![b'\r'; 400_000])]), "doc"), Err(Reason::TooLarge));
}

#[test]
fn what_is_no_document_is_unknown_or_damaged() {
    assert_eq!(reason(&compound(&[("/other", b"x")]), "doc"), Err(Reason::UnknownFormat));
    assert_eq!(reason(&compound(&[("/Workbook", b"x")]), "xls"), Err(Reason::Damaged));
    let bytes = workbook(&[], &[("a", 0)], &cell(0x0203, 0, 0, 0, &1.0_f64.to_le_bytes()));
    assert_eq!(texts(&bytes, "xls"), ["| 1 |\n| --- |"]);
    assert!(reason(&bytes[..600], "xls").is_err());
    // Each byte of the file's tables, and what they point to.
    for at in (0..bytes.len()).step_by(3) {
        for value in [0, 1, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            let _ = reason(&bytes, "xls");
        }
    }
}
