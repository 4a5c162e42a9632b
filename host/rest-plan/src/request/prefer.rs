//! The header `Prefer`.

use std::collections::HashSet;

/// What a client prefers; of two values for one preference the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Preferences {
    pub(crate) resolution: Option<Resolution>,
    pub(crate) representation: Option<Representation>,
    pub(crate) count: Option<Count>,
    pub(crate) transaction: Option<Transaction>,
    pub(crate) missing: Option<Missing>,
    pub(crate) handling: Option<Handling>,
    pub(crate) timezone: Option<String>,
    pub(crate) max_affected: Option<i64>,
    pub(crate) invalid: Vec<String>,
}

macro_rules! preference {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($variant),* }

        impl $name {
            fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }

            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

preference!(
    /// What an insert does with rows that are there.
    Resolution { Merge = "resolution=merge-duplicates", Ignore = "resolution=ignore-duplicates" }
);
preference!(
    /// What a write gives back.
    Representation { Full = "return=representation", Minimal = "return=minimal", Headers = "return=headers-only" }
);
preference!(
    /// How all rows are counted.
    Count { Exact = "count=exact", Planned = "count=planned", Estimated = "count=estimated" }
);
preference!(
    /// How the transaction ends.
    Transaction { Commit = "tx=commit", Rollback = "tx=rollback" }
);
preference!(
    /// What stands for a column that the body lacks.
    Missing { Default = "missing=default", Null = "missing=null" }
);
preference!(
    /// Whether preferences that are not understood are errors.
    Handling { Strict = "handling=strict", Lenient = "handling=lenient" }
);

impl Preferences {
    pub(crate) fn parse(values: &[&str], may_choose_end: bool, timezones: &HashSet<Box<str>>) -> Self {
        let mut found = Self::default();
        let mut zone = None;
        for text in values.iter().flat_map(|value| value.split(',')).map(str::trim) {
            if let Some(each) = Resolution::parse(text) {
                found.resolution.get_or_insert(each);
            } else if let Some(each) = Representation::parse(text) {
                found.representation.get_or_insert(each);
            } else if let Some(each) = Count::parse(text) {
                found.count.get_or_insert(each);
            } else if let Some(each) = Transaction::parse(text) {
                if may_choose_end {
                    found.transaction.get_or_insert(each);
                }
            } else if let Some(each) = Missing::parse(text) {
                found.missing.get_or_insert(each);
            } else if let Some(each) = Handling::parse(text) {
                found.handling.get_or_insert(each);
            } else if let Some(name) = text.strip_prefix("timezone=") {
                let first = *zone.get_or_insert(name);
                if timezones.contains(first) {
                    found.timezone = Some(first.to_owned());
                } else {
                    found.invalid.push(text.to_owned());
                }
            } else if let Some(number) = text.strip_prefix("max-affected=") {
                match number.trim().parse() {
                    Ok(rows) => _ = found.max_affected.get_or_insert(rows),
                    Err(_) => found.invalid.push(text.to_owned()),
                }
            } else {
                found.invalid.push(text.to_owned());
            }
        }
        found
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.handling == Some(Handling::Strict)
    }

    /// The most rows that a strict client wants to be affected.
    pub(crate) fn limit_of_rows(&self) -> Option<i64> {
        self.max_affected.filter(|_| self.is_strict())
    }

    /// The value of `Preference-Applied`.
    pub(crate) fn applied(&self) -> Option<String> {
        let mut parts: Vec<String> = [
            self.resolution.map(Resolution::as_str),
            self.missing.map(Missing::as_str),
            self.representation.map(Representation::as_str),
            self.count.map(Count::as_str),
            self.transaction.map(Transaction::as_str),
            self.handling.map(Handling::as_str),
        ]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect();
        parts.extend(self.timezone.as_ref().map(|zone| format!("timezone={zone}")));
        parts.extend(self.limit_of_rows().map(|rows| format!("max-affected={rows}")));
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, Preferences, Representation};

    #[test]
    fn a_limit_that_is_no_number_is_invalid() {
        let found = Preferences::parse(&["handling=strict, max-affected=nonsense"], false, &[].into());
        assert_eq!((found.limit_of_rows(), found.invalid), (None, vec!["max-affected=nonsense".to_owned()]));
    }

    #[test]
    fn the_first_of_each_preference_counts() {
        let zones = [Box::from("Europe/Paris")].into();
        let found = Preferences::parse(
            &[
                "count=exact,  return=minimal ,return=representation",
                "timezone=Europe/Paris, foo, handling=strict, max-affected=5",
            ],
            false,
            &zones,
        );
        assert_eq!((found.count, found.representation), (Some(Count::Exact), Some(Representation::Minimal)));
        assert_eq!(found.invalid, ["foo"]);
        assert_eq!(
            found.applied().as_deref(),
            Some("return=minimal, count=exact, handling=strict, timezone=Europe/Paris, max-affected=5")
        );
    }
}
