//! Inserts, updates, upserts and deletes.

use super::negotiate::Offer;
use super::shape::Words;
use super::{Access, Context, Plan};
use crate::answer::{Kind, Reply, ReplyHead, Written};
use crate::cache::{Ident, Relation};
use crate::error::{RestError, cut};
use crate::request::Method;
use crate::request::media::Media;
use crate::request::payload::{self, Payload};
use crate::request::prefer::{Missing, Preferences, Representation, Resolution};
use crate::sql::{self, Body, BodyField, Conflict, Extras, Fields, Main, Needs, Write, WriteKind};
use crate::syntax::Query;
use crate::syntax::ast::{Operation, Operator, SelectItem};
use crate::tree::{Condition, Node, Parts, Resolver, Scope, Want, resolve_conditions};

pub(super) fn plan(context: &Context<'_>, name: &str) -> Result<Plan, RestError> {
    let query = context.query(false)?;
    let range = context.range(&query)?;
    let method = context.request.method;
    if method == Method::Put && !range.is_all() {
        return Err(RestError::put_limit());
    }
    let cache = context.cache;
    let relation =
        cache.relation(context.schema, name).ok_or_else(|| RestError::no_table(cache, context.schema, name))?;
    let payload = if method == Method::Delete { None } else { Some(read_body(context, &query)?) };
    let mut want = Want::new(&query, Parts::OfWrite)?;
    if representation(context) != Some(Representation::Full) {
        // Nothing is shown, so it does not matter which columns there are.
        want.forget_fields();
    }
    // A write gives back all that it changed.
    let mut resolver = Resolver::new(cache, context.schema, context.options.aggregates, None);
    let scope = Scope::Relation(relation);
    let node = resolver.node(&want, scope)?;
    let conditions = resolve_conditions(
        &resolver,
        query.filters.iter().filter(|(path, _)| path.is_empty()).map(|(_, filter)| filter),
        query.logic.iter().filter(|(path, _)| path.is_empty()).map(|(_, logic)| logic),
        scope,
    )?;
    let parts = WriteParts { relation, query: &query, payload, conditions };
    let kind = kind(context, parts)?;
    context.check_preferences()?;
    let chosen = context.negotiate(true, &Offer::of_rows(cache, &node))?;
    let inserts = matches!(kind, WriteKind::Insert { .. });
    let tells = matches!(&kind, WriteKind::Insert { tells, .. } if !tells.is_empty());
    let location = if inserts && method == Method::Post && representation(context) == Some(Representation::Headers) {
        key_of_location(relation, &query)
    } else {
        Vec::new()
    };
    let written = written(context, relation, &location, tells);
    let returning = returning(context, &node, scope, &location);
    let main = Main::Write(Write { relation, kind, returning });
    let media_plan = match &chosen.media {
        Media::Plan(plan) => Some(plan.as_ref()),
        _ => None,
    };
    let is_plan = media_plan.is_some();
    let extras = Extras { location, ..Extras::default() };
    let main = sql::main(main, &node, chosen.made, &extras, media_plan)?;
    let shape = Words::new(word(method)).relation(&relation.name).query(&query).node(&node).finish();
    let reply = Reply {
        kind: if is_plan { Kind::Lines } else { written },
        head: ReplyHead {
            preferences: applied(context, relation, &query),
            media: chosen.media,
            is_bytes: chosen.made.is_bytes,
            profile: context.profile(),
            offset: 0,
            is_head: false,
            max_rows: None,
        },
    };
    context.plan(Access::Write, main, None, shape, reply)
}

/// The columns of the key in the order of the relation, or sorted where the client selects columns, as `PostgREST` has them.
fn key_of_location<'c>(relation: &'c Relation, query: &Query) -> Vec<&'c Ident> {
    let is_all = |item: &SelectItem| matches!(item, SelectItem::Field(field) if field.field.name == "*");
    if query.select.iter().any(is_all) {
        let names = relation.columns.iter().map(|column| &column.name);
        return names.filter(|name| relation.primary_key.contains(name)).collect();
    }
    let mut names: Vec<&Ident> = relation.primary_key.iter().collect();
    names.sort();
    names
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Patch => "update",
        Method::Put => "put",
        Method::Delete => "delete",
        Method::Post | Method::Get | Method::Head => "insert",
    }
}

fn representation(context: &Context<'_>) -> Option<Representation> {
    context.preferences.representation
}

struct WriteParts<'c, 'q, 'b> {
    relation: &'c Relation,
    query: &'q Query,
    payload: Option<Payload<'b>>,
    conditions: Vec<Condition<'c, 'q>>,
}

