//! Which of many names of `storage.objects` a caller may read.

use std::collections::HashSet;

use crate::error::StorageError;
use crate::state::Storage;
use crate::store::ActAs;

const VISIBLE: &str = "select name from storage.objects where bucket_id = $1::text and name = any($2::text::text[])";

/// The names that are objects which the caller may read.
pub(crate) async fn visible(
    storage: &Storage,
    caller: ActAs<'_>,
    bucket: &str,
    names: &[String],
) -> Result<HashSet<String>, StorageError> {
    let rows = caller.read(storage, VISIBLE, &[Some(bucket), Some(&array(names))]).await?;
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
