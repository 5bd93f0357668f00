import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildTransaction, fetchMeter, instructions, writeKeypairFile } from '@gridtokenx/chain';
import { loadCollectorConfig, type RunningCollector, startCollector } from '@gridtokenx/collector';
import { ComputeBudgetProgram, Keypair, SystemProgram, type TransactionInstruction } from '@solana/web3.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { INTERVAL_SECONDS, World, type WorldMeter } from '../../../collector/src/settlement/testing/world.js';
import { runCommandLine } from '../command-line.js';
import { EXIT } from '../exit-codes.js';
import { assertDecides } from '../review-actions.js';
import { commandsOf, words } from '../testing/page-commands.js';
import { until } from '../testing/wait.js';

/* The commands in this process, against a collector on a real chain and database. */

const PASSWORD = 'a long enough password';
const world = new World();
let folder: string;
let collector: RunningCollector;
let receiver: Server;
let hooks: { notices: { event: string; alert: { kind: string } }[] }[];
let hookStatus = 204;
let owner: Keypair;
let registrarKey: string;
let strangerKey: string;

async function gtx(args: string[], env: Record<string, string> = {}) {
  const text = { out: '', err: '' };
  const code = await runCommandLine(args, {
    streams: {
      out: (part) => {
        text.out += part;
      },
      err: (part) => {
        text.err += part;
      },
      isTty: false,
    },
    env: {
      GTX_DATA_DIR: folder,
      SOLANA_RPC_URL: world.rpcUrl,
      GTX_COLLECTOR_URL: collector.httpUrl,
      GTX_OPERATOR_USERNAME: 'operator',
      GTX_OPERATOR_PASSWORD: PASSWORD,
      ...env,
    },
  });
  return { code, ...text };
}

// biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
async function json(...args: string[]): Promise<{ code: number; value: any }> {
  const { code, out } = await gtx([...args, '--json']);
  return { code, value: JSON.parse(out) };
}

async function reviewsOf(meterId: string, kind: string): Promise<{ id: string; status: string }[]> {
  const { value } = await json('review', 'list', '--status', 'all', '--kind', kind, '--meter-id', meterId);
  return value.items;
}

