//! The knowledge base that gets the sources of a command: found by its name, given a source, and waited for.

use std::time::Instant;

use anyhow::{Context, bail};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bars::Bar;
use super::host::{Host, RequestError};
use super::upload::{FIRST_WAIT, LONGEST_WAIT, PATIENCE, line};

/// Bases of one request, the most that the host gives.
const PAGE: &str = "100";

/// A knowledge base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnowledgeBase {
    id: String,
}

impl KnowledgeBase {
    /// The base of this name or id. One that takes sources of every user is not in the list of a user who has none in it yet, so the
    /// service role looks as well.
    pub(super) async fn find(host: &Host, name: &str) -> anyhow::Result<Self> {
        if let Ok(id) = Uuid::try_parse(name) {
            return Ok(Self { id: id.to_string() });
        }
        let query = [("q", name), ("limit", PAGE)];
        let cannot = "cannot look the knowledge base up";
        let path = "/api/knowledge-bases";
        let own = host.send(host.request(Method::GET, path, &query)?).await.context(cannot)?;
        let mut ids = named(&own, name);
        if ids.is_empty() {
            ids = named(&host.send(host.own_request(Method::GET, path, &query)?).await.context(cannot)?, name);
        }
        match ids.as_slice() {
            [id] => Ok(Self { id: id.clone() }),
            [] => bail!(
                "there is no knowledge base {name:?}, so nothing was uploaded; make it with POST /api/knowledge-bases"
            ),
            several => bail!("several knowledge bases have this name; name one by its id: {}", several.join(", ")),
        }
    }

    /// Puts a source into it, and waits until it is indexed. Returns how many chunks it has.
    pub(super) async fn index(&self, host: &Host, source: &str, bar: &Bar) -> anyhow::Result<u64> {
        let place = self.add(host, source).await?;
        let path = format!("/api/knowledge-bases/{}/sources/{place}", self.id);
        let (mut pause, mut answered) = (FIRST_WAIT, Instant::now());
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_WAIT);
            let found = match host.send(host.request(Method::GET, &path, &[])?).await {
                Ok(found) => found,
                Err(error) if error.later().is_some() && answered.elapsed() < PATIENCE => continue,
                Err(error) => return Err(error).context("it was read, and the host cannot say whether it is indexed"),
            };
            answered = Instant::now();
            let stat = |name: &str| found["stats"][name].as_u64();
            match found["index_status"].as_str() {
                Some("pending") => bar.waits(),
                Some("indexing") => bar.indexed(stat("done").unwrap_or(0), stat("total")),
                Some("indexed") => return Ok(found["chunk_count"].as_u64().unwrap_or(0)),
                Some(status) => bail!("it was read, and not indexed: {}", why(status, &found)),
                None => bail!("the host gave the source no status; is it a host of Behalf?"),
            }
        }
    }

    async fn add(&self, host: &Host, source: &str) -> anyhow::Result<String> {
        let (path, began) = (format!("/api/knowledge-bases/{}/sources", self.id), Instant::now());
        loop {
            let request = host.request(Method::POST, &path, &[])?.json(&json!({ "source_id": source }));
            match host.send(request).await {
                Ok(added) => return Ok(line(added["id"].as_str().context("the host gave the source no place")?)),
                Err(RequestError::Refused { status: StatusCode::NOT_FOUND, .. }) => {
                    bail!("it was read; this user has no such knowledge base, and it takes no sources of others")
                }
                Err(error) => match error.later().filter(|_| began.elapsed() < PATIENCE) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(error).context("it was read, and the knowledge base did not take it"),
                },
            }
        }
    }
}

/// The ids of the bases of exactly this name.
fn named(list: &Value, name: &str) -> Vec<String> {
    let bases = list["knowledge_bases"].as_array().into_iter().flatten();
    bases.filter(|base| base["name"] == name).filter_map(|base| base["id"].as_str().map(line)).collect()
}

/// Why a source is not indexed.
fn why(status: &str, found: &Value) -> String {
    found["error_message"].as_str().map_or_else(|| line(status), line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_meant_by_its_whole_name() {
        let list = json!({ "knowledge_bases": [
            { "id": "1", "name": "handbook" }, { "id": "2", "name": "handbook 2" }, { "id": "3", "name": "Handbook" },
        ] });
        assert_eq!(named(&list, "handbook"), ["1"]);
        assert!(named(&list, "hand").is_empty() && named(&json!({}), "a").is_empty());
    }
}
