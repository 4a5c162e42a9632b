//! What differs between two answers to one request.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
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
    // A refusal may say what is allowed, and the peer's does not.
    for name in names.into_iter().filter(|name| *name != "allow" || case.method == Method::OPTIONS) {
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
                let text =
                    |side: &BTreeMap<String, String>| side.get(name).cloned().unwrap_or_else(|| "nothing".to_owned());
                let (peer, host) = (text(&peer), text(&host));
                let field =
                    if (peer.as_str(), host.as_str()) == ("get post", "post") { "volatile-get" } else { "body" };
                differ(field, format!("{name}: {peer}"), format!("{name}: {host}"));
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
            } else {
                let field = json_difference(&peer_text, &host_text, case.is_ordered());
                if let Some(field) = field {
                    differ(field, peer_text, host_text);
                }
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

/// How two texts of JSON differ; the order of rows counts where the request asks for one.
fn json_difference(peer: &str, host: &str, is_ordered: bool) -> Option<&'static str> {
    if peer == host {
        return None;
    }
    let (peer, host) = (squeeze(peer), squeeze(host));
    if peer == host {
        return is_ordered.then_some("whitespace");
    }
    let same_rows = |sort_members| {
        let rows = |text| {
            let mut rows = items(text, '[').unwrap_or_else(|| vec![text.to_owned()]);
            if sort_members {
                rows.iter_mut().for_each(|row| *row = sorted(row));
            }
            if !is_ordered {
                rows.sort();
            }
            rows
        };
        rows(&peer) == rows(&host)
    };
    match (same_rows(false), same_rows(true)) {
        (true, _) => None,
        (false, true) => is_ordered.then_some("member-order"),
        (false, false) => Some("body"),
    }
}

/// The same JSON with the members of each object in the order of their names. Numbers stay as they are written.
fn sorted(squeezed: &str) -> String {
    if let Some(elements) = items(squeezed, '[') {
        return format!("[{}]", elements.iter().map(|element| sorted(element)).collect::<Vec<_>>().join(","));
    }
    let Some(members) = items(squeezed, '{') else { return squeezed.to_owned() };
    let mut members: Vec<_> = members
        .iter()
        .map(|member| {
            let name = name_length(member);
            format!("{}{}", &member[..name], sorted(&member[name..]))
        })
        .collect();
    members.sort();
    format!("{{{}}}", members.join(","))
}

/// The bytes of `"name":` at the front of a member.
fn name_length(member: &str) -> usize {
    let mut escaped = false;
    let end = member.char_indices().skip(1).find(|(_, character)| {
        let ends = !escaped && *character == '"';
        escaped = !escaped && *character == '\\';
        ends
    });
    end.map_or(0, |(index, _)| index + 2).min(member.len())
}

/// JSON without the blanks between its tokens.
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

/// What stands between the outer brackets, split at its commas.
fn items(squeezed: &str, open: char) -> Option<Vec<String>> {
    let close = if open == '[' { ']' } else { '}' };
    let inner = squeezed.strip_prefix(open)?.strip_suffix(close)?;
    if inner.is_empty() {
        return Some(Vec::new());
    }
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
        all.insert(
            format!("table {table}"),
            columns.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", "),
        );
    }
    all
}
