import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { processEnvironment } from './command.js';
import { buildProgram } from './program.js';
import { REFERENCE_BEGIN, REFERENCE_END, renderReference } from './reference.js';

const page = new URL('../../docs/cli.md', import.meta.url);

describe('the reference page', () => {
  it('says what the commands say', () => {
    const text = readFileSync(page, 'utf8');
    const [before, rest = ''] = text.split(REFERENCE_BEGIN);
    const after = rest.split(REFERENCE_END)[1];
    expect(after, 'docs/cli.md has both marker lines').toBeDefined();
    const wanted = `${before}${REFERENCE_BEGIN}\n\n${renderReference(buildProgram(processEnvironment))}\n${REFERENCE_END}${after}`;
    // Brings the page up to date.
    if (process.env.VITEST_UPDATE_DOCS === '1') writeFileSync(page, wanted);
    else expect(text).toBe(wanted);
  });
});
