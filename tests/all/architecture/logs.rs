//! What log lines may hold: ids, names that an operator gave, numbers, and of errors only their text for logs.

use super::doors::{production, sources};

/// What a log line may print by `%` or `?`. Each is an id, an address, a path of the operator's, or a word of the program.
/// An error is none of them: `error = error.log_text()` leaves out what it quotes.
const PRINTED: [&str; 31] = [
    "%address",
    "%agent",
    "%blob_id",
    "%assignment.tool_name",
    "%call_id",
    "%child_id",
    "%finding.found",
    "%info.name",
    "%manifest.name",
    "%layout.data().display()",
    "%lease.run_id",
    "%model",
    "%job.id",
    "%other",
    "%peer.ip()",
    "%plugin.row.name",
    "%recorded.display()",
    "%row.call_id",
    "%row.name",
    "%row.outcome",
    "%run_id",
    "%self.lease.id",
    "%self.lease.run_id",
    "%self.path.display()",
    "%self.run.id()",
    "%server.name",
    "%to.display()",
    "%tool.info.name",
    "%user",
    "%user.id",
    // Kinds of errors are words of the program's own.
    "?error.kind()",
];
/// The same for `?`, where the value has no other form.
const DEBUGGED: [&str; 2] = ["?kind", "?wait"];

/// The arguments of every `tracing` macro of a source text.
fn log_lines(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("tracing::") {
        let rest = &code[start + "tracing::".len()..];
        let Some(open) = rest.find("!(").filter(|at| rest[..*at].chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        else {
            continue;
        };
        let arguments = &rest[open + 2..];
        let (mut depth, mut in_text, mut escaped) = (1, false, false);
        let end = arguments.char_indices().find(|(_, c)| {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_text = !in_text,
                '(' if !in_text => depth += 1,
                ')' if !in_text => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        found.push(&arguments[..end.expect("a macro ends").0]);
    }
    found
}

/// What a log line says that it may not say.
fn faults(line: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut outside = String::new();
    for (n, part) in line.split('"').enumerate() {
        if n % 2 == 0 {
            outside.push_str(part);
        } else if let Some(open) = part.find('{') {
            // Constants are words of the program's own.
            let is_constant =
                part[open + 1..].chars().take_while(|c| *c != '}').all(|c| c.is_ascii_uppercase() || c == '_');
            if !is_constant || part[open..].starts_with("{}") {
                faults.push(part.to_owned());
            }
        }
    }
    for field in outside.split(',').map(str::trim) {
        let (name, value) = field.split_once(" = ").map_or((field, field), |(name, value)| (name.trim(), value.trim()));
        let is_printed = value.starts_with(['%', '?']);
        if is_printed && !PRINTED.contains(&value) && !DEBUGGED.contains(&value) {
            faults.push(field.to_owned());
        }
        if name == "error" && !value.ends_with(".log_text()") {
            faults.push(field.to_owned());
        }
        if value.contains("to_string()") || value.contains("format!") || value.contains(".for_") {
            faults.push(field.to_owned());
        }
    }
    faults
}

#[test]
fn log_lines_hold_errors_in_their_form_for_logs_and_print_nothing_else() {
    let (mut seen, mut found) = (0, Vec::new());
    for (path, text) in sources() {
        for line in log_lines(production(&text)) {
            seen += 1;
            let faults = faults(line);
            if !faults.is_empty() {
                found.push(format!("{}: {faults:?} in tracing!({line})", path.display()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(seen > 50, "only {seen} log lines: the check has lost its object");
    // The check can fail, in each of its parts.
    for line in [
        "error = %error, \"x\"",
        "%error, \"x\"",
        "error = ?error, \"x\"",
        "error = error.to_string(), \"x\"",
        "error = source, \"x\"",
        "run.id = %run_id, \"{}\", line.message",
        "\"it failed: {error}\"",
        "text = text.for_record(), \"x\"",
        "tool = %tool.name, \"x\"",
    ] {
        assert!(!faults(line).is_empty(), "{line}");
    }
    assert!(faults("run.id = %run_id, error = error.log_text(), \"it has {MAX_TOOLS}\"").is_empty());
    assert_eq!(log_lines("a; tracing::warn!(error = f(\")\"), \"x\"); b"), ["error = f(\")\"), \"x\""]);
}

#[test]
fn texts_of_strangers_cannot_be_printed_and_errors_do_not_pass_them_on() {
    let mut seen = false;
    for (path, text) in sources() {
        let code = production(&text);
        if path.ends_with("problem/src/private.rs") {
            seen = true;
            assert!(
                !code.contains("impl fmt::Display") && !code.contains("Serialize") && !code.contains("derive(Debug")
            );
        }
        // The text of such an error is the document's value, and nothing in the chain of causes tells it.
        for variant in code.split("#[error(transparent)]").skip(1) {
            let variant = variant.lines().nth(1).unwrap_or_default();
            assert!(!variant.contains("serde_json::Error"), "{}: {variant}", path.display());
        }
        // What a guest logged goes to the record of its call.
        assert!(!code.contains("tracing::event!") && !code.contains("#[instrument"), "{}", path.display());
    }
    assert!(seen, "the type of such texts is nowhere");
}
