//! What each metric is, in its unit, as `/metrics` says; and the series that are there from the start, so that a rate over them is zero
//! and not missing until something happens.

use metrics::Unit;

/// The kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Every metric: its name, kind, unit, and one sentence.
pub(crate) const METRICS: [(&str, Kind, Unit, &str); 60] = [
    (
        "behalf_http_requests_total",
        Kind::Counter,
        Unit::Count,
        "Requests that were answered, by the pattern of their path, method and status.",
    ),
    (
        "behalf_http_request_seconds",
        Kind::Histogram,
        Unit::Seconds,
        "How long answers took, to their first byte, by the pattern of their path.",
    ),
    ("behalf_http_connections", Kind::Gauge, Unit::Count, "Connections of clients that are open."),
    (
        "behalf_tool_calls_total",
        Kind::Counter,
        Unit::Count,
        "Calls of tools that ended, by tool and outcome: ok, or the code of the failure.",
    ),
    (
        "behalf_tool_call_seconds",
        Kind::Histogram,
        Unit::Seconds,
        "How long calls of tools took, with their time in line.",
    ),
    ("behalf_tool_calls_running", Kind::Gauge, Unit::Count, "Calls of tools that run now."),
    ("behalf_tool_calls_waiting", Kind::Gauge, Unit::Count, "Calls of tools that wait for a place."),
    ("behalf_tool_connections_in_use", Kind::Gauge, Unit::Count, "Database connections of tools that are taken."),
    ("behalf_tool_connections_idle", Kind::Gauge, Unit::Count, "Database connections of tools that are open and free."),
    ("behalf_tool_connections_awaited", Kind::Gauge, Unit::Count, "Calls that wait for a database connection."),
    (
        "behalf_tool_connections_ending",
        Kind::Gauge,
        Unit::Count,
        "Database connections whose statement was given up and has not ended.",
    ),
    (
        "behalf_host_connections_in_use",
        Kind::Gauge,
        Unit::Count,
        "Database connections of the host's own login that are taken.",
    ),
    (
        "behalf_host_connections_idle",
        Kind::Gauge,
        Unit::Count,
        "Database connections of the host's own login that are open and free.",
    ),
    ("behalf_exposed_relations", Kind::Gauge, Unit::Count, "Tables and views that show every row to callers."),
    ("behalf_rest_schema_reads_total", Kind::Counter, Unit::Count, "Reads of the catalogue for /rest/v1."),
    ("behalf_rest_schema_read_seconds", Kind::Histogram, Unit::Seconds, "How long reading the catalogue took."),
    ("behalf_rest_schema_bytes", Kind::Gauge, Unit::Bytes, "Memory of what is known of the catalogue."),
    ("behalf_runs_total", Kind::Counter, Unit::Count, "Runs that ended, by status."),
    (
        "behalf_run_seconds",
        Kind::Histogram,
        Unit::Seconds,
        "How long runs took on the host that ended them, by status.",
    ),
    ("behalf_runs_running", Kind::Gauge, Unit::Count, "Runs that this host works on."),
    ("behalf_runs_taken_over_total", Kind::Counter, Unit::Count, "Runs that lost their host and went on here."),
    ("behalf_model_requests_total", Kind::Counter, Unit::Count, "Requests to chat models, by model and outcome."),
    (
        "behalf_model_request_seconds",
        Kind::Histogram,
        Unit::Seconds,
        "How long chat models took to answer, to the last word.",
    ),
    ("behalf_model_tokens_total", Kind::Counter, Unit::Count, "Tokens that chat models counted, by model and kind."),
    ("behalf_password_hashes_total", Kind::Counter, Unit::Count, "Passwords that were hashed or checked, by outcome."),
    (
        "behalf_password_hash_seconds",
        Kind::Histogram,
        Unit::Seconds,
        "How long hashing a password took, with its time in line.",
    ),
    ("behalf_letters_total", Kind::Counter, Unit::Count, "Letters to users, by outcome."),
    ("behalf_storage_bytes_total", Kind::Counter, Unit::Bytes, "Bytes of files, by direction."),
    ("behalf_storage_gone_total", Kind::Counter, Unit::Count, "Reads of files whose bytes are not in their store."),
    (
        "behalf_storage_swept_total",
        Kind::Counter,
        Unit::Count,
        "Files that were deleted because no row names them, by reason.",
    ),
    ("behalf_job_failures_total", Kind::Counter, Unit::Count, "Turns of background loops that failed, by loop."),
    ("behalf_jobs", Kind::Gauge, Unit::Count, "Background jobs of all hosts, by lane and state."),
    (
        "behalf_jobs_ended_total",
        Kind::Counter,
        Unit::Count,
        "Attempts at background jobs that ended, by kind and result.",
    ),
    ("behalf_jobs_returned_total", Kind::Counter, Unit::Count, "Background jobs that lost their host and wait again."),
    (
        "behalf_job_wait_seconds",
        Kind::Histogram,
        Unit::Seconds,
        "How long background jobs waited for a place, by kind.",
    ),
    ("behalf_job_seconds", Kind::Histogram, Unit::Seconds, "How long attempts at background jobs took, by kind."),
    ("behalf_documents_total", Kind::Counter, Unit::Count, "Documents that were read or could not be, by result."),
    ("behalf_document_pages_total", Kind::Counter, Unit::Count, "Pages of documents that were stored."),
    (
        "behalf_document_read_seconds",
        Kind::Histogram,
        Unit::Seconds,
        "How long reading a document took, with getting its bytes.",
    ),
    (
        "behalf_document_fetches_total",
        Kind::Counter,
        Unit::Count,
        "Documents that were fetched from other servers, by result.",
    ),
    (
        "behalf_indexing_seconds",
        Kind::Histogram,
        Unit::Seconds,
        "How long parts of the work on sources of knowledge bases took, by part.",
    ),
    ("behalf_realtime_sockets", Kind::Gauge, Unit::Count, "Sockets of /realtime/v1 that are open."),
    ("behalf_realtime_sockets_total", Kind::Counter, Unit::Count, "Sockets of /realtime/v1 that were opened."),
    (
        "behalf_realtime_sockets_closed_total",
        Kind::Counter,
        Unit::Count,
        "Sockets of /realtime/v1 that were closed, by reason.",
    ),
    ("behalf_realtime_joins_total", Kind::Counter, Unit::Count, "Channels that were joined, by kind."),
    (
        "behalf_realtime_refused_total",
        Kind::Counter,
        Unit::Count,
        "Sockets, joins and messages that were refused, by reason.",
    ),
    ("behalf_realtime_messages_in_total", Kind::Counter, Unit::Count, "Messages that came from clients."),
    ("behalf_realtime_bytes_in_total", Kind::Counter, Unit::Bytes, "Bytes of messages that came from clients."),
    ("behalf_realtime_messages_out_total", Kind::Counter, Unit::Count, "Messages that were sent to clients."),
    (
        "behalf_realtime_slow_sockets_total",
        Kind::Counter,
        Unit::Count,
        "Sockets that were cut off because they read too slowly.",
    ),
    (
        "behalf_realtime_changes_total",
        Kind::Counter,
        Unit::Count,
        "Changes of tables that were read from the database's log.",
    ),
    (
        "behalf_realtime_changes_lag_bytes",
        Kind::Gauge,
        Unit::Bytes,
        "Bytes of the database's log that were not read yet.",
    ),
    ("behalf_realtime_bus_rows_total", Kind::Counter, Unit::Count, "Messages that were written for other hosts."),
    (
        "behalf_realtime_bus_batches_total",
        Kind::Counter,
        Unit::Count,
        "Transactions in which messages were written for other hosts.",
    ),
    ("process_cpu_seconds_total", Kind::Counter, Unit::Seconds, "Processor time of the process."),
    ("process_resident_memory_bytes", Kind::Gauge, Unit::Bytes, "Memory of the process that is resident."),
    ("process_open_fds", Kind::Gauge, Unit::Count, "File descriptors that the process holds."),
    ("process_max_fds", Kind::Gauge, Unit::Count, "File descriptors that the process may hold."),
    ("process_threads", Kind::Gauge, Unit::Count, "Threads of the process."),
    ("process_start_time_seconds", Kind::Gauge, Unit::Seconds, "When the process began, in seconds since 1970."),
];

