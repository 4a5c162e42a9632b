//! What a plugin may do, as the operator says: with an option beforehand, or asked about each grant.

use std::path::Path;

use anyhow::{Context, bail};
use behalf_toolchain::{PublishedPlugin, printable};
use serde_json::{Map, Value};

use super::ask::agrees;

/// The grants that the option `--grants` names. `held` are those that the plugin has, where it is registered.
pub(super) fn given(text: &str, plugin: &PublishedPlugin, held: Option<&Value>) -> anyhow::Result<Value> {
    let grants = match (text, held) {
        ("suggested", _) => plugin.grants()?,
        ("none", _) => Value::Object(Map::new()),
        ("keep", Some(held)) => held.clone(),
        ("keep", None) => bail!("--grants keep is for an update; this plugin has no grants yet"),
        _ => match text.strip_prefix('@') {
            Some(path) => read_file(Path::new(path))?,
            None => serde_json::from_str(text).context(
                "--grants is neither suggested, none, keep, JSON nor @FILE; quote JSON for the shell, as in '{\"memory\": \"read\"}'",
            )?,
        },
    };
    plugin.check_grants(&grants).context("--grants")?;
    Ok(grants)
}

/// Grants in a file: JSON, or the table `grants` of a `plugin.toml`, as `behalf tool pull` writes it.
fn read_file(path: &Path) -> anyhow::Result<Value> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown} (--grants)"))?;
    if path.extension().is_some_and(|ending| ending == "toml") {
        let manifest: toml::Table = toml::from_str(&text).with_context(|| format!("{shown} is no plugin.toml"))?;
        let grants = manifest.get("grants").cloned().unwrap_or_else(|| toml::Table::new().into());
        return Ok(serde_json::to_value(grants)?);
    }
    serde_json::from_str(&text).with_context(|| format!("{shown} holds no JSON"))
}

/// Asks about each grant that the publisher suggests and the plugin does not have yet. One that is refused stays as it is.
pub(super) fn asked(plugin: &PublishedPlugin, held: &Value) -> anyhow::Result<Value> {
    let suggested = plugin.grants()?;
    let mut grants = usable(plugin, held);
    for (name, value) in suggested.as_object().into_iter().flatten() {
        if grants.get(name) != Some(value) && agrees(&question(name, value, grants.get(name)))? {
            grants.insert(name.clone(), value.clone());
        }
    }
    Ok(Value::Object(grants))
}

/// The held grants that this version could use at all. Others go without a question: the host would refuse them.
fn usable(plugin: &PublishedPlugin, held: &Value) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in held.as_object().into_iter().flatten() {
        let alone = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
        if plugin.check_grants(&alone).is_ok() {
            kept.insert(name.clone(), value.clone());
        } else {
            eprintln!("behalf: the grant {} goes: this version cannot use it", printable(name));
        }
    }
    kept
}

fn question(name: &str, value: &Value, held: Option<&Value>) -> String {
    let value = printable(&value.to_string());
    match held {
        Some(held) => format!("Grant {name} {value} in place of {}?", printable(&held.to_string())),
        None => format!("Grant {name} {value}?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pulled_manifest_and_json_say_the_same() {
        let dir = tempfile::tempdir().expect("a folder");
        let (manifest, json_file) = (dir.path().join("it.toml"), dir.path().join("it.json"));
        let text = "name = \"it\"\nversion = \"1.0.0\"\n[grants.http]\nhosts = [\"a.test\"]\n\
            [[grants.http.secrets]]\nname = \"key\"\nhost = \"a.test\"\n";
        std::fs::write(&manifest, text).expect("a file");
        let expected = json!({"http": {"hosts": ["a.test"], "secrets": [{"name": "key", "host": "a.test"}]}});
        std::fs::write(&json_file, expected.to_string()).expect("a file");
        assert_eq!(read_file(&manifest).expect("grants"), expected);
        assert_eq!(read_file(&json_file).expect("grants"), expected);
        std::fs::write(&manifest, "name = \"it\"\nversion = \"1.0.0\"\n").expect("a file");
        assert_eq!(read_file(&manifest).expect("grants"), json!({}));
    }

    #[test]
    fn a_question_steers_no_terminal() {
        let asked = question("http", &json!({"hosts": ["\u{1b}[2Ja.test"]}), Some(&json!({})));
        assert!(!asked.contains('\u{1b}') && asked.contains("in place of {}"), "{asked}");
    }
}
