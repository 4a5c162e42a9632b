//! The files of the page, as they are in the program, and the headers with which they are sent.

use axum::response::{IntoResponse, Response};
use http::HeaderName;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};

/// What the page may do: load its own files, and talk to this host. Nothing can become a script that is not one of these files: text
/// of models and documents is put into the page as text, and browsers that know trusted types refuse any other way.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page itself.
const PAGE: &str = include_str!("../chat/index.html");

/// What the page loads: its name, type and content.
const FILES: [(&str, &str, &str); 7] = [
    ("chat.css", CSS, include_str!("../chat/chat.css")),
    ("chat.js", SCRIPT, include_str!("../chat/chat.js")),
    ("client.js", SCRIPT, include_str!("../chat/client.js")),
    ("elements.js", SCRIPT, include_str!("../chat/elements.js")),
    ("markdown.js", SCRIPT, include_str!("../chat/markdown.js")),
    ("pane.js", SCRIPT, include_str!("../chat/pane.js")),
    ("results.js", SCRIPT, include_str!("../chat/results.js")),
];

/// The page.
pub(crate) fn page() -> Response {
    sent(HTML, PAGE)
}

/// A file that the page loads.
pub(crate) fn file(name: &str) -> Option<Response> {
    let (_, kind, text) = FILES.iter().find(|(known, ..)| *known == name)?;
    Some(sent(kind, text))
}

fn sent(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // The next program may have other files.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_files_that_there_are_and_has_no_script_or_style_of_its_own() {
        let loaded: Vec<&str> = PAGE.split("\"/demo/chat/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(loaded, ["chat.css", "chat.js"]);
        for (name, kind, text) in FILES {
            for import in text.split(" from \"./").skip(1).filter(|_| kind == SCRIPT) {
                let imported = import.split('"').next();
                assert!(FILES.iter().any(|(known, ..)| Some(*known) == imported), "{name} imports {imported:?}");
            }
        }
        for word in ["<style", " style=", " onclick=", "javascript:", "http://", "https://"] {
            assert!(!PAGE.contains(word), "{word}");
        }
        assert_eq!(PAGE.matches("<script").count(), 1);
    }

    #[test]
    fn no_script_makes_markup_of_text() {
        for (name, _, text) in FILES {
            for way in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "Function(",
                "setAttribute(\"on",
            ] {
                assert!(!text.contains(way), "{name} has {way}");
            }
        }
    }
}
