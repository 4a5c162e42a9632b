//! Which tables of an HTML file are tables, and which only put things beside each other.

use html5gum::{DefaultEmitter, StringReader, Token, Tokenizer};

/// A tokenizer that reads scripts and styles as text.
pub(super) fn tokens(html: &str) -> Tokenizer<StringReader<'_>, DefaultEmitter> {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter)
}

#[derive(Debug, Default)]
struct Shape {
    columns: usize,
    widest: usize,
    has_header: bool,
    has_table: bool,
    presents: bool,
}

/// For each table in the order of their begins, whether it is one for layout: mails are made of them.
pub(super) fn layout_tables(html: &str) -> Vec<bool> {
    let mut shapes: Vec<Shape> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for token in tokens(html) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let shape = open.last().and_then(|index| shapes.get_mut(*index));
                match (&**tag.name, shape) {
                    (b"table", outer) => {
                        if let Some(outer) = outer {
                            outer.has_table = true;
                        }
                        let role = tag.attributes.get(b"role".as_slice()).map(|role| role.value.to_ascii_lowercase());
                        let presents = role.is_some_and(|role| role == b"presentation" || role == b"none");
                        open.push(shapes.len());
                        shapes.push(Shape { presents, ..Shape::default() });
                    }
                    (b"tr", Some(shape)) => shape.columns = 0,
                    (b"td" | b"th", Some(shape)) => {
                        shape.columns += 1;
                        shape.widest = shape.widest.max(shape.columns);
                        shape.has_header |= &**tag.name == b"th";
                    }
                    _ => {}
                }
            }
            Token::EndTag(tag) if &**tag.name == b"table" => drop(open.pop()),
            _ => {}
        }
    }
    let is_layout = |shape: &Shape| shape.presents || (!shape.has_header && (shape.has_table || shape.widest < 2));
    shapes.iter().map(is_layout).collect()
}
