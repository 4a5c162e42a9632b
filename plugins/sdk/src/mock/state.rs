//! What a mocked host knows and has seen, one to a thread.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::time::Duration;
use std::thread_local;

use super::documents::Documents;
use super::memories::Memories;
use super::objects::Objects;
use super::scopes::Scopes;
#[cfg(feature = "http")]
use super::servers::Servers;
use super::stores::Stores;
use super::{Answer, Progress, Search, Statement};
use crate::bindings::behalf::tool::caller::Identity;
use crate::bindings::behalf::tool::database::Value;
use crate::bindings::behalf::tool::knowledge::Passage;
use crate::log::Level;

/// Time for a call, unless a test says otherwise.
const CALL_TIME: Duration = Duration::from_mins(1);

thread_local! {
    static HOST: RefCell<Option<Rc<RefCell<State>>>> = const { RefCell::new(None) };
}

/// An answer that was told, and to what.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) part: String,
    pub(super) answer: Answer,
    pub(super) once: bool,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) identity: Identity,
    pub(super) settings: String,
    pub(super) remaining: Duration,
    pub(super) description: Option<String>,
    pub(super) passages: Option<Vec<Passage>>,
    pub(super) expected: Vec<Expected>,
    pub(super) statements: Vec<Statement>,
    pub(super) commits: usize,
    pub(super) scopes: Scopes,
    pub(super) searches: Vec<Search>,
    pub(super) documents: Documents,
    pub(super) memories: Memories,
    pub(super) stores: Stores,
    pub(super) objects: Objects,
    #[cfg(feature = "http")]
    pub(super) servers: Servers,
    pub(super) log: Vec<(Level, String)>,
    pub(super) progress: Vec<Progress>,
    pub(super) partials: Vec<serde_json::Value>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            identity: Identity { subject: None, role: String::new(), claims: "{}".into() },
            settings: "{}".into(),
            remaining: CALL_TIME,
            description: None,
            passages: None,
            expected: Vec::new(),
            statements: Vec::new(),
            commits: 0,
            scopes: Scopes::default(),
            searches: Vec::new(),
            documents: Documents::default(),
            memories: Memories::default(),
            stores: Stores::default(),
            objects: Objects::default(),
            #[cfg(feature = "http")]
            servers: Servers::default(),
            log: Vec::new(),
            progress: Vec::new(),
            partials: Vec::new(),
        }
    }

    /// Keeps the statement, and finds its answer.
    pub(super) fn answer(&mut self, sql: &str, params: &[Value]) -> Answer {
        self.statements.push(Statement { sql: sql.to_owned(), params: params.to_vec() });
        let text = plain(sql);
        let fits = |once: bool| {
            self.expected.iter().position(|expected| expected.once == once && text.contains(&expected.part))
        };
        if let Some(index) = fits(true) {
            return self.expected.remove(index).answer;
        }
        if let Some(index) = fits(false) {
            return self.expected[index].answer.clone();
        }
        let told: Vec<_> = self.expected.iter().map(|expected| format!("  {:?}", expected.part)).collect();
        let told = if told.is_empty() { "  (nothing)".into() } else { told.join("\n") };
        fail(&format!(
            "The tool made a statement that this test has no answer for:\n\n{sql}\n\nparameters: {params:?}\n\nAnswers \
             are told for statements with:\n{told}\n\nTell one with `host.answer(\"part of the statement\", \
             json!([…]))`."
        ))
    }
}

/// Puts the host in its place.
pub(super) fn install(state: &Rc<RefCell<State>>) {
    HOST.with_borrow_mut(|place| {
        assert!(place.is_none(), "this thread has a mock::Host already; drop that one first");
        *place = Some(Rc::clone(state));
    });
}

pub(super) fn remove() {
    // A test that ended with its thread takes its host along.
    let _ = HOST.try_with(RefCell::take);
}

/// Asks the host of this thread; `what` was asked.
pub(super) fn ask<T>(what: &str, question: impl FnOnce(&mut State) -> T) -> T {
    let host = HOST.with_borrow(Clone::clone);
    match host {
        Some(host) => question(&mut host.borrow_mut()),
        None => fail(&format!(
            "{what} was called without a host. A native test brings its own: \
             `let host = behalf_sdk::mock::Host::new();`, on the thread of the call and until its end."
        )),
    }
}

/// A log line where there is a host; printed where there is none, which a test's output shows.
pub(super) fn log(level: Level, message: &str) {
    match HOST.with_borrow(Clone::clone) {
        Some(host) => host.borrow_mut().log.push((level, message.to_owned())),
        None => std::eprintln!("{} {message}", word(level)),
    }
}

/// Ends the test.
#[expect(clippy::panic, reason = "in a test, an error that the tool might handle would hide the test's own mistake")]
pub(super) fn fail(message: &str) -> ! {
    panic!("{message}")
}

/// Without what two writings of one statement differ in.
pub(super) fn plain(sql: &str) -> String {
    sql.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

pub(super) fn word(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}
