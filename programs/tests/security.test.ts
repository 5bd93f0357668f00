/*
 * Attacks that belong to no single instruction, and the list of all of them: docs/security-programs.md names for each known
 * class of attack the tests that try it, and the last test here looks whether each of those is there.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Keypair, PublicKey, SystemProgram } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { oraclePda } from './oracle.js';
import { consentBytes, ed25519, meterIdBytes, pda, readingBytes, signed, World } from './support.js';
import { TradingWorld, tradingPda } from './trading.js';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** The order of the Ed25519 group (RFC 8032 section 5.1). */
const L = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
const fromBytes = (bytes: Uint8Array): bigint =>
  [...bytes].reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
const toBytes = (value: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));

describe('signatures of meters', () => {
  it('cannot be changed into another valid one: S + L is refused by the precompile', () => {
    const world = new World();
    const meter = world.newMeter();
    const good = signed(meter.key, readingBytes(world.next(meter)));
    const changed = Uint8Array.from(good.signature);
    changed.set(toBytes(fromBytes(good.signature.subarray(32)) + L), 32);
    // Some verifiers take both: the same point equation holds.
    world.refused('Custom(2)', [ed25519([{ ...good, signature: changed }]), world.submit(meter)]);
    world.must([ed25519([good]), world.submit(meter)]);
  });

  it.each([
    ['the neutral element', toBytes(1n)],
    ['the point of order two', toBytes(2n ** 255n - 20n)],
    ['a point of order four', new Uint8Array(32)],
  ])('are none by a key of small order, which would sign everything: %s', (_, key) => {
    const world = new World();
    const owner = world.user();
    const id = meterIdBytes('SMALL');
    // R = the neutral element and S = 0 satisfy the equation for such keys and some or all messages.
    const signature = new Uint8Array(64);
    signature[0] = 1;
    const message = consentBytes(world.network, id, owner.publicKey);
    world.refused(
      'Custom(2)',
      [
        ed25519([{ key, signature, message }]),
        world.registerMeter({ id, key: new PublicKey(key), owner: owner.publicKey }),
      ],
      [owner, world.registrar],
    );
  });

  it('mean one thing: a consent is no reading, and a reading no consent', () => {
    const world = new World();
    const meter = world.newMeter();
    const consent = consentBytes(world.network, meter.id, meter.owner.publicKey);
    world.refused('MessageInvalid', [
      ed25519([signed(meter.key, consent.subarray(0, 48))]),
      world.submit(meter),
    ]);
    const key = Keypair.generate();
    const reading = readingBytes(world.next(meter));
    world.refused(
      'MessageInvalid',
      [ed25519([signed(key, reading)]), world.rotate(meter, key.publicKey)],
      [meter.owner, world.registrar],
    );
  });
});

describe('an order that is closed', () => {
  it('cannot be kept or brought back by lamports sent to its accounts in the same transaction', () => {
    const world = new TradingWorld();
    const [maker, taker] = [world.trader(), world.trader()];
    const order = world.sell(maker);
    const send = (to: PublicKey) =>
      SystemProgram.transfer({ fromPubkey: world.payer.publicKey, toPubkey: to, lamports: 10_000_000 });
    world.refused(
      'OrderClosed',
      [
        world.cancelOrder(order),
        send(order.address),
        send(order.escrow),
        world.matchOrder(taker.publicKey, order),
      ],
      [maker, taker],
    );
    world.must([world.cancelOrder(order), send(order.address), send(order.escrow)], [maker]);
    // What lies there belongs to nobody's program, and the id is used up for good.
    expect(world.account(order.address)?.owner).toEqual(SystemProgram.programId);
    expect(world.account(order.address)?.data).toHaveLength(0);
    world.refused('OrderClosed', [world.matchOrder(taker.publicKey, order)], [taker]);
    world.refused('OrderClosed', [world.cancelOrder(order)], [maker]);
    world.refused('OrderIdNotHigher', [world.createOrder(order)], [maker]);
  });
});

describe('accounts', () => {
  it('of one program never serve another, though their names and seeds are alike', () => {
    const world = new TradingWorld();
    // Every program has a configuration at ["config"] of its own.
    expect(new Set([pda.config, pda.tokenConfig, oraclePda.config].map(String)).size).toBe(3);
    const maker = world.trader();
    const order = world.sell(maker);
    world.refused(
      'AccountDataTooSmall',
      [world.matchOrder(maker.publicKey, order, {}, { market: tradingPda.trader(maker.publicKey) })],
      [maker],
    );
    world.refused(
      'IllegalOwner',
      [world.setPaused(true, undefined, { config: world.market })],
      [world.upgradeAuthority],
    );
  });
});

describe('the programs', () => {
  const sources = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return sources(path);
      return entry.name.endsWith('.rs') ? [path] : [];
    });
  const folders = ['registry', 'energy-token', 'trading', 'oracle', 'governance', 'certificates', 'shared'];
  const text = folders.flatMap((name) =>
    sources(file(`../${name}/src`)).map((path) => readFileSync(path, 'utf8')),
  );

  it('believe no return data: whoever ran last could have written it', () => {
    expect(text.length).toBeGreaterThan(50);
    expect(text.filter((source) => /get_return_data/.test(source))).toEqual([]);
  });

  it('hold no instruction that could create a mint authority, a delegate or a freeze', () => {
    // Instructions 4 (Approve), 10 (FreezeAccount) and 12 to 15 are in no layout of ours.
    expect(
      text.filter((source) => /\b(APPROVE|FREEZE_ACCOUNT|Approve|FreezeAccount)\b/.test(source)),
    ).toEqual([]);
  });
});

describe('docs/security-programs.md', () => {
  const page = readFileSync(file('../../docs/security-programs.md'), 'utf8');
  const named = [...page.matchAll(/`([\w./-]+\.test\.ts)`: “([^”]+)”/g)].map(([, path, name]) => ({
    path: path as string,
    name: name as string,
  }));

  it('names tests that exist, for each class of attack', () => {
    expect(named.length).toBeGreaterThan(60);
    const missing = named.filter(({ path, name }) => {
      const source = readFileSync(file(path.includes('/') ? `../../${path}` : path), 'utf8');
      return ![`'`, `"`, '`'].some((quote) =>
        new RegExp(`\\(\\s*${quote}${escaped(name)}${quote},`).test(source),
      );
    });
    expect(missing).toEqual([]);
    const rows = page.split('\n').filter((line) => /^\| (?!attack|---)/.test(line));
    expect(rows.length).toBeGreaterThan(25);
    expect(rows.filter((row) => !/\.test\.ts`: “/.test(row))).toEqual([]);
  });
});
