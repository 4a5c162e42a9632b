"""What authors get wrong, and the exact words that they read then."""

import asyncio
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from behalf_sdk import (
    ExclusiveMaximum,
    Json,
    MaxLength,
    Minimum,
    MultipleOf,
    ToolError,
    execute,
    export_tools,
    http,
    query,
    query_as,
    query_one,
    row,
    tool,
)
from behalf_sdk.testing import MockHost

ONE_BY_ONE = (
    "Parameters are given one by one: query(sql, a, b), or query(sql, *values). If $1 is an array, say its type in the"
    " statement: $1::text[]; if it is json, give Json(value)."
)
WRONG_KIND = (
    "a: Minimum bounds no value of this type; Minimum and its like bound numbers, MinLength and Pattern bound texts, MinItems and"
    " UniqueItems bound lists"
)


@row
class Title:
    title: str


@dataclass
class Line:
    price: Annotated[Decimal, Minimum(1), ExclusiveMaximum(Decimal("9.5"))]


def plain() -> None:
    """Does nothing."""


def said(mistake: Callable[[], Any]) -> str:
    try:
        mistake()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


class MistakesTest(unittest.TestCase):
    maxDiff = None

    def test_parameters_as_one_list_are_refused(self) -> None:
        one = "select title from public.notes where title = $1"
        with MockHost().on("", [{"title": "a"}]):
            for ask in (query, query_one, execute, lambda *given: query_as(Title, *given)):
                for values in (("a",), ["a"], ["a", "b"], ()):
                    self.assertEqual(said(lambda: ask(one, values)), f"TypeError: {ONE_BY_ONE}")  # noqa: B023

    def test_an_array_that_is_meant_as_one_is_taken(self) -> None:
        host = MockHost().on("", [{"title": "a"}])
        with host:
            for sql in [
                "select 1 where id = any($1)",
                "select 1 where id = ANY ( $1::uuid[] )",
                "insert into t (tags) values ($1::text[]) returning 1",
                "select 1 where tags @> $1",
                "select unnest($1)",
                "select cast($1 as jsonb)",
                "select 1 order by e <=> $1",
                "select 1 from jsonb_array_elements($1)",
            ]:
                query(sql, ["a", "b"])
            query("select $1", Json(["a", "b"]))
            query("select 1 where a = $1 and b = $2", "a", ["b"])
        self.assertEqual({str(one.params[0]) for one in host.statements}, {'["a","b"]', "a"})

    def test_bounds_that_no_schema_can_say_are_refused_or_kept(self) -> None:
        def bounded(a: Annotated[str, Minimum(1)]) -> None:
            """Bounded."""

        self.assertEqual(said(lambda: tool(bounded)), f"TypeError: {WRONG_KIND}")

        @tool
        def pay(
            amount: Annotated[Decimal, "What is paid.", Minimum(1)] | None = None,
            lines: list[Line] = [],
            by_name: dict[str, Annotated[Decimal, MultipleOf(2)]] = {},
        ) -> str:
            """Pays."""
            return str(amount)

        described = pay.definition["inputSchema"]["properties"]["amount"]["anyOf"][0]
        self.assertEqual(described, {"type": "string", "format": "decimal", "description": "What is paid. At least 1."})
        self.assertEqual(MockHost().call(pay, amount="1.00", lines=[{"price": "9.4"}], by_name={"a": "4"}), "1.00")
        wrong_ones: list[tuple[dict[str, Any], str]] = [
            ({"amount": "0.99"}, "/amount has to be at least 1"),
            ({"amount": "NaN"}, "/amount has to be at least 1"),
            ({"lines": [{"price": "2"}, {"price": "9.50"}]}, "/lines/1/price has to be less than 9.5"),
            ({"by_name": {"x": "3"}}, "/by_name/x has to be a multiple of 2"),
        ]
        for arguments, message in wrong_ones:
            wrong = said(lambda: MockHost().call(pay, **arguments))  # noqa: B023
            self.assertEqual(wrong, f"ToolError: The arguments of pay do not fit: {message}.")

    def test_a_bare_tool_is_a_tool(self) -> None:
        self.assertIsNone(MockHost().call(tool(plain)))
        self.assertEqual(tool(plain).definition, tool()(plain).definition)

    def test_a_function_without_the_decorator_is_none(self) -> None:
        with self.assertRaisesRegex(TypeError, "is not a tool: put @tool before the function"):
            export_tools(plain)  # type: ignore[arg-type]

    def test_an_async_function_is_a_tool(self) -> None:
        @tool(open_world=True)
        async def later(number: int) -> int:
            """Later."""
            asked = asyncio.gather(asyncio.sleep(0, http.get("https://a.test").json()), asyncio.sleep(0.001, number))
            return sum(await asyncio.wait_for(asked, 5))

        self.assertEqual(later.definition["outputSchema"]["type"], "integer")
        self.assertEqual(MockHost().responds("GET https://a.test/", 2).call(later, number=1), 3)

        @tool
        async def failing() -> int:
            """Fails."""
            raise ToolError.denied("Not today.")

        self.assertEqual(said(lambda: MockHost().call(failing)), "ToolError: Not today.")


if __name__ == "__main__":
    unittest.main()
