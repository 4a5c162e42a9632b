//! The header `x-robots-tag`: what search engines may do with an object.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// Rules that are one word.
const WORDS: [&str; 8] =
    ["all", "noindex", "nofollow", "none", "nosnippet", "indexifembedded", "notranslate", "noimageindex"];

/// Rules with a value.
const WITH_VALUE: [&str; 4] = ["max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"];

/// Forms of moments that crawlers know, beside those of RFC 2822 and RFC 3339.
const MOMENTS: [&str; 4] = ["%d %b %Y %H:%M:%S", "%A, %d-%b-%y %H:%M:%S", "%a %b %d %H:%M:%S %Y", "%Y-%m-%d %H:%M:%S"];
/// The same without a time.
const DAYS: [&str; 3] = ["%Y-%m-%d", "%d %b %Y", "%b %d, %Y"];

/// Why a value is refused, or nothing.
pub(crate) fn check(value: &str) -> Result<(), String> {
    let value = value.trim();
    if value.is_empty() {
        return Err("X-Robots-Tag header value must be a non-empty string".to_owned());
    }
    // A rule may be for one crawler: what follows its name is a rule again. Each turn of this loop takes one rule.
    let mut rest = value;
    while !rest.is_empty() {
        let rule;
        (rule, rest) = split(rest);
        check_rule(rule)?;
    }
    if value.ends_with(',') {
        return Err("X-Robots-Tag header contains empty rule".to_owned());
    }
    Ok(())
}

/// The first rule, and what follows its comma. A date may have commas of its own, so it ends where another rule begins.
fn split(text: &str) -> (&str, &str) {
    if text.starts_with("unavailable_after:") {
        let end = text.match_indices(',').find(|(at, _)| {
            let next = text.get(at + 1..).unwrap_or_default().trim_start();
            let word = next.split([',', ':']).next().unwrap_or_default().trim();
            WORDS.contains(&word) || WITH_VALUE.contains(&word)
        });
        let (rule, rest) = end.map_or((text, ""), |(at, _)| text.split_at(at));
        return (rule.trim(), rest.trim_start_matches(',').trim());
    }
    text.split_once(',').map_or((text.trim(), ""), |(rule, rest)| (rule.trim(), rest.trim()))
}

fn check_rule(rule: &str) -> Result<(), String> {
    if rule.is_empty() {
        return Err("X-Robots-Tag header contains empty rule".to_owned());
    }
    if WORDS.contains(&rule) {
        return Ok(());
    }
    let Some((name, value)) = rule.split_once(':') else {
        return Err(format!("Invalid X-Robots-Tag rule: \"{rule}\""));
    };
    let (name, value) = (name.trim(), value.trim());
    match WITH_VALUE.contains(&name) {
        true if value.is_empty() => Err(format!("X-Robots-Tag rule \"{name}\" requires a value")),
        true => check_value(name, value),
        false if value.is_empty() => Err(format!("X-Robots-Tag user agent \"{name}\" has no rules specified")),
        false => match value.split_once(':') {
            // A crawler of a crawler is no form that anybody knows; it also bounds the recursion.
            Some((inner, _)) if !WITH_VALUE.contains(&inner.trim()) => {
                Err(format!("Invalid X-Robots-Tag rule: \"{value}\""))
            }
            _ => check_rule(value),
        },
    }
}

fn check_value(name: &str, value: &str) -> Result<(), String> {
    let wrong = |wanted: &str| Err(format!("X-Robots-Tag \"{name}\" value must be {wanted}, got: \"{value}\""));
    match name {
        "max-image-preview" if !matches!(value, "none" | "standard" | "large") => {
            wrong("one of: none, standard, large")
        }
        "max-snippet" | "max-video-preview" if value.parse::<i64>().map_or(true, |number| number < -1) => {
            wrong("an integer >= -1")
        }
        "unavailable_after" if !is_moment(value) => wrong("a valid date"),
        _ => Ok(()),
    }
}

fn is_moment(text: &str) -> bool {
    // The name of a zone does not matter here.
    let bare = text.trim_end_matches(|c: char| c.is_ascii_uppercase()).trim_end();
    DateTime::parse_from_rfc2822(text).is_ok()
        || DateTime::parse_from_rfc3339(text).is_ok()
        || MOMENTS.iter().any(|form| NaiveDateTime::parse_from_str(bare, form).is_ok())
        || DAYS.iter().any(|form| NaiveDate::parse_from_str(text, form).is_ok())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn rules_that_crawlers_know_are_taken() {
        for value in [
            "none",
            "noindex, nofollow",
            "all,max-snippet:-1 , max-image-preview: large",
            "googlebot: noindex, bingbot: max-snippet: 20",
            "unavailable_after: 25 Jun 2030 15:00:00 PST",
            "unavailable_after: Tue, 25 Jun 2030 15:00:00 GMT, noindex",
            "unavailable_after: 2030-06-25",
        ] {
            assert_eq!(check(value), Ok(()), "{value}");
        }
    }

    #[test]
    fn others_are_refused() {
        for value in [
            "",
            "  ",
            "never",
            "noindex,",
            "noindex,,none",
            "max-snippet",
            "max-snippet:",
            "max-snippet: -2",
            "max-snippet: 1.5",
            "max-image-preview: huge",
            "unavailable_after: someday",
            "googlebot:",
            "a:b:c:d",
        ] {
            assert!(check(value).is_err(), "{value}");
        }
    }
}
