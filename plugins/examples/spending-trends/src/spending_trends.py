"""What the caller spends in a usual month.

No statement here names a user: row-level security leaves only the rows of the person the call is for.
"""

import logging
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from behalf_sdk import Maximum, Minimum, Pattern, ToolError, export_tools, progress, query_as, query_one, row, settings, tool

import trends

log = logging.getLogger(__name__)

DEFAULT_CURRENCY = "EUR"

#: Categories that are answered, the most expensive ones.
MAX_CATEGORIES = 100

# One row for each category, so that an answer that is cut short has whole categories. Amounts are text: a number of JSON would be rounded.
# Columns may be nullable in the caller's project even where they are not in this one.
CATEGORIES = """
    with monthly as (
        select coalesce(nullif(btrim(category), ''), 'uncategorised') as category,
               to_char(spent_on, 'YYYY-MM') as month, sum(amount) as total, count(*) as expenses
        from public.expenses
        where currency = $1 and spent_on >= $2::date and spent_on < $3::date and amount is not null
        group by 1, 2
    )
    select category, jsonb_object_agg(month, total::text) as totals, sum(expenses)::bigint as expenses
    from monthly
    group by category
    order by sum(total) desc, category
    limit $4
"""


@row
class Category:
    category: str
    totals: dict[str, Decimal]
    expenses: int


@dataclass(frozen=True)
class Month:
    month: str
    total: Annotated[Decimal, "Of the categories below."]


@dataclass(frozen=True)
class CategoryTrend:
    category: str
    expenses: Annotated[int, "How many."]
    statistics: trends.Statistics


@dataclass(frozen=True)
class Trends:
    currency: str
    months: Annotated[list[Month], "The first one first."]
    overall: Annotated[trends.Statistics, "Of all categories below together."]
    categories: Annotated[list[CategoryTrend], "The most expensive first."]
    truncated: Annotated[bool, "Whether cheaper categories were left out."]


@tool(title="Spending trends", read_only=True, idempotent=True)
def spending_trends(
    until: Annotated[str, "The last month, as YYYY-MM; the last whole one if left out.", Pattern("^[0-9]{4}-(0[1-9]|1[0-2])$")]
    | None = None,
    months: Annotated[int, "How many months, with the last one.", Minimum(4), Maximum(36)] = 12,
    currency: Annotated[str, "Which currency's expenses, as its ISO 4217 code; normally left out.", Pattern("^[A-Z]{3}$")]
    | None = None,
) -> Trends:
    """What the current user spends in a usual month: average, median and trend, in all and by category.

    Says for each category whether the last month was higher or lower than usual. Use it for questions such as what groceries cost a month,
    or why a month was expensive. Expenses in other currencies are left out.
    """
    last = last_whole_month() if until is None else number_of(until)
    first = last - months + 1
    if first < 12:
        raise ToolError.invalid_arguments("There is no year 0; ask for a later month, or for fewer months.")
    used = currency_of_settings() if currency is None else currency

    progress.report(0, 2, "Summing up months")
    found = query_as(Category, CATEGORIES, used, first_day(first), first_day(last + 1), MAX_CATEGORIES + 1)
    progress.report(1, 2, "Comparing months")
    names = [name_of(number) for number in range(first, last + 1)]
    categories = [(one, [one.totals.get(name, Decimal(0)) for name in names]) for one in found[:MAX_CATEGORIES]]
    totals = [sum((rows[place] for _, rows in categories), Decimal(0)) for place in range(months)]
    progress.report(2, 2)
    log.info("%d categories in %d months", len(categories), months)
    return Trends(
        currency=used,
        months=[Month(name, trends.cents(total)) for name, total in zip(names, totals)],
        overall=trends.of(totals),
        categories=[CategoryTrend(one.category, one.expenses, trends.of(rows)) for one, rows in categories],
        truncated=found.truncated or len(found) > MAX_CATEGORIES,
    )


def currency_of_settings() -> str:
    """What the operator set, as a currency."""
    value = settings.get("currency", DEFAULT_CURRENCY)
    if not isinstance(value, str) or re.fullmatch("[A-Z]{3}", value) is None:
        raise ToolError("The plugin's setting `currency` has to be a code such as EUR; an operator can change it.")
    return value


def last_whole_month() -> int:
    """By the database's clock, which is the one that dated the expenses."""
    found = query_one("select to_char(current_date - interval '1 month', 'YYYY-MM') as month")
    return number_of(found["month"])


# Months are numbers here: twelve for each year, from January of the year 0.


def number_of(month: str) -> int:
    year, of_year = month.split("-")
    return int(year) * 12 + int(of_year) - 1


def name_of(number: int) -> str:
    year, month = divmod(number, 12)
    return f"{year:04}-{month + 1:02}"


def first_day(number: int) -> str:
    """As text: the month after the last one of the calendar is none of Python's dates."""
    return f"{name_of(number)}-01"


Tool = export_tools(spending_trends)
