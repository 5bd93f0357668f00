import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { OWN_IDS, REGISTRY, registryIdl, TOKEN } from './support.js';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

describe('docs/programs.md', () => {
  it('lists every instruction, account, error, event and cost as the IDLs and the table have them', () => {
    execFileSync(process.execPath, [file('../scripts/docs.mjs'), '--check'], { stdio: 'pipe' });
  });
});

describe('Anchor.toml', () => {
  it.skipIf(OWN_IDS)('names the ids that the programs were built for', () => {
    const text = readFileSync(file('../../Anchor.toml'), 'utf8');
    expect(text).toContain(`registry = "${REGISTRY.toBase58()}"`);
    expect(text).toContain(`energy_token = "${TOKEN.toBase58()}"`);
  });
});

describe('error codes', () => {
  it('keep their numbers: clients and databases know them', () => {
    const numbered = registryIdl.errors?.map(({ code, name }) => `${code} ${name}`) ?? [];
    expect(numbered[0]).toBe('6000 NotUpgradeAuthority');
    expect(numbered).toContain('6030 SequenceNotHigher');
    expect(numbered).toContain('6049 InvariantViolated');
    expect(numbered).toContain('6050 DailyMintCapReached');
  });
});
