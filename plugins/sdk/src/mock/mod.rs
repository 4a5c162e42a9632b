//! The host, played in a native test.
//!
//! A tool is a plain function, and `cargo test` calls it without WebAssembly. What it asks of the host while a [`Host`]
//! lives on the same thread is answered by that:
//!
//! ```
//! use behalf_sdk::{Error, database, mock, params};
//!
//! fn count_notes() -> Result<u64, Error> {
//!     behalf_sdk::log::info("counting");
//!     database::query_scalar("select count(*) from public.notes where title = $1", params!["Garden"])
//! }
//!
//! let host = mock::Host::new();
//! host.answer("from public.notes", serde_json::json!([{"count": 2}]));
//!
//! assert_eq!(count_notes(), Ok(2));
//! assert_eq!(host.statements()[0].params, params!["Garden"]);
//! assert_eq!(host.log_lines(), ["info counting"]);
//! ```
//!
//! Nothing is answered that was not told before: a statement that no answer fits ends the test and shows itself. Row-level
//! security and the grants are the real host's; `behalf tool run … --sub alice` tries them.

mod answer;
mod documents;
pub(crate) mod door;
#[cfg(feature = "http")]
mod http;
mod memories;
mod objects;
mod scopes;
#[cfg(feature = "http")]
mod servers;
mod state;
mod stores;

use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::cell::RefCell;
use core::marker::PhantomData;
use core::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

pub use answer::Answer;
use state::{Expected, State};

use crate::bindings::behalf::tool::knowledge::Passage;
use crate::bindings::behalf::tool::{database, knowledge, kv, memory, storage};
use crate::exported::Callable;
use crate::log::Level;

/// A statement that the tool made.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Its text, as the tool wrote it.
    pub sql: String,
    /// Its parameters.
    pub params: Vec<database::Value>,
}

/// A search that the tool made.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// What it looked for.
    pub text: String,
    /// How: the JSON object that the host would get.
    pub options: Json,
}

/// A report of progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Units that were done.
    pub done: u64,
    /// Of how many.
    pub total: Option<u64>,
    /// What the tool turned to.
    pub message: Option<String>,
}

/// The host of the calls on this thread, from [`new`](Self::new) until it is dropped.
#[derive(Debug)]
pub struct Host {
    state: Rc<RefCell<State>>,
    /// It belongs to its thread, so that tests run beside each other.
    thread: PhantomData<*const ()>,
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// A host whose caller is the signed-in user [`Host::USER`], with no settings and no answers.
    ///
    /// # Panics
    /// If this thread has one already.
    pub fn new() -> Self {
        let state = Rc::new(RefCell::new(State::new()));
        state::install(&state);
        #[cfg(feature = "tracing")]
        crate::tracing::install();
        let host = Self { state, thread: PhantomData };
        host.set_caller(Self::USER);
        host
    }

    /// Who calls, unless [`set_caller`](Self::set_caller) says otherwise: the demo database's alice.
    pub const USER: &str = "a11ce000-0000-4000-8000-000000000001";

    /// The caller is this signed-in user.
    pub fn set_caller(&self, subject: &str) {
        self.set_identity(Some(subject), "authenticated", &json!({"sub": subject, "role": "authenticated"}));
    }

    /// The caller has no user: `anon` or `service_role`.
    pub fn set_role(&self, role: &str) {
        self.set_identity(None, role, &json!({"role": role}));
    }

    /// The caller, with every claim.
    pub fn set_identity(&self, subject: Option<&str>, role: &str, claims: &Json) {
        let mut state = self.state.borrow_mut();
        state.identity.subject = subject.map(Into::into);
        state.identity.role = role.into();
        state.identity.claims = claims.to_string();
    }

    /// What the operator set: an object.
    ///
    /// # Panics
    /// If it is none.
    pub fn set_settings(&self, settings: impl Serialize) {
        let settings = serde_json::to_value(settings).expect("settings can be written as JSON");
        assert!(settings.is_object(), "settings are an object, and these are {settings}");
        self.state.borrow_mut().settings = settings.to_string();
    }

