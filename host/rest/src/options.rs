//! The options of the feature.

use std::time::Duration;

use behalf_rest_plan::Options;

/// How requests are planned, bounded and logged.
#[derive(Clone, Debug)]
pub struct RestOptions {
    /// Schemas that callers may reach; the first is that of requests that name none.
    pub schemas: Vec<String>,
    /// Schemas in which names in the app's functions are looked up as well.
    pub extra_search_path: Vec<String>,
    /// How the planner plans.
    pub plan: Options,
    /// The most bytes of a body.
    pub max_body_bytes: usize,
    /// The most bytes of an answer.
    pub max_answer_bytes: usize,
    /// How long a request may take once it has a connection.
    pub deadline: Duration,
    /// The part of the reads that the log of requests keeps, from 0 to 1. Writes and failures are kept always.
    pub logged_reads: f64,
    /// Days for which the log of requests is kept.
    pub log_days: u32,
}
