"""Media types, as in `text/markdown`."""

from __future__ import annotations

import re

_MEDIA_TYPE = re.compile(r"[a-z][a-z0-9-]*/[A-Za-z0-9!#$&^_.+-]+(?: *;.+)?")


def media_type(given: str, kind: str | None = None) -> str:
    """`given`, if it is a media type, and one of this kind, as in `image`."""
    if isinstance(given, str) and _MEDIA_TYPE.fullmatch(given) and (kind is None or given.startswith(f"{kind}/")):
        return given
    # Whoever swaps two arguments gives the data here.
    shown = f'"{given[:100]}"' if isinstance(given, str) else f"a {type(given).__name__}"
    raise ValueError(f"{shown} is not a media type" + (", as in text/markdown" if kind is None else f" that begins with {kind}/"))
