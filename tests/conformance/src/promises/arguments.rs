//! Promises about arguments, results and errors.

use crate::promise::Promise;

pub(super) const ALL: &[Promise] = &[
    Promise {
        id: "calls.work",
        sentence: "The calls that its project lists work.",
        why: "They are what the tool is for, and what all other checks begin with.",
        how: "Each `[[check.calls]]` of plugin.toml is made as alice and must give a result.",
        mend: "Mend the tool, or the call in plugin.toml; the command shown repeats it.",
    },
    Promise {
        id: "callers.handled",
        sentence: "A tool that works for one caller answers every caller.",
        why: "The anonymous caller has no subject and often no right to a table; the service role has no subject either.",
        how: "Calls that did not crash for alice are made for bob, the anonymous caller and the service role; none may crash.",
        mend: "Treat a missing subject and a `forbidden` statement as errors with a sentence.",
    },
    Promise {
        id: "arguments.fitting",
        sentence: "Arguments that fit the schema never crash a tool.",
        why: "Models send everything a schema allows: null, empty and long text, other scripts, the largest numbers.",
        how: "Arguments are made from the schema: examples, bounds, each type's corners, and random mixtures of them; the result must be a result or an error.",
        mend: "Handle the value, or let the schema refuse it (minLength, minimum, enum, no null).",
    },
    Promise {
        id: "arguments.hostile",
        sentence: "Arguments that do not fit the schema never crash a tool.",
        why: "Other hosts may check less than this one.",
        how: "The component itself is given wrong types, missing and unknown properties, broken and deeply nested JSON, and a megabyte of text.",
        mend: "Read arguments with a parser that returns an error, and return it as `invalid_arguments`.",
    },
    Promise {
        id: "arguments.refused",
        sentence: "What cannot be arguments is answered with an error.",
        why: "A tool that goes on without what it needs does something nobody asked for.",
        how: "The component itself is given text that is no JSON, JSON that is neither object nor list, and objects without a required property; the answer must be an error.",
        mend: "Return `invalid_arguments`, saying what is missing.",
    },
    Promise {
        id: "arguments.unknown_tool",
        sentence: "A name that is no tool of the plugin is answered with an error.",
        why: "A host with older definitions may ask for a tool that is gone.",
        how: "The component itself is called with unknown names, an empty one among them.",
        mend: "Return an error for every name that `definitions` does not list.",
    },
    Promise {
        id: "result.json",
        sentence: "A result is one JSON value that nests at most 100 levels.",
        why: "A host passes nothing else on.",
        how: "Every result of every call is parsed.",
        mend: "Serialize results with a JSON library; put plain text in quotes, or in an object.",
    },
    Promise {
        id: "result.schema",
        sentence: "Results fit the output schema.",
        why: "Programs and models read results by it.",
        how: "Every result of every call with fitting arguments is checked against `outputSchema`.",
        mend: "Change the result or the schema; optional values need `null` in the type, or have to be left out.",
    },
    Promise {
        id: "errors.sentence",
        sentence: "An error says in a sentence what is wrong.",
        why: "The model reads it and decides what to do next.",
        how: "Every error of a call with fitting arguments must have a code like `[a-z][a-z0-9_]*` and a message of 1 to 2000 characters that has at least two words, no control characters but those of the arguments, and no stack trace.",
        mend: "Write one sentence of what, and one of how to mend it.",
    },
    Promise {
        id: "state.fresh",
        sentence: "An instance that served a call serves the next one as a new instance would.",
        why: "What one call leaves in a global is another call's result, and with another host another user's.",
        how: "Calls are made one after the other in one instance, for one caller, also with the caller's rows gone in between; each must answer as in a new instance.",
        mend: "Keep nothing between calls: no caches, no globals that a call writes.",
    },
];
