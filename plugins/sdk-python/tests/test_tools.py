import enum
import json
import unittest
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

from behalf_sdk import MaxLength, Minimum, MinItems, ToolError, export_tools, query_one, tool
from behalf_sdk._text import well_formed
from behalf_sdk.testing import MockHost


class Kind(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Size(TypedDict):
    width: int
    height: int | None


@dataclass
class Thing:
    name: Annotated[str, "What it is called.", MaxLength(5)]
    tags: list[str] = field(default_factory=list)


@tool(read_only=True)
def everything(
    when: datetime,
    thing: Thing,
    things: Annotated[list[Thing], MinItems(1)],
    kind: Kind = Kind.SMALL,
    mode: Literal["a", "b"] = "a",
    amount: Decimal | None = None,
    number: Annotated[int, Minimum(1)] = 1,
    size: Size | None = None,
    labels: dict[str, int] = {},
    id: UUID | None = None,
) -> dict[str, Any]:
    """Takes one of each."""
    return dict(locals())


GIVEN = {"when": "2026-01-02T03:04:05+00:00", "thing": {"name": "x"}, "things": [{"name": "y", "tags": ["t"]}]}


class SchemaTest(unittest.TestCase):
    def test_the_input_schema_says_what_the_hints_say(self) -> None:
        schema = everything.definition["inputSchema"]
        properties = schema["properties"]
        self.assertEqual(schema["required"], ["when", "thing", "things"])
        self.assertFalse(schema["additionalProperties"])
        self.assertEqual(properties["when"], {"type": "string", "format": "date-time"})
        self.assertEqual(properties["kind"], {"enum": ["small", "large"], "default": "small"})
        self.assertEqual(properties["mode"], {"enum": ["a", "b"], "default": "a"})
        self.assertEqual(properties["number"], {"type": "integer", "minimum": 1, "default": 1})
        self.assertEqual(properties["things"]["minItems"], 1)
        self.assertEqual(
            properties["thing"]["properties"]["name"],
            {"type": "string", "description": "What it is called.", "maxLength": 5},
        )

    def test_hints_say_what_is_known(self) -> None:
        self.assertEqual(
            everything.definition["annotations"],
            {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": False, "openWorldHint": False},
        )

    def test_a_tool_without_a_sentence_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "no docstring"):

            @tool()
            def silent() -> None: ...

    def test_a_parameter_without_a_type_is_refused(self) -> None:
        with self.assertRaisesRegex(TypeError, "the parameter x has no type"):

            @tool()
            def untyped(x):  # type: ignore[no-untyped-def]
                """Says something."""


    def test_a_bound_that_would_be_lost_is_refused(self) -> None:
        with self.assertRaisesRegex(TypeError, "x: a bound belongs to one type of a union"):

            @tool()
            def unbounded(x: Annotated[str | None, MaxLength(5)] = None) -> None:
                """Says something."""

    def test_bytes_are_what_the_schema_says(self) -> None:
        @tool()
        def give(data: bytes) -> bytes:
            """Gives."""
            return data * 40

        self.assertEqual(give.definition["outputSchema"]["format"], "base64")
        self.assertEqual(MockHost().call(give, data="AAEC"), "AAEC" * 40)

    def test_a_type_that_json_cannot_say_is_refused(self) -> None:
        with self.assertRaisesRegex(TypeError, "strange: a type of its parameters"):

            @tool()
            def strange(x: complex) -> None:
                """Says something."""


class ArgumentsTest(unittest.TestCase):
    def test_arguments_arrive_as_what_the_hints_say(self) -> None:
        given = dict(GIVEN, amount="1.10", kind="large", id=str(UUID(int=1)), size={"width": 1, "height": None})
        seen: dict[str, Any] = {}

        @tool()
        def look(
            when: datetime, thing: Thing, things: list[Thing], amount: Decimal, kind: Kind, id: UUID, size: Size
        ) -> None:
            """Looks."""
            seen.update(locals())

        MockHost().call(look, **given)
        self.assertEqual(seen["when"], datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
        self.assertEqual(seen["thing"], Thing("x"))
        self.assertEqual(seen["things"], [Thing("y", ["t"])])
        self.assertEqual((seen["amount"], seen["kind"], seen["id"]), (Decimal("1.10"), Kind.LARGE, UUID(int=1)))
        self.assertEqual(seen["size"], {"width": 1, "height": None})

    def test_a_default_is_nobody_elses(self) -> None:
        @tool()
        def collect(labels: dict[str, int] = {}) -> dict[str, int]:
            """Collects."""
            labels["n"] = labels.get("n", 0) + 1
            return labels

        for _ in range(2):
            self.assertEqual(MockHost().call(collect), {"n": 1})

    def test_what_does_not_fit_is_said(self) -> None:
        for arguments, sentence in [
            ({}, '"when" is missing'),
            (dict(GIVEN, when="soon"), '"when" is not a valid datetime'),
            (dict(GIVEN, kind="huge"), '"kind" is not a valid Kind'),
            (dict(GIVEN, colour="red"), 'there is no "colour"'),
        ]:
            with self.assertRaises(ToolError) as raised:
                MockHost().call(everything, **arguments)
            self.assertEqual(raised.exception.code, "invalid_arguments")
            self.assertIn(sentence, raised.exception.message)


class ResultTest(unittest.TestCase):
    def test_results_lose_no_digit(self) -> None:
        @tool()
        def give() -> dict[str, Any]:
            """Gives."""
            return {"a": Decimal("1.10"), "b": 2**60, "c": UUID(int=1), "d": b"\x00\xff", "e": Kind.LARGE}

        expected = {"a": "1.10", "b": 2**60, "c": str(UUID(int=1)), "d": "\\x00ff", "e": "large"}
        self.assertEqual(MockHost().call(give), expected)

    def test_what_json_has_no_word_for_fails(self) -> None:
        @tool()
        def give() -> float:
            """Gives."""
            return float("nan")

        with self.assertRaises(ToolError) as raised:
            MockHost().call(give)
        self.assertEqual(raised.exception.code, "failed")


class FailureTest(unittest.TestCase):
    def test_an_exception_keeps_its_text_to_the_log(self) -> None:
        @tool()
        def break_down() -> None:
            """Breaks."""
            {}["swordfish"]

        host = MockHost()
        with self.assertRaises(ToolError) as raised:
            host.call(break_down)
        self.assertEqual(raised.exception.code, "failed")
        self.assertEqual(raised.exception.message, "The tool break_down failed: KeyError. Its log says where.")
        [(level, line)] = host.logs
        self.assertEqual(level, "error")
        self.assertIn("swordfish", line)
        self.assertIn("test_tools.py", line)

    def test_arguments_that_nest_without_end_are_an_error(self) -> None:
        for text in ("[" * 100_000, '{"things": ' * 200 + "1" + "}" * 200):
            with self.assertRaisesRegex(ToolError, "nest more than 100 levels"):
                everything.run(text)
        # Brackets in a string nest nothing.
        with self.assertRaisesRegex(ToolError, "do not fit"):
            everything.run(json.dumps({"when": "[" * 500}))

    def test_a_recursion_without_end_is_logged_with_both_its_ends(self) -> None:
        @tool()
        def endless() -> int:
            """Calls itself."""
            return 1 + endless.function()

        host = MockHost()
        with self.assertRaises(ToolError):
            host.call(endless)
        [(level, line)] = host.logs
        self.assertEqual(level, "error")
        self.assertIn("endless recursed too deeply\nTraceback (most recent call last):\n", line)
        self.assertIn("return 1 + endless.function()", line)
        self.assertTrue(line.splitlines()[-1].startswith("RecursionError: "), line)
        self.assertLess(len(line.splitlines()), 40)

    def test_whatever_is_raised_is_logged_with_its_traceback(self) -> None:
        class Stop(BaseException):
            pass

        @tool()
        def stops() -> int:
            """Raises what is no Exception."""
            raise Stop("here")

        host = MockHost()
        with self.assertRaises(ToolError) as raised:
            host.call(stops)
        self.assertEqual(raised.exception.message, "The tool stops failed: Stop. Its log says where.")
        [(_, line)] = host.logs
        self.assertIn("Traceback", line)
        self.assertIn('raise Stop("here")', line)

    def test_leaving_the_program_is_a_failure(self) -> None:
        @tool()
        def leave() -> None:
            """Leaves."""
            raise SystemExit(0)

        with self.assertRaisesRegex(ToolError, "SystemExit"):
            MockHost().call(leave)

    def test_half_a_character_can_leave(self) -> None:
        self.assertEqual(well_formed("a\ud800b"), "a?b")
        self.assertEqual((well_formed("é"), well_formed(7)), ("é", "7"))

    def test_a_statement_nobody_foresaw_fails_the_test(self) -> None:
        @tool()
        def ask() -> Any:
            """Asks."""
            return query_one("select 1")

        with self.assertRaisesRegex(AssertionError, "select 1"):
            MockHost().call(ask)

    def test_what_is_not_a_tool_cannot_be_exported(self) -> None:
        with self.assertRaisesRegex(TypeError, "@tool"):
            export_tools(len)  # type: ignore[arg-type]
        with self.assertRaises(ValueError):
            export_tools(everything, everything)

    def test_definitions_are_json(self) -> None:
        [definition] = json.loads(export_tools(everything)().definitions())
        self.assertEqual((definition["name"], definition["description"]), ("everything", "Takes one of each."))


if __name__ == "__main__":
    unittest.main()
