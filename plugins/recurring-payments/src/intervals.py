"""How often something is charged, judged by the days between the charges."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Literal

Name = Literal["weekly", "fortnightly", "monthly", "quarterly", "yearly"]


@dataclass(frozen=True)
class Interval:
    """A usual interval: its length in days or months, and by how many days a charge may be early or late."""

    name: Name
    days: float
    slack: float
    per_year: int
    months: int = 0

    def after(self, day: date) -> date:
        """The same day, one interval later; the last of the month where the month is too short."""
        if self.months == 0:
            return day + timedelta(days=round(self.days))
        months = day.year * 12 + day.month - 1 + self.months
        year, month = divmod(months, 12)
        last = calendar.monthrange(year, month + 1)[1]
        return date(year, month + 1, min(day.day, last))


INTERVALS = (
    Interval("weekly", 7, 1.5, 52),
    Interval("fortnightly", 14, 2.5, 26),
    Interval("monthly", 30.44, 4.5, 12, months=1),
    Interval("quarterly", 91.3, 9, 4, months=3),
    Interval("yearly", 365.25, 15, 1, months=12),
)


def find(days: list[date]) -> tuple[Interval, float] | None:
    """The interval between these days (in order, each once), and the share of gaps that keep to it.

    None where the typical gap is no usual interval.
    """
    gaps = [(later - earlier).days for earlier, later in zip(days, days[1:])]
    if not gaps:
        return None
    typical = median(gaps)
    interval = next((one for one in INTERVALS if abs(typical - one.days) <= one.slack), None)
    if interval is None:
        return None
    kept = sum(abs(gap - interval.days) <= interval.slack for gap in gaps)
    return interval, kept / len(gaps)
