use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

/// What text of Alice's is marked with, in every fixture.
pub const ALICE_MARK: &str = "mark_alice_";
/// What text of Bob's is marked with.
pub const BOB_MARK: &str = "mark_bob_";
/// Alice's `sub`.
pub const ALICE: &str = "a11ce000-0000-4000-8000-000000000001";
/// Bob's `sub`.
pub const BOB: &str = "b0b00000-0000-4000-8000-000000000002";

/// For whom a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A user with rows.
    Alice,
    /// Another user with rows.
    Bob,
    /// Nobody in particular.
    Anon,
    /// The app's back end, who may see everything.
    Service,
}

impl Caller {
    /// As people name the caller.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Anon => "anon",
            Self::Service => "service_role",
        }
    }

    /// Marks that must not come out for this caller.
    pub(crate) fn foreign_marks(self) -> &'static [&'static str] {
        match self {
            Self::Alice => &[BOB_MARK],
            Self::Bob => &[ALICE_MARK],
            Self::Anon => &[ALICE_MARK, BOB_MARK],
            Self::Service => &[],
        }
    }

    /// The user's id, where the caller is one.
    pub fn subject(self) -> Option<&'static str> {
        match self {
            Self::Alice => Some(ALICE),
            Self::Bob => Some(BOB),
            Self::Anon | Self::Service => None,
        }
    }
}

/// What a plugin is given: both in the form of `POST /api/plugins`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setup {
    /// What it may do.
    pub grants: Value,
    /// What the operator set.
    pub settings: Value,
}

/// One call to make.
#[derive(Clone, Debug)]
pub struct Call {
    /// For whom.
    pub caller: Caller,
    /// Which tool.
    pub tool: String,
    /// Its arguments, handed over as they are, whether or not they fit the schema or are JSON at all.
    pub arguments: String,
    /// Whether what it writes is committed when it went well; otherwise it is rolled back.
    pub keep: bool,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With a result.
    Result(Value),
    /// With the tool's own error.
    Error {
        /// Its code.
        code: String,
        /// Its message.
        message: String,
    },
    /// Otherwise.
    Failed(Failure, String),
}

/// What the host ended a call for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The component crashed.
    Trap,
    /// It took too long.
    Deadline,
    /// It wanted too much memory.
    Memory,
    /// It returned too much.
    Output,
    /// It called the host too often.
    HostCalls,
    /// Its result is no JSON.
    NotJson,
    /// It imports what was not granted.
    NotGranted,
    /// It reported success, and the commit failed because one of its statements had.
    Commit,
    /// Something else, for which the component is not to blame.
    Host,
}

/// One statement that a call asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Whether it ran, and went well.
    pub succeeded: bool,
    /// What the host says of it.
    pub detail: String,
}

/// Everything that came out of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// How it ended.
    pub outcome: Outcome,
    /// What it logged and printed.
    pub log: Vec<String>,
    /// What it reported.
    pub progress: Vec<String>,
    /// What it asked the database.
    pub statements: Vec<Statement>,
    /// From its start to its end.
    pub duration: Duration,
    /// The most memory it had.
    pub memory_bytes: usize,
}

impl Seen {
    /// The result, if there is one.
    pub(crate) fn result(&self) -> Option<&Value> {
        match &self.outcome {
            Outcome::Result(value) => Some(value),
            _ => None,
        }
    }

    /// What the host ended it for, if it did.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match &self.outcome {
            Outcome::Failed(failure, _) => Some(*failure),
            _ => None,
        }
    }

    /// In one line for people.
    pub(crate) fn summary(&self) -> String {
        match &self.outcome {
            Outcome::Result(value) => format!("the result {}", shortened(&value.to_string())),
            Outcome::Error { code, message } => format!("the error {code:?}: {}", shortened(message)),
            Outcome::Failed(failure, message) => format!("{failure:?}: {}", shortened(message)).to_lowercase(),
        }
    }
}

/// A text short enough for a line.
pub(crate) fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 240;
    let mut short: String = text.chars().take(MAX_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// What is known of a component without running it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// How it is named in commands: the path of its file.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal.
    pub digest: String,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
}

impl Facts {
    pub(crate) fn imports(&self, interface: &str) -> bool {
        self.imports.iter().any(|import| import.starts_with(interface))
    }
}

/// Why `definitions` gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// It called a capability, which ended it.
    Capability(String),
    /// It crashed or took too long.
    Failed(String),
}

/// Why a host does not take the plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An input schema cannot be used.
    InputSchema(String),
    /// An output schema cannot be used.
    OutputSchema(String),
    /// The definitions are not of the form.
    Definitions(String),
    /// The grants do not fit, or with them the component still lacks what it imports.
    Grants(String),
}

/// What happens before the last call of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// Nothing.
    Nothing,
    /// The rows of this caller disappear.
    RowsGoOf(Caller),
}

/// Which statements are made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbs {
    /// All.
    All,
    /// Those that change rows.
    Writes,
}

/// All rows, by table.
pub type Rows = BTreeMap<String, Vec<Value>>;

/// The ground itself does not hold: no judgement is possible.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct GroundError(pub String);

/// What the suite stands on: a host with a component and a database with marked rows. The suite only looks and asks; it
/// knows of the host what is said here.
pub trait Ground: Sync {
    /// The component.
    fn facts(&self) -> &Facts;

    /// Asks one new instance this often which tools it has, in a sandbox without capabilities. `begun` is how long the
    /// instance took to come up and answer for the first time.
    fn definitions(
        &self,
        times: usize,
    ) -> impl Future<Output = Result<Result<Defined, Unanswered>, GroundError>> + Send;

    /// Registers the component as an operator would, and links it.
    fn register(&self, setup: &Setup) -> impl Future<Output = Result<Result<(), Refusal>, GroundError>> + Send;

    /// Changes grants and settings of the registered component. False if the host does not accept them.
    fn configure(&self, setup: &Setup) -> impl Future<Output = Result<bool, GroundError>> + Send;

    /// Makes one call.
    fn call(&self, call: &Call) -> impl Future<Output = Result<Seen, GroundError>> + Send;

    /// Makes calls of one tool for one caller in one instance, which no host does. Nothing is kept.
    fn sequence(
        &self,
        caller: Caller,
        tool: &str,
        arguments: &[String],
        between: Between,
    ) -> impl Future<Output = Result<Vec<Seen>, GroundError>> + Send;

    /// Makes a call the ordinary way and goes away after this time, then waits until the host has cleaned up.
    fn cancelled(&self, call: &Call, after: Duration) -> impl Future<Output = Result<(), GroundError>> + Send;

    /// All rows, as the owner of the tables sees them.
    fn rows(&self) -> impl Future<Output = Result<Rows, GroundError>> + Send;

    /// Puts all rows back to what they were at the start.
    fn restore(&self) -> impl Future<Output = Result<(), GroundError>> + Send;

    /// Deletes the rows of this user, as the owner.
    fn forget(&self, caller: Caller) -> impl Future<Output = Result<(), GroundError>> + Send;

    /// Lets statements of callers on this table fail.
    fn deny(&self, table: &str, verbs: Verbs) -> impl Future<Output = Result<(), GroundError>> + Send;

    /// Takes that back.
    fn allow(&self) -> impl Future<Output = Result<(), GroundError>> + Send;
}

/// What `definitions` answered.
#[derive(Clone, Debug)]
pub struct Defined {
    /// Each answer of one instance.
    pub answers: Vec<String>,
    /// How long the instance took to come up and answer for the first time.
    pub begun: Duration,
    /// The most memory it had.
    pub memory_bytes: usize,
}
