// Uses the page of `behalf dev --demo chat` in a browser as a person does: two users sign in, upload files, and ask one agent the same.
// Looks at what each of them sees, and takes pictures.
//
// PAGE (its address), BROWSER (a Chromium), PACKAGES (the folder that has node_modules), PICTURES (where they go).
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takePicture } from './picture.mjs';

const { PAGE, BROWSER, PACKAGES, PICTURES } = process.env;
const { chromium } = createRequire(`${PACKAGES}/package.json`)('playwright-core');

const HOTEL = 'Which hotel is booked for my trip?';
const SAUNA = 'When does the sauna open?';
const ATTACK = `<img src=x onerror="document.title='taken'"><script>document.title='taken'</script>`;

const browser = await chromium.launch({ executablePath: BROWSER });
const context = await browser.newContext({ viewport: { width: 1200, height: 1100 }, colorScheme: 'light', reducedMotion: 'reduce' });
const page = await context.newPage();
page.setDefaultTimeout(30_000);
// Everything that a browser complains of: errors of scripts, refusals of the policy, answers that are failures.
const complaints = [];
page.on('console', (message) => {
  if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
});
page.on('pageerror', (error) => complaints.push(String(error)));
page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));

const pane = (name) => page.getByRole('region', { name, exact: true });
const button = (place, name) => place.getByRole('button', { name, exact: true });
const newest = (name) => pane(name).getByRole('article').first();
const picture = (name) => takePicture(page, join(PICTURES, name));
const waitFor = (place, text, timeout = 30_000) => place.getByText(text).first().waitFor({ timeout });
// The first file of a new host waits until what reads it was compiled.
const ready = (name, file) => waitFor(pane(name).getByRole('listitem').filter({ hasText: file }), /^ready, \d+ chunks?$/, 150_000);
const answered = (name) => newest(name).getByText('answered', { exact: true }).waitFor();
const both = (work) => Promise.all(['alice', 'bob'].map(work));

// Asks both by the button, and waits for both answers.
async function askBoth(question) {
  const counts = await both((name) => pane(name).getByRole('article').count());
  await page.getByRole('textbox', { name: '2. Ask both the same' }).fill(question);
  await button(page, 'Ask both').click();
  await both(async (name, place) => {
    await pane(name).getByRole('article').nth(counts[place]).waitFor();
    await newest(name).getByRole('heading', { name: question }).waitFor();
    await newest(name).getByText(/statements? ran as/).waitFor();
  });
}
async function suggested(name) {
  await button(page, name).click();
  return page.getByRole('textbox', { name: '2. Ask both the same' }).inputValue();
}
const fitsInWidth = async () => {
  const { all, seen } = await page.evaluate(() => {
    const root = document.documentElement;
    return { all: root.scrollWidth, seen: root.clientWidth };
  });
  assert.ok(all <= seen, `the page is ${all} wide in a window of ${seen}`);
};

