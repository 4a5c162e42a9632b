//! Markdown stays as it is. It is cut at headings where it is long.

use crate::document::Document;
use crate::failure::Stop;
use crate::pages::Pages;
use crate::text;
use crate::writer::Writer;

/// Most lines that are looked through for the end of the front matter.
const FRONT_MATTER: usize = 200;

/// Hands over Markdown.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let text = text::read(document, text::MAX_FILE)?;
    let body = front_matter(&text, pages);
    let mut writer = Writer::new(pages);
    write(body, &mut writer)?;
    writer.end_part()
}

/// Writes Markdown, cut into its blocks.
pub(crate) fn write(text: &str, writer: &mut Writer<'_, '_>) -> Result<(), Stop> {
    let mut block = String::new();
    let mut fence: Option<&str> = None;
    for line in text.lines() {
        let start = line.trim_start();
        match fence {
            Some(open) => {
                if start.starts_with(open) && start.trim_matches(['`', '~', ' ']).is_empty() {
                    fence = None;
                }
            }
            None => fence = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark)),
        }
        let is_heading = fence.is_none() && heading_of(line).is_some();
        if is_heading || (fence.is_none() && start.is_empty()) {
            end_block(&mut block, writer)?;
        }
        if is_heading {
            if let Some((1, title)) = heading_of(line) {
                writer.pages.set_title(title);
            }
            writer.block(line.trim_end(), true)?;
        } else if fence.is_some() || !start.is_empty() {
            block.push_str(line.trim_end());
            block.push('\n');
        }
    }
    end_block(&mut block, writer)
}

fn end_block(block: &mut String, writer: &mut Writer<'_, '_>) -> Result<(), Stop> {
    writer.block(block.trim_end(), false)?;
    block.clear();
    Ok(())
}

/// The level and the text of a heading.
fn heading_of(line: &str) -> Option<(usize, &str)> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    let is_heading = (1..=6).contains(&level) && text.starts_with([' ', '\t']);
    is_heading.then(|| (level, text.trim().trim_end_matches('#').trim_end()))
}

/// Takes title and author out of the lines between `---` at the beginning, and gives the text after them.
fn front_matter<'t>(text: &'t str, pages: &mut Pages<'_>) -> &'t str {
    let Some(inner) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else { return text };
    let mut at = text.len() - inner.len();
    let mut fields = Vec::new();
    for line in inner.split_inclusive('\n').take(FRONT_MATTER) {
        at += line.len();
        if line.trim_end() == "---" {
            for (name, value) in fields {
                match name {
                    "title" => pages.set_title(value),
                    "author" => pages.set_author(value),
                    _ => {}
                }
            }
            return &text[at..];
        }
        fields.extend(line.split_once(':').map(|(name, value)| (name.trim(), value.trim().trim_matches(['"', '\'']))));
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::testing::extract;

    #[test]
    fn markdown_stays_and_says_its_title() {
        let text = "---\ntitle: \"Notes\"\nauthor: Ada\n---\n# Other\n\ntext *stays*\n- a\n\n```\n# code\n\n\nx\n```";
        let (summary, pages) = extract(text.as_bytes(), "md").expect("Markdown");
        assert_eq!((summary.title.as_deref(), summary.author.as_deref()), (Some("Notes"), Some("Ada")));
        assert_eq!(pages[0].text, "# Other\n\ntext *stays*\n- a\n\n```\n# code\n\n\nx\n```");
        assert_eq!(extract(b"# A title #\n\nx", "markdown").expect("Markdown").0.title.as_deref(), Some("A title"));
    }

    #[test]
    fn long_markdown_is_cut_at_headings() {
        let section = format!("## Part\n\n{}\n\n", "A sentence of it. ".repeat(400));
        let pages = extract(section.repeat(6).as_bytes(), "md").expect("Markdown").1;
        assert_eq!(pages.len(), 3);
        assert!(pages.iter().all(|page| page.text.starts_with("## Part")));
    }
}
