//! Calls of functions.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::negotiate::Offer;
use super::shape::Words;
use super::{Access, Context, Plan};
use crate::answer::{Called, Kind, Reply, ReplyHead};
use crate::cache::{Input, Returns, Routine, SchemaCache, Volatility};
use crate::error::{Call, RestError};
use crate::request::Method;
use crate::request::media::Media;
use crate::request::payload::{self, Payload, Shape};
use crate::request::prefer::{Count, Preferences};
use crate::sql::{self, Argument, Arguments, Body, BodyField, CallPlan, Counting, Extras, Fields, Main, Needs};
use crate::syntax::Query;
use crate::tree::{Parts, Resolver, Scope, Want};

/// What a client passes to a function.
enum Passed<'b> {
    Pairs(Vec<(String, String)>),
    Json(Payload<'b>),
    Raw(&'b [u8]),
}

impl Passed<'_> {
    fn keys(&self) -> Vec<String> {
        let mut keys = match self {
            Self::Pairs(pairs) => pairs.iter().map(|(key, _)| key.clone()).collect(),
            Self::Json(payload) => payload.keys.clone(),
            Self::Raw(_) => Vec::new(),
        };
        keys.sort();
        keys.dedup();
        keys
    }
}

pub(super) fn plan(context: &Context<'_>, name: &str) -> Result<Plan, RestError> {
    let is_post = context.request.method == Method::Post;
    let query = context.query(!is_post)?;
    let range = context.range(&query)?;
    let media = context.request.headers.content_type.map_or(Media::Json, Media::parse);
    if is_post && context.cache.routines_named(context.schema, name).next().is_none() {
        let keys = keys_of_body(context, &query, &media)?;
        return Err(RestError::no_function(
            context.cache,
            context.schema,
            name,
            &Call { keys: &keys, is_post, media: &media },
        ));
    }
    let passed = if is_post { read_body(context, &query, &media)? } else { Passed::Pairs(query.arguments.clone()) };
    let keys = passed.keys();
    let cache = context.cache;
    let routine = find(context, name, &Call { keys: &keys, is_post, media: &media })?;
    let scope = scope(cache, routine);
    let want = Want::new(&query, Parts::All)?;
    let mut resolver = Resolver::new(cache, context.schema, context.options.aggregates, context.options.max_rows);
    let mut node = resolver.node(&want, scope)?;
    node.range = range.at_most(context.options.max_rows);
    let chosen = context.negotiate(false, &Offer::of_call(cache, routine, &node))?;
    context.check_preferences()?;
    if context.preferences.limit_of_rows().is_some() && !routine.returns_set {
        return Err(RestError::max_affected_single());
    }
    let arguments = arguments(cache, routine, passed, &keys)?;
    let needs = Needs::of(&node);
    let media_plan = match &chosen.media {
        Media::Plan(plan) => Some(plan.as_ref()),
        _ => None,
    };
    let is_plan = media_plan.is_some();
    let extras = Extras { count: counting(context), location: Vec::new() };
    let handler = if routine.is_void() { sql::Handler::Nothing } else { chosen.made.handler };
    let call = CallPlan { routine, types: &cache.types, arguments, needs };
    let main = sql::main(Main::Call(call), &node, sql::Made { handler, ..chosen.made }, &extras, media_plan)?;
    let shape = Words::new("rpc").relation(&routine.name).query(&query).node(&node).finish();
    let called = Called { is_void: routine.is_void(), max_affected: context.preferences.limit_of_rows() };
    let reply = Reply {
        kind: if is_plan { Kind::Lines } else { Kind::Call(called) },
        head: ReplyHead {
            preferences: Preferences {
                resolution: None,
                representation: None,
                missing: None,
                ..context.preferences.clone()
            },
            media: chosen.media,
            is_bytes: chosen.made.is_bytes,
            profile: context.profile(),
            offset: range.offset,
            is_head: context.request.method == Method::Head,
            max_rows: None,
        },
    };
    let writes = is_post && routine.volatility == Volatility::Volatile;
    context.plan(if writes { Access::Write } else { Access::Read }, main, None, shape, reply)
}

