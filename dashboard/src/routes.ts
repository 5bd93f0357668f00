import { signal } from '@preact/signals';

export const PAGES = ['live', 'market', 'home', 'operator'] as const;
export type Page = (typeof PAGES)[number];

/** What the address names: a page and what follows it, `#/home/meter-1/day`. */
export interface Place {
  readonly page: Page;
  readonly rest: readonly string[];
}

/** Reads the part of an address behind `#`; whatever is no page is the first one. */
export function placeOf(hash: string): Place {
  const [first, ...rest] = hash
    .replace(/^#\/?/, '')
    .split('/')
    .filter((part) => part !== '')
    .map(decode);
  const page = PAGES.find((name) => name === first);
  return page === undefined ? { page: PAGES[0], rest: [] } : { page, rest };
}

export function hrefOf(page: Page, ...rest: string[]): string {
  return `#/${[page, ...rest].map(encodeURIComponent).join('/')}`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const place = signal<Place>(placeOf(globalThis.location?.hash ?? ''));
globalThis.addEventListener?.('hashchange', () => {
  place.value = placeOf(globalThis.location.hash);
});

/** Another place in the stead of this one: the way back leads past it. */
export function replacePlace(...[page, ...rest]: Parameters<typeof hrefOf>): void {
  history.replaceState(history.state, '', hrefOf(page, ...rest));
  place.value = placeOf(globalThis.location.hash);
}
