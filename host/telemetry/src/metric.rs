//! Every metric of the host. The values of labels are closed sets: words of the program's own, or at most so many names
//! that an operator gave. So nobody outside can make the list of series grow.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Histogram};

use crate::described::{CLOSED, PLAIN, ZERO};

/// What a label says of everything that is not in its set.
const OTHER: &str = "other";

/// The series of tools of MCP servers.
const OF_SERVER: &str = "mcp";

/// Names of tools and routes that get series of their own; far more than a host has.
const MAX_NAMES: usize = 500;

/// Whether there is a recorder. Series that were looked up before record nothing, so they are not kept.
static IS_RECORDING: AtomicBool = AtomicBool::new(false);

/// There is a recorder from now on. Series that can be known are there at once.
pub(crate) fn begin() {
    for (name, label, values) in CLOSED {
        values.iter().for_each(|value| metrics::counter!(name, label => *value).increment(0));
    }
    PLAIN.iter().for_each(|name| metrics::counter!(*name).increment(0));
    ZERO.iter().for_each(|name| metrics::gauge!(*name).increment(0.0));
    IS_RECORDING.store(true, Ordering::Release);
}

static TOOLS: LazyLock<Names> = LazyLock::new(|| Names::new(MAX_NAMES));
static ROUTES: LazyLock<Names> = LazyLock::new(|| Names::new(MAX_NAMES));
static KINDS: LazyLock<Names> = LazyLock::new(|| Names::new(MAX_NAMES));
static MODELS: LazyLock<Names> = LazyLock::new(|| Names::new(MAX_NAMES));
static LANES: LazyLock<Names> = LazyLock::new(|| Names::new(MAX_NAMES));

/// A method of HTTP, where clients may send any word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodLabel(&'static str);

impl MethodLabel {
    /// The method, or `other` for one that no route of this host takes.
    pub fn of(method: &str) -> Self {
        const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        Self(KNOWN.into_iter().find(|known| *known == method).unwrap_or(OTHER))
    }

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

/// The first so many different names that were asked for.
struct Names {
    max: usize,
    known: RwLock<HashSet<String>>,
}

impl Names {
    fn new(max: usize) -> Self {
        Self { max, known: RwLock::default() }
    }

    /// The name itself, or `other` for one that came after the last place was taken.
    fn label(&self, name: &str) -> String {
        if self.known.read().unwrap_or_else(PoisonError::into_inner).contains(name) {
            return name.to_owned();
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < self.max || known.contains(name) {
            known.insert(name.to_owned());
            return name.to_owned();
        }
        OTHER.to_owned()
    }
}

/// The series of one name and one second label, as this thread knows them: looking them up in the recorder takes locks and
/// memory, which would be a good part of a short request.
struct Known<K> {
    by_name: HashMap<Box<str>, Vec<(K, Series)>>,
}

/// A counter with the times of what it counts.
#[derive(Clone)]
struct Series {
    count: Counter,
    time: Histogram,
}

impl<K: Copy + PartialEq> Known<K> {
    fn new() -> Self {
        Self { by_name: HashMap::new() }
    }

    /// Counts one, with its time. `find` looks the series up the first time.
    fn count(&mut self, name: &str, key: K, time: Duration, find: impl FnOnce() -> Series) {
        let known = self.by_name.get(name).and_then(|all| all.iter().find(|(one, _)| *one == key));
        let series = if let Some((_, series)) = known {
            series.clone()
        } else {
            // Looked at first: a series that was found before there was a recorder records nothing for ever.
            let is_recording = IS_RECORDING.load(Ordering::Acquire);
            let series = find();
            // Names beyond the bound share one series; here as well they take no memory.
            let has_room = self.by_name.contains_key(name) || self.by_name.len() < MAX_NAMES;
            if has_room && is_recording {
                self.by_name.entry(name.into()).or_default().push((key, series.clone()));
            }
            series
        };
        series.count.increment(1);
        series.time.record(time.as_secs_f64());
    }
}

thread_local! {
    static ANSWERED: RefCell<Known<(MethodLabel, u16)>> = RefCell::new(Known::new());
    static CALLED: RefCell<Known<&'static str>> = RefCell::new(Known::new());
}

/// A request was answered. `route` is the pattern of the path, which the program declares.
pub fn request_answered(route: Option<&str>, method: MethodLabel, status: u16, time: Duration) {
    let route = route.unwrap_or("unmatched");
    let status = if (100..600).contains(&status) { status } else { 0 };
    let find = || {
        let status = if status == 0 { OTHER.to_owned() } else { status.to_string() };
        let (route, method) = (ROUTES.label(route), method.0);
        let time = metrics::histogram!("behalf_http_request_seconds", "route" => route.clone());
        let count =
            metrics::counter!("behalf_http_requests_total", "route" => route, "method" => method, "status" => status);
        Series { count, time }
    };
    ANSWERED.with_borrow_mut(|known| known.count(route, (method, status), time, find));
}

/// So many connections of clients are open.
pub fn client_connections(count: u32) {
    metrics::gauge!("behalf_http_connections").set(f64::from(count));
}

/// The series of a tool's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolLabel<'a> {
    /// A tool that the operator registered, by its name.
    Registered(&'a str),
    /// A tool of an MCP server, which chooses its names itself. All of them are one series.
    OfServer,
}

impl<'a> ToolLabel<'a> {
    /// The label's value, also for log lines.
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Registered(name) => name,
            Self::OfServer => OF_SERVER,
        }
    }
}

