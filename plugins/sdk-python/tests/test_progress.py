import unittest
from datetime import date
from decimal import Decimal

from behalf_sdk import ToolError, progress, row, tool
from behalf_sdk.testing import MockHost


@row
class Month:
    month: date
    amount: Decimal


class PartialTest(unittest.TestCase):
    def test_parts_have_the_form_of_results(self) -> None:
        month = Month(month=date(2026, 4, 1), amount=Decimal("1.10"))

        @tool(read_only=True)
        def months() -> list[Month]:
            """Shows each month at once."""
            for part in (month, [month], None, "é", b"\x00\xff"):
                progress.partial(part)
            return [month]

        host = MockHost()
        shown = {"month": "2026-04-01", "amount": "1.10"}
        self.assertEqual(host.call(months), [shown])
        self.assertEqual(host.partials, [shown, [shown], None, "é", "\\x00ff"])
        self.assertEqual(host.progress, [])

    def test_what_json_has_no_word_for_fails(self) -> None:
        @tool
        def broken() -> None:
            """Shows what is no number."""
            progress.partial(float("nan"))

        host = MockHost()
        with self.assertRaisesRegex(ToolError, "ValueError"):
            host.call(broken)
        self.assertEqual(host.partials, [])


if __name__ == "__main__":
    unittest.main()
