//! What a document is. Its bytes say it; the end of its name decides only between kinds of text.

use crate::compound;
use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::text;
use crate::unpack::Archive;
use crate::xml::{self, Node};

/// Bytes that are looked at.
const HEAD: usize = 64 * 1024;
/// A PDF's first line may come after other bytes.
const PDF_AT: usize = 1024;

/// What is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    Pdf,
    Docx,
    Xlsx,
    Pptx,
    Odt,
    Ods,
    Odp,
    Epub,
    /// Of Office before 2007.
    Compound(compound::Kind),
    Rtf,
    Html,
    Eml,
    Csv,
    Tsv,
    Json,
    Markdown,
    Text,
}

impl Format {
    /// The name that the summary says.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Docx => "docx",
            Self::Xlsx => "xlsx",
            Self::Pptx => "pptx",
            Self::Odt => "odt",
            Self::Ods => "ods",
            Self::Odp => "odp",
            Self::Epub => "epub",
            Self::Compound(compound::Kind::Doc) => "doc",
            Self::Compound(compound::Kind::Xls) => "xls",
            Self::Compound(compound::Kind::Ppt) => "ppt",
            Self::Rtf => "rtf",
            Self::Html => "html",
            Self::Eml => "eml",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
            Self::Markdown => "md",
            Self::Text => "txt",
        }
    }
}

/// The format of a document.
pub(crate) fn sniff(document: &mut Document<'_>, extension: &str) -> Result<Format, Stop> {
    let head = document.head(HEAD)?;
    if head.is_empty() {
        return Err(Failure::empty("The file is empty.").into());
    }
    match head.as_slice() {
        [b'P', b'K', 3 | 5 | 7, ..] => sniff_zip(document),
        [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => Ok(Format::Compound(compound::kind(document)?)),
        [b'{', b'\\', b'r', b't', b'f', ..] => Ok(Format::Rtf),
        head if is_pdf(head) => Ok(Format::Pdf),
        head if is_picture(head) => Err(Failure::only_pictures("The file is a picture.").into()),
        head if text::is_text(head) => Ok(sniff_text(head, extension)),
        _ => Err(Failure::unknown_format("The file is of a format that cannot be read.").into()),
    }
}

/// A text may speak of PDF; what is before a PDF's first line is none.
fn is_pdf(head: &[u8]) -> bool {
    let at = head.windows(5).take(PDF_AT).position(|window| window == b"%PDF-");
    at.is_some_and(|at| at == 0 || !text::is_text(head))
}

fn is_picture(head: &[u8]) -> bool {
    let begins: [&[u8]; 8] =
        [b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"BM", b"\0\0\x01\0"];
    let is_webp = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP");
    let is_heif = matches!(head.get(4..12), Some(b"ftypheic" | b"ftypavif" | b"ftypmif1"));
    is_webp || is_heif || begins.iter().any(|begin| head.starts_with(begin) && (*begin != b"BM" || head.contains(&0)))
}

fn sniff_text(head: &[u8], extension: &str) -> Format {
    let begin = text::decode(head[..head.len().min(4096)].to_vec(), None);
    let begin = begin.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).to_ascii_lowercase();
    let is_html = ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| begin.starts_with(tag));
    match extension {
        "html" | "htm" | "xhtml" => Format::Html,
        "eml" => Format::Eml,
        "csv" => Format::Csv,
        "tsv" | "tab" => Format::Tsv,
        "json" | "jsonl" | "ndjson" | "geojson" | "ipynb" => Format::Json,
        "md" | "markdown" | "mdown" => Format::Markdown,
        _ if is_html || (begin.starts_with("<?xml") && begin.contains("<html")) => Format::Html,
        _ if is_mail(&begin) => Format::Eml,
        _ => Format::Text,
    }
}

/// Whether a text begins with headers of a mail.
fn is_mail(begin: &str) -> bool {
    let headers = begin.lines().take_while(|line| !line.trim().is_empty());
    let names = ["from:", "to:", "subject:", "date:", "received:", "message-id:", "mime-version:", "return-path:"];
    let known = headers.clone().filter(|line| names.iter().any(|name| line.starts_with(name))).count();
    let has_other = headers.clone().any(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !line.starts_with([' ', '\t']) && (name.len() == line.len() || name.contains(' '))
    });
    known >= 2 && !has_other
}

