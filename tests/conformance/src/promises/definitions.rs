//! Promises about the component, its definitions, schemas and size.

use crate::promise::Promise;

pub(super) const ALL: &[Promise] = &[
    Promise {
        id: "world.exports",
        sentence: "The component is one that a host can take: it exports the plugin interface and imports nothing unknown.",
        why: "A host refuses anything else at the door.",
        how: "The file is read as a component, without running it; its exports must have `behalf:tool/tool@0.1`, and every import must be an interface of `behalf:tool` or WASI 0.2.",
        mend: "Build with `behalf tool build`, for the world `tool-plugin` of `behalf:tool@0.1.0`, and leave out libraries that import other interfaces.",
    },
    Promise {
        id: "world.granted",
        sentence: "With the grants that its project asks for, the component has all it imports.",
        why: "A component that imports what it was not granted answers every call with `not_granted`.",
        how: "It is registered and linked with the grants of `plugin.toml`, or without one with everything it imports.",
        mend: "Add what it imports to `[grants]` in plugin.toml, or drop the import; `behalf tool inspect` lists the imports.",
    },
    Promise {
        id: "definitions.answer",
        sentence: "`definitions` answers within the host's time and memory.",
        why: "Hosts ask for the definitions at registration, in a sandbox with small limits.",
        how: "A new instance is asked; it must not crash, nor take more than five seconds.",
        mend: "Return the definitions as constant text; do no work in `definitions`.",
    },
    Promise {
        id: "definitions.free",
        sentence: "`definitions` uses no capability.",
        why: "At registration there is no caller, no database and no settings; using one ends the guest, and the plugin cannot be registered.",
        how: "A new instance is asked in a sandbox in which every call of a capability ends it.",
        mend: "Keep the caller, the database, settings, log and progress out of `definitions`; read settings in `call`.",
    },
    Promise {
        id: "definitions.form",
        sentence: "The definitions are a list of well-formed tools.",
        why: "Models choose by name and description, and hosts know tools by their names.",
        how: "A host registers them: a JSON array of 1 to 64 objects, names like `[a-z][a-z0-9_]{0,63}`, none twice, descriptions of 1 to 4096 characters.",
        mend: "Do what the host's message says; `behalf tool inspect` shows the definitions.",
    },
    Promise {
        id: "definitions.stable",
        sentence: "Every instance gives the same definitions.",
        why: "Hosts keep the definitions of the instance that they asked; what another one says, nobody hears.",
        how: "Three new instances are asked, and their answers are compared byte by byte.",
        mend: "Take time, random numbers and maps without an order out of `definitions`.",
    },
    Promise {
        id: "definitions.repeatable",
        sentence: "An instance that is asked again gives the same definitions.",
        why: "Definitions that depend on what happened before mean that the component keeps state.",
        how: "One instance is asked three times, and its answers are compared byte by byte.",
        mend: "Build the definitions from constants; keep no counters or caches in globals.",
    },
    Promise {
        id: "schema.input",
        sentence: "Every input schema is a JSON Schema (2020-12) of an object that the host can check.",
        why: "The host checks arguments against it before the tool runs, and models write arguments by it.",
        how: "A host prepares it: valid, of type object, bounded in size and depth, references to `#/$defs/` only and not in a circle.",
        mend: "Do what the host's message says.",
    },
    Promise {
        id: "schema.output",
        sentence: "Every output schema is a JSON Schema (2020-12).",
        why: "Who calls the tool reads results by it.",
        how: "A host prepares it, within the same bounds as an input schema.",
        mend: "Do what the host's message says, or leave `outputSchema` out.",
    },
    Promise {
        id: "schema.examples",
        sentence: "Examples and defaults in schemas fit where they stand.",
        why: "Models copy them; one that does not fit teaches them to make calls that are refused.",
        how: "Every `default` and every entry of `examples` is checked against the schema it stands in.",
        mend: "Change the example or the schema.",
    },
    Promise {
        id: "annotations.consistent",
        sentence: "Annotations are booleans and do not contradict each other.",
        why: "Hosts and people decide by them whether to ask before a call.",
        how: "`readOnlyHint`, `destructiveHint`, `idempotentHint` and `openWorldHint` must be booleans, and not both `readOnlyHint` and `destructiveHint` true.",
        mend: "Say what the tool does; leave out what you do not know.",
    },
    Promise {
        id: "measure.size",
        sentence: "The component is no larger than its project allows.",
        why: "Every host downloads, compiles and keeps it.",
        how: "Its bytes are compared with `bounds.size_bytes` of `[check]` in plugin.toml; without a bound they are only reported.",
        mend: "Build for size, strip debug information, drop dependencies; or raise the bound.",
    },
    Promise {
        id: "measure.start",
        sentence: "An instance starts as fast as its project demands.",
        why: "Every call starts a new instance.",
        how: "The median of five starts (instance and `definitions`) is compared with `bounds.start_ms` of `[check]` in plugin.toml; without a bound it is only reported.",
        mend: "Do less when the component starts; snapshot what an interpreter loads; or raise the bound.",
    },
    Promise {
        id: "measure.memory",
        sentence: "Calls need no more memory than the project allows.",
        why: "Memory bounds how many calls a host runs at once.",
        how: "The most that any ordinary call had is compared with `bounds.memory_bytes` of `[check]` in plugin.toml; without a bound it is only reported.",
        mend: "Read less at once, free earlier; or raise the bound.",
    },
];
