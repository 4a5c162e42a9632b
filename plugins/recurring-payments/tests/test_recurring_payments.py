import unittest
from datetime import date, timedelta
from decimal import Decimal

from behalf_sdk import ToolError
from behalf_sdk.testing import MockHost, denied

import intervals
from recurring_payments import recurring_payments

TODAY = date(2026, 6, 15)


def charge(day: date, merchant: str = "Film Club", amount: str = "11.99", currency: str = "EUR") -> dict:
    return {"spent_on": day, "merchant": merchant, "amount": Decimal(amount), "currency": currency}


def monthly(months: int, **more: str) -> list[dict]:
    """Charges on the fifth of each month up to June 2026."""
    first = 2026 * 12 + 5 - months + 1
    return [charge(date(month // 12, month % 12 + 1, 5), **more) for month in range(first, first + months)]


def report(rows: list[dict], truncated: bool = False, **arguments: object) -> dict:
    host = MockHost()
    types = {"spent_on": "date", "merchant": "text", "amount": "numeric", "currency": "text"}
    host.on("from public.expenses", rows, types=types, truncated=truncated).on("current_date as today", [{"today": TODAY}])
    return host.call(recurring_payments, **arguments)


class RecurringPaymentsTest(unittest.TestCase):
    def test_a_subscription_is_found(self) -> None:
        [payment] = report(monthly(8))["payments"]
        self.assertEqual(
            payment,
            {
                "merchant": "Film Club",
                "interval": "monthly",
                "typical_amount": "11.99",
                "currency": "EUR",
                "charges": 8,
                "last_charged_on": "2026-06-05",
                "next_expected_on": "2026-07-05",
                "overdue": False,
                "confidence": 1.0,
            },
        )

    def test_what_it_costs_a_year_is_added_up_by_currency(self) -> None:
        found = report(monthly(6) + monthly(6, merchant="News", amount="5", currency="USD"))
        self.assertEqual(found["yearly_total"], {"EUR": "143.88", "USD": "60.00"})

    def test_no_expenses_are_no_payments(self) -> None:
        self.assertEqual(report([]), {"payments": [], "yearly_total": {}, "truncated": False})

    def test_two_charges_are_no_habit(self) -> None:
        self.assertEqual(report(monthly(2))["payments"], [])

    def test_several_charges_of_one_day_are_one(self) -> None:
        self.assertEqual(report([charge(date(2026, 6, 1))] * 5)["payments"], [])

    def test_irregular_purchases_are_no_payment(self) -> None:
        days = [date(2026, 1, 1) + timedelta(days=offset) for offset in (0, 2, 25, 31, 80, 83)]
        self.assertEqual(report([charge(day) for day in days])["payments"], [])

    def test_a_changing_amount_lowers_the_confidence(self) -> None:
        rows = [dict(one, amount=Decimal(amount)) for one, amount in zip(monthly(6), ("10", "31", "12", "55", "8", "70"))]
        [payment] = report(rows)["payments"]
        self.assertLess(payment["confidence"], 0.8)
        self.assertEqual(report(rows, min_confidence=0.9)["payments"], [])

    def test_a_cancelled_subscription_is_overdue_and_costs_nothing(self) -> None:
        rows = [dict(one, spent_on=one["spent_on"] - timedelta(days=120)) for one in monthly(6)]
        found = report(rows)
        self.assertTrue(found["payments"][0]["overdue"])
        self.assertEqual(found["yearly_total"], {})

    def test_spelling_does_not_part_a_merchant(self) -> None:
        rows = monthly(6)
        rows[0]["merchant"] = "FILM  CLUB"
        [payment] = report(rows)["payments"]
        self.assertEqual((payment["merchant"], payment["charges"]), ("Film Club", 6))

    def test_an_answer_cut_short_is_said(self) -> None:
        self.assertTrue(report(monthly(3), truncated=True)["truncated"])

    def test_a_refusal_reaches_the_model(self) -> None:
        host = MockHost().on("from public.expenses", denied("No access to expenses."))
        with self.assertRaises(ToolError) as raised:
            host.call(recurring_payments)
        self.assertEqual((raised.exception.code, raised.exception.message), ("denied", "No access to expenses."))

    def test_the_statement_names_no_user(self) -> None:
        host = MockHost().on("from public.expenses", []).on("current_date as today", [{"today": TODAY}])
        host.call(recurring_payments, months=3)
        self.assertEqual([statement.params for statement in host.statements], [[3], []])


class IntervalsTest(unittest.TestCase):
    def test_each_usual_interval_is_told(self) -> None:
        for interval in intervals.INTERVALS:
            days = [date(2020, 1, 1)]
            for _ in range(4):
                days.append(interval.after(days[-1]))
            self.assertEqual(intervals.find(days), (interval, 1.0))

    def test_a_month_that_is_too_short_ends_earlier(self) -> None:
        by_name = {interval.name: interval for interval in intervals.INTERVALS}
        self.assertEqual(by_name["monthly"].after(date(2026, 1, 31)), date(2026, 2, 28))
        self.assertEqual(by_name["monthly"].after(date(2026, 12, 5)), date(2027, 1, 5))
        self.assertEqual(by_name["yearly"].after(date(2024, 2, 29)), date(2025, 2, 28))


if __name__ == "__main__":
    unittest.main()
