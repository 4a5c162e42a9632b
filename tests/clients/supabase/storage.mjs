// Two users keep files with supabase-js and tus-js-client: every operation, and what each does not get of the other.
//
// BASE_URL, KEY (the anon key), SERVICE_KEY, ALICE and BOB (tokens), PACKAGES (the folder that has node_modules).
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';

const { BASE_URL, KEY, SERVICE_KEY, ALICE, BOB, PACKAGES } = process.env;
const packages = createRequire(`${PACKAGES}/package.json`);
const { createClient } = packages('@supabase/supabase-js');
const tus = packages('tus-js-client');

// Node.js 20 has no WebSocket, and nothing here needs one.
class NoSocket {}
const plain = (key) => createClient(BASE_URL, key, { auth: { persistSession: false }, realtime: { transport: NoSocket } }).storage;
const as = (token) =>
  createClient(BASE_URL, KEY, { accessToken: async () => token, realtime: { transport: NoSocket } }).storage;
const [alice, bob, anon, service] = [as(ALICE), as(BOB), plain(KEY), plain(SERVICE_KEY)];
const subject = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sub;
const [A, B] = [subject(ALICE), subject(BOB)];

const ok = async (query) => {
  const { data, error } = await query;
  assert.equal(error, null, error && JSON.stringify({ message: error.message, ...error }));
  return data;
};
// As in Supabase Storage, the answer's own status is 400 and its body has the meaning.
const refused = async (query, statusCode, message) => {
  const { data, error } = await query;
  assert.ok(error, `expected ${statusCode}, got ${JSON.stringify(data)}`);
  assert.equal(error.statusCode, statusCode, error.message);
  assert.equal(error.status, 400, error.message);
  if (message) assert.match(error.message, message);
};
const text = async (query) => (await ok(query)).text();
const names = async (query) => (await ok(query)).map((entry) => entry.name);
const drawers = (user) => user.from('drawers');

// Buckets, by the app's back end. Users have no policy for them.
assert.deepEqual(await ok(service.createBucket('drawers', { public: false, fileSizeLimit: '2MB' })), { name: 'drawers' });
await ok(service.createBucket('posters', { public: true }));
await ok(service.createBucket('pictures', { public: false, allowedMimeTypes: ['image/*'] }));
await refused(service.createBucket('drawers', { public: false }), '409');
await refused(service.createBucket('not/one', { public: false }), '400');
await refused(alice.createBucket('mine', { public: false }), '403', /row-level security/);
const bucket = await ok(service.getBucket('drawers'));
assert.deepEqual([bucket.id, bucket.name, bucket.public, bucket.file_size_limit, bucket.allowed_mime_types], ['drawers', 'drawers', false, 2_000_000, null]);
await refused(service.getBucket('nothing'), '404', /Bucket not found/);
assert.deepEqual((await ok(service.listBuckets())).map((one) => one.id).sort(), ['drawers', 'pictures', 'posters']);
assert.deepEqual((await ok(service.listBuckets({ search: 'post', limit: 1, sortColumn: 'name', sortOrder: 'desc' }))).map((one) => one.id), ['posters']);
assert.deepEqual(await ok(alice.listBuckets()), []);
await ok(service.updateBucket('drawers', { public: false, fileSizeLimit: 1_000_000 }));
assert.equal((await ok(service.getBucket('drawers'))).file_size_limit, 1_000_000);

// Upload in every way.
const uploaded = await ok(drawers(alice).upload(`${A}/a.txt`, 'one', { contentType: 'text/plain', cacheControl: '60' }));
assert.deepEqual([uploaded.path, uploaded.fullPath], [`${A}/a.txt`, `drawers/${A}/a.txt`]);
assert.match(uploaded.id, /^[0-9a-f-]{36}$/);
await ok(drawers(alice).upload(`${A}/blob.json`, new Blob(['{"a":1}'], { type: 'application/json' }), { metadata: { kind: 'blob', deep: { n: 1 } } }));
await ok(drawers(alice).upload(`${A}/raw.bin`, new Uint8Array([0, 255, 13, 10, 0]).buffer, { contentType: 'application/octet-stream' }));
await ok(drawers(alice).upload(`${A}/deep/er/buffer.json`, Buffer.from('[1]'), { contentType: 'application/json', metadata: { kind: 'raw' } }));
await ok(drawers(alice).upload(`${A}/streamed.txt`, Readable.from([Buffer.from('by '), Buffer.from('parts')]), { contentType: 'text/plain', duplex: 'half' }));
const form = new FormData();
form.append('', new File(['in a form'], 'form.txt', { type: 'text/plain' }));
await ok(drawers(alice).upload(`${A}/form.txt`, form));
await ok(drawers(bob).upload(`${B}/b.txt`, 'bob’s'));

