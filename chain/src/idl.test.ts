import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { certificatesIdl } from './idl/certificates.js';
import { energyTokenIdl } from './idl/energy-token.js';
import { governanceIdl } from './idl/governance.js';
import { oracleIdl } from './idl/oracle.js';
import { registryIdl } from './idl/registry.js';
import { tradingIdl } from './idl/trading.js';

const artifact = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../programs/artifacts/${name}.idl.json`, import.meta.url), 'utf8'));

it('uses the interfaces that the programs were compiled with', () => {
  expect(registryIdl).toEqual(artifact('registry'));
  expect(energyTokenIdl).toEqual(artifact('energy_token'));
  expect(tradingIdl).toEqual(artifact('trading'));
  expect(oracleIdl).toEqual(artifact('oracle'));
  expect(certificatesIdl).toEqual(artifact('certificates'));
  expect(governanceIdl).toEqual(artifact('governance'));
});

it('has types that were written from them', () => {
  const script = fileURLToPath(new URL('../scripts/sync-idl.mjs', import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});
