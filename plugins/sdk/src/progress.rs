//! Progress of a long call, and parts of its result, shown to the caller as they happen.

use alloc::format;

use serde::Serialize;

use crate::Error;

/// Bytes of a part as JSON.
const MAX_PART: usize = 65_536;

/// Says that `done` of `total` units are behind the tool, and what it turns to now. `total` is a number, or `None` where
/// nobody knows it yet.
pub fn report(done: u64, total: impl Into<Option<u64>>, message: &str) {
    crate::door::progress::report(done, total.into(), Some(message));
}

/// Shows a part of the result at once: what a result can hold, at most 65,536 bytes as JSON. The result of the call stays what the tool
/// returns.
pub fn partial(value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
    let part = crate::tool::callable::written("A part of the result", value)?;
    if part.len() > MAX_PART {
        let bytes = part.len();
        return Err(Error::failed(format!(
            "A part of the result has {bytes} bytes, and at most {MAX_PART} are allowed."
        )));
    }
    crate::door::progress::partial(&part);
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use serde_json::json;

    use super::*;
    use crate::mock::Host;

    #[test]
    fn parts_are_shown_in_their_order() {
        let host = Host::new();
        assert_eq!(partial(&vec![1, 2]), Ok(()));
        assert_eq!(partial("three"), Ok(()));
        assert_eq!(partial(&crate::Content::new().text("four")), Ok(()));
        let four = json!({"content": [{"type": "text", "text": "four"}]});
        assert_eq!(host.partials(), [json!([1, 2]), json!("three"), four]);
    }

    #[test]
    fn what_is_no_part_is_an_error() {
        let host = Host::new();
        let error = partial(&[f64::NAN]).expect_err("an error");
        assert!(error.message.starts_with("A part of the result cannot be written as JSON: it holds NaN"), "{error:?}");
        assert!(partial(&crate::Content::new()).is_err());
        let fits = "x".repeat(MAX_PART - 2);
        assert_eq!(partial(&fits), Ok(()));
        let error = partial(&format!("{fits}x")).expect_err("an error");
        assert_eq!((error.code.as_str(), host.partials().len()), ("failed", 1));
        assert!(error.message.contains("has 65537 bytes"), "{error:?}");
    }
}
