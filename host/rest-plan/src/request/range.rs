//! Which rows are wanted: `limit`, `offset`, `Range` and the setting for the most rows.

/// Rows from an offset, at most so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) offset: i64,
    pub(crate) limit: Option<i64>,
}

/// Why a range makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeProblem {
    NegativeLimit,
    LowerOverUpper,
}

impl Range {
    /// The range of the parameters `limit` and `offset`.
    pub(crate) fn of_parameters(limit: Option<i64>, offset: Option<i64>) -> Result<Self, RangeProblem> {
        match limit {
            Some(limit) if limit < 0 => Err(RangeProblem::NegativeLimit),
            // No rows are wanted, so it does not matter where they would begin.
            Some(0) => Ok(Self { offset: 0, limit: Some(0) }),
            _ => Ok(Self { offset: offset.unwrap_or(0).max(0), limit }),
        }
    }

    /// Narrows it to what the header `Range` says; a header that cannot be read is left out.
    pub(crate) fn narrowed(self, header: &str) -> Result<Self, RangeProblem> {
        let Some((lower, upper)) = bounds(header) else { return Ok(self) };
        if upper.is_some_and(|upper| upper < lower) && self.limit != Some(0) {
            return Err(RangeProblem::LowerOverUpper);
        }
        if self.limit == Some(0) {
            return Ok(self);
        }
        let own = self.limit.map(|limit| self.offset.saturating_add(limit - 1));
        let offset = self.offset.max(lower);
        let last = match (own, upper) {
            (Some(own), Some(upper)) => Some(own.min(upper)),
            (own, upper) => own.or(upper),
        };
        match last {
            Some(last) if last < offset => Err(RangeProblem::NegativeLimit),
            Some(last) => Ok(Self { offset, limit: Some(last.saturating_sub(offset).saturating_add(1)) }),
            None => Ok(Self { offset, limit: None }),
        }
    }

    pub(crate) fn at_most(self, rows: Option<u64>) -> Self {
        let rows = rows.map(|rows| i64::try_from(rows).unwrap_or(i64::MAX));
        let limit = match (self.limit, rows) {
            (Some(limit), Some(rows)) => Some(limit.min(rows)),
            (limit, rows) => limit.or(rows),
        };
        Self { limit, ..self }
    }

    pub(crate) fn is_all(self) -> bool {
        self == Self::default()
    }
}

fn bounds(header: &str) -> Option<(i64, Option<i64>)> {
    let (lower, upper) = header.split_once('-')?;
    let number = |text: &str| -> Option<i64> {
        let fits = !text.is_empty() && text.bytes().all(|next| next.is_ascii_digit());
        fits.then(|| text.parse().unwrap_or(i64::MAX))
    };
    let upper = if upper.is_empty() { None } else { Some(number(upper)?) };
    Some((number(lower)?, upper))
}

/// The value of `Content-Range`.
pub(crate) fn content_range(lower: i64, upper: i64, total: Option<i64>) -> String {
    let rows = if total != Some(0) && lower <= upper { format!("{lower}-{upper}") } else { "*".to_owned() };
    match total {
        Some(total) => format!("{rows}/{total}"),
        None => format!("{rows}/*"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Range, RangeProblem, content_range};

    #[test]
    fn a_header_narrows_the_parameters() {
        let all = Range::of_parameters(Some(10), Some(5)).unwrap();
        assert_eq!(all.narrowed("0-7"), Ok(Range { offset: 5, limit: Some(3) }));
        assert_eq!(all.narrowed("7-"), Ok(Range { offset: 7, limit: Some(8) }));
        assert_eq!(all.narrowed("nonsense"), Ok(all));
        assert_eq!(all.narrowed("5-1"), Err(RangeProblem::LowerOverUpper));
        assert_eq!(all.narrowed("50-60"), Err(RangeProblem::NegativeLimit));
        assert_eq!(Range::of_parameters(Some(-1), None), Err(RangeProblem::NegativeLimit));
    }

    #[test]
    fn content_ranges_have_stars_for_what_is_unknown() {
        assert_eq!(content_range(0, 9, Some(42)), "0-9/42");
        assert_eq!(content_range(0, -1, Some(0)), "*/0");
        assert_eq!(content_range(0, 2, None), "0-2/*");
    }
}
