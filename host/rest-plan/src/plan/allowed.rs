//! What `OPTIONS` answers.

use crate::cache::{SchemaCache, Volatility};
use crate::error::RestError;
use crate::request::Target;

/// The methods that a resource has, as the value of `Allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed(pub String);

/// The methods of a resource of the schema of a profile, or of the default schema.
pub fn allowed(cache: &SchemaCache, target: Target<'_>, profile: Option<&str>) -> Result<Allowed, RestError> {
    let wanted = cache.schemas.iter().find(|(schema, _)| profile.is_none_or(|profile| schema.as_str() == profile));
    let Some((schema, _)) = wanted else {
        let exposed: Vec<&str> = cache.schemas.iter().map(|(schema, _)| schema.as_str()).collect();
        return Err(RestError::schema_profile(profile.unwrap_or_default(), &exposed.join(", ")));
    };
    let methods = match target {
        Target::Root => "OPTIONS,GET,HEAD".to_owned(),
        Target::Function(name) => {
            let mut found = cache.routines_named(schema, name);
            let Some(first) = found.next() else {
                let media = crate::request::media::Media::Json;
                let call = crate::error::Call { keys: &[], is_post: false, media: &media };
                return Err(RestError::no_function(cache, schema, name, &call));
            };
            if first.volatility == Volatility::Volatile { "OPTIONS,POST" } else { "OPTIONS,GET,HEAD,POST" }.to_owned()
        }
        Target::Relation(name) => {
            let relation = cache.relation(schema, name).ok_or_else(|| RestError::no_table(cache, schema, name))?;
            let (can, has_key) = (relation.can, !relation.primary_key.is_empty());
            let mut methods = "OPTIONS,GET,HEAD".to_owned();
            for (allowed, method) in [
                (can.insert, ",POST"),
                (can.insert && can.update && has_key, ",PUT"),
                (can.update, ",PATCH"),
                (can.delete, ",DELETE"),
            ] {
                methods.push_str(if allowed { method } else { "" });
            }
            methods
        }
    };
    Ok(Allowed(methods))
}
