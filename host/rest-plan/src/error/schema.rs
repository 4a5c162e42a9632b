//! Errors about what the cache does not have, or has more than once.

use serde_json::{Value, json};

use super::RestError;
use super::cut;
use super::hints::{MAX_NAME_BYTES, closest, closest_text};
use crate::cache::{How, Ident, Over, Relation, Relationship, Routine, SchemaCache};
use crate::request::media::Media;

/// How alike tables and functions must be to be suggested.
const LEAST: f64 = 0.75;
/// How alike parameters and resources must be to be suggested.
const LEAST_LOOSE: f64 = 0.33;

impl RestError {
    pub(crate) fn no_table(cache: &SchemaCache, schema: &Ident, name: &str) -> Self {
        let names = cache.relations().iter().filter(|relation| relation.name.schema == *schema);
        let close = closest(name, names.map(|relation| relation.name.name.as_str()), LEAST);
        let message = format!("Could not find the table '{schema}.{}' in the schema cache", cut::name(name));
        let mut error = Self::new(404, "PGRST205", message);
        error.hint = close.map(|close| Box::new(format!("Perhaps you meant the table '{schema}.{close}'").into()));
        error
    }

    pub(crate) fn no_column(relation: &Relation, column: &str) -> Self {
        let column = cut::name(column);
        let message = format!("Could not find the '{column}' column of '{}' in the schema cache", relation.name.name);
        Self::new(400, "PGRST204", message)
    }

    pub(crate) fn no_relationship(
        cache: &SchemaCache,
        schema: &Ident,
        origin: (&str, Option<&Relation>),
        target: &str,
        hint: Option<&str>,
    ) -> Self {
        let (name, relation) = origin;
        let shown = cut::name(target);
        let message = format!("Could not find a relationship between '{name}' and '{shown}' in the schema cache");
        let using = hint.map(|hint| format!("' using the hint '{}", cut::name(hint))).unwrap_or_default();
        let details = format!(
            "Searched for a foreign key relationship between '{name}' and '{shown}{using}' in the schema '{schema}', \
             but no matches were found."
        );
        let mut error = Self::new(400, "PGRST200", message).details(details);
        let known = relation.map_or(&[][..], |relation| cache.relationships(relation.id));
        let target_of = |relationship: &Relationship| cache.relation_by_id(relationship.to);
        let close = if known.is_empty() {
            let origins = cache
                .relations()
                .iter()
                .filter(|other| other.name.schema == *schema && !cache.relationships(other.id).is_empty());
            closest(name, origins.map(|other| other.name.name.as_str()), LEAST_LOOSE).map(|close| (close, name))
        } else {
            let targets = known.iter().filter_map(target_of).map(|relation| relation.name.name.as_str());
            closest(target, targets, LEAST_LOOSE).map(|close| (close, target))
        };
        error.hint = close
            .filter(|(close, asked)| close != asked)
            .map(|(close, asked)| Box::new(format!("Perhaps you meant '{close}' instead of '{asked}'.").into()));
        error
    }

    pub(crate) fn ambiguous_relationship(
        cache: &SchemaCache,
        origin: &str,
        target: &str,
        found: &[&Relationship],
    ) -> Self {
        let message =
            format!("Could not embed because more than one relationship was found for '{origin}' and '{target}'");
        let name = |relationship: &Relationship| {
            cache.relation_by_id(relationship.to).map_or("", |relation| relation.name.name.as_str())
        };
        let ways: Vec<String> = found
            .iter()
            .filter_map(|relationship| {
                let hint = match &relationship.how {
                    How::ManyToMany(junction) => cache.relation_by_id(junction.relation)?.name.name.as_str(),
                    _ => relationship.over()?.constraint.as_str(),
                };
                Some(format!("'{}!{hint}'", name(relationship)))
            })
            .collect();
        let details: Vec<Value> = found.iter().filter_map(|found| describe(cache, found)).collect();
        Self::new(300, "PGRST201", message).details(details).hint(format!(
            "Try changing '{target}' to one of the following: {}. Find the desired relationship in the 'details' key.",
            ways.join(", ")
        ))
    }

