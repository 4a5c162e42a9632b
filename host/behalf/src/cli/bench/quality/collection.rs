//! The Cranfield collection as its files are.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Abstract {
    /// Its number.
    pub(super) number: u32,
    /// Its title.
    pub(super) title: String,
    /// Its text, which begins with the title.
    pub(super) text: String,
}

impl Abstract {
    /// It as a page of Markdown: the title as a heading, and the text without it.
    pub(super) fn markdown(&self) -> String {
        let body = self.text.strip_prefix(&self.title).unwrap_or(&self.text).trim();
        if self.title.is_empty() { body.to_owned() } else { format!("# {}\n\n{body}", self.title) }
    }
}

/// Documents, questions, and which documents answer which question.
#[derive(Debug)]
pub(super) struct Collection {
    pub(super) documents: Vec<Abstract>,
    /// In the order of the file. Judgements name them by this order, from 1 on, and not by their own numbers.
    pub(super) questions: Vec<String>,
    /// For each question the numbers of documents that somebody judged to be of any use.
    pub(super) answers: Vec<Vec<u32>>,
}

impl Collection {
    /// Reads `cran.all.1400`, `cran.qry` and `cranqrel`.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let file = |name: &str| {
            let bytes = std::fs::read(folder.join(name)).with_context(|| format!("cannot read {name}"))?;
            anyhow::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let documents = documents(&file("cran.all.1400")?)?;
        let questions: Vec<String> = entries(&file("cran.qry")?).map(|(_, parts)| part(&parts, "W")).collect();
        let answers = answers(&file("cranqrel")?, questions.len())?;
        ensure!(!documents.is_empty() && !questions.is_empty(), "the collection is empty");
        Ok(Self { documents, questions, answers })
    }
}

fn documents(text: &str) -> anyhow::Result<Vec<Abstract>> {
    entries(text)
        .map(|(number, parts)| {
            let number = number.parse().context("a document has no number")?;
            Ok(Abstract { number, title: part(&parts, "T"), text: part(&parts, "W") })
        })
        .collect()
}

/// What stands behind `.I`, and the parts by their letters.
fn entries(text: &str) -> impl Iterator<Item = (&str, BTreeMap<&str, String>)> {
    text.split(".I ").skip(1).map(|entry| {
        let mut lines = entry.lines();
        let number = lines.next().unwrap_or_default().trim();
        let (mut parts, mut letter) = (BTreeMap::<&str, String>::new(), "");
        for line in lines {
            if let Some(name @ ("T" | "A" | "B" | "W")) = line.trim_end().strip_prefix('.') {
                letter = name;
                continue;
            }
            let part = parts.entry(letter).or_default();
            part.push_str(line);
            part.push(' ');
        }
        (number, parts)
    })
}

/// A part with single spaces.
fn part(parts: &BTreeMap<&str, String>, letter: &str) -> String {
    let text = parts.get(letter).map_or("", String::as_str);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn answers(text: &str, questions: usize) -> anyhow::Result<Vec<Vec<u32>>> {
    let mut answers = vec![Vec::new(); questions];
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut numbers = line.split_whitespace();
        let question: usize = numbers.next().context("no question")?.parse()?;
        let document: u32 = numbers.next().context("no document")?.parse()?;
        let of_question = question.checked_sub(1).and_then(|place| answers.get_mut(place));
        let of_question = of_question.context("a judgement names no question")?;
        if !of_question.contains(&document) {
            of_question.push(document);
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_read_as_they_are() {
        let text = ".I 7\n.T\na wing\nin a stream .\n.A\nsmith\n.B\nj. 1958\n.W\na wing\nin a stream .\n  it lifts .I think\nso\n";
        let read = documents(text.split("I think").next().expect("a text")).expect("documents");
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].number, read[0].title.as_str()), (7, "a wing in a stream ."));
        assert_eq!(read[0].markdown(), "# a wing in a stream .\n\nit lifts .");
        assert_eq!(answers("2 7 1 \n2 7 2\n1 9 -1\n", 2).expect("judgements"), [vec![9], vec![7]]);
        assert!(answers("3 7 1", 2).is_err());
    }
}
