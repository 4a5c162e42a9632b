//! Documents that attack their reader.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};

/// A text that a reader may find in some of them, and that no log and no message may hold.
pub(super) const WORDS: &str = "the words of this document";

/// How a document may end: `extracted`, or the code of its failure.
pub(super) struct Hostile {
    pub(super) name: &'static str,
    pub(super) make: fn() -> Vec<u8>,
    pub(super) ends: &'static [&'static str],
}

/// All of them. What is extracted has [`WORDS`].
pub(super) const ALL: &[Hostile] = &[
    hostile("ratio.docx", ratio, &["too_large"]),
    hostile("wrong-sizes.docx", wrong_sizes, &["too_large", "damaged"]),
    hostile("overlapping.docx", overlapping, &["damaged"]),
    hostile("many-parts.docx", many_parts, &["too_large"]),
    hostile("zip-of-zips.docx", zip_of_zips, &["unknown_format"]),
    hostile("pages.docx", pages, &["too_large"]),
    hostile("deep-tables.docx", deep_tables, &["damaged", "too_large", "extracted"]),
    hostile("wide-cell.docx", wide_cell, &["extracted"]),
    hostile("laughs.docx", laughs, &["damaged", "extracted"]),
    hostile("quadratic.docx", quadratic, &["damaged", "extracted"]),
    hostile("external.docx", external, &["damaged", "extracted"]),
    hostile("parts-outside.docx", parts_outside, &["extracted"]),
    hostile("macros.docm", macros, &["extracted"]),
    hostile("million-cells.xlsx", million_cells, &["extracted", "too_large"]),
    hostile("far-cells.xlsx", far_cells, &["extracted"]),
    hostile("long-string.xlsx", long_string, &["too_large", "too_much_text"]),
    hostile("repeated.ods", repeated, &["extracted", "too_large"]),
    hostile("spaces.odt", spaces, &["extracted"]),
    hostile("cyclic-pages.pdf", cyclic_pages, &["damaged", "empty"]),
    hostile("cyclic-forms.pdf", cyclic_forms, &["empty", "damaged", "only_pictures"]),
    hostile("forms-of-forms.pdf", forms_of_forms, &["empty", "too_large", "damaged", "only_pictures"]),
    hostile("packed-three-times.pdf", packed_three_times, &["too_large", "empty", "damaged"]),
    hostile("deep-arrays.pdf", deep_arrays, &["damaged", "empty"]),
    hostile("endless-table.pdf", endless_table, &["damaged", "empty"]),
    hostile("many-pages.pdf", many_pages, &["too_large", "damaged", "empty"]),
    hostile("encrypted.pdf", encrypted, &["encrypted"]),
    hostile("external.html", external_html, &["extracted"]),
    hostile("deep.html", deep_html, &["extracted", "too_large"]),
    hostile("control-characters.html", control_characters, &["extracted"]),
    hostile("half.pdf", half, &["damaged", "empty"]),
    hostile("nothing.txt", || b" \n".to_vec(), &["empty"]),
    hostile("noise.pdf", noise, &["unknown_format", "damaged"]),
    hostile("pdf-named.docx", plain_pdf, &["extracted"]),
    hostile("docx-named.pdf", || word(&body(&paragraph(WORDS))), &["extracted"]),
    hostile("program.txt", program, &["unknown_format"]),
];

const fn hostile(name: &'static str, make: fn() -> Vec<u8>, ends: &'static [&'static str]) -> Hostile {
    Hostile { name, make, ends }
}

// Archives ------------------------------------------------------------------------------------------------------------

/// One file of an archive, packed.
struct Entry {
    name: String,
    packed: Vec<u8>,
    sum: u32,
    size: u32,
}

impl Entry {
    fn new(name: &str, content: &[u8]) -> Self {
        Self::of_pieces(name, std::iter::once(content))
    }

    /// Packs pieces one after the other, so that the content itself need not be in memory.
    fn of_pieces<'a>(name: &str, pieces: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        let (mut sum, mut size) = (flate2::Crc::new(), 0);
        for piece in pieces {
            encoder.write_all(piece).unwrap();
            sum.update(piece);
            size += u32::try_from(piece.len()).unwrap();
        }
        Self { name: name.to_owned(), packed: encoder.finish().unwrap(), sum: sum.sum(), size }
    }

    /// What its header and its line of the directory have in common.
    fn common(&self) -> Vec<u8> {
        let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0x5a];
        let packed = u32::try_from(self.packed.len()).unwrap();
        [self.sum, packed, self.size].iter().for_each(|number| common.extend(number.to_le_bytes()));
        common.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
        common.extend([0, 0]);
        common
    }

    fn line(&self, place: u32) -> Vec<u8> {
        let mut line = b"PK\x01\x02\x14\x00".to_vec();
        line.extend(self.common());
        line.extend([0; 10]);
        line.extend(place.to_le_bytes());
        line.extend(self.name.as_bytes());
        line
    }
}

