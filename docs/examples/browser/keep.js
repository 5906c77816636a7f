// Keeps the session of this browser: one record in IndexedDB, which all tabs of the origin read, also after the browser was closed.
// A CryptoKey is stored as it is: a script can use it, and cannot read it.
let memory; // what was read or written last
let lasting = true; // whether this browser stores keys

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

// transact replaces the record by what change makes of it, undefined for none. Tabs that do so at once wait for each other.
async function transact(change) {
  const opening = indexedDB.open('login', 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore('kept');
  const database = await done(opening);
  try {
    const store = database.transaction('kept', change ? 'readwrite' : 'readonly').objectStore('kept');
    const read = await done(store.get('session'));
    if (!change) return read;
    const session = change(read);
    await done(session ? store.put(session, 'session') : store.delete('session'));
    return session;
  } finally {
    database.close();
  }
}

// keep changes the session. Where the browser stores no keys (DataCloneError, or no IndexedDB), this tab has it in memory.
export async function keep(change) {
  try {
    if (lasting) return memory = await transact(change);
  } catch {
    lasting = false;
  }
  return memory = change ? change(memory) : memory;
}

export const kept = () => keep();
export const isLasting = () => lasting;
export const clearMemory = () => { memory = undefined; };

// forget deletes the session from both.
export async function forget() {
  clearMemory();
  await transact(() => undefined).catch(() => { lasting = false; });
}
