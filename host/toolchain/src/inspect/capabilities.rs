//! The capabilities that a component could have, from its imports alone.

use behalf_sandbox::ImportedInterface;
use serde::Serialize;

/// One capability, in an operator's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Capability {
    /// Its key in the grants, or the interface's name where nothing has to be granted.
    pub(super) name: &'static str,
    /// What it allows.
    pub(super) means: &'static str,
    /// The functions that the component names.
    pub(super) functions: Vec<String>,
}

/// The capabilities that a component could have, from its imports alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Capabilities {
    /// It gets these where an operator grants them, and only then.
    pub(super) may_be_granted: Vec<Capability>,
    /// It has these in any case; none reaches anything.
    pub(super) always: Vec<Capability>,
    /// It does not import these, so no operator can grant them; or no tool ever gets them.
    pub(super) never: Vec<Capability>,
}

/// Name of the grant, start of the interfaces' names, and what it allows.
const GRANTS: [(&str, &str, &str); 7] = [
    ("database", "behalf:tool/database@", "read, or read and write, tables as the caller"),
    ("knowledge", "behalf:tool/knowledge@", "search knowledge bases as the caller"),
    ("memory", "behalf:tool/memory@", "recall, or recall, remember and forget, what the caller's agent remembers"),
    ("kv", "behalf:tool/kv@", "read, or read and write, a small store of its own: of each caller, or of all"),
    ("storage", "behalf:tool/storage@", "read, or read and write, files of listed buckets as the caller"),
    ("http", "wasi:http/outgoing-handler@", "send HTTP requests to listed hosts"),
    ("files", "wasi:filesystem/", "work in one folder of its own"),
];

/// Interfaces that reach nothing, in the same form.
const ALWAYS: [(&str, &str, &str); 8] = [
    ("caller", "behalf:tool/caller@", "learn who the call is for; facts, no credentials"),
    ("log", "behalf:tool/log@", "write log lines"),
    ("progress", "behalf:tool/progress@", "report progress"),
    ("settings", "behalf:tool/settings@", "read the settings an operator gave it"),
    ("clocks", "wasi:clocks/", "tell the time and wait"),
    ("random", "wasi:random/", "draw random numbers"),
    ("output", "wasi:cli/std", "print, which goes to the log"),
    ("exit", "wasi:cli/exit@", "end itself"),
];

/// Interfaces that no component gets, imported or not, in the same form.
const NEVER: [(&str, &str, &str); 2] = [
    ("network", "wasi:sockets/", "open sockets or look up names"),
    ("environment", "wasi:cli/environment@", "read the host's environment or arguments"),
];

/// Sorts a component's imports by who decides about them.
pub(super) fn capabilities(imports: &[ImportedInterface]) -> Capabilities {
    let find = |&(name, prefix, means): &(&'static str, &str, &'static str)| {
        let mut found = imports.iter().filter(|import| import.name.starts_with(prefix)).peekable();
        let imported = found.peek().is_some();
        let functions = found.flat_map(|import| import.functions.iter().cloned()).collect();
        (imported, Capability { name, means, functions })
    };
    let mut sorted = Capabilities::default();
    for (imported, capability) in GRANTS.iter().map(find) {
        if imported { &mut sorted.may_be_granted } else { &mut sorted.never }.push(capability);
    }
    sorted.always =
        ALWAYS.iter().map(find).filter(|(imported, _)| *imported).map(|(_, capability)| capability).collect();
    sorted.never.extend(NEVER.iter().map(find).map(|(_, capability)| capability));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_imported_can_never_be_given() {
        let import = |name: &str, functions: &[&str]| ImportedInterface {
            name: name.to_owned(),
            functions: functions.iter().map(|one| (*one).to_owned()).collect(),
        };
        let sorted = capabilities(&[
            import("behalf:tool/database@0.1.0", &["query", "commit"]),
            import("wasi:sockets/tcp@0.2.0", &[]),
            import("wasi:cli/stdout@0.2.0", &["get-stdout"]),
        ]);
        let names = |list: &[Capability]| list.iter().map(|one| one.name).collect::<Vec<_>>();
        assert_eq!(names(&sorted.may_be_granted), ["database"]);
        assert_eq!(sorted.may_be_granted.first().map(|one| one.functions.join(" ")).as_deref(), Some("query commit"));
        assert_eq!(names(&sorted.always), ["output"]);
        assert_eq!(
            names(&sorted.never),
            ["knowledge", "memory", "kv", "storage", "http", "files", "network", "environment"]
        );
    }
}
