//! What thousands of registered tools and a million users cost: the start of a host, and each call.

mod calls;
mod registered;
mod start;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use registered::Registered;

/// `behalf bench scale`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ScaleArgs {
    /// Tools to register beside those that come with the host.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    tools: u32,
    /// Users who call, once each. The database needs room for an audit row of each.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    subjects: u32,
    /// Starts of a host with few tools, and as many with all of them; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=25))]
    starts: u8,
}

/// Measures starts first, on a database of their own: a host that starts beside another one waits for it.
pub(super) async fn measure(args: &ScaleArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    let tools = Registered::of(args.tools);
    bar.set_length(u64::from(args.subjects) + u64::from(args.starts) * 2 + 1);
    let start = start::measure(tools, args.starts, bar).await?;
    let calls = calls::measure(tools, args.subjects, bar).await?;
    Ok(json!({
        "tools": args.tools, "plugins": tools.plugins, "custom_tools": tools.custom, "subjects": args.subjects,
        "start": start, "calls": calls,
    }))
}
