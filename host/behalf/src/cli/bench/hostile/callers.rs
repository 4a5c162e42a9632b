//! The ordinary callers: each looks up rows of its own, waits a little, and looks again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::summary::Summary;
use super::{Caller, Target};

/// A caller waits this long between its calls, as a person who reads would.
const PAUSE: Duration = Duration::from_secs(1);
/// A call that has no answer by now counts as failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the ordinary callers met.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// Times of the calls that were answered with rows.
    pub(super) latency: Summary,
    /// Their 99th percentile in each tenth of the time, in microseconds.
    p99_us_by_tenth: Vec<f64>,
    /// Calls by what was answered: `200`, another status, or why there was none.
    answers: BTreeMap<String, u64>,
}

/// Lets each caller call until the time has passed. An answer with a row of somebody else is an error.
pub(super) async fn call(callers: &[Caller], target: &Target, time: Duration) -> anyhow::Result<Report> {
    let http = reqwest::Client::builder().timeout(PATIENCE).pool_max_idle_per_host(callers.len()).build()?;
    let started = Instant::now();
    let count = u32::try_from(callers.len())?.max(1);
    let each = callers.iter().zip(0_u32..).map(|(caller, index)| {
        let (http, until) = (http.clone(), started + time);
        async move {
            // Spread over the pause, so that they do not all call at the same moment.
            tokio::time::sleep(PAUSE * index / count).await;
            let (mut times, mut answers) = (Vec::new(), BTreeMap::<String, u64>::new());
            while Instant::now() < until {
                let begun = Instant::now();
                let answer = look_up(&http, target, caller).await?;
                if answer == "200" {
                    times.push((begun - started, begun.elapsed()));
                }
                *answers.entry(answer).or_default() += 1;
                tokio::time::sleep(PAUSE).await;
            }
            anyhow::Ok((times, answers))
        }
    });
    let (mut times, mut answers) = (Vec::new(), BTreeMap::new());
    for (more, theirs) in futures::future::try_join_all(each).await? {
        times.extend(more);
        for (answer, number) in theirs {
            *answers.entry(answer).or_default() += number;
        }
    }
    let tenth = |part: u32| {
        let within = time * part / 10..time * (part + 1) / 10;
        let of_part = times.iter().filter(|(begun, _)| within.contains(begun)).map(|(_, took)| *took);
        Summary::of_times(of_part.collect(), time / 10).p99_us
    };
    let p99_us_by_tenth = (0..10).map(tenth).collect();
    let all = times.iter().map(|(_, took)| *took).collect();
    Ok(Report { latency: Summary::of_times(all, started.elapsed()), p99_us_by_tenth, answers })
}

/// One call. Returns its status, or why there was no answer.
async fn look_up(http: &reqwest::Client, target: &Target, caller: &Caller) -> anyhow::Result<String> {
    let body = json!({ "arguments": { "query": "select id, owner_id from items order by id limit 5" } });
    let request = http.post(target.url("/api/tools/database_query/call"));
    let request = request.header("apikey", &target.anon_key).bearer_auth(&caller.token).json(&body);
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) if error.is_timeout() => return Ok("no answer in a minute".to_owned()),
        Err(_) => return Ok("the connection broke".to_owned()),
    };
    let status = answer.status();
    if status != reqwest::StatusCode::OK {
        return Ok(status.as_u16().to_string());
    }
    let text = answer.text().await.unwrap_or_default();
    let owners = owners(&serde_json::from_str(&text).context("an answer that is no JSON")?);
    if owners.is_empty() || owners.iter().any(|owner| *owner != caller.user.to_string()) {
        bail!("{} got rows of somebody else, or none: {text}", caller.user);
    }
    Ok(status.as_u16().to_string())
}

/// Every `owner_id` in a value, however deep.
fn owners(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(owners).collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| match field {
                Value::String(owner) if name == "owner_id" => vec![owner.clone()],
                other => owners(other),
            })
            .collect(),
        // A tool's result may be text that holds JSON.
        Value::String(text) => serde_json::from_str::<Value>(text)
            .ok()
            .filter(|inner| inner.is_array() || inner.is_object())
            .map(|inner| owners(&inner))
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}
