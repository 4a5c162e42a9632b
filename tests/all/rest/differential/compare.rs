//! What differs between two answers to one request.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::case::{Case, Comparison};
use super::exchange::{Answer, has_body};

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// `status`, `header:…`, `code`, `message`, `details`, `hint`, `body`, or `whitespace`.
    pub field: String,
    /// What the peer says.
    pub peer: String,
    /// What the host says.
    pub host: String,
}

/// Everything that differs.
pub(super) fn compare(case: &Case, peer: &Answer, host: &Answer) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut differ = |field: &str, peer: String, host: String| {
        if peer != host {
            all.push(Difference { field: field.to_owned(), peer, host });
        }
    };
    differ("status", peer.status.to_string(), host.status.to_string());
    let names: BTreeSet<_> = peer.headers.iter().chain(&host.headers).map(|(name, _)| name.as_str()).collect();
    for name in names {
        differ(&format!("header:{name}"), header(peer, name), header(host, name));
    }
    if !has_body(&case.method) {
        return all;
    }
    let both = (peer.json(), host.json());
    if let (Some(peer), Some(host)) = &both
        && is_error(peer)
        && is_error(host)
    {
        for member in ["code", "message", "details", "hint"] {
            differ(member, peer[member].to_string(), host[member].to_string());
        }
        return all;
    }
    match case.comparison {
        Comparison::OpenApi => {
            let [peer, host] = [both.0, both.1].map(|value| outline(&value.unwrap_or_default()));
            for name in peer.keys().chain(host.keys()).collect::<BTreeSet<_>>() {
                let text = |side: &BTreeMap<String, String>| side.get(name).cloned().unwrap_or_else(|| "nothing".to_owned());
                differ("body", format!("{name}: {}", text(&peer)), format!("{name}: {}", text(&host)));
            }
        }
        Comparison::Shape => {
            differ("body", format!("JSON: {}", both.0.is_some()), format!("JSON: {}", both.1.is_some()));
        }
        Comparison::Whole => {
            let text = |answer: &Answer| String::from_utf8_lossy(&answer.body).into_owned();
            let (peer_text, host_text) = (text(peer), text(host));
            if both.0.is_none() || both.1.is_none() {
                differ("body", peer_text, host_text);
            } else if normal(&peer_text, case.is_ordered()) != normal(&host_text, case.is_ordered()) {
                differ("body", peer_text, host_text);
            } else if case.is_ordered() {
                differ("whitespace", peer_text, host_text);
            }
        }
    }
    all
}

fn is_error(value: &Value) -> bool {
    value.get("code").is_some() && value.get("message").is_some() && value.get("hint").is_some()
}

/// A header as both would write it: an address of the host has the prefix under which its tables are.
fn header(answer: &Answer, name: &str) -> String {
    match answer.header(name) {
        None => "none".to_owned(),
        Some(value) if name == "location" => value.strip_prefix("/rest/v1").unwrap_or(value).to_owned(),
        Some(value) => value.to_owned(),
    }
}

/// JSON without the blanks between its tokens; its rows sorted, where the request asks for no order. Numbers and the order of
/// members stay as they are.
fn normal(text: &str, is_ordered: bool) -> Vec<String> {
    let squeezed = squeeze(text);
    match rows(&squeezed) {
        Some(mut rows) if !is_ordered => {
            rows.sort();
            rows
        }
        _ => vec![squeezed],
    }
}

fn squeeze(text: &str) -> String {
    let (mut out, mut quoted, mut escaped) = (String::with_capacity(text.len()), false, false);
    for character in text.chars() {
        if quoted {
            (quoted, escaped) = (escaped || character != '"', !escaped && character == '\\');
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            quoted = character == '"';
        }
        out.push(character);
    }
    out
}

/// The elements of an array.
fn rows(squeezed: &str) -> Option<Vec<String>> {
    let inner = squeezed.strip_prefix('[')?.strip_suffix(']')?;
    let (mut rows, mut row) = (Vec::new(), String::new());
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    for character in inner.chars() {
        if quoted {
            (quoted, escaped) = (escaped || character != '"', !escaped && character == '\\');
        } else {
            quoted = character == '"';
            depth += i32::from(matches!(character, '[' | '{')) - i32::from(matches!(character, ']' | '}'));
            if character == ',' && depth == 0 {
                rows.push(std::mem::take(&mut row));
                continue;
            }
        }
        row.push(character);
    }
    rows.push(row);
    Some(rows)
}

/// The names in a description of the interface: each path with its methods, each table with its columns and their types.
fn outline(description: &Value) -> BTreeMap<String, String> {
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let mut all = BTreeMap::new();
    for (path, methods) in members(&description["paths"]) {
        let methods: BTreeSet<_> = members(&methods).into_iter().map(|(method, _)| method).collect();
        all.insert(path, methods.into_iter().collect::<Vec<_>>().join(" "));
    }
    for (table, definition) in members(&description["definitions"]) {
        let columns = members(&definition["properties"]).into_iter().map(|(column, kind)| {
            let text = |member: &str| kind[member].as_str().unwrap_or("-").to_owned();
            format!("{column} {} {}", text("type"), text("format"))
        });
        all.insert(format!("table {table}"), columns.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", "));
    }
    all
}
