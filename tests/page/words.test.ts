import { readFileSync } from 'node:fs';
import { ALERT_KINDS, REVIEW_KINDS } from '@gridtokenx/collector';
import { expect, test } from 'vitest';

/*
 * What the collector may answer, against the page's texts: a refusal or a kind of alert that is added there has to be said in the
 * reader's language here.
 */

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const texts = new Set(
  [...read('dashboard/src/text/en.ts').matchAll(/^ {2}'([\w.]+)':/gm)].map(([, key]) => key as string),
);

/** Routes that people use through the page; those for gateways and programs are not among them. */
const USED =
  /^(GET|POST) (\/api\/(auth|markets|prices|trades|orders|balances|transactions|events|settlements|certificates|fleet|meters\/\{meter_id\}\/(live|energy|readings\.csv)|power|overview|energy|settlement|health|audit|alerts|reviews|status)|\/healthz)/;

/** Codes of each route, as docs/http.md has them (which a test keeps equal to the routes). */
const codes = new Map<string, string[]>(
  read('docs/http.md')
    .split(/^## /m)
    .slice(1)
    .map((section) => [
      section.slice(0, section.indexOf('\n')),
      [...section.matchAll(/^\| \d{3} \| `([A-Z_]+)` \|/gm)].map(([, code]) => code as string),
    ]),
);
/** Ours to do right: no reader can do anything about it, and `INTERNAL`'s words are said. */
const PROGRAMS = new Set(['UNSUPPORTED_MEDIA_TYPE', 'METHOD_NOT_ALLOWED']);

test('every refusal that a reader can get is said in plain words', () => {
  const used = [...codes].filter(([route]) => USED.test(route));
  expect(used.length).toBeGreaterThan(20);
  const missing = used.flatMap(([route, list]) =>
    list
      .filter((code) => !PROGRAMS.has(code) && !texts.has(`error.${code}`))
      .map((code) => `${route} ${code}`),
  );
  expect(missing).toEqual([]);
});

test('every kind of alert and review has a name', () => {
  const all = [...Object.keys(ALERT_KINDS), ...Object.keys(REVIEW_KINDS)];
  expect(all.length).toBeGreaterThan(20);
  expect(all.filter((kind) => !texts.has(`kind.${kind}`))).toEqual([]);
});

test('what the programs’ refusals are called is known to the collector', () => {
  const advice = read('collector/src/http/program-advice.ts');
  const reasons = [...texts].filter((key) => key.startsWith('reason.')).map((key) => key.slice(7));
  expect(reasons.filter((reason) => !advice.includes(`  ${reason}:`))).toEqual([]);
});
