//! The pages of `docs/recipes` show the programs that the tests run, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use behalf_tests::fences::fences;
use behalf_tests::projects::repository;

use super::RECIPES;
use super::walk::sources;

/// A page, and the recipe whose programs it shows.
const PAGES: [(&str, &str); 4] =
    [("1-retrieval.md", "retrieval"), ("2-chatbot.md", "chatbot"), ("3-uploads.md", "uploads"), ("4-live.md", "live")];

/// The folder of a language, and how its files end.
fn language_of(info: &str) -> Option<(&'static str, &'static str)> {
    match info {
        "ts" => Some(("typescript", "ts")),
        "python" => Some(("python", "py")),
        "sql" => Some(("sql", "sql")),
        _ => None,
    }
}

#[test]
fn every_block_of_a_page_stands_in_a_program_that_runs() {
    for (page, recipe) in PAGES {
        let text = std::fs::read_to_string(repository().join("docs/recipes").join(page)).unwrap();
        let mut shown = BTreeSet::new();
        for (info, block) in fences(&text) {
            let (language, from) = info.split_once(" from=").unwrap_or_else(|| panic!("{page}: no `from=`: {info}"));
            let (folder, ending) = language_of(language).unwrap_or_else(|| panic!("{page}: {language}"));
            assert!(from.ends_with(&format!(".{ending}")), "{page}: {info}");
            let program =
                std::fs::read_to_string(sources(folder).join(from)).unwrap_or_else(|_| panic!("{page}: {from}"));
            assert!(program.contains(&block), "{page}: this does not stand in {from}:\n{block}");
            assert!(is_run(folder, from), "{page}: no walk runs {from}");
            shown.insert((folder, from.to_owned()));
        }
        for variant in ["cookbook", "direct"] {
            for (folder, ending) in [("typescript", "ts"), ("python", "py")] {
                let program = format!("{recipe}/{variant}.{ending}");
                assert!(shown.contains(&(folder, program.clone())), "{page} does not show {program}");
            }
        }
    }
}

/// Whether a walk of the same recipe uses the program, or it is SQL that runs before a walk.
fn is_run(folder: &str, from: &str) -> bool {
    let path = Path::new(from);
    let (Some(recipe), Some(name)) =
        (path.parent().and_then(Path::to_str), path.file_name().and_then(|name| name.to_str()))
    else {
        return false;
    };
    if folder == "sql" {
        return RECIPES.iter().any(|recipe| recipe.sql.contains(&from));
    }
    let import = if folder == "python" {
        format!("from {recipe}.{} import", name.trim_end_matches(".py"))
    } else {
        format!("from \"./{name}\"")
    };
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap();
    ["cookbook", "direct"].iter().any(|variant| {
        let walk = sources(folder).join(recipe).join(format!("walk_{variant}.{ending}"));
        std::fs::read_to_string(walk).unwrap().contains(&import)
    })
}

#[test]
fn every_page_is_listed() {
    let list = std::fs::read_to_string(repository().join("docs/README.md")).unwrap();
    let mut there: Vec<_> = std::fs::read_dir(repository().join("docs/recipes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    assert_eq!(there, PAGES.map(|(page, _)| page));
    for (page, _) in PAGES {
        assert!(list.contains(&format!("(recipes/{page})")), "{page} is not listed");
    }
}
