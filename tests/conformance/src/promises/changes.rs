//! Promises about rows that a tool changes, and about state.

use crate::promise::Promise;

pub(super) const ALL: &[Promise] = &[
    Promise {
        id: "writes.read_only",
        sentence: "A tool that says it only reads changes nothing.",
        why: "Hosts run such tools without asking.",
        how: "All rows are compared before and after every call of a tool with `readOnlyHint`, with its writes kept.",
        mend: "Drop the write, or the hint.",
    },
    Promise {
        id: "writes.idempotent",
        sentence: "A tool that says it is idempotent does nothing more when called again.",
        why: "Hosts and models repeat such calls when an answer is lost.",
        how: "Calls that gave results are made twice with their writes kept; but for times, all rows must be the same after the second.",
        mend: "Use upserts and absolute values, or drop the hint.",
    },
    Promise {
        id: "writes.additive",
        sentence: "A tool that says it is not destructive only adds.",
        why: "Hosts ask less before such calls.",
        how: "For tools with `destructiveHint` false that do write: after calls that gave results, with their writes kept, every row that was there must still be there, unchanged.",
        mend: "Drop the update or delete, or say `destructiveHint: true`.",
    },
    Promise {
        id: "errors.clean",
        sentence: "A call that ends with an error has changed nothing.",
        why: "Who reads an error tries again.",
        how: "All rows are compared before and after every call that ended with an error.",
        mend: "Commit nothing before all is done: the host commits when the tool returns a result.",
    },
    Promise {
        id: "cancel.clean",
        sentence: "A call that is cancelled has changed everything it would have, or nothing.",
        why: "Users close windows, and networks fail.",
        how: "Calls that change rows are cancelled at random points; afterwards all rows must be as before or, but for ids and times, as after the whole call.",
        mend: "Do not use `commit` between two writes that belong together.",
    },
];
