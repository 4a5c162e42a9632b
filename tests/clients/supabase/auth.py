"""Users sign up, in and out with supabase-py: the same walk as auth.mjs, shorter.

BASE_URL, KEY (the anon key), SERVICE_KEY, MAILBOX (the folder of letters)."""

import base64
import email
import email.policy
import hashlib
import hmac
import json
import os
import re
import time
import uuid
from pathlib import Path

import httpx
from supabase import ClientOptions, create_client
from supabase_auth.errors import AuthApiError

BASE_URL, KEY, SERVICE_KEY = (os.environ[name] for name in ("BASE_URL", "KEY", "SERVICE_KEY"))
MAILBOX = Path(os.environ["MAILBOX"])
PASSWORD = "mauve lantern 7 xq"
READ = set()


def client(flow="implicit", key=KEY):
    return create_client(BASE_URL, key, ClientOptions(flow_type=flow, auto_refresh_token=False, persist_session=False))


def refused(code, call, *arguments):
    try:
        call(*arguments)
    except AuthApiError as error:
        assert error.code == code, (error.code, error.message)
        return
    raise AssertionError(f"expected {code}")


def letter(to):
    for _ in range(100):
        for path in sorted(MAILBOX.glob("*.eml")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if path.name in READ or message["To"] != to:
                continue
            READ.add(path.name)
            text = message.get_body(("plain",)).get_content()
            link = re.search(r"https?://\S+/auth/v1/verify\?\S+", text)
            return re.search(r"\b\d{6}\b", text.split("enter:")[-1]).group(), link and link.group()
        time.sleep(0.05)
    raise AssertionError(f"no letter to {to}")


def follow(link):
    answer = httpx.get(link, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return httpx.URL(answer.headers["location"])


def claims(session):
    part = session.access_token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def totp(secret):
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, int(time.time() // 30).to_bytes(8, "big"), hashlib.sha1).digest()
    at = digest[19] & 15
    return f"{(int.from_bytes(digest[at:at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"


def tool_status(token):
    headers = {"apikey": KEY, "Authorization": f"Bearer {token}"}
    body = {"arguments": {"query": "select title from notes"}}
    return httpx.post(f"{BASE_URL}/api/tools/database_query/call", headers=headers, json=body).status_code


def ended(token):
    for _ in range(40):
        if tool_status(token) == 401:
            return
        time.sleep(0.05)
    raise AssertionError("the token of a session that has ended is still taken")


def address(name):
    return f"{name}-{uuid.uuid4().hex[:8]}@example.com"


# Two users, one by code and one by link.
users = {}
for name, how in [("ada", "code"), ("ben", "link")]:
    to, user = address(name), client()
    pending = user.auth.sign_up({"email": to, "password": PASSWORD, "options": {"data": {"name": name}}})
    assert pending.session is None and pending.user.email == to
    refused("email_not_confirmed", user.auth.sign_in_with_password, {"email": to, "password": PASSWORD})
    code, link = letter(to)
    if how == "code":
        user.auth.verify_otp({"email": to, "token": code, "type": "signup"})
    else:
        assert "access_token=" in follow(link).fragment
    session = user.auth.sign_in_with_password({"email": to, "password": PASSWORD}).session
    assert claims(session)["sub"] == session.user.id and session.user.user_metadata["name"] == name
    user.table("notes").insert({"title": name, "body": "-"}).execute()
    users[name] = (user, to, session)
for name, (user, _, session) in users.items():
    assert [row["title"] for row in user.table("notes").select("title").execute().data] == [name]
    assert tool_status(session.access_token) == 200
ada, ada_to, _ = users["ada"]
ben, ben_to, bens = users["ben"]
refused("invalid_credentials", client().auth.sign_in_with_password, {"email": ada_to, "password": "wrong"})

# Refresh, update, sign out.
before = ada.auth.get_session()
after = ada.auth.refresh_session().session
assert before.refresh_token != after.refresh_token and claims(before)["session_id"] == claims(after)["session_id"]
assert ada.auth.update_user({"data": {"name": "Ada L."}}).user.user_metadata["name"] == "Ada L."
ada.auth.update_user({"password": PASSWORD + "!"})
second = client()
seconds = second.auth.sign_in_with_password({"email": ada_to, "password": PASSWORD + "!"}).session
second.auth.sign_out({"scope": "others"})
ended(after.access_token)
assert tool_status(seconds.access_token) == 200
second.auth.sign_out({"scope": "global"})
ended(seconds.access_token)

# A code, a link with PKCE, an anonymous user.
ben.auth.sign_in_with_otp({"email": ben_to})
code, _ = letter(ben_to)
assert ben.auth.verify_otp({"email": ben_to, "token": code, "type": "email"}).user.email == ben_to
pkce = client("pkce")
pkce.auth.sign_in_with_otp({"email": ben_to, "options": {"email_redirect_to": "http://localhost:3000/callback"}})
back = follow(letter(ben_to)[1])
assert back.path == "/callback" and not back.fragment
assert pkce.auth.exchange_code_for_session({"auth_code": back.params["code"]}).session.user.email == ben_to
guest = client().auth.sign_in_anonymously()
assert guest.user.is_anonymous and claims(guest.session)["is_anonymous"]

# A second factor.
factor = ben.auth.mfa.enroll({"factor_type": "totp", "friendly_name": "phone"})
ben.auth.mfa.challenge_and_verify({"factor_id": factor.id, "code": totp(factor.totp.secret)})
assert ben.auth.mfa.get_authenticator_assurance_level().current_level == "aal2"
ben.auth.mfa.unenroll({"factor_id": factor.id})

# The app's back end.
admin = client(key=SERVICE_KEY).auth.admin
to = address("cy")
cy = admin.create_user({"email": to, "password": PASSWORD, "email_confirm": True, "app_metadata": {"plan": "pro"}}).user
assert admin.get_user_by_id(cy.id).user.app_metadata["plan"] == "pro"
assert len(admin.list_users(page=1, per_page=2)) == 2
session = client().auth.sign_in_with_password({"email": to, "password": PASSWORD}).session
admin.delete_user(cy.id)
ended(session.access_token)

print(json.dumps({"done": True}))