/// A tool call ended. `outcome` is `ok` or the error's name.
pub fn tool_called(tool: ToolLabel<'_>, outcome: &'static str, time: Duration) {
    let find = |label: String| {
        let time = metrics::histogram!("behalf_tool_call_seconds", "tool" => label.clone());
        Series { count: metrics::counter!("behalf_tool_calls_total", "tool" => label, "outcome" => outcome), time }
    };
    CALLED.with_borrow_mut(|known| match tool {
        ToolLabel::Registered(name) => known.count(name, outcome, time, || find(TOOLS.label(name))),
        ToolLabel::OfServer => known.count(OF_SERVER, outcome, time, || find(OF_SERVER.to_owned())),
    });
}

/// So many tool calls run.
pub fn tool_calls_running(count: usize) {
    set("behalf_tool_calls_running", count);
}

/// So many tool calls wait for a place.
pub fn tool_calls_waiting(count: usize) {
    set("behalf_tool_calls_waiting", count);
}

/// So many connections of tools are taken by statements that were given up and have not ended.
pub fn tool_connections_ending(count: usize) {
    set("behalf_tool_connections_ending", count);
}

/// So many calls wait for a connection.
pub fn tool_connections_awaited(count: usize) {
    set("behalf_tool_connections_awaited", count);
}

/// So many connections of tools are in use, and so many wait for a call.
pub fn tool_connections(in_use: usize, idle: usize) {
    set("behalf_tool_connections_in_use", in_use);
    set("behalf_tool_connections_idle", idle);
}

/// So many tables and views show every row to callers.
pub fn exposed_relations(count: usize) {
    set("behalf_exposed_relations", count);
}

/// The catalogue was read for `/rest/v1`, and the cache has about so many bytes.
pub fn rest_schema_read(time: Duration, bytes: usize) {
    metrics::counter!("behalf_rest_schema_reads_total").increment(1);
    metrics::histogram!("behalf_rest_schema_read_seconds").record(time.as_secs_f64());
    set("behalf_rest_schema_bytes", bytes);
}

/// So many runs ended with this status.
pub fn runs_ended(status: &'static str, count: u64) {
    metrics::counter!("behalf_runs_total", "status" => status).increment(count);
}

/// A run ended here with this status, after so long on this host.
pub fn run_ended(status: &'static str, time: Duration) {
    runs_ended(status, 1);
    metrics::histogram!("behalf_run_seconds", "status" => status).record(time.as_secs_f64());
}

/// This host works on a run until this is dropped.
#[derive(Debug)]
pub struct RunningRun(());

impl RunningRun {
    /// Begins.
    pub fn begin() -> Self {
        metrics::gauge!("behalf_runs_running").increment(1.0);
        Self(())
    }
}

impl Drop for RunningRun {
    fn drop(&mut self) {
        metrics::gauge!("behalf_runs_running").decrement(1.0);
    }
}

/// A chat model answered (`ok`) or did not (`failed`), after so long.
pub fn model_asked(model: &str, outcome: &'static str, time: Duration) {
    let model = MODELS.label(model);
    metrics::histogram!("behalf_model_request_seconds", "model" => model.clone()).record(time.as_secs_f64());
    metrics::counter!("behalf_model_requests_total", "model" => model, "outcome" => outcome).increment(1);
}

