"""The stores of a mocked host's plugin. As on the host, what is written is undone with its call or its scope."""

from __future__ import annotations

import copy

from .errors import KvError

#: Bytes of a key and of a value, and keys of one answer, as on the host.
_MAX_KEY = 256
_MAX_VALUE = 65_536
_MAX_KEYS = 1_000

_All = dict[str | None, dict[str, str]]


class MockStores:
    """A store for each user, or one that callers share."""

    def __init__(self) -> None:
        self.shared = False
        #: Raised by every operation, where a test says so.
        self.failure: KvError | None = None
        self._all: _All = {}
        #: What there was at the begin of each open scope, the innermost last.
        self._before_scopes: list[_All] = []
        #: What there was at the begin of the call, or at its last commit.
        self._before_call: _All = {}

    def of(self, user: str | None) -> dict[str, str]:
        """The entries of a user, or those of all callers."""
        return self._all.setdefault(None if self.shared else user, {})

    def begin_call(self) -> None:
        self._before_call = copy.deepcopy(self._all)

    def end_call(self, keep: bool) -> None:
        self._before_scopes.clear()
        if not keep:
            self._all = self._before_call

    def commit(self) -> None:
        self._before_call = copy.deepcopy(self._all)

    def begin_scope(self) -> None:
        self._before_scopes.append(copy.deepcopy(self._all))

    def end_scope(self, keep: bool) -> None:
        before = self._before_scopes.pop()
        if not keep:
            self._all = before

    def get(self, user: str | None, key: str) -> str | None:
        self._check(user)
        _check_key(key)
        return self.of(user).get(key)

    def set(self, user: str | None, key: str, value: str) -> None:
        self._check(user)
        _check_key(key)
        if len(value.encode()) > _MAX_VALUE:
            raise KvError("invalid", f"a value has at most {_MAX_VALUE} bytes")
        self.of(user)[key] = value

    def replace(self, user: str | None, key: str, old: str | None, value: str) -> bool:
        fits = self.get(user, key) == old
        if fits:
            self.set(user, key, value)
        return fits

    def remove(self, user: str | None, key: str) -> bool:
        self._check(user)
        _check_key(key)
        return self.of(user).pop(key, None) is not None

    def keys(self, user: str | None, prefix: str, after: str | None, limit: int) -> list[str]:
        self._check(user)
        if not 1 <= limit <= _MAX_KEYS:
            raise KvError("invalid", f"the limit is a number from 1 to {_MAX_KEYS}")
        first = None if after is None else after.encode()
        found = sorted((key for key in self.of(user) if key.startswith(prefix)), key=str.encode)
        return [key for key in found if first is None or key.encode() > first][:limit]

    def _check(self, user: str | None) -> None:
        if self.failure is not None:
            raise self.failure
        if user is None and not self.shared:
            raise KvError("denied", "each user has a store of this plugin, and this call is made for no user")


def _check_key(key: str) -> None:
    if not 1 <= len(key.encode()) <= _MAX_KEY or "\0" in key:
        raise KvError("invalid", f"a key has 1 to {_MAX_KEY} bytes, and no zero byte")
