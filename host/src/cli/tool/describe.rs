use serde::Serialize;

use crate::sandbox::ImportedInterface;

/// What a capability is, as an operator reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Capability {
    /// Its key in the grants, or the interface's name where nothing has to be granted.
    pub(super) name: &'static str,
    /// What it allows.
    pub(super) means: &'static str,
    /// The functions that the component names.
    pub(super) functions: Vec<String>,
}

/// What a component could do, from its imports alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Powers {
    /// It gets these where an operator grants them, and only then.
    pub(super) may_be_granted: Vec<Capability>,
    /// It has these in any case; none reaches anything.
    pub(super) always: Vec<Capability>,
    /// It does not import these, so nobody can give them to it; or no tool ever gets them.
    pub(super) never: Vec<Capability>,
}

/// Grant, start of the interfaces that it takes, and what it allows.
const GRANTS: [(&str, &str, &str); 4] = [
    ("database", "behalf:tool/database@", "read, or read and write, tables as the caller"),
    ("knowledge", "behalf:tool/knowledge@", "search knowledge bases as the caller"),
    ("http", "wasi:http/outgoing-handler@", "send HTTP requests to listed hosts"),
    ("files", "wasi:filesystem/", "work in one folder of its own"),
];

/// Interfaces without power.
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

/// What no component gets, imported or not.
const NEVER: [(&str, &str, &str); 2] = [
    ("network", "wasi:sockets/", "open sockets or look up names"),
    ("environment", "wasi:cli/environment@", "read the host's environment or arguments"),
];

/// Sorts a component's imports by what they mean.
pub(super) fn powers(imports: &[ImportedInterface]) -> Powers {
    let find = |&(name, prefix, means): &(&'static str, &str, &'static str)| {
        let mut found = imports.iter().filter(|import| import.name.starts_with(prefix)).peekable();
        let imported = found.peek().is_some();
        let functions = found.flat_map(|import| import.functions.iter().cloned()).collect();
        (imported, Capability { name, means, functions })
    };
    let mut powers = Powers::default();
    for (imported, capability) in GRANTS.iter().map(find) {
        if imported { &mut powers.may_be_granted } else { &mut powers.never }.push(capability);
    }
    powers.always =
        ALWAYS.iter().map(find).filter(|(imported, _)| *imported).map(|(_, capability)| capability).collect();
    powers.never.extend(NEVER.iter().map(find).map(|(_, capability)| capability));
    powers
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
        let powers = powers(&[
            import("behalf:tool/database@0.1.0", &["query", "commit"]),
            import("wasi:sockets/tcp@0.2.0", &[]),
            import("wasi:cli/stdout@0.2.0", &["get-stdout"]),
        ]);
        let names = |list: &[Capability]| list.iter().map(|one| one.name).collect::<Vec<_>>();
        assert_eq!(names(&powers.may_be_granted), ["database"]);
        assert_eq!(powers.may_be_granted.first().map(|one| one.functions.join(" ")).as_deref(), Some("query commit"));
        assert_eq!(names(&powers.always), ["output"]);
        assert_eq!(names(&powers.never), ["knowledge", "http", "files", "network", "environment"]);
    }
}
