//! The rule of docs/authors/compatibility.md: a released interface stays, and a patch only adds what plugins can import.

use std::collections::BTreeMap;

use wit_component::semver_check;
use wit_parser::Resolve;

use super::items::Kind;
use super::package::{Package, Sources};

/// The folder with the released interfaces, one folder for each version.
const RELEASED: &str = "tests/wit";

fn released() -> Vec<(String, Sources)> {
    let folders = std::fs::read_dir(super::repository(RELEASED)).unwrap();
    folders
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), Sources::read(&path))
        })
        .collect()
}

/// Major and minor version. The rule holds for all patches of them.
fn line(version: &str) -> Vec<&str> {
    version.split('.').take(2).collect()
}

/// The changes that break plugins which were built against the old version.
fn breaks(old: &Sources, new: &Sources) -> Vec<String> {
    let mut found = by_the_library(old, new);
    let (old, new) = (old.package(), new.package());
    found.extend(by_shape(&old, &new));
    found.extend(by_worlds(&old, &new));
    if old.version() == new.version() && names(&old) != names(&new) {
        found.push(format!("{} was released; what is added needs a new patch version", old.version()));
    }
    found
}

/// The check of the component model's library, world by world. It ignores versions, but cannot read two packages of one name
/// and version together.
fn by_the_library(old: &Sources, new: &Sources) -> Vec<String> {
    let mut found = Vec::new();
    let (package, version) = (old.package(), old.package().version());
    for world in package.resolve.packages[package.id].worlds.keys() {
        let mut resolve = Resolve::default();
        let old = old.clone().of_version(&format!("{version}-released")).push(&mut resolve);
        let new = new.push(&mut resolve);
        let Some(&new_world) = resolve.packages[new].worlds.get(world) else {
            found.push(format!("the world {world} is gone"));
            continue;
        };
        let old_world = resolve.packages[old].worlds[world];
        if let Err(error) = semver_check(resolve, old_world, new_world) {
            found.push(format!("world {world}: {error:#}"));
        }
    }
    found
}

/// Everything that was there is there in the same shape, types that no function uses included: sources name them.
fn by_shape(old: &Package, new: &Package) -> Vec<String> {
    let now: BTreeMap<_, _> = new.items().into_iter().map(|item| (item.path, item.shape)).collect();
    old.items()
        .into_iter()
        .filter_map(|item| match now.get(&item.path) {
            None => Some(format!("{} is gone", item.path)),
            Some(shape) if *shape != item.shape => Some(format!("{} was `{}` and is `{shape}`", item.path, item.shape)),
            Some(_) => None,
        })
        .collect()
}

/// A world imports at least what it did, and exports exactly that: a plugin has no export that it was not built with,
/// and a host would no longer call one that is gone.
fn by_worlds(old: &Package, new: &Package) -> Vec<String> {
    let mut found = Vec::new();
    for world in old.resolve.packages[old.id].worlds.keys() {
        if !new.resolve.packages[new.id].worlds.contains_key(world) {
            continue;
        }
        let ((imports, exports), (now_imports, now_exports)) =
            (old.world_interfaces(world), new.world_interfaces(world));
        if exports != now_exports {
            found.push(format!("world {world} exported {exports:?} and exports {now_exports:?}"));
        }
        for gone in imports.iter().filter(|import| !now_imports.contains(import)) {
            found.push(format!("world {world} no longer imports {gone}"));
        }
        for interface in &exports {
            let of = |package: &Package| -> Vec<String> {
                let functions = package.items().into_iter().filter(|item| item.kind == Kind::Function);
                functions.map(|item| item.path).filter(|path| path.split('.').next() == Some(interface)).collect()
            };
            let (before, now) = (of(old), of(new));
            for added in now.iter().filter(|function| !before.contains(function)) {
                found.push(format!("{added} is new and exported; old plugins do not have it"));
            }
        }
    }
    found
}

fn names(package: &Package) -> Vec<String> {
    let mut names: Vec<_> = package.items().into_iter().map(|item| item.path).collect();
    for world in package.resolve.packages[package.id].worlds.keys() {
        names.push(format!("{world}: {:?}", package.world_interfaces(world)));
    }
    names.sort();
    names
}

