import unittest
from typing import Any

from behalf_sdk import Content, ToolError, export_tools, tool
from behalf_sdk.testing import MockHost


@tool(read_only=True)
def report() -> Content:
    """One of each."""
    return (
        Content()
        .text("é")
        .image("image/png", b"\x00\xff")
        .audio("audio/wav", b"\x01")
        .link("https://a.test/report", "Report")
        .link("https://a.test/list", "List", mime_type="text/csv", description="All of them.")
        .file("notes://1", "text/markdown", "# One")
        .file("notes://2", "application/pdf", b"\x02")
    )


@tool
def empty() -> Content:
    """Adds nothing."""
    return Content()


@tool
def anything() -> Any:
    """Says no type."""
    return Content().text("a")


@tool
def no_content() -> Content:
    """Returns what it does not say."""
    return {"content": []}  # type: ignore[return-value]


@tool
def not_said() -> dict[str, Any]:
    """Does not say what it returns."""
    return Content().text("a")  # type: ignore[return-value]


@tool
def inside() -> dict[str, Any]:
    """Has a content in its data."""
    return {"a": Content().text("a")}


class ContentTest(unittest.TestCase):
    def test_each_kind_is_a_block(self) -> None:
        blocks = [
            {"type": "text", "text": "é"},
            {"type": "image", "data": "AP8=", "mimeType": "image/png"},
            {"type": "audio", "data": "AQ==", "mimeType": "audio/wav"},
            {"type": "resource_link", "uri": "https://a.test/report", "name": "Report"},
            {
                "type": "resource_link",
                "uri": "https://a.test/list",
                "name": "List",
                "mimeType": "text/csv",
                "description": "All of them.",
            },
            {"type": "resource", "resource": {"uri": "notes://1", "mimeType": "text/markdown", "text": "# One"}},
            {"type": "resource", "resource": {"uri": "notes://2", "mimeType": "application/pdf", "blob": "Ag=="}},
        ]
        self.assertEqual(MockHost().call(report), {"content": blocks})
        self.assertEqual(MockHost().call(anything), {"content": [{"type": "text", "text": "a"}]})

    def test_a_tool_that_returns_content_has_no_schema_of_its_result(self) -> None:
        for one in (report, empty, anything):
            self.assertNotIn("outputSchema", one.definition)
        export_tools(report, empty)

    def test_an_async_tool_returns_content(self) -> None:
        @tool
        async def later() -> Content:
            """Later."""
            return Content().text("a")

        self.assertNotIn("outputSchema", later.definition)
        self.assertEqual(MockHost().call(later), {"content": [{"type": "text", "text": "a"}]})

    def test_a_link_without_a_scheme_is_refused_at_once(self) -> None:
        with self.assertRaisesRegex(ValueError, '^"report.pdf" has no scheme, as in https://a.test$'):
            Content().link("report.pdf", "Report")

    def test_a_wrong_media_type_is_refused_at_once(self) -> None:
        for kind in ("text/plain", "image", "image/", "image/png\n", "IMAGE/PNG", ""):
            with self.assertRaisesRegex(ValueError, f'^"{kind}" is not a media type that begins with image/$'):
                Content().image(kind, b"")
        with self.assertRaisesRegex(ValueError, "^a bytes is not a media type that begins with audio/$"):
            Content().audio(b"", "audio/wav")  # type: ignore[arg-type]
        for add in (Content().file, lambda uri, kind, _: Content().link(uri, "a", mime_type=kind)):
            with self.assertRaisesRegex(ValueError, '^"markdown" is not a media type, as in text/markdown$'):
                add("notes://1", "markdown", "")
        Content().file("notes://1", "text/markdown; charset=utf-8", "").image("image/svg+xml", bytearray())

    def test_what_is_no_text_and_no_bytes_is_refused(self) -> None:
        with self.assertRaisesRegex(TypeError, "a text is needed here, and this is a int"):
            Content().text(1)  # type: ignore[arg-type]
        with self.assertRaisesRegex(TypeError, "bytes are needed here, and this is a str"):
            Content().image("image/png", "AP8=")  # type: ignore[arg-type]

    def test_a_content_has_1_to_100_parts(self) -> None:
        full = Content()
        for _ in range(100):
            full.text("")
        with self.assertRaisesRegex(ValueError, "a Content has at most 100 parts"):
            full.text("")
        with self.assertRaisesRegex(ToolError, "^The tool empty returned an empty Content. Add a text, or return data.$"):
            MockHost().call(empty)

    def test_a_tool_returns_what_its_type_says(self) -> None:
        with self.assertRaisesRegex(ToolError, "^The tool no_content returned a dict, and its type says that it returns a Content.$"):
            MockHost().call(no_content)
        with self.assertRaisesRegex(ToolError, "its type says that it returns data. Write `-> Content`.$"):
            MockHost().call(not_said)
        with self.assertRaisesRegex(ToolError, "TypeError"):
            MockHost().call(inside)
        with self.assertRaisesRegex(TypeError, "a type of its parameters or its result cannot be JSON"):

            @tool
            def many() -> list[Content]:
                """Many."""
                return []


if __name__ == "__main__":
    unittest.main()
