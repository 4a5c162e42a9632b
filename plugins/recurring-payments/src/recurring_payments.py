"""Finds what the caller pays again and again.

No statement here names a user: row-level security leaves only the rows of the person the call is for.
"""

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from statistics import median
from typing import Annotated

from behalf_sdk import Maximum, Minimum, export_tools, progress, query_as, query_one, row, tool

import intervals

log = logging.getLogger(__name__)

#: Two charges may be a coincidence, three are a habit.
FEWEST_CHARGES = 3

#: From this many charges on, their number takes nothing from the confidence.
MANY_CHARGES = 6

CENT = Decimal("0.01")

# Rows without a day, a merchant or an amount say nothing about a habit. Columns may be nullable in the caller's project
# even where they are not in this one.
EXPENSES = """
    select spent_on, btrim(merchant) as merchant, amount, coalesce(currency, '') as currency
    from public.expenses
    where spent_on is not null and btrim(merchant) <> '' and amount > 0
      and spent_on > (current_date - make_interval(months => $1::int)) and spent_on <= current_date
    order by spent_on
"""


@row
class Expense:
    spent_on: date
    merchant: str
    amount: Decimal
    currency: str


@dataclass(frozen=True)
class RecurringPayment:
    merchant: str
    interval: intervals.Name
    typical_amount: Decimal
    currency: str
    charges: Annotated[int, "How many were found."]
    last_charged_on: date
    next_expected_on: date
    overdue: Annotated[bool, "Whether the next charge should have come long ago: it may have been cancelled."]
    confidence: Annotated[float, "From 0 to 1: how regular the charges are, in time and amount.", Minimum(0), Maximum(1)]


@dataclass(frozen=True)
class Report:
    payments: Annotated[list[RecurringPayment], "The most expensive a year first."]
    yearly_total: Annotated[dict[str, Decimal], "By currency, what all that are not overdue cost a year."]
    truncated: Annotated[bool, "Whether there were more expenses than could be read, so that payments may be missing."]


@tool(title="Recurring payments", read_only=True, idempotent=True)
def recurring_payments(
    months: Annotated[int, "How many months to look back.", Minimum(2), Maximum(60)] = 14,
    min_confidence: Annotated[float, "Leave out what is less certain, from 0 to 1.", Minimum(0), Maximum(1)] = 0.5,
) -> Report:
    """Finds subscriptions and other recurring charges among the current user's expenses.

    Gives merchant, interval, typical amount, when the next charge is expected, and how certain that is. Use it for
    questions about subscriptions, regular costs or upcoming charges.
    """
    progress.report(0, 2, "Reading expenses")
    expenses = query_as(Expense, EXPENSES, months)
    # By the database's clock, which is the one that dated the expenses.
    today = query_one("select current_date as today")["today"]

    progress.report(1, 2, "Looking for intervals")
    payments = [found for found in find_payments(expenses, today) if found.confidence >= min_confidence]
    payments.sort(key=lambda payment: (-yearly(payment), payment.merchant))
    progress.report(2, 2)
    log.info("%d recurring payments in %d expenses", len(payments), len(expenses))
    return Report(payments, totals(payments), expenses.truncated)


def find_payments(expenses: list[Expense], today: date) -> list[RecurringPayment]:
    """The recurring payments among `expenses`, which are in the order of their days."""
    by_merchant: dict[tuple[str, str], list[Expense]] = defaultdict(list)
    for expense in expenses:
        # Merchants' names come from card slips: their case and spaces mean nothing.
        key = " ".join(expense.merchant.casefold().split())
        by_merchant[key, expense.currency].append(expense)
    found = (judge(charges, today) for charges in by_merchant.values())
    return [payment for payment in found if payment is not None]


def judge(charges: list[Expense], today: date) -> RecurringPayment | None:
    """What one merchant's charges amount to; None where they are no habit."""
    days = sorted({charge.spent_on for charge in charges})
    if len(days) < FEWEST_CHARGES:
        return None
    regular = intervals.find(days)
    if regular is None:
        return None
    interval, kept = regular
    amounts = [charge.amount for charge in charges]
    typical = median(amounts)
    expected = interval.after(days[-1])
    # A price that moves by a tenth is still a subscription's; groceries' is not.
    steady = sum(abs(amount - typical) <= typical / 10 for amount in amounts) / len(amounts)
    enough = min(1.0, len(days) / MANY_CHARGES)
    return RecurringPayment(
        merchant=charges[-1].merchant,
        interval=interval.name,
        typical_amount=typical.quantize(CENT, ROUND_HALF_UP),
        currency=charges[-1].currency,
        charges=len(charges),
        last_charged_on=days[-1],
        next_expected_on=expected,
        overdue=(today - expected).days > interval.slack * 2,
        confidence=round(kept * (0.5 + 0.3 * steady + 0.2 * enough), 2),
    )


def yearly(payment: RecurringPayment) -> Decimal:
    """What a payment costs a year."""
    return payment.typical_amount * next(one.per_year for one in intervals.INTERVALS if one.name == payment.interval)


def totals(payments: list[RecurringPayment]) -> dict[str, Decimal]:
    """By currency, what the payments that go on cost a year."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for payment in payments:
        if not payment.overdue:
            sums[payment.currency] += yearly(payment)
    return dict(sums)


Tool = export_tools(recurring_payments)