#[test]
fn plugins_of_every_released_version_still_fit() {
    let current = Sources::current();
    let version = current.package().version();
    let released = released();
    let same_line: Vec<_> = released.iter().filter(|(old, _)| line(old) == line(&version)).collect();
    assert!(!same_line.is_empty(), "nothing of {version} was released: copy wit/ to {RELEASED}/{version}");
    for (old, sources) in same_line {
        assert_eq!(*old, sources.package().version(), "{RELEASED}/{old} holds another version");
        assert_eq!(breaks(sources, &current), Vec::<String>::new(), "against {old}");
    }
}

#[test]
fn what_would_break_plugins_is_found() {
    let (released, next) =
        (Sources::read(&super::repository("tests/wit/0.1.0")), || Sources::current().of_version("0.1.2"));
    let broken: &[(&str, Sources, &[&str])] = &[
        (
            "a function removed",
            next().with("progress.wit", "report: func", "tell: func"),
            &["world", "progress.report is gone"],
        ),
        (
            "a parameter added",
            next().with("log.wit", "message: string)", "message: string, fields: string)"),
            &["world", "log.write was"],
        ),
        (
            "a field added to a record",
            next().with("database.wit", "type-name: string,", "type-name: string, /// Doc.\n nullable: bool,"),
            &["world", "database.column was"],
        ),
        (
            "a case added to a variant",
            next().with("database.wit", "vector(list<f32>),", "vector(list<f32>), /// Doc.\n timestamp(s64),"),
            &["world", "database.value was"],
        ),
        ("cases of an enum in another order", next().with("log.wit", "trace,", "finest,"), &["log.level was"]),
        (
            "a function added to what plugins export",
            next().with("tool.wit", "definitions: func", "/// Doc.\n health: func() -> bool;\n definitions: func"),
            &["world", "tool.health is new and exported"],
        ),
        (
            "an export added",
            next()
                .with("tool.wit", "world pure-tool {", "world pure-tool {\n export hooks;")
                .with_file("hooks.wit", "/// Doc.\ninterface hooks { /// Doc.\n before: func(); }"),
            &["world pure-tool exported"],
        ),
        (
            "an export removed",
            next().with("tool.wit", "import log;\n    export tool;", "import log;"),
            &["world pure-tool exported [\"tool\"] and exports []"],
        ),
        ("an import removed", next().with("tool.wit", "    import settings;\n", ""), &["no longer imports settings"]),
        (
            "a world removed",
            next().with("tool.wit", "world pure-tool {", "world purest-tool {"),
            &["the world pure-tool is gone"],
        ),
        (
            "a function added without a new version",
            released.clone().with("progress.wit", "report: func", "/// Doc.\n done: func();\n report: func"),
            &["0.1.0 was released; what is added needs a new patch version"],
        ),
    ];
    for (what, sources, words) in broken {
        let found = breaks(&released, sources).join("\n");
        for word in *words {
            assert!(found.contains(word), "{what}: no {word:?} in {found:?}");
        }
    }
}

/// The library does not find these breaks, so this file has checks of its own.
#[test]
fn what_the_library_does_not_see_is_found_as_well() {
    let released = Sources::read(&super::repository("tests/wit/0.1.0"));
    let export =
        Sources::current().of_version("0.1.2").with("tool.wit", "import log;\n    export tool;", "import log;");
    assert_eq!(by_the_library(&released, &export), Vec::<String>::new());
    assert!(breaks(&released, &export).join("\n").contains("world pure-tool exported"));

    let unused = "interface log {\n    /// Doc.\n    record fields {\n        /// Doc.\n        all: string,\n    }\n";
    let old = Sources::current().with("log.wit", "interface log {\n", unused);
    let new = old.clone().of_version("0.1.2").with("log.wit", "all: string,", "all: string, /// Doc.\n more: bool,");
    assert_eq!(by_the_library(&old, &new), Vec::<String>::new());
    assert!(breaks(&old, &new).join("\n").contains("log.fields was"));
}

#[test]
fn what_only_adds_imports_fits() {
    let old = Sources::read(&super::repository("tests/wit/0.1.0"));
    let added = Sources::current()
        .of_version("0.1.2")
        .with("progress.wit", "report: func", "/// Doc.\n finish: func();\n report: func")
        .with("tool.wit", "world tool-plugin {", "world tool-plugin {\n    import clock;")
        .with_file("clock.wit", "/// Doc.\ninterface clock { /// Doc.\n now: func() -> u64; }");
    assert_eq!(breaks(&old, &added), Vec::<String>::new());
    // The documentation of an item may change.
    let reworded = old.clone().with("log.wit", "/// Something failed.", "/// Something went wrong.");
    assert_eq!(breaks(&old, &reworded), Vec::<String>::new());
}
