import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { expect, test } from 'vitest';
import { startLocalnet } from '../localnet.js';
import { type Exchange, playScenario } from './scenario.js';

// Recorded from a solana-test-validator by scripts/record-fixtures.mjs.
const fixture = JSON.parse(readFileSync(new URL('../fixtures/validator.json', import.meta.url), 'utf8')) as {
  validator: string;
  exchanges: Exchange[];
};

/**
 * Exchanges in which the build of an SPL program shows: LiteSVM carries the builds of mainnet-beta (p-token, Memo 4, a Token-2022),
 * the validator older ones. There, compute units, sizes and what those programs log are not compared.
 */
const OTHER_BUILDS = new Set([
  'memo',
  'token mint transaction',
  'token transfer transaction',
  'Token-2022 transaction',
  'more tokens than there are',
  'notification: logs',
]);

function withoutBuild(value: unknown, member = ''): unknown {
  if (['computeUnitsConsumed', 'unitsConsumed', 'costUnits', 'loadedAccountsDataSize'].includes(member)) {
    return typeof value;
  }
  if (member === 'logMessages' || member === 'logs') {
    return (value as string[])
      .filter((line) => !line.startsWith('Program log: '))
      .map((line) => line.replace(/consumed \d+ of \d+ /, 'consumed N of N '));
  }
  if (member === 'preBalances' || member === 'postBalances')
    return Array.isArray(value) ? value.length : value;
  if (Array.isArray(value)) return value.map((entry) => withoutBuild(entry));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, withoutBuild(entry, key)]));
  }
  return value;
}

const comparable = ({ name, method, response }: Exchange) => ({
  name,
  method,
  response: OTHER_BUILDS.has(name) ? withoutBuild(response) : response,
});

/**
 * The time that this process has had: one in which it was stopped or had to wait does not make final, between two questions,
 * what a validator was asked about before it was.
 */
function clockThatIsHere(): () => number {
  let last = Date.now();
  let shown = last;
  return () => {
    const now = Date.now();
    // The chain looks every 50 ms.
    shown += Math.min(Math.max(0, now - last), 100);
    last = now;
    return shown;
  };
}

test(`answers as solana-test-validator ${fixture.validator} does`, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'localnet-conformance-'));
  const localnet = await startLocalnet({
    dataDir,
    logger: pino({ level: 'silent' }),
    now: clockThatIsHere(),
  });
  try {
    const exchanges = await playScenario(localnet.rpcUrl, localnet.wsUrl);
    expect(exchanges.map(({ name }) => name)).toEqual(fixture.exchanges.map(({ name }) => name));
    const differing = exchanges.flatMap((exchange, index) => {
      const local = comparable(exchange);
      const validator = comparable(fixture.exchanges[index] as Exchange);
      return JSON.stringify(local) === JSON.stringify(validator) ? [] : [{ local, validator }];
    });
    expect(differing.map(({ local }) => local)).toEqual(differing.map(({ validator }) => validator));
    expect(exchanges.length).toBeGreaterThan(200);
  } finally {
    await localnet.stop();
    rmSync(dataDir, { recursive: true });
  }
});
