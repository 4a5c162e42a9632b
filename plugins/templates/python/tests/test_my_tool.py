import unittest
from datetime import datetime, timezone
from uuid import UUID

from behalf_sdk import ToolError
from behalf_sdk.testing import MockHost

from my_tool import my_tool


def note(number: int) -> dict:
    created = datetime(2026, 4, number, 10, tzinfo=timezone.utc)
    return {"id": UUID(int=number), "title": f"Note {number}", "created_at": created}


class MyToolTest(unittest.TestCase):
    def test_notes_are_found(self) -> None:
        host = MockHost().on("from public.notes", [note(2), note(1)])
        found = host.call(my_tool, search="note")
        self.assertEqual([one["title"] for one in found["notes"]], ["Note 2", "Note 1"])
        self.assertEqual(found["notes"][0]["created_at"], "2026-04-02T10:00:00+00:00")
        self.assertFalse(found["truncated"])

    def test_what_was_typed_is_no_pattern(self) -> None:
        host = MockHost().on("from public.notes", [])
        host.call(my_tool, search="100%_")
        self.assertEqual(host.statements[0].params, [r"%100\%\_%", 11])

    def test_more_notes_than_the_limit_are_cut_off(self) -> None:
        host = MockHost().on("from public.notes", [note(2), note(1)])
        found = host.call(my_tool, limit=1)
        self.assertEqual((len(found["notes"]), found["truncated"]), (1, True))

    def test_the_operator_sets_the_limit(self) -> None:
        host = MockHost(settings={"default_limit": 3}).on("from public.notes", [])
        host.call(my_tool)
        self.assertEqual(host.statements[0].params, [None, 4])

    def test_a_blank_search_is_refused(self) -> None:
        with self.assertRaises(ToolError) as raised:
            MockHost().call(my_tool, search="  ")
        self.assertEqual(raised.exception.code, "invalid_arguments")


if __name__ == "__main__":
    unittest.main()
