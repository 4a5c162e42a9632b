//! Promises about the component, its definitions, schemas and size.

use crate::promise::Promise;

pub(super) const ALL: &[Promise] = &[
    Promise {
        id: "world.exports",
        sentence: "A host can load the component: it exports the plugin interface and imports only known interfaces.",
        why: "A host refuses to register every other file.",
        how: "The suite reads the file as a component and does not run it. The component must export `behalf:tool/tool@0.1`, and every import must be an interface of `behalf:tool` or of WASI 0.2.",
        fix: "Build with `behalf tool build` for the world `tool-plugin` of `behalf:tool@0.1.1`. Remove libraries that import other interfaces.",
    },
    Promise {
        id: "world.granted",
        sentence: "The grants that the project asks for cover everything that the component imports.",
        why: "If a grant is missing, the host answers every call with `not_granted`.",
        how: "The suite registers the component with the grants of plugin.toml. Without a plugin.toml, it grants everything that the component imports.",
        fix: "Add the missing grant to `[grants]` in plugin.toml, or remove the import. `behalf tool inspect` lists the imports.",
    },
    Promise {
        id: "definitions.answer",
        sentence: "`definitions` returns within the time and memory limits of the host.",
        why: "A host calls `definitions` when it registers a plugin, in a sandbox with small limits.",
        how: "The suite calls `definitions` in five new instances. It must not crash, and must return within five seconds.",
        fix: "Return the definitions as constant text. Do no other work in `definitions`.",
    },
    Promise {
        id: "definitions.free",
        sentence: "`definitions` uses no capability.",
        why: "At registration there is no caller, no database and no settings. If `definitions` uses one of them, the host ends the instance and refuses the plugin.",
        how: "The suite calls `definitions` in a sandbox that ends the instance at the first use of a capability.",
        fix: "Do not use the caller, the database, settings, the log or progress in `definitions`. Read settings in `call`.",
    },
    Promise {
        id: "definitions.form",
        sentence: "The definitions are a list of well-formed tools.",
        why: "Models choose a tool by its name and description, and hosts find a tool by its name.",
        how: "The suite registers the plugin. The host accepts a JSON array of 1 to 64 objects with unique names like `[a-z][a-z0-9_]{0,63}` and descriptions of 1 to 4096 characters.",
        fix: "Change what the host's message names. `behalf tool inspect` shows the definitions.",
    },
    Promise {
        id: "definitions.stable",
        sentence: "Every instance returns the same definitions.",
        why: "A host asks one instance and keeps its definitions. It does not see that a later instance has others.",
        how: "The suite calls `definitions` in five new instances and compares the answers byte by byte.",
        fix: "Do not use the time, random numbers or maps without an order in `definitions`.",
    },
    Promise {
        id: "definitions.repeatable",
        sentence: "One instance returns the same definitions each time.",
        why: "If the definitions change, the component keeps state between calls.",
        how: "The suite calls `definitions` three times in one instance and compares the answers byte by byte.",
        fix: "Build the definitions from constants. Keep no counters and no caches in globals.",
    },
    Promise {
        id: "schema.input",
        sentence: "Every input schema is a JSON Schema (2020-12) of an object, and the host can check arguments against it.",
        why: "The host checks the arguments before it calls the tool, and models write arguments by the schema.",
        how: "The suite registers the plugin. A host accepts a schema of type object whose size and depth are limited, and does not check what it does not understand. The suite reports such a part if it is a mistake: a type that does not exist, a reference to nothing, a pattern with a fault. It does not report what is right and only not checked: a reference that leads back to itself, a pattern that looks around.",
        fix: "Change what the message names.",
    },
    Promise {
        id: "schema.output",
        sentence: "Every output schema is a JSON Schema (2020-12).",
        why: "Programs and models read results by the schema.",
        how: "The suite registers the plugin, and looks for the same mistakes as in an input schema.",
        fix: "Change what the message names, or remove `outputSchema`.",
    },
    Promise {
        id: "schema.examples",
        sentence: "Every example and every default in a schema is valid.",
        why: "Models copy examples. A model that copies a wrong example makes a call that the host refuses.",
        how: "The suite checks every `default` and every entry of `examples` against the schema that contains it.",
        fix: "Change the example or the schema.",
    },
    Promise {
        id: "annotations.consistent",
        sentence: "Annotations are booleans and do not contradict each other.",
        why: "Hosts and users decide by the annotations whether a call needs an approval.",
        how: "`readOnlyHint`, `destructiveHint`, `idempotentHint` and `openWorldHint` must be booleans. `readOnlyHint` and `destructiveHint` must not both be true.",
        fix: "Declare what the tool does. Leave out an annotation if you do not know its value.",
    },
    Promise {
        id: "measure.size",
        sentence: "The component is not larger than the bound of its project.",
        why: "Every host downloads, compiles and stores the component.",
        how: "The suite compares the size of the file with `bounds.size_bytes` of `[check]` in plugin.toml. Without this bound, it only reports the size.",
        fix: "Build for size, strip debug information and remove dependencies, or raise the bound.",
    },
    Promise {
        id: "measure.start",
        sentence: "A new instance starts within the bound of its project.",
        why: "Every call starts a new instance.",
        how: "The suite measures five starts (instance and `definitions`) and compares the median with `bounds.start_ms` of `[check]` in plugin.toml. Without this bound, it only reports the time.",
        fix: "Do less at the start of the component, make a snapshot of what an interpreter loads, or raise the bound.",
    },
    Promise {
        id: "measure.memory",
        sentence: "A call needs no more memory than the bound of its project.",
        why: "A host can run more calls at once if each call needs less memory.",
        how: "The suite takes the highest memory use of alice's calls with valid arguments and compares it with `bounds.memory_bytes` of `[check]` in plugin.toml. Without this bound, it only reports the memory use.",
        fix: "Read less at once and free memory earlier, or raise the bound.",
    },
];