fn archive(entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        directory.extend(entry.line(u32::try_from(bytes.len()).unwrap()));
        bytes.extend(b"PK\x03\x04");
        bytes.extend(entry.common());
        bytes.extend(entry.name.as_bytes());
        bytes.extend(&entry.packed);
    }
    end_archive(bytes, &directory, entries.len())
}

fn end_archive(mut bytes: Vec<u8>, directory: &[u8], entries: usize) -> Vec<u8> {
    let (place, count) = (u32::try_from(bytes.len()).unwrap(), u16::try_from(entries).unwrap());
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    bytes.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    bytes.extend(place.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

// Documents of Word ---------------------------------------------------------------------------------------------------

const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const WORD: &str = r#"xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main""#;

fn relations(inner: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{inner}</Relationships>"#
    )
}

fn relation(id: usize, kind: &str, target: &str, more: &str) -> String {
    format!(r#"<Relationship Id="rId{id}" Type="{OFFICE}/{kind}" Target="{target}"{more}/>"#)
}

fn types(inner: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>{inner}</Types>"#
    )
}

/// What a document of Word has beside its text.
fn word_parts(kind: &str, more: &str) -> Vec<Entry> {
    let kind = format!(
        r#"<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.{kind}+xml"/>"#
    );
    vec![
        Entry::new("[Content_Types].xml", types(&kind).as_bytes()),
        Entry::new("_rels/.rels", relations(&relation(1, "officeDocument", "word/document.xml", "")).as_bytes()),
        Entry::new("word/_rels/document.xml.rels", relations(more).as_bytes()),
    ]
}

fn word_with(document: &str, more_relations: &str, more: Vec<Entry>) -> Vec<u8> {
    let mut entries = word_parts("document.main", more_relations);
    entries.push(Entry::new("word/document.xml", document.as_bytes()));
    entries.extend(more);
    archive(&entries)
}

fn word(document: &str) -> Vec<u8> {
    word_with(document, "", Vec::new())
}

fn body(inner: &str) -> String {
    format!(r#"<?xml version="1.0"?>{}"#, bare_body(inner))
}

/// Without the line that says it is XML, to put something before it.
fn bare_body(inner: &str) -> String {
    format!("<w:document {WORD}><w:body>{inner}</w:body></w:document>")
}

fn paragraph(text: &str) -> String {
    format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")
}

/// 2 GiB of spaces, in 9 MB.
fn ratio() -> Vec<u8> {
    let (head, spaces) = (format!("<w:document {WORD}><w:body><w:p><w:r><w:t>"), vec![b' '; 1024 * 1024]);
    let pieces = std::iter::once(head.as_bytes()).chain(std::iter::repeat_n(spaces.as_slice(), 2048));
    let tail: &[u8] = b"</w:t></w:r></w:p></w:body></w:document>";
    let mut entries = word_parts("document.main", "");
    entries.push(Entry::of_pieces("word/document.xml", pieces.chain(std::iter::once(tail))));
    archive(&entries)
}

/// A part that says it has ten bytes, and unpacks to 512 MiB.
fn wrong_sizes() -> Vec<u8> {
    let (head, spaces) = (format!("<w:document {WORD}><w:body><w:p><w:r><w:t>"), vec![b'x'; 1024 * 1024]);
    let pieces = std::iter::once(head.as_bytes()).chain(std::iter::repeat_n(spaces.as_slice(), 512));
    let mut entry = Entry::of_pieces("word/document.xml", pieces);
    entry.size = 10;
    let mut entries = word_parts("document.main", "");
    entries.push(entry);
    archive(&entries)
}

/// Thousand lines of the directory name the same bytes.
fn overlapping() -> Vec<u8> {
    let mut shared = Entry::new("word/document.xml", body(&paragraph(&"shared ".repeat(500_000))).as_bytes());
    let mut bytes = archive(std::slice::from_ref(&shared));
    bytes.truncate(bytes.len() - 22 - shared.line(0).len());
    let names = ["word/document.xml", "[Content_Types].xml", "_rels/.rels"].map(str::to_owned);
    let names: Vec<String> = names.into_iter().chain((0..1_000).map(|n| format!("word/part{n}.xml"))).collect();
    let mut directory = Vec::new();
    for name in &names {
        shared.name.clone_from(name);
        directory.extend(shared.line(0));
    }
    end_archive(bytes, &directory, names.len())
}

/// 60,000 parts without content.
fn many_parts() -> Vec<u8> {
    let parts = (0..60_000).map(|number| Entry::new(&format!("customXml/item{number}.xml"), b""));
    word_with(&body(&paragraph(WORDS)), "", parts.collect())
}

/// Archives in archives, four deep, with 10 MiB of zeros in each of the innermost.
fn zip_of_zips() -> Vec<u8> {
    let zeros = vec![0; 10 * 1024 * 1024];
    let mut inner = archive(&[Entry::new("zeros.xml", &zeros)]);
    for _ in 0..4 {
        let entries: Vec<Entry> = (0..10).map(|number| Entry::new(&format!("{number}.zip"), &inner)).collect();
        inner = archive(&entries);
    }
    inner
}

/// 100,000 pages of a line each.
fn pages() -> Vec<u8> {
    let mut inner = String::new();
    for number in 0..100_000 {
        write!(inner, r#"{}<w:p><w:r><w:br w:type="page"/></w:r></w:p>"#, paragraph(&format!("page {number}")))
            .unwrap();
    }
    word(&body(&inner))
}

/// Tables in tables, 100,000 deep.
fn deep_tables() -> Vec<u8> {
    let depth = 100_000;
    let (open, close) = ("<w:tbl><w:tr><w:tc>".repeat(depth), "</w:tc></w:tr></w:tbl>".repeat(depth));
    word(&body(&format!("{}{open}{}{close}", paragraph(WORDS), paragraph("deep"))))
}

/// A cell that says it is two thousand million columns wide.
fn wide_cell() -> Vec<u8> {
    let cell = r#"<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="2000000000"/></w:tcPr>"#;
    word(&body(&format!("{cell}{}</w:tc></w:tr></w:tbl>", paragraph(WORDS))))
}

/// Entities that stand for ten entities each, ten deep.
fn laughs() -> Vec<u8> {
    let mut entities = r#"<!ENTITY e0 "laugh ">"#.to_owned();
    for number in 1..=10 {
        write!(entities, r#"<!ENTITY e{number} "{}">"#, format!("&e{};", number - 1).repeat(10)).unwrap();
    }
    let inner = paragraph(WORDS) + &paragraph("&e10;");
    word(&format!(r#"<?xml version="1.0"?><!DOCTYPE d [{entities}]>{}"#, bare_body(&inner)))
}

/// One entity of a megabyte, named ten thousand times.
fn quadratic() -> Vec<u8> {
    let inner = paragraph(WORDS) + &paragraph(&"&e;".repeat(10_000));
    let entity = "x".repeat(1_000_000);
    word(&format!(r#"<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e "{entity}">]>{}"#, bare_body(&inner)))
}

/// An entity from a file, a template and a picture from other hosts, links that run programs, a field that reads a file.
fn external() -> Vec<u8> {
    let outside = r#" TargetMode="External""#;
    let more = [
        relation(1, "attachedTemplate", "http://127.0.0.1:9/template.dotm", outside),
        relation(2, "image", "http://127.0.0.1:9/picture.png", outside),
        relation(3, "hyperlink", "file:///etc/passwd", outside),
        relation(4, "hyperlink", "javascript:alert(1)", outside),
        relation(5, "subDocument", "../../../../etc/passwd", ""),
    ];
    let link = |id| {
        format!(
            r#"<w:p><w:hyperlink xmlns:r="{OFFICE}" r:id="rId{id}"><w:r><w:t>link {id}</w:t></w:r></w:hyperlink></w:p>"#
        )
    };
    let field = r#"<w:p><w:fldSimple w:instr="INCLUDETEXT &quot;/etc/passwd&quot;"><w:r><w:t>field</w:t></w:r></w:fldSimple></w:p>"#;
    let inner = [paragraph(WORDS), link(3), link(4), field.to_owned(), paragraph("&file;")].concat();
    let types = r#"<!DOCTYPE d [<!ENTITY file SYSTEM "file:///etc/passwd"><!ENTITY % more SYSTEM "http://127.0.0.1:9/more.dtd"> %more;]>"#;
    word_with(&format!(r#"<?xml version="1.0"?>{types}{}"#, bare_body(&inner)), &more.concat(), Vec::new())
}

/// Relations to parts outside of the archive, and of the document to itself.
fn parts_outside() -> Vec<u8> {
    let more = relation(1, "footnotes", "../../../../../etc/passwd", "") + &relation(2, "header", "document.xml", "");
    let parts = [("../../outside.xml", "outside"), ("/absolute.xml", "absolute")];
    let parts = parts.map(|(name, content)| Entry::new(name, content.as_bytes()));
    word_with(&body(&paragraph(WORDS)), &more, parts.into())
}

/// A document with a program in it.
fn macros() -> Vec<u8> {
    let mut entries = word_parts("document.macroEnabled.main", &relation(1, "vbaProject", "vbaProject.bin", ""));
    entries.push(Entry::new("word/document.xml", body(&paragraph(WORDS)).as_bytes()));
    entries.push(Entry::new(
        "word/vbaProject.bin",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 Sub AutoOpen() Shell \"calc\" End Sub",
    ));
    archive(&entries)
}

// Sheets --------------------------------------------------------------------------------------------------------------

const SHEET: &str = r#"xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main""#;

fn workbook(rows: &str, shared: &str) -> Vec<u8> {
    let kind = |part: &str, kind: &str| {
        format!(
            r#"<Override PartName="/xl/{part}.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.{kind}+xml"/>"#
        )
    };
    let kinds = [
        kind("workbook", "sheet.main"),
        kind("worksheets/sheet1", "worksheet"),
        kind("sharedStrings", "sharedStrings"),
    ];
    let book = format!(
        r#"<workbook {SHEET} xmlns:r="{OFFICE}"><sheets><sheet name="Sheet" sheetId="1" r:id="rId1"/></sheets></workbook>"#
    );
    let parts =
        relation(1, "worksheet", "worksheets/sheet1.xml", "") + &relation(2, "sharedStrings", "sharedStrings.xml", "");
    let sheet = format!("<worksheet {SHEET}><sheetData>{rows}</sheetData></worksheet>");
    let shared = format!("<sst {SHEET}><si><t>{shared}</t></si></sst>");
    let entries = [
        ("[Content_Types].xml", types(&kinds.concat())),
        ("_rels/.rels", relations(&relation(1, "officeDocument", "xl/workbook.xml", ""))),
        ("xl/workbook.xml", book),
        ("xl/_rels/workbook.xml.rels", relations(&parts)),
        ("xl/sharedStrings.xml", shared),
        ("xl/worksheets/sheet1.xml", sheet),
    ];
    archive(&entries.map(|(name, content)| Entry::new(name, content.as_bytes())))
}

/// A million cells.
fn million_cells() -> Vec<u8> {
    let mut rows = r#"<row r="1"><c t="s"><v>0</v></c></row>"#.to_owned();
    for row in 2..=10_001 {
        write!(rows, r#"<row r="{row}">"#).unwrap();
        (0..100).for_each(|column| write!(rows, "<c><v>{}</v></c>", row * column).unwrap());
        rows += "</row>";
    }
    workbook(&rows, WORDS)
}

/// Two cells, in the first and in the last place of a sheet.
fn far_cells() -> Vec<u8> {
    let first = r#"<row r="1"><c r="A1" t="s"><v>0</v></c></row>"#;
    workbook(&format!(r#"{first}<row r="1048576"><c r="XFD1048576"><v>2</v></c></row>"#), WORDS)
}

/// A text of a megabyte, in 100,000 cells.
fn long_string() -> Vec<u8> {
    let mut rows = String::new();
    (1..=100_000).for_each(|row| write!(rows, r#"<row r="{row}"><c r="A{row}" t="s"><v>0</v></c></row>"#).unwrap());
    workbook(&rows, &"s".repeat(1_000_000))
}

fn open_document(kind: &str, content: &str) -> Vec<u8> {
    let names = ["office", "table", "text"]
        .map(|name| format!(r#"xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0""#));
    let content = format!(
        "<office:document-content {}><office:body>{content}</office:body></office:document-content>",
        names.join(" ")
    );
    let kind = format!("application/vnd.oasis.opendocument.{kind}");
    archive(&[
        Entry::new("mimetype", kind.as_bytes()),
        Entry::new("content.xml", content.as_bytes()),
        Entry::new("META-INF/manifest.xml", b"<manifest/>"),
    ])
}

/// A cell that is said to stand a million times in each of a million rows.
fn repeated() -> Vec<u8> {
    let again = format!(
        r#"<table:table-row table:number-rows-repeated="1000000"><table:table-cell table:number-columns-repeated="1000000" office:value-type="string"><text:p>{WORDS}</text:p></table:table-cell></table:table-row>"#
    );
    open_document(
        "spreadsheet",
        &format!(r#"<office:spreadsheet><table:table table:name="S">{again}</table:table></office:spreadsheet>"#),
    )
}

/// A paragraph with two thousand million spaces, said by a number.
fn spaces() -> Vec<u8> {
    open_document(
        "text",
        &format!(
            r#"<office:text><text:p>{WORDS}</text:p><text:p>a<text:s text:c="2000000000"/>b</text:p></office:text>"#
        ),
    )
}

// PDF -----------------------------------------------------------------------------------------------------------------

fn pdf(objects: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let (mut bytes, mut places) = (b"%PDF-1.7\n".to_vec(), Vec::new());
    for (number, object) in (1..).zip(objects) {
        places.push(bytes.len());
        bytes.extend(format!("{number} 0 obj\n").as_bytes());
        bytes.extend(object);
        bytes.extend(b"\nendobj\n");
    }
    let (table, size) = (bytes.len(), objects.len() + 1);
    bytes.extend(format!("xref\n0 {size}\n0000000000 65535 f \n").as_bytes());
    places.iter().for_each(|place| bytes.extend(format!("{place:010} 00000 n \n").as_bytes()));
    bytes.extend(format!("trailer\n<< /Size {size} {trailer} >>\nstartxref\n{table}\n%%EOF\n").as_bytes());
    bytes
}

fn object(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn stream(data: &[u8], more: &str) -> Vec<u8> {
    let mut bytes = object(&format!("<< /Length {} {more} >>\nstream\n", data.len()));
    bytes.extend(data);
    bytes.extend(b"\nendstream");
    bytes
}

const CATALOG: &str = "<< /Type /Catalog /Pages 2 0 R >>";
const ONE_PAGE: &str = "<< /Type /Pages /Count 1 /Kids [3 0 R] >>";

/// A page whose content is object 4, with these resources.
fn page(resources: &str) -> Vec<u8> {
    object(&format!(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << {resources} >> >>"
    ))
}

fn plain_pdf() -> Vec<u8> {
    let font = object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>");
    let text = format!("BT /F 12 Tf 72 720 Td ({WORDS}) Tj ET");
    pdf(
        &[object(CATALOG), object(ONE_PAGE), page("/Font << /F 5 0 R >>"), stream(text.as_bytes(), ""), font],
        "/Root 1 0 R",
    )
}

/// Branches of the tree of pages lead back to its root.
fn cyclic_pages() -> Vec<u8> {
    let kids = "<< /Type /Pages /Count 2 /Kids [3 0 R 2 0 R] >>";
    let back = "<< /Type /Pages /Count 1 /Parent 2 0 R /Kids [2 0 R 3 0 R] >>";
    pdf(&[object(CATALOG), object(kids), object(back)], "/Root 1 0 R")
}

const FORM: &str = "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject";

/// A form that draws itself twice.
fn cyclic_forms() -> Vec<u8> {
    let form = stream(b"/F Do /F Do", &format!("{FORM} << /F 5 0 R >> >>"));
    pdf(
        &[object(CATALOG), object(ONE_PAGE), page("/XObject << /F 5 0 R >>"), stream(b"/F Do", ""), form],
        "/Root 1 0 R",
    )
}

/// Forms that draw the next one ten times, twelve deep, without any circle.
fn forms_of_forms() -> Vec<u8> {
    let mut objects = vec![object(CATALOG), object(ONE_PAGE), page("/XObject << /F 5 0 R >>"), stream(b"/F Do", "")];
    for number in 0..12 {
        objects.push(stream(&b"/F Do ".repeat(10), &format!("{FORM} << /F {} 0 R >> >>", 6 + number)));
    }
    objects.push(stream(b"q Q", &format!("{FORM} << >> >>")));
    pdf(&objects, "/Root 1 0 R")
}

/// Content that was packed three times: 4 GiB.
fn packed_three_times() -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
    let spaces = vec![b' '; 1024 * 1024];
    (0..4_096).for_each(|_| packer.write_all(&spaces).unwrap());
    let mut data = packer.finish().unwrap();
    for _ in 0..2 {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
        packer.write_all(&data).unwrap();
        data = packer.finish().unwrap();
    }
    let content = stream(&data, "/Filter [/FlateDecode /FlateDecode /FlateDecode]");
    pdf(&[object(CATALOG), object(ONE_PAGE), page(""), content], "/Root 1 0 R")
}

/// Arrays in arrays, a million deep.
fn deep_arrays() -> Vec<u8> {
    let (open, close) = ("[".repeat(1_000_000), "]".repeat(1_000_000));
    let catalog = object(&format!("<< /Type /Catalog /Pages 2 0 R /Deep {open}{close} >>"));
    pdf(&[catalog, object("<< /Type /Pages /Count 0 /Kids [] >>")], "/Root 1 0 R")
}

/// The table of the file's parts names itself as the one before it.
fn endless_table() -> Vec<u8> {
    let objects = [object(CATALOG), object("<< /Type /Pages /Count 0 /Kids [] >>")];
    let table = pdf(&objects, "/Root 1 0 R").windows(5).position(|part| part == b"xref\n").unwrap();
    pdf(&objects, &format!("/Root 1 0 R /Prev {table}"))
}

/// A million pages that are the same page.
fn many_pages() -> Vec<u8> {
    let kids = object(&format!("<< /Type /Pages /Count 1000000 /Kids [{}] >>", "3 0 R ".repeat(1_000_000)));
    pdf(&[object(CATALOG), kids, page(""), stream(b"BT ET", "")], "/Root 1 0 R")
}

/// It says that it needs a password that nobody has.
fn encrypted() -> Vec<u8> {
    let filter = object(&format!(
        "<< /Filter /Standard /V 2 /R 3 /Length 128 /P -3904 /O <{0}> /U <{0}> >>",
        "00112233445566778899aabbccddeeff".repeat(2)
    ));
    let id = "/ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>]";
    pdf(
        &[object(CATALOG), object(ONE_PAGE), page(""), stream(b"\x01\x02\x03\x04", ""), filter],
        &format!("/Root 1 0 R /Encrypt 5 0 R {id}"),
    )
}

/// It ends in its middle.
fn half() -> Vec<u8> {
    let whole = plain_pdf();
    whole[..whole.len() / 3].to_vec()
}

/// What follows the first line is nothing.
fn noise() -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..20_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes
}

// Others --------------------------------------------------------------------------------------------------------------

/// Scripts, frames, styles, pictures and links to other hosts and to files.
fn external_html() -> Vec<u8> {
    format!(
        r#"<!doctype html><html><head><title>Out</title><base href="http://127.0.0.1:9/"><meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/"><link rel="stylesheet" href="//127.0.0.1:9/a.css"><script src="//127.0.0.1:9/a.js">alert("never")</script></head><body><p>{WORDS}</p><img src="file:///etc/passwd" onerror="alert(1)"><iframe src="file:///etc/passwd"></iframe><a href="javascript:alert(1)">one</a><a href=" java&#10;script:alert(1)">two</a><object data="http://127.0.0.1:9/x.svg"></object></body></html>"#
    )
    .into_bytes()
}

/// Elements in elements, a million deep.
fn deep_html() -> Vec<u8> {
    format!("<p>{WORDS}</p>{}deep", "<div>".repeat(1_000_000)).into_bytes()
}

/// A title and a text with what databases refuse and terminals obey. A byte that is zero would make the file no text.
fn control_characters() -> Vec<u8> {
    format!(
        "<!doctype html><html><head><title>A&#0;\u{1b}]0;title\u{7}\u{202e}&#27;&#x202e; name</title></head>\
         <body><p>{WORDS}</p><p>{}</p><p>a&#0;b\u{1b}[2J&#27;&#8;\u{8}\u{202e}c</p></body></html>",
        // With more than one such character in a hundred it would be no text either.
        "and more of them ".repeat(40)
    )
    .into_bytes()
}

/// A program, which is no text.
fn program() -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0\x01\0\0\0".to_vec();
    bytes.extend((0..4_096_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()));
    bytes
}
