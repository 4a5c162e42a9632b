//! `behalf tool new`: a project made of a template and an SDK.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::Args;
use rust_embed::RustEmbed;

use crate::language::Language;

/// The name that templates have until a project is made of them.
const TEMPLATE_NAME: &str = "my-tool";
/// The same, as the name of a tool, a crate or a module.
const TEMPLATE_IDENTIFIER: &str = "my_tool";
/// Folder of a project for its copies of the SDK and the interface.
const VENDOR: &str = "vendor";
/// Names that mean something else to a compiler or an interpreter.
const TAKEN: [&str; 16] = [
    "alloc",
    "async",
    "behalf_sdk",
    "class",
    "core",
    "crate",
    "def",
    "fn",
    "import",
    "main",
    "mod",
    "self",
    "std",
    "super",
    "test",
    "type",
];

/// The repository's templates and SDKs, embedded.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../plugins"]
#[include = "templates/*"]
#[include = "sdk/*"]
#[include = "sdk-*"]
#[exclude = "*/target/*"]
#[exclude = "*/node_modules/*"]
#[exclude = "*/__pycache__/*"]
#[exclude = "*/.venv/*"]
struct Sources;

/// The plugin interface, embedded.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../wit"]
#[include = "*.wit"]
struct Interface;

/// `behalf tool new`
#[derive(Debug, Args)]
pub struct NewArgs {
    /// Name of the plugin and of the folder that is made: [a-z][a-z0-9-]{0,63}.
    name: String,
    /// What to write it in.
    #[arg(long, value_enum)]
    lang: Language,
}

/// Writes a project that builds, and says what to do with it.
pub(crate) fn run(args: &NewArgs) -> anyhow::Result<ExitCode> {
    let name = Name::parse(&args.name)?;
    let dir = PathBuf::from(&name.plain);
    let is_free = match std::fs::read_dir(&dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    ensure!(is_free, "{} is there already; choose another name, or another folder", dir.display());
    let files = files(&name, args.lang)?;
    // Made under another name in the same folder, so that there is a whole project or none.
    let half =
        tempfile::Builder::new().prefix(".behalf-new-").tempdir_in(".").context("cannot write to this folder")?;
    for (path, content) in &files {
        let path = half.path().join(path);
        let parent = path.parent().context("a file has no folder")?;
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, content))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    std::fs::set_permissions(half.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    std::fs::rename(half.path(), &dir).with_context(|| format!("cannot make {}", dir.display()))?;
    eprintln!("behalf: made {} ({} files). Next:", dir.display(), files.len());
    for line in next(&name, args.lang) {
        eprintln!("  {line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// A plugin's name, as it is and as an identifier.
struct Name {
    plain: String,
    identifier: String,
}

impl Name {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let fits = text.len() <= 64
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        ensure!(fits, "{text:?} is no plugin name; use small letters, digits and -, as in expense-report");
        let identifier = text.replace('-', "_");
        ensure!(
            !TAKEN.contains(&identifier.as_str()),
            "{text:?} means something else to compilers; choose another name"
        );
        Ok(Self { plain: text.to_owned(), identifier })
    }

    fn put_into(&self, text: &str) -> String {
        text.replace(TEMPLATE_NAME, &self.plain).replace(TEMPLATE_IDENTIFIER, &self.identifier)
    }
}

/// The project's files: path in it, and content.
fn files(name: &Name, language: Language) -> anyhow::Result<Vec<(PathBuf, Cow<'static, [u8]>)>> {
    let mut files = Vec::new();
    for (path, content) in below(&format!("templates/{}/", language.name())) {
        let text = std::str::from_utf8(&content).with_context(|| format!("the template's {path} is no text"))?;
        files.push((PathBuf::from(name.put_into(&path)), Cow::Owned(name.put_into(text).into_bytes())));
    }
    if files.is_empty() {
        bail!("this build of behalf has no template for {}", language.name());
    }
    let sdks: &[(&str, &str)] = match language {
        Language::Rust => &[("sdk/", "behalf-sdk")],
        Language::Python => &[("sdk-python/", "behalf-sdk")],
        Language::Js => &[("sdk-js/", "behalf-sdk")],
        Language::C => &[("sdk-c/", "behalf-sdk")],
    };
    let vendor = Path::new(VENDOR);
    for (from, to) in sdks {
        files.extend(below(from).into_iter().map(|(path, content)| (vendor.join(to).join(path), content)));
    }
    if matches!(language, Language::Python | Language::Js) {
        let interface = Interface::iter().filter_map(|path| Some((path.to_string(), Interface::get(&path)?.data)));
        files.extend(interface.map(|(path, content)| (vendor.join("wit").join(path), content)));
    }
    Ok(files)
}

/// The embedded files below a folder, with their paths in it.
fn below(folder: &str) -> Vec<(String, Cow<'static, [u8]>)> {
    Sources::iter()
        .filter_map(|path| {
            let inside = path.strip_prefix(folder)?.to_owned();
            Some((inside, Sources::get(&path)?.data))
        })
        .collect()
}

fn next(name: &Name, language: Language) -> Vec<String> {
    let Name { plain, identifier } = name;
    let install = if language == Language::C { "" } else { " --install" };
    vec![
        format!("cd {plain}"),
        format!("behalf tool build{install}"),
        format!("behalf tool check dist/{plain}.wasm"),
        format!("behalf tool run dist/{plain}.wasm {identifier} '{{}}' --sub alice"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_a_host_and_a_compiler_take() {
        for good in ["a", "expense-report", "t2"] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "1a", "a_b", "../a", "a/b", "test", "behalf-sdk", &"a".repeat(65)] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_language_has_a_template_with_its_sdk_and_nothing_of_a_build() {
        let name = Name::parse("expense-report").expect("a name");
        for language in [Language::Rust, Language::Python, Language::Js, Language::C] {
            let files = files(&name, language).expect("files");
            let has = |path: &str| files.iter().any(|(file, _)| file == Path::new(path));
            assert!(has("plugin.toml") && has("README.md"), "{language:?}");
            assert!(files.iter().any(|(file, _)| file.starts_with("vendor/behalf-sdk")), "{language:?}");
            let size: usize = files.iter().map(|(_, content)| content.len()).sum();
            assert!(size < 3_000_000, "{language:?}: {size} bytes");
            for (file, content) in &files {
                let text = String::from_utf8_lossy(content);
                let own = !file.starts_with(VENDOR);
                assert!(
                    !own || !(text.contains(TEMPLATE_NAME) || text.contains(TEMPLATE_IDENTIFIER)),
                    "{}",
                    file.display()
                );
            }
        }
    }
}
