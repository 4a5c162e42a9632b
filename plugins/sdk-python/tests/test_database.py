import datetime
import enum
import unittest
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

from behalf_sdk import (
    DatabaseError,
    Json,
    ToolError,
    Vector,
    commit,
    execute,
    query,
    query_as,
    query_one,
    row,
    scope,
    tool,
)
from behalf_sdk._values import as_json, to_wire
from behalf_sdk.testing import MockHost, denied


class Colour(enum.Enum):
    RED = "red"


@row
class Note:
    id: UUID
    title: str
    stars: int | None


class ParametersTest(unittest.TestCase):
    def test_values_become_what_the_host_takes(self) -> None:
        moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)
        for value, expected in [
            (None, None),
            (True, True),
            (5, 5),
            (2**63, "9223372036854775808"),
            (0.5, 0.5),
            ("x", "x"),
            (b"\x00", b"\x00"),
            (Decimal("1.10"), "1.10"),
            (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
            (moment, "2026-01-02T03:04:05.000006+00:00"),
            (datetime.date(2026, 1, 2), "2026-01-02"),
            (datetime.timedelta(days=1, seconds=2, microseconds=3), "1 days 2.000003 seconds"),
            (Colour.RED, "red"),
            ({"a": [1, None]}, '{"a":[1,null]}'),
            ([1, None, 'a "b" \\'], '[1,null,"a \\"b\\" \\\\"]'),
            ([[True], [b"\xff"]], '[[true],["\\\\xff"]]'),
            ([{"a": [1]}, Json("x"), Decimal("1.10"), 2**70], '[{"a":[1]},"x","1.10",1180591620717411303424]'),
            ([float("nan"), float("-inf"), Vector([1, 2])], '["NaN","-Infinity",[1.0,2.0]]'),
            ([], "[]"),
            (Json([1]), "[1]"),
            (Vector([1, 2]), [1.0, 2.0]),
        ]:
            self.assertEqual(to_wire(value), expected, value)

    def test_what_is_no_value_is_refused(self) -> None:
        with self.assertRaisesRegex(TypeError, "a object cannot be a parameter"):
            to_wire(object())


class RowsTest(unittest.TestCase):
    def rows(self, *rows: dict[str, Any], types: dict[str, str] | None = None) -> MockHost:
        return MockHost().on("select", rows, types=types)

    def test_values_arrive_by_the_columns_types(self) -> None:
        values = {
            "id": UUID(int=1),
            "amount": Decimal("1.10"),
            "at": datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc),
            "day": datetime.date(2026, 1, 2),
            "data": {"a": 1},
            "labels": ["x", None],
            "raw": b"\x00",
            "nothing": None,
        }
        with self.rows(values):
            self.assertEqual(query("select"), [values])

    def test_arrays_of_what_json_does_not_know(self) -> None:
        with self.rows({"ids": [str(UUID(int=1)), None], "sums": ["1.10"]}, types={"ids": "_uuid", "sums": "_numeric"}):
            self.assertEqual(query("select"), [{"ids": [UUID(int=1), None], "sums": [Decimal("1.10")]}])

    def test_a_number_in_json_is_never_rounded(self) -> None:
        for text, expected in [
            ("0.1", 0.1),
            ("0.10000000000000001", 0.1),
            ("1e3", 1000.0),
            ("123456789012345678901234567890", 123456789012345678901234567890),
            ("12345678901234567.89", Decimal("12345678901234567.89")),
            ("1e309", Decimal("1e309")),
        ]:
            read = as_json(f'{{"a": [{text}]}}')["a"][0]
            self.assertEqual((read, type(read)), (expected, type(expected)), text)

    def test_a_date_that_python_does_not_know_stays_text(self) -> None:
        with self.rows({"at": "infinity"}, types={"at": "timestamptz"}):
            self.assertEqual(query("select"), [{"at": "infinity"}])

    def test_rows_become_objects(self) -> None:
        class AsTuple(NamedTuple):
            title: str

        class AsDict(TypedDict):
            stars: int

        with self.rows({"id": UUID(int=1), "title": "x", "stars": 3}):
            self.assertEqual(query_as(Note, "select"), [Note(id=UUID(int=1), title="x", stars=3)])
            self.assertEqual(query_as(AsTuple, "select"), [AsTuple("x")])
            self.assertEqual(query_as(AsDict, "select"), [{"stars": 3}])

    def test_a_value_that_does_not_fit_is_said_and_not_shown(self) -> None:
        good = {"id": UUID(int=1), "title": "x", "stars": 3}
        for change, sentence in [
            ({"title": None}, "The column title cannot be read into Note: it is NULL"),
            ({"title": 7}, "The column title cannot be read into Note: it does not fit str"),
            ({"stars": 1.5}, "The column stars cannot be read into Note"),
            ({"id": "swordfish"}, "The column id cannot be read into Note: it does not fit UUID"),
        ]:
            with self.rows(good | change), self.assertRaises(ToolError) as raised:
                query_as(Note, "select")
            self.assertIn(sentence, raised.exception.message)
            self.assertNotIn("swordfish", raised.exception.message)

    def test_a_column_that_is_missing_is_said(self) -> None:
        with self.rows({"title": "x"}), self.assertRaisesRegex(ToolError, "no such column"):
            query_as(Note, "select")

    def test_one_row_is_one_row(self) -> None:
        with self.rows():
            self.assertIsNone(query_one("select"))
        with self.rows({"a": 1}, {"a": 2}), self.assertRaisesRegex(ToolError, "several"):
            query_one("select")

    def test_an_answer_cut_short_says_so(self) -> None:
        with MockHost().on("select", [{"a": 1}], truncated=True):
            answer = query("select")
        self.assertEqual((answer.truncated, answer.columns[0].type_name), (True, "int8"))


