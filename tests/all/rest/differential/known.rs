//! The differences that are known: the table of `tests/rest/README.md`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use super::case::Case;
use super::compare::Difference;
use super::exchange::Answer;

/// One row.
#[derive(Clone, Debug)]
struct Row {
    id: String,
    /// None: the cases name the row. Else the peer's error code (`*` for all answers) and the fields that may differ.
    applies: Option<(String, Vec<String>)>,
}

/// The table, and which of its rows have explained a difference.
#[derive(Debug)]
pub(super) struct Known {
    rows: Vec<Row>,
    used: RefCell<BTreeSet<String>>,
}

impl Known {
    /// Reads the table.
    pub(super) fn read(readme: &Path) -> Self {
        let text = std::fs::read_to_string(readme).unwrap();
        let table = text.split("\n## Known differences\n").nth(1).expect("the README has a table of known differences");
        let rows: Vec<_> = table
            .lines()
            .skip_while(|line| !line.starts_with("| ---"))
            .skip(1)
            .take_while(|line| line.starts_with('|'))
            .map(row)
            .collect();
        assert!(!rows.is_empty(), "the table of known differences is empty or cannot be read");
        Self { rows, used: RefCell::default() }
    }

    /// Takes away what the table explains.
    pub(super) fn unexplained(&self, case: &Case, answers: [&Answer; 2], found: Vec<Difference>) -> Vec<Difference> {
        let [peer, host] = answers;
        if found.is_empty() {
            return found;
        }
        if let Some(newer) = &case.newer
            && (newer.status, &newer.code) == (host.status, &host.code())
        {
            self.uses(&newer.id, case);
            return Vec::new();
        }
        if let Some(id) = &case.differs {
            self.uses(id, case);
            return Vec::new();
        }
        let code = peer.code().unwrap_or_else(|| peer.status.to_string());
        found.into_iter().filter(|difference| !self.is_explained(&code, &difference.field)).collect()
    }

    fn is_explained(&self, peer_code: &str, field: &str) -> bool {
        let mut rows = self.rows.iter().filter(|row| {
            row.applies.as_ref().is_some_and(|(code, fields)| {
                (code == "*" || code == peer_code) && fields.iter().any(|own| own == field)
            })
        });
        let row = rows.next();
        self.used.borrow_mut().extend(row.map(|row| row.id.clone()));
        row.is_some()
    }

    fn uses(&self, id: &str, case: &Case) {
        let listed = self.rows.iter().any(|row| row.id == id && row.applies.is_none());
        assert!(listed, "{}: the README has no row `{id}` for marked cases", case.place);
        self.used.borrow_mut().insert(id.to_owned());
    }

    /// Rows that explained nothing.
    pub(super) fn unused(&self) -> Vec<&str> {
        let used = self.used.borrow();
        self.rows.iter().map(|row| row.id.as_str()).filter(|id| !used.contains(*id)).collect()
    }
}

/// ``| `id` | `marked` or `CODE field…` | what | why |``
fn row(line: &str) -> Row {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
    let [id, applies, what, why] = cells[..] else { panic!("a row needs four cells: {line}") };
    assert!(!what.is_empty() && !why.is_empty(), "a row says what differs and why: {line}");
    let mut words = applies.split_whitespace().map(str::to_owned);
    let first = words.next().unwrap_or_else(|| panic!("a row says where it applies: {line}"));
    let applies = (first != "marked").then(|| (first, words.collect::<Vec<_>>()));
    Row { id: id.to_owned(), applies }
}
