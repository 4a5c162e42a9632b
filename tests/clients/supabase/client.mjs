// Two users with supabase-js: rows, embeddings, upserts, functions and counts, and what each does not see of the other.
//
// BASE_URL, KEY (the anon key), ALICE and BOB (tokens), PACKAGES (the folder that has node_modules).
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const { BASE_URL, KEY, ALICE, BOB, PACKAGES } = process.env;
const { createClient } = createRequire(`${PACKAGES}/package.json`)('@supabase/supabase-js');

// Node.js 20 has no WebSocket, and nothing here needs one.
class NoSocket {}
const as = (token) =>
  createClient(BASE_URL, KEY, { accessToken: async () => token, realtime: { transport: NoSocket } });
const [alice, bob] = [as(ALICE), as(BOB)];
const anon = createClient(BASE_URL, KEY, { auth: { persistSession: false }, realtime: { transport: NoSocket } });

const ok = async (query, status) => {
  const answer = await query;
  assert.equal(answer.error, null, JSON.stringify(answer.error));
  if (status) assert.equal(answer.status, status);
  return answer;
};
const refused = async (query, code, status) => {
  const { error, status: given } = await query;
  assert.ok(error, `expected ${code}`);
  assert.equal(error.code, code, JSON.stringify(error));
  assert.equal(given, status);
  for (const member of ['message', 'details', 'hint']) assert.ok(member in error, member);
};

// Insert, one and several.
await ok(alice.from('lists').insert({ id: 1, name: 'Garden' }), 201);
await ok(bob.from('lists').insert({ id: 2, name: 'Car' }), 201);
const { data: inserted } = await ok(
  alice.from('items').insert([
    { id: 1, list_id: 1, title: 'plant tomatoes', tags: ['spring', 'a,b'], details: { beds: [1, 2] } },
    { id: 2, list_id: 1, title: 'water "them"', tags: [], details: null },
    { id: 3, list_id: 1, title: 'harvest', tags: ['autumn'], details: { beds: [2] } },
  ]).select('id, title'),
  201,
);
assert.deepEqual(inserted.map((row) => row.id), [1, 2, 3]);
await ok(bob.from('items').insert({ id: 10, list_id: 2, title: 'mend brakes' }).select().single(), 201);
await ok(alice.from('item_labels').insert([{ item_id: 1, label: 'urgent' }, { item_id: 3, label: 'later' }]), 201);

// Nobody writes for another.
await refused(bob.from('lists').insert({ id: 3, name: 'x', owner_id: '00000000-0000-4000-8000-000000000000' }), '42501', 403);
await refused(bob.from('item_labels').insert({ item_id: 1, label: 'urgent' }), '42501', 403);
await refused(alice.from('lists').insert({ id: 1, name: 'again' }), '23505', 409);

// Each sees their own.
for (const [user, own] of [[alice, ['harvest', 'plant tomatoes', 'water "them"']], [bob, ['mend brakes']]]) {
  const { data } = await ok(user.from('items').select('title').order('title'), 200);
  assert.deepEqual(data.map((row) => row.title), own);
}
await refused(anon.from('items').select(), '42501', 401);
const { data: labels } = await ok(anon.from('labels').select('name').order('name'));
assert.deepEqual(labels, [{ name: 'later' }, { name: 'urgent' }]);

// Embedding, both ways and through a junction.
const { data: list } = await ok(
  alice.from('lists').select('name, items(title, labels(name))').eq('id', 1).order('id', { referencedTable: 'items' }).single(),
);
assert.deepEqual(list, {
  name: 'Garden',
  items: [
    { title: 'plant tomatoes', labels: [{ name: 'urgent' }] },
    { title: 'water "them"', labels: [] },
    { title: 'harvest', labels: [{ name: 'later' }] },
  ],
});
const { data: inner } = await ok(
  alice.from('items').select('id, lists!inner(name)').eq('lists.name', 'Garden').limit(1).order('id', { ascending: false }),
);
assert.deepEqual(inner, [{ id: 3, lists: { name: 'Garden' } }]);

