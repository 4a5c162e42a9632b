//! Which of many names of `storage.objects` a caller may read.

use std::collections::HashSet;
use std::time::Duration;

use behalf_caller_db::{AppLimits, FixedAccess, FixedRequest};

use crate::error::StorageError;
use crate::state::Storage;
use crate::store::objects::ActAs;

/// Names are short.
const LIMITS: AppLimits = AppLimits { max_bytes: 4 * 1024 * 1024, deadline: Duration::from_secs(30) };

const VISIBLE: &str = "select name from storage.objects where bucket_id = $1::text and name = any($2::text::text[])";

/// The names that are objects which the caller may read.
pub(crate) async fn visible(
    storage: &Storage,
    caller: ActAs<'_>,
    bucket: &str,
    names: &[String],
) -> Result<HashSet<String>, StorageError> {
    let ActAs { principal, key, settings } = caller;
    let names = array(names);
    let request = FixedRequest {
        principal,
        key,
        access: FixedAccess::Read,
        settings,
        text: VISIBLE,
        params: &[Some(bucket), Some(&names)],
        limits: LIMITS,
    };
    let rows = storage.caller_db.run_fixed(request).await?;
    Ok(rows.iter().filter_map(|row| row.text(0).map(str::to_owned)).collect())
}

/// Texts as an array in Postgres's form.
pub(crate) fn array(texts: &[String]) -> String {
    let quoted = texts.iter().map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_one_element_whatever_it_contains() {
        let texts = ["a", "", "NULL", "b,c", "d\"e", "f\\", "{g}", " h "].map(str::to_owned);
        assert_eq!(array(&texts), r#"{"a","","NULL","b,c","d\"e","f\\","{g}"," h "}"#);
        assert_eq!(array(&[]), "{}");
    }
}
