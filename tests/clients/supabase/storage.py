"""Two users keep files with supabase-py: the same walk as storage.mjs, shorter.

BASE_URL, KEY (the anon key), SERVICE_KEY, ALICE and BOB (tokens)."""

import base64
import json
import os

import httpx
from storage3.exceptions import StorageApiError
from supabase import ClientOptions, create_client

BASE_URL, KEY = os.environ["BASE_URL"], os.environ["KEY"]


def signed_in(token):
    return create_client(BASE_URL, KEY, ClientOptions(headers={"Authorization": f"Bearer {token}"})).storage


def subject(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["sub"]


def refused(status, call, *arguments):
    try:
        answer = call(*arguments)
    except StorageApiError as error:
        assert str(error.status) == status, error
        return
    raise AssertionError(f"expected {status}, got {answer}")


alice, bob = signed_in(os.environ["ALICE"]), signed_in(os.environ["BOB"])
anon, service = create_client(BASE_URL, KEY).storage, create_client(BASE_URL, os.environ["SERVICE_KEY"]).storage
A, B = subject(os.environ["ALICE"]), subject(os.environ["BOB"])
hers, his, nobodys = (user.from_("drawers") for user in (alice, bob, anon))

# Buckets, by the app's back end.
service.create_bucket("drawers", options={"public": False, "file_size_limit": 1_000_000})
service.create_bucket("posters", options={"public": True, "allowed_mime_types": ["text/plain"]})
refused("409", service.create_bucket, "drawers")
refused("403", alice.create_bucket, "mine")
drawers = service.get_bucket("drawers")
assert (drawers.public, drawers.file_size_limit, drawers.allowed_mime_types) == (False, 1_000_000, None), drawers
service.update_bucket("drawers", {"public": False, "file_size_limit": 500_000})
assert {one.id: one.file_size_limit for one in service.list_buckets()} == {"drawers": 500_000, "posters": None}
assert alice.list_buckets() == []

# Upload, replace, limits.
options = {"content-type": "text/plain", "cache-control": "60", "metadata": {"kind": "note"}}
assert hers.upload(f"{A}/a.txt", b"one", options).full_path == f"drawers/{A}/a.txt"
hers.upload(f"{A}/deep/script.py", __file__, {"content-type": "text/x-python"})
his.upload(f"{B}/b.txt", b"bob's")
refused("409", hers.upload, f"{A}/a.txt", b"two")
hers.upload(f"{A}/a.txt", b"two", {**options, "upsert": "true"})
assert hers.download(f"{A}/a.txt") == b"two"
hers.update(f"{A}/a.txt", b"three", options)
assert hers.download(f"{A}/a.txt") == b"three"
with open(__file__, "rb") as script:
    assert hers.download(f"{A}/deep/script.py") == script.read()
refused("413", hers.upload, f"{A}/large.bin", bytes(500_001))
refused("415", alice.from_("posters").upload, f"{A}/a.png", b"png", {"content-type": "image/png"})

# Info, exists, lists.
info = hers.info(f"{A}/a.txt")
assert (info["size"], info["content_type"], info["cache_control"]) == (5, "text/plain", "max-age=60"), info
assert info["metadata"] == {"kind": "note"} and info["bucket_id"] == "drawers", info
assert hers.exists(f"{A}/a.txt") and not hers.exists(f"{A}/nothing.txt")
assert [one["name"] for one in hers.list(A)] == ["a.txt", "deep"]
assert [one["name"] for one in hers.list(A, {"search": "a", "sortBy": {"column": "name", "order": "desc"}})] == ["a.txt"]
page = hers.list_v2({"prefix": f"{A}/", "limit": 1})
assert [one.name for one in page.objects] == [f"{A}/a.txt"] and page.hasNext, page
rest = hers.list_v2({"prefix": f"{A}/", "limit": 1, "cursor": page.nextCursor})
assert [one.name for one in rest.objects] == [f"{A}/deep/script.py"] and not rest.hasNext, rest
level = hers.list_v2({"prefix": f"{A}/", "with_delimiter": True})
assert [one.name for one in level.folders] == [f"{A}/deep/"], level

# Copy and move.
hers.copy(f"{A}/a.txt", f"{A}/copy.txt")
hers.move(f"{A}/copy.txt", f"{A}/moved.txt")
assert hers.download(f"{A}/moved.txt") == b"three"
refused("404", hers.download, f"{A}/copy.txt")
refused("409", hers.move, f"{A}/moved.txt", f"{A}/a.txt")

# Addresses: public, signed, for uploads.
alice.from_("posters").upload(f"{A}/poster.txt", b"poster", {"content-type": "text/plain"})
assert httpx.get(alice.from_("posters").get_public_url(f"{A}/poster.txt")).text == "poster"
assert httpx.get(hers.get_public_url(f"{A}/a.txt")).status_code == 400
assert httpx.get(hers.create_signed_url(f"{A}/a.txt", 60)["signedUrl"]).text == "three"
named = httpx.get(hers.create_signed_url(f"{A}/a.txt", 60, {"download": "x.txt"})["signedUrl"])
assert named.text == "three" and "x.txt" in named.headers["content-disposition"], named.headers
many = hers.create_signed_urls([f"{A}/a.txt", f"{B}/b.txt"], 60)
assert httpx.get(many[0]["signedUrl"]).text == "three" and many[1]["signedUrl"] is None and many[1]["error"], many
slot = hers.create_signed_upload_url(f"{A}/signed.txt")
assert nobodys.upload_to_signed_url(f"{A}/signed.txt", slot["token"], b"signed").full_path == f"drawers/{A}/signed.txt"
assert hers.download(f"{A}/signed.txt") == b"signed"
refused("400", nobodys.upload_to_signed_url, f"{A}/other.txt", slot["token"], b"x")

# Nobody else gets anything.
for other in (his, nobodys):
    refused("404", other.download, f"{A}/a.txt")
    refused("404", other.info, f"{A}/a.txt")
    assert not other.exists(f"{A}/a.txt")
    assert other.list(A) == [] and other.list_v2({"prefix": A}).objects == []
    refused("404", other.create_signed_url, f"{A}/a.txt", 60)
    refused("403", other.create_signed_upload_url, f"{A}/new.txt")
    refused("403", other.upload, f"{A}/new.txt", b"x")
    refused("403", other.update, f"{A}/a.txt", b"x")
    refused("404", other.move, f"{A}/a.txt", f"{B}/a.txt")
    refused("404", other.copy, f"{A}/a.txt", f"{B}/a.txt")
    assert other.remove([f"{A}/a.txt"]) == []
assert hers.download(f"{A}/a.txt") == b"three"

# Remove, and the buckets.
assert [one["name"] for one in hers.remove([f"{A}/a.txt", f"{A}/nothing.txt", f"{B}/b.txt"])] == [f"{A}/a.txt"]
assert his.download(f"{B}/b.txt") == b"bob's"
refused("409", service.delete_bucket, "drawers")
for name in ("drawers", "posters"):
    service.empty_bucket(name)
    service.delete_bucket(name)
assert service.list_buckets() == []
print(json.dumps({"done": True}))