    /// Time left before the host would end the call; a minute unless it is set.
    pub fn set_remaining(&self, remaining: Duration) {
        self.state.borrow_mut().remaining = remaining;
    }

    /// What [`database::describe`](crate::database::describe) says.
    pub fn set_description(&self, description: &Json) {
        self.state.borrow_mut().description = Some(description.to_string());
    }

    /// The passages that every search finds.
    pub fn set_passages(&self, passages: Vec<Passage>) {
        self.state.borrow_mut().passages = Some(passages);
    }

    /// A document of a knowledge base that this user may read, and no other; `None` stands for callers without a user. A search
    /// finds the documents of its caller, those first that share most words with the question.
    pub fn put_document(&self, user: Option<&str>, knowledge_base: &str, name: &str, text: &str) {
        self.state.borrow_mut().documents.put(user, knowledge_base, name, text);
    }

    /// Every search fails with this code (`not_granted`, `timeout`, `unavailable`, …) and sentence.
    pub fn fail_knowledge(&self, code: &str, message: &str) {
        let retryable = matches!(code, "timeout" | "unavailable");
        let error = knowledge::Error { code: code.into(), message: message.into(), retryable };
        self.state.borrow_mut().documents.fail(error);
    }

    /// A memory of the caller's. What the tool remembers is there as well.
    pub fn put_memory(&self, text: &str) {
        let mut state = self.state.borrow_mut();
        let user = state.identity.subject.clone();
        state.memories.put(user, text, "{}");
    }

    /// The texts that the caller's agent remembers, the newest first.
    pub fn memories(&self) -> Vec<String> {
        let state = self.state.borrow();
        state.memories.texts(state.identity.subject.as_deref())
    }

    /// Every operation on memories fails with this code (`not_granted`, `timeout`, `unavailable`, …) and sentence.
    pub fn fail_memory(&self, code: &str, message: &str) {
        let retryable = matches!(code, "timeout" | "unavailable");
        let error = memory::Error { code: code.into(), message: message.into(), retryable };
        self.state.borrow_mut().memories.fail(error);
    }

    /// An entry of the caller's store. What the tool writes is there as well.
    ///
    /// # Panics
    /// If the value cannot be written as JSON.
    pub fn put_kv(&self, key: &str, value: impl Serialize) {
        let value = serde_json::to_string(&value).expect("a value can be written as JSON");
        let mut state = self.state.borrow_mut();
        let user = state.identity.subject.clone();
        state.stores.put(user.as_deref(), key, value);
    }

    /// The caller's store: an object with the value of each key.
    pub fn kv(&self) -> Json {
        let state = self.state.borrow();
        let mine = state.stores.of(state.identity.subject.as_deref());
        let read = |value: String| serde_json::from_str::<Json>(&value).unwrap_or_default();
        mine.into_iter().map(|(key, value)| (key, read(value))).collect()
    }

    /// All callers share one store from now on, as with `scope = "plugin"`; before, each user has one.
    pub fn share_kv(&self) {
        self.state.borrow_mut().stores.share();
    }

    /// Every operation on the store fails with this code (`not_granted`, `limit`, `unavailable`, …) and sentence.
    pub fn fail_kv(&self, code: &str, message: &str) {
        let retryable = matches!(code, "timeout" | "unavailable");
        let error = kv::Error { code: code.into(), message: message.into(), retryable };
        self.state.borrow_mut().stores.fail(error);
    }

    /// An object that is there. What the tool writes is there as well.
    pub fn put_object(&self, bucket: &str, name: &str, content_type: &str, bytes: impl AsRef<[u8]>) {
        self.state.borrow_mut().objects.put(bucket, name, bytes.as_ref(), content_type);
    }

    /// The media type and the bytes of an object.
    pub fn object(&self, bucket: &str, name: &str) -> Option<(String, Vec<u8>)> {
        let state = self.state.borrow();
        state.objects.get(bucket, name).map(|content| (content.content_type.clone(), content.bytes.clone()))
    }

    /// Every operation on objects fails with this code (`denied`, `too_large`, `unavailable`, …) and sentence.
    pub fn fail_storage(&self, code: &str, message: &str) {
        let retryable = matches!(code, "timeout" | "unavailable");
        let error = storage::Error { code: code.into(), message: message.into(), retryable };
        self.state.borrow_mut().objects.fail(error);
    }

