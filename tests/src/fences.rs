//! The fences of a page of the documentation, whose commands the tests run.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// The fenced blocks of a page in their order: what stands behind the opening fence, and the content.
pub fn fences(page: &str) -> Vec<(String, String)> {
    let (mut all, mut fence) = (Vec::new(), None);
    for event in Parser::new(page) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                fence = Some((info.to_string(), String::new()));
            }
            Event::Text(text) => {
                if let Some((_, content)) = &mut fence {
                    content.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => all.extend(fence.take()),
            _ => {}
        }
    }
    all
}
