// Two users meet in channels with supabase-js, each at a host of its own: broadcasts, presence, stored messages and changes of tables,
// and what each does not get of the other.
//
// BASE_URL and OTHER_URL (two hosts of one project), KEY (the anon key), ALICE and BOB (tokens), PACKAGES (the folder that has
// node_modules). Of room:both Alice and Bob are members, and Bob of room:quiet without the right to speak; of room:hers Alice alone is one.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const { BASE_URL, OTHER_URL, KEY, ALICE, BOB, PACKAGES } = process.env;
const packages = createRequire(`${PACKAGES}/package.json`);
const { createClient } = packages('@supabase/supabase-js');
// Node.js 20 has no WebSocket.
const transport = globalThis.WebSocket ?? packages('ws');
const options = { auth: { persistSession: false, autoRefreshToken: false }, realtime: { transport } };
const all = [];
const client = async (url, token) => {
  const one = createClient(url, KEY, token ? { ...options, accessToken: async () => token } : options);
  await one.realtime.setAuth();
  all.push(one);
  return one;
};
const [alice, bob, anon] = [await client(BASE_URL, ALICE), await client(OTHER_URL, BOB), await client(OTHER_URL)];

const said = (channel) => new Promise((resolve) => channel.subscribe((status, error) => resolve([status, error])));
const join = async (channel) => {
  const [status, error] = await said(channel);
  assert.equal(status, 'SUBSCRIBED', `${channel.topic}: ${error?.message}`);
  return channel;
};
const refused = async (channel) => {
  const [status, error] = await said(channel);
  assert.equal(status, 'CHANNEL_ERROR', channel.topic);
  assert.match(error.message, /Unauthorized/);
  await channel.unsubscribe();
};
const until = async (what, check) => {
  for (let tries = 0; tries < 400; tries++) {
    if (await check()) return;
    await sleep(25);
  }
  assert.fail(`in vain: ${what}`);
};
// A channel with all that it heard.
const heard = (user, topic, config = {}) => {
  const channel = user.channel(topic, { config });
  channel.heard = [];
  channel.on('broadcast', { event: '*' }, ({ event, payload, meta }) => channel.heard.push({ event, payload, meta }));
  return channel;
};
const send = (channel, event, payload) => channel.send({ type: 'broadcast', event, payload });
const words = (channel) => channel.heard.map(({ payload }) => payload.words);

// A public room. Nobody hears themselves unless they ask for it, and order holds across hosts.
const lobby = await join(heard(alice, 'lobby', { broadcast: { self: true, ack: true } }));
const bobs = await join(heard(bob, 'lobby'));
const anons = await join(heard(anon, 'lobby'));
for (let n = 0; n < 40; n++) assert.equal(await send(lobby, 'count', { words: n }), 'ok');
assert.equal(await send(bobs, 'reply', { words: 'Grüße 👋', deep: { list: [1, null, 'ü'] } }), 'ok');
const counted = [...Array(40).keys()];
for (const channel of [lobby, bobs, anons]) {
  await until(`counting at ${channel.topic}`, () => words(channel).filter((one) => one !== 'Grüße 👋').length === 40);
  assert.deepEqual(words(channel).filter((one) => one !== 'Grüße 👋'), counted);
}
await until('a reply across hosts', () => lobby.heard.some(({ event }) => event === 'reply'));
assert.deepEqual(lobby.heard.find(({ event }) => event === 'reply').payload, { words: 'Grüße 👋', deep: { list: [1, null, 'ü'] } });
assert.ok(!bobs.heard.some(({ event }) => event === 'reply'), 'Bob did not ask for his own');

// By HTTP, without a join.
assert.deepEqual(await alice.channel('lobby-too').httpSend('posted', { words: 'to nobody' }), { success: true });
assert.deepEqual(await heard(bob, 'elsewhere').httpSend('posted', { words: 'x' }), { success: true });
const posted = await fetch(`${BASE_URL}/realtime/v1/api/broadcast`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json', apikey: KEY },
  body: JSON.stringify({ messages: [{ topic: 'lobby', event: 'posted', payload: { words: 'by post' } }] }),
});
assert.equal(posted.status, 202, await posted.text());
await until('a posted message', () => words(bobs).includes('by post') && words(lobby).includes('by post'));

