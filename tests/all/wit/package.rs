//! A version of the package `behalf:tool`, read from its files.

use std::collections::BTreeMap;
use std::path::Path;

use wit_parser::{PackageId, Resolve, SourceMap, WorldId};

/// The files of a package, by name.
#[derive(Clone)]
pub(super) struct Sources(BTreeMap<String, String>);

impl Sources {
    pub(super) fn read(folder: &Path) -> Self {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let wit = files.filter(|path| path.extension().is_some_and(|ending| ending == "wit"));
        Self(
            wit.map(|path| {
                (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
            })
            .collect(),
        )
    }

    /// The interface as it is now.
    pub(super) fn current() -> Self {
        Self::read(&super::repository("wit"))
    }

    /// The same files with this text replaced; the text must be there.
    pub(super) fn with(mut self, file: &str, from: &str, to: &str) -> Self {
        let text = self.0.get_mut(file).unwrap_or_else(|| panic!("there is no {file}"));
        assert!(text.contains(from), "{file} has no {from:?}");
        *text = text.replacen(from, to, 1);
        self
    }

    /// The same files with another text for one file.
    pub(super) fn with_file(mut self, file: &str, text: &str) -> Self {
        self.0.insert(file.to_owned(), text.to_owned());
        self
    }

    /// The same files as another version.
    pub(super) fn of_version(self, version: &str) -> Self {
        let text = &self.0["tool.wit"];
        let line = text.lines().find(|line| line.starts_with("package behalf:tool@")).unwrap().to_owned();
        self.with("tool.wit", &line, &format!("package behalf:tool@{version};"))
    }

    /// Adds the package to others.
    pub(super) fn push(&self, resolve: &mut Resolve) -> PackageId {
        let mut map = SourceMap::default();
        for (name, text) in &self.0 {
            map.push_str(name, text.clone());
        }
        let group = map.parse().unwrap_or_else(|(map, error)| panic!("{}", error.render(&map)));
        resolve.push_group(group).unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub(super) fn package(&self) -> Package {
        let mut resolve = Resolve::default();
        let id = self.push(&mut resolve);
        Package { resolve, id }
    }
}

/// A package that was parsed.
pub(super) struct Package {
    pub(super) resolve: Resolve,
    pub(super) id: PackageId,
}

impl Package {
    pub(super) fn version(&self) -> String {
        self.resolve.packages[self.id].name.version.as_ref().unwrap().to_string()
    }

    pub(super) fn world(&self, name: &str) -> WorldId {
        self.resolve.packages[self.id].worlds[name]
    }
}
