/** Longer than a window takes to see what another one has written. */
const SETTLE_MS = 100;
const LOOK_EVERY_MS = 100;

/**
 * Does something in one window at a time. Browsers have locks for that (Web Locks API, W3C) where a page came encrypted or
 * from this machine; over plain HTTP in a home's network a mark in the storage that all windows share does it.
 * @param atMostMs after that a mark's window is taken for gone
 */
export function exclusively<T>(name: string, atMostMs: number, work: () => Promise<T>): Promise<T> {
  return globalThis.navigator.locks
    ? globalThis.navigator.locks.request(name, work)
    : marked(`${name}.busy`, atMostMs, work);
}

async function marked<T>(name: string, atMostMs: number, work: () => Promise<T>): Promise<T> {
  const storage = globalThis.localStorage;
  const pause = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis));
  const own = `${Math.random()}`;
  const isOwn = () => storage.getItem(name)?.endsWith(` ${own}`) === true;
  for (;;) {
    const until = Number.parseInt(storage.getItem(name) ?? '', 10);
    const left = until - Date.now();
    // One that lies further ahead was made by another clock.
    if (!(left > 0 && left <= atMostMs)) {
      storage.setItem(name, `${Date.now() + atMostMs} ${own}`);
      // Of those that write at the same time the last one has it.
      await pause(SETTLE_MS);
      if (isOwn()) break;
    } else await pause(LOOK_EVERY_MS);
  }
  try {
    return await work();
  } finally {
    if (isOwn()) storage.removeItem(name);
  }
}
