// Ada uses an app that was moved from a Supabase project, with supabase-js: she signs in with the password of before, and finds her
// profile, her rows, her file and the channel of her team.
//
// BASE_URL, KEY (the anon key), PASSWORD, PACKAGES (the folder that has node_modules).
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const { BASE_URL, KEY, PASSWORD, PACKAGES } = process.env;
const { createClient } = createRequire(`${PACKAGES}/package.json`)('@supabase/supabase-js');
const supabase = createClient(BASE_URL, KEY, { auth: { persistSession: false, autoRefreshToken: false } });
const ok = async (query) => {
  const { data, error } = await query;
  assert.equal(error, null, JSON.stringify(error));
  return data;
};

const { user } = await ok(supabase.auth.signInWithPassword({ email: 'ada@example.com', password: PASSWORD }));
assert.equal(user.created_at.slice(0, 10), '2025-02-01');
const profile = await ok(supabase.from('profiles').select('full_name, avatar_path').eq('id', user.id).single());
assert.equal(profile.full_name, 'Ada L.');

const notes = await ok(supabase.from('notes').select('title').eq('id', 1));
assert.deepEqual(notes, [{ title: 'Seeds' }]);
const [added] = await ok(supabase.from('notes').insert({ title: 'Moved', body: 'carried over' }).select('title, owner_id'));
assert.deepEqual(added, { title: 'Moved', owner_id: user.id });
const found = await ok(supabase.from('notes').select('title').textSearch('words', 'carry'));
assert.deepEqual(found, [{ title: 'Moved' }]);
const near = await ok(supabase.rpc('match_documents', { query_embedding: '[1, 0.1, 0]', match_count: 1 }));
assert.equal(near[0].content, 'about beans');

const { data: avatar } = supabase.storage.from('avatars').getPublicUrl(profile.avatar_path);
assert.match(await (await fetch(avatar.publicUrl)).text(), /<circle/);
const letter = await ok(supabase.storage.from('documents').download(`${user.id}/letters/to bob.txt`));
assert.equal(await letter.text(), 'Dear Bob\n');

await supabase.realtime.setAuth();
const heard = [];
const channel = supabase.channel('team:1', { config: { private: true } });
channel.on('broadcast', { event: 'task_added' }, ({ payload }) => heard.push(payload.title));
const status = await new Promise((resolve) => channel.subscribe((status, error) => resolve([status, error?.message])));
assert.deepEqual(status, ['SUBSCRIBED', undefined]);
await ok(supabase.rpc('add_task', { team: 1, task_title: 'Tie the peas' }));
for (let tries = 0; tries < 400 && !heard.length; tries++) await sleep(25);
assert.deepEqual(heard, ['Tie the peas']);
await supabase.removeAllChannels();

console.log(JSON.stringify({ done: true, node: process.version }));
process.exit();
