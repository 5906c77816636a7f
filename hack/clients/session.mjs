// Drives the example of docs/examples/browser through one story of a session, in Chromium. The test does what is asked for on standard output,
// one line of JSON each, and answers with a line. The last line is what was seen.
import {createInterface} from 'node:readline';
import {request as outside} from 'playwright-core';
import {SignJWT, decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair} from 'jose';
import {asks, form, logIn, message, note, profile, services, start, until, visit} from './chromium.mjs';

const {ISSUER, PROFILE, SHOP} = process.env;
const answers = createInterface({input: process.stdin})[Symbol.asyncIterator]();
async function demand(what, value = '') {
  console.log(JSON.stringify({do: what, value}));
  await answers.next();
}

// refreshTime is more than two thirds of the lifetime of a token, 5 minutes.
const refreshTime = 201_000;

// observed remembers each answer of the issuer to the pages of a context, as grant and status.
function observed(context) {
  context.answers = [];
  context.requests = 0;
  context.on('request', () => { context.requests++; });
  context.on('response', (response) => {
    if (response.url() !== `${ISSUER}/token` || response.request().method() !== 'POST') return;
    context.answers.push(`${new URLSearchParams(response.request().postData()).get('grant_type')} ${response.status()}`);
  });
  return context;
}

// context is a browser of its own, whose clock the story moves.
async function newContext(browser, time = Date.now()) {
  const context = observed(await browser.newContext({ignoreHTTPSErrors: true}));
  await context.clock.install({time});
  return context;
}

async function loggedIn(context) {
  const page = await visit(context);
  await form(page);
  await logIn(page);
  await message(page, 'You are logged in.');
  return page;
}

// record is what any script of the page reads from IndexedDB.
const record = (page) => page.evaluate(() => new Promise((resolve, reject) => {
  const opening = indexedDB.open('login', 1);
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const read = opening.result.transaction('kept').objectStore('kept').get('session');
    read.onsuccess = () => {
      opening.result.close();
      const {key, ...rest} = read.result ?? {};
      resolve(read.result && {...rest, key: String(key.privateKey)});
    };
  };
}));

// refreshed moves the clock until the session is one that the story waits for.
const refreshed = (what, context, page, is) => until(what, async () => {
  await context.clock.fastForward(refreshTime);
  await page.evaluate(() => navigator.locks.request('refresh', () => {})); // after the refresh, if there was one
  return is(await record(page));
});
const renewed = async (context, page) => {
  const {accessToken} = await record(page);
  return refreshed('another access token', context, page, (session) => session.accessToken !== accessToken);
};

// greeted asks until a service greets: its files may be a second behind.
const greeted = (page) => until('a greeting', async () => {
  await page.click('#shop');
  return (await page.textContent('#message')).includes('shop: hello 1');
});
const sealedWith = (session) => decodeProtectedHeader(session.refreshToken).kid;
const signedWith = (session) => decodeProtectedHeader(session.accessToken).kid;
const sid = (session) => decodeJwt(session.accessToken).sid;
const recovered = (context, page) => until('no trouble', async () => {
  await context.clock.fastForward(31_000);
  return await page.textContent('#session') === '';
});

