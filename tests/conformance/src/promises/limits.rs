//! Promises about limits, grants, settings, and failed statements and operations.

use crate::promise::Promise;

pub(super) const ALL: &[Promise] = &[
    Promise {
        id: "limits.time",
        sentence: "A call ends before its deadline.",
        why: "A host ends a call at its deadline, and the caller gets no result.",
        how: "The suite makes all calls with the project's `limits.timeout_ms`, or with three seconds. No call may reach this limit.",
        fix: "Limit loops and waits by the arguments, and limit the arguments in the schema.",
    },
    Promise {
        id: "limits.memory",
        sentence: "A call stays within its memory limit.",
        why: "A host ends a call that asks for more memory.",
        how: "The suite makes all calls with the project's `limits.memory_bytes`, or with the host's default of 64 MiB. No call may reach this limit.",
        fix: "Allocate memory for the data that exists, not for a number in the arguments. Limit numbers in the schema, and select fewer rows.",
    },
    Promise {
        id: "limits.output",
        sentence: "A result stays within the size limit.",
        why: "A host refuses a larger result after the tool has done all the work.",
        how: "The suite makes all calls with the project's `limits.output_bytes`, or with the host's default of 1 MiB. No result may exceed this limit.",
        fix: "Cut a long result, and say in the result that it was cut. Take a limit as an argument.",
    },
    Promise {
        id: "limits.calls",
        sentence: "A call makes a limited number of calls to the host.",
        why: "A host ends a call that makes more than 50,000 calls to the host.",
        how: "The suite counts the calls to the host. No call of a tool may reach this limit.",
        fix: "Do more in each statement. Report progress from time to time, not for every row.",
    },
    Promise {
        id: "limits.log",
        sentence: "A call logs no more than the host keeps.",
        why: "A host keeps 200 lines or 64 KiB of a call. It drops all later lines, and these are often the important ones.",
        how: "The suite reads the log of every call. The host must not have dropped a line.",
        fix: "Log a summary, not every row.",
    },
    Promise {
        id: "limits.rows",
        sentence: "A tool can handle a database result that was cut.",
        why: "An operator can limit the rows of one result. The field `truncated` tells the tool that there are more rows.",
        how: "The suite repeats successful calls with `max_rows = 1`. No call may crash, and every result must be valid for the output schema.",
        fix: "Use the rows that are there, and say in the result that there are more.",
    },
    Promise {
        id: "grants.missing",
        sentence: "A tool does not crash when a grant is missing.",
        why: "Operators choose the grants, and change them later.",
        how: "The suite repeats successful calls with read access only, with no table, with no bucket, with no knowledge base, and with each grant removed. No call may crash, and every result must be valid for the output schema.",
        fix: "Handle `not_granted`, `forbidden` and `not_found` like every other failure: return an error that says what is missing.",
    },
    Promise {
        id: "grants.needed",
        sentence: "A project asks for no right to write if all of its tools declare that they only read.",
        why: "The host makes every write of such a tool fail, so the grant can only be a mistake: in the grants, or in the hints.",
        how: "The suite compares the grants of plugin.toml with the hints of all tools: write access to the database, to files of the app and to memories. Without a plugin.toml there is nothing to compare.",
        fix: "Ask for `access = \"read\"` (or `memory = \"read\"`), or remove `readOnlyHint` from the tool that writes.",
    },
    Promise {
        id: "settings.missing",
        sentence: "A tool does not crash when a setting is missing or has another type.",
        why: "An operator can set any value.",
        how: "The suite repeats successful calls without settings, and with each setting of the project as null, boolean, number, text, list and object. No call may crash, and every result must be valid for the output schema.",
        fix: "Give each setting a default, or return an error that names the setting.",
    },
    Promise {
        id: "statements.parameters",
        sentence: "An argument never becomes part of the text of an SQL statement.",
        why: "A quote in an argument then makes the statement fail, and a model can make it another statement. The SQL gate and row-level security limit what it can do, but it is still not the statement that you wrote.",
        how: "The suite repeats successful calls, and sends quotes and brackets in each text of the arguments. If a statement that works with a harmless text is no SQL any more (SQLSTATE 42601), the argument was part of it. An argument that is SQL by its meaning, like the query of `database_query`, is not checked.",
        fix: "Write `$1` into the statement, and give the value as a parameter. Choose names of columns from a fixed list. For a text search use `websearch_to_tsquery`, which takes every text.",
    },
    Promise {
        id: "statements.failed",
        sentence: "A tool does not report success when a statement failed.",
        why: "A model believes an answer like \"done\", or an empty list.",
        how: "The suite takes away the rights to one table after the other, and the grant to write, so that statements fail. Then it repeats successful calls. No call may crash, or return the result that it returns when the user has no rows. A tool without `readOnlyHint` must also not return the result that it returns when no statement fails. In all calls, no tool may report success after a statement that failed in the database (the host answers `commit_failed`), or that the host refuses whatever its values are.",
        fix: "Check the result of every statement, and return its error. A statement that may fail belongs in a scope.",
    },
    Promise {
        id: "objects.failed",
        sentence: "A tool does not report success when a file was not read or written.",
        why: "A model believes an answer like \"saved\".",
        how: "The suite denies every operation on the objects of the app's buckets, and then only takes away the grant to write. Each time it repeats successful calls that use objects. No call may crash, and a tool without `readOnlyHint` must not return the result that it returns when nothing fails.",
        fix: "Check the result of every operation, and return its error.",
    },
    Promise {
        id: "searches.failed",
        sentence: "A tool does not report that nothing was found when a search failed.",
        why: "A model tells the user that there is no document, when the host only could not look.",
        how: "The suite makes every search in knowledge bases fail. Then it repeats successful calls that search. No call may crash, or return the result that it returns when the user has no documents. A tool without `readOnlyHint` must also not return the result that it returns when nothing fails.",
        fix: "Check the result of every search, and return its error.",
    },
    Promise {
        id: "memories.failed",
        sentence: "A tool does not report success when something was not remembered, recalled or forgotten.",
        why: "A model tells the user that it will remember, and does not.",
        how: "The suite makes every operation on memories fail, and then only takes away the grant to remember and forget. Each time it repeats successful calls that use memories. No call may crash, or return the result that it returns when nothing is remembered. A tool without `readOnlyHint` must also not return the result that it returns when nothing fails.",
        fix: "Check the result of every operation, and return its error.",
    },
];
