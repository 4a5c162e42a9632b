// Users sign up, in and out with supabase-js, in every way that the host offers, and work with REST, tools and runs as themselves.
//
// BASE_URL, KEY (the anon key), SERVICE_KEY, MAILBOX (the folder of letters), PACKAGES (the folder that has node_modules).
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const { BASE_URL, KEY, SERVICE_KEY, MAILBOX, PACKAGES } = process.env;
const { createClient } = createRequire(`${PACKAGES}/package.json`)('@supabase/supabase-js');
const SITE = 'http://localhost:3000';

// Node.js 20 has no WebSocket, and nothing here needs one.
class NoSocket {}
const client = (auth = {}, key = KEY) =>
  createClient(BASE_URL, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false, ...auth },
    realtime: { transport: NoSocket },
  });
const admin = client({}, SERVICE_KEY).auth.admin;

const ok = async (query) => {
  const { data, error } = await query;
  assert.equal(error, null, JSON.stringify(error));
  return data;
};
const refused = async (query, code, status) => {
  const { error } = await query;
  assert.ok(error, `expected ${code}`);
  assert.equal(error.code, code, `${error.status} ${error.message}`);
  if (status) assert.equal(error.status, status, error.message);
  return error;
};

// The mailbox. A letter counts once.
const read = new Set();
const letter = async (to) => {
  for (let tries = 0; tries < 100; tries++) {
    for (const name of readdirSync(MAILBOX).filter((file) => file.endsWith('.eml') && !read.has(file)).sort()) {
      const raw = readFileSync(`${MAILBOX}/${name}`, 'utf8');
      if (!new RegExp(`^To: ${to.replace(/[.+]/g, '\\$&')}\\r?$`, 'im').test(raw)) continue;
      read.add(name);
      const part = raw.split(/^--\S+$/m).find((part) => /^Content-Type: text\/plain/im.test(part));
      const plain = /quoted-printable/i.test(part)
        ? part.replace(/=\r?\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)))
        : part;
      const link = plain.match(/https?:\/\/\S+\/auth\/v1\/verify\?\S+/)?.[0];
      return { code: plain.match(/(?:enter|code):\s*(\d{6})/)[1], link, hash: link && new URL(link).searchParams.get('token') };
    }
    await sleep(50);
  }
  assert.fail(`no letter to ${to}`);
};
// Follows a link as a browser does, and returns where it leads.
const follow = async (link) => {
  const answer = await fetch(link, { redirect: 'manual' });
  assert.equal(answer.status, 303, await answer.text());
  return new URL(answer.headers.get('location'));
};