const stories = {
  async reload(seen) {
    let context = observed(await profile(PROFILE));
    let page = await loggedIn(context);
    await page.reload();
    await services(page);
    await asks(page);
    await page.close();
    page = await visit(context);
    await services(page);
    await asks(page);
    seen.answers = context.answers.join();
    await context.close();
    context = observed(await profile(PROFILE));
    await context.clock.install();
    page = await visit(context);
    await services(page);
    await renewed(context, page);
    await asks(page);
    seen.afterwards = context.answers.every((answer) => answer.startsWith('refresh_token')) ? 'no password' : context.answers.join();
    await context.close();
  },

  async tabs(seen, browser) {
    const context = await newContext(browser);
    const page = await loggedIn(context);
    const other = await visit(context);
    await services(other);
    const before = await record(page);
    await other.evaluate(() => new Promise((held) => {
      navigator.locks.request('refresh', () => new Promise((release) => { window.release = release; held(); }));
    }));
    await context.clock.fastForward(refreshTime);
    await until('both tabs wait', () => other.evaluate(async () => (await navigator.locks.query()).pending.length === 2));
    await other.evaluate(() => window.release());
    await page.evaluate(() => navigator.locks.request('refresh', () => {}));
    seen.answers = context.answers.join();
    seen.token = (await record(other)).accessToken !== before.accessToken ? 'another' : 'the same';
    for (const tab of [page, other]) await asks(tab);
  },

  async clock(seen, browser) {
    for (const [name, off] of Object.entries({ahead: 600_000, behind: -600_000})) {
      const context = await newContext(browser, Date.now() + off);
      const page = await loggedIn(context);
      await asks(page);
      await renewed(context, page);
      await asks(page);
      seen[name] = context.answers.join();
      if (name === 'behind') continue;
      const {accessToken} = await record(page);
      await context.clock.setSystemTime(Date.now()); // somebody corrects it
      await context.clock.fastForward(61_000);
      await page.evaluate(() => navigator.locks.request('refresh', () => {}));
      seen.corrected = (await record(page)).accessToken !== accessToken ? 'refreshed' : 'waits';
    }
  },

  async service(seen, browser) {
    const page = await loggedIn(await newContext(browser));
    await demand('stop the shop');
    await page.click('#shop');
    await message(page, 'shop cannot be asked');
    await asks(page, 'warehouse');
    await demand('start the shop');
    await asks(page);
  },

  async issuer(seen, browser) {
    const context = await newContext(browser);
    const page = await loggedIn(context);
    await demand('stop the issuer');
    await context.clock.fastForward(refreshTime);
    await note(page, 'Your login cannot be renewed now');
    await asks(page); // the access token lives
    await page.reload();
    await services(page);
    await note(page, 'Your login cannot be renewed now');
    const before = await record(page);
    await demand('start the issuer');
    await recovered(context, page);
    seen.token = (await record(page)).accessToken !== before.accessToken ? 'another' : 'the same';
    await asks(page);
  },

  // Without a clock that the story moves: tokens of 5 seconds.
  async expiry(seen, browser) {
    const context = observed(await browser.newContext({ignoreHTTPSErrors: true}));
    const page = await loggedIn(context);
    const {accessToken} = await record(page);
    await until('a refresh by itself', async () => (await record(page)).accessToken !== accessToken);
    await demand('stop the issuer');
    await until('the token to be dead', async () => {
      await page.click('#shop');
      return (await page.textContent('#message')).includes('shop answers 401');
    });
    seen.form = await page.isVisible('#login') ? 'shown' : 'hidden';
    await demand('start the issuer');
    await greeted(page);
    seen.passwords = context.answers.filter((answer) => answer.startsWith('password')).length;
  },

  async lag(seen, browser) {
    const context = await newContext(browser);
    const page = await loggedIn(context);
    const before = await record(page);
    await demand('use another sealing key');
    await refreshed('another sealing key', context, page, (session) => sealedWith(session) === '200');
    await demand('lag behind');
    await refreshed('trouble', context, page, (session) => session.trouble.includes('has not reached this issuer'));
    seen.trouble = (await record(page)).trouble;
    const {failures} = await record(page);
    await context.clock.fastForward(refreshTime);
    await until('one more refusal', async () => (await record(page)).failures > failures);
    seen.wait = (await record(page)).wait;
    await asks(page);
    await demand('catch up');
    await recovered(context, page);
    await renewed(context, page);
    seen.sid = sid(await record(page)) === sid(before) ? 'the same' : 'another';
  },

  async rotation(seen, browser) {
    const context = await newContext(browser);
    const page = await loggedIn(context);
    const before = await record(page);
    for (const step of ['prepare a signing key and a sealing key', 'activate both']) {
      await demand(step);
      await renewed(context, page);
      await greeted(page);
    }
    await refreshed('both new keys', context, page, (session) => sealedWith(session) === '200' && signedWith(session) !== signedWith(before));
    await demand('remove the old ones');
    await greeted(page);
    for (let i = 0; i < 3; i++) await renewed(context, page);
    await greeted(page);
    seen.sid = sid(await record(page)) === sid(before) ? 'the same' : 'another';
  },

  async revocation(seen, browser) {
    const [one, other] = [await newContext(browser), await newContext(browser)];
    const [page, elsewhere] = [await loggedIn(one), await loggedIn(other)];
    const copy = (await record(page)).accessToken;
    await demand('end sid', sid(await record(page)));
    await until('the session to end', async () => { // a service refuses its token
      if (await page.isVisible('#login')) return true;
      await page.click('#shop', {timeout: 1000}).catch(() => {});
      return false;
    });
    await message(page, 'Your login has ended.');
    const thief = await outside.newContext({ignoreHTTPSErrors: true});
    seen.copy = (await thief.get(SHOP, {headers: {Authorization: `Bearer ${copy}`}})).status();
    seen.left = await record(page) ?? 'nothing';
    await renewed(other, elsewhere);
    await asks(elsewhere);
    await demand('end sub', '1');
    await until('the user to be out', async () => { // at the next refresh, without a click
      await other.clock.fastForward(refreshTime);
      return elsewhere.isVisible('#login');
    });
    await message(elsewhere, 'Your login has ended.');
    await logIn(elsewhere);
    await message(elsewhere, 'try again in'); // up to the clockSkew
  },

  async logout(seen, browser) {
    const context = await newContext(browser);
    const page = await loggedIn(context);
    const other = await visit(context);
    await services(other);
    // A refresh is on its way, and its answer comes after the logout.
    let proceed;
    const held = new Promise((resolve) => { proceed = resolve; });
    const asked = new Promise((resolve) => {
      context.route(`${ISSUER}/token`, async (route) => { resolve(); await held; await route.continue(); });
    });
    await context.clock.fastForward(refreshTime);
    await asked;
    context.requests = 0;
    await page.click('#logout');
    for (const tab of [page, other]) {
      await form(tab);
      await message(tab, 'You are logged out.');
    }
    seen.requests = context.requests;
    proceed();
    await page.evaluate(() => navigator.locks.request('refresh', () => {}));
    seen.answers = context.answers.join();
    seen.left = await record(other) ?? 'nothing';
    await other.reload();
    await form(other);
    await logIn(other);
    await services(page);
  },

  async memory(seen, browser) {
    const context = await newContext(browser);
    await context.addInitScript(() => {
      IDBObjectStore.prototype.put = () => { throw new DOMException('keys are not stored here', 'DataCloneError'); };
    });
    const page = await loggedIn(context);
    await note(page, 'This browser stores no keys');
    await asks(page);
    await context.clock.fastForward(refreshTime);
    await until('a refresh', () => context.answers.includes('refresh_token 200'));
    await asks(page);
    seen.left = await record(page) ?? 'nothing';
    const other = await loggedIn(context);
    await other.click('#logout');
    for (const tab of [page, other]) await form(tab);
    await logIn(page);
    await services(page);
    await page.reload();
    await form(page);
  },

  // Another site makes the browser send requests to a service.
  async csrf(seen, browser) {
    const context = await newContext(browser);
    await asks(await loggedIn(context));
    const foreign = await context.newPage();
    await foreign.setContent(`<form method="post" action="${SHOP}"><button>You have won</button></form>`);
    const answered = foreign.waitForResponse((response) => response.url().startsWith(SHOP));
    await foreign.click('button');
    seen.form = (await answered).status();
    seen.link = (await foreign.goto(SHOP)).status();
    seen.cookies = (await context.cookies()).length;
  },

  // All that a script of the page reads is tried from elsewhere.
  async stolen(seen, browser) {
    const page = await loggedIn(await newContext(browser));
    const loot = await page.evaluate(steal, `${ISSUER}/token`);
    const thief = await outside.newContext({ignoreHTTPSErrors: true});
    const tokens = async (proof) => {
      const response = await thief.post(`${ISSUER}/token`, {
        form: {grant_type: 'refresh_token', client_id: 'spa', refresh_token: loot.refreshToken}, headers: proof ? {DPoP: proof} : {},
      });
      return (await response.json()).error ?? 'issued';
    };
    const ask = async (token) => (await thief.get(SHOP, {headers: {Authorization: `Bearer ${token}`}})).status();
    const {publicKey, privateKey} = await generateKeyPair('ES256');
    const other = await new SignJWT({jti: 'x', htm: 'POST', htu: `${ISSUER}/token`}).setIssuedAt()
      .setProtectedHeader({typ: 'dpop+jwt', alg: 'ES256', jwk: await exportJWK(publicKey)}).sign(privateKey);
    seen.usedHere = await tokens(loot.proofs.now);
    await page.close();
    seen.preparedHere = await tokens(loot.proofs.prepared);
    Object.assign(seen, {
      exports: [...new Set(loot.exports)].join(), written: loot.written, withoutProof: await tokens(), anotherKey: await tokens(other),
      again: await tokens(loot.proofs.now), anotherURL: await tokens(loot.proofs.elsewhere), forLater: await tokens(loot.proofs.later),
      refreshTokenAtService: await ask(loot.refreshToken), accessTokenAtService: await ask(loot.accessToken),
    });
  },
};

