//! The documents of `tests/documents`, read as the host reads them, and compared with what must be found in them.
//!
//! `tests/golden/document_misses.txt` has what is known to be wrong. After a change of the component:
//! `UPDATE_GOLDEN=1 ./dev test -E 'test(/^sources::corpus::/)'`, then read `git diff tests/golden`. A line that is new has to be a miss that
//! nobody can mend now.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use behalf_config::environment;
use behalf_sandbox::{Compiler, DocumentLimits, DocumentOptions, DocumentReader, Page, ReadFailure, Summary};
use behalf_tests::app::STATE_DIR;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::markdown::{Markdown, squeeze};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/document_misses.txt");

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("documents")
}

/// What was found in a document.
struct Found {
    pages: Vec<Page>,
    markdown: Vec<Markdown>,
    end: Result<Summary, ReadFailure>,
}

async fn read(reader: &DocumentReader, name: &str) -> Found {
    let file = File::open(documents().join("files").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let extension = name.rsplit_once('.').map_or("", |(_, end)| end);
    let (sender, mut receiver) = mpsc::channel(4);
    let mut pages = Vec::new();
    let (end, ()) = tokio::join!(reader.read(file, extension, sender, CancellationToken::new()), async {
        while let Some(page) = receiver.recv().await {
            pages.push(page);
        }
    });
    let markdown = pages.iter().map(|page| Markdown::read(&page.text)).collect();
    Found { pages, markdown, end }
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// Those of `wanted` that are not in `found` in this order.
fn missing<'w, W, F>(wanted: &'w [W], found: &[F], fits: impl Fn(&W, &F) -> bool) -> Vec<&'w W> {
    let mut at = 0;
    let is_missing = |each: &&W| match found.iter().skip(at).position(|found| fits(each, found)) {
        Some(place) => {
            at += place + 1;
            false
        }
        None => true,
    };
    wanted.iter().filter(is_missing).collect()
}

/// Everything that is not as it is expected, each in one line.
fn misses(expected: &Value, found: &Found) -> Vec<String> {
    let mut misses = Vec::new();
    let summary = match (&found.end, expected["failure"].as_str()) {
        (Err(ReadFailure::Document(refusal)), Some(wanted)) if refusal.code().replace('_', "-") == wanted => {
            return misses;
        }
        (Err(ReadFailure::Document(refusal)), wanted) => {
            return vec![format!("failure: wanted {}, got {}", wanted.unwrap_or("text"), refusal.code())];
        }
        (Err(error), _) => panic!("the host failed: {error}"),
        (Ok(_), Some(wanted)) => return vec![format!("failure: wanted {wanted}, got text")],
        (Ok(summary), None) => summary,
    };
    of_texts(expected, found, summary, &mut misses);
    of_marks(expected, found, &mut misses);
    of_properties(expected, found, summary, &mut misses);
    misses
}

fn of_texts(expected: &Value, found: &Found, summary: &Summary, misses: &mut Vec<String>) {
    let plain: Vec<&str> = found.markdown.iter().map(|page| page.plain.as_str()).collect();
    let whole = plain.join(" ");
    let mut at = 0;
    for text in texts(&expected["in_order"]) {
        match whole[at..].find(text) {
            Some(place) => at += place + text.len(),
            None if whole.contains(text) => misses.push(format!("texts: out of order: {text}")),
            None => misses.push(format!("texts: absent: {text}")),
        }
    }
    for each in expected["on_page"].as_array().unwrap() {
        let (page, text) = (each["page"].as_u64().unwrap(), each["text"].as_str().unwrap());
        let is_there =
            usize::try_from(page - 1).ok().and_then(|index| plain.get(index)).is_some_and(|page| page.contains(text));
        if !is_there {
            misses.push(format!("texts: page {page}: {text}"));
        }
    }
    let raw: Vec<&str> = found.pages.iter().map(|page| page.text.as_str()).collect();
    let names: Vec<&str> = found.pages.iter().filter_map(|page| page.name.as_deref()).collect();
    let said = [&whole, &raw.join("\n"), &names.join("\n"), summary.title.as_deref().unwrap_or_default()].join("\n");
    misses.extend(
        texts(&expected["absent"])
            .iter()
            .filter(|text| said.contains(**text))
            .map(|text| format!("texts: unwanted: {text}")),
    );
    for each in expected["at_most"].as_array().unwrap() {
        let (text, most) = (each["text"].as_str().unwrap(), each["times"].as_u64().unwrap());
        let times = whole.matches(text).count();
        if times as u64 > most {
            misses.push(format!("texts: {times} times: {text}"));
        }
    }
}