    pub(crate) fn no_function(cache: &SchemaCache, schema: &Ident, name: &str, call: &Call<'_>) -> Self {
        let keys = call.keys;
        let by_body = call.is_post && matches!(call.media, Media::PlainText | Media::Xml | Media::Octets);
        let list = keys.join(", ");
        let (list, shown_name) = (cut::text(&list), cut::name(name));
        let shown = match (by_body, keys.is_empty()) {
            (true, _) => String::new(),
            (false, true) => " without parameters".to_owned(),
            (false, false) => format!("({list})"),
        };
        let searched = match (keys.is_empty(), keys.len() > 1) {
            (true, _) => " without parameters".to_owned(),
            (false, true) => format!(" with parameters {list}"),
            (false, false) => format!(" with parameter {list}"),
        };
        let searched = match (call.is_post, call.media) {
            (true, Media::PlainText) => " with a single unnamed text parameter".to_owned(),
            (true, Media::Xml) => " with a single unnamed xml parameter".to_owned(),
            (true, Media::Octets) => " with a single unnamed bytea parameter".to_owned(),
            (true, Media::Json) => format!("{searched} or with a single unnamed json/jsonb parameter"),
            _ => searched,
        };
        let mut error = Self::new(
            404,
            "PGRST202",
            format!("Could not find the function {schema}.{shown_name}{shown} in the schema cache"),
        )
        .details(format!(
            "Searched for the function {schema}.{shown_name}{searched}, but no matches were found in the schema cache."
        ));
        if !by_body {
            error.hint = function_hint(cache, schema, name, keys).map(|hint| Box::new(hint.into()));
        }
        error
    }

    pub(crate) fn ambiguous_function(cache: &SchemaCache, found: &[&Routine]) -> Self {
        let shown: Vec<String> = found
            .iter()
            .map(|routine| {
                let inputs: Vec<String> = routine
                    .inputs
                    .iter()
                    .map(|input| {
                        let kind = cache.types.get(input.kind).map_or("", |kind| &kind.display);
                        format!("{} => {kind}", input.name)
                    })
                    .collect();
                format!("{}.{}({})", routine.name.schema, routine.name.name, inputs.join(", "))
            })
            .collect();
        let message = format!("Could not choose the best candidate function between: {}", shown.join(", "));
        Self::new(300, "PGRST203", message).hint(
            "Try renaming the parameters or the function itself in the database so function overloading can be resolved",
        )
    }
}

/// How a function was called.
pub(crate) struct Call<'k> {
    pub(crate) keys: &'k [String],
    pub(crate) is_post: bool,
    pub(crate) media: &'k Media,
}

fn function_hint(cache: &SchemaCache, schema: &Ident, name: &str, keys: &[String]) -> Option<String> {
    if name.len() > MAX_NAME_BYTES {
        return None;
    }
    let list = |mut names: Vec<&str>| {
        names.sort_unstable();
        format!("({})", names.join(", "))
    };
    let overloads: Vec<String> = cache
        .routines_named(schema, name)
        .map(|routine| list(routine.inputs.iter().map(|input| input.name.as_str()).collect()))
        .collect();
    let close = if overloads.is_empty() {
        let names = cache.routines().iter().filter(|routine| routine.name.schema == *schema);
        closest(name, names.map(|routine| routine.name.name.as_str()), LEAST)?.to_owned()
    } else {
        let wanted = list(keys.iter().map(String::as_str).collect());
        format!("{name}{}", closest_text(&wanted, overloads.iter().map(String::as_str), LEAST_LOOSE)?)
    };
    Some(format!("Perhaps you meant to call the function {schema}.{close}"))
}

fn describe(cache: &SchemaCache, relationship: &Relationship) -> Option<Value> {
    let from = &cache.relation_by_id(relationship.from)?.name.name;
    let to = &cache.relation_by_id(relationship.to)?.name.name;
    let list = |names: Vec<&Ident>| names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let own = |over: &Over| list(over.columns.iter().map(|(own, _)| own).collect());
    let other = |over: &Over| list(over.columns.iter().map(|(_, other)| other).collect());
    let over = |over: &Over| format!("{} using {from}({}) and {to}({})", over.constraint, own(over), other(over));
    let (cardinality, text) = match &relationship.how {
        How::ManyToMany(junction) => {
            let name = &cache.relation_by_id(junction.relation)?.name.name;
            let (origin, target) = (&junction.origin, &junction.target);
            let text = format!(
                "{name} using {}({}) and {}({})",
                origin.constraint,
                other(origin),
                target.constraint,
                other(target)
            );
            ("many-to-many", text)
        }
        How::ManyToOne(key) => ("many-to-one", over(key)),
        How::OneToOne(key) => ("one-to-one", over(key)),
        How::OneToMany(key) => ("one-to-many", over(key)),
        How::Computed { .. } => return None,
    };
    Some(json!({ "cardinality": cardinality, "embedding": format!("{from} with {to}"), "relationship": text }))
}
