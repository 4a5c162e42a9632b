// The platform's recipe for files in a chat, with the user's token where the recipe has the service key: upload a source, wait until
// it is read, note it in a table of the app's, and keep the file itself in the app's own bucket.
//
// BASE_URL, KEY (the anon key), ALICE and BOB (tokens), PACKAGES (the folder that has node_modules).
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const { BASE_URL, KEY, ALICE, BOB, PACKAGES } = process.env;
const packages = createRequire(`${PACKAGES}/package.json`);
const { createClient } = packages('@supabase/supabase-js');

// Node.js 20 has no WebSocket, and nothing here needs one.
class NoSocket {}
const as = (token) => createClient(BASE_URL, KEY, { accessToken: async () => token, realtime: { transport: NoSocket } });
const subject = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sub;

const call = async (token, path, options = {}) => {
  const answer = await fetch(`${BASE_URL}${path}`, {
    ...options,
    headers: { apikey: KEY, Authorization: `Bearer ${token}`, ...options.headers },
  });
  const text = await answer.text();
  return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : text };
};

const ok = async (query) => {
  const { data, error } = await query;
  assert.equal(error, null, error && JSON.stringify({ message: error.message, ...error }));
  return data;
};

// The steps of the recipe, for one user and one file.
const ingest = async (token, file) => {
  const [client, user] = [as(token), subject(token)];
  const form = new FormData();
  form.append('file', file);
  form.append('name', file.name);
  form.append('metadata', JSON.stringify({ user_id: user }));
  const uploaded = await call(token, '/api/sources/upload', { method: 'POST', body: form });
  assert.equal(uploaded.status, 201, JSON.stringify(uploaded.body));
  assert.equal(uploaded.body.extraction_status, 'pending');
  const id = uploaded.body.id;
  await ok(client.from('documents').insert({ source_id: id, owner_id: user, title: file.name }));
  for (let tries = 0; ; tries++) {
    const { body } = await call(token, `/api/sources/${id}`);
    if (body.extraction_status === 'extracted') break;
    assert.ok(['pending', 'extracting'].includes(body.extraction_status) && tries < 600, JSON.stringify(body));
    await new Promise((go) => setTimeout(go, 100));
  }
  await ok(client.storage.from('attachments').upload(`${user}/${id}/${file.name}`, file, { contentType: file.type }));
  return id;
};

const file = (name, type, text) => new File([text], name, { type });
const letter = file('letter.md', 'text/markdown', '# A letter\n\nDear Bob, the garden is in bloom.\n');
const table = file('sums.csv', 'text/csv', 'month,sum\nMay,12\nJune,14\n');
const hers = await ingest(ALICE, letter);
const more = await ingest(ALICE, table);
const his = await ingest(BOB, letter);
assert.equal(new Set([hers, more, his]).size, 3, 'the same file of two users is two sources');

// Each sees their own, in every interface.
for (const [token, own, others] of [[ALICE, [hers, more], [his]], [BOB, [his], [hers, more]]]) {
  const [client, user] = [as(token), subject(token)];
  const rows = await ok(client.from('documents').select('source_id'));
  assert.deepEqual(rows.map((row) => row.source_id).sort(), [...own].sort());
  const list = await call(token, '/api/sources');
  assert.deepEqual(list.body.sources.map((source) => source.id).sort(), [...own].sort());
  const folders = await ok(client.storage.from('attachments').list(user));
  assert.deepEqual(folders.map((folder) => folder.name).sort(), [...own].sort());
  for (const id of others) {
    for (const path of ['', '/page-texts', '/download']) {
      assert.equal((await call(token, `/api/sources/${id}${path}`)).status, 404, path);
    }
  }
}
const texts = await call(ALICE, `/api/sources/${hers}/page-texts`);
assert.match(texts.body.page_texts.join('\n'), /the garden is in bloom/);
const again = await call(ALICE, '/api/sources/upload', {
  method: 'POST',
  body: (() => { const form = new FormData(); form.append('file', letter); return form; })(),
});
assert.equal(again.status, 409);
assert.deepEqual([again.body.error, again.body.duplicate.id], ['duplicate_source', hers]);

console.log(JSON.stringify({ done: true, node: process.version }));
