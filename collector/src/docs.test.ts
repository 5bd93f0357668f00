import { readFileSync, writeFileSync } from 'node:fs';
import { NOTICE_FACTS } from '@gridtokenx/protocol';
import { expect, test } from 'vitest';
import { ALERT_KINDS } from './alerts/kinds.js';
import { differencesReference } from './audit/reference.js';
import { settingsReference } from './config-reference.js';
import { httpReference } from './http/reference.js';
import { REVIEW_KINDS } from './review/kinds.js';
import { factsReference } from './review/reference.js';

const docs = (name: string) => new URL(`../../docs/${name}`, import.meta.url);

/** Replaces what stands between the markers of a generated part. */
function withGenerated(text: string, name: string, generated: string): string {
  const pattern = new RegExp(`(<!-- generated: ${name} -->\\n)[\\s\\S]*(<!-- end -->)`);
  if (!pattern.test(text)) throw new Error('the markers of the generated part are missing');
  return text.replace(pattern, (_all, start: string, end: string) => `${start}\n${generated}\n${end}`);
}

test('docs/http.md is generated from the schemas (UPDATE_DOCS=1 writes it)', () => {
  const document = httpReference();
  if (process.env.UPDATE_DOCS === '1') writeFileSync(docs('http.md'), document);
  expect(readFileSync(docs('http.md'), 'utf8')).toBe(document);
});

test('the settings in docs/collector.md are those of the schema (UPDATE_DOCS=1 writes them)', () => {
  const before = readFileSync(docs('collector.md'), 'utf8');
  const document = withGenerated(before, 'settings', settingsReference());
  if (process.env.UPDATE_DOCS === '1') writeFileSync(docs('collector.md'), document);
  expect(readFileSync(docs('collector.md'), 'utf8')).toBe(document);
});

test('the differences in docs/audit.md are those that an audit can find (UPDATE_DOCS=1 writes them)', () => {
  const before = readFileSync(docs('audit.md'), 'utf8');
  const document = withGenerated(before, 'differences', differencesReference());
  if (process.env.UPDATE_DOCS === '1') writeFileSync(docs('audit.md'), document);
  expect(readFileSync(docs('audit.md'), 'utf8')).toBe(document);
});

test('the facts in docs/alerts.md are those that alerts and reviews carry (UPDATE_DOCS=1 writes them)', () => {
  const before = readFileSync(docs('alerts.md'), 'utf8');
  const document = withGenerated(before, 'facts', factsReference());
  if (process.env.UPDATE_DOCS === '1') writeFileSync(docs('alerts.md'), document);
  expect(readFileSync(docs('alerts.md'), 'utf8')).toBe(document);
});

test('every kind of alert and of review has its facts, and nothing else has', () => {
  const kinds = new Set([...Object.keys(ALERT_KINDS), ...Object.keys(REVIEW_KINDS)]);
  expect(Object.keys(NOTICE_FACTS).sort()).toEqual([...kinds].sort());
});