    /// Every statement that contains `part` gets this answer: rows (`json!([{"id": 1}])`, or a
    /// [`RowSet`](crate::database::RowSet)), a number of rows that were changed, or a
    /// [`database::Error`]. Upper and lower case are one, and so are all kinds of white space.
    ///
    /// Of several answers that fit, the first one told is given.
    pub fn answer(&self, part: &str, answer: impl Into<Answer>) {
        self.expect(part, answer.into(), false);
    }

    /// As [`answer`](Self::answer), for one statement: the next one that contains `part`. Several of them are given in
    /// the order they were told, and before those of [`answer`](Self::answer). `""` fits any statement.
    pub fn answer_once(&self, part: &str, answer: impl Into<Answer>) {
        self.expect(part, answer.into(), true);
    }

    /// Every statement that contains `part` fails with this code (`forbidden`, `constraint`, `timeout`, …) and sentence.
    pub fn fail(&self, part: &str, code: &str, message: &str) {
        let retryable = matches!(code, "timeout" | "unavailable");
        let error = database::Error { code: code.into(), sqlstate: None, message: message.into(), retryable };
        self.answer(part, error);
    }

    fn expect(&self, part: &str, answer: Answer, once: bool) {
        let expected = Expected { part: state::plain(part), answer, once };
        self.state.borrow_mut().expected.push(expected);
    }

    /// Calls a tool as the host does, with JSON: what `#[tool]` made, or a [`Tool`](crate::Tool).
    ///
    /// The host would check the arguments against the tool's schema before; here the tool's types are the only check. As on the
    /// host, a statement that fails outside of a scope ends the call with an error (`commit_failed`), whatever the tool answers.
    ///
    /// # Panics
    /// If the arguments cannot be written as JSON.
    pub fn call<T: Callable>(&self, arguments: impl Serialize) -> Result<Json, crate::Error> {
        let arguments = serde_json::to_string(&arguments).expect("arguments can be written as JSON");
        self.begin_call();
        let answer = T::call(&arguments);
        let failed = self.end_call(answer.is_ok());
        let text = answer?;
        if let Some(error) = failed {
            let message = alloc::format!("a statement failed, and the tool went on without it: {}", error.message);
            return Err(crate::Error { code: "commit_failed".into(), message, retryable: error.retryable });
        }
        Ok(serde_json::from_str(&text).expect("a tool's result is JSON"))
    }

    fn begin_call(&self) {
        let mut state = self.state.borrow_mut();
        state.scopes.begin_call();
        state.stores.begin_call();
    }

    /// Undoes what a call wrote that fails, and returns the error with which it fails although its tool did not.
    fn end_call(&self, succeeded: bool) -> Option<database::Error> {
        let mut state = self.state.borrow_mut();
        let failed = state.scopes.end_call();
        state.stores.end_call(succeeded && failed.is_none());
        failed
    }

    /// The statements so far.
    pub fn statements(&self) -> Vec<Statement> {
        self.state.borrow().statements.clone()
    }

    /// How often the tool committed by itself.
    pub fn commits(&self) -> usize {
        self.state.borrow().commits
    }

    /// The scopes that have ended, in the order in which they ended: `true` for each that was kept.
    pub fn scopes(&self) -> Vec<bool> {
        self.state.borrow().scopes.ended().to_vec()
    }

    /// The searches so far.
    pub fn searches(&self) -> Vec<Search> {
        self.state.borrow().searches.clone()
    }

    /// The log so far.
    pub fn log(&self) -> Vec<(Level, String)> {
        self.state.borrow().log.clone()
    }

    /// The log so far, a text a line: `info counting`.
    pub fn log_lines(&self) -> Vec<String> {
        self.log().into_iter().map(|(level, message)| format!("{} {message}", state::word(level))).collect()
    }

    /// The progress so far.
    pub fn progress(&self) -> Vec<Progress> {
        self.state.borrow().progress.clone()
    }

