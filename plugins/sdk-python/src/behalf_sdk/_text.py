"""Text that can leave the component: what the bindings cannot pass on ends the call without a word."""

from __future__ import annotations

from typing import Any


def well_formed(value: Any) -> str:
    """`value` as text, with `?` for halves of characters (`"\\ud800"`), which UTF-8 cannot say."""
    text = value if isinstance(value, str) else str(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
