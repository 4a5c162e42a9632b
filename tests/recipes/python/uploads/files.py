"""Files of two users, and what neither may do with the other's, for the walks of this recipe."""

from app import ANON_KEY, admin, call, get, headers, http, post
from walk import ANYBODY, fails, is_none, refused, rows_of

QUESTION = "Which colour has the anchor of the boat?"


def document_of(person, more):
    text = f"# Boat\n\nThe anchor of the boat is {more}. Its berth is {person.canary}.\n"
    return ("boat.md", text.encode(), "text/markdown")


def picture_of(person):
    return ("boat.gif", f"GIF89a {person.canary}".encode(), "image/gif")


def reaches_no_source(own, other, source):
    """Nobody reads or changes a source of the other's."""
    of = f"/api/sources/{source}"
    for path in ("", "/page-texts", "/page-texts?page=1", "/download", "/events", "/derivatives/markdown/download"):
        refused([404], get, of + path, own.token)
    for path in ("/download-url", "/cancel", "/reextract"):
        refused([404], post, of + path, own.token, {})
    refused([404], call, "PATCH", of, own.token, {"name": "mine"})
    refused([404], call, "DELETE", of, own.token)
    for path in ("", "?q=boat", "?status=extracted"):
        assert source not in str(get(f"/api/sources{path}", own.token))
    for table in ("sources", "source_pages", "chunks"):
        is_none(rows_of(own, "ai", table), other)
    for token in ANYBODY:
        refused([401, 403], get, of, token)


def reaches_no_file(own, other, path):
    """Nobody reads, writes, moves or signs a file of the other's, by any request of the storage."""
    bucket, mine = own.supabase.storage.from_("attachments"), f"{own.id}/taken.gif"
    fails(bucket.download, path)
    fails(bucket.create_signed_url, path, 60)
    fails(bucket.info, path)
    assert not bucket.exists(path)
    assert bucket.list(other.id) == bucket.list(f"{other.id}/") == []
    assert [folder["name"] for folder in bucket.list("")] == [own.id]
    fails(bucket.upload, path, b"forged")
    fails(bucket.upload, path, b"forged", {"upsert": "true"})
    fails(bucket.update, path, b"forged")
    # The client itself refuses this path. The host takes it as a name in the uploader's own folder: no name is a way to somewhere.
    tricky = f"/storage/v1/object/attachments/{own.id}/%2E%2E/{other.id}/forged.gif"
    http.post(tricky, headers=headers(own.token), content=b"forged")
    fails(bucket.move, path, mine)
    fails(bucket.copy, path, mine)
    fails(bucket.create_signed_upload_url, path)
    assert bucket.remove([path]) == []
    for key in (own.token, ANON_KEY):
        for way in ("authenticated/", "public/", ""):
            answer = http.get(f"/storage/v1/object/{way}attachments/{path}", headers=headers(key))
            assert answer.status_code >= 400, answer.status_code
            is_none(answer.text, other)
    is_none(rows_of(own, "storage", "objects"), other)
    # It is there as it was, and nothing else is.
    theirs = other.supabase.storage.from_("attachments")
    assert other.canary.encode() in theirs.download(path)
    assert "forged" not in str(theirs.list(other.id))


def reaches_no_platform_bucket(own, source):
    """The bucket in which the platform keeps documents does not exist for anybody."""
    for client in (own.supabase, admin):
        bucket = client.storage.from_("sources")
        fails(bucket.download, f"{source}/original/boat.md")
        fails(bucket.upload, "x.md", b"x")
        answer = http.post("/storage/v1/object/list/sources", headers=headers(own.token), json={"prefix": ""})
        assert answer.status_code >= 400 or answer.json() == [], answer.text
        fails(client.storage.create_bucket, "sources")