fn counting(context: &Context<'_>) -> Counting {
    match context.preferences.count {
        Some(Count::Exact | Count::Estimated) => Counting::All,
        Some(Count::Planned) | None => Counting::No,
    }
}

fn read_body<'b>(context: &Context<'b>, query: &Query, media: &Media) -> Result<Passed<'b>, RestError> {
    let body = context.request.body;
    match media {
        Media::Json if body.is_empty() && query.columns.is_none() => payload::json(b"{}", None).map(Passed::Json),
        Media::Json => payload::json(body, payload::columns(query, true)).map(Passed::Json),
        Media::Csv => payload::csv(body).map(Passed::Json),
        Media::Form => payload::form_pairs(body).map(Passed::Pairs),
        Media::PlainText | Media::Xml | Media::Octets => Ok(Passed::Raw(body)),
        other => return Err(RestError::content_type(&other.mime())),
    }
    .map_err(RestError::invalid_body)
}

/// The names of the arguments alone, for the error that no function has this name.
fn keys_of_body(context: &Context<'_>, query: &Query, media: &Media) -> Result<Vec<String>, RestError> {
    match media {
        Media::Csv => payload::csv_keys(context.request.body).map_err(RestError::invalid_body),
        _ => Ok(read_body(context, query, media)?.keys()),
    }
}

/// Chooses the function of this name that takes these arguments.
fn find<'c>(context: &Context<'c>, name: &str, call: &Call<'_>) -> Result<&'c Routine, RestError> {
    let (cache, schema) = (context.cache, context.schema);
    let named: Vec<&Routine> = cache.routines_named(schema, name).filter(|routine| takes(routine, call)).collect();
    let fallback = || {
        cache
            .routines_named(schema, name)
            .filter(|routine| takes_whole(cache, routine, call))
            .collect::<Vec<&Routine>>()
    };
    let found = if named.is_empty() { fallback() } else { named };
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(RestError::no_function(cache, schema, name, call)),
        several => Err(RestError::ambiguous_function(cache, several)),
    }
}

/// Whether the arguments are all that the function requires and none that it lacks.
fn takes(routine: &Routine, call: &Call<'_>) -> bool {
    if routine.inputs.is_empty() {
        let whole = call.is_post && matches!(call.media, Media::Octets | Media::PlainText | Media::Xml);
        return call.keys.is_empty() && !whole;
    }
    let has = |key: &str| call.keys.iter().any(|found| found == key);
    let known = |key: &String| routine.inputs.iter().any(|input| input.name.as_str() == key);
    routine.inputs.iter().all(|input| !input.required || has(input.name.as_str())) && call.keys.iter().all(known)
}

/// Whether the whole body can be its only parameter.
fn takes_whole(cache: &SchemaCache, routine: &Routine, call: &Call<'_>) -> bool {
    let [input] = routine.inputs.as_ref() else { return false };
    let Some(kind) = cache.types.get(input.kind) else { return false };
    if !call.is_post || !input.name.as_str().is_empty() || kind.name.schema.as_str() != "pg_catalog" {
        return false;
    }
    matches!(
        (call.media, kind.name.name.as_str()),
        (Media::Json, "json" | "jsonb") | (Media::PlainText, "text") | (Media::Xml, "xml") | (Media::Octets, "bytea")
    )
}

fn scope<'c>(cache: &'c SchemaCache, routine: &'c Routine) -> Scope<'c> {
    match &routine.returns {
        Returns::Void | Returns::Scalar | Returns::Record => Scope::Scalar(&routine.name.name),
        Returns::Relation(id) => match cache.relation_by_id(*id) {
            Some(relation) => Scope::Relation(relation),
            None => Scope::Scalar(&routine.name.name),
        },
        Returns::Columns { name, columns } => {
            Scope::Columns { name: name.as_ref().map_or(&routine.name.name, |name| &name.name), columns }
        }
    }
}

