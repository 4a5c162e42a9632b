//! Promises about rows that a tool changes, and about state.

use crate::promise::Promise;

pub(super) const ALL: &[Promise] = &[
    Promise {
        id: "writes.read_only",
        sentence: "A tool that declares `readOnlyHint` changes nothing.",
        why: "The host takes the tool at its word: it makes every write fail, and asks nobody before the call.",
        how: "The suite commits the changes of every call of such a tool, with every value of an enum, every branch of a choice, and every two of these together. All rows must be the same before and after the calls, and no call may try to write.",
        fix: "Remove the write, or the hint.",
    },
    Promise {
        id: "writes.idempotent",
        sentence: "A second identical call of a tool that declares `idempotentHint` changes nothing more.",
        why: "Hosts and models repeat such a call when they do not get its answer.",
        how: "The suite makes successful calls of such a tool twice and commits the changes. All rows must be the same after the first and the second call; only times may differ.",
        fix: "Use upserts and absolute values, or remove the hint.",
    },
    Promise {
        id: "writes.additive",
        sentence: "A tool that declares `destructiveHint: false` only adds rows.",
        why: "Hosts ask the user less often before such a call.",
        how: "The suite makes successful calls of such a tool and commits the changes. Then it makes calls that differ in one argument. Every row that existed before a call must still exist, unchanged.",
        fix: "Remove the update, the upsert or the delete, or declare `destructiveHint: true`.",
    },
    Promise {
        id: "errors.clean",
        sentence: "A call that returns an error has changed nothing.",
        why: "A caller who gets an error retries.",
        how: "The suite compares all rows before and after every call that returned an error.",
        fix: "Do not use `commit` before all work is done. The host commits when the tool returns a result.",
    },
    Promise {
        id: "cancel.clean",
        sentence: "A cancelled call has made all its changes or none of them.",
        why: "Users close windows, and networks fail.",
        how: "The suite cancels calls that change rows, at random moments. Afterwards all rows must be as before the call, or as after the whole call; only ids and times may differ.",
        fix: "Do not use `commit` between two writes that belong together.",
    },
];
