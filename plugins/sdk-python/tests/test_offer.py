import unittest
from typing import Any

from behalf_sdk import Content, tool


def note(id: str, lang: str = "en") -> Content:
    """One note."""
    return Content().text(id)


class OfferTest(unittest.TestCase):
    def test_a_tool_can_be_a_resource_or_a_prompt(self) -> None:
        definition = tool(read_only=True, resource="notes://{id}/{lang}", mime_type="text/markdown")(note).definition
        self.assertEqual(definition["resource"], {"uri": "notes://{id}/{lang}", "mimeType": "text/markdown"})
        self.assertNotIn("prompt", definition)
        plain = tool(read_only=True, resource="my-notes+1.x:all")(note).definition
        self.assertEqual(plain["resource"], {"uri": "my-notes+1.x:all"})
        prompt = tool(read_only=True, prompt=True)(note).definition
        self.assertIs(prompt["prompt"], True)
        self.assertNotIn("resource", prompt)

    def test_other_tools_are_neither(self) -> None:
        for definition in (tool(note).definition, tool(read_only=True, prompt=False)(note).definition):
            self.assertEqual({"resource", "prompt"} & set(definition), set())

    def test_what_does_not_fit_is_refused_when_the_tool_is_made(self) -> None:
        variable = "a variable has a to z, 0 to 9 and _, and begins with no digit"
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"resource": "notes://{id}", "read_only": False}, "the tool note is a resource and may write: a resource needs read_only=True"),
            ({"prompt": True, "read_only": False}, "the tool note is a prompt and may write: a prompt needs read_only=True"),
            ({"mime_type": "text/plain"}, "the tool note has a mime_type and no resource: a mime_type belongs to a resource"),
            ({"mime_type": "text/plain", "prompt": True}, "the tool note has a mime_type and no resource: a mime_type belongs to a resource"),
            ({"resource": "notes://{id}", "prompt": True}, "the tool note is a resource and a prompt: it can be one of them"),
            ({"resource": "notes://{id}", "mime_type": "plain"}, '"plain" is not a media type, as in text/markdown'),
            ({"resource": ""}, 'the resource "" of the tool note has no scheme, as in notes://{id}'),
            ({"resource": "{id}://a"}, 'the resource "{id}://a" of the tool note has no scheme, as in notes://{id}'),
            ({"resource": "Notes://a"}, 'the resource "Notes://a" of the tool note has no scheme, as in notes://{id}'),
            ({"resource": "notes://{id"}, 'the resource "notes://{id" of the tool note has a brace without its other one'),
            ({"resource": "notes://id}"}, 'the resource "notes://id}" of the tool note has a brace without its other one'),
            ({"resource": "notes://{{id}}"}, 'the resource "notes://{{id}}" of the tool note has a brace without its other one'),
            ({"resource": "notes://{}"}, f'the resource "notes://{{}}" of the tool note has the variable "": {variable}'),
            ({"resource": "notes://{+id}"}, f'the resource "notes://{{+id}}" of the tool note has the variable "+id": {variable}'),
            ({"resource": "notes://{Id}"}, f'the resource "notes://{{Id}}" of the tool note has the variable "Id": {variable}'),
            ({"resource": "a:{no}"}, 'the resource "a:{no}" of the tool note has the variable "no", which is no parameter of the tool'),
        ]
        for options, message in wrong:
            with self.subTest(options), self.assertRaises(ValueError) as raised:
                tool(**{"read_only": True, **options})(note)
            self.assertEqual(str(raised.exception), message)


if __name__ == "__main__":
    unittest.main()
