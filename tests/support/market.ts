import { join } from 'node:path';
import type { Keypair } from '@solana/web3.js';
import type pg from 'pg';
import { expect } from 'vitest';
import type { Plant } from './plant.js';
import { type CommandResult, lastJson, RunningSystem } from './up.js';
import { waitFor } from './wait.js';

/** Where commands are typed: beside a whole running system, or beside single services. */
export interface Terminal {
  readonly dataDir: string;
  key(name: string): Keypair;
  /** Runs a command with --json. */
  run(...args: string[]): Promise<CommandResult>;
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
}

export function terminalOf(system: RunningSystem | Plant): Terminal {
  return {
    dataDir: system.dataDir,
    key: (name) => system.key(name),
    run: (...args) =>
      system instanceof RunningSystem ? system.gtx(...args, '--json') : system.tryGtx(...args),
    query: (text, values) => system.query(text, values),
  };
}

/** Runs a command that has to succeed. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
export async function told(terminal: Terminal, ...args: string[]): Promise<any> {
  const result = await terminal.run(...args);
  if (result.code !== 0)
    throw new Error(`gtx ${args.join(' ')} ended with ${result.code}:\n${result.stdout}${result.stderr}`);
  return lastJson(result);
}

/** A person with a wallet at a terminal. */
export interface Person {
  readonly name: string;
  readonly keyFile: string;
  readonly wallet: string;
}

/** Amounts as decimal text, without what is in orders. */
export interface Holdings {
  readonly grid: string;
  readonly grx: string;
}

/** Runs a command with --json until it succeeds: while something is down or on its way it says so, and does nothing. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
export async function persist(terminal: Terminal, ...args: string[]): Promise<any> {
  let last = '';
  try {
    return await waitFor(
      `gtx ${args.join(' ')} succeeds`,
      async () => {
        const result = await terminal.run(...args);
        last = `exit code ${result.code}: ${result.stdout}${result.stderr}`;
        return result.code === 0 ? lastJson(result) : undefined;
      },
      { everyMs: 250, timeoutMs: 240_000 },
    );
  } catch (error) {
    throw new Error(last, { cause: error });
  }
}

/** Makes a wallet with some SOL for fees. */
export async function newPerson(terminal: Terminal, name: string): Promise<Person> {
  const keyFile = join(terminal.dataDir, 'keys', `${name}.json`);
  await told(terminal, 'keygen', '--out', keyFile);
  const wallet = terminal.key(name).publicKey.toBase58();
  await told(terminal, 'airdrop', '--to', wallet, '--sol', '5');
  return { name, keyFile, wallet };
}

/**
 * Registers a person with a meter made of software, and lets it sign one reading. Unless told otherwise it is rated so high that a
 * second is enough for a day's energy.
 */
export async function produce(
  terminal: Terminal,
  person: Person,
  meterId: string,
  {
    production,
    consumption,
    ratedWatts = '1000000000',
  }: { production: string; consumption: string; ratedWatts?: string },
  collectorUrl?: string,
): Promise<void> {
  const registrar = join(terminal.dataDir, 'keys', 'registrar.json');
  await told(terminal, 'register-user', '--wallet-key', person.keyFile, '--payer-key', registrar);
  await told(terminal, 'verify-user', '--wallet', person.wallet);
  await told(
    terminal,
    ...['register-meter', '--meter-id', meterId, '--owner-key', person.keyFile],
    ...['--rated-watts', ratedWatts],
  );
  await persist(
    terminal,
    ...['submit-reading', '--meter-id', meterId, '--wallet', person.wallet],
    ...['--production', production, '--consumption', consumption],
    ...(collectorUrl === undefined ? [] : ['--url', collectorUrl]),
  );
}

/** What a wallet holds, as three places tell it: its token accounts, the collector's database, and the command line. */
export async function holdingsOf(
  terminal: Terminal,
  { wallet }: Person,
): Promise<{ chain: Holdings; database: Holdings; orders: Holdings }> {
  const balances = await told(terminal, 'balances', '--wallet', wallet);
  const rows = await terminal.query<{ mint: string; amount: string }>(
    'SELECT mint, amount FROM user_balances WHERE wallet = $1',
    [wallet],
  );
  const markets = await terminal.query<{ base_mint: string; quote_mint: string }>(
    'SELECT base_mint, quote_mint FROM markets',
  );
  const [market] = markets;
  const amountOf = (mint: string | undefined) => {
    const units = BigInt(rows.find((row) => row.mint === mint)?.amount ?? 0);
    const part = (units % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
    return `${units / 1_000_000_000n}${part === '' ? '' : `.${part}`}`;
  };
  return {
    chain: { grid: balances.grid.amount, grx: balances.grx.amount },
    database: { grid: amountOf(market?.base_mint), grx: amountOf(market?.quote_mint) },
    orders: { grid: balances.grid.in_orders, grx: balances.grx.in_orders },
  };
}

/**
 * Waits until chain and database both tell these holdings, and nothing is left in orders. What else the database tells of
 * the transactions may come later: once a minute the collector reads what wallets hold by itself.
 */
export async function expectHoldings(terminal: Terminal, person: Person, expected: Holdings): Promise<void> {
  let last: unknown;
  const wanted = { chain: expected, database: expected, orders: { grid: '0', grx: '0' } };
  try {
    await waitFor(`${person.name} has what was traded`, async () => {
      last = await holdingsOf(terminal, person);
      return JSON.stringify(last) === JSON.stringify(wanted);
    });
  } catch {
    expect(last, person.name).toEqual(wanted);
  }
}
