//! Reads of tables and views.

use super::negotiate::Offer;
use super::shape::Words;
use super::{Access, Context, Plan};
use crate::answer::{Kind, Reply, ReplyHead};
use crate::error::RestError;
use crate::request::Method;
use crate::request::media::Media;
use crate::request::prefer::{Count, Preferences};
use crate::sql::{self, Counting, Extras, Main};
use crate::syntax::encode_into;
use crate::tree::{Parts, Resolver, Scope, Want};

pub(super) fn plan(context: &Context<'_>, name: &str) -> Result<Plan, RestError> {
    let query = context.query(false)?;
    let range = context.range(&query)?;
    let cache = context.cache;
    let relation =
        cache.relation(context.schema, name).ok_or_else(|| RestError::no_table(cache, context.schema, name))?;
    let want = Want::new(&query, Parts::All)?;
    let mut resolver = Resolver::new(cache, context.schema, context.options.aggregates, context.options.max_rows);
    let mut node = resolver.node(&want, Scope::Relation(relation))?;
    node.range = range.at_most(context.options.max_rows);
    let chosen = context.negotiate(false, &Offer::of_rows(cache, &node))?;
    context.check_preferences()?;
    let count = context.preferences.count;
    let counting = match (count, context.options.max_rows) {
        (None | Some(Count::Planned), _) => Counting::No,
        (Some(Count::Exact), _) | (Some(Count::Estimated), None) => Counting::All,
        (Some(Count::Estimated), Some(most)) => Counting::UpTo(most.saturating_add(1)),
    };
    let explain = matches!(count, Some(Count::Planned | Count::Estimated)) && !matches!(chosen.media, Media::Plan(_));
    let explain = if explain { Some(sql::explained(&node)?) } else { None };
    let media_plan = match &chosen.media {
        Media::Plan(plan) => Some(plan.as_ref()),
        _ => None,
    };
    let extras = Extras { count: counting, location: Vec::new() };
    let main = sql::main(Main::Read, &node, chosen.made, &extras, media_plan)?;
    let shape = Words::new("read").relation(&relation.name).query(&query).node(&node).finish();
    let mut path = "/".to_owned();
    encode_into(&mut path, relation.name.name.as_str());
    if !query.canonical.is_empty() {
        path.push('?');
        path.push_str(&query.canonical);
    }
    let reply = Reply {
        kind: if media_plan.is_some() { Kind::Lines } else { Kind::Read { content_location: path } },
        head: ReplyHead {
            preferences: Preferences {
                resolution: None,
                representation: None,
                missing: None,
                max_affected: None,
                ..context.preferences.clone()
            },
            media: chosen.media,
            is_bytes: chosen.made.is_bytes,
            profile: context.profile(),
            offset: range.offset,
            is_head: context.request.method == Method::Head,
            max_rows: context.options.max_rows,
        },
    };
    context.plan(Access::Read, main, explain, shape, reply)
}
