//! Every command of `docs/authors`, and of the README's tool, is run in order in a fresh folder. In a fence, `sh` is run,
//! `… file=PATH` is written to a file, and everything else is only shown.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;

use behalf_tests::fences::fences;
use behalf_tests::projects::{behalf_bin, command, repository};

/// The shell script that a page's fences make, and the number of its commands.
fn script(page: &str) -> (String, usize) {
    let mut script = String::from("set -eu\nroot=$PWD\n");
    let mut commands = 0;
    for (info, content) in fences(page) {
        if let Some(path) = info.split_whitespace().find_map(|word| word.strip_prefix("file=")) {
            assert!(!path.starts_with('/') && !path.contains(".."), "{path} is outside the tutorial's folder");
            write!(script, "cat >\"$root/{path}\" <<'end of file'\n{content}end of file\n").unwrap();
        } else if info == "sh" {
            commands += content.lines().filter(|line| !line.trim().is_empty()).count();
            script.push_str(&content);
        }
    }
    (script, commands)
}

/// Runs the commands of a page in a fresh folder, and returns what they print.
async fn run_commands(name: &str, page: &str) -> String {
    let (script, commands) = script(page);
    assert!(commands > 0, "{name} has no command");
    let dir = tempfile::tempdir().unwrap();
    let bin = tempfile::tempdir().unwrap();
    symlink(behalf_bin(), bin.path().join("behalf")).unwrap();
    let mut paths = vec![bin.path().to_path_buf()];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let path = std::env::join_paths(paths).unwrap();
    let done =
        command("/bin/sh".as_ref(), dir.path()).args(["-x", "-c", &script]).env("PATH", path).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(done.status.success(), "{name}:\n{}\n{}", text(&done.stdout), text(&done.stderr));
    text(&done.stdout)
}

async fn follow(page: &str) {
    let text = std::fs::read_to_string(repository().join("docs/authors").join(page)).unwrap();
    run_commands(page, &text).await;
}

/// The tool builds as the README shows it, and counts the notes of each user. The rows are those of the demo.
#[tokio::test]
async fn the_tool_of_the_readme_holds() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let mut sections = readme.split("\n## ");
    let section = sections.find(|section| section.starts_with("A tool in twenty lines\n")).unwrap();
    let printed = run_commands("README.md", section).await;
    assert!(printed.ends_with("{\"notes\":1}\n{\"notes\":0}\n"), "{printed}");
}

#[tokio::test]
async fn the_rust_tutorial_holds() {
    follow("rust.md").await;
}

#[tokio::test]
async fn the_python_tutorial_holds() {
    follow("python.md").await;
}

#[tokio::test]
async fn the_javascript_tutorial_holds() {
    follow("javascript.md").await;
}

#[tokio::test]
async fn the_c_tutorial_holds() {
    follow("c.md").await;
}

#[tokio::test]
async fn the_page_on_publishing_holds() {
    follow("publish.md").await;
}

/// Every page with commands must have a test above, or its commands become outdated.
#[test]
fn every_page_with_commands_is_followed() {
    // Tests of `tools` follow the last three.
    const FOLLOWED: [&str; 8] =
        ["rust.md", "python.md", "javascript.md", "c.md", "publish.md", "storage.md", "knowledge.md", "memory.md"];
    for entry in std::fs::read_dir(repository().join("docs/authors")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.extension().is_some_and(|ending| ending == "md") && !FOLLOWED.contains(&name) {
            let (_, commands) = script(&std::fs::read_to_string(&path).unwrap());
            assert_eq!(commands, 0, "{name} has commands and is not followed; add a test, or show them as `console`");
        }
    }
}

/// The value of a constant, as the page of limits writes it.
fn constant(file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(repository().join("host").join(file)).unwrap();
    let start = text.find(&format!("const {name}: ")).unwrap_or_else(|| panic!("{file} has no {name}"));
    let (kind, rest) = text[start..].split_once(": ").unwrap().1.split_once(" = ").unwrap();
    let value = rest.split_once(';').unwrap().0;
    let number = |text: &str| text.trim().replace('_', "").parse::<u64>().ok();
    if kind == "Duration" {
        let (unit, amount) =
            value.strip_prefix("Duration::from_").unwrap().trim_end_matches(')').split_once('(').unwrap();
        let amount = number(amount).unwrap();
        return match unit {
            "secs" => format!("{amount} s"),
            "mins" => format!("{} s", amount * 60),
            other => panic!("{name} is in {other}"),
        };
    }
    let bytes = value.contains("1024") || value.contains("MIB");
    let product: u64 = value.split('*').map(|part| number(&part.replace("MIB", "1048576")).unwrap()).product();
    match product {
        _ if !bytes => product.to_string(),
        _ if product.is_multiple_of(1_048_576) => format!("{} MiB", product / 1_048_576),
        _ => format!("{} KiB", product / 1024),
    }
}

#[test]
fn the_page_of_limits_has_the_values_of_the_host() {
    let page = std::fs::read_to_string(repository().join("docs/authors/limits.md")).unwrap();
    let mut compared = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && line.contains(".rs`")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let (shown, source) = (cells[1], cells[2].trim_end_matches('|').trim());
        let (file, name) = source.split_once("` `").unwrap();
        assert_eq!(shown, constant(file.trim_matches('`'), name.trim_matches('`')), "{row}");
        compared += 1;
    }
    assert!(compared > 30, "the page has lost its rows: {compared}");
}

#[test]
fn the_page_of_errors_knows_every_code_of_a_call() {
    let page = std::fs::read_to_string(repository().join("docs/authors/errors.md")).unwrap();
    let mut codes = Vec::new();
    for (file, from) in
        [("sandbox/src/outcome.rs", "fn name(&self)"), ("contracts/src/tool_call.rs", "pub fn code(&self)")]
    {
        let text = std::fs::read_to_string(repository().join("host").join(file)).unwrap();
        let body = text.split(from).nth(1).unwrap().split("\n    }\n").next().unwrap();
        codes.extend(body.lines().filter_map(|line| line.split("=> \"").nth(1)?.split('"').next().map(str::to_owned)));
    }
    assert!(codes.len() > 12, "{codes:?}");
    for code in codes {
        assert!(page.contains(&format!("| `{code}` |")), "the page does not know {code}");
    }
}