// Download.
assert.equal(await text(drawers(alice).download(`${A}/a.txt`)), 'one');
assert.equal(await text(drawers(alice).download(`${A}/blob.json`)), '{"a":1}');
assert.deepEqual([...new Uint8Array(await (await ok(drawers(alice).download(`${A}/raw.bin`))).arrayBuffer())], [0, 255, 13, 10, 0]);
assert.equal(await text(drawers(alice).download(`${A}/deep/er/buffer.json`)), '[1]');
assert.equal(await text(drawers(alice).download(`${A}/streamed.txt`)), 'by parts');
assert.equal(await text(drawers(alice).download(`${A}/form.txt`)), 'in a form');
assert.equal(await text(drawers(bob).download(`${B}/b.txt`)), 'bob’s');
await refused(drawers(alice).download(`${A}/nothing.txt`), '404', /Object not found/);
await refused(alice.from('nothing').download('x'), '404', /Bucket not found/);

// Replace: not by chance, but by upsert and by update.
await refused(drawers(alice).upload(`${A}/a.txt`, 'two'), '409', /already exists/);
assert.equal(await text(drawers(alice).download(`${A}/a.txt`)), 'one');
const replaced = await ok(drawers(alice).upload(`${A}/a.txt`, 'two', { upsert: true, cacheControl: '60' }));
assert.equal(replaced.id, uploaded.id);
assert.equal(await text(drawers(alice).download(`${A}/a.txt`)), 'two');
await ok(drawers(alice).update(`${A}/a.txt`, new Blob(['three'], { type: 'text/plain' }), { cacheControl: '90' }));
assert.equal(await text(drawers(alice).download(`${A}/a.txt`)), 'three');

// Limits of the bucket, and names.
await refused(drawers(alice).upload(`${A}/large.bin`, Buffer.alloc(1_000_001)), '413', /exceeded/);
await refused(drawers(alice).upload(`${A}/large.bin`, new Blob([Buffer.alloc(1_000_001)])), '413', /exceeded/);
await refused(alice.from('pictures').upload(`${A}/a.txt`, 'text', { contentType: 'text/plain' }), '415', /mime type/);
await ok(alice.from('pictures').upload(`${A}/a.png`, 'png', { contentType: 'image/png' }));
await refused(drawers(alice).upload(`${A}/ä.txt`, 'umlaut'), '400', /Invalid key/);
const odd = `${A}/odd @+$,;=& name!.txt`;
await ok(drawers(alice).upload(odd, 'odd'));
assert.equal(await text(drawers(alice).download(odd)), 'odd');

// Info and exists.
const info = await ok(drawers(alice).info(`${A}/blob.json`));
assert.deepEqual([info.name, info.bucketId, info.size, info.contentType, info.cacheControl], [`${A}/blob.json`, 'drawers', 7, 'application/json', 'max-age=3600']);
assert.deepEqual(info.metadata, { kind: 'blob', deep: { n: 1 } });
assert.ok(info.etag && info.createdAt && info.lastModified, JSON.stringify(info));
assert.equal((await ok(drawers(alice).info(`${A}/a.txt`))).cacheControl, 'max-age=90');
assert.deepEqual((await ok(drawers(alice).info(`${A}/deep/er/buffer.json`))).metadata, { kind: 'raw' });
assert.equal((await drawers(alice).exists(`${A}/a.txt`)).data, true);
assert.equal((await drawers(alice).exists(`${A}/nothing.txt`)).data, false);

