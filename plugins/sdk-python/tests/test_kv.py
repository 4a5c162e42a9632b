from __future__ import annotations

import unittest

from behalf_sdk import DatabaseError, KvError, ToolError, commit, execute, kv, scope, tool
from behalf_sdk.testing import ALICE, BOB, MockHost


@tool()
def count(fails: bool = False) -> int:
    """Counts its calls."""
    counted = kv.update("count", lambda old: old + 1, default=0)
    if fails:
        raise ToolError("as told")
    return counted


class Stores(unittest.TestCase):
    def test_each_user_has_a_store_unless_callers_share_one(self) -> None:
        host = MockHost().stores("a/1", {"n": 1})
        with host:
            kv.set("a/2", "zwei")
            kv.set("b", [1, None])
            self.assertEqual(kv.get("a/1"), {"n": 1})
            self.assertEqual((kv.get("c"), kv.get("c", 5)), (None, 5))
            self.assertEqual(kv.keys("a/"), ["a/1", "a/2"])
            self.assertEqual(kv.keys(after="a/1", limit=1), ["a/2"])
            self.assertEqual((kv.remove("b"), kv.remove("b")), (True, False))
        self.assertEqual(host.kv(), {"a/1": {"n": 1}, "a/2": "zwei"})
        for other in (MockHost(subject=BOB), MockHost(subject=BOB).shares_kv()):
            self.assertEqual(other.kv(), {})
        with MockHost(subject=None, role="anon"), self.assertRaises(KvError) as nobody:
            kv.get("a")
        self.assertEqual(nobody.exception.code, "denied")
        with MockHost(subject=None, role="anon").shares_kv() as shared:
            kv.set("rate", 1.5)
            self.assertEqual(shared.kv(), {"rate": 1.5})

    def test_what_is_written_goes_with_its_call(self) -> None:
        host = MockHost()
        self.assertEqual(host.call(count), 1)
        with self.assertRaises(ToolError):
            host.call(count, fails=True)
        self.assertEqual(host.kv(), {"count": 1})
        self.assertEqual(host.call(count), 2)

    def test_what_is_written_goes_with_its_scope(self) -> None:
        host = MockHost(subject=ALICE)
        with host:
            with self.assertRaises(ValueError), scope():
                kv.set("a", 1)
                with scope():
                    kv.set("b", 1)
                raise ValueError
            self.assertEqual(host.kv(), {})
            with scope():
                kv.set("a", 1)
            self.assertEqual(host.kv(), {"a": 1})

    def test_a_failed_statement_ends_the_store_too(self) -> None:
        @tool()
        def write() -> None:
            """Writes."""
            kv.set("first", 1)
            commit()
            kv.set("second", 1)
            try:
                execute("delete from a")
            except DatabaseError:
                kv.set("third", 1)

        host = MockHost().on("delete", DatabaseError("constraint", "No."))
        with self.assertRaises(ToolError):
            host.call(write)
        self.assertEqual(host.kv(), {"first": 1})

    def test_what_the_host_refuses_is_refused(self) -> None:
        with MockHost():
            for wrong in ("", "x" * 257, "a\0"):
                with self.assertRaises(KvError) as refused:
                    kv.set(wrong, 1)
                self.assertEqual(refused.exception.code, "invalid")
            with self.assertRaises(KvError):
                kv.set("a", "x" * 65_536)
            with self.assertRaises(KvError):
                kv.keys(limit=0)
        with self.assertRaises(ToolError) as full:
            MockHost().fails_kv("limit", "The store is full.").call(count)
        self.assertEqual((full.exception.code, full.exception.message), ("failed", "The store is full."))


if __name__ == "__main__":
    unittest.main()
