"""Two users with supabase-py, and one of them with postgrest-py alone: the same walk as client.mjs, shorter.

BASE_URL, KEY (the anon key), ALICE and BOB (tokens)."""

import json
import os

from postgrest import APIError, SyncPostgrestClient
from supabase import ClientOptions, create_client

BASE_URL, KEY = os.environ["BASE_URL"], os.environ["KEY"]


def signed_in(token):
    return create_client(BASE_URL, KEY, ClientOptions(headers={"Authorization": f"Bearer {token}"}))


def refused(query, code):
    try:
        answer = query.execute()
    except APIError as error:
        assert error.code == code, error
        return
    raise AssertionError(f"expected {code}, got {answer}")


alice, bob = signed_in(os.environ["ALICE"]), signed_in(os.environ["BOB"])
anon = create_client(BASE_URL, KEY)
plain = SyncPostgrestClient(f"{BASE_URL}/rest/v1", headers={"apikey": KEY, "Authorization": f"Bearer {os.environ['ALICE']}"})

# Insert, and nobody writes for another.
alice.table("lists").insert({"id": 1, "name": "Garden"}).execute()
bob.table("lists").insert({"id": 2, "name": "Car"}).execute()
rows = [
    {"id": 1, "list_id": 1, "title": "plant tomatoes", "tags": ["spring", "a,b"], "details": {"beds": [1, 2]}},
    {"id": 2, "list_id": 1, "title": 'water "them"', "tags": [], "details": None},
]
assert [row["id"] for row in alice.table("items").insert(rows).execute().data] == [1, 2]
bob.table("items").insert({"id": 10, "list_id": 2, "title": "mend brakes"}).execute()
refused(bob.table("lists").insert({"id": 3, "name": "x", "owner_id": "00000000-0000-4000-8000-000000000000"}), "42501")

# Each sees their own; embedding, filters, counts.
for user, own in [(alice, ["plant tomatoes", 'water "them"']), (bob, ["mend brakes"])]:
    assert [row["title"] for row in user.table("items").select("title").order("id").execute().data] == own
refused(anon.table("items").select("*"), "42501")
embedded = alice.table("lists").select("name, items(title)").eq("id", 1).order("id", foreign_table="items").single().execute()
assert embedded.data == {"name": "Garden", "items": [{"title": "plant tomatoes"}, {"title": 'water "them"'}]}, embedded
assert alice.table("items").select("id").in_("title", ['water "them"', "none"]).execute().data == [{"id": 2}]
assert alice.table("items").select("id").contains("tags", ["spring"]).execute().data == [{"id": 1}]
assert alice.table("items").select("id").or_("id.eq.10,title.like.plant*").execute().data == [{"id": 1}]
counted = alice.table("items").select("id", count="exact").order("id").limit(1).execute()
assert (counted.count, counted.data) == (2, [{"id": 1}])
refused(alice.table("items").select("*").eq("id", 10).single(), "PGRST116")

# Update, upsert, functions.
assert bob.table("items").update({"done": True}).eq("id", 1).execute().data == []
assert alice.table("items").update({"done": True}).eq("id", 1).execute().data[0]["done"] is True
merged = alice.table("items").upsert([{"id": 2, "list_id": 1, "title": "water"}, {"id": 3, "list_id": 1, "title": "rest"}]).execute()
assert [row["title"] for row in merged.data] == ["water", "rest"]
refused(bob.table("items").upsert({"id": 1, "list_id": 2, "title": "stolen"}), "42501")
assert alice.rpc("add", {"a": 2, "b": 3}).execute().data == 5
assert [row["title"] for row in alice.rpc("open_items", {"word": "re"}).execute().data] == ["rest"]
assert bob.rpc("finish", {"list": 1}).execute().data == 0
refused(alice.rpc("nothing_like_it", {}), "PGRST202")

# postgrest-py alone is alice.
assert [row["id"] for row in plain.from_("items").select("id").order("id", desc=True).execute().data] == [3, 2, 1]
assert plain.rpc("add", {"a": 1, "b": 1}).execute().data == 2

# Delete.
assert len(alice.table("lists").delete().eq("id", 1).execute().data) == 1
assert len(bob.table("lists").delete().gt("id", 0).execute().data) == 1
assert alice.table("items").select("*").execute().data == [] == bob.table("items").select("*").execute().data
print(json.dumps({"done": True}))