beforeAll(async () => {
  await world.start();
  await world.connection.requestAirdrop(world.registrar.publicKey, 1_000_000_000);
  owner = await world.addOwner();
  folder = mkdtempSync(join(tmpdir(), 'gtx-review-'));
  const keyFile = (name: string, key: Keypair) => {
    const path = join(folder, `${name}.json`);
    writeKeypairFile(path, key);
    return path;
  };
  registrarKey = keyFile('registrar', world.registrar);
  strangerKey = keyFile('stranger', owner);
  hooks = [];
  receiver = createServer((request, response) => {
    let text = '';
    request.on('data', (part: Buffer) => {
      text += part.toString();
    });
    request.on('end', () => {
      hooks.push(JSON.parse(text));
      response.writeHead(hookStatus).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  collector = await startCollector(
    loadCollectorConfig({
      DATABASE_URL: world.databaseUrl,
      SOLANA_RPC_URL: world.rpcUrl,
      GTX_FEE_PAYER_KEY: keyFile('fee-payer', world.feePayer),
      GTX_ACK_KEY: keyFile('ack', Keypair.generate()),
      GTX_MQTT_PORT: '0',
      GTX_HTTP_PORT: '0',
      GTX_SETTLEMENT_SECONDS: '1',
      GTX_INTERVAL_SECONDS: String(INTERVAL_SECONDS),
      GTX_CERTIFICATES: 'off',
      GTX_OPERATOR_USERNAME: 'operator',
      GTX_OPERATOR_PASSWORD: PASSWORD,
      GTX_ALERT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
      GTX_ALERT_WEBHOOK_SECRET: 'sixteen characters or more',
    }),
    { logger: world.logger, now: world.now },
  );
});
afterAll(async () => {
  await collector?.stop();
  receiver?.closeAllConnections();
  await new Promise((resolve) => receiver?.close(resolve));
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  hookStatus = 204;
});

async function minted({ meter }: WorldMeter): Promise<bigint> {
  return (await fetchMeter(world.connection, meter.meterId))?.minted ?? -1n;
}

/** A home of 1 kW whose second reading claims 5 kWh in an hour: the chain holds 3.9 of them back. */
async function holdOnChain(): Promise<{ home: WorldMeter; id: string }> {
  const home = await world.addMeter(owner, 1000);
  await fetch(`${collector.httpUrl}/api/meters/${home.meter.meterId}`);
  await world.mirror().meter(home.meter.meterId);
  await world.measure([home], '0.1', '0');
  await until('the first reading is minted', async () => (await minted(home)) > 0n);
  await world.measure([home], '5', '0');
  let id: string | undefined;
  await until('the review is there', async () => {
    id = (await reviewsOf(home.meter.meterId, 'energy_held'))[0]?.id;
    return id !== undefined;
  });
  return { home, id: id as string };
}

describe('gtx review', () => {
  it('releases a reading above the limit, with who and why, once', async () => {
    const home = await world.addMeter(owner);
    await world.mirror().meter(home.meter.meterId);
    world.pass(2 * INTERVAL_SECONDS);
    expect(await world.store(home.meter.next('150', '0', 2))).toBe('held');
    const [review] = await reviewsOf(home.meter.meterId, 'held_amount');
    const id = review?.id as string;
    const text = await gtx(['review', 'list', '--meter-id', home.meter.meterId]);
    expect(text.out).toContain(`${id}  held_amount  open`);
    expect(text.out).toContain('150 kWh');
    // Only what the kind offers, and never without a reason.
    expect(await json('review', 'retry', id, '--reason', 'x')).toMatchObject({
      code: EXIT.refused,
      value: { error: { code: 'CONFLICT', details: { actions: ['accept', 'dismiss'] } } },
    });
    expect((await gtx(['review', 'accept', id])).code).toBe(EXIT.usage);
    expect((await gtx(['review', 'accept', id, '--reason', '  '])).code).toBe(EXIT.refused);
    const accepted = await json('review', 'accept', id, '--reason', 'a big roof');
    expect(accepted).toMatchObject({
      code: EXIT.ok,
      value: {
        status: 'released',
        actions: [],
        resolved_by: 'password of operator',
        resolution_note: 'a big roof',
      },
    });
    expect(accepted.value.history.map(({ action }: { action: string }) => action)).toEqual([
      'opened',
      'released',
    ]);
    const again = await json('review', 'dismiss', id, '--reason', 'no');
    expect(again).toMatchObject({ code: EXIT.refused, value: { error: { code: 'CONFLICT' } } });
    await until('it is minted', async () => (await minted(home)) === 150_000_000_000n);
    expect((await gtx(['review', 'show', id])).out).toMatch(/released by password of operator: a big roof/);
  });

  it('releases and writes off energy held on the chain with the registrar’s key only', async () => {
    const { home, id } = await holdOnChain();
    // In the database there is nothing to decide.
    expect(await json('review', 'accept', id, '--reason', 'x')).toMatchObject({
      code: EXIT.refused,
      value: { error: { code: 'CONFLICT' } },
    });
    expect(
      await json('review', 'release', id, '--reason', 'x', '--authority-key', strangerKey),
    ).toMatchObject({
      code: EXIT.refused,
      value: { error: { code: 'FORBIDDEN', details: { registrar: world.registrar.publicKey.toBase58() } } },
    });
    const done = await json(
      'review',
      'release',
      id,
      '--reason',
      'more panels',
      '--authority-key',
      registrarKey,
    );
    expect(done).toMatchObject({ code: EXIT.ok, value: { status: 'released', resolved_by: 'chain' } });
    expect(done.value.history).toMatchObject([
      { action: 'opened' },
      {
        action: 'prepared',
        actor: 'password of operator',
        reason: 'more panels',
        details: { decision: 'release', wallet: world.registrar.publicKey.toBase58(), amount_kwh: '3.9' },
      },
      {
        action: 'released',
        actor: 'chain',
        reason: `decided by ${world.registrar.publicKey.toBase58()} in ${done.value.signature}`,
      },
    ]);
    await until('it is minted', async () => (await minted(home)) === 5_100_000_000n);

    const other = await holdOnChain();
    const args = ['--reason', 'wrong factor', '--authority-key', registrarKey];
    const text = await gtx(['review', 'write-off', other.id, ...args]);
    expect(text).toMatchObject({
      code: EXIT.ok,
      out: expect.stringMatching(
        /^Wrote off 3\.9 kWh of \S+ held under sequence 2\.\n {2}transaction \S+\n$/,
      ),
    });
    expect(await reviewsOf(other.home.meter.meterId, 'energy_held')).toMatchObject([
      { status: 'written_off' },
    ]);
  });

  it('shows nothing to whoever is not the operator', async () => {
    for (const path of ['/api/reviews', '/api/alerts']) {
      expect((await fetch(collector.httpUrl + path)).status).toBe(401);
    }
    const refused = await gtx(['review', 'list'], { GTX_OPERATOR_PASSWORD: 'not the password' });
    expect(refused.code).toBe(EXIT.refused);
    expect(refused.err).toContain('UNAUTHENTICATED');
    // The password does not leave this machine in the clear.
    const remote = await gtx(['review', 'list'], { GTX_COLLECTOR_URL: 'http://192.0.2.1:8080' });
    expect(remote.code).toBe(EXIT.usage);
    const away = await gtx(['review', 'list'], { GTX_COLLECTOR_URL: 'http://127.0.0.1:9' });
    expect(away.code).toBe(EXIT.unavailable);
    const missing = await gtx(['review', 'show', '6f2f6ed6-0000-4000-8000-000000000000']);
    expect(missing).toMatchObject({ code: EXIT.refused, err: expect.stringContaining('NOT_FOUND') });
    expect((await gtx(['review', 'show', 'nonsense'])).code).toBe(EXIT.usage);
  });

  it('goes through long lists page by page', async () => {
    await world.pool.query(
      `INSERT INTO reviews (kind, key, reason, created_at)
       SELECT 'audit_difference', 'difference ' || n, 'differs', '2026-01-01' FROM generate_series(1, 7) n`,
    );
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const args = ['review', 'list', '--kind', 'audit_difference', '--limit', '3'];
      // biome-ignore lint/suspicious/noExplicitAny: as above
      const { value }: { value: any } = await json(...args, ...(cursor === null ? [] : ['--cursor', cursor]));
      seen.push(...value.items.map(({ subject }: { subject: string }) => subject));
      cursor = value.next_cursor;
    } while (cursor !== null);
    expect(seen.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7].map((n) => `difference ${n}`));
    expect((await gtx(['review', 'list', '--cursor', 'WyJ4Il0'])).code).toBe(EXIT.refused);
  });
});

describe('the commands of the runbook', () => {
  const page = readFileSync(new URL('../../../docs/runbook.md', import.meta.url), 'utf8');
  const [reviews = ''] = page.split(/^## Alerts$/m);
  const kinds = reviews.split(/^### `/m).slice(1);
  const own = (text: string) => commandsOf(text).filter((line) => /^gtx (review|alerts) /.test(line));

  it.each(kinds.map((text): [string, string] => [text.slice(0, text.indexOf('`')), text]))(
    'work for %s',
    async (kind, text) => {
      const lines = own(text);
      expect(lines.length).toBeGreaterThan(1);
      for (const line of lines) {
        // Energy held on the chain is another test's; its review is looked at here.
        if (kind === 'energy_held' && !line.startsWith('gtx review show')) continue;
        const { rows } = await world.pool.query(
          'INSERT INTO reviews (kind, key, reason) VALUES ($1, $2, $3) RETURNING id',
          [kind, `${Keypair.generate().publicKey}/${Keypair.generate().publicKey}`, 'a test'],
        );
        const [, ...args] = words(line.replace('$REVIEW', rows[0].id));
        expect(await gtx(args), line).toMatchObject({ code: EXIT.ok });
      }
    },
  );

  it('work for alerts', async () => {
    await world.alerts.raise({
      kind: 'paused',
      key: 'page',
      severity: 'info',
      message: 'a test',
      details: {},
    });
    const { rows } = await world.pool.query(`SELECT id FROM alerts WHERE dedupe_key = 'page'`);
    const lines = [...own(reviews.split('## Reviews')[0] ?? ''), ...own(page.split(/^## Alerts$/m)[1] ?? '')];
    expect(lines).toContain("gtx alerts acknowledge $ALERT --reason 'called the owner'");
    for (const line of lines) {
      const [, ...args] = words(line.replace('$ALERT', rows[0].id));
      expect(await gtx(args), line).toMatchObject({ code: EXIT.ok });
    }
  });
});

describe('gtx alerts', () => {
  it('lists, acknowledges, and tells of what the collector raised', async () => {
    await world.alerts.raise({
      kind: 'fee_payer',
      key: 'wallet',
      severity: 'critical',
      message: 'empty',
      details: { wallet: 'wallet', part: 'settlement' },
    });
    const heard = (event: string) =>
      hooks.some(({ notices }) =>
        notices.some((notice) => notice.event === event && notice.alert.kind === 'fee_payer'),
      );
    await until('the webhook has heard of it', async () => heard('opened'));
    const listed = await json('alerts', 'list', '--kind', 'fee_payer', '--min-severity', 'critical');
    expect(listed.value.items).toMatchObject([{ key: 'wallet', acknowledged_by: null }]);
    const { id } = listed.value.items[0];
    const text = await gtx(['alerts', 'acknowledge', id, '--reason', 'SOL is on its way']);
    expect(text).toMatchObject({
      code: EXIT.ok,
      out: expect.stringContaining('Acknowledged fee_payer wallet'),
    });
    expect((await gtx(['alerts'])).out).toContain('acknowledged by password of operator: SOL is on its way');
    await world.alerts.resolve('fee_payer', 'wallet');
    await until('the webhook has heard of its end', async () => heard('recovered'));
    expect((await gtx(['alerts', 'acknowledge', id, '--reason', 'late'])).code).toBe(EXIT.refused);
  });

  it('tests the channels and says which one does not take it', async () => {
    const good = await json('alerts', 'test');
    expect(good).toMatchObject({
      code: EXIT.ok,
      value: {
        channels: [
          { channel: 'log', delivered: true },
          { channel: 'webhook', delivered: true },
        ],
      },
    });
    expect(hooks.at(-1)?.notices[0]?.alert.kind).toBe('test');
    hookStatus = 500;
    const bad = await gtx(['alerts', 'test']);
    expect(bad.code).toBe(EXIT.failed);
    expect(bad.out).toMatch(/webhook +failed: .*answered 500/);
  });
});

describe('what the registrar’s key signs', () => {
  const authority = Keypair.generate();
  const expected = { authority, decision: 'release' as const, meterId: 'MTR-001', sequence: 7n };
  const args = { authority: authority.publicKey, meterId: 'MTR-001', sequence: 7n };
  const transaction = (found: TransactionInstruction[], payer = authority.publicKey) =>
    buildTransaction({ payer, instructions: found, blockhash: '1'.repeat(32), computeUnitLimit: 50_000 });

  it('is the decision that was asked for', () => {
    expect(() => assertDecides(transaction([instructions.releaseHeld(args)]), expected)).not.toThrow();
  });

  it.each<[string, () => Parameters<typeof assertDecides>[0]]>([
    ['the other decision', () => transaction([instructions.writeOffHeld(args)])],
    ['another sequence', () => transaction([instructions.releaseHeld({ ...args, sequence: 8n })])],
    ['another meter', () => transaction([instructions.releaseHeld({ ...args, meterId: 'MTR-002' })])],
    [
      'a transfer besides',
      () =>
        transaction([
          instructions.releaseHeld(args),
          SystemProgram.transfer({
            fromPubkey: authority.publicKey,
            toPubkey: Keypair.generate().publicKey,
            lamports: 1,
          }),
        ]),
    ],
    [
      'a price for speed',
      () =>
        transaction([
          ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1_000_000_000 }),
          instructions.releaseHeld(args),
        ]),
    ],
    ['nothing', () => transaction([])],
    ['another payer', () => transaction([instructions.releaseHeld(args)], Keypair.generate().publicKey)],
  ])('is not %s', (_what, make) => {
    expect(() => assertDecides(make(), expected)).toThrow(/not signed/);
  });
});