// List, the first way.
const own = ['a.txt', 'blob.json', 'deep', 'form.txt', 'odd @+$,;=& name!.txt', 'raw.bin', 'streamed.txt'];
assert.deepEqual(await names(drawers(alice).list(A)), own);
assert.deepEqual(await names(drawers(alice).list()), [A]);
assert.deepEqual(await names(drawers(alice).list(A, { limit: 2, offset: 1 })), ['blob.json', 'deep']);
assert.deepEqual(await names(drawers(alice).list(A, { search: 'raw' })), ['raw.bin']);
assert.deepEqual((await names(drawers(alice).list(A, { sortBy: { column: 'name', order: 'desc' } })))[0], 'streamed.txt');
const [folder] = await ok(drawers(alice).list(A, { search: 'deep' }));
assert.deepEqual([folder.id, folder.metadata], [null, null]);
const [file] = await ok(drawers(alice).list(A, { search: 'raw' }));
assert.deepEqual([file.metadata.size, file.metadata.mimetype], [5, 'application/octet-stream']);

// And the second: pages by cursor, each object once.
const pages = [];
let cursor;
do {
  const page = await ok(drawers(alice).listV2({ prefix: `${A}/`, limit: 3, cursor }));
  assert.ok(page.objects.length <= 3);
  pages.push(...page.objects.map((object) => object.name));
  assert.equal(page.hasNext, page.nextCursor !== undefined);
  cursor = page.nextCursor;
} while (cursor);
assert.deepEqual(pages, own.map((name) => `${A}/${name === 'deep' ? 'deep/er/buffer.json' : name}`));
const level = await ok(drawers(alice).listV2({ prefix: `${A}/`, with_delimiter: true, sortBy: { column: 'name', order: 'desc' } }));
assert.deepEqual(level.folders.map((one) => one.name), [`${A}/deep/`]);
assert.deepEqual(level.objects.map((one) => one.name), own.filter((name) => name !== 'deep').reverse().map((name) => `${A}/${name}`));

// Copy and move, also to another bucket.
assert.equal((await ok(drawers(alice).copy(`${A}/a.txt`, `${A}/copy.txt`))).path, `drawers/${A}/copy.txt`);
await refused(drawers(alice).copy(`${A}/a.txt`, `${A}/copy.txt`), '409');
await ok(drawers(alice).copy(`${A}/blob.json`, `${A}/blob.json`, { destinationBucket: 'posters' }));
assert.deepEqual((await ok(alice.from('posters').info(`${A}/blob.json`))).metadata, { kind: 'blob', deep: { n: 1 } });
assert.equal((await ok(drawers(alice).move(`${A}/copy.txt`, `${A}/moved.txt`))).message, 'Successfully moved');
assert.equal(await text(drawers(alice).download(`${A}/moved.txt`)), 'three');
await refused(drawers(alice).download(`${A}/copy.txt`), '404');
await refused(drawers(alice).move(`${A}/moved.txt`, `${A}/a.txt`), '409');
await refused(drawers(alice).move(`${A}/nothing.txt`, `${A}/x.txt`), '404');
await ok(drawers(alice).move(`${A}/moved.txt`, `${A}/moved.txt`, { destinationBucket: 'posters' }));
assert.equal(await text(alice.from('posters').download(`${A}/moved.txt`)), 'three');

// Public addresses.
const got = async (url, headers = {}) => {
  const answer = await fetch(url, { headers });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
};
const { publicUrl } = alice.from('posters').getPublicUrl(`${A}/moved.txt`).data;
const shown = await got(publicUrl);
assert.deepEqual([shown.status, shown.text, shown.headers.get('content-length')], [200, 'three', '5']);
assert.equal((await got(publicUrl, { 'If-None-Match': shown.headers.get('etag') })).status, 304);
const part = await got(publicUrl, { Range: 'bytes=1-2' });
assert.deepEqual([part.status, part.text, part.headers.get('content-range')], [206, 'hr', 'bytes 1-2/5']);
const named = await got(alice.from('posters').getPublicUrl(`${A}/moved.txt`, { download: 'a b.txt' }).data.publicUrl);
assert.match(named.headers.get('content-disposition'), /^attachment; filename=a%20b\.txt/);
assert.equal((await got(drawers(alice).getPublicUrl(`${A}/a.txt`).data.publicUrl)).status, 400);

