//! What a run found, as text.

use super::case::Case;
use super::compare::{Difference, compare};
use super::exchange::Answer;
use super::known::Known;

/// Differences that nothing explains, and what else is wrong with the list of cases.
#[derive(Debug, Default)]
pub(super) struct Report {
    faults: Vec<String>,
    requests: usize,
    equal: usize,
    explained: usize,
}

impl Report {
    /// Takes two answers into account.
    pub(super) fn add(&mut self, known: &Known, case: &Case, peer: &Answer, host: &Answer) {
        self.requests += 1;
        if let Some(status) = case.status
            && (peer.status != status || case.code.is_some() && peer.code() != case.code)
        {
            let told = format!(
                "PostgREST answers {} {:?}, and the file says {status} {:?}",
                peer.status,
                peer.code(),
                case.code
            );
            self.faults.push(format!("{}: {told}\n   {}", case.place, case.describe()));
        }
        let found = compare(case, peer, host);
        if found.is_empty() {
            self.equal += 1;
            return;
        }
        let left = known.unexplained(case, [peer, host], found);
        if left.is_empty() {
            self.explained += 1;
        } else {
            self.faults.push(describe(case, peer, host, &left));
        }
    }

    /// Says that something is wrong with the suite itself.
    pub(super) fn fault(&mut self, text: String) {
        self.faults.push(text);
    }

    /// Writes the report beside the test's other output and fails if it names a fault.
    pub(super) fn finish(self, name: &str) {
        let counts = format!(
            "{name}: {} requests, {} equal, {} differ as the README says, {} faults",
            self.requests,
            self.equal,
            self.explained,
            self.faults.len()
        );
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../target");
        std::fs::create_dir_all(folder).unwrap();
        let file = format!("{folder}/rest-{}.txt", name.replace(' ', "-"));
        std::fs::write(&file, format!("{counts}\n\n{}\n", self.faults.join("\n\n"))).unwrap();
        eprintln!("{counts}");
        let shown: Vec<_> = self.faults.iter().take(40).map(String::as_str).collect();
        assert!(self.faults.is_empty(), "{counts}; all of them are in {file}\n\n{}", shown.join("\n\n"));
    }
}

fn describe(case: &Case, peer: &Answer, host: &Answer, left: &[Difference]) -> String {
    let fields: Vec<_> = left.iter().map(|difference| difference.field.as_str()).collect();
    let texts: Vec<_> = left
        .iter()
        .filter(|difference| {
            difference.field != "body" || difference.peer.starts_with("table ") || difference.peer.starts_with('/')
        })
        .map(|difference| {
            format!(
                "\n    {}\n      PostgREST {}\n      host      {}",
                difference.field, difference.peer, difference.host
            )
        })
        .collect();
    format!(
        "{}: {}\n   {}{}\n   PostgREST: {}\n   host: {}",
        case.place,
        fields.join(", "),
        case.describe(),
        texts.concat(),
        peer.describe(),
        host.describe()
    )
}