/// Counters with one label out of a closed list.
pub(crate) const CLOSED: [(&str, &str, &[&str]); 7] = [
    ("behalf_runs_total", "status", &["completed", "failed", "cancelled"]),
    ("behalf_password_hashes_total", "outcome", &["done", "busy", "failed"]),
    ("behalf_letters_total", "outcome", &["sent", "failed", "lost"]),
    ("behalf_storage_bytes_total", "direction", &["read", "written"]),
    ("behalf_storage_swept_total", "reason", &["released", "abandoned"]),
    ("behalf_documents_total", "result", &["extracted", "cancelled"]),
    ("behalf_realtime_joins_total", "kind", &["private", "public"]),
];

/// Counters without labels.
pub(crate) const PLAIN: [&str; 12] = [
    "behalf_rest_schema_reads_total",
    "behalf_runs_taken_over_total",
    "behalf_storage_gone_total",
    "behalf_jobs_returned_total",
    "behalf_document_pages_total",
    "behalf_realtime_sockets_total",
    "behalf_realtime_messages_in_total",
    "behalf_realtime_bytes_in_total",
    "behalf_realtime_messages_out_total",
    "behalf_realtime_slow_sockets_total",
    "behalf_realtime_changes_total",
    "behalf_realtime_bus_rows_total",
];