// Filters.
const ids = async (query) => (await ok(query.order('id'))).data.map((row) => row.id);
const items = () => alice.from('items').select('id');
assert.deepEqual(await ids(items().in('title', ['water "them"', 'harvest'])), [2, 3]);
assert.deepEqual(await ids(items().contains('tags', ['spring'])), [1]);
assert.deepEqual(await ids(items().contains('details', { beds: [2] })), [1, 3]);
assert.deepEqual(await ids(items().is('details', null)), [2]);
assert.deepEqual(await ids(items().or('title.eq.harvest,tags.cs.{spring}')), [1, 3]);
assert.deepEqual(await ids(items().not('title', 'ilike', '%TOMATOES%')), [2, 3]);
assert.deepEqual(await ids(items().eq('details->beds->>0', '2')), [3]);
assert.deepEqual(await ids(items().range(1, 2)), [2, 3]);

// Counts.
const counted = await ok(alice.from('items').select('id', { count: 'exact' }).order('id').limit(2));
assert.deepEqual([counted.count, counted.data.length, counted.status], [3, 2, 206]);
const headed = await ok(bob.from('items').select('*', { count: 'exact', head: true }));
assert.deepEqual([headed.count, headed.data], [1, null]);

// Singles.
await refused(alice.from('items').select().eq('id', 10).single(), 'PGRST116', 406);
assert.equal((await ok(alice.from('items').select().eq('id', 10).maybeSingle())).data, null);

// Update and delete reach own rows alone.
const { data: updated } = await ok(alice.from('items').update({ done: true }).eq('id', 3).select('id, done'));
assert.deepEqual(updated, [{ id: 3, done: true }]);
assert.deepEqual((await ok(bob.from('items').update({ done: true }).eq('id', 1).select())).data, []);
assert.equal((await ok(bob.from('items').delete({ count: 'exact' }).gt('id', 0).lt('id', 10))).count, 0);
await ok(alice.from('items').update({ title: 'water them' }).eq('id', 2), 204);

// Upsert.
const { data: merged } = await ok(
  alice.from('items').upsert([
    { id: 2, list_id: 1, title: 'water daily' },
    { id: 4, list_id: 1, title: 'rest' },
  ]).select('id, title').order('id'),
  201,
);
assert.deepEqual(merged.map((row) => row.title), ['water daily', 'rest']);
const { data: kept } = await ok(
  alice.from('items').upsert({ id: 2, list_id: 1, title: 'ignored' }, { onConflict: 'id', ignoreDuplicates: true }).select(),
);
assert.deepEqual(kept, []);
await refused(bob.from('items').upsert({ id: 1, list_id: 2, title: 'stolen' }), '42501', 403);

// Functions.
assert.equal((await ok(alice.rpc('add', { a: 2, b: 3 }))).data, 5);
assert.equal((await ok(alice.rpc('add', { a: 2, b: 3 }, { get: true }))).data, 5);
const open = async (user) => (await ok(user.rpc('open_items').select('id, title').order('id'))).data.map((row) => row.title);
assert.deepEqual(await open(alice), ['plant tomatoes', 'water daily', 'rest']);
assert.deepEqual(await open(bob), ['mend brakes']);
const some = await ok(alice.rpc('open_items', { word: 'water' }, { count: 'exact', get: true }).select('id, lists(name)'));
assert.deepEqual([some.count, some.data], [1, [{ id: 2, lists: { name: 'Garden' } }]]);
assert.equal((await ok(bob.rpc('finish', { list: 1 }))).data, 0);
assert.equal((await ok(alice.rpc('finish', { list: 1 }))).data, 3);
await refused(alice.rpc('nothing_like_it'), 'PGRST202', 404);
await refused(alice.from('nothing_like_it').select(), 'PGRST205', 404);
await refused(alice.from('nothing_like_it').insert({ id: 1 }), 'PGRST205', 404);
await refused(alice.schema('behalf').from('decisions').select(), 'PGRST106', 406);

// CSV.
const { data: csv } = await ok(alice.from('items').select('id, title').eq('id', 1).csv());
assert.equal(csv, 'id,title\n1,"plant tomatoes"');

// Delete, and nothing is left.
assert.equal((await ok(alice.from('lists').delete({ count: 'exact' }).eq('id', 1))).count, 1);
assert.equal((await ok(bob.from('lists').delete({ count: 'exact' }).gt('id', 0))).count, 1);
for (const user of [alice, bob]) assert.deepEqual((await ok(user.from('items').select())).data, []);

console.log(JSON.stringify({ node: process.version, done: true }));