    /// The parts of results that were shown so far.
    pub fn partials(&self) -> Vec<Json> {
        self.state.borrow().partials.clone()
    }

    /// What was told with [`answer_once`](Self::answer_once) and has not been asked for.
    pub fn unused_answers(&self) -> Vec<String> {
        let state = self.state.borrow();
        state.expected.iter().filter(|expected| expected.once).map(|expected| expected.part.clone()).collect()
    }

    /// The claims that the tool sees.
    pub fn claims(&self) -> Map<String, Json> {
        serde_json::from_str(&self.state.borrow().identity.claims).unwrap_or_default()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        state::remove();
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned as _;
    use alloc::vec;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::database::{Value, commit, execute, query, query_as};
    use crate::{caller, knowledge, log, params, progress, settings};

    fn panics(what: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(what)).expect_err("a panic");
        panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .expect("text")
    }

    #[test]
    fn a_statement_is_answered_by_what_it_contains() {
        let host = Host::new();
        host.answer("FROM public.notes where", json!([{"id": 1, "title": "a"}, {"id": 2}]));
        host.answer("delete", 3);
        let rows: Vec<(u8, Option<String>)> =
            query_as("select id, title\n  from public.notes\n  where true", &[]).expect("rows");
        assert_eq!(rows, [(1, Some("a".to_owned())), (2, None)]);
        assert_eq!(execute("delete from public.notes", params![1]), Ok(3));
        assert_eq!(
            host.statements()[1],
            Statement { sql: "delete from public.notes".into(), params: vec![Value::Integer(1)] }
        );
    }

    #[test]
    fn answers_for_one_statement_come_first_and_in_order() {
        let host = Host::new();
        host.answer("select", json!([[0]]));
        host.answer_once("", json!([[1]]));
        host.answer_once("select", json!([[2]]));
        host.answer_once("never", 1);
        let next = || query_as::<(u8,)>("select n", &[]).expect("rows")[0].0;
        assert_eq!([next(), next(), next(), next()], [1, 2, 0, 0]);
        assert_eq!(host.unused_answers(), ["never"]);
    }

    #[test]
    fn a_failure_is_the_databases() {
        let host = Host::new();
        host.fail("insert", "forbidden", "The row is not yours.");
        let error = execute("insert into public.notes default values", &[]).expect_err("an error");
        assert_eq!((error.code.as_str(), error.retryable), ("forbidden", false));
        assert_eq!(crate::Error::from(error), crate::Error::denied("The row is not yours."));
    }

    /// Answers what it can read, and how many rows it could delete in a scope.
    struct Careless;

    impl crate::Tool for Careless {
        const NAME: &'static str = "careless";
        const DEFINITION: &'static str = "{}";
        type Arguments = Json;
        type Output = Json;

        fn call(_: Json) -> Result<Json, crate::Error> {
            let deleted = crate::database::scope(|| execute("delete from a", &[])).ok();
            let read = query("select a", &[]).ok().map(|rows| rows.rows.len());
            Ok(json!({"deleted": deleted, "read": read, "again": query("select b", &[]).is_ok()}))
        }
    }

    #[test]
    fn a_call_fails_with_the_statement_that_its_tool_ignored() {
        let host = Host::new();
        host.answer("select b", json!([[1]]));
        host.answer_once("select a", json!([[1], [2]]));
        host.fail("delete", "forbidden", "Not yours.");
        let call = || host.call::<Careless>(json!({}));
        assert_eq!(call(), Ok(json!({"deleted": null, "read": 2, "again": true})), "a scope may fail");
        host.fail("select a", "invalid", "No such column.");
        let error = call().expect_err("an error");
        assert_eq!(error.code, "commit_failed");
        assert!(error.message.ends_with("went on without it: No such column."), "{error:?}");
        // What never reached the database ends nothing, and neither does a statement of the test itself.
        let host = {
            drop(host);
            Host::new()
        };
        host.answer("select b", json!([[1]]));
        host.answer("delete", 1);
        host.fail("select a", "refused", "Not allowed.");
        assert_eq!(host.call::<Careless>(json!({})), Ok(json!({"deleted": 1, "read": null, "again": true})));
        host.fail("update", "invalid", "No such column.");
        assert!(execute("update a", &[]).is_err() && execute("delete from a", &[]).is_ok());
    }

