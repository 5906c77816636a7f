// Logs in, stays logged in, and logs out: one session for all tabs.
import {clearMemory, forget, keep, kept} from './keep.js';
import {newKey, prove} from './prove.js';

const {issuer, clientID, services} = await (await fetch('config.json')).json();
const tabs = new BroadcastChannel('session');
const loggedOut = 'You are logged out.';
let timer;
let show;

// request asks the issuer for tokens. If it wants a nonce in the proof, as it does when this clock is off, it gets a second one.
async function request(key, form, nonce) {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST', credentials: 'omit', referrerPolicy: 'no-referrer', signal: AbortSignal.timeout(10_000),
    headers: {DPoP: await prove(key, `${issuer}/token`, nonce)}, body: new URLSearchParams({client_id: clientID, ...form}),
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (answer.error === 'use_dpop_nonce' && nonce === undefined) return request(key, form, response.headers.get('DPoP-Nonce'));
  const wait = Number(response.headers.get('Retry-After'));
  const description = answer.error_description ?? `the issuer answers ${response.status}`;
  throw Object.assign(new Error(wait ? `${description}: try again in ${wait} s` : description), {code: answer.error, wait});
}

// granted is what a session has of an answer. After two thirds of the lifetime a token is replaced.
const granted = ({access_token: accessToken, refresh_token: refreshToken, expires_in: seconds}) => ({
  accessToken, refreshToken, askedAt: Date.now(), wait: seconds * (refreshToken ? 667 : 1000), failures: 0, trouble: '',
});

// remaining is the time until the next refresh, 0 if the clock was set back by more than a minute.
const remaining = ({askedAt, wait}) => (Date.now() < askedAt - 60_000 ? 0 : Math.max(askedAt + wait - Date.now(), 0));

export async function logIn(username, password) {
  const key = await newKey();
  const answer = await request(key, {grant_type: 'password', username, password});
  await keep(() => ({key, ...granted(answer)}));
  tell('You are logged in.');
}

// logOut deletes the key and the tokens. No server is asked: without the key, nobody can use the refresh token.
export async function logOut() {
  await forget();
  tell(loggedOut);
}

// refresh replaces the access token when it is time, or when a service refused it. One tab does it for all: the others wait for
// the lock, and then find a new token.
function refresh(refused) {
  return navigator.locks.request('refresh', async () => {
    const session = await kept();
    const early = session && remaining(session) > 0;
    if (!session || early && (session.accessToken !== refused || session.failures > 0)) return update();
    let [next, why] = [undefined, 'Your login has expired.'];
    try {
      const form = {grant_type: 'refresh_token', refresh_token: session.refreshToken};
      if (session.refreshToken) [next, why] = [{...session, ...granted(await request(session.key, form))}];
    } catch (error) {
      const wait = 1000 * (error.wait || Math.min(2 ** session.failures, 30));
      [next, why] = error.code === 'invalid_grant' ? [undefined, 'Your login has ended.'] // no other answer ends a session
        : [{...session, askedAt: Date.now(), wait, failures: session.failures + 1, trouble: error.message}];
    }
    // What another tab has written since, by a login or a logout, stays.
    await keep((now) => (now?.refreshToken === session.refreshToken ? next : now));
    return tell(why);
  });
}

// call asks a service by its name. If it refuses the token, one that is new may do: the old one can have expired while the computer slept.
export async function call(service) {
  const ask = (token) => fetch(services[service], {credentials: 'omit', headers: {Authorization: `Bearer ${token}`}});
  const before = (await kept())?.accessToken;
  const response = await ask(before);
  if (response.status !== 401) return response;
  await refresh(before);
  const after = (await kept())?.accessToken;
  return after && after !== before ? ask(after) : response;
}

// tell has all tabs show the session, and why it changed.
function tell(why) {
  tabs.postMessage(why);
  return update(why);
}

// update shows the session, and sets the time of its next refresh.
async function update(why) {
  const session = await kept();
  clearTimeout(timer);
  if (session) timer = setTimeout(refresh, Math.min(remaining(session), 60_000)); // a clock can jump, and a computer sleep
  show(session, why);
}

// watch has the session shown now, and whenever it changes.
export function watch(how) {
  show = how;
  tabs.onmessage = ({data: why}) => {
    if (why === loggedOut) clearMemory();
    return update(why);
  };
  return update();
}
