"""What a row of monthly totals says: the usual month, the trend, and whether the last month is unusual."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from statistics import median
from typing import Annotated, Literal

CENT = Decimal("0.01")

#: How many times the usual deviation a month has to be away from the usual one. The factor makes a standard deviation of the median
#: deviation.
UNUSUAL = 3 * Decimal("1.4826")

#: Months that are away by less than this part of the usual one are never unusual.
LEAST_PART = Decimal("0.25")

Verdict = Literal["higher", "lower", "usual"]


@dataclass(frozen=True)
class Statistics:
    total: Decimal
    mean: Annotated[Decimal, "The average month. Months without expenses count as 0."]
    median: Annotated[Decimal, "The month in the middle: it does not move with a single large one."]
    smallest: Decimal
    largest: Decimal
    trend_per_month: Annotated[Decimal, "By how much a month differs from the one before, in a line through all months."]
    last: Annotated[Decimal, "The last month."]
    verdict: Annotated[Verdict, "The last month, beside what was usual in the months before it."]


def of(months: list[Decimal]) -> Statistics:
    """The statistics of totals, in the order of their months. There are two or more."""
    total = sum(months, Decimal(0))
    return Statistics(
        total=cents(total),
        mean=cents(total / len(months)),
        median=cents(median(months)),
        smallest=cents(min(months)),
        largest=cents(max(months)),
        trend_per_month=cents(slope(months)),
        last=cents(months[-1]),
        verdict=judge(months[:-1], months[-1]),
    )


def slope(months: list[Decimal]) -> Decimal:
    """The slope of the line that is nearest to all totals (least squares)."""
    middle = Decimal(len(months) - 1) / 2
    mean = sum(months, Decimal(0)) / len(months)
    above = sum(((place - middle) * (total - mean) for place, total in enumerate(months)), Decimal(0))
    below = sum(((place - middle) ** 2 for place in range(len(months))), Decimal(0))
    return above / below


def judge(before: list[Decimal], last: Decimal) -> Verdict:
    """Whether a month is unusual beside the months before it. One odd month among them changes nothing."""
    usual = median(before)
    deviation = median([abs(month - usual) for month in before])
    if abs(last - usual) <= max(UNUSUAL * deviation, LEAST_PART * abs(usual)):
        return "usual"
    return "higher" if last > usual else "lower"


def cents(amount: Decimal) -> Decimal:
    """Rounded as people round money. Never minus zero."""
    return amount.quantize(CENT, ROUND_HALF_UP) + 0
