//! Keeps objects from running as pages of the host's own origin.
//!
//! Whoever may upload chooses the media type. A page of HTML is shown as text. Other documents that can hold scripts, such as SVG,
//! are shown without any: images of an app that are SVG stay images. `nosniff` keeps browsers from guessing another type.

use crate::upload::facts::{ANY_TYPE, essence};

/// What a document may do that is not known to be harmless: show itself.
pub(super) const ONLY_SHOWN: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; media-src data:; sandbox";

/// The type under which an object is sent.
pub(super) fn sent_type(stored: Option<&str>) -> &str {
    match stored.unwrap_or(ANY_TYPE) {
        html if html.to_ascii_lowercase().contains("text/html") => "text/plain",
        // A header that no browser could read.
        odd if !odd.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) || odd.is_empty() => ANY_TYPE,
        other => other,
    }
}

/// Whether browsers could run scripts in a document of this type. Types that are not known could.
pub(super) fn may_run(sent_type: &str) -> bool {
    // Browsers take the last of several types.
    if sent_type.contains(',') {
        return true;
    }
    let lower = sent_type.to_ascii_lowercase();
    let Some((kind, subtype)) = essence(&lower) else { return true };
    if subtype.contains("xml") || subtype.contains("html") || subtype.contains("svg") {
        return true;
    }
    match kind {
        "application" | "audio" | "font" | "image" | "model" | "video" => false,
        "text" => !matches!(
            subtype,
            "plain"
                | "css"
                | "csv"
                | "javascript"
                | "markdown"
                | "calendar"
                | "vcard"
                | "vtt"
                | "rtf"
                | "yaml"
                | "tab-separated-values"
        ),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_text() {
        for html in ["text/html", "TEXT/HTML; charset=utf-8", "image/png, text/html", "text/html;x", " text/html"] {
            assert_eq!(sent_type(Some(html)), "text/plain", "{html}");
        }
        for odd in ["", "a/b\r\nx: y", "é/x", "\0"] {
            assert_eq!(sent_type(Some(odd)), ANY_TYPE, "{odd:?}");
        }
        assert_eq!(sent_type(None), ANY_TYPE);
        assert_eq!(sent_type(Some("image/png")), "image/png");
    }

    #[test]
    fn documents_with_scripts_are_only_shown_and_images_and_films_are_left_alone() {
        for active in [
            "image/svg+xml",
            "IMAGE/SVG+XML",
            "image/svg+xml; charset=utf-8",
            "application/xhtml+xml",
            "application/xml",
            "text/xml",
            "text/xsl",
            "application/rss+xml",
            "application/mathml+xml",
            "multipart/related",
            "multipart/x-mixed-replace; boundary=a",
            "message/rfc822",
            "x-unknown/y",
            "nonsense",
            "image/png,application/xhtml+xml",
            "image/png; a=\",\", application/xhtml+xml",
            "image /png",
        ] {
            assert!(may_run(active), "{active}");
        }
        for passive in [
            "image/png",
            "image/jpeg",
            "image/avif",
            "video/mp4",
            "audio/mpeg",
            "font/woff2",
            "application/pdf",
            "application/json",
            "application/octet-stream",
            "text/plain; charset=utf-8",
            "text/css",
            "text/javascript",
            "application/wasm",
            "application/zip",
            "model/gltf-binary",
        ] {
            assert!(!may_run(passive), "{passive}");
        }
    }
}
