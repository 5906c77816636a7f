// What the scripts that drive Chromium share.
import {chromium} from 'playwright-core';

const {CHROMIUM, APP, PASSWORD} = process.env;
const launch = {executablePath: CHROMIUM, args: ['--no-sandbox']};
const patience = 60_000;

export const start = () => chromium.launch(launch);

// profile opens a browser that keeps what it stores in a directory.
export const profile = (directory) => chromium.launchPersistentContext(directory, {...launch, ignoreHTTPSErrors: true});

export async function open(browser, url) {
  const page = await (await browser.newContext({ignoreHTTPSErrors: true})).newPage();
  page.violations = [];
  await page.exposeFunction('reportViolation', (directive) => page.violations.push(directive));
  await page.addInitScript(() => addEventListener('securitypolicyviolation', (e) => window.reportViolation(e.effectiveDirective)));
  await page.goto(url, {waitUntil: 'networkidle'});
  return page;
}

// visit opens the example in one more tab.
export async function visit(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  await page.goto(APP);
  return page;
}

export const message = (page, text) => page.locator('#message', {hasText: text}).waitFor({timeout: patience});
export const note = (page, text) => page.locator('#session', {hasText: text}).waitFor({timeout: patience});
export const form = (page) => page.locator('#login').waitFor({timeout: patience});
export const services = (page) => page.locator('#services').waitFor({timeout: patience});

export async function logIn(page, password = PASSWORD) {
  await page.fill('[name=username]', 'alice');
  await page.fill('[name=password]', password);
  await page.click('#login button');
}

// asks has a service greet.
export async function asks(page, service = 'shop') {
  await page.evaluate(() => { document.getElementById('message').textContent = ''; });
  await page.click(`#${service}`);
  await message(page, `${service}: hello 1`);
}

// until waits for a condition.
export async function until(what, is) {
  for (const end = Date.now() + patience; Date.now() < end; await new Promise((resolve) => { setTimeout(resolve, 100); })) {
    const value = await is();
    if (value) return value;
  }
  throw new Error(`not within ${patience} ms: ${what}`);
}