/// A chat model counted so many tokens, by kind: `prompt`, `completion`, and of these `cached` and `reasoning`.
pub fn model_tokens(model: &str, tokens: [(&'static str, u64); 4]) {
    let model = MODELS.label(model);
    for (kind, count) in tokens {
        metrics::counter!("behalf_model_tokens_total", "model" => model.clone(), "kind" => kind).increment(count);
    }
}

/// So many connections of the host's own login are in use, and so many are free.
pub fn host_connections(in_use: usize, idle: usize) {
    set("behalf_host_connections_in_use", in_use);
    set("behalf_host_connections_idle", idle);
}

/// What the kernel says of the process. Processor time only grows.
pub(crate) fn process(values: &[(&'static str, f64)]) {
    for (name, value) in values {
        if name.ends_with("_total") {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a process")]
            metrics::counter!(*name).absolute(*value as u64);
        } else {
            metrics::gauge!(*name).set(*value);
        }
    }
}

/// A run lost its host and goes on here.
pub fn run_taken_over() {
    metrics::counter!("behalf_runs_taken_over_total").increment(1);
}

/// A password was hashed or checked (`done`), refused because too many wait (`busy`), or not hashed (`failed`). The time includes
/// that in line.
pub fn password_hashed(outcome: &'static str, time: Duration) {
    metrics::counter!("behalf_password_hashes_total", "outcome" => outcome).increment(1);
    metrics::histogram!("behalf_password_hash_seconds").record(time.as_secs_f64());
}

/// So many letters were sent (`sent`), refused by their server (`failed`), or given up (`lost`).
pub fn letters_ended(outcome: &'static str, count: u64) {
    metrics::counter!("behalf_letters_total", "outcome" => outcome).increment(count);
}

/// So many bytes of files were `read` or `written`.
pub fn blob_bytes(direction: &'static str, bytes: u64) {
    metrics::counter!("behalf_storage_bytes_total", "direction" => direction).increment(bytes);
}

/// A row names bytes that are not in their store.
pub fn blob_gone() {
    metrics::counter!("behalf_storage_gone_total").increment(1);
}

/// So many files were deleted because no row names them any more (`released`), or none ever did (`abandoned`).
pub fn blobs_swept(reason: &'static str, count: usize) {
    metrics::counter!("behalf_storage_swept_total", "reason" => reason).increment(count as u64);
}

/// There is such a background loop.
pub fn job_known(job: &'static str) {
    metrics::counter!("behalf_job_failures_total", "job" => job).increment(0);
}

/// A turn of a background loop failed.
pub fn job_failed(job: &'static str) {
    metrics::counter!("behalf_job_failures_total", "job" => job).increment(1);
}

/// A job was begun, after it had waited so long for a place. `kind` is one of the host's handlers.
pub fn job_began(kind: &str, waited: Duration) {
    metrics::histogram!("behalf_job_wait_seconds", "kind" => KINDS.label(kind)).record(waited.as_secs_f64());
}

/// An attempt at a job took so long.
pub fn job_worked(kind: &str, time: Duration) {
    metrics::histogram!("behalf_job_seconds", "kind" => KINDS.label(kind)).record(time.as_secs_f64());
}

/// An attempt at a job ended: the job is `done`, `dead` or `cancelled`, waits for a `retry`, or was `lost` to another host.
pub fn job_ended(kind: &str, result: &'static str) {
    metrics::counter!("behalf_jobs_ended_total", "kind" => KINDS.label(kind), "result" => result).increment(1);
}

/// So many jobs lost their hosts and wait again.
pub fn jobs_returned(count: u64) {
    metrics::counter!("behalf_jobs_returned_total").increment(count);
}

/// So many jobs of a lane wait for a place, are under way on all hosts together, and failed for good. `lane` is one of the host's.
pub fn jobs_in_lane(lane: &str, waiting: i64, running: i64, dead: i64) {
    for (state, count) in [("waiting", waiting), ("running", running), ("dead", dead)] {
        let count = u32::try_from(count).map_or(f64::NAN, f64::from);
        metrics::gauge!("behalf_jobs", "lane" => LANES.label(lane), "state" => state).set(count);
    }
}

/// A document was read, or could not be: `result` is `extracted`, `cancelled` or the code of why not, a word of a closed list.
pub fn document_ended(result: &'static str) {
    metrics::counter!("behalf_documents_total", "result" => result).increment(1);
}

/// So many pages of a document were stored, and reading it took so long: to get its bytes, and to read them.
pub fn document_read(pages: u64, time: Duration) {
    metrics::counter!("behalf_document_pages_total").increment(pages);
    metrics::histogram!("behalf_document_read_seconds").record(time.as_secs_f64());
}

/// A document of another server was `fetched`, or not: then `result` is the code of why not, a word of a closed list.
pub fn document_fetched(result: &'static str) {
    metrics::counter!("behalf_document_fetches_total", "result" => result).increment(1);
}

/// A socket of `/realtime/v1` was opened.
pub fn realtime_socket_opened() {
    metrics::gauge!("behalf_realtime_sockets").increment(1.0);
    metrics::counter!("behalf_realtime_sockets_total").increment(1);
}

/// A socket of `/realtime/v1` was closed, for a reason out of a closed list.
pub fn realtime_socket_closed(reason: &'static str) {
    metrics::gauge!("behalf_realtime_sockets").decrement(1.0);
    metrics::counter!("behalf_realtime_sockets_closed_total", "reason" => reason).increment(1);
}

/// A channel was joined. `kind` is `private` or `public`.
pub fn realtime_joined(kind: &'static str) {
    metrics::counter!("behalf_realtime_joins_total", "kind" => kind).increment(1);
}

/// A socket, a join or a message was refused, for a reason out of a closed list.
pub fn realtime_refused(reason: &'static str) {
    metrics::counter!("behalf_realtime_refused_total", "reason" => reason).increment(1);
}

/// A message of so many bytes came from a client.
pub fn realtime_message_in(bytes: usize) {
    metrics::counter!("behalf_realtime_messages_in_total").increment(1);
    metrics::counter!("behalf_realtime_bytes_in_total").increment(bytes as u64);
}

/// So many messages were sent to clients.
pub fn realtime_message_out(count: u64) {
    metrics::counter!("behalf_realtime_messages_out_total").increment(count);
}

/// A socket was cut off because it read too slowly.
pub fn realtime_slow_socket() {
    metrics::counter!("behalf_realtime_slow_sockets_total").increment(1);
}

/// So many changes of tables were read from the database's log.
pub fn realtime_change(count: u64) {
    metrics::counter!("behalf_realtime_changes_total").increment(count);
}

/// The database keeps so many bytes of its log that were not read yet.
pub fn realtime_changes_lag_bytes(bytes: u64) {
    #[expect(clippy::cast_precision_loss, reason = "a float holds whole numbers up to 2^53 exactly")]
    let bytes = bytes as f64;
    metrics::gauge!("behalf_realtime_changes_lag_bytes").set(bytes);
}

/// So many messages for other hosts were written in one transaction.
pub fn realtime_bus_batch(rows: u64) {
    metrics::counter!("behalf_realtime_bus_rows_total").increment(rows);
    metrics::counter!("behalf_realtime_bus_batches_total").increment(1);
}

/// A part of the work on a source of a knowledge base took so long: to `cut` its text, to `ask` a chat model, to `embed` chunks, or to
/// `store` them. Waiting for a place at a model is part of it.
pub fn source_indexed(part: &'static str, time: Duration) {
    metrics::histogram!("behalf_indexing_seconds", "part" => part).record(time.as_secs_f64());
}

fn set(gauge: &'static str, count: usize) {
    // Counts are far below the numbers that a float holds exactly.
    metrics::gauge!(gauge).set(u32::try_from(count).map_or(f64::NAN, f64::from));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_strangers_are_no_values_of_labels() {
        assert_eq!(MethodLabel::of("PATCH").as_str(), "PATCH");
        for method in ["BREW", "get", "", "GET "] {
            assert_eq!(MethodLabel::of(method).as_str(), "other", "{method}");
        }
    }

    #[test]
    fn names_beyond_the_bound_share_one_value() {
        let names = Names::new(2);
        assert_eq!(["a", "b", "c", "a", "d"].map(|name| names.label(name)), ["a", "b", "other", "a", "other"]);
        assert_eq!(names.known.read().map(|known| known.len()).ok(), Some(2));
    }
}
