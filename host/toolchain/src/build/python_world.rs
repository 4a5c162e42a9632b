//! The world that a component in Python is compiled for.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::project::Project;

/// The name of the world that [`write`] makes.
pub(super) const WORLD: &str = "behalf:built/tool";

/// Where the world is put.
const FOLDER: &str = "build/world";

/// Writes the world with just what the project asks for, and returns its folder. The compiler imports every interface of a world,
/// used or not, and what is imported must be granted.
pub(super) fn write(project: &Project) -> anyhow::Result<PathBuf> {
    let folder = project.dir.join(FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot write to {}", folder.display()))?;
    let asks = |grant: &str| project.manifest.grants.as_ref().is_some_and(|grants| grants.get(grant).is_some());
    let file = folder.join("world.wit");
    write_new(&file, &text(&asks))?;
    Ok(folder)
}

fn text(asks: &dyn Fn(&str) -> bool) -> String {
    let parts = ["database", "knowledge", "memory", "kv", "storage"].into_iter().filter(|grant| asks(grant));
    let base = parts.fold("tool".to_owned(), |world, grant| format!("{world}-{grant}"));
    let http = if asks("http") { "    import wasi:http/outgoing-handler@0.2.12;\n" } else { "" };
    format!("package behalf:built;\n\nworld tool {{\n    include behalf:python/{base}@0.1.0;\n{http}}}\n")
}

/// Leaves a file alone that has this content.
fn write_new(file: &Path, content: &str) -> anyhow::Result<()> {
    if std::fs::read_to_string(file).is_ok_and(|kept| kept == content) {
        return Ok(());
    }
    std::fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_imports_what_is_asked_for() {
        let none = text(&|_| false);
        assert!(none.contains("include behalf:python/tool@0.1.0;") && !none.contains("import"), "{none}");
        let some = text(&|grant| ["database", "storage", "http"].contains(&grant));
        assert!(some.contains("include behalf:python/tool-database-storage@0.1.0;"), "{some}");
        assert!(some.contains("import wasi:http/outgoing-handler@0.2.12;"), "{some}");
    }
}
