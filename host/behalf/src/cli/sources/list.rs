//! `behalf sources list`: the sources that a user sees.

use anyhow::Context;
use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::UserArgs;
use super::host::Host;
use super::upload::line;

/// Sources of one request, the most that the host gives.
const PAGE: usize = 100;

/// `behalf sources list`
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    user: UserArgs,
    /// Only those with this status, such as `failed`.
    #[arg(long)]
    status: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ListArgs) -> anyhow::Result<()> {
    let host = Host::find(&args.user.host, &args.user.user).await?;
    let sources = all(&host, args.status.as_deref()).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&sources)?);
        return Ok(());
    }
    for source in &sources {
        println!("{}", row(source));
    }
    Ok(())
}

/// Page by page, newest first.
async fn all(host: &Host, status: Option<&str>) -> anyhow::Result<Vec<Value>> {
    let mut sources = Vec::new();
    loop {
        let (limit, offset) = (PAGE.to_string(), sources.len().to_string());
        let mut query = vec![("limit", limit.as_str()), ("offset", offset.as_str())];
        query.extend(status.map(|status| ("status", status)));
        let mut answer = host.send(host.request(Method::GET, "/api/sources", &query)?).await?;
        let page = answer["sources"].as_array_mut().context("the answer is no list; is it a host of Behalf?")?;
        let is_last = page.len() < PAGE;
        sources.append(page);
        if is_last {
            return Ok(sources);
        }
    }
}

/// The id, the status, the pages and the name.
fn row(source: &Value) -> String {
    let text = |name: &str| line(source[name].as_str().unwrap_or("-"));
    let pages = source["pages"].as_u64().map_or_else(|| "-".to_owned(), |pages| pages.to_string());
    format!("{:<36}  {:<18}  {pages:>6}  {}", text("id"), text("extraction_status"), text("name"))
}
