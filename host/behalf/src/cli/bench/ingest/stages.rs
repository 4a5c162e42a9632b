//! Where the time of the jobs goes, as the host's metrics say.

use anyhow::Context;
use serde_json::{Value, json};

use super::stage::Target;

/// Sums of the host's metrics: reading documents; indexing them; and three parts of that.
const SUMS: [&str; 5] = [
    r#"behalf_job_seconds_sum{kind="sources.extract"}"#,
    r#"behalf_job_seconds_sum{kind="knowledge.index"}"#,
    r#"behalf_indexing_seconds_sum{part="cut"}"#,
    r#"behalf_indexing_seconds_sum{part="embed"}"#,
    r#"behalf_indexing_seconds_sum{part="store"}"#,
];

/// Seconds of the host's jobs since it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stages([f64; SUMS.len()]);

impl Stages {
    pub(super) async fn read(target: &Target) -> anyhow::Result<Self> {
        let text = reqwest::get(target.url("/metrics")).await?.error_for_status()?.text().await?;
        let mut sums = [0.0; SUMS.len()];
        for (sum, name) in sums.iter_mut().zip(SUMS) {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            *sum = line.with_context(|| format!("no metric {name}"))?.trim().parse()?;
        }
        Ok(Self(sums))
    }

    /// What was added since, as seconds and as shares of all.
    pub(super) fn since(self, earlier: Self) -> Value {
        let [extract, index, cut, embed, store] = std::array::from_fn(|stage| self.0[stage] - earlier.0[stage]);
        let all = extract + index;
        let stage = |seconds: f64| json!({ "seconds": seconds, "share": seconds / all });
        json!({
            "extract": stage(extract), "cut": stage(cut), "embed": stage(embed), "store": stage(store),
            "other": stage(index - cut - embed - store),
        })
    }
}
