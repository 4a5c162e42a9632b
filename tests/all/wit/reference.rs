//! The reference in docs/authors/wit.md is generated from the interface.

use std::fmt::Write as _;

use super::assert_current;
use super::items::{Item, Kind};
use super::package::{Package, Sources};

/// The text before the generated part.
const HEAD: &str = "\
# The plugin interface

This page lists every function that a plugin can call, every function that it must export, and the types of both.
[Compatibility](compatibility.md) says which versions fit together.

This page is generated from [`wit/`](../../wit); `REFRESH_GENERATED=1 ./dev test -E 'test(/^wit::/)'` writes it anew.
";

/// The order of the interfaces on the page.
const ORDER: [&str; 10] =
    ["tool", "caller", "database", "knowledge", "memory", "kv", "storage", "log", "progress", "settings"];

fn reference(package: &Package) -> String {
    let items = package.items();
    let mut out = String::from(HEAD);
    let mut line = |text: &str| writeln!(out, "{text}").unwrap();
    line(&format!("\nPackage `behalf:tool@{}`.\n\n## Worlds", package.version()));
    for world in items.iter().filter(|item| item.kind == Kind::World) {
        let name = world.path.trim_start_matches("world ");
        let (imports, exports) = package.world_interfaces(name);
        line(&format!("\n### `{name}`\n\n{}\n", docs(world)));
        line(&format!("Imports {}; exports {}.", linked(&imports), linked(&exports)));
    }
    let mut interfaces: Vec<_> = items.iter().filter(|item| item.kind == Kind::Interface).collect();
    interfaces.sort_by_key(|item| ORDER.iter().position(|name| *name == item.path).unwrap_or(ORDER.len()));
    for interface in interfaces {
        line(&format!("\n## {}\n\n{}", interface.path, docs(interface)));
        let inside = |item: &&Item| item.path.split('.').next() == Some(interface.path.as_str());
        for item in items.iter().filter(inside) {
            let name = item.path.split('.').next_back().unwrap_or_default();
            match item.kind {
                Kind::Function => {
                    line(&format!("\n### `{}`\n\n```wit\n{name}: {};\n```\n\n{}", item.path, item.shape, docs(item)));
                }
                Kind::Type => {
                    let word = item.shape.split(' ').next().unwrap_or_default();
                    line(&format!("\n### {word} `{}`\n\n{}\n", item.path, docs(item)));
                    line(if word == "enum" {
                        "| case | |\n| --- | --- |"
                    } else {
                        "| | type | |\n| --- | --- | --- |"
                    });
                }
                Kind::Part if item.shape.is_empty() && of_enum(&items, item) => {
                    line(&format!("| `{name}` | {} |", cell(item)));
                }
                Kind::Part => {
                    let shape = if item.shape.is_empty() { String::new() } else { format!("`{}`", item.shape) };
                    line(&format!("| `{name}` | {shape} | {} |", cell(item)));
                }
                Kind::Interface | Kind::World => {}
            }
        }
    }
    out
}

fn docs(item: &Item) -> &str {
    item.docs.as_deref().unwrap_or_default().trim_end()
}

fn cell(item: &Item) -> String {
    docs(item).replace('\n', " ").replace('|', "\\|")
}

fn of_enum(items: &[Item], part: &Item) -> bool {
    items.iter().any(|item| {
        item.kind == Kind::Type
            && item.shape.starts_with("enum")
            && part.path.strip_prefix(item.path.as_str()).is_some_and(|rest| rest.starts_with('.'))
    })
}

fn linked(interfaces: &[String]) -> String {
    interfaces.iter().map(|name| format!("[`{name}`](#{name})")).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_reference_is_generated_from_the_interface() {
    assert_current("docs/authors/wit.md", reference(&Sources::current().package()).as_bytes());
}