/// Gauges that are zero until something happens.
pub(crate) const ZERO: [&str; 3] = ["behalf_http_connections", "behalf_runs_running", "behalf_realtime_sockets"];

/// Gives every metric its description.
pub(crate) fn describe() {
    for (name, kind, unit, help) in METRICS {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, unit, help),
            Kind::Gauge => metrics::describe_gauge!(name, unit, help),
            Kind::Histogram => metrics::describe_histogram!(name, unit, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that the host records.
    fn recorded() -> Vec<String> {
        let quoted = |text: &str| -> Vec<String> {
            let mut parts = text.split('"');
            let mut found = Vec::new();
            while let (Some(_), Some(inside)) = (parts.next(), parts.next()) {
                found.push(inside.to_owned());
            }
            found
        };
        let own = [include_str!("metric.rs"), include_str!("process.rs")].map(|text| {
            let production = text.split("#[cfg(test)]").next().unwrap_or_default();
            quoted(production)
        });
        let is_name = |name: &String| name.starts_with("behalf_") || name.starts_with("process_");
        own.concat().into_iter().filter(is_name).collect()
    }

    #[test]
    fn every_metric_is_described_and_every_description_is_of_one() {
        let recorded = recorded();
        assert!(recorded.len() > 50, "{recorded:?}");
        for name in &recorded {
            assert!(METRICS.iter().any(|(known, ..)| known == name), "{name} has no description");
        }
        for (name, _, unit, _) in METRICS {
            assert!(recorded.iter().any(|one| one == name), "nothing records {name}");
            let base = name.trim_end_matches("_total");
            assert_eq!(base.ends_with("_seconds"), unit == Unit::Seconds, "{name}");
        }
        for (name, ..) in CLOSED {
            assert!(METRICS.iter().any(|(known, kind, ..)| *known == name && *kind == Kind::Counter), "{name}");
        }
        for name in PLAIN {
            assert!(METRICS.iter().any(|(known, kind, ..)| *known == name && *kind == Kind::Counter), "{name}");
        }
    }

    #[test]
    fn every_metric_is_on_the_page_of_operations() {
        let page = include_str!("../../../docs/operations.md");
        for (name, ..) in METRICS {
            assert!(page.contains(&format!("`{name}`")), "docs/operations.md does not describe {name}");
        }
    }

    #[test]
    fn the_board_and_the_alert_rules_use_metrics_that_there_are() {
        for (file, text) in [
            ("docs/monitoring/grafana.json", include_str!("../../../docs/monitoring/grafana.json")),
            ("docs/monitoring/alerts.yml", include_str!("../../../docs/monitoring/alerts.yml")),
        ] {
            let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let words = text.split(|c: char| !is_part(c));
            let names: Vec<_> =
                words.filter(|word| word.starts_with("behalf_") || word.starts_with("process_")).collect();
            assert!(names.len() > 10, "{file}: {names:?}");
            for name in names {
                let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
                assert!(METRICS.iter().any(|(known, ..)| *known == base || *known == name), "{file} uses {name}");
            }
        }
    }
}
