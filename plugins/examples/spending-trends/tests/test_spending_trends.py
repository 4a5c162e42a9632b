import unittest
from decimal import Decimal

from behalf_sdk import ToolError
from behalf_sdk.testing import MockHost, denied

import trends
from spending_trends import MAX_CATEGORIES, spending_trends

TYPES = {"category": "text", "totals": "jsonb", "expenses": "int8"}


def category(name: str, expenses: int, **totals: str) -> dict:
    """A row; months are given as `m2025_06="1.00"`."""
    return {
        "category": name,
        "totals": {month[1:].replace("_", "-"): total for month, total in totals.items()},
        "expenses": expenses,
    }


def answer(rows: list[dict], truncated: bool = False, **arguments: object) -> dict:
    host = MockHost().on("from public.expenses", rows, types=TYPES, truncated=truncated)
    return host.call(spending_trends, **{"until": "2025-06", "months": 4, **arguments})


def numbers(*totals: str) -> list[Decimal]:
    return [Decimal(total) for total in totals]


class SpendingTrendsTest(unittest.TestCase):
    def test_months_without_expenses_count(self) -> None:
        found = answer([category("food", 3, m2025_03="10.00", m2025_05="10.10", m2025_06="30.00")])
        self.assertEqual(
            found,
            {
                "currency": "EUR",
                "months": [
                    {"month": "2025-03", "total": "10.00"},
                    {"month": "2025-04", "total": "0.00"},
                    {"month": "2025-05", "total": "10.10"},
                    {"month": "2025-06", "total": "30.00"},
                ],
                "overall": found["categories"][0]["statistics"],
                "categories": [
                    {
                        "category": "food",
                        "expenses": 3,
                        "statistics": {
                            "total": "50.10",
                            "mean": "12.53",
                            "median": "10.05",
                            "smallest": "0.00",
                            "largest": "30.00",
                            "trend_per_month": "7.01",
                            "last": "30.00",
                            "verdict": "higher",
                        },
                    }
                ],
                "truncated": False,
            },
        )

    def test_no_expenses_are_months_of_nothing(self) -> None:
        found = answer([])
        self.assertEqual((found["categories"], found["overall"]["total"], found["overall"]["verdict"]), ([], "0.00", "usual"))

    def test_large_amounts_keep_their_cents(self) -> None:
        found = answer([category("house", 1, m2025_06="9999999999.99"), category("roof", 1, m2025_06="0.02")])
        self.assertEqual(found["overall"]["total"], "10000000000.01")

    def test_the_months_are_those_that_were_asked_for(self) -> None:
        host = MockHost().on("from public.expenses", [], types=TYPES).on("current_date", [{"month": "2025-02"}])
        host.call(spending_trends, currency="CHF")
        self.assertEqual(host.statements[1].params, ["CHF", "2024-03-01", "2025-03-01", MAX_CATEGORIES + 1])
        host.call(spending_trends, until="9999-12", months=4)
        self.assertEqual(host.statements[2].params[1:3], ["9999-09-01", "10000-01-01"])

    def test_a_month_before_the_calendar_is_refused(self) -> None:
        for until in ("0000-05", "0001-03"):
            with self.assertRaises(ToolError) as raised:
                MockHost().call(spending_trends, until=until, months=4)
            self.assertEqual(raised.exception.code, "invalid_arguments")

    def test_the_setting_is_the_currency(self) -> None:
        host = MockHost(settings={"currency": "CHF"}).on("from public.expenses", [], types=TYPES)
        self.assertEqual(host.call(spending_trends, until="2025-06")["currency"], "CHF")
        for wrong in (None, 7, "", "francs", ["EUR"]):
            with self.assertRaises(ToolError) as raised:
                MockHost(settings={"currency": wrong}).call(spending_trends, until="2025-06")
            self.assertIn("`currency`", raised.exception.message)

    def test_an_answer_cut_short_is_said(self) -> None:
        self.assertTrue(answer([category("food", 1)], truncated=True)["truncated"])
        found = answer([category(str(place), 1) for place in range(MAX_CATEGORIES + 1)])
        self.assertEqual((len(found["categories"]), found["truncated"]), (MAX_CATEGORIES, True))

    def test_a_refusal_reaches_the_model(self) -> None:
        host = MockHost().on("from public.expenses", denied("No access to expenses."))
        with self.assertRaises(ToolError) as raised:
            host.call(spending_trends, until="2025-06")
        self.assertEqual((raised.exception.code, raised.exception.message), ("denied", "No access to expenses."))


class TrendsTest(unittest.TestCase):
    def test_the_slope_is_that_of_the_nearest_line(self) -> None:
        self.assertEqual(trends.slope(numbers("1", "2", "3", "4")), 1)
        self.assertEqual(trends.slope(numbers("5", "5", "5")), 0)
        self.assertEqual(trends.slope(numbers("4", "2", "0")), -2)

    def test_a_month_is_unusual_beside_the_others(self) -> None:
        before = numbers("100", "110", "95", "105", "900")
        self.assertEqual(trends.judge(before, Decimal("120")), "usual")
        self.assertEqual(trends.judge(before, Decimal("300")), "higher")
        self.assertEqual(trends.judge(before, Decimal("10")), "lower")

    def test_a_small_change_of_what_is_always_the_same_is_usual(self) -> None:
        rent = numbers("800", "800", "800")
        self.assertEqual(trends.judge(rent, Decimal("840")), "usual")
        self.assertEqual(trends.judge(rent, Decimal("0")), "lower")
        self.assertEqual(trends.judge(numbers("0", "0", "0"), Decimal("1")), "higher")

    def test_money_is_rounded_half_up_and_has_no_minus_zero(self) -> None:
        self.assertEqual([str(trends.cents(Decimal(text))) for text in ("0.005", "-0.001", "2.675")], ["0.01", "0.00", "2.68"])


if __name__ == "__main__":
    unittest.main()
