//! What kinds of files a source may be, by the end of its name.

/// The type of bytes of which nothing more is said.
pub(crate) const ANY_TYPE: &str = "application/octet-stream";

/// A kind of file: the end of its name in small letters, and its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileType {
    extension: &'static str,
    content_type: &'static str,
}

/// Of several ends with the same media type, a fetched file gets the first.
const TYPES: &[(&str, &str)] = &[
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("markdown", "text/markdown"),
    ("csv", "text/csv"),
    ("tsv", "text/tab-separated-values"),
    ("json", "application/json"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("docm", "application/vnd.ms-word.document.macroenabled.12"),
    ("doc", "application/msword"),
    ("rtf", "application/rtf"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xlsm", "application/vnd.ms-excel.sheet.macroenabled.12"),
    ("xlsb", "application/vnd.ms-excel.sheet.binary.macroenabled.12"),
    ("xls", "application/vnd.ms-excel"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("pptm", "application/vnd.ms-powerpoint.presentation.macroenabled.12"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("epub", "application/epub+zip"),
    ("eml", "message/rfc822"),
    // Pictures hold no text that can be read out without recognising it; they end as `attention_required`.
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("tiff", "image/tiff"),
    ("tif", "image/tiff"),
];

impl FileType {
    /// The kind of a file with this name; none where the end of the name is no known one.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::of_extension(extension(name)?)
    }

    /// The kind with this extension, in letters of any size.
    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension)).copied().map(Self::from)
    }

    /// The kind of bytes that a server says have this media type.
    pub(crate) fn of_content_type(header: &str) -> Option<Self> {
        let essence = header.split(';').next().unwrap_or_default().trim();
        let essence = match essence.to_ascii_lowercase().as_str() {
            "application/xhtml+xml" => "text/html".to_owned(),
            "application/csv" => "text/csv".to_owned(),
            "text/x-markdown" => "text/markdown".to_owned(),
            "text/rtf" => "application/rtf".to_owned(),
            "application/x-pdf" => "application/pdf".to_owned(),
            other => other.to_owned(),
        };
        TYPES.iter().find(|(_, known)| *known == essence).copied().map(Self::from)
    }

    /// The end of the name, in small letters.
    pub(crate) fn extension(self) -> &'static str {
        self.extension
    }

    /// The media type.
    pub(crate) fn content_type(self) -> &'static str {
        self.content_type
    }
}

impl From<(&'static str, &'static str)> for FileType {
    fn from((extension, content_type): (&'static str, &'static str)) -> Self {
        Self { extension, content_type }
    }
}

/// The end of a name after its last dot; none where it has no dot, or nothing but what follows it.
pub(crate) fn extension(name: &str) -> Option<&str> {
    let (stem, end) = name.rsplit_once('.')?;
    (!stem.is_empty() && !end.is_empty()).then_some(end)
}

/// The media type under which a file of this type is sent. What a browser could run as a page is sent as plain text.
pub(crate) fn sent_type(stored: Option<&str>) -> &str {
    match stored.unwrap_or(ANY_TYPE) {
        "text/html" => "text/plain; charset=utf-8",
        // An app's own SQL may have put anything into the row.
        other if TYPES.iter().any(|(_, known)| *known == other) => other,
        _ => ANY_TYPE,
    }
}

/// The ends of names that are taken, for errors.
pub(crate) fn known_extensions() -> String {
    TYPES.iter().map(|(extension, _)| *extension).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_name_says_what_a_file_is() {
        let of = |name: &str| FileType::of_name(name).map(FileType::extension);
        assert_eq!(of("report.PDF"), Some("pdf"));
        assert_eq!(of("a.tar.docx"), Some("docx"));
        for unknown in ["report", ".pdf", "report.", "report.exe", "report.pdf ", "report.pd\u{131}f", ""] {
            assert_eq!(of(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn a_media_type_names_one_kind() {
        let of = |header: &str| FileType::of_content_type(header).map(FileType::extension);
        assert_eq!(of("Text/HTML; charset=utf-8"), Some("html"));
        assert_eq!(of("image/jpeg"), Some("jpg"));
        assert_eq!(of("application/octet-stream"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn nothing_is_sent_as_a_page() {
        assert_eq!(sent_type(Some("text/html")), "text/plain; charset=utf-8");
        assert_eq!(sent_type(Some("application/pdf")), "application/pdf");
        for odd in [None, Some("image/svg+xml"), Some("application/xhtml+xml"), Some("a/b\r\nx: y"), Some("")] {
            assert_eq!(sent_type(odd), ANY_TYPE, "{odd:?}");
        }
    }
}