// steal runs in the page. A script there uses the key while the page is open, for what it wants.
async function steal(url) {
  const database = await new Promise((resolve) => { const opening = indexedDB.open('login', 1); opening.onsuccess = () => resolve(opening.result); });
  const session = await new Promise((resolve) => {
    const read = database.transaction('kept').objectStore('kept').get('session');
    read.onsuccess = () => resolve(read.result);
  });
  const {prove} = await import('/prove.js');
  const now = Date.now();
  const asked = await fetch(url, {method: 'POST', headers: {DPoP: 'x'}, body: new URLSearchParams({grant_type: 'refresh_token', client_id: 'spa'})});
  const proofs = {
    now: await prove(session.key, url), elsewhere: await prove(session.key, `${url}/x`),
    prepared: await prove(session.key, url, asked.headers.get('DPoP-Nonce')),
  };
  Date.now = () => now + 600_000;
  proofs.later = await prove(session.key, url);
  const exports = [];
  for (const format of ['jwk', 'pkcs8', 'raw', 'spki']) {
    exports.push(await crypto.subtle.exportKey(format, session.key.privateKey).then(() => format, (error) => error.name));
  }
  const wrapping = await crypto.subtle.generateKey({name: 'AES-GCM', length: 256}, true, ['wrapKey']);
  exports.push(await crypto.subtle.wrapKey('jwk', session.key.privateKey, wrapping, {name: 'AES-GCM', iv: new Uint8Array(12)}).then(() => 'wrapped', (error) => error.name));
  return {accessToken: session.accessToken, refreshToken: session.refreshToken, proofs, exports, written: JSON.stringify(session.key.privateKey)};
}

const seen = {};
const browser = await start();
try {
  await stories[process.argv[2]](seen, browser);
} finally {
  await browser.close();
}
console.log(JSON.stringify({seen}));
process.exit();
