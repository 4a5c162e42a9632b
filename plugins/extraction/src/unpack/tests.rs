//! Tests with zip files that are made to fill the memory.

use super::*;
use crate::failure::Reason;
use crate::testing::{extract, office, reason, zip};

const KIND: &str = "wordprocessingml.document";

/// A little-endian number in the bytes.
fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Where a signature stands for the last time.
fn last(bytes: &[u8], signature: [u8; 4]) -> usize {
    bytes.windows(4).rposition(|window| window == signature).expect("the signature is there")
}

fn document(body: &str) -> Vec<u8> {
    let document = format!("<w:document><w:body>{body}</w:body></w:document>");
    office("word/document.xml", KIND, &[("word/document.xml", &document)])
}

#[test]
fn a_bomb_ends_at_the_ratio() {
    // 40 MB of spaces inside of a tag.
    let bytes = document(&format!("<w:p{}/>", " ".repeat(40_000_000)));
    assert!(bytes.len() < 100_000);
    assert_eq!(reason(&bytes, "docx"), Err(Reason::TooLarge));
}

#[test]
fn a_size_that_lies_changes_nothing() {
    let text = "<w:p><w:r><w:t>word </w:t></w:r></w:p>".repeat(2000);
    let bytes = document(&text);
    for size in [0, 1, 100, u32::MAX - 1] {
        let mut bytes = bytes.clone();
        let entry = last(&bytes, *DIRECTORY_SIGNATURE);
        put(&mut bytes, entry + 24, size);
        let outcome = extract(&bytes, "docx");
        // The library may refuse it; what comes out is what is packed.
        if let Ok((_, pages)) = outcome {
            assert_eq!(pages.iter().map(|page| page.text.matches("word").count()).sum::<usize>(), 2000);
        }
    }
}

#[test]
fn entries_that_share_bytes_are_damaged() {
    let mut bytes = zip(&[("a", b"first entry"), ("b", b"second entry")]);
    // The second entry of the directory says that it begins where the first one does.
    let entry = last(&bytes, *DIRECTORY_SIGNATURE);
    put(&mut bytes, entry + 42, 0);
    assert_eq!(Archive::open(&Document::new(&bytes.as_slice())).err(), Some(DAMAGED));
}

#[test]
fn a_hundred_thousand_entries_are_too_large() {
    // Only the directory: the entries themselves are never reached.
    let mut bytes = b"PK\x03\x04".to_vec();
    for number in 0..100_000_u32 {
        bytes.extend_from_slice(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0");
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(&[6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(format!("{number:06}").as_bytes());
    }
    bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff");
    bytes.extend_from_slice(&[0; 10]);
    let failure = extract(&bytes, "zip").map(drop).map_err(|failure| failure.reason);
    assert_eq!(failure, Err(Reason::TooLarge));
}

#[test]
fn an_entry_with_a_password_is_encrypted() {
    let mut bytes = document("<w:p/>");
    for (signature, flags) in [(b"PK\x03\x04", 6), (DIRECTORY_SIGNATURE, 8)] {
        let found = bytes.windows(4).enumerate().filter(|(_, window)| *window == signature);
        let places: Vec<usize> = found.map(|(at, _)| at + flags).collect();
        for place in places {
            bytes[place] |= 1;
        }
    }
    assert_eq!(reason(&bytes, "docx"), Err(Reason::Encrypted));
}

#[test]
fn all_entries_together_end_at_a_bound() {
    let large: Vec<u8> =
        (0..1_000_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let bytes = zip(&[("large", &large)]);
    let source = bytes.as_slice();
    let mut archive = Archive::open(&Document::new(&source)).expect("a small file");
    let reads = (0..1000).take_while(|_| archive.bytes("LARGE").is_ok()).count() as u64;
    assert_eq!(reads, MAX_UNPACKED / large.len() as u64);
    assert_eq!(archive.bytes("large").err(), Some(TOO_LARGE));
    assert_eq!(archive.bytes("small"), Ok(None));
    let larger = vec![b'x'; 33 * 1024 * 1024];
    assert_eq!(kept(larger.as_slice()).err(), Some(TOO_LARGE));
}

#[test]
fn a_file_inside_of_a_file_is_not_unpacked() {
    let inner = document("<w:p><w:r><w:t>inner</w:t></w:r></w:p>");
    let outer = zip(&[("inner.docx", &inner), ("again.zip", &inner)]);
    assert_eq!(reason(&outer, "docx"), Err(Reason::UnknownFormat));
}

#[test]
fn references_stay_inside_of_the_file() {
    let cases = [
        ("word", "media/a.png", "word/media/a.png"),
        ("word", "../../../etc/passwd", "etc/passwd"),
        ("word", "/xl/./b.xml", "xl/b.xml"),
        ("", "a//b", "a/b"),
    ];
    for (folder, target, expected) in cases {
        assert_eq!(resolved(folder, target), expected);
    }
}