// Signed addresses: one, many, with a name, changed, of another object.
const { signedUrl } = await ok(drawers(alice).createSignedUrl(`${A}/a.txt`, 60));
assert.deepEqual([(await got(signedUrl)).status, (await got(signedUrl)).text], [200, 'three']);
const { signedUrl: oddUrl } = await ok(drawers(alice).createSignedUrl(odd, 60, { download: 'x.txt' }));
const oddly = await got(oddUrl);
assert.deepEqual([oddly.status, oddly.text], [200, 'odd']);
assert.match(oddly.headers.get('content-disposition'), /x\.txt/);
assert.equal((await got(signedUrl.replace('a.txt', 'raw.bin'))).status, 400);
assert.equal((await got(signedUrl.slice(0, -3) + (signedUrl.endsWith('AAA') ? 'BBB' : 'AAA'))).status, 400);
await refused(drawers(alice).createSignedUrl(`${A}/nothing.txt`, 60), '404');
const many = await ok(drawers(alice).createSignedUrls([`${A}/raw.bin`, `${A}/nothing.txt`, `${B}/b.txt`], 60));
assert.deepEqual(many.map((one) => [one.path, one.error === null, one.signedUrl === null]), [
  [`${A}/raw.bin`, true, false],
  [`${A}/nothing.txt`, false, true],
  [`${B}/b.txt`, false, true],
]);
assert.equal((await got(many[0].signedUrl)).status, 200);

// Signed uploads: anybody who has the token uploads this one object.
const slot = await ok(drawers(alice).createSignedUploadUrl(`${A}/signed.txt`));
await refused(drawers(anon).uploadToSignedUrl(`${A}/other.txt`, slot.token, 'x'), '400');
assert.equal((await ok(drawers(anon).uploadToSignedUrl(`${A}/signed.txt`, slot.token, 'signed'))).fullPath, `drawers/${A}/signed.txt`);
await refused(drawers(anon).uploadToSignedUrl(`${A}/signed.txt`, slot.token, 'again'), '409');
const again = await ok(drawers(alice).createSignedUploadUrl(`${A}/signed.txt`, { upsert: true }));
await ok(drawers(anon).uploadToSignedUrl(`${A}/signed.txt`, again.token, new Blob(['replaced'], { type: 'text/plain' })));
assert.equal(await text(drawers(alice).download(`${A}/signed.txt`)), 'replaced');
assert.equal((await got(`${BASE_URL}/storage/v1/object/sign/drawers/${A}/signed.txt?token=${again.token}`)).status, 400);

// Resumable uploads: by chunks, broken off and taken up again, and through a signed token.
const large = randomBytes(300_000);
const digest = (bytes) => createHash('sha256').update(Buffer.from(bytes)).digest('hex');
const resumable = (name, options) =>
  new Promise((resolve, reject) => {
    const upload = new tus.Upload(large, {
      endpoint: `${BASE_URL}/storage/v1/upload/resumable`,
      chunkSize: 100_000,
      retryDelays: null,
      metadata: { bucketName: 'drawers', objectName: name, contentType: 'application/octet-stream', cacheControl: '60', metadata: '{"by":"tus"}' },
      onError: reject,
      onSuccess: () => resolve(upload),
      ...options,
      ...(options.after ? { onChunkComplete: (_, sent) => sent >= options.after && upload.abort().then(() => resolve(upload)) } : {}),
    });
    upload.start();
  });
