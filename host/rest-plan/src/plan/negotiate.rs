//! Which of the accepted media types the answer has.

use super::Context;
use crate::error::RestError;
use crate::request::Method;
use crate::request::media::Media;
use crate::request::prefer::Representation;
use crate::sql::Handler;

/// A media type with how rows become it.
pub(crate) struct Chosen<'c> {
    pub(crate) media: Media,
    pub(crate) handler: Handler<'c>,
}

impl<'a> Context<'a> {
    /// The first accepted media type that there is.
    pub(crate) fn negotiate(&self, is_write: bool) -> Result<Chosen<'a>, RestError> {
        let Some(mut chosen) = self.accepted.iter().find_map(|media| self.choose(media)) else {
            let accepted: Vec<String> = self.accepted.iter().map(Media::mime).collect();
            return Err(RestError::media(&accepted.join(", ")));
        };
        let shows = if is_write {
            self.preferences.representation == Some(Representation::Full)
        } else {
            self.request.method != Method::Head
        };
        if !shows {
            chosen.handler = if is_write { Handler::Nothing } else { Handler::Unsent };
        }
        Ok(chosen)
    }

    fn choose(&self, media: &Media) -> Option<Chosen<'a>> {
        let chosen = |media: Media, handler| Some(Chosen { media, handler });
        match media {
            Media::Json | Media::Any => chosen(Media::Json, Handler::Array { stripped: false }),
            Media::StrippedArray => chosen(Media::StrippedArray, Handler::Array { stripped: true }),
            Media::Object { stripped } => chosen(media.clone(), Handler::Object { stripped: *stripped }),
            Media::Csv => chosen(Media::Csv, Handler::Csv),
            Media::GeoJson => chosen(Media::GeoJson, Handler::GeoJson(self.cache.geojson.as_ref()?)),
            Media::Plan(plan) if self.options.plan => {
                let inner = self.choose(&plan.of)?;
                chosen(media.clone(), inner.handler)
            }
            Media::Plan(_)
            | Media::PlainText
            | Media::Xml
            | Media::OpenApi
            | Media::Form
            | Media::Octets
            | Media::Other(_) => None,
        }
    }
}