// Private rooms: members hear, those who may speak do, and the public room of the same name is another.
const outside = await join(heard(bob, 'room:hers'));
await refused(bob.channel('room:both:not', { config: { private: true } }));
await refused(anon.channel('room:both', { config: { private: true } }));
const both = await join(heard(alice, 'room:both', { private: true, broadcast: { ack: true } }));
const hisBoth = await join(heard(bob, 'room:both', { private: true }));
assert.equal(await send(both, 'said', { words: 'among us' }), 'ok');
await until('a private message', () => words(hisBoth).includes('among us'));
const hers = await join(heard(alice, 'room:hers', { private: true, broadcast: { self: true, ack: true } }));
assert.equal(await send(hers, 'said', { words: 'mine' }), 'ok');
await until('her own message', () => words(hers).includes('mine'));
const quiet = await join(heard(alice, 'room:quiet', { private: true }));
const hisQuiet = await join(heard(bob, 'room:quiet', { private: true }));
await send(hisQuiet, 'said', { words: 'I may not' });
await send(quiet, 'said', { words: 'I may' });
await until('who may speak', () => words(hisQuiet).includes('I may'));
assert.deepEqual(words(quiet), [], 'Bob only hears');
assert.deepEqual(await both.httpSend('said', { words: 'by post' }), { success: true });
await until('a private message by HTTP', () => words(hisBoth).includes('by post'));
await bob.removeChannel(outside);
const hisPost = bob.channel('room:hers', { config: { private: true } });
await hisPost.httpSend('said', { words: 'from outside' }).catch(() => {});
const publicly = anon.channel('room:hers');
await publicly.httpSend('said', { words: 'from the public room' });

// Stored messages, with the rights of whoever calls the function, and again for who comes later.
const since = Date.now() - 1000;
assert.equal((await alice.rpc('say', { room: 'room:both', words: 'stored' })).error, null);
assert.equal((await bob.rpc('say', { room: 'room:hers', words: 'not stored' })).error, null, 'a refusal is a warning');
await until('a stored message', () => words(both).includes('stored') && words(hisBoth).includes('stored'));
assert.deepEqual(words(hers), ['mine'], 'Bob reaches her room in no way');
await bob.removeChannel(hisBoth);
const late = await join(heard(bob, 'room:both', { private: true, broadcast: { replay: { since, limit: 25 } } }));
await until('a replayed message', () => late.heard.some(({ payload, meta }) => payload.words === 'stored' && meta?.replayed));
assert.ok(!words(late).includes('among us'), 'what clients send is not stored');

// Presence, across hosts.
const here = (channel) => Object.entries(channel.presenceState()).map(([key, metas]) => `${key}:${metas.map(({ mood }) => mood)}`).sort();
const arrivals = [];
const alicesDesk = alice.channel('desk', { config: { presence: { key: 'alice' } } });
alicesDesk.on('presence', { event: 'join' }, ({ key }) => arrivals.push(`+${key}`));
alicesDesk.on('presence', { event: 'leave' }, ({ key }) => arrivals.push(`-${key}`));
await join(alicesDesk);
assert.equal(await alicesDesk.track({ mood: 'fine' }), 'ok');
const bobsDesk = bob.channel('desk', { config: { presence: { key: 'bob' } } });
bobsDesk.on('presence', { event: 'sync' }, () => {});
await join(bobsDesk);
await until('who was there before', () => here(bobsDesk).includes('alice:fine'));
assert.equal(await bobsDesk.track({ mood: 'tired' }), 'ok');
for (const desk of [alicesDesk, bobsDesk]) {
  await until('both at the desk', () => here(desk).join() === 'alice:fine,bob:tired');
}
// The client for Node 20 (2.109) forgets the references of what a change replaces, with any server, and keeps both.
const mood = process.versions.node.startsWith('20.') ? 'tired' : 'awake';
if (mood === 'awake') {
  assert.equal(await bobsDesk.track({ mood }), 'ok');
  await until('a change of mood', () => here(alicesDesk).join() === 'alice:fine,bob:awake');
}
assert.equal(await alicesDesk.untrack(), 'ok');
await until('Alice is gone', () => here(bobsDesk).join() === `bob:${mood}`);
await bob.removeChannel(bobsDesk);
await until('Bob is gone', () => here(alicesDesk).length === 0);
assert.deepEqual([arrivals.includes('+bob'), arrivals.at(-1)], [true, '-bob']);

