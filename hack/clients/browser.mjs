// Drives the example of docs/examples/browser in Chromium. Prints what it saw as JSON.
import {logIn, message, open, start} from './chromium.mjs';

const {APP, STRANGER, INJECTED, EVIL, PASSWORD} = process.env;
const browser = await start();
const seen = {};

try {
  const page = await open(browser, APP);
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

  const stranger = await open(browser, STRANGER);
  await logIn(stranger, PASSWORD);
  await message(stranger, 'You are not logged in: Failed to fetch');
  seen.stranger = 'refused by CORS';

  const injected = await open(browser, INJECTED);
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
