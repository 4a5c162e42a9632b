"""Who the call is for. Facts, never credentials."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from . import _host


@dataclass(frozen=True)
class Identity:
    """The person a call is made for."""

    #: `sub` of the verified token; none for an anonymous caller and for the service role.
    subject: UUID | None
    #: `anon`, `authenticated` or `service_role`.
    role: str
    #: Verified claims, without `exp`, `iat`, `nbf` and `jti`.
    claims: dict[str, Any]


def identity() -> Identity:
    """The identity this call was made for. It cannot change during the call."""
    subject, role, claims = _host.current().identity()
    return Identity(None if subject is None else UUID(subject), role, json.loads(claims))


def call() -> dict[str, str]:
    """`call_id`, and where they exist `agent_id`, `session_id` and `run_id`."""
    facts: dict[str, str] = json.loads(_host.current().call_facts())
    return facts


def remaining_ms() -> int:
    """Milliseconds left before the host ends the call."""
    return _host.current().remaining_ms()
