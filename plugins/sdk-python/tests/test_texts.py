import unittest

from behalf_sdk import KnowledgeError, MemoriesError, ToolError, knowledge, memory, tool
from behalf_sdk.testing import ALICE, BOB, MockHost


class TextsTest(unittest.TestCase):
    def test_a_search_finds_the_documents_of_its_caller_alone(self) -> None:
        def filled(subject: object) -> MockHost:
            host = MockHost(subject=subject)  # type: ignore[arg-type]
            host.puts_document(ALICE, "Handbook", "tea.md", "Tea is free.")
            host.puts_document(ALICE, "Handbook", "leave.md", "Leave is 30 days.")
            return host.puts_document(BOB, "Plans", "b.md", "Bob's leave.")

        def texts(**options: object) -> list[str]:
            return [one.text for one in knowledge.search("days of leave", **options)]

        with filled(ALICE):
            self.assertEqual(texts(), ["Leave is 30 days.", "Tea is free."])
            self.assertEqual(texts(top_k=1), ["Leave is 30 days."])
            self.assertEqual(knowledge.search("leave")[0].meta["source_name"], "leave.md")
            with self.assertRaises(KnowledgeError) as raised:
                texts(knowledge_bases=["Plans"])
            self.assertEqual(raised.exception.code, "not_granted")
        with filled(BOB):
            self.assertEqual(texts(knowledge_bases=["Plans"]), ["Bob's leave."])
        with filled(None):
            self.assertEqual(texts(), [])

    def test_what_is_remembered_is_the_users_alone(self) -> None:
        host = MockHost().remembers("Drinks tea.")
        with host:
            id = memory.remember("Works at night.", about="work")
            self.assertEqual([one.text for one in memory.recall("what tea", top_k=1)], ["Drinks tea."])
            self.assertEqual(memory.recall()[0].meta, {"about": "work"})
            self.assertEqual((memory.forget(id), memory.forget(id)), (True, False))
        self.assertEqual(host.memories(), ["Drinks tea."])
        with MockHost(subject=None, role="anon"), self.assertRaises(MemoriesError) as raised:
            memory.recall()
        self.assertEqual(raised.exception.code, "denied")

    def test_what_fails_is_an_error_of_the_tool(self) -> None:
        @tool()
        def both(remember: bool) -> None:
            """Searches or remembers."""
            if remember:
                memory.remember("a")
            else:
                knowledge.search("a")

        host = MockHost().fails_knowledge("not_granted", "Not granted.").fails_memory("limit", "Too many.")
        for remember, code in [(False, "denied"), (True, "failed")]:
            with self.assertRaises(ToolError) as raised:
                host.call(both, remember=remember)
            self.assertEqual(raised.exception.code, code)


if __name__ == "__main__":
    unittest.main()
