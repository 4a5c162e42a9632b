//! Which of the accepted media types the answer has.

use super::Context;
use crate::cache::{Maker, Produced, Relation, Routine, SchemaCache};
use crate::error::RestError;
use crate::request::Method;
use crate::request::media::Media;
use crate::request::prefer::Representation;
use crate::sql::{Handler, Made};
use crate::tree::{Node, Scope};

/// A media type with how rows become it.
pub(crate) struct Chosen<'c> {
    pub(crate) media: Media,
    pub(crate) made: Made<'c>,
}

/// What functions and aggregates of the database make of an answer.
pub(crate) struct Offer<'c> {
    /// The function that is called, if its value is a body.
    value: Option<&'c Produced>,
    /// The relation whose rows there are, with all their columns.
    relation: Option<&'c Relation>,
    makers: &'c [Maker],
}

impl<'c> Offer<'c> {
    /// Of the rows of a relation.
    pub(crate) fn of_rows(cache: &'c SchemaCache, node: &Node<'c, '_>) -> Self {
        let relation = match node.scope {
            Scope::Relation(relation) if !relation.makers.is_empty() && node.is_whole() => Some(relation),
            _ => None,
        };
        Self { value: None, relation, makers: &cache.makers }
    }

    /// Of a function's result.
    pub(crate) fn of_call(cache: &'c SchemaCache, routine: &'c Routine, node: &Node<'c, '_>) -> Self {
        Self { value: routine.produced.as_deref(), ..Self::of_rows(cache, node) }
    }

    /// Those of the function and of the relation stand for those of any rows; one that is for everything stands for all.
    fn choose(&self, media: &Media) -> Option<Chosen<'c>> {
        let value = |produced: &&'c Produced| produced.is_for_all() || produced.is_for(media);
        if let Some(produced) = self.value.filter(value) {
            return Some(Chosen::made(produced, Handler::Value));
        }
        let own = self.relation.and_then(|relation| {
            let all = relation.makers.iter().find(|maker| maker.produced.is_for_all());
            let maker = all.or_else(|| relation.makers.iter().find(|maker| maker.produced.is_for(media)))?;
            Some((maker, Some(&relation.name)))
        });
        let any = || self.makers.iter().find(|maker| maker.produced.is_for(media)).map(|maker| (maker, None));
        let (maker, row) = own.or_else(any)?;
        Some(Chosen::made(&maker.produced, Handler::Aggregate { function: &maker.function, row }))
    }
}

impl<'c> Chosen<'c> {
    fn made(produced: &Produced, handler: Handler<'c>) -> Self {
        Self { media: produced.given.clone(), made: Made { handler, is_bytes: produced.is_bytes } }
    }
}

impl<'a> Context<'a> {
    /// The first accepted media type that there is.
    pub(crate) fn negotiate(&self, is_write: bool, offer: &Offer<'a>) -> Result<Chosen<'a>, RestError> {
        let Some(mut chosen) = self.accepted.iter().find_map(|media| self.choose(media, offer)) else {
            let accepted: Vec<String> = self.accepted.iter().map(Media::mime).collect();
            return Err(RestError::media(&accepted.join(", ")));
        };
        let shows = if is_write {
            self.preferences.representation == Some(Representation::Full)
        } else {
            self.request.method != Method::Head
        };
        if !shows {
            chosen.made.handler = if is_write { Handler::Nothing } else { Handler::Unsent };
        }
        Ok(chosen)
    }

    fn choose(&self, media: &Media, offer: &Offer<'a>) -> Option<Chosen<'a>> {
        let chosen = |media: Media, handler| Some(Chosen { media, made: Made { handler, is_bytes: false } });
        match media {
            Media::StrippedArray => return chosen(Media::StrippedArray, Handler::Array { stripped: true }),
            Media::Object { stripped } => return chosen(media.clone(), Handler::Object { stripped: *stripped }),
            Media::Plan(plan) if self.options.plan => {
                let inner = self.choose(&plan.of, offer)?;
                return Some(Chosen { media: media.clone(), ..inner });
            }
            Media::Plan(_) => return None,
            _ => {}
        }
        if let Some(made) = offer.choose(media) {
            return Some(made);
        }
        match media {
            Media::Json | Media::Any => chosen(Media::Json, Handler::Array { stripped: false }),
            Media::Csv => chosen(Media::Csv, Handler::Csv),
            Media::GeoJson => chosen(Media::GeoJson, Handler::GeoJson(self.cache.geojson.as_ref()?)),
            _ => None,
        }
    }
}
