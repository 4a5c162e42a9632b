//! Promises about limits, grants, settings and failed statements.

use crate::promise::Promise;

pub(super) const ALL: &[Promise] = &[
    Promise {
        id: "limits.time",
        sentence: "Calls end before their deadline.",
        why: "A host ends what takes longer, and the caller has waited for nothing.",
        how: "All calls of the suite run with the project's `limits.timeout_ms`, or three seconds; none may reach it.",
        mend: "Bound loops and waits by what the arguments allow; let the schema bound the arguments.",
    },
    Promise {
        id: "limits.memory",
        sentence: "Calls stay within their memory.",
        why: "A host ends what asks for more.",
        how: "All calls of the suite run with the project's `limits.memory_bytes`, or the host's default of 64 MiB; none may reach it.",
        mend: "Allocate by what there is, not by what an argument says; let the schema bound numbers; select less.",
    },
    Promise {
        id: "limits.output",
        sentence: "Results stay within the allowed size.",
        why: "A host refuses larger ones, after all the work was done.",
        how: "All calls of the suite run with the project's `limits.output_bytes`, or the host's default of 1 MiB; none may exceed it.",
        mend: "Cut long results and say so in them; take a limit as an argument.",
    },
    Promise {
        id: "limits.calls",
        sentence: "A call does not call the host without end.",
        why: "A host ends a call after 50,000 of them.",
        how: "No call of the suite may reach that.",
        mend: "Do more in each statement; report progress now and then, not for every row.",
    },
    Promise {
        id: "limits.log",
        sentence: "A call does not log more than is kept.",
        why: "After 200 lines or 64 KiB a host drops the rest, often the part that matters.",
        how: "No call of the suite may have lines dropped.",
        mend: "Log what a reader wants to know, not every row.",
    },
    Promise {
        id: "limits.rows",
        sentence: "A tool copes with an answer of the database that was cut short.",
        why: "Operators bound the rows of one answer, and `truncated` says that there were more.",
        how: "Calls that gave results are made again with `max_rows` of 1; they must not crash, and results must fit the output schema.",
        mend: "Read the rows that are there; say in the result that there are more.",
    },
    Promise {
        id: "grants.missing",
        sentence: "A tool that was granted less answers with an error instead of crashing.",
        why: "Operators grant what they like, and change it later.",
        how: "Calls that gave results are made again with reading only, with no table, and with each grant taken away; none may crash.",
        mend: "Treat `not_granted` and `forbidden` like any other failed statement: return an error that says what is missing.",
    },
    Promise {
        id: "settings.missing",
        sentence: "Settings that are missing or of another type do not crash a tool.",
        why: "Operators set what they like.",
        how: "Calls that gave results are made again without settings and with each setting of the project as null, number, text, list and object; none may crash.",
        mend: "Have a default for each setting, or return an error that names the setting.",
    },
    Promise {
        id: "statements.failed",
        sentence: "A failed statement is never reported as success.",
        why: "A model that reads \"done\", or an empty list, believes it.",
        how: "Rights to one table after the other are taken away, so that statements fail, and calls that gave results are made again: they must not crash, nor give the result they give when all is well, nor the one they give when there are no rows.",
        mend: "Look at the result of every statement, and return its error.",
    },
];