fn kind<'c, 'q>(context: &Context<'c>, parts: WriteParts<'c, 'q, '_>) -> Result<WriteKind<'c, 'q>, RestError> {
    let WriteParts { relation, query, payload, conditions } = parts;
    let Some(payload) = payload else { return Ok(WriteKind::Delete { conditions }) };
    let method = context.request.method;
    if method == Method::Put {
        check_put(relation, query)?;
    }
    let fields = fields(context, relation, &payload.keys)?;
    let defaults = context.preferences.missing == Some(Missing::Default) && method != Method::Put;
    let body = Body { json: payload.json.into_owned(), shape: payload.shape, defaults };
    Ok(match method {
        Method::Patch => WriteKind::Update { body, fields, conditions },
        Method::Put => {
            let conflict = Conflict { columns: relation.primary_key.iter().collect(), merge: true };
            let tells = conflict.columns.clone();
            WriteKind::Insert { body, fields, conflict: Some(conflict), checks: conditions, tells }
        }
        _ => {
            let conflict = conflict(context, relation, query)?;
            let merges = conflict.as_ref().filter(|conflict| conflict.merge);
            let tells = merges.map(|conflict| conflict.columns.clone()).unwrap_or_default();
            WriteKind::Insert { body, fields, conflict, checks: Vec::new(), tells }
        }
    })
}

/// A PUT names its row by all columns of the primary key, and by nothing else.
fn check_put(relation: &Relation, query: &Query) -> Result<(), RestError> {
    let mut keys: Vec<&str> = query.filter_keys.iter().map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut primary: Vec<&str> = relation.primary_key.iter().map(Ident::as_str).collect();
    primary.sort_unstable();
    let equal = |operation: &Operation| {
        matches!(operation, Operation::Compare { operator: Operator::Equal, quantifier: None, .. })
    };
    let fits = query.logic.is_empty()
        && !primary.is_empty()
        && keys == primary
        && query.filters.iter().all(|(_, filter)| !filter.negated && equal(&filter.operation));
    if fits { Ok(()) } else { Err(RestError::invalid_filters()) }
}

fn fields<'c>(context: &Context<'c>, relation: &'c Relation, keys: &[String]) -> Result<Fields<'c>, RestError> {
    keys.iter()
        .map(|key| {
            let column = relation.column(key).ok_or_else(|| RestError::no_column(relation, key))?;
            let kind = context.cache.types.base(column.kind).ok_or_else(|| RestError::no_column(relation, key))?;
            let reader = context.cache.types.representation(column.kind).and_then(|how| how.of_json.as_ref());
            Ok(BodyField { name: &column.name, kind, default: column.default.as_ref(), reader })
        })
        .collect()
}

fn conflict<'c>(
    context: &Context<'c>,
    relation: &'c Relation,
    query: &Query,
) -> Result<Option<Conflict<'c>>, RestError> {
    let Some(resolution) = context.preferences.resolution else { return Ok(None) };
    let columns = match &query.on_conflict {
        Some(names) => names
            .iter()
            .map(|name| relation.column(name).map(|column| &column.name).ok_or(name))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|name| RestError::new(400, "42703", format!("column \"{}\" does not exist", cut::name(name))))?,
        None => relation.primary_key.iter().collect(),
    };
    Ok((!columns.is_empty()).then_some(Conflict { columns, merge: resolution == Resolution::Merge }))
}

fn read_body<'b>(context: &Context<'b>, query: &Query) -> Result<Payload<'b>, RestError> {
    let body = context.request.body;
    let media = context.request.headers.content_type.map_or(Media::Json, Media::parse);
    let read = match media {
        Media::Json => payload::json(body, payload::columns(query, context.request.method != Method::Put)),
        Media::Csv => payload::csv(body),
        Media::Form => payload::form(body),
        other => return Err(RestError::content_type(&other.mime())),
    };
    read.map_err(RestError::invalid_body)
}

/// What the write has to give back: what is shown, and the key for `Location`.
fn returning<'c>(
    context: &Context<'c>,
    node: &Node<'c, '_>,
    scope: Scope<'c>,
    location: &[&'c Ident],
) -> Option<Needs<'c>> {
    match representation(context) {
        Some(Representation::Full) => Some(Needs::of(node)),
        Some(Representation::Headers) if !location.is_empty() => {
            let mut needs = Needs::default();
            location.iter().for_each(|column| needs.add(scope, column));
            Some(needs)
        }
        Some(Representation::Headers | Representation::Minimal) | None => None,
    }
}

fn written(context: &Context<'_>, relation: &Relation, location: &[&Ident], tells: bool) -> Kind {
    let written = Written {
        shows: representation(context) == Some(Representation::Full),
        counts: matches!(
            context.preferences.count,
            Some(crate::request::prefer::Count::Exact | crate::request::prefer::Count::Estimated)
        ),
        max_affected: context.preferences.limit_of_rows(),
    };
    match context.request.method {
        Method::Patch => Kind::Update(written),
        Method::Put => Kind::Put { written, tells },
        Method::Delete => Kind::Delete(written),
        _ => Kind::Insert {
            written,
            relation: relation.name.name.to_string(),
            location: location.iter().map(ToString::to_string).collect(),
            tells,
        },
    }
}

/// The preferences that count for this write.
fn applied(context: &Context<'_>, relation: &Relation, query: &Query) -> Preferences {
    let mut preferences = context.preferences.clone();
    let method = context.request.method;
    if method != Method::Post || relation.primary_key.is_empty() && query.on_conflict.is_none() {
        preferences.resolution = None;
    }
    if !matches!(method, Method::Post | Method::Patch) {
        preferences.missing = None;
    }
    if !matches!(method, Method::Patch | Method::Delete) {
        preferences.max_affected = None;
    }
    preferences
}
