"""What the tests add to the app: two users, steps that have names, and what has to be refused."""

import importlib.metadata
import json
import os
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass

from postgrest import APIError
from storage3.exceptions import StorageApiError

from app import ANON_KEY, Refused, User, admin, sign_in

# The models that answer, such as a scripted one behind an OpenAI-compatible address, and builtin/extractive.
MODELS = os.environ["MODELS"].split(",")
PASSWORD = "mauve lantern 7 xq"


def is_builtin(model):
    """The other kind of model: it obeys commands and writes no arguments of its own."""
    return model.startswith("builtin/")


@dataclass
class Person(User):
    """A user with a word that stands in what they have, and that nobody else may ever see."""

    name: str
    email: str
    canary: str

    def __hash__(self):
        return hash(self.id)


def signed_up(name):
    email = f"{name}-{secrets.token_hex(4)}@example.com"
    admin.auth.admin.create_user({"email": email, "password": PASSWORD, "email_confirm": True})
    user = sign_in(email, PASSWORD)
    return Person(user.id, user.token, user.supabase, name, email, f"{name}finch{secrets.token_hex(6)}")


alice, bob = signed_up("alice"), signed_up("bob")
# Each with the other.
BOTH = [(alice, bob), (bob, alice)]
# Bearer tokens of nobody: no token, a user's token with another signature, and the public key.
ANYBODY = ["not-a-token", alice.token[:-6] + "AAAAAA", ANON_KEY]


def text_of(told):
    return told if isinstance(told, str) else json.dumps(told, default=str)


def is_own(told, own, other):
    """What one may be told: their own word, and not the other's."""
    assert own.canary in text_of(told), f"{own.name} is not told what is theirs: {told}"
    is_none(told, other)


def is_none(told, owner):
    """What nobody but its owner may be told."""
    assert owner.canary not in text_of(told), f"what is {owner.name}'s is told: {told}"


def refused(statuses, request, *arguments, **named):
    """A request to /api that has to end with one of these statuses."""
    try:
        answer = request(*arguments, **named)
    except Refused as error:
        assert error.status in statuses, f"expected {statuses}: {error}"
        return error.body
    raise AssertionError(f"expected {statuses}, got {answer}")


def denied(code, query):
    """A request to a table that has to end with an error of this code."""
    try:
        answer = query.execute()
    except APIError as error:
        assert error.code == code, error
        return
    raise AssertionError(f"expected {code}, got {answer}")


def changes_none(query):
    """A change of rows that somebody may not change: it is refused, or finds no row."""
    try:
        assert query.execute().data == []
    except APIError as error:
        assert error.code == "42501", error


def fails(request, *arguments):
    """A request to the storage that has to fail."""
    try:
        answer = request(*arguments)
    except StorageApiError:
        return
    raise AssertionError(f"expected an error, got {answer}")


def rows_of(user, schema, table):
    """Everything that a table says to somebody: its rows, or why not."""
    try:
        return json.dumps(user.supabase.schema(schema).table(table).select("*").execute().data)
    except APIError as error:
        return str(error)


def until(what, check):
    """Asks again until it is so."""
    for _ in range(1_200):
        if check():
            return
        time.sleep(0.025)
    raise AssertionError(f"in vain: {what}")


steps = []


@contextmanager
def step(name):
    """A step that has to succeed."""
    try:
        yield
    except BaseException as error:
        raise AssertionError(f"step {name!r} of {os.environ['RECIPE']}") from error
    steps.append(name)


def finish():
    """Says what was done."""
    canaries = {"alice": alice.canary, "bob": bob.canary}
    version = importlib.metadata.version("supabase")
    print(json.dumps({"done": True, "client": version, "canaries": canaries, "steps": steps}), flush=True)