fn sniff_zip(document: &mut Document<'_>) -> Result<Format, Stop> {
    let mut archive = Archive::open(document)?;
    if let Some(kind) = archive.bytes("mimetype")? {
        let kind = String::from_utf8_lossy(&kind);
        let known = match kind.trim().trim_end_matches("-template") {
            "application/vnd.oasis.opendocument.text" => Some(Format::Odt),
            "application/vnd.oasis.opendocument.spreadsheet" => Some(Format::Ods),
            "application/vnd.oasis.opendocument.presentation" => Some(Format::Odp),
            "application/epub+zip" => Some(Format::Epub),
            _ => None,
        };
        if let Some(known) = known {
            return Ok(known);
        }
    }
    if archive.has("META-INF/container.xml") {
        return Ok(Format::Epub);
    }
    let unknown = Failure::unknown_format("The file is a package of files that is no document.");
    sniff_office(&mut archive)?.ok_or(Stop::Failed(unknown))
}

/// What the main part of an Office file is.
fn sniff_office(archive: &mut Archive<'_>) -> Result<Option<Format>, Stop> {
    let Some(mut types) = xml::entry(archive, "[Content_Types].xml")? else { return Ok(None) };
    loop {
        match types.next()? {
            Node::Open(element) => {
                let kind = element.attribute("ContentType").unwrap_or_default().to_lowercase();
                // Templates, shows and files with macros say `.main+xml` too.
                if !kind.ends_with(".main+xml") {
                    continue;
                }
                let format = [
                    ("wordprocessingml", Format::Docx),
                    ("ms-word", Format::Docx),
                    ("spreadsheetml", Format::Xlsx),
                    ("ms-excel", Format::Xlsx),
                    ("presentationml", Format::Pptx),
                    ("ms-powerpoint", Format::Pptx),
                ];
                if let Some((_, format)) = format.into_iter().find(|(part, _)| kind.contains(part)) {
                    return Ok(Some(format));
                }
            }
            Node::End => return Ok(None),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Reason;
    use crate::testing::{reason, zip};

    fn format(bytes: &[u8], extension: &str) -> Option<&'static str> {
        sniff(&mut Document::new(&bytes), extension).ok().map(Format::name)
    }

    #[test]
    fn the_bytes_decide_and_the_name_only_between_texts() {
        let cases: [(&[u8], &str, Option<&str>); 16] = [
            (b"%PDF-1.7\n", "docx", Some("pdf")),
            (b"\x00\x01junk\n%PDF-1.4\n", "", Some("pdf")),
            (b"How a %PDF-1.4 begins", "txt", Some("txt")),
            (b"{\\rtf1 x}", "doc", Some("rtf")),
            (b"<!DOCTYPE html><p>x", "pdf", Some("html")),
            (b"\xef\xbb\xbf  <HTML>", "", Some("html")),
            (b"<p>x", "html", Some("html")),
            (b"a,b", "csv", Some("csv")),
            (b"a\tb", "tsv", Some("tsv")),
            (b"a,b", "", Some("txt")),
            (b"# x", "md", Some("md")),
            (b"[1]", "json", Some("json")),
            (b"From: a@example.org\r\nSubject: x\r\n\r\ntext", "", Some("eml")),
            (b"From: a\nhere on: text\n", "txt", Some("txt")),
            (b"Note: x\nSubject: y\n", "txt", Some("txt")),
            (b"\x7fELF\x02\x01\x01\0\0\0", "txt", None),
        ];
        for (bytes, extension, expected) in cases {
            assert_eq!(format(bytes, extension), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn pictures_hold_no_text_and_other_packages_are_unknown() {
        for bytes in [&b"\x89PNG\r\n\x1a\n"[..], b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBPVP8 "] {
            assert_eq!(reason(bytes, "pdf"), Err(Reason::OnlyPictures));
        }
        assert_eq!(reason(&zip(&[("a.txt", b"text")]), "docx"), Err(Reason::UnknownFormat));
        assert_eq!(reason(b"PK\x03\x04", "docx"), Err(Reason::Damaged));
    }
}