try {
  await page.goto(PAGE);
  assert.equal(await page.title(), 'Two users, one agent · Behalf');
  await both((name) => pane(name).waitFor());

  // Bob signs in with the keyboard alone.
  await button(pane('bob'), 'Sign in as bob').focus();
  await page.keyboard.press('Enter');
  await waitFor(pane('bob'), /^The token names user b0b00000/);
  await waitFor(pane('alice'), 'signed out');

  // Then one button does the rest: Alice signs in, and each gets a file.
  await button(page, 'Sign both in and upload a file for each').click();
  await waitFor(pane('alice'), /^The token names user a11ce000/);
  await both((name) => ready(name, `trip-of-${name}.md`));

  // The same question of one agent, by the key Enter: each answer has the user's own fact.
  await page.getByRole('textbox', { name: '2. Ask both the same' }).fill(HOTEL);
  await page.keyboard.press('Enter');
  await both(answered);
  for (const [user, own, other] of [['alice', 'Casa Azul', 'Nordlys'], ['bob', 'Nordlys', 'Casa Azul']]) {
    const exchange = newest(user);
    await exchange.getByText(/statements? ran as/).waitFor();
    assert.equal(await exchange.getByRole('heading').textContent(), HOTEL);
    const answer = await exchange.locator('.answer').textContent();
    assert.ok(answer.includes(own) && !answer.includes(other), answer);
    await waitFor(exchange, new RegExp(`^${user} saw \\d+ passages?$`));
    const passages = await exchange.locator('.seen blockquote').allTextContents();
    assert.ok(passages.some((text) => text.includes(own)) && !passages.some((text) => text.includes(other)), passages.join());
    await waitFor(exchange, new RegExp(`^trip-of-${user}\\.md, score`));
    await waitFor(exchange, 'knowledge_search');
    // The host's own statements are folded up.
    const folded = exchange.getByText(/of the host's own/);
    const code = exchange.locator('.own pre').filter({ hasText: 'ai.chunks' }).first();
    assert.equal(await code.isVisible(), false);
    await folded.click();
    await code.waitFor();
    await folded.click();
  }
  assert.match(await newest('bob').textContent(), /role authenticated/);
  await page.evaluate(() => window.scrollTo(0, 0));
  await fitsInWidth();
  await picture('demo-chat.png');

  // SQL that names no user: the same statement ran as both, and each got their own rows.
  const sql = await suggested('SQL that names no user');
  await askBoth(sql);
  const ids = { alice: 'a11ce000-0000-4000-8000-000000000001', bob: 'b0b00000-0000-4000-8000-000000000002' };
  for (const [user, titles] of [['alice', ['Garden', 'Safe']], ['bob', ['Car']]]) {
    const rows = newest(user).locator('.seen tbody tr');
    const cells = await rows.evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));
    assert.deepEqual(cells.map(([owner, title]) => [owner, title]), titles.map((title) => [ids[user], title]));
    await waitFor(newest(user), `${user} saw ${titles.length} row${titles.length === 1 ? '' : 's'}`);
    const statement = newest(user).locator('.statements > .statement');
    assert.deepEqual(await statement.locator('pre').allTextContents(), ['select owner_id, title, body from notes order by created_at']);
    assert.match(await statement.locator('figcaption').textContent(), new RegExp(`database_query\\s*${titles.length} row`));
  }
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.evaluate(() => window.scrollTo(0, 0));
  await picture('demo-chat-sql.png');

  // SQL that asks for more rights is refused, and shown as refused.
  await askBoth(await suggested('SQL that asks for more rights'));
  await both(async (user) => {
    await waitFor(newest(user), `${user} saw nothing`);
    await waitFor(newest(user).locator('.statements > .statement'), /^refused: ./);
    assert.match(await newest(user).locator('.statements > .statement pre').textContent(), /set_config/);
  });

  // A tool with statements of its own.
  await askBoth(await suggested('A question about the tables'));
  await both(async (user) => {
    await waitFor(newest(user), `${user} saw a record`);
    assert.ok((await newest(user).locator('.statements > .statement').count()) >= 4);
  });
  for (const [user, own, other] of [['alice', 'travel', 'car'], ['bob', 'car', 'travel']]) {
    const categories = newest(user).getByRole('region', { name: 'categories of spending_report' });
    await categories.getByRole('cell', { name: own, exact: true }).waitFor();
    assert.equal(await categories.getByRole('cell', { name: other, exact: true }).count(), 0);
  }

  // A file of Bob's own, with a name and a text that would do harm as markup.
  const name = 'sauna & <b>bath<b>.md';
  const hostile = `# Sauna\n\nThe sauna of the hotel opens at 17:30. ${ATTACK}\n`;
  await pane('bob').getByLabel('Other file').setInputFiles({ name, mimeType: 'text/markdown', buffer: Buffer.from(hostile) });
  await ready('bob', name);
  // A file that cannot be read says so.
  await pane('bob').getByLabel('Other file').setInputFiles({ name: 'a.zip', mimeType: 'application/zip', buffer: Buffer.from('PK') });
  await waitFor(pane('bob').getByRole('listitem').filter({ hasText: 'a.zip' }), /^failed: ./);
  assert.equal(complaints.length, 1, 'the browser notes the refused upload');
  assert.match(complaints.pop(), /400/);

  // What is in Bob's hostile file is shown to Bob, as text, and to nobody else.
  await askBoth(SAUNA);
  assert.ok((await newest('bob').locator('.seen blockquote').allTextContents()).some((text) => text.includes(ATTACK)));
  assert.doesNotMatch(await newest('alice').textContent(), /17:30/);
  assert.equal(await page.locator('img').count(), 0);
  assert.equal(await page.locator('body script').count(), 0);
  assert.equal(await page.title(), 'Two users, one agent · Behalf');

  // In all that Alice saw is nothing of Bob's, and the other way round.
  const seen = { alice: await pane('alice').textContent(), bob: await pane('bob').textContent() };
  for (const words of ['Nordlys', 'ND-902', 'brakes', 'Motor Repairs', ids.bob]) assert.ok(!seen.alice.includes(words), words);
  for (const words of ['Casa Azul', 'AZ-417', 'tomatoes', 'Green Grocer', ids.alice]) assert.ok(!seen.bob.includes(words), words);

  // One user alone, in a narrow window.
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 400, height: 1000 });
  await fitsInWidth();
  await page.getByRole('textbox', { name: '2. Ask both the same' }).fill(HOTEL);
  const count = await pane('bob').getByRole('article').count();
  await button(pane('alice'), 'Ask as alice').click();
  await answered('alice');
  await newest('alice').getByText(/statements? ran as/).waitFor();
  assert.equal(await pane('bob').getByRole('article').count(), count);
  await fitsInWidth();
  await pane('alice').evaluate((element) => element.scrollIntoView());
  await picture('demo-chat-narrow.png');

  // Everything can be reached with the keyboard and has a name.
  const nameless = await page.evaluate(() => {
    const controls = [...document.querySelectorAll('button, input, textarea, summary, [tabindex]')];
    const name = (one) => one.getAttribute('aria-label') ?? one.labels?.[0]?.textContent ?? one.textContent;
    const seen = controls.filter((one) => one.checkVisibility());
    return seen.filter((one) => one.tabIndex < 0 || name(one).trim() === '').map((one) => one.outerHTML);
  });
  assert.deepEqual(nameless, []);

  // A reload forgets both users. Whoever has not signed in hears it in words.
  await page.reload();
  await button(pane('alice'), 'Ask as alice').click();
  await waitFor(newest('alice'), 'alice is not signed in. Sign in first.');

  assert.deepEqual(complaints, [], 'the browser complained');
  // The checks can fail: what the policy forbids is refused, and heard of.
  const refusal = await page.evaluate(() => {
    try {
      document.body.innerHTML = '<b>markup</b>';
      return 'it was let in';
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(refusal, 'TypeError');
  await page.evaluate(() => document.body.append(Object.assign(document.createElement('img'), { src: 'https://other.example/x.png' })));
  for (let tries = 0; tries < 100 && complaints.length < 2; tries++) await page.waitForTimeout(50);
  assert.ok(complaints.some((text) => text.includes('img-src')), complaints.join());
} catch (error) {
  const path = join(tmpdir(), 'demo-chat-failed.png');
  await page.screenshot({ path, fullPage: true }).catch(() => {});
  console.error(await page.locator('#panes').innerText().catch(() => ''), complaints, `${path} shows the page`);
  throw error;
} finally {
  await browser.close();
}
console.log(JSON.stringify({ done: true }));