    #[test]
    fn what_nobody_told_ends_the_test() {
        let host = Host::new();
        host.answer("from a", json!([]));
        let said = panics(|| drop(query("select * from b", params![1])));
        assert!(
            said.contains("select * from b") && said.contains("Integer(1)") && said.contains("\"from a\""),
            "{said}"
        );
        assert!(panics(|| drop(execute("delete from a", &[]))).contains("number of rows"));
        host.answer("update", 1);
        assert!(panics(|| drop(query("update a", &[]))).contains("rows"));
        drop(host);
        assert!(panics(|| drop(query("select 1", &[]))).contains("mock::Host::new()"));
    }

    #[test]
    fn a_thread_has_one_host_at_a_time() {
        let host = Host::new();
        assert!(panics(|| drop(Host::new())).contains("already"));
        host.set_settings(json!({"a": 1}));
        let other = std::thread::spawn(|| {
            let _host = Host::new();
            settings::get_all()
        });
        assert!(other.join().expect("the other test").is_empty());
        assert_eq!(settings::get_all()["a"], 1);
        drop(host);
        assert!(settings_of_a_new_host().is_empty());
    }

    fn settings_of_a_new_host() -> Map<String, Json> {
        let _host = Host::new();
        settings::get_all()
    }

    #[test]
    fn the_caller_is_who_the_test_says() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Claims {
            role: String,
        }
        let host = Host::new();
        assert_eq!(caller::subject().as_deref(), Some(Host::USER));
        host.set_caller("bob");
        assert_eq!(caller::require_subject(), Ok("bob".to_owned()));
        host.set_role("anon");
        assert_eq!(caller::require_subject().map_err(|error| error.code), Err("denied".to_owned()));
        assert_eq!(caller::claims_as(), Ok(Claims { role: "anon".to_owned() }));
        assert_eq!(caller::claims(), host.claims());
        assert_eq!(caller::get_identity().role, "anon");
        host.set_remaining(Duration::from_secs(2));
        assert_eq!(caller::remaining(), Duration::from_secs(2));
        assert!(caller::get_call().contains("call_id"));
    }

    #[test]
    fn settings_are_a_type() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Settings {
            #[serde(default)]
            limit: u8,
        }
        let host = Host::new();
        assert_eq!(settings::get(), Ok(Settings { limit: 0 }));
        host.set_settings(json!({"limit": 3}));
        assert_eq!(settings::get(), Ok(Settings { limit: 3 }));
        host.set_settings(json!({"limit": "x"}));
        assert!(settings::get::<Settings>().expect_err("an error").message.contains("operator"));
    }

    #[test]
    fn what_was_said_is_kept() {
        let host = Host::new();
        log::debug("one");
        log::error(String::from("two"));
        progress::report(1, 2, "half");
        progress::report(2, None, "more");
        commit().expect("a commit");
        assert_eq!(host.log_lines(), ["debug one", "error two"]);
        let half = Progress { done: 1, total: Some(2), message: Some("half".into()) };
        let more = Progress { done: 2, total: None, message: Some("more".into()) };
        assert_eq!(host.progress(), [half, more]);
        assert_eq!(host.commits(), 1);
    }

    #[test]
    fn a_search_finds_what_the_test_says() {
        let host = Host::new();
        let text = |text: &str| text.to_owned();
        let passage = Passage { chunk: text("c"), source: text("s"), text: text("t"), score: 1.0, meta: text("{}") };
        host.set_passages(vec![passage.clone()]);
        let options = knowledge::Options { top_k: Some(3), ..Default::default() };
        assert_eq!(knowledge::search("garden", &options), Ok(vec![passage]));
        assert_eq!(host.searches(), [Search { text: text("garden"), options: json!({"top_k": 3}) }]);
    }

    #[test]
    fn the_schema_is_described_as_the_test_says() {
        let host = Host::new();
        host.set_description(&json!([{"name": "notes"}]));
        assert_eq!(crate::database::describe(None).expect("a description")[0]["name"], "notes");
    }
}
