// Logs in at an issuer and calls services on other origins. The token is a variable of this module: no other script can
// read it, and it is gone with the page. It is in no cookie, so that no browser sends it anywhere by itself.
const {issuer, clientID, services} = await (await fetch('config.json')).json();
let token;
let expiry;

const element = (id) => document.getElementById(id);
const say = (text) => { element('message').textContent = text; };

function show(loggedIn) {
  element('login').hidden = loggedIn;
  element('services').hidden = !loggedIn;
}

function forget(why) {
  clearTimeout(expiry);
  token = undefined;
  show(false);
  say(why);
}

async function logIn(username, password) {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST', credentials: 'omit', referrerPolicy: 'no-referrer',
    body: new URLSearchParams({grant_type: 'password', client_id: clientID, username, password}),
  });
  const answer = await response.json();
  if (!response.ok) {
    const wait = response.headers.get('Retry-After');
    throw new Error(answer.error_description + (wait ? `: try again in ${wait} s` : ''));
  }
  token = answer.access_token;
  expiry = setTimeout(() => forget('Your login has expired.'), answer.expires_in * 1000);
}

async function ask(service) {
  const response = await fetch(services[service], {credentials: 'omit', headers: {Authorization: `Bearer ${token}`}});
  if (response.status === 401) {
    forget('Your login is no longer accepted.');
    return;
  }
  say(await response.text());
}

element('login').addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  event.target.reset();
  try {
    await logIn(form.get('username'), form.get('password'));
    show(true);
    say('You are logged in.');
  } catch (error) {
    say(`You are not logged in: ${error.message}`);
  }
});
for (const service of ['shop', 'warehouse']) {
  element(service).addEventListener('click', () => ask(service).catch((error) => say(`${service} cannot be asked: ${error.message}`)));
}
element('logout').addEventListener('click', () => forget('You are logged out.'));