fn of_marks(expected: &Value, found: &Found, misses: &mut Vec<String>) {
    let all = |of: fn(&Value) -> &Value| of(expected).as_array().unwrap().as_slice();
    let headings: Vec<_> = found.markdown.iter().flat_map(|page| &page.headings).collect();
    let is_number = |wanted: &Value, found: u64| wanted.is_null() || wanted == found;
    let lost = missing(all(|e| &e["headings"]), &headings, |wanted, (level, text)| {
        is_number(&wanted["level"], *level) && wanted["text"] == text.as_str()
    });
    misses.extend(lost.iter().map(|wanted| format!("headings: {} {}", wanted["level"], wanted["text"])));
    let items: Vec<_> = found.markdown.iter().flat_map(|page| &page.items).collect();
    let lost = missing(all(|e| &e["items"]), &items, |wanted, (depth, text)| {
        is_number(&wanted["depth"], *depth) && text.contains(wanted["text"].as_str().unwrap())
    });
    misses.extend(lost.iter().map(|wanted| format!("items: {} {}", wanted["depth"], wanted["text"])));
    let rows: Vec<_> = found.markdown.iter().flat_map(|page| &page.rows).collect();
    let lost = missing(all(|e| &e["rows"]), &rows, |wanted, row| {
        let wanted = wanted.as_array().unwrap();
        wanted.len() == row.len()
            && wanted.iter().zip(*row).all(|(wanted, cell)| wanted.is_null() || wanted == cell.as_str())
    });
    misses.extend(lost.iter().map(|wanted| format!("rows: {wanted}")));
    let links: Vec<_> = found.markdown.iter().flat_map(|page| &page.links).collect();
    let has =
        |wanted: &Value| links.iter().any(|(text, to)| wanted["text"] == text.as_str() && wanted["to"] == to.as_str());
    let lost = all(|e| &e["links"]).iter().filter(|wanted| !has(wanted));
    misses.extend(lost.map(|wanted| format!("links: {} -> {}", wanted["text"], wanted["to"])));
}

fn of_properties(expected: &Value, found: &Found, summary: &Summary, misses: &mut Vec<String>) {
    if let Some(bounds) = expected["pages"].as_object() {
        let pages = found.pages.len() as u64;
        if pages < bounds["least"].as_u64().unwrap() || pages > bounds["most"].as_u64().unwrap() {
            misses.push(format!("pages: {pages}, wanted {} to {}", bounds["least"], bounds["most"]));
        }
    }
    let names: Vec<&str> = found.pages.iter().filter_map(|page| page.name.as_deref()).collect();
    for (kind, wanted, got) in [
        ("format", &expected["format"], json!(summary.format)),
        ("title", &expected["title"], json!(summary.title)),
        ("author", &expected["author"], json!(summary.author)),
        ("pictures", &expected["pictures"], json!(summary.pictures)),
        ("page_names", &expected["page_names"], json!(names)),
    ] {
        let is_compared = !wanted.is_null() && *wanted != json!([]) || kind == "pictures" && !wanted.is_null();
        if is_compared && *wanted != got {
            misses.push(format!("{kind}: {got}, wanted {wanted}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_be_found_in_real_documents_is_found() {
    let compiler = environment("BEHALF_TEST_BIN").map(PathBuf::from).map(Compiler::Process);
    let options = DocumentOptions {
        component: behalf_bundled::EXTRACTOR,
        places: 2,
        limits: DocumentLimits::default(),
        compiler: compiler.expect("BEHALF_TEST_BIN is set by `./dev test`"),
    };
    let reader = DocumentReader::new(&Path::new(STATE_DIR).join("compiled"), options).unwrap();
    let expected: Vec<Value> =
        serde_json::from_slice(&std::fs::read(documents().join("expected.json")).unwrap()).unwrap();
    assert!(expected.len() > 80, "the corpus is where it should be");
    let mut wrong = String::new();
    for document in &expected {
        let name = document["file"].as_str().unwrap();
        let found = read(&reader, name).await;
        for miss in misses(document, &found) {
            writeln!(wrong, "{name}: {}", squeeze(&miss)).unwrap();
        }
    }
    if environment("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &wrong).unwrap();
    }
    let known = std::fs::read_to_string(GOLDEN).unwrap();
    let only = |text: &str, other: &str, says: &str| -> String {
        let lines = text.lines().filter(|line| !other.lines().any(|same| same == *line));
        lines.fold(String::new(), |all, line| all + says + line + "\n")
    };
    let difference = only(&wrong, &known, "not known: ") + &only(&known, &wrong, "mended, and still on the list: ");
    assert!(wrong == known, "tests/golden/document_misses.txt differs:\n{difference}");
}
