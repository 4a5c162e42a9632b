//! The pages of `docs/conformance`: one for each promise, and the index.

use std::fmt::Write as _;

use crate::promise::Promise;
use crate::promises::promises;

/// The page of a promise, in Markdown.
pub fn page(promise: &Promise) -> String {
    format!(
        "# {}\n\n{}\n\n**Why.** {}\n\n**How it is checked.** {}\n\n**How to fix it.** {}\n\n```console\n$ behalf tool check FILE.wasm --only {}\n```\n",
        promise.id, promise.sentence, promise.why, promise.how, promise.fix, promise.id
    )
}

/// The list of all promises, in Markdown.
pub fn index() -> String {
    let mut out = String::from("| promise | |\n| --- | --- |\n");
    for promise in promises() {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "| [{}]({}.md) | {} |", promise.id, promise.id, promise.sentence.replace('|', "\\|"));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Between these marks the README holds the index.
    const BEGIN: &str = "<!-- promises -->\n";
    const END: &str = "<!-- /promises -->";

    fn with_index(readme: &str) -> String {
        let (before, rest) = readme.split_once(BEGIN).expect("the README has a place for the index");
        let (_, after) = rest.split_once(END).expect("the place has an end");
        format!("{before}{BEGIN}{}{END}{after}", index())
    }

    #[test]
    fn the_pages_are_those_of_the_promises() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance");
        let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
        let mut wanted: Vec<_> = promises().map(|promise| (format!("{}.md", promise.id), page(promise))).collect();
        wanted.push(("README.md".to_owned(), with_index(&readme)));
        wanted.sort();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            for (name, text) in &wanted {
                std::fs::write(folder.join(name), text).unwrap();
            }
        }
        for (name, text) in &wanted {
            let there = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            assert!(
                there == *text,
                "docs/conformance/{name} is not current; refresh the pages with UPDATE_DOCS=1 cargo test -p behalf-conformance"
            );
        }
        let mut names: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let wanted: Vec<_> = wanted.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, wanted, "docs/conformance/ holds the pages of the promises and nothing else");
    }
}
