//! The text of a page: Markdown, in characters that a search finds.

use unicode_normalization::UnicodeNormalization;
use unpdf::render::{RenderOptions, to_markdown};
use unpdf::{Document, Page};

/// Filled shapes without any text from which on a page shows something. Letters that were drawn as shapes are many.
const MANY_SHAPES: u32 = 30;

/// Whether a page shows a picture, or shapes that may be letters.
pub(super) fn is_picture(page: &Page) -> bool {
    page.image_op_count > 0 || page.fill_op_count >= MANY_SHAPES
}

/// A page as Markdown. `is_tex` says that its letters may have their accents before them.
pub(super) fn markdown(page: Page, is_tex: bool) -> String {
    let mut document = Document::new();
    document.add_page(page);
    let text = to_markdown(&document, &RenderOptions::default()).unwrap_or_default();
    let text = readable(&text);
    if is_tex { accented(&text) } else { text }
}

/// The text with accents on the letters behind them. The first fonts of TeX have no letters with accents: it draws an
/// accent, and then the letter below it.
fn accented(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let after = rest.as_str();
        // Markdown escapes a grave accent.
        let (accent, letters) = match after.strip_prefix('`') {
            Some(letters) if character == '\\' => (Some('\u{300}'), letters),
            _ => (accent_of(character), after),
        };
        let letter = letters.chars().next().filter(|letter| letter.is_alphabetic());
        match accent.zip(letter).and_then(|(accent, letter)| composed(letter, accent)) {
            Some(composed) => {
                out.push(composed);
                rest = letters.chars();
                rest.next();
            }
            None => out.push(character),
        }
    }
    out
}

/// The accent that is drawn above a letter where this character stands before it.
fn accent_of(character: char) -> Option<char> {
    Some(match character {
        '´' => '\u{301}',
        'ˆ' => '\u{302}',
        '˜' => '\u{303}',
        '¯' => '\u{304}',
        '˘' => '\u{306}',
        '˙' => '\u{307}',
        '¨' => '\u{308}',
        '˚' => '\u{30a}',
        '˝' => '\u{30b}',
        'ˇ' => '\u{30c}',
        _ => return None,
    })
}

/// The letter with the accent, if there is such a letter. Those without a dot have one where they have no accent.
fn composed(letter: char, accent: char) -> Option<char> {
    let letter = match letter {
        'ı' => 'i',
        'ȷ' => 'j',
        letter => letter,
    };
    unicode_normalization::char::compose(letter, accent)
}

/// The text with letters in place of their shapes: `ﬁ` is two letters, and an Arabic letter has one character and not
/// one for each of its four shapes. A soft hyphen that a font draws is a hyphen.
fn readable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{ad}' => out.push('-'),
            '\u{a0}' => out.push(' '),
            _ if is_shape(character) => out.extend(std::iter::once(character).nfkc()),
            _ => out.push(character),
        }
    }
    out.trim().to_owned()
}

/// Latin, Armenian, Hebrew and Arabic shapes of letters, and the parts of Chinese characters that fonts confuse with
/// the characters that look the same.
fn is_shape(character: char) -> bool {
    matches!(character, '\u{fb00}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{2e9f}' | '\u{2ef3}' | '\u{2f00}'..='\u{2fd5}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_come_to_their_letters() {
        assert_eq!(
            accented("na¨ıve G¨odel, ˚Angstr¨om, Dvoˇr´ak \\`a 20 ˚C ¨ x ´"),
            "naïve Gödel, Ångström, Dvořák à 20 ˚C ¨ x ´"
        );
    }

    #[test]
    fn shapes_become_letters() {
        assert_eq!(readable("e\u{fb03}cient A\u{ad}4 a\u{a0}b "), "efficient A-4 a b");
        assert_eq!(readable("\u{feb3}\u{fefc}\u{fee1}"), "سلام");
        assert_eq!(readable("\u{fb2a}\u{fb2e}"), "\u{5e9}\u{5c1}\u{5d0}\u{5b7}");
        assert_eq!(readable("⽣⽽⾃由 x² ½ Ⅳ"), "生而自由 x² ½ Ⅳ");
    }
}
