//! Promises about rows of other users.

use crate::promise::Promise;

pub(super) const ALL: &[Promise] = &[
    Promise {
        id: "isolation.results",
        sentence: "No result holds anything of another user's.",
        why: "It is what this host is for.",
        how: "Every row of the fixture is marked with its owner; every result for alice, bob and the anonymous caller is searched for marks of others.",
        mend: "Read tables that have row-level security, and views with `security_invoker`; call no function that is `security definer`.",
    },
    Promise {
        id: "isolation.errors",
        sentence: "No error holds anything of another user's.",
        why: "The model and the user read it.",
        how: "Every error for alice, bob and the anonymous caller is searched for marks of others.",
        mend: "Let errors name what was asked for, not what was found. Read tables that have row-level security, and views with `security_invoker`; call no function that is `security definer`.",
    },
    Promise {
        id: "isolation.logs",
        sentence: "No log line holds anything of another user's.",
        why: "A log line belongs to the call it was written in, and is read by whoever looks into that.",
        how: "Every line logged or printed for alice, bob and the anonymous caller is searched for marks of others.",
        mend: "Log counts, not contents. Read tables that have row-level security, and views with `security_invoker`; call no function that is `security definer`.",
    },
    Promise {
        id: "isolation.progress",
        sentence: "No report of progress holds anything of another user's.",
        why: "The user reads it while the call runs.",
        how: "Every report for alice, bob and the anonymous caller is searched for marks of others.",
        mend: "Report how far the call is, not what it found. Read tables that have row-level security, and views with `security_invoker`; call no function that is `security definer`.",
    },
    Promise {
        id: "isolation.interference",
        sentence: "What a user is told does not change with the rows of another.",
        why: "A count or a sum tells of rows as well as their text does.",
        how: "Calls are made as alice before and after bob's rows are deleted, and the other way round; where two calls agree before, result, error, log and progress must be the same after.",
        mend: "Compute counts and sums under row-level security. Read tables that have row-level security, and views with `security_invoker`; call no function that is `security definer`.",
    },
    Promise {
        id: "isolation.shared",
        sentence: "What a tool keeps of one user's call does not come out in another's.",
        why: "A table without row-level security is a notice board.",
        how: "All tools are called as alice, with marked arguments, and what they write is kept; then all are called as bob, and what comes out is searched for alice's marks.",
        mend: "Keep what belongs to a user in tables with an owner and row-level security.",
    },
    Promise {
        id: "isolation.rows",
        sentence: "A call changes no row of another user.",
        why: "Row-level security holds for writing too, where it is not got around.",
        how: "All tools are called as alice and what they write is kept; every row of bob's must be as before.",
        mend: "Write to tables with row-level security, not through views or functions that run as their owner.",
    },
];
