// Drives the example of docs/examples/browser in Chromium. Prints what it saw as JSON.
import {chromium} from 'playwright-core';

const {CHROMIUM, APP, STRANGER, INJECTED, EVIL, PASSWORD} = process.env;
const browser = await chromium.launch({executablePath: CHROMIUM, args: ['--no-sandbox']});
const seen = {};

async function open(url) {
  const context = await browser.newContext({ignoreHTTPSErrors: true});
  const page = await context.newPage();
  page.violations = [];
  await page.exposeFunction('reportViolation', (directive) => page.violations.push(directive));
  await page.addInitScript(() => addEventListener('securitypolicyviolation', (e) => window.reportViolation(e.effectiveDirective)));
  await page.goto(url, {waitUntil: 'networkidle'});
  return page;
}

const message = (page, text) => page.locator('#message', {hasText: text}).waitFor({timeout: 20000});

async function logIn(page, password) {
  await page.fill('[name=username]', 'alice');
  await page.fill('[name=password]', password);
  await page.click('#login button');
}

try {
  const page = await open(APP);
  await logIn(page, 'wrong');
  await message(page, 'the user name or the password is wrong');
  seen.wrongPassword = 'refused';
  await logIn(page, PASSWORD);
  await message(page, 'You are logged in.');
  for (const service of ['shop', 'warehouse']) {
    await page.click(`#${service}`);
    await message(page, `${service}: hello 1`);
    seen[service] = 'greeted';
  }
  seen.stored = await page.evaluate(() => localStorage.length + sessionStorage.length + document.cookie.length);
  seen.cookies = (await page.context().cookies()).length;
  await message(page, 'Your login has expired.');
  seen.expiry = await page.locator('#login').isVisible() ? 'must log in again' : 'still logged in';
  seen.violations = page.violations.length;

  const stranger = await open(STRANGER);
  await logIn(stranger, PASSWORD);
  await message(stranger, 'You are not logged in: Failed to fetch');
  seen.stranger = 'refused by CORS';

  const injected = await open(INJECTED);
  await logIn(injected, PASSWORD);
  await message(injected, 'You are logged in.');
  await injected.evaluate((evil) => {
    for (const attempt of [
      () => document.body.append(Object.assign(document.createElement('script'), {text: 'window.stolen = 1'})),
      () => { document.body.innerHTML += '<img src=x onerror="window.stolen = 1">'; },
      () => { document.body.append(Object.assign(document.createElement('img'), {src: `${evil}/image`})); },
      () => { fetch(`${evil}/fetch`).catch(() => {}); },
    ]) {
      try { attempt(); } catch { /* Trusted Types throw */ }
    }
  }, EVIL);
  await injected.waitForTimeout(500);
  seen.stolen = await injected.evaluate(() => window.stolen ?? 'nothing');
  seen.stopped = [...new Set(injected.violations)].sort();
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