const claims = (session) => JSON.parse(Buffer.from(session.access_token.split('.')[1], 'base64url'));
const post = async (path, token, body) => {
  const headers = { apikey: KEY, Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const answer = await fetch(BASE_URL + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
};
const titles = async (token) => {
  const query = 'select title from notes order by title';
  const { status, body } = await post('/api/tools/database_query/call', token, { arguments: { query } });
  return status === 200 ? body.result.map((row) => row.title) : status;
};
// Every face refuses a token whose session has ended, soon.
const ended = async (token) => {
  for (let tries = 0; tries < 40; tries++) {
    if ((await titles(token)) === 401) return;
    await sleep(50);
  }
  assert.fail('the token of a session that has ended is still taken');
};
const totp = (secret) => {
  const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac('sha1', key).update(time).digest();
  const at = hash[19] & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
};
const address = (name) => `${name}-${randomUUID().slice(0, 8)}@example.com`;
const [A, B] = [address('ada'), address('ben')];
const PASSWORD = 'mauve lantern 7 xq';

// Sign up: with the code of the letter, and with its link.
const ada = client();
const ben = client();
await refused(ada.auth.signUp({ email: A, password: 'short' }), 'weak_password', 422).then((error) => {
  assert.ok(error.reasons.includes('length'), JSON.stringify(error.reasons));
});
const pending = await ok(ada.auth.signUp({ email: A, password: PASSWORD, options: { data: { name: 'Ada' } } }));
assert.equal(pending.session, null);
assert.equal(pending.user.email, A);
await refused(ada.auth.signInWithPassword({ email: A, password: PASSWORD }), 'email_not_confirmed', 400);
await refused(ada.auth.verifyOtp({ email: A, token: '000000', type: 'signup' }), 'otp_expired', 403);
const first = await letter(A);
const confirmed = await ok(ada.auth.verifyOtp({ email: A, token: first.code, type: 'signup' }));
assert.equal(confirmed.user.user_metadata.name, 'Ada');
await refused(ada.auth.verifyOtp({ email: A, token: first.code, type: 'signup' }), 'otp_expired', 403);
// Whoever signs up with the address of another learns nothing.
const again = await ok(client().auth.signUp({ email: A, password: PASSWORD }));
assert.deepEqual([again.session, again.user.identities.length], [null, 1]);
assert.notEqual(again.user.id, confirmed.user.id);

await ok(ben.auth.signUp({ email: B, password: PASSWORD }));
const { link } = await letter(B);
const landed = await follow(link);
assert.ok(landed.href.startsWith(SITE), landed.href);
const fragment = new URLSearchParams(landed.hash.slice(1));
await ok(ben.auth.setSession({ access_token: fragment.get('access_token'), refresh_token: fragment.get('refresh_token') }));
assert.match((await follow(link)).href, /error_code=otp_expired/);

// Sign in, and claims.
await refused(client().auth.signInWithPassword({ email: A, password: 'wrong' }), 'invalid_credentials', 400);
await refused(client().auth.signInWithPassword({ email: address('nobody'), password: 'wrong' }), 'invalid_credentials', 400);
const { session, user } = await ok(ada.auth.signInWithPassword({ email: A.toUpperCase(), password: PASSWORD }));
const said = claims(session);
assert.deepEqual([said.sub, said.role, said.aud, said.email, said.aal], [user.id, 'authenticated', 'authenticated', A, 'aal1']);
assert.deepEqual([said.amr[0].method, said.is_anonymous, said.app_metadata.provider], ['password', false, 'email']);
assert.equal(user.identities[0].provider, 'email');
assert.equal((await ok(ada.auth.getUser())).user.id, user.id);
assert.equal((await ok(ada.auth.getClaims())).claims.session_id, said.session_id);

// REST, tools and runs, each as themselves.
const { session: bens } = await ok(ben.auth.getSession());
for (const [who, own] of [[ada, 'Ada’s garden'], [ben, 'Ben’s car']]) await ok(who.from('notes').insert({ title: own, body: '…' }));
for (const [who, token, own] of [[ada, session.access_token, 'Ada’s garden'], [ben, bens.access_token, 'Ben’s car']]) {
  assert.deepEqual((await ok(who.from('notes').select('title'))).map((row) => row.title), [own]);
  assert.deepEqual(await titles(token), [own]);
}
const agent = (await post('/api/agents', SERVICE_KEY, { name: `a-${randomUUID()}`, model: 'builtin/extractive' })).body.id;
await post(`/api/agents/${agent}/tools`, SERVICE_KEY, { tool_type: 'builtin', tool_name: 'database_query' });
const message = '/database_query {"query": "select title from notes"}';
const run = (await post(`/api/agents/${agent}/run`, session.access_token, { message })).body;
assert.ok(run.content.includes('Ada’s garden') && !run.content.includes('Ben’s car'), JSON.stringify(run));

// Refresh: the token changes, the session stays.
const refreshed = await ok(ada.auth.refreshSession());
assert.notEqual(refreshed.session.refresh_token, session.refresh_token);
assert.equal(claims(refreshed.session).session_id, said.session_id);
await refused(client().auth.refreshSession({ refresh_token: 'aaaaaaaaaaaa' }), 'refresh_token_not_found', 400);

// Update: metadata, the password, the address. No role comes from a user.
const updated = await ok(ada.auth.updateUser({ data: { name: 'Ada L.', role: 'service_role' } }));
assert.deepEqual([updated.user.user_metadata.name, updated.user.role], ['Ada L.', 'authenticated']);
await refused(ada.auth.updateUser({ password: PASSWORD }), 'same_password', 422);
await ok(ada.auth.updateUser({ password: `${PASSWORD}!` }));
await refused(client().auth.signInWithPassword({ email: A, password: PASSWORD }), 'invalid_credentials', 400);
await ok(client().auth.signInWithPassword({ email: A, password: `${PASSWORD}!` }));
const A2 = address('ada-new');
await ok(ada.auth.updateUser({ email: A2 }));
for (const to of [A2, A]) await follow((await letter(to)).link);
assert.equal((await ok(ada.auth.getUser())).user.email, A2);

// Sign out by scope.
const others = await Promise.all([1, 2].map(async () => {
  const other = client();
  return { other, session: (await ok(other.auth.signInWithPassword({ email: B, password: PASSWORD }))).session };
}));
await ok(others[0].other.auth.signOut({ scope: 'others' }).then(({ error }) => ({ data: null, error })));
await ended(others[1].session.access_token);
await ended(bens.access_token);
await refused(others[1].other.auth.refreshSession(), 'refresh_token_not_found', 400);
assert.deepEqual(await titles(others[0].session.access_token), ['Ben’s car']);
await ok(others[0].other.auth.signOut({ scope: 'local' }).then(({ error }) => ({ data: null, error })));
await ended(others[0].session.access_token);
const last = (await ok(ben.auth.signInWithPassword({ email: B, password: PASSWORD }))).session;
await ok(ben.auth.signOut({ scope: 'global' }).then(({ error }) => ({ data: null, error })));
await ended(last.access_token);

// Codes and links: by code, by the link's hash, and by the link with PKCE.
for (const how of ['code', 'hash']) {
  await ok(ben.auth.signInWithOtp({ email: B, options: { shouldCreateUser: false } }));
  const { code, hash } = await letter(B);
  const proof = how === 'code' ? { email: B, token: code, type: 'email' } : { token_hash: hash, type: 'email' };
  const { session } = await ok(ben.auth.verifyOtp(proof));
  assert.equal(session.user.email, B);
  await refused(client().auth.verifyOtp(proof), 'otp_expired', 403);
}
const pkce = client({ flowType: 'pkce' });
const landing = async () => {
  await ok(pkce.auth.signInWithOtp({ email: B, options: { emailRedirectTo: `${SITE}/callback?x=1` } }));
  const back = await follow((await letter(B)).link);
  assert.equal(back.pathname + back.searchParams.get('x'), '/callback1');
  assert.equal(back.hash, '');
  return back.searchParams.get('code');
};
assert.equal((await ok(pkce.auth.exchangeCodeForSession(await landing()))).session.user.email, B);
// Without the verifier, which only the client that asked has, the code is worth nothing.
const stolen = await fetch(`${BASE_URL}/auth/v1/token?grant_type=pkce`, {
  method: 'POST',
  headers: { apikey: KEY, 'Content-Type': 'application/json' },
  body: JSON.stringify({ auth_code: await landing(), code_verifier: 'x'.repeat(60) }),
});
assert.equal(stolen.status, 400, await stolen.text());
// An address that is not allowed leads to the app.
await ok(client().auth.signInWithOtp({ email: B, options: { emailRedirectTo: 'https://evil.example/' } }));
assert.ok((await follow((await letter(B)).link)).href.startsWith(SITE));

// A lost password.
await ok(client().auth.resetPasswordForEmail(B));
const lost = client();
await ok(lost.auth.verifyOtp({ token_hash: (await letter(B)).hash, type: 'recovery' }));
await ok(lost.auth.updateUser({ password: `${PASSWORD}?` }));
await ok(ben.auth.signInWithPassword({ email: B, password: `${PASSWORD}?` }));

// An anonymous user, who becomes one with an address and keeps their rows.
const guest = client();
const { user: nobody, session: guests } = await ok(guest.auth.signInAnonymously({ options: { data: { theme: 'dark' } } }));
assert.deepEqual([nobody.is_anonymous, claims(guests).is_anonymous, nobody.email ?? ''], [true, true, '']);
await ok(guest.from('notes').insert({ title: 'Guest', body: '…' }));
const G = address('guest');
await ok(guest.auth.updateUser({ email: G }));
await ok(guest.auth.verifyOtp({ email: G, token: (await letter(G)).code, type: 'email_change' }));
const kept = await ok(guest.auth.refreshSession());
assert.deepEqual([kept.user.id, kept.user.is_anonymous, kept.user.email], [nobody.id, false, G]);
assert.deepEqual((await ok(guest.from('notes').select('title'))).map((row) => row.title), ['Guest']);

// A second factor.
const factor = await ok(ben.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'phone' }));
assert.ok(factor.totp.uri.startsWith('otpauth://totp/') && factor.totp.qr_code.includes('svg'));
await refused(ben.auth.mfa.challengeAndVerify({ factorId: factor.id, code: '000000' }), 'mfa_verification_failed', 422);
await ok(ben.auth.mfa.challengeAndVerify({ factorId: factor.id, code: totp(factor.totp.secret) }));
const level = await ok(ben.auth.mfa.getAuthenticatorAssuranceLevel());
assert.deepEqual([level.currentLevel, level.nextLevel], ['aal2', 'aal2']);
assert.deepEqual(claims((await ok(ben.auth.getSession())).session).amr.map((one) => one.method).sort(), ['password', 'totp']);
const half = client();
await ok(half.auth.signInWithPassword({ email: B, password: `${PASSWORD}?` }));
assert.deepEqual((await ok(half.auth.mfa.getAuthenticatorAssuranceLevel())).nextLevel, 'aal2');
await refused(half.auth.mfa.unenroll({ factorId: factor.id }), 'insufficient_aal', 422);
assert.equal((await ok(ben.auth.mfa.listFactors())).totp.length, 1);
await ok(ben.auth.mfa.unenroll({ factorId: factor.id }));

