//! Whether a host would take the definitions of a component's tools. Where an author writes them as text, nothing else has read them.

use anyhow::{Context, bail};
use behalf_config::Settings;
use behalf_sandbox::Inspection;
use behalf_tools::check_definitions;
use serde::de::IgnoredAny;

use crate::component::{sandbox_options, sandbox_with_cache};
use crate::printable::printable;

/// Characters that are shown on each side of a mistake.
const AROUND: usize = 30;

/// Asks the component for its definitions and reads them as a host does.
pub(super) async fn are_good(inspection: &Inspection) -> anyhow::Result<()> {
    let dir = tempfile::tempdir().context("there is no folder for temporary files")?;
    let sandbox = sandbox_with_cache(sandbox_options(dir.path(), Vec::new()), &Settings::load()?)?;
    let text = sandbox.definitions(inspection).await?;
    if let Err(error) = serde_json::from_str::<IgnoredAny>(&text) {
        bail!("the definitions of the tools are no JSON: {error}\n{}", place(&text, error.line(), error.column()));
    }
    tokio::task::spawn_blocking(move || check_definitions(&text)).await?.context("a host would refuse this component")
}

/// The text around a place, and a mark below the place. Lines and columns count from 1; a column counts bytes.
fn place(text: &str, line: usize, column: usize) -> String {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let before = line.get(..column.saturating_sub(1)).unwrap_or(line);
    let start = before.char_indices().rev().nth(AROUND.saturating_sub(1)).map_or(0, |(start, _)| start);
    let shown: String = line.get(start..).unwrap_or_default().chars().take(2 * AROUND).collect();
    let spaces = before.get(start..).unwrap_or_default().chars().count();
    format!("  {}\n  {}^", printable(&shown), " ".repeat(spaces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_marked_where_it_is() {
        let text = format!("[{}{{\"name\" \"ö\"}}]", "{},".repeat(40));
        let error = serde_json::from_str::<IgnoredAny>(&text).expect_err("a colon is missing");
        let shown = place(&text, error.line(), error.column());
        let (line, mark) = shown.split_once('\n').expect("two lines");
        let at = mark.find('^').expect("a mark");
        assert_eq!(line.get(at..), Some("\"ö\"}]"), "{shown}");
        assert_eq!(place("[", 1, 1), "  [\n  ^");
        assert_eq!(place("", 1, 0), "  \n  ^");
    }
}
