"""What only a component does, as far as it can be tried outside of one."""

import asyncio
import sys
import tempfile
import unittest
from pathlib import Path
from types import ModuleType
from typing import Any

from behalf_sdk import _async, _late

SOURCE = '''
import json

def late():
    import csv, calendar as days
    from xml.etree import ElementTree
    from . import sibling
    from .deep.er import thing

async def later():
    return lambda: __import__("none")

class Also:
    def method(self):
        if True:
            import statistics
'''


class LateTest(unittest.TestCase):
    def wanted(self, name: str, source: str) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "one.py"
            file.write_text(source)
            module = ModuleType(name)
            module.__file__, module.__package__ = str(file), name.rpartition(".")[0]
            return _late._wanted(module)

    def test_what_functions_import_is_found(self) -> None:
        wanted = self.wanted("package.one", SOURCE)
        for name in ("csv", "calendar", "xml.etree", "xml.etree.ElementTree", "package", "package.deep.er", "statistics"):
            self.assertIn(name, wanted)
        self.assertNotIn("json", wanted)

    def test_what_is_pythons_own_or_no_source_is_not_asked(self) -> None:
        self.assertEqual(self.wanted("csv", SOURCE), [])
        self.assertEqual(self.wanted("behalf_sdk.tools", SOURCE), [])
        self.assertEqual(self.wanted("one", "def late(:\n    import csv"), [])
        self.assertEqual(_late._wanted(ModuleType("none")), [])

    def test_an_import_that_comes_too_late_says_so(self) -> None:
        before, had = list(sys.meta_path), sys.modules.pop("tty", None)
        try:
            _late.refuse_more()
            with self.assertRaisesRegex(ModuleNotFoundError, "^tty is imported during a call, and a component has no files"):
                import tty  # noqa: F401
            with self.assertRaisesRegex(ModuleNotFoundError, "^No module named 'nobody_has_this'$"):
                import nobody_has_this  # type: ignore[import-not-found]  # noqa: F401
        finally:
            sys.meta_path[:] = before
            if had is not None:
                sys.modules["tty"] = had


class LoopTest(unittest.TestCase):
    def run_in_loop(self, work: Any) -> Any:
        loop = _async._Loop()
        try:
            return loop.run_until_complete(work)
        finally:
            loop.close()

    def test_tasks_and_timers_run(self) -> None:
        async def work() -> Any:
            with self.assertRaises(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.01)
            return await asyncio.gather(asyncio.sleep(0.01, "slow"), asyncio.sleep(0, "quick"))

        self.assertEqual(self.run_in_loop(work()), ["slow", "quick"])

    def test_what_never_ends_and_what_needs_a_thread_is_an_error(self) -> None:
        async def stuck() -> None:
            await asyncio.Event().wait()

        async def thread() -> None:
            await asyncio.to_thread(print)

        with self.assertRaisesRegex(RuntimeError, "Every task waits for something that never comes"):
            self.run_in_loop(stuck())
        with self.assertRaisesRegex(RuntimeError, "A component has no threads"):
            self.run_in_loop(thread())


if __name__ == "__main__":
    unittest.main()
