//! The table of attacks: statements that try to reach another user's rows, each with what stops them.
//!
//! Where privileges alone cannot stop an attack, [`Privilege::Allows`] gives the reason, and `privilege.rs` asserts that the
//! attack succeeds there, so that the table stays true. In all of these cases the gate stops it.

mod hidden_sql;
mod identity;
mod rows;
mod sessions;
mod system;

use Control::{OwnerReads, OwnerRuns, OwnerWrites, Reads, Runs};
use Gate::{Passes, Refuses};
use Privilege::{Allows, Denies, DeniesExtended, Hides};
use hidden_sql::{HIDDEN_SQL, SPELLINGS};
use identity::IDENTITY;
use rows::ROWS;
use sessions::SESSIONS;
use system::SYSTEM;

/// What the gate says to one of the attack's statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::walls) enum Gate {
    /// The gate refuses it by this rule.
    Refuses(&'static str),
    /// It is an ordinary statement; the attack is on row-level security.
    Passes,
}

/// What privileges and policies do to the attack without any other wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::walls) enum Privilege {
    /// One of its statements fails with this SQLSTATE.
    Denies(&'static str),
    /// All of it runs and neither shows nor changes anything of another user.
    Hides,
    /// As [`Self::Denies`] by the extended protocol; by the simple protocol the attack succeeds.
    DeniesExtended(&'static str),
    /// The attack succeeds, for this reason.
    Allows(&'static str),
}

/// What the attack does where no wall stops it. It proves that the attack is a real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::walls) enum Control {
    /// The usual login (a member of every role) on an ordinary database reads another user's rows by it.
    Reads,
    /// That login can run the statements.
    Runs,
    /// The database's owner reads another user's rows by it.
    OwnerReads,
    /// The owner changes another user's rows by it.
    OwnerWrites,
    /// The owner can run the statements.
    OwnerRuns,
}

/// One attack.
#[derive(Clone, Debug)]
pub(in crate::walls) struct Attack {
    #[expect(dead_code, reason = "a failing test prints it")]
    pub(in crate::walls) name: &'static str,
    /// Statements of one call, in their order.
    pub(in crate::walls) steps: Vec<String>,
    pub(in crate::walls) gate: Gate,
    pub(in crate::walls) privilege: Privilege,
    pub(in crate::walls) control: Control,
}

type Entry = (&'static str, &'static [&'static str], Gate, Privilege, Control);

const DENIED: Privilege = Denies("42501");
const STATEMENT: Gate = Refuses("statement_not_allowed");
const FUNCTION: Gate = Refuses("function_not_allowed");
const RELATION: Gate = Refuses("relation_not_granted");

/// `SET` of a setting that is no server parameter needs no privilege that could be revoked.
const SET: Privilege = Allows("SET of the claims needs no privilege");
/// Postgres has no privilege that these statements need.
const NO_PRIVILEGE: Privilege = Allows("Postgres has no privilege for it");
/// The project decides who may run its own functions.
const PROJECT_FUNCTION: Privilege = Allows("PUBLIC may run functions of the project, and this one is written to do it");

/// A query that becomes Bob and reads his rows, in one statement.
pub(in crate::walls) const STEAL: &str = "select n.body from (select set_config('request.jwt.claims', '{claims}', true) as c offset 0) s, \
     lateral (select * from public.notes where s.c is not null offset 0) n";

/// The table of attacks. [`AttackedDatabase::attacks`](super::attacked_database::AttackedDatabase::attacks) puts Bob's ids
/// in place of the words in braces.
pub(in crate::walls) fn all() -> Vec<Attack> {
    let listed = [IDENTITY, HIDDEN_SQL, SESSIONS, SYSTEM, ROWS].into_iter().flatten().map(|entry| {
        let (name, steps, gate, privilege, control) = *entry;
        Attack { name, steps: steps.iter().map(|&step| step.to_owned()).collect(), gate, privilege, control }
    });
    let spelled = SPELLINGS.iter().map(|(name, spelling)| {
        let steps = vec![STEAL.replace("set_config", spelling)];
        Attack { name, steps, gate: FUNCTION, privilege: DENIED, control: Reads }
    });
    // Those that change rows are at the end of the list.
    spelled.chain(listed).collect()
}
