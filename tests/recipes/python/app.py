"""What all parts of the app share: where the platform is, the keys of the project, who has signed in, and requests to /api."""

import json
import os
import time
from dataclasses import dataclass

import httpx
from supabase import Client, ClientOptions, create_client

BASE_URL, ANON_KEY = os.environ["BASE_URL"], os.environ["ANON_KEY"]
# The app's back end has it, and no browser.
SERVICE_ROLE_KEY = os.environ["SERVICE_ROLE_KEY"]


def options():
    return ClientOptions(auto_refresh_token=False, persist_session=False)


# The client of the app's back end. It sees the rows of all users.
admin = create_client(BASE_URL, SERVICE_ROLE_KEY, options())
http = httpx.Client(base_url=BASE_URL, timeout=60)


@dataclass
class User:
    """Who has signed in."""

    id: str
    token: str
    supabase: Client


def sign_in(email, password):
    supabase = create_client(BASE_URL, ANON_KEY, options())
    session = supabase.auth.sign_in_with_password({"email": email, "password": password})
    return User(session.user.id, session.session.access_token, supabase)


class Refused(Exception):
    """An answer of /api that is no success."""

    def __init__(self, what, response):
        super().__init__(f"{what}: {response.status_code} {response.text}")
        self.status = response.status_code
        self.body = response.json() if response.text.startswith("{") else response.text


def headers(token):
    return {"apikey": ANON_KEY, "Authorization": f"Bearer {token}"}


def call(method, path, token, body=None, files=None):
    """A request with a token, to which a JSON object or a form may belong."""
    response = http.request(method, path, headers=headers(token), json=body, files=files)
    if not response.is_success:
        raise Refused(f"{method} {path}", response)
    return response.json() if response.text[:1] in ("{", "[") else response.text


def get(path, token):
    return call("GET", path, token)


def post(path, token, body=None, files=None):
    return call("POST", path, token, body, files)


def settled(path, token):
    """Asks again until a source is read, or is indexed in a knowledge base."""
    while True:
        row = get(path, token)
        status = row.get("index_status") or row.get("extraction_status")
        if status in ("extracted", "indexed"):
            return row
        if status not in ("pending", "extracting", "indexing"):
            raise RuntimeError(f"{status}: {row['error_message']}")
        time.sleep(0.1)


def events_of(response):
    """The events of a stream of a run."""
    for line in response.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))
