//! The numbers of a Word document's lists and headings.

use std::collections::HashMap;

use crate::failure::Failure;
use crate::unpack::Archive;
use crate::xml::{self, Node};

/// Levels of a list in Word.
const LEVELS: usize = 9;
/// Most lists of a document.
const MAX_LISTS: usize = 10_000;
/// Most characters of a number with what is around it.
const MAX_LABEL: usize = 50;

#[derive(Clone, Debug)]
struct Level {
    start: u32,
    /// Such as `decimal` or `bullet`.
    format: String,
    /// Such as `%1.%2`.
    text: String,
}

impl Default for Level {
    fn default() -> Self {
        Self { start: 1, format: "decimal".into(), text: String::new() }
    }
}

type Levels = HashMap<usize, Level>;

#[derive(Debug, Default)]
struct List {
    definition: String,
    /// Levels that begin anew in this list.
    starts: HashMap<usize, u32>,
}

/// The lists, and how far each is counted.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    definitions: HashMap<String, Levels>,
    lists: HashMap<String, List>,
    /// By definition: lists of one definition count on.
    counts: HashMap<String, [Option<u32>; LEVELS]>,
    /// Lists that were begun.
    begun: HashMap<String, bool>,
}

/// What stands before a paragraph.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Label {
    Bullet,
    Number(String),
}

impl Numbering {
    pub(super) fn read(archive: &mut Archive<'_>, part: &str) -> Result<Self, Failure> {
        let mut numbering = Self::default();
        let Some(mut xml) = xml::entry(archive, part)? else { return Ok(numbering) };
        let (mut definition, mut list, mut level) = (None, None, 0);
        loop {
            match xml.next()? {
                Node::Open(element) => {
                    let value = || element.attribute("val").unwrap_or_default();
                    match element.name() {
                        "abstractNum" => definition = element.attribute("abstractNumId"),
                        "num" => (definition, list) = (None, element.attribute("numId")),
                        "lvl" | "lvlOverride" => level = element.number("ilvl").unwrap_or(0).min(LEVELS - 1),
                        "abstractNumId" => numbering.list(list.as_deref()).definition = value(),
                        "startOverride" => {
                            let start = value().parse().unwrap_or(1);
                            numbering.list(list.as_deref()).starts.insert(level, start);
                        }
                        "start" => numbering.level(definition.as_deref(), level).start = value().parse().unwrap_or(1),
                        "numFmt" => numbering.level(definition.as_deref(), level).format = bounded(&value()),
                        "lvlText" => numbering.level(definition.as_deref(), level).text = bounded(&value()),
                        _ => {}
                    }
                }
                Node::End => return Ok(numbering),
                _ => {}
            }
        }
    }

    fn list(&mut self, id: Option<&str>) -> &mut List {
        let id = if self.lists.len() < MAX_LISTS { id.unwrap_or_default() } else { "" };
        self.lists.entry(id.into()).or_default()
    }

    fn level(&mut self, definition: Option<&str>, level: usize) -> &mut Level {
        let id = if self.definitions.len() < MAX_LISTS { definition.unwrap_or_default() } else { "" };
        self.definitions.entry(id.into()).or_default().entry(level).or_default()
    }

    /// Counts a paragraph of a list, and says what stands before it. Nothing if it is of no list.
    pub(super) fn next(&mut self, list_id: &str, level: usize) -> Option<Label> {
        let level = level.min(LEVELS - 1);
        let list = self.lists.get(list_id)?;
        let levels = self.definitions.get(&list.definition)?;
        let counts = self.counts.entry(list.definition.clone()).or_default();
        if !list.starts.is_empty() && self.begun.insert(list_id.into(), true).is_none() {
            for (level, start) in &list.starts {
                counts[*level] = start.checked_sub(1);
            }
        }
        let start = |level: usize| levels.get(&level).map_or(1, |level| level.start);
        counts[level] = Some(counts[level].map_or_else(|| start(level), |count| count.saturating_add(1)));
        counts[level + 1..].fill(None);
        let format = levels.get(&level)?;
        match format.format.as_str() {
            "none" => None,
            "bullet" => Some(Label::Bullet),
            _ => {
                let mut text = format.text.clone();
                for (index, count) in counts.iter().enumerate() {
                    let count = count.unwrap_or_else(|| start(index));
                    let format = levels.get(&index).map_or("decimal", |level| level.format.as_str());
                    text = text.replace(&format!("%{}", index + 1), &formatted(count, format));
                }
                Some(if text.trim().is_empty() { Label::Bullet } else { Label::Number(text.trim().into()) })
            }
        }
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_LABEL).collect()
}

fn formatted(count: u32, format: &str) -> String {
    match format {
        "lowerLetter" => letters(count),
        "upperLetter" => letters(count).to_uppercase(),
        "lowerRoman" => roman(count),
        "upperRoman" => roman(count).to_uppercase(),
        "decimalZero" => format!("{count:02}"),
        _ => count.to_string(),
    }
}

/// a to z, then aa to zz, as Word counts.
fn letters(count: u32) -> String {
    let index = count.saturating_sub(1);
    let letter = char::from(b'a' + u8::try_from(index % 26).unwrap_or(0));
    letter.to_string().repeat((index / 26).min(20) as usize + 1)
}

fn roman(count: u32) -> String {
    const PARTS: [(u32, &str); 13] = [
        (1000, "m"),
        (900, "cm"),
        (500, "d"),
        (400, "cd"),
        (100, "c"),
        (90, "xc"),
        (50, "l"),
        (40, "xl"),
        (10, "x"),
        (9, "ix"),
        (5, "v"),
        (4, "iv"),
        (1, "i"),
    ];
    if count > 3999 {
        return count.to_string();
    }
    let mut left = count;
    let mut text = String::new();
    for (value, part) in PARTS {
        while left >= value {
            text.push_str(part);
            left -= value;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_as_word_writes_them() {
        let cases =
            [(4, "lowerRoman", "iv"), (28, "lowerLetter", "bb"), (1994, "upperRoman", "MCMXCIV"), (7, "x", "7")];
        for (count, format, expected) in cases {
            assert_eq!(formatted(count, format), expected);
        }
    }

    #[test]
    fn levels_count_on_and_begin_anew() {
        let mut numbering = Numbering::default();
        for (level, text) in [(0, "%1."), (1, "%1.%2")] {
            numbering.level(Some("a"), level).text = text.into();
        }
        for id in ["1", "2"] {
            numbering.list(Some(id)).definition = "a".into();
        }
        numbering.list(Some("2")).starts.insert(0, 1);
        let mut next = |list, level| match numbering.next(list, level) {
            Some(Label::Number(text)) => text,
            other => format!("{other:?}"),
        };
        assert_eq!(next("1", 0), "1.");
        assert_eq!(next("1", 1), "1.1");
        assert_eq!(next("1", 1), "1.2");
        assert_eq!(next("1", 0), "2.");
        assert_eq!(next("1", 1), "2.1");
        assert_eq!(next("2", 0), "1.");
        assert_eq!(next("2", 0), "2.");
        assert_eq!(next("3", 0), "None");
    }
}