// Changes of tables: each their own rows, and by filter.
const changes = async (user, filter) => {
  const channel = user.channel(`tasks-${filter}-${all.indexOf(user)}`);
  channel.seen = [];
  const wanted = { event: '*', schema: 'public', table: 'tasks', ...(filter && { filter }) };
  let ready = false;
  channel.on('system', {}, ({ extension, status }) => (ready ||= extension === 'postgres_changes' && status === 'ok'));
  channel.on('postgres_changes', wanted, (change) => channel.seen.push(change));
  await join(channel);
  await until('changes are followed', () => ready);
  return channel;
};
const [hersAll, hersWork, hisAll, nobodys] = [
  await changes(alice),
  await changes(alice, 'list=eq.work'),
  await changes(bob),
  await changes(anon),
];
const ok = async (query) => {
  const { data, error } = await query;
  assert.equal(error, null, JSON.stringify(error));
  return data;
};
const [report] = await ok(alice.from('tasks').insert({ list: 'work', title: 'report' }).select());
const [milk] = await ok(alice.from('tasks').insert({ list: 'home', title: 'milk' }).select());
const [bike] = await ok(bob.from('tasks').insert({ list: 'work', title: 'bike' }).select());
// A row is judged as it is then, so one that is already gone is told to nobody.
await until('what is new', () => hersAll.seen.length >= 2 && hersWork.seen.length >= 1 && hisAll.seen.length >= 1);
await ok(alice.from('tasks').update({ title: 'long report' }).eq('id', report.id));
await ok(alice.from('tasks').delete().eq('id', milk.id));
const kinds = (channel) => channel.seen.map(({ eventType, new: row, old }) => `${eventType} ${row?.title ?? old.id}`);
await until('all changes', () => hersAll.seen.length >= 4 && hersWork.seen.length >= 2 && hisAll.seen.length >= 2);
assert.deepEqual(kinds(hersAll), ['INSERT report', 'INSERT milk', 'UPDATE long report', `DELETE ${milk.id}`]);
assert.deepEqual(kinds(hersWork).slice(0, 2), ['INSERT report', 'UPDATE long report']);
const update = hersAll.seen[2];
assert.deepEqual([update.new.id, update.new.owner, update.old.id, update.schema, update.table], [report.id, report.owner, report.id, 'public', 'tasks']);
assert.ok(update.commit_timestamp && update.errors === null, JSON.stringify(update));
// Policies cannot judge a row that is gone: everybody hears its key, and nothing else of it.
assert.deepEqual(kinds(hisAll), ['INSERT bike', `DELETE ${milk.id}`]);
assert.deepEqual(hisAll.seen[1].old, { id: milk.id });
assert.ok(nobodys.seen.every(({ eventType }) => eventType === 'DELETE'), JSON.stringify(nobodys.seen));
assert.equal(bike.title, 'bike');

// Whoever left hears nothing.
await alice.removeChannel(lobby);
const before = lobby.heard.length;
assert.equal(await send(bobs, 'after', { words: 'after' }), 'ok');
await until('those who stayed', () => words(anons).includes('after'));
assert.equal(lobby.heard.length, before);

for (const one of all) {
  await one.removeAllChannels();
  await one.realtime.disconnect();
}
console.log(JSON.stringify({ node: process.version, done: true }));
process.exit(0);
