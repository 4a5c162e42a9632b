//! Requests against a small cache, without a database.

mod attacks;
mod domains;
mod plans;

use std::sync::LazyLock;

use crate::{Headers, Hook, Method, Options, Plan, Request, RestError, SchemaCache, Target, TxEnd, plan};

/// The cache of a database with relationships of every kind.
static CACHE: LazyLock<SchemaCache> = LazyLock::new(|| SchemaCache::from_json(include_bytes!("cache.json")).unwrap());

pub(crate) fn options() -> Options {
    Options {
        aggregates: true,
        plan: true,
        tx_end: TxEnd::CommitAllowOverride,
        pre_request: Hook::from_setting("private.check"),
        ..Options::default()
    }
}

/// A request as it is written in a test.
#[derive(Clone, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) headers: Headers<'a>,
}

pub(crate) fn ask(method: Method, ask: &Ask<'_>) -> Result<Plan, RestError> {
    let target = match ask.path.strip_prefix("rpc/") {
        Some(name) => Target::Function(name),
        None if ask.path.is_empty() => Target::Root,
        None => Target::Relation(ask.path),
    };
    let request = Request { method, target, query: ask.query, headers: ask.headers.clone(), body: ask.body };
    plan(&CACHE, &options(), &request)
}

pub(crate) fn get(path: &str, query: &str) -> Result<Plan, RestError> {
    ask(Method::Get, &Ask { path, query, ..Ask::default() })
}

pub(crate) fn text(path: &str, query: &str) -> String {
    match get(path, query) {
        Ok(plan) => plan.main.text().to_owned(),
        Err(error) => panic!("{path}?{query}: {error:?}"),
    }
}

pub(crate) fn code(result: Result<Plan, RestError>) -> String {
    match result {
        Ok(plan) => panic!("planned as {}", plan.main.text()),
        Err(error) => error.code.into_owned(),
    }
}
