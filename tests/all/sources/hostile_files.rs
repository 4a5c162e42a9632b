//! Documents that attack their reader end with the code that says what they are, and nothing of them is said anywhere else.

use std::collections::BTreeMap;

use behalf_tests::LogLines;
use serde_json::Value;

use super::bed::{Bed, alice};
use super::hostile::{ALL, WORDS};

/// Parts of what the attacks would show if they worked: a file of this machine, what other hosts answer, programs.
const NEVER: [&str; 6] = ["root:", "/bin/", "alert(", "javascript:", "\u{1b}", "\u{202e}"];

/// How a source ended: as the table of attacks says it.
fn end_of(source: &Value) -> String {
    match source["extraction_status"].as_str().unwrap() {
        "failed" | "attention_required" => source["error_code"].as_str().unwrap().to_owned(),
        other => other.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_ends_with_its_code_and_the_next_document_is_read() {
    let log = LogLines::take();
    let bed = Bed::start().await;
    let mut ids = BTreeMap::new();
    for attack in ALL {
        let id = bed.added(&alice(), attack.name, (attack.make)()).await;
        ids.insert(attack.name, id);
    }
    let mut faults = Vec::new();
    for attack in ALL {
        let source = bed.ended(&alice(), &ids[attack.name]).await;
        let end = end_of(&source);
        if !attack.ends.contains(&end.as_str()) {
            faults.push(format!("{}: {end}, and not {:?}", attack.name, attack.ends));
            continue;
        }
        let texts = bed.texts(&alice(), &ids[attack.name]).await.concat();
        let said = format!("{texts}{source}");
        if let Some(found) = NEVER.iter().find(|never| said.contains(**never)) {
            faults.push(format!("{}: {found:?} stands in {said:.300}", attack.name));
        }
        if end == "extracted" {
            assert!(texts.contains(WORDS), "{}: {texts:.300}", attack.name);
            assert!(source["error_code"].is_null() && source["error_message"].is_null(), "{source}");
        } else {
            assert_eq!(texts, "", "{}", attack.name);
            let sentence = source["error_message"].as_str().unwrap();
            assert!(sentence.starts_with("The file ") && sentence.ends_with('.'), "{}: {sentence}", attack.name);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    // The host is as it was.
    let id = bed.read(&alice(), "plain.txt", "a plain text").await;
    assert_eq!(bed.texts(&alice(), &id).await, ["a plain text"]);
    let log = log.text();
    assert!(!log.contains(WORDS) && !log.contains("laugh"), "the log holds a text");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_titles_are_one_line_of_plain_characters() {
    let bed = Bed::start().await;
    let attack = ALL.iter().find(|attack| attack.name == "control-characters.html").unwrap();
    let id = bed.read(&alice(), "a\u{202e}b.html", (attack.make)()).await;
    let source = bed.ended(&alice(), &id).await;
    assert_eq!(source["name"], "ab.html");
    let title = source["auto_metadata"]["title"].as_str().unwrap();
    assert!(title.starts_with('A') && title.ends_with("name"), "{title:?}");
    assert!(!title.chars().any(|c| c.is_control() || c == '\u{202e}'), "{title:?}");
    let text = bed.texts(&alice(), &id).await.concat();
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
}
