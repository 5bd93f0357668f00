import type { Page } from 'playwright-core';
import { expect } from 'vitest';

/*
 * A page as somebody uses it who has no mouse. Nothing here clicks, and nothing sets the focus but keys.
 */

/** Remembers which elements listen to a mouse: they must have a way by keyboard too. Before the page's own scripts. */
export const NOTE_MOUSE_LISTENERS = `(() => {
  const add = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (type, ...rest) {
    if (this instanceof Element && ['click', 'mousedown', 'pointerdown', 'dblclick'].includes(type)) this.gtxMouse = true;
    return add.call(this, type, ...rest);
  };
})()`;

/** What the page's scripts are asked for. */
const TOOLS = `
  const OPERABLE = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
  const visible = (one) => one.checkVisibility({ checkVisibilityCSS: true }) && !one.closest('[inert]');
  const nameOf = (one) => {
    const text = one.getAttribute('aria-label') ?? one.labels?.[0]?.innerText ?? one.innerText ?? '';
    return one.tagName.toLowerCase() + (one.type ? ':' + one.type : '') + ' "' + text.trim().slice(0, 40) + '"';
  };
  // Of the radio buttons of a group one is reached, and the arrows lead to the others.
  const standsFor = (one) =>
    one.type === 'radio' && !one.checked ? [...document.getElementsByName(one.name)].find((other) => other.checked) ?? one : one;
  const operable = () => [...document.querySelectorAll(OPERABLE)].filter((one) => visible(one) && !one.disabled).map(standsFor);
`;

/** Where the focus is. */
export interface Stop {
  readonly name: string;
  /** Something is drawn around it. */
  readonly marked: boolean;
  /** How often it has been come to since the walk began. */
  readonly visits: number;
  readonly nowhere: boolean;
}

const STOP = `(() => {
  ${TOOLS}
  const one = document.activeElement;
  if (one === null || one === document.body || one === document.documentElement)
    return { name: '', marked: true, visits: 0, nowhere: true };
  one.gtxVisits = (one.gtxVisits ?? 0) + 1;
  const { outlineStyle, outlineWidth } = getComputedStyle(one);
  const marked = one.matches(':focus-visible') && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1;
  return { name: nameOf(one), marked, visits: one.gtxVisits, nowhere: false };
})()`;

export const stop = (page: Page): Promise<Stop> => page.evaluate<Stop>(STOP);

/** At most so many keys for a page: whoever needs more is in a trap. */
const LONGEST_WALK = 600;

/**
 * Walks with the tabulator key from wherever the focus is until it is there again, and back: everything that can be operated
 * was come to, with something drawn around it, and nothing held the keys for itself.
 */
export async function walk(page: Page): Promise<string[]> {
  await page.evaluate(`(() => {
    ${TOOLS}
    for (const one of document.querySelectorAll('*')) delete one.gtxVisits;
    globalThis.gtxThere = operable();
  })()`);
  const names = await oneWay(page, 'Tab');
  const missed = await page.evaluate<string[]>(`(() => {
    ${TOOLS}
    const now = new Set(operable());
    // What has gone meanwhile, or cannot be operated any more, need not have been come to.
    return globalThis.gtxThere.filter((one) => now.has(one) && !one.gtxVisits).map(nameOf);
  })()`);
  expect(missed, 'never come to by Tab').toEqual([]);
  const mouseOnly = await page.evaluate<string[]>(`(() => {
    ${TOOLS}
    const all = [...document.querySelectorAll('main *, header *')].filter((one) => one.gtxMouse && visible(one));
    // Plots tell under the mouse what the figures and tables beside them say anyway.
    const alone = all.filter((one) => !one.closest('.uplot, dialog') && !one.matches(OPERABLE + ', label, form, option'));
    return alone.map(nameOf);
  })()`);
  expect(mouseOnly, 'listens to the mouse and cannot be come to').toEqual([]);
  const back = await oneWay(page, 'Shift+Tab');
  expect(back.length, 'as many stops on the way back').toBeGreaterThanOrEqual(Math.floor(names.length * 0.9));
  return names;
}

async function oneWay(page: Page, key: 'Tab' | 'Shift+Tab'): Promise<string[]> {
  const names: string[] = [];
  for (let n = 0; n < LONGEST_WALK; n += 1) {
    await page.keyboard.press(key);
    const at = await stop(page);
    // Between the end of the page and its beginning.
    if (at.nowhere) continue;
    if (at.visits > (key === 'Tab' ? 1 : 2)) return names;
    expect(at.marked, `something is drawn around ${at.name}`).toBe(true);
    names.push(at.name);
  }
  throw new Error(`no way out by ${key}: ${names.slice(-10).join(', ')}`);
}

/** Goes on with a key until the focus is on an element of that name (a part of it). @throws when it is nowhere */
export async function goTo(
  page: Page,
  name: string | RegExp,
  key: 'Tab' | 'Shift+Tab' = 'Tab',
): Promise<void> {
  const seen: string[] = [];
  for (let n = 0; n < LONGEST_WALK; n += 1) {
    await page.keyboard.press(key);
    const at = await stop(page);
    if (typeof name === 'string' ? at.name.includes(name) : name.test(at.name)) {
      expect(at.marked, `something is drawn around ${at.name}`).toBe(true);
      return;
    }
    seen.push(at.name);
  }
  throw new Error(`${name} was not come to: ${[...new Set(seen)].join(', ')}`);
}
