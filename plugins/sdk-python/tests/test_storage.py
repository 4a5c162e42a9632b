import unittest
from typing import Any

from behalf_sdk import StorageError, ToolError, storage, tool
from behalf_sdk.testing import MockHost


def code(work: Any) -> str:
    try:
        work()
    except StorageError as error:
        return error.code
    return "none"


class StorageTest(unittest.TestCase):
    def test_objects_are_listed_by_pages_and_read_as_they_were_written(self) -> None:
        host = MockHost().puts("files", "a/1", "one").puts("files", "a/2", b"two").puts("other", "a/3", "three")
        with host:
            first = storage.list_objects("files", "a/", limit=1)
            self.assertEqual([(one.name, one.size) for one in first.objects], [("a/1", 3)])
            second = storage.list_objects("files", "a/", limit=1, cursor=first.next)
            self.assertEqual(([one.name for one in second.objects], second.next), (["a/2"], None))
            storage.write("files", "a/1", "é", content_type="text/csv")
            self.assertEqual(storage.read_text("files", "a/1"), "é")
            storage.remove("files", "a/2")
            self.assertEqual(code(lambda: storage.write("files", "a/1", b"", upsert=False)), "exists")
            self.assertEqual(code(lambda: storage.read("files", "a/2")), "not_found")
            self.assertEqual(code(lambda: storage.read("files", "a/1", max_bytes=1)), "too_large")
            self.assertEqual(storage.signed_url("files", "a/1", 60), "https://files.test/files/a/1?seconds=60")
        kept = host.stored("files", "a/1")
        self.assertEqual(kept and (kept.data, kept.content_type), ("é".encode(), "text/csv"))

    def test_a_refusal_is_a_denial(self) -> None:
        @tool()
        def write() -> None:
            """Writes."""
            storage.write("files", "a", "text")

        with self.assertRaisesRegex(ToolError, "not yours") as raised:
            MockHost().fails_storage("denied", "The file is not yours.").call(write)
        self.assertEqual(raised.exception.code, "denied")


if __name__ == "__main__":
    unittest.main()
