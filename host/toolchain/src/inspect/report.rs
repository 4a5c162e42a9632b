//! What `behalf tool inspect` prints.

use std::fmt::Write;

use behalf_sandbox::{ImportedInterface, Inspection};
use serde::Serialize;
use serde_json::Value;

use super::capabilities::{Capabilities, Capability, capabilities};
use crate::printable::printable;

/// Everything that can be known of a component without calling it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) file: String,
    #[serde(flatten)]
    pub(super) inspection: Inspection,
    #[serde(flatten)]
    pub(super) capabilities: Capabilities,
    /// The memory that an instance begins with.
    pub(super) memory_bytes: u64,
    /// Time to compile it, once for each host, and to ask it for its tools.
    pub(super) first_start_ms: u128,
    /// Time to make a new instance and to ask it for its tools.
    pub(super) start_us: u128,
    /// The definitions of its tools.
    pub(super) tools: Option<Value>,
    /// Why it would not be accepted as a plugin.
    pub(super) error: Option<String>,
}

impl Report {
    /// The report for people.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let inspection = &self.inspection;
        let kib = |bytes: u64| bytes.div_ceil(1024);
        line(&mut out, format_args!("{}", printable(&self.file)));
        line(&mut out, format_args!("  digest   sha256:{}", hex::encode(inspection.digest)));
        line(&mut out, format_args!("  size     {} KiB", kib(inspection.size as u64)));
        line(&mut out, format_args!("  memory   {} KiB to begin with", kib(self.memory_bytes)));
        line(
            &mut out,
            format_args!(
                "  start    {} us (the first time {} ms, compiling included)",
                self.start_us, self.first_start_ms
            ),
        );
        line(&mut out, format_args!("  WASI     {}", inspection.wasi));
        out.push_str(&lines(&self.capabilities));
        line(&mut out, format_args!("\nTools:"));
        for tool in self.tools.iter().filter_map(Value::as_array).flatten() {
            out.push_str(&tool_text(tool));
        }
        if let Some(error) = &self.error {
            line(&mut out, format_args!("  none can be registered: {}", printable(error)));
        }
        out
    }
}

/// What a component with these imports could ever do, as lines for people.
pub(crate) fn capability_lines(imports: &[ImportedInterface]) -> String {
    lines(&capabilities(imports))
}

fn lines(capabilities: &Capabilities) -> String {
    let mut out = String::new();
    for (title, list) in [
        ("May be granted", &capabilities.may_be_granted),
        ("Always has", &capabilities.always),
        ("Can never be given", &capabilities.never),
    ] {
        line(&mut out, format_args!("\n{title}:"));
        list.iter().for_each(|one| line(&mut out, format_args!("  {}", capability(one))));
        if list.is_empty() {
            line(&mut out, format_args!("  nothing"));
        }
    }
    out
}

fn capability(one: &Capability) -> String {
    let functions =
        if one.functions.is_empty() { String::new() } else { format!(" ({})", printable(&one.functions.join(", "))) };
    format!("{:<12} {}{functions}", one.name, one.means)
}

fn tool_text(tool: &Value) -> String {
    let text = |key: &str| printable(tool.get(key).and_then(Value::as_str).unwrap_or("-"));
    let mut out = String::new();
    line(&mut out, format_args!("  {}: {}", text("name"), text("description").replace('\n', "\n      ")));
    for (key, title) in [("inputSchema", "arguments"), ("outputSchema", "result"), ("annotations", "says of itself")] {
        if let Some(schema) = tool.get(key).filter(|schema| !schema.is_null()) {
            line(&mut out, format_args!("      {title} {}", printable(&schema.to_string())));
        }
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}