class WritingTest(unittest.TestCase):
    def test_rows_are_counted_and_commits_recorded(self) -> None:
        with MockHost().on("delete from", 2) as host:
            self.assertEqual(execute("delete from notes where id = $1", UUID(int=1)), 2)
            commit()
        self.assertEqual(host.commits, 1)
        self.assertEqual(host.statements[0].params, [str(UUID(int=1))])


class ScopesTest(unittest.TestCase):
    def test_a_block_is_kept_or_undone(self) -> None:
        with MockHost().on("delete", 1).on("insert", denied()) as host:
            with scope():
                execute("delete from notes")
            with self.assertRaises(DatabaseError) as raised, scope():
                execute("insert into notes default values")
            with self.assertRaises(KeyError), scope():
                raise KeyError("x")
            self.assertEqual(execute("delete from notes"), 1)
        self.assertEqual((host.scopes, raised.exception.code), ([True, False, False], "forbidden"))

    def test_a_block_that_hides_a_failure_raises_it(self) -> None:
        with MockHost().on("delete", 1).on("insert", denied()) as host:
            with self.assertRaises(DatabaseError) as raised, scope():
                for statement in ("insert into notes default values", "delete from notes"):
                    with self.assertRaises(DatabaseError):
                        execute(statement)
            self.assertEqual(execute("delete from notes"), 1)
        self.assertEqual((host.scopes, raised.exception.code), ([False], "aborted"))

    def test_scopes_are_inside_each_other(self) -> None:
        def nested(depth: int) -> None:
            if depth > 0:
                with scope():
                    nested(depth - 1)

        with MockHost() as host:
            nested(8)
            with self.assertRaises(DatabaseError) as deep:
                nested(9)
            with self.assertRaises(DatabaseError) as early, scope():
                commit()
        self.assertEqual((deep.exception.code, early.exception.code, host.commits), ("limit", "invalid", 0))


class ErrorsTest(unittest.TestCase):
    def test_a_databases_error_becomes_the_tools(self) -> None:
        @tool()
        def ask() -> Any:
            """Asks."""
            return query("select 1")

        timeout = DatabaseError("timeout", "Too slow.", retryable=True)
        invalid = DatabaseError("invalid", "No date.", sqlstate="22007")
        misspelt = DatabaseError("invalid", "No such column.", sqlstate="42703")
        for error, code, retryable in [
            (denied(), "denied", False),
            (invalid, "invalid_arguments", False),
            (misspelt, "failed", False),
            (timeout, "failed", True),
            (DatabaseError("new_one", "?"), "failed", False),
        ]:
            with self.assertRaises(ToolError) as raised:
                MockHost().on("select", error).call(ask)
            raised_error = raised.exception
            self.assertEqual((raised_error.code, raised_error.retryable), (code, retryable))
            self.assertEqual(raised_error.message, error.message)

    def test_it_can_be_caught(self) -> None:
        @dataclass
        class Answer:
            code: str

        @tool()
        def ask() -> Answer:
            """Asks."""
            try:
                with scope():
                    query("select 1")
            except DatabaseError as error:
                return Answer(error.sqlstate or error.code)
            return Answer("none")

        self.assertEqual(MockHost().on("select", denied()).call(ask), {"code": "42501"})

    def test_a_call_fails_with_the_statement_that_its_tool_ignored(self) -> None:
        @tool()
        def ask() -> Any:
            """Asks."""
            codes = []
            for statement in ("select 1", "delete from notes"):
                try:
                    query(statement)
                except DatabaseError as error:
                    codes.append(error.code)
            return codes

        with self.assertRaisesRegex(ToolError, "went on without it: permission denied") as raised:
            MockHost().on("select", denied()).on("delete", []).call(ask)
        self.assertEqual(raised.exception.code, "commit_failed")
        refused = DatabaseError("refused", "Not allowed.")
        self.assertEqual(MockHost().on("select", refused).on("delete", []).call(ask), ["refused"])


if __name__ == "__main__":
    unittest.main()
