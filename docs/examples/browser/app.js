// The page: a form to log in, and two services on other origins.
import {isLasting} from './keep.js';
import {call, logIn, logOut, watch} from './session.js';

const element = (id) => document.getElementById(id);
const say = (text) => { element('message').textContent = text; };

function show(session, why) {
  element('login').hidden = Boolean(session);
  element('services').hidden = !session;
  const notes = [];
  if (session?.trouble) notes.push(`Your login cannot be renewed now, and is tried again: ${session.trouble}.`);
  if (session && !isLasting()) notes.push('This browser stores no keys: a reload is a login.');
  element('session').textContent = notes.join(' ');
  if (why) say(why);
}

element('login').addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  event.target.reset();
  await logIn(form.get('username'), form.get('password')).catch((error) => say(`You are not logged in: ${error.message}`));
});

async function ask(service) {
  const response = await call(service);
  if (response.ok) say(await response.text());
  else if (!element('services').hidden) say(`${service} answers ${response.status}`);
}
for (const service of ['shop', 'warehouse']) {
  element(service).addEventListener('click', () => ask(service).catch((error) => say(`${service} cannot be asked: ${error.message}`)));
}
element('logout').addEventListener('click', logOut);
await watch(show);
