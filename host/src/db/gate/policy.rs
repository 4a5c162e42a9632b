//! What one plugin's database grant allows, joined with what the database holds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::catalog::Catalog;

/// The functions by which row-level security knows the caller. They read the claims and change nothing, so a grant may
/// name them for every plugin.
pub const IDENTITY_FUNCTIONS: [(&str, &str); 4] =
    [("auth", "uid"), ("auth", "role"), ("auth", "jwt"), ("auth", "email")];

/// The information schema's views that every plugin may read: they show names only, and only those its role may use.
const OPEN_VIEWS: [&str; 2] = ["columns", "tables"];

/// Those a plugin may read that was granted the schema `information_schema`: the same names, seen from constraints.
const GRANTED_VIEWS: [&str; 6] = [
    "constraint_column_usage",
    "key_column_usage",
    "referential_constraints",
    "schemata",
    "table_constraints",
    "views",
];

/// What a plugin was granted, in the words of its grant.
#[derive(Clone, Debug, Default)]
pub struct DatabaseGrant {
    /// Whether it may change data.
    pub write: bool,
    /// The schemas it may use. `information_schema` here opens six more of that schema's views.
    pub schemas: Vec<String>,
    /// Schema and name of the relations it may use, and empty for all of the schemas. Where tables are named, the project's
    /// own functions are refused unless `functions` names them: they reach beyond the tables.
    pub tables: Vec<(String, String)>,
    /// Schema and name of functions it may call although they run SQL text, run as their owner, or are in another schema.
    pub functions: Vec<(String, String)>,
    /// The order in which the connection resolves bare names, without `pg_catalog`, which is always first.
    pub search_path: Vec<String>,
}

/// A grant made ready to judge by. Built once for each plugin and catalog.
#[derive(Debug)]
pub struct Policy {
    pub(super) id: u64,
    pub(super) write: bool,
    pub(super) search_path: Vec<String>,
    pub(super) catalog: Arc<Catalog>,
    schemas: HashSet<String>,
    tables: NamesBySchema,
    functions: NamesBySchema,
}

type NamesBySchema = HashMap<String, HashSet<String>>;

impl Policy {
    /// Joins a grant with what the database holds.
    pub fn new(grant: DatabaseGrant, catalog: Arc<Catalog>) -> Self {
        // Verdicts are cached by this number; one never used before cannot meet the verdict of another policy.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            write: grant.write,
            search_path: grant.search_path.into_iter().filter(|schema| schema != "pg_catalog").collect(),
            catalog,
            schemas: grant.schemas.into_iter().collect(),
            tables: by_schema(grant.tables),
            functions: by_schema(grant.functions),
        }
    }

    /// Whether objects of this schema may be used. Never those of the system.
    pub(super) fn grants_schema(&self, schema: &str) -> bool {
        self.schemas.contains(schema) && schema != "information_schema" && !schema.starts_with("pg_")
    }

    /// Whether every object of the schema is granted, and not a list of tables.
    pub(super) fn grants_all_of(&self, schema: &str) -> bool {
        self.tables.is_empty() && self.grants_schema(schema)
    }

    /// Whether the function is granted by name.
    pub(super) fn names_function(&self, schema: &str, name: &str) -> bool {
        self.functions.get(schema).is_some_and(|names| names.contains(name))
    }

    /// Whether the relation may be read, and written as far as the statement may write.
    pub(super) fn grants_relation(&self, schema: &str, name: &str) -> bool {
        let Some(kind) = self.catalog.relation(schema, name) else { return false };
        let named = self.tables.get(schema).is_some_and(|names| names.contains(name));
        match kind {
            // Ordinary tables, partitioned tables, views, materialized views.
            'r' | 'p' | 'v' | 'm' => self.grants_schema(schema) && (named || self.tables.is_empty()),
            // A foreign table reaches out of the database, so it has to be meant.
            'f' => self.grants_schema(schema) && named,
            _ => false,
        }
    }

    /// Whether this view of the information schema may be read.
    pub(super) fn grants_information(&self, view: &str) -> bool {
        OPEN_VIEWS.contains(&view) || self.schemas.contains("information_schema") && GRANTED_VIEWS.contains(&view)
    }

    /// The granted relation whose name is nearest to a name that was not found.
    pub(super) fn closest_relation(&self, name: &str) -> Option<String> {
        let granted = self.catalog.relations().filter(|(schema, name)| self.grants_relation(schema, name)).take(500);
        granted
            .map(|(schema, candidate)| (distance(name, candidate), schema, candidate))
            .filter(|(distance, _, candidate)| *distance <= 1 + candidate.len() / 4)
            .min()
            .map(|(_, schema, candidate)| format!("{schema}.{candidate}"))
    }
}

fn by_schema(names: Vec<(String, String)>) -> NamesBySchema {
    let mut sorted = NamesBySchema::new();
    for (schema, name) in names {
        sorted.entry(schema).or_default().insert(name);
    }
    sorted
}

/// How many letters two names differ by (Levenshtein), both short: identifiers end at 63 bytes.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            left = (above + 1).min(left + 1).min(diagonal + usize::from(x != *y));
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
