//! What the tool answers, and how it is put together from rows.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::month::Month;

/// An amount in hundredths of its currency. Written as a decimal number, for readers.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[schemars(inline, description = "")]
pub(crate) struct Money(#[schemars(with = "f64")] i64);

impl Serialize for Money {
    #[expect(clippy::cast_precision_loss, reason = "exact up to ninety trillion, and a sum of amounts stays below")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 100.0)
    }
}

/// A number in tenths, written as a decimal number.
#[derive(Clone, Copy, JsonSchema)]
#[schemars(inline, description = "")]
struct Tenths(#[schemars(with = "f64")] i64);

impl Serialize for Tenths {
    #[expect(clippy::cast_precision_loss, reason = "nobody reads that many digits of a percentage")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 10.0)
    }
}

impl Money {
    fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    fn sum(amounts: impl Iterator<Item = Self>) -> Self {
        Self(amounts.fold(0, |sum, amount| sum.saturating_add(amount.0)))
    }
}

/// What was spent on one category, this month and the one before.
#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(deny_unknown_fields)]
pub(crate) struct CategoryTotal {
    category: String,
    total: Money,
    expenses: u64,
    previous_total: Money,
}

/// What was spent at one merchant.
#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(deny_unknown_fields)]
pub(crate) struct MerchantTotal {
    merchant: String,
    total: Money,
    expenses: u64,
}

/// What was spent in a currency that the report is not about.
#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(deny_unknown_fields)]
pub(crate) struct OtherCurrency {
    currency: String,
    total: Money,
    expenses: u64,
}

/// What may be spent on one category in a month.
#[derive(Deserialize)]
pub(crate) struct Budget {
    category: String,
    monthly_limit: Money,
}

/// How a budget was kept.
#[derive(JsonSchema, Serialize)]
#[schemars(deny_unknown_fields)]
struct BudgetUse {
    category: String,
    monthly_limit: Money,
    spent: Money,
    /// 0 where the budget was kept.
    over_by: Money,
    exceeded: bool,
}

/// The month before.
#[derive(JsonSchema, Serialize)]
#[schemars(deny_unknown_fields)]
struct Previous {
    month: String,
    total: Money,
    /// This month's total less that one's.
    change: Money,
    /// Null where nothing was spent.
    change_percent: Option<Tenths>,
}

/// The tool's answer.
#[derive(JsonSchema, Serialize)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Report {
    month: String,
    currency: String,
    total: Money,
    /// How many.
    expenses: u64,
    previous_month: Previous,
    /// Those with expenses in either month, largest first.
    categories: Vec<CategoryTotal>,
    top_merchants: Vec<MerchantTotal>,
    /// The most exceeded first. Empty for a currency that budgets are not kept in.
    budgets: Vec<BudgetUse>,
    /// Expenses of the month that this report leaves out.
    other_currencies: Vec<OtherCurrency>,
}

impl Report {
    /// Puts a report together.
    pub(crate) fn new(
        month: Month,
        currency: String,
        categories: Vec<CategoryTotal>,
        top_merchants: Vec<MerchantTotal>,
        budgets: Vec<Budget>,
        other_currencies: Vec<OtherCurrency>,
    ) -> Self {
        let total = Money::sum(categories.iter().map(|category| category.total));
        let previous_total = Money::sum(categories.iter().map(|category| category.previous_total));
        Self {
            month: month.to_string(),
            currency,
            total,
            expenses: categories.iter().map(|category| category.expenses).sum(),
            previous_month: Previous {
                month: month.previous().to_string(),
                total: previous_total,
                change: total.less(previous_total),
                change_percent: change_percent(previous_total, total),
            },
            budgets: budget_uses(budgets, &categories),
            categories,
            top_merchants,
            other_currencies,
        }
    }
}

fn budget_uses(budgets: Vec<Budget>, categories: &[CategoryTotal]) -> Vec<BudgetUse> {
    let mut uses: Vec<_> = budgets
        .into_iter()
        .map(|Budget { category, monthly_limit }| {
            let spent = categories.iter().find(|other| other.category == category);
            let spent = spent.map_or(Money::default(), |category| category.total);
            let over_by = spent.less(monthly_limit).max(Money::default());
            BudgetUse { category, monthly_limit, spent, over_by, exceeded: over_by > Money::default() }
        })
        .collect();
    uses.sort_by(|a, b| b.over_by.cmp(&a.over_by).then_with(|| a.category.cmp(&b.category)));
    uses
}

/// To one decimal; none where there was nothing to compare with.
fn change_percent(before: Money, now: Money) -> Option<Tenths> {
    let base = i128::from(before.0).abs();
    let scaled = i128::from(now.less(before).0) * 1000 * 2;
    // Rounded half away from zero, which integer division is not.
    let tenths = scaled.checked_div(base)?.checked_add(scaled.signum())? / 2;
    Some(Tenths(i64::try_from(tenths).ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(categories: serde_json::Value, budgets: serde_json::Value) -> serde_json::Value {
        let report = Report::new(
            "2026-03".parse().expect("a month"),
            "EUR".into(),
            serde_json::from_value(categories).expect("categories"),
            Vec::new(),
            serde_json::from_value(budgets).expect("budgets"),
            Vec::new(),
        );
        serde_json::to_value(report).expect("a report is JSON")
    }

    #[test]
    fn totals_and_their_change_come_from_the_categories() {
        let report = report(
            json!([
                {"category": "food", "total": 1010, "expenses": 2, "previous_total": 500},
                {"category": "rent", "total": 20, "expenses": 1, "previous_total": 500},
            ]),
            json!([]),
        );
        assert_eq!((&report["total"], &report["expenses"]), (&json!(10.3), &json!(3)));
        let expected = json!({"month": "2026-02", "total": 10.0, "change": 0.3, "change_percent": 3.0});
        assert_eq!(report["previous_month"], expected);
    }

    #[test]
    fn the_most_exceeded_budget_comes_first() {
        let report = report(
            json!([{"category": "food", "total": 1500, "expenses": 1, "previous_total": 0}]),
            json!([{"category": "books", "monthly_limit": 100}, {"category": "food", "monthly_limit": 1000}]),
        );
        assert_eq!(
            report["budgets"],
            json!([
                {"category": "food", "monthly_limit": 10.0, "spent": 15.0, "over_by": 5.0, "exceeded": true},
                {"category": "books", "monthly_limit": 1.0, "spent": 0.0, "over_by": 0.0, "exceeded": false},
            ])
        );
    }

    #[test]
    fn a_change_is_rounded_to_a_tenth() {
        let percent = |before, now| change_percent(Money(before), Money(now)).map(|tenths| tenths.0);
        assert_eq!(percent(300, 400), Some(333));
        assert_eq!(percent(300, 200), Some(-333));
        assert_eq!(percent(600, 1000), Some(667));
        assert_eq!(percent(-100, 100), Some(2000));
        assert_eq!(percent(0, 100), None);
        assert_eq!(percent(1, i64::MAX), None);
    }

    #[test]
    fn nothing_spent_is_a_report_too() {
        let report = report(json!([]), json!([]));
        assert_eq!(report["total"], json!(0.0));
        assert_eq!(report["previous_month"]["change_percent"], json!(null));
    }
}