const signed = (token) => ({ headers: { authorization: `Bearer ${token}`, apikey: KEY } });
await resumable(`${A}/whole.bin`, signed(ALICE));
const whole = await ok(drawers(alice).download(`${A}/whole.bin`));
assert.equal(digest(await whole.arrayBuffer()), digest(large));
assert.deepEqual((await ok(drawers(alice).info(`${A}/whole.bin`))).metadata, { by: 'tus' });
await assert.rejects(resumable(`${A}/whole.bin`, signed(ALICE)), /409|already exists/);
const half = await resumable(`${A}/half.bin`, { ...signed(ALICE), after: 100_000 });
assert.equal((await drawers(alice).exists(`${A}/half.bin`)).data, false);
await assert.rejects(resumable(`${A}/half.bin`, { ...signed(BOB), uploadUrl: half.url }));
await resumable(`${A}/half.bin`, { ...signed(ALICE), uploadUrl: half.url });
assert.equal(digest(await (await ok(drawers(alice).download(`${A}/half.bin`))).arrayBuffer()), digest(large));
await assert.rejects(resumable(`${A}/not-bobs.bin`, signed(BOB)), /403|row-level security/);
const ticket = await ok(drawers(alice).createSignedUploadUrl(`${A}/ticket.bin`));
await resumable(`${A}/ticket.bin`, { endpoint: `${BASE_URL}/storage/v1/upload/resumable/sign`, headers: { 'x-signature': ticket.token, apikey: KEY } });
assert.equal(digest(await (await ok(drawers(alice).download(`${A}/ticket.bin`))).arrayBuffer()), digest(large));
const dropped = await resumable(`${A}/dropped.bin`, { ...signed(ALICE), after: 100_000 });
await dropped.abort(true);
await assert.rejects(resumable(`${A}/dropped.bin`, { ...signed(ALICE), uploadUrl: dropped.url, endpoint: null }));

// Bob and the holder of the anon key get nothing of Alice's, in no way, and change nothing.
for (const other of [bob, anon]) {
  await refused(drawers(other).download(`${A}/a.txt`), '404');
  await refused(drawers(other).info(`${A}/a.txt`), '404');
  assert.equal((await drawers(other).exists(`${A}/a.txt`)).data, false);
  assert.deepEqual(await ok(drawers(other).list(A)), []);
  assert.deepEqual((await ok(drawers(other).listV2({ prefix: A }))).objects, []);
  await refused(drawers(other).createSignedUrl(`${A}/a.txt`, 60), '404');
  assert.equal((await ok(drawers(other).createSignedUrls([`${A}/a.txt`], 60)))[0].signedUrl, null);
  await refused(drawers(other).createSignedUploadUrl(`${A}/new.txt`), '403');
  await refused(drawers(other).upload(`${A}/new.txt`, 'x'), '403', /row-level security/);
  await refused(drawers(other).upload(`${A}/a.txt`, 'x', { upsert: true }), '403');
  await refused(drawers(other).update(`${A}/a.txt`, 'x'), '403');
  await refused(drawers(other).move(`${A}/a.txt`, `${B}/a.txt`), '404');
  await refused(drawers(other).copy(`${A}/a.txt`, `${B}/a.txt`), '404');
  assert.deepEqual(await ok(drawers(other).remove([`${A}/a.txt`])), []);
}
await refused(drawers(bob).move(`${B}/b.txt`, `${A}/b.txt`), '403');
await refused(drawers(bob).copy(`${B}/b.txt`, `${A}/b.txt`), '403');
assert.deepEqual(await names(drawers(bob).list()), [B]);
assert.equal(await text(drawers(alice).download(`${A}/a.txt`)), 'three');

// Remove, and the buckets.
const removed = await ok(drawers(alice).remove([`${A}/a.txt`, `${A}/raw.bin`, `${A}/nothing.txt`, `${B}/b.txt`]));
assert.deepEqual(removed.map((one) => one.name).sort(), [`${A}/a.txt`, `${A}/raw.bin`]);
await refused(drawers(alice).download(`${A}/a.txt`), '404');
assert.equal(await text(drawers(bob).download(`${B}/b.txt`)), 'bob’s');
await refused(service.deleteBucket('drawers'), '409', /not empty/);
for (const id of ['drawers', 'posters', 'pictures']) {
  await ok(service.emptyBucket(id));
  await ok(service.deleteBucket(id));
}
assert.deepEqual(await ok(service.listBuckets()), []);
await refused(drawers(bob).download(`${B}/b.txt`), '404');

console.log(JSON.stringify({ node: process.version, done: true }));
