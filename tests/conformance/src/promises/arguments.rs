//! Promises about arguments, results and errors.

use crate::promise::Promise;

pub(super) const ALL: &[Promise] = &[
    Promise {
        id: "calls.work",
        sentence: "Every call that the project lists returns a result.",
        why: "The other checks vary these calls.",
        how: "The suite makes each `[[check.calls]]` of plugin.toml as alice; each must return a result.",
        fix: "Fix the tool, or the call in plugin.toml. The report shows a command that repeats the call.",
    },
    Promise {
        id: "calls.succeed",
        sentence: "Every tool returns a result for some of the arguments that its schema allows.",
        why: "A tool that answers every call with an error does nothing, and the other checks can say little about it.",
        how: "The suite calls each tool as alice with arguments made from its schema, from alice's rows and from `[[check.calls]]`. At least one call must not be answered with an error. HTTP requests are not sent, and get the recorded answers of `[check] http`.",
        fix: "Read the error in the report. If the tool needs certain arguments, rows or answers, add `examples` to the schema, calls, a fixture or recorded answers to plugin.toml.",
    },
    Promise {
        id: "callers.handled",
        sentence: "A call that does not crash for one user does not crash for any other caller.",
        why: "The anonymous caller and the service role have no subject, and the anonymous caller often may not read a table.",
        how: "The suite repeats calls that did not crash for alice as bob, as the anonymous caller and as the service role. No call may crash.",
        fix: "Return an error if the subject is missing, or if a statement is `forbidden`.",
    },
    Promise {
        id: "arguments.fitting",
        sentence: "A tool does not crash on arguments that the schema allows.",
        why: "A model may send everything that the schema allows, for example null, empty text, long text, other scripts and the largest numbers.",
        how: "The suite creates arguments from the schema: examples, bounds, each value of an enum, each branch of a choice and each two of these together, values of alice's rows, edge cases of each type, and random mixtures of them. Each call must return a result or an error.",
        fix: "Handle the value, or exclude it in the schema (minLength, minimum, enum, no null).",
    },
    Promise {
        id: "arguments.hostile",
        sentence: "A tool does not crash on arguments that the schema does not allow.",
        why: "Another host may check arguments less strictly than this one.",
        how: "The suite calls the component directly, so that no host checks the arguments. It sends wrong types, missing and unknown properties, broken and deeply nested JSON, and a megabyte of text.",
        fix: "Read arguments with a parser that returns errors, and return such an error as `invalid_arguments`.",
    },
    Promise {
        id: "arguments.refused",
        sentence: "A component returns an error for arguments that no tool can use.",
        why: "A tool that goes on without a required argument does something that the caller did not ask for.",
        how: "The suite calls the component directly with text that is not JSON, with JSON that is neither an object nor a list, and with objects that lack a required property. Each call must return an error.",
        fix: "Return `invalid_arguments` and say what is missing.",
    },
    Promise {
        id: "arguments.unknown_tool",
        sentence: "A component returns an error for a tool name that it does not have.",
        why: "A host with older definitions may call a tool that no longer exists.",
        how: "The suite calls the component directly with unknown names, for example the empty name. Each call must return an error.",
        fix: "Return an error for every name that is not in `definitions`.",
    },
    Promise {
        id: "result.json",
        sentence: "A result is one JSON value with at most 100 levels.",
        why: "A host refuses every other result.",
        how: "The suite parses the result of every call.",
        fix: "Serialize results with a JSON library. Put plain text in quotes, or in an object.",
    },
    Promise {
        id: "result.schema",
        sentence: "A result is valid for the output schema.",
        why: "Programs and models read results by the schema.",
        how: "The suite checks the result of every call with valid arguments against `outputSchema`.",
        fix: "Change the result or the schema. An optional value needs `null` in its type, or the tool has to leave it out.",
    },
    Promise {
        id: "errors.sentence",
        sentence: "An error says in a sentence what is wrong.",
        why: "The model reads the message and decides what to do next.",
        how: "The suite checks every error, except for arguments that the schema does not allow. The code must be like `[a-z][a-z0-9_]*`. The message must have 1 to 2000 characters and at least two words. It must not contain a stack trace, nor control characters that are not in the arguments.",
        fix: "Write one sentence that says what is wrong, and one that says how to fix it.",
    },
    Promise {
        id: "state.fresh",
        sentence: "A used instance answers like a new instance.",
        why: "If a call leaves a value in a global, the next call may return it. On another host, the next call may be another user's.",
        how: "The suite makes several calls as alice in one instance and compares each answer with that of a new instance. It also deletes alice's rows between two calls. It compares only calls that two new instances answer alike.",
        fix: "Keep nothing between calls: no caches, and no globals that a call writes.",
    },
];
