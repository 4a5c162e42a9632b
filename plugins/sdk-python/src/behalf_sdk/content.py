"""A result that is more than JSON."""

from __future__ import annotations

import base64
import re
from typing import Any

from ._media_type import media_type

__all__ = ["Content"]

#: Blocks that a result may have.
_MAX_BLOCKS = 100

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.")

_Data = bytes | bytearray | memoryview


class Content:
    """A result of texts, images, sounds, links and files, in this order for whoever reads it. It has 1 to 100 of them.

        Content().text("A garden.").image("image/png", data).link("https://a.test/report", "Report")

    A tool that returns it says `-> Content`, and has no schema of its result.
    """

    def __init__(self) -> None:
        self._blocks: list[dict[str, Any]] = []

    def text(self, text: str) -> Content:
        """Adds a text."""
        return self._add({"type": "text", "text": _text(text)})

    def image(self, mime_type: str, data: _Data) -> Content:
        """Adds an image, as in `image("image/png", data)`."""
        return self._add({"type": "image", "mimeType": media_type(mime_type, "image"), "data": _base64(data)})

    def audio(self, mime_type: str, data: _Data) -> Content:
        """Adds a sound, as in `audio("audio/wav", data)`."""
        return self._add({"type": "audio", "mimeType": media_type(mime_type, "audio"), "data": _base64(data)})

    def link(self, uri: str, name: str, *, mime_type: str | None = None, description: str | None = None) -> Content:
        """Adds a link to what the caller can read."""
        link = {"type": "resource_link", "uri": _address(uri), "name": _text(name)}
        if mime_type is not None:
            link["mimeType"] = media_type(mime_type)
        if description is not None:
            link["description"] = _text(description)
        return self._add(link)

    def file(self, uri: str, mime_type: str, content: str | _Data) -> Content:
        """Adds a file: its address, its media type, and its text or bytes."""
        file = {"uri": _text(uri), "mimeType": media_type(mime_type)}
        file.update({"text": content} if isinstance(content, str) else {"blob": _base64(content)})
        return self._add({"type": "resource", "resource": file})

    def _add(self, block: dict[str, Any]) -> Content:
        if len(self._blocks) == _MAX_BLOCKS:
            raise ValueError(f"a Content has at most {_MAX_BLOCKS} parts")
        self._blocks.append(block)
        return self


def blocks_of(content: Content) -> list[dict[str, Any]]:
    """The blocks of a content, in the shape of MCP."""
    return content._blocks


def _text(given: str) -> str:
    if not isinstance(given, str):
        raise TypeError(f"a text is needed here, and this is a {type(given).__name__}")
    return given


def _address(uri: str) -> str:
    if not _SCHEME.match(_text(uri)):
        raise ValueError(f'"{uri}" has no scheme, as in https://a.test')
    return uri


def _base64(data: _Data) -> str:
    if not isinstance(data, _Data):
        raise TypeError(f"bytes are needed here, and this is a {type(data).__name__}")
    return base64.b64encode(data).decode()
