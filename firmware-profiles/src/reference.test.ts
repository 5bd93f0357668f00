import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import {
  listProfiles,
  loadProfile,
  REFERENCE_BEGIN,
  REFERENCE_END,
  renderProfileReference,
} from './index.js';

const page = new URL('../../docs/meter-profiles.md', import.meta.url);

it('the page lists every model and every setting (UPDATE_DOCS=1 writes it)', () => {
  const text = readFileSync(page, 'utf8');
  const [before, rest = ''] = text.split(REFERENCE_BEGIN);
  const after = rest.split(REFERENCE_END)[1];
  expect(after, 'docs/meter-profiles.md has both marker lines').toBeDefined();
  const wanted = `${before}${REFERENCE_BEGIN}\n\n${renderProfileReference(listProfiles().map((id) => loadProfile(id)))}\n${REFERENCE_END}${after}`;
  if (process.env.UPDATE_DOCS === '1') writeFileSync(page, wanted);
  else expect(text).toBe(wanted);
});

it('every setting says what it is', () => {
  const settings = renderProfileReference([])
    .split('\n')
    .filter((line) => /^\| `/.test(line));
  expect(settings.length).toBeGreaterThan(80);
  expect(settings.filter((line) => /^\| `[^`]+` \|\s*\|/.test(line))).toEqual([]);
});
