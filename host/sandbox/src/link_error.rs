//! Why a component cannot be linked, in words for whoever built it and whoever gives it grants. The linker's own words name the last
//! thing that it looked for, and not what to change.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::capabilities::Capability;
use crate::capabilities::database::Database;
use crate::capabilities::http::Http;
use crate::capabilities::knowledge::Knowledge;
use crate::capabilities::kv::Kv;
use crate::capabilities::memory::Memories;
use crate::capabilities::storage::Storage;
use crate::grants::Grants;
use crate::outcome::root_message;

/// Whether these grants give an interface.
type IsGiven = fn(&Grants) -> bool;

/// Interfaces that have to be granted: how their names begin, the grant, and whether it is given.
const GRANTED: [(&str, &str, IsGiven); 6] = [
    ("behalf:tool/database@", "database", Database::is_granted),
    ("behalf:tool/knowledge@", "knowledge", Knowledge::is_granted),
    ("behalf:tool/memory@", "memory", Memories::is_granted),
    ("behalf:tool/kv@", "kv", Kv::is_granted),
    ("behalf:tool/storage@", "storage", Storage::is_granted),
    ("wasi:http/outgoing-handler@", "http", Http::is_granted),
];

/// Characters of a name that a component chose.
const MAX_NAME_CHARS: usize = 200;

/// The interfaces that a component imports and that these grants do not give it, and the grants that do. None where it lacks none.
pub(crate) fn not_granted(component: &Component, engine: &Engine, grants: &Grants) -> Option<String> {
    let (mut imports, mut needed) = (Vec::new(), Vec::new());
    for (name, _) in component.component_type().imports(engine) {
        let rule = GRANTED.iter().find(|(prefix, ..)| name.starts_with(prefix));
        if let Some((_, grant, _)) = rule.filter(|(_, _, is_granted)| !is_granted(grants)) {
            imports.push(cut(name));
            if !needed.contains(grant) {
                needed.push(*grant);
            }
        }
    }
    let grants = needed.iter().map(|grant| format!("`{grant}`")).collect::<Vec<_>>().join(" and ");
    (!imports.is_empty()).then(|| format!("it imports {}, which takes the grant {grants}", imports.join(", ")))
}

/// Why a component that lacks no grant cannot be linked.
pub(crate) fn reason(error: &wasmtime::Error) -> String {
    let links: Vec<_> = error.chain().map(ToString::to_string).collect();
    let quoted = |before: &str| links.iter().find_map(|link| link.split_once(before)?.1.split('`').next());
    let import = links.iter().find_map(|link| link.strip_prefix("component imports ")?.split('`').nth(1));
    let Some(import) = import.map(cut) else { return root_message(error) };
    let member = quoted("instance export `").map(|member| format!("`{}` of ", cut(member))).unwrap_or_default();
    format!(
        "it imports {member}{import}, which this host does not have in this form ({}): {}",
        root_message(error),
        fix(&import)
    )
}

/// What to change in a component that imports this.
fn fix(import: &str) -> String {
    if import.starts_with("wasi:http/") {
        return "a plugin may send requests through wasi:http/outgoing-handler, and it is called through its export `tool` alone; \
            build it without the rest of wasi:http"
            .to_owned();
    }
    if import.starts_with("wasi:") {
        return format!("build it without what uses {import}, or for the WASI 0.2 that this host has");
    }
    format!("build it against {import} as it was released, or leave it out")
}

fn cut(name: &str) -> String {
    name.chars().take(MAX_NAME_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wasmtime::component::Linker;

    use super::*;
    use crate::engine::code_config;

    /// A component that imports these functions of these interfaces, and exports nothing.
    fn importing(engine: &Engine, imports: &[(&str, &str)]) -> Component {
        let import = |(interface, function): &(&str, &str)| {
            format!(r#"(import "{interface}" (instance (export "{function}" (func))))"#)
        };
        let text = format!("(component {})", imports.iter().map(import).collect::<String>());
        Component::new(engine, wat::parse_str(text).expect("it is well formed")).expect("it is valid")
    }

    #[test]
    fn an_interface_that_was_not_granted_is_named_with_its_grant() {
        let engine = Engine::new(&code_config()).expect("an engine");
        let component = importing(
            &engine,
            &[
                ("wasi:http/outgoing-handler@0.2.0", "handle"),
                ("behalf:tool/memory@0.1.1", "recall"),
                ("wasi:cli/exit@0.2.0", "exit"),
            ],
        );
        let missing = |grants| not_granted(&component, &engine, &Grants::from_json(grants).expect("grants"));
        assert_eq!(
            missing(json!({})).as_deref(),
            Some(
                "it imports wasi:http/outgoing-handler@0.2.0, behalf:tool/memory@0.1.1, which takes the grant `http` and `memory`"
            )
        );
        let http = json!({ "hosts": ["api.example.com"] });
        assert_eq!(
            missing(json!({ "http": http })).as_deref(),
            Some("it imports behalf:tool/memory@0.1.1, which takes the grant `memory`")
        );
        assert_eq!(missing(json!({ "http": http, "memory": "read" })), None);
        let component = importing(&engine, &[("behalf:tool/kv@0.1.1", "get")]);
        let missing = |grants| not_granted(&component, &engine, &Grants::from_json(grants).expect("grants"));
        for none in [json!({}), json!({"kv": {"access": "none"}})] {
            let said = missing(none);
            assert_eq!(said.as_deref(), Some("it imports behalf:tool/kv@0.1.1, which takes the grant `kv`"));
        }
        assert_eq!(missing(json!({"kv": {"access": "read"}})), None);
    }

    #[test]
    fn what_a_host_does_not_have_is_named_and_not_what_the_linker_looked_for() {
        let engine = Engine::new(&code_config()).expect("an engine");
        let linker = Linker::<()>::new(&engine);
        let said = |interface: &str| {
            let component = importing(&engine, &[(interface, "handle")]);
            reason(&linker.instantiate_pre(&component).err().expect("nothing is linked"))
        };
        let text = said("wasi:http/incoming-handler@0.2.0");
        assert!(
            text.starts_with("it imports `handle` of wasi:http/incoming-handler@0.2.0, which this host does not have"),
            "{text}"
        );
        assert!(text.contains("its export `tool` alone"), "{text}");
        assert!(said("wasi:clocks/timezone@0.2.0").contains("build it without what uses wasi:clocks/timezone@0.2.0"));
    }
}
