//! What docs/compare.md says is held by tests, which are there.

use std::path::PathBuf;

use behalf_tests::projects::repository;

/// The file of a test that is named by its modules, and its function.
fn place(name: &str) -> (PathBuf, String) {
    let mut parts: Vec<&str> = name.split("::").collect();
    let function = parts.pop().unwrap().to_owned();
    let folder = repository().join("tests/all").join(parts.join("/"));
    let file = folder.with_extension("rs");
    (if file.is_file() { file } else { folder.join("mod.rs") }, function)
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let page = std::fs::read_to_string(repository().join("docs/compare.md")).unwrap();
    let names: Vec<&str> = page.split('`').filter(|text| text.contains("::") && !text.contains(' ')).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let (file, function) = place(name);
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {}: {error}", file.display()));
        assert!(text.contains(&format!("fn {function}(")), "{name} is not in {}", file.display());
    }
}
