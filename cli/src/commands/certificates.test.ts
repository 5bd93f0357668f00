import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKeypairFile } from '@gridtokenx/chain';
import { type Localnet, startLocalnet } from '@gridtokenx/localnet';
import { Keypair } from '@solana/web3.js';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../command-line.js';
import { dataLayout } from '../data-dir.js';
import { EXIT } from '../exit-codes.js';
import { keyPath } from '../keys.js';
import { localPrograms, upgradeAuthorityOf } from '../local-programs.js';
import { until } from '../testing/wait.js';

/* The commands in this process, on a chain of their own with the compiled programs. */

let folder: string;
let chain: Localnet;

async function gtx(...args: string[]) {
  let out = '';
  let err = '';
  const code = await runCommandLine(args, {
    streams: {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      isTty: false,
    },
    env: { GTX_DATA_DIR: folder, SOLANA_RPC_URL: chain.rpcUrl },
  });
  return { code, out, err };
}

/** Runs with --json. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
async function json(...args: string[]): Promise<{ code: number; value: any }> {
  const { code, out } = await gtx(...args, '--json');
  return { code, value: JSON.parse(out) };
}

// biome-ignore lint/suspicious/noExplicitAny: as above
async function good(...args: string[]): Promise<any> {
  const { code, value } = await json(...args);
  expect(value, JSON.stringify(value)).not.toHaveProperty('error');
  expect(code).toBe(EXIT.ok);
  return value;
}

/** Settles some energy of the software meter. An interval that is empty yet is not signed. */
async function produce(kwh: string): Promise<void> {
  await until('the interval is not empty', async () => {
    const args = ['--production', kwh, '--consumption', '0', '--direct'];
    const { code, value } = await json('submit-reading', ...args);
    if (value.error?.code === 'VALUE_INVALID') return false;
    expect(value, JSON.stringify(value)).not.toHaveProperty('error');
    return code === EXIT.ok;
  });
  await good('settle-meter-balance');
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-certificates-'));
  const layout = dataLayout(folder);
  chain = await startLocalnet({
    dataDir: join(folder, 'chain'),
    port: 0,
    programs: localPrograms(),
    upgradeAuthority: upgradeAuthorityOf(layout),
    logger: pino({ level: 'silent' }),
  });
  await good('keygen', '--set');
  await good('airdrop');
  expect(await good('chain', 'init', '--max-rated-watts', '100000000')).toMatchObject({
    initialized: ['registry', 'energy-token', 'certificates'],
  });
  await good('register-user');
  await good('verify-user');
  await good('register-meter', '--rated-watts', '100000000', '--payer-key', keyPath(layout, 'registrar'));
});
afterAll(async () => {
  await chain?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('gtx certificates', () => {
  it('say what is missing before there is a book', async () => {
    expect(await json('certificates', 'issue')).toMatchObject({
      value: { error: { code: 'NOT_FOUND' } },
    });
    const unnamed = await gtx('certificates', 'opt-in');
    expect(unnamed.code).not.toBe(EXIT.ok);
    expect(unnamed.err).toContain('--source');
    expect((await json('certificates', 'issue', '--meter-id', 'NOBODY')).value.error.code).toBe(
      'METER_NOT_REGISTERED',
    );
    expect(await good('certificates', 'list')).toEqual({ certificates: [], total_kwh: '0' });
    expect((await gtx('certificates', 'opt-in', '--source', 'coal')).code).toBe(EXIT.usage);
    expect((await gtx('certificates', 'opt-in', '--off')).err).toContain('NOT_FOUND');
  });

  it('opt in, issue, split, transfer and retire', async () => {
    await produce('3');
    expect(
      await good('certificates', 'opt-in', '--source', 'solar', '--min-kwh', '0.5', '--include-settled'),
    ).toMatchObject({
      opened: true,
      source: 'solar',
      auto_issue: true,
      min_kwh: '0.5',
      next_total_nkwh: '0',
    });
    expect(await good('certificates', 'fund', '--certificates', '2')).toMatchObject({ certificates: 2 });
    expect(await good('certificates', 'issue', '--kwh', '2')).toMatchObject({ serial: '1', kwh: '2' });
    expect(await good('certificates', 'issue')).toMatchObject({ serial: '2', kwh: '1' });
    expect((await json('certificates', 'issue')).value.error).toMatchObject({ code: 'CONFLICT' });

    expect(await good('certificates', 'split', '--serial', '1', '--kwh', '0.25')).toMatchObject({
      serial: '3',
      split_from: '1',
    });
    expect((await json('certificates', 'split', '--serial', '3', '--kwh', '0.25')).value.error.code).toBe(
      'VALUE_INVALID',
    );
    const buyer = Keypair.generate().publicKey.toBase58();
    expect(await good('certificates', 'transfer', '--serial', '3', '--to', buyer)).toMatchObject({
      serial: '3',
      kwh: '0.25',
      holder: buyer,
    });
    // A part is divided off in the same transaction.
    expect(
      await good('certificates', 'transfer', '--serial', '1', '--kwh', '0.75', '--to', buyer),
    ).toMatchObject({ serial: '4', kwh: '0.75' });
    expect(
      await good('certificates', 'retire', '--serial', '1', '--kwh', '0.4', '--beneficiary', 'Büro 7'),
    ).toMatchObject({ serial: '5', kwh: '0.4', beneficiary: 'Büro 7', reason: '' });
    const retired = ['--beneficiary', 'Büro 7', '--reason', 'Mai 2026'];
    expect(await good('certificates', 'retire', '--serial', '2', ...retired)).toMatchObject({ kwh: '1' });

    const owner = readKeypairFile(keyPath(dataLayout(folder), 'owner')).publicKey.toBase58();
    const mine = await good('certificates', 'list', '--holder', owner);
    expect(mine).toMatchObject({ certificates: [{ serial: '1', kwh: '0.6', source: 'solar' }] });
    const all = await good('certificates', 'list', '--meter-id', 'MTR-001');
    expect(all.certificates.map(({ serial, kwh }: Record<string, string>) => [serial, kwh])).toEqual([
      ['1', '0.6'],
      ['3', '0.25'],
      ['4', '0.75'],
    ]);
    expect(all.total_kwh).toBe('1.6');
    expect(await good('certificates', 'list', '--retired')).toMatchObject({
      certificates: [
        { serial: '2', beneficiary: 'Büro 7', reason: 'Mai 2026', retired_by: owner, split_from: null },
        { serial: '5', kwh: '0.4', split_from: '1' },
      ],
      total_kwh: '1.4',
    });
    const text = await gtx('certificates', 'list', '--retired');
    expect(text.out).toContain('MTR-001/2');
    expect(text.out).toContain('Büro 7 (Mai 2026)');
  });

  it('refuse what the chain refuses, with its reason', async () => {
    const gone = await json(
      'certificates',
      'transfer',
      '--serial',
      '2',
      '--to',
      Keypair.generate().publicKey.toBase58(),
    );
    expect(gone.value.error.code).toBe('NOT_FOUND');
    const foreign = await json('certificates', 'retire', '--serial', '3', '--beneficiary', 'x');
    expect(foreign.code).not.toBe(EXIT.ok);
    expect(foreign.value.error.code).toBe('FORBIDDEN');
    const long = await json('certificates', 'retire', '--serial', '1', '--beneficiary', 'x'.repeat(97));
    expect(long.value.error.code).toBe('MESSAGE_INVALID');
    const control = await json('certificates', 'retire', '--serial', '1', '--beneficiary', 'a\nb');
    expect(control.value.error).toMatchObject({
      code: 'CHAIN_REFUSED',
      details: { reason: 'BeneficiaryInvalid' },
    });
  });

  it('opt out and in again', async () => {
    expect(await good('certificates', 'opt-in', '--off')).toMatchObject({ auto_issue: false, opened: false });
    expect(await good('certificates', 'opt-in')).toMatchObject({ auto_issue: true, min_kwh: '0' });
    expect((await gtx('certificates', 'opt-in')).out).toContain('with each settlement');
  });
});
