//! A plugin's database grant, and the policy made from it and a catalog.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::catalog::Catalog;

/// The functions through which policies of row-level security read the caller's identity. They change nothing, so a
/// grant may name them for every plugin.
pub const IDENTITY_FUNCTIONS: [(&str, &str); 4] =
    [("auth", "uid"), ("auth", "role"), ("auth", "jwt"), ("auth", "email")];

/// Views of the information schema that every plugin may read: they show only names, and only those that it was granted
/// and its role may use.
const OPEN_VIEWS: [&str; 2] = ["columns", "tables"];

/// Views that a plugin may read as well if its grant names the schema `information_schema`.
const GRANTED_VIEWS: [&str; 6] = [
    "constraint_column_usage",
    "key_column_usage",
    "referential_constraints",
    "schemata",
    "table_constraints",
    "views",
];

/// The database rights of a plugin.
#[derive(Clone, Debug, Default)]
pub struct DatabaseGrant {
    /// Whether the plugin may change data.
    pub write: bool,
    /// The schemas that it may use. `information_schema` here opens six more of that schema's views.
    pub schemas: Vec<String>,
    /// Schema and name of the relations that it may use; empty means all relations of the schemas. If tables are named,
    /// the project's own functions are refused unless `functions` names them, because they may reach other tables.
    pub tables: Vec<(String, String)>,
    /// Schema and name of functions that it may call although they run SQL text, run as their owner, or are in another
    /// schema.
    pub functions: Vec<(String, String)>,
    /// The connection's `search_path`, without `pg_catalog`, which always comes first.
    pub search_path: Vec<String>,
}

/// A grant joined with a catalog. Build one for each plugin and catalog, and reuse it.
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
    /// Joins a grant with a catalog.
    pub fn new(grant: DatabaseGrant, catalog: Arc<Catalog>) -> Self {
        // Verdicts are cached under this number. It is never used twice, so no policy gets the verdict of another.
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

    /// Whether objects of this schema may be used. Those of system schemas never may.
    pub(super) fn grants_schema(&self, schema: &str) -> bool {
        self.schemas.contains(schema) && schema != "information_schema" && !schema.starts_with("pg_")
    }

    /// The granted schemas, in order.
    pub(super) fn granted_schemas(&self) -> impl Iterator<Item = &str> {
        let sorted: BTreeSet<&str> = self.schemas.iter().map(String::as_str).collect();
        sorted.into_iter().filter(|schema| self.grants_schema(schema))
    }

    /// Schema and name of the granted tables, in order; none means all of the schemas.
    pub(super) fn granted_tables(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = self.tables.iter().flat_map(|(schema, names)| names.iter().map(move |name| (&**schema, &**name)));
        named.collect::<BTreeSet<_>>().into_iter()
    }

    /// Whether every object of the schema is granted, and not only a list of tables.
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
            // A foreign table reaches out of the database, so the grant must name it.
            'f' => self.grants_schema(schema) && named,
            _ => false,
        }
    }

    /// Whether this view of the information schema may be read.
    pub(super) fn grants_information(&self, view: &str) -> bool {
        OPEN_VIEWS.contains(&view) || self.schemas.contains("information_schema") && GRANTED_VIEWS.contains(&view)
    }

    /// The granted relation with the most similar name to one that was not found.
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

/// The Levenshtein distance of two names. Identifiers have at most 63 bytes, so longer texts are cut.
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
