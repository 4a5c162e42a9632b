//! Promises about rows of other users.

use crate::promise::Promise;

pub(super) const ALL: &[Promise] = &[
    Promise {
        id: "isolation.results",
        sentence: "A result contains no data of another user.",
        why: "This is the main promise of Behalf.",
        how: "Every text of the default rows contains a mark of its owner, and every value that is in one user's rows alone marks this user too: texts of several words or with digits, numbers of six digits, also inside of JSON and arrays. The suite searches every result for alice, bob and the anonymous caller for marks of other users, except for those in the call's own arguments.",
        fix: "Read tables that have row-level security, and views with `security_invoker`. Do not call functions that are `security definer`.",
    },
    Promise {
        id: "isolation.errors",
        sentence: "An error contains no data of another user.",
        why: "The model and the user read the error.",
        how: "The suite searches every error for alice, bob and the anonymous caller for marks of other users.",
        fix: "Name in an error what the caller asked for, not what the tool found. Read tables that have row-level security, and views with `security_invoker`. Do not call functions that are `security definer`.",
    },
    Promise {
        id: "isolation.logs",
        sentence: "A log line contains no data of another user.",
        why: "Everybody who can see a call can read its log.",
        how: "The suite searches every line that is logged or printed for alice, bob and the anonymous caller for marks of other users.",
        fix: "Log counts, not contents. Read tables that have row-level security, and views with `security_invoker`. Do not call functions that are `security definer`.",
    },
    Promise {
        id: "isolation.progress",
        sentence: "A progress report, or a part of a result, contains no data of another user.",
        why: "The user reads them while the call runs.",
        how: "The suite searches every progress report and every part of a result for alice, bob and the anonymous caller for marks of other users.",
        fix: "Report the progress of the call, not what the tool found. Read tables that have row-level security, and views with `security_invoker`. Do not call functions that are `security definer`.",
    },
    Promise {
        id: "isolation.interference",
        sentence: "The answer for one user does not depend on the rows of another user.",
        why: "A count or a sum also reveals rows of another user.",
        how: "The suite makes each call twice as alice, deletes bob's rows, and makes the call again. Then it does the same for bob, without alice's rows. If the first two calls have the same result, error, log or progress, the calls without the rows must have it too. Calls whose answers vary are not compared.",
        fix: "Compute counts and sums under row-level security. Read tables that have row-level security, and views with `security_invoker`. Do not call functions that are `security definer`.",
    },
    Promise {
        id: "isolation.shared",
        sentence: "Data that a tool stores for one user does not appear in a call of another user.",
        why: "Every user can read all rows of a table without row-level security.",
        how: "The suite calls all tools as alice, with a mark in every text and number of the arguments, also in nested objects and arrays, and commits the changes. Then it calls all tools as bob and searches the answers for alice's marks.",
        fix: "Store a user's data in tables that have an owner and row-level security.",
    },
    Promise {
        id: "isolation.rows",
        sentence: "A call changes no row of another user.",
        why: "Views and functions that run as their owner can write without row-level security.",
        how: "The suite calls all tools as alice and commits the changes. All rows of bob must be unchanged.",
        fix: "Write to tables that have row-level security, not through views or functions that run as their owner.",
    },
];
