//! The information schema, cut down to what a grant names. It would list every object that the role may use.

use super::policy::Policy;

/// The query that takes the place of a view of the information schema.
pub(super) fn narrowed(view: &str, policy: &Policy) -> String {
    let allowed = match view {
        "schemata" => schemas("v.schema_name", policy),
        "referential_constraints" => {
            let owned = |schema: &str, name: &str| {
                format!(
                    "exists (select from information_schema.table_constraints c where c.constraint_schema = v.{schema} \
                     and c.constraint_name = v.{name} and {})",
                    relations("c", policy)
                )
            };
            format!(
                "{} and {}",
                owned("constraint_schema", "constraint_name"),
                owned("unique_constraint_schema", "unique_constraint_name")
            )
        }
        _ => relations("v", policy),
    };
    format!("select * from information_schema.{view} v where {allowed}")
}

fn relations(of: &str, policy: &Policy) -> String {
    let schema = schemas(&format!("{of}.table_schema"), policy);
    let tables: Vec<String> = policy
        .granted_tables()
        .map(|(schema, table)| {
            format!("{of}.table_schema = {} and {of}.table_name = {}", literal(schema), literal(table))
        })
        .collect();
    if tables.is_empty() { schema } else { format!("{schema} and ({})", tables.join(" or ")) }
}

fn schemas(column: &str, policy: &Policy) -> String {
    let names: Vec<String> = policy.granted_schemas().map(literal).collect();
    if names.is_empty() { "false".to_owned() } else { format!("{column} in ({})", names.join(", ")) }
}

/// A literal as a session with `standard_conforming_strings` reads it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