fn arguments<'c>(
    cache: &'c SchemaCache,
    routine: &'c Routine,
    passed: Passed<'_>,
    keys: &[String],
) -> Result<Arguments<'c>, RestError> {
    if let [input] = routine.inputs.as_ref()
        && input.name.as_str().is_empty()
    {
        return Ok(Arguments::Whole(input, whole(cache, input, passed)));
    }
    let used = |input: &&Input| keys.iter().any(|key| key == input.name.as_str());
    let inputs: Vec<&Input> = routine.inputs.iter().filter(used).collect();
    match passed {
        Passed::Pairs(pairs) => Ok(Arguments::Named(inputs.into_iter().map(|input| of_pairs(input, &pairs)).collect())),
        Passed::Raw(_) => Ok(Arguments::Named(Vec::new())),
        Passed::Json(_) if inputs.is_empty() => Ok(Arguments::Named(Vec::new())),
        Passed::Json(payload) => {
            if payload.shape == Shape::Object
                && let Some(named) = of_json(cache, &inputs, &payload.json)
            {
                return Ok(Arguments::Named(named));
            }
            let fields: Option<Fields<'c>> = inputs
                .iter()
                .map(|input| {
                    Some(BodyField {
                        name: &input.name,
                        kind: cache.types.get(input.kind)?,
                        default: None,
                        reader: None,
                    })
                })
                .collect();
            let body = Body { json: payload.json.into_owned(), shape: payload.shape, defaults: false };
            match fields {
                Some(fields) => Ok(Arguments::Json { body, fields, inputs }),
                None => Err(RestError::undefined_type("")),
            }
        }
    }
}

/// The body for a parameter without a name. Bytes go as hexadecimal digits, which is how text format has them.
fn whole(cache: &SchemaCache, input: &Input, passed: Passed<'_>) -> Vec<u8> {
    let bytes = cache.types.get(input.kind).is_some_and(|kind| kind.name.name.as_str() == "bytea");
    match passed {
        Passed::Raw(body) if bytes => {
            let mut text = b"\\x".to_vec();
            text.reserve(body.len() * 2);
            for byte in body {
                let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
                text.push(digit(byte >> 4));
                text.push(digit(byte & 15));
            }
            text
        }
        Passed::Raw(body) => body.to_vec(),
        Passed::Json(payload) => payload.json.into_owned(),
        Passed::Pairs(pairs) => {
            let object: serde_json::Map<String, serde_json::Value> =
                pairs.into_iter().map(|(key, value)| (key, value.into())).collect();
            serde_json::Value::Object(object).to_string().into_bytes()
        }
    }
}

fn of_pairs<'c>(input: &'c Input, pairs: &[(String, String)]) -> (&'c Input, Argument) {
    let mut values = pairs.iter().filter(|(key, _)| key == input.name.as_str()).map(|(_, value)| value);
    if input.variadic {
        return (input, Argument::Many(values.cloned().collect()));
    }
    (input, Argument::One(values.next_back().map(|value| value.clone().into_bytes())))
}

/// The values of an object, if Postgres reads each of them from the text that JSON has for it: then they can be parameters.
/// Arrays and rows are read from JSON by Postgres.
fn of_json<'c>(cache: &SchemaCache, inputs: &[&'c Input], json: &[u8]) -> Option<Vec<(&'c Input, Argument)>> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let values = Values(inputs).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    inputs
        .iter()
        .map(|input| {
            let base = cache.types.base(input.kind)?;
            if base.is_array || base.is_composite || input.variadic {
                return None;
            }
            let is_json = matches!(base.name.name.as_str(), "json" | "jsonb");
            let raw = values.get(input.name.as_str()).map_or("null", |raw| raw.get());
            let text = match raw.as_bytes().first() {
                _ if raw == "null" => None,
                Some(b'"') if !is_json => Some(serde_json::from_str::<String>(raw).ok()?.into_bytes()),
                _ => Some(raw.as_bytes().to_vec()),
            };
            Some((*input, Argument::One(text)))
        })
        .collect()
}

/// Reads the values of an object that are for a parameter; the others are not kept.
struct Values<'i, 'c>(&'i [&'c Input]);

impl<'de> DeserializeSeed<'de> for Values<'_, '_> {
    type Value = BTreeMap<String, &'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Values<'_, '_> {
    type Value = BTreeMap<String, &'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if self.0.iter().any(|input| input.name.as_str() == key) {
                values.insert(key, map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(values)
    }
}