// The app's back end.
const C = address('cy');
const { user: cy } = await ok(admin.createUser({ email: C, password: PASSWORD, email_confirm: true, app_metadata: { plan: 'pro' } }));
assert.equal(cy.app_metadata.plan, 'pro');
await refused(admin.createUser({ email: C, password: PASSWORD }), 'email_exists', 422);
assert.equal((await ok(admin.getUserById(cy.id))).user.email, C);
const listed = await ok(admin.listUsers({ page: 1, perPage: 2 }));
assert.deepEqual([listed.users.length, listed.total >= 4, listed.nextPage], [2, true, 2]);
const asCy = client();
const cys = (await ok(asCy.auth.signInWithPassword({ email: C, password: PASSWORD }))).session;
assert.equal(claims(cys).app_metadata.plan, 'pro');
await ok(admin.updateUserById(cy.id, { ban_duration: '1h', user_metadata: { name: 'Cy' } }));
await refused(client().auth.signInWithPassword({ email: C, password: PASSWORD }), 'user_banned', 400);
await ok(admin.updateUserById(cy.id, { ban_duration: 'none' }));
const { properties } = await ok(admin.generateLink({ type: 'magiclink', email: C }));
await ok(client().auth.verifyOtp({ token_hash: properties.hashed_token, type: 'magiclink' }));
const D = address('dee');
await ok(admin.inviteUserByEmail(D, { data: { team: 'x' } }));
const invited = await ok(client().auth.verifyOtp({ token_hash: (await letter(D)).hash, type: 'invite' }));
assert.equal(invited.user.user_metadata.team, 'x');
await refused(client().auth.admin.listUsers(), 'not_admin', 403);
const ours = (await ok(asCy.auth.signInWithPassword({ email: C, password: PASSWORD }))).session;
await ok(admin.deleteUser(cy.id));
await ended(ours.access_token);
await refused(admin.getUserById(cy.id), 'user_not_found', 404);

console.log(JSON.stringify({ node: process.version, done: true }));
