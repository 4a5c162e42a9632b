//! Files with bytes changed anywhere: whatever was changed, reading ends with pages or a failure, and never in a panic.
//!
//! Which bytes are changed is counted from a fixed number, so that each run changes the same ones.

use super::sample::{LINE, Objects, file, objects, packed, page, read, stream, with};

/// A row of numbers that looks drawn by lot.
struct Lot(u64);

impl Lot {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % end.max(1)
    }
}

/// Words that mean something in a PDF.
const WORDS: &[&[u8]] = &[
    b"obj",
    b"endobj",
    b"stream\n",
    b"endstream",
    b"xref",
    b"trailer",
    b"startxref",
    b"<<",
    b">>",
    b"[",
    b"]",
    b"(",
    b")",
    b"0 0 R",
    b"3 0 R",
    b"4 0 R",
    b"5 0 R",
    b"6 0 R",
    b"-1",
    b"4294967296",
    b"99999999999999999999",
    b"1.5",
    b"null",
    b"true",
    b"/Kids",
    b"/Parent",
    b"/Length",
    b"/Filter",
    b"/FlateDecode",
    b"/LZWDecode",
    b"/Type",
    b"/Font",
    b"/XObject",
    b"/W",
    b"Tj",
    b"TJ",
    b"Do",
    b"Tm",
    b"cm",
    b"BT",
    b"ET",
    b"q",
    b"Q",
    b"re",
    b"BI",
    b"ID",
    b"EI",
    b"%",
    b"\xff\xfe",
    b"\0",
];

fn change(bytes: &mut Vec<u8>, other: &[u8], lot: &mut Lot) {
    let place = lot.below(bytes.len());
    let length = lot.below(64);
    let end = (place + length).min(bytes.len());
    match lot.below(7) {
        0 => {
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << lot.below(8);
            }
        }
        1 => bytes.truncate(place),
        2 => drop(bytes.drain(place..end)),
        3 => {
            let copy = bytes[place..end].to_vec();
            let to = lot.below(bytes.len());
            drop(bytes.splice(to..to, copy));
        }
        4 => {
            let from = lot.below(other.len());
            let part = other[from..(from + length).min(other.len())].to_vec();
            drop(bytes.splice(place..end, part));
        }
        _ => {
            let word = WORDS[lot.below(WORDS.len())];
            let end = (place + lot.below(word.len() + 1)).min(bytes.len());
            drop(bytes.splice(place..end, word.iter().copied()));
        }
    }
}

/// Small files with a form, an image, a composite font, a table of characters, a table of lines and two pages.
fn samples() -> Vec<Vec<u8>> {
    let table = b"1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfrange <20> <7e> <0020> endbfrange";
    let composite = "<</Type/Font/Subtype/Type0/BaseFont/Other/Encoding/Identity-H/ToUnicode 6 0 R/DescendantFonts[\
        <</Subtype/CIDFontType2/BaseFont/Other/W[0[500 600]3 9 700]/CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)>>>>]>>";
    let lines = (10..15).map(|line| format!("{line}0 100 m {line}0 140 l S 100 {line}0 m 140 {line}0 l S "));
    let place = |cell: usize| (102 + 10 * (cell % 4), 102 + 10 * (cell / 4));
    let cells = (0..16).map(|cell| (cell, place(cell)));
    let cells = cells.map(|(cell, (x, y))| format!("BT /F1 6 Tf 1 0 0 1 {x} {y} Tm (c{cell}) Tj ET "));
    let grid = lines.chain(cells).collect::<Vec<_>>().concat();
    let content = [grid.as_bytes(), b"/X Do /I Do q [(a) -300 (b)] TJ Q ", LINE].concat();
    let form = stream("/Subtype/Form/BBox[0 0 9 9]/Matrix[1 0 0 1 0 0]/Resources<</Font<</F1 5 0 R>>>>", LINE);
    let others: Objects = vec![
        (3, page("/Rotate 90/Annots[<</Subtype/Link>>]", "/XObject<</X 7 0 R/I 8 0 R>>")),
        (6, stream("", table)),
        (7, form),
        (8, packed("/Subtype/Image/Width 2/Height 2/BitsPerComponent 8", b"abcd")),
    ];
    let plain = with(&content, &others);
    let mut small = plain.clone();
    small.retain(|(number, _)| *number != 5);
    small.push((5, composite.as_bytes().to_vec()));
    let two = with(LINE, &[(2, b"<</Type/Pages/Kids[3 0 R 9 0 R]/Count 2>>".to_vec()), (9, page("", ""))]);
    vec![file(&objects(LINE)), file(&plain), file(&small), file(&two)]
}

#[test]
fn changed_files_end_with_pages_or_a_failure() {
    let samples = samples();
    let mut lot = Lot(0x2545_f491_4f6c_dd1d);
    for round in 0..2_000 {
        let mut bytes = samples[round % samples.len()].clone();
        for _ in 0..=lot.below(6) {
            change(&mut bytes, &samples[lot.below(samples.len())], &mut lot);
        }
        if let Ok((_, pages)) = read(&bytes) {
            assert!(!pages.is_empty(), "a document without a failure has pages");
        }
    }
}
