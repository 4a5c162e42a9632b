//! Answers of whole pages: the text of the page that a chunk is on stands in the place of its own.

use std::collections::{HashMap, HashSet};

use behalf_contracts::{RetrievalError, RetrievedChunk};
use uuid::Uuid;

use super::run::{Asked, array_of};
use super::sql;

/// Puts the texts of pages in the place of the chunks' own. Of several chunks on one page the best one stays; one whose page is not known
/// stays as it is.
pub(super) async fn widen(
    asked: &Asked<'_>,
    chunks: Vec<RetrievedChunk>,
) -> Result<Vec<RetrievedChunk>, RetrievalError> {
    let ids: Vec<Uuid> = chunks.iter().map(|chunk| chunk.chunk_id).collect();
    if ids.is_empty() {
        return Ok(chunks);
    }
    let rows = asked.read(&[], &[], sql::PAGES, &[Some(&array_of(&ids))]).await?;
    let pages: HashMap<Uuid, (String, String)> = rows
        .iter()
        .filter_map(|row| {
            let id = row.text(0)?.parse().ok()?;
            Some((id, (row.text(1)?.to_owned(), row.text(2)?.to_owned())))
        })
        .collect();
    Ok(joined(chunks, pages))
}

fn joined(chunks: Vec<RetrievedChunk>, mut pages: HashMap<Uuid, (String, String)>) -> Vec<RetrievedChunk> {
    let mut seen = HashSet::new();
    chunks
        .into_iter()
        .filter_map(|mut chunk| {
            if let Some((text, page)) = pages.remove(&chunk.chunk_id) {
                if !seen.insert((chunk.source_id, chunk.knowledge_base_id, page)) {
                    return None;
                }
                chunk.text = text;
            }
            Some(chunk)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::merge::tests::hit;
    use super::*;

    #[test]
    fn a_page_is_answered_once() {
        let chunks: Vec<RetrievedChunk> = (1..=3).map(|id| hit(id, 0.5, &[]).chunk).collect();
        let page = |id, text: &str| (Uuid::from_u128(id), (text.to_owned(), "7".to_owned()));
        let joined = joined(chunks, HashMap::from([page(1, "whole"), page(2, "whole")]));
        let texts: Vec<(u128, &str)> = joined.iter().map(|chunk| (chunk.chunk_id.as_u128(), &*chunk.text)).collect();
        assert_eq!(texts, [(1, "whole"), (3, "")]);
    }
}
