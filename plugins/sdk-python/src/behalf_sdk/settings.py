"""Values the operator set for this plugin."""

from __future__ import annotations

import json
from typing import Any

from . import _host


def get_all() -> dict[str, Any]:
    """All settings; `{}` where there are none."""
    values: dict[str, Any] = json.loads(_host.current().settings())
    return values


def get(name: str, default: Any = None) -> Any:
    """One setting, or `default` where the operator did not set it."""
    return get_all().get(name, default)
