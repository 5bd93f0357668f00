/** Backups: what is in them, who can read them, and how a meter goes on from one. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeReading, encodeReading, NKWH_PER_KWH, type Reading, ReadingFlag } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  closeInterval,
  type MeterAccount,
  newAccount,
  observeMeter,
  parseAccount,
  serialiseAccount,
  totalsOf,
} from './account.js';
import { type BackupContent, gatherBackup, loadBackup, placeKeys, saveBackup } from './backup.js';
import { sealBackup, unsealBackup, writeBackupFile } from './backup-file.js';
import { type AgentConfig, parseAgentConfig } from './config.js';
import { ensureKeyFile } from './create-key.js';
import { Outbox } from './outbox.js';
import { DEFAULT_LIMITS } from './plausible.js';
import { continuation, RESTORE_STEP, type RestorePoint, restoreStore } from './restore.js';
import { MeterSigner } from './sign.js';

const KWH = NKWH_PER_KWH;
const WATTS = 10_000;
const PASSPHRASE = 'correct horse battery';
/** The least that is accepted. */
const COST = 14;
const WALLET = '4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS';

let folder: string;
let config: AgentConfig;
let text: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-backup-'));
  text = `data_dir: data
collector_key: ${WALLET}
mqtt: { url: "mqtt://127.0.0.1:1" }
meters:
  - id: MTR-001
    key_file: keys/MTR-001.json
    wallet: ${WALLET}
    mode: bidirectional
    rated_watts: ${WATTS}
    devices: [{ role: grid, profile: eastron-sdm630, unit: 1, connection: { type: tcp, host: 127.0.0.1 } }]
`;
  config = parseAgentConfig(text, join(folder, 'agent.yaml'));
  mkdirSync(config.data_dir, { mode: 0o700 });
  ensureKeyFile(keyFile());
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const keyFile = (): string => (config.meters[0] as AgentConfig['meters'][number]).key_file;
const open = (): Outbox =>
  Outbox.open(config.data_dir, { maxBytes: 4 << 20, keepMs: 1e12, recordKeepMs: 1e12 });

/** A meter at work: registers, books, and readings of a quarter of an hour. */
class Meter {
  account: MeterAccount;
  seconds = 1_750_000_500;
  exported: bigint;
  imported: bigint;
  last: Reading | undefined;
  constructor(exported = 5_000n * KWH, imported = 700n * KWH) {
    this.account = newAccount('bidirectional', 'grid:eastron-sdm630');
    this.exported = exported;
    this.imported = imported;
    this.sample();
  }
  /** The meter is read; two samples, as after a start. */
  sample(): void {
    for (const after of [0, 1]) {
      const one = (register: bigint) => ({
        register,
        atMs: (this.seconds + after) * 1_000,
        limits: { ...DEFAULT_LIMITS, maxWatts: WATTS },
      });
      this.account = observeMeter(
        this.account,
        { produced: one(this.exported), consumed: one(this.imported) },
        this.seconds,
      ).account;
    }
  }
  /** A quarter of an hour goes by, and is signed. */
  interval(exported: bigint, imported = 0n): Reading {
    this.seconds += 900;
    this.exported += exported;
    this.imported += imported;
    this.sample();
    const closed = closeInterval(this.account, this.seconds, 900);
    this.account = closed.account;
    this.last = closed.reading;
    return closed.reading;
  }
  books(): string {
    return serialiseAccount(this.account, 0);
  }
  backup(): BackupContent['meters'][number] {
    return {
      meter_id: 'MTR-001',
      sequence: Number(this.account.sequence),
      account: this.books(),
      waiting: [],
    };
  }
  /** A copy of the same meter with other books: after a restoration. */
  goesOnWith(account: MeterAccount): Meter {
    const copy = new Meter(this.exported, this.imported);
    copy.seconds = this.seconds;
    copy.account = parseAccount(serialiseAccount(account, 0), 0);
    return copy;
  }
}
const point = (reading: Reading | undefined): RestorePoint => ({
  reading,
  nextSequence: (reading?.sequence ?? 0n) + RESTORE_STEP,
});

describe('a backup’s file', () => {
  it('opens with its passphrase, and with no other; no byte can be changed', async () => {
    const content = Buffer.from('{"x":1}');
    const sealed = await sealBackup(content, PASSPHRASE, COST);
    expect(await unsealBackup(sealed, PASSPHRASE)).toEqual(content);
    expect((await sealBackup(content, PASSPHRASE, COST)).equals(sealed)).toBe(false);
    await expect(unsealBackup(sealed, `${PASSPHRASE}!`)).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
    // Magic, version, cost, r, p, 0, salt, nonce, content, tag.
    for (const at of [0, 7, 8, 9, 10, 11, 12, 27, 28, 39, 40, sealed.length - 17, sealed.length - 1]) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] as number) ^ 1;
      await expect(unsealBackup(changed, PASSPHRASE), `byte ${at}`).rejects.toMatchObject({
        code: 'BACKUP_INVALID',
      });
    }
    for (const length of [0, 40, 56, sealed.length - 1]) {
      await expect(unsealBackup(sealed.subarray(0, length), PASSPHRASE)).rejects.toMatchObject({
        code: 'BACKUP_INVALID',
      });
    }
  });

  it('takes neither a cost that protects nothing nor one that eats the memory', async () => {
    const weak = await sealBackup(Buffer.from('{}'), PASSPHRASE, 13);
    await expect(unsealBackup(weak, PASSPHRASE)).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
    weak[8] = 31;
    await expect(unsealBackup(weak, PASSPHRASE)).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
  });

  it('is the owner’s alone, replaces nothing unasked, and leaves nothing beside it', () => {
    const file = join(folder, 'b');
    writeBackupFile(file, Buffer.from('one'), false);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(() => writeBackupFile(file, Buffer.from('two'), false)).toThrow(/--force/);
    expect(readFileSync(file, 'utf8')).toBe('one');
    writeBackupFile(file, Buffer.from('two'), true);
    expect(readFileSync(file, 'utf8')).toBe('two');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).filter((name) => name.startsWith('b'))).toEqual(['b']);
    // A medium that is not mounted.
    expect(() => writeBackupFile(join(folder, 'absent/b'), Buffer.from('x'), false)).toThrow(
      /cannot be written/,
    );
    expect(existsSync(join(folder, 'absent'))).toBe(false);
  });
});

describe('what is in a backup', () => {
  it('is the state of the store while the gateway writes, and comes back as it was', async () => {
    const meter = new Meter();
    const signer = MeterSigner.fromFile(keyFile());
    const outbox = open();
    const commit = (): void => {
      const reading = meter.interval(KWH);
      const { bytes, signature } = signer.signReading(reading);
      outbox.commitReading({
        meterId: 'MTR-001',
        reading,
        bytes,
        signature,
        publicKey: signer.publicKey,
        amount: KWH,
        account: meter.books(),
        nowMs: meter.seconds * 1_000,
      });
    };
    for (let k = 0; k < 4; k++) commit();
    outbox.markSent('MTR-001', [1, 2], 1);
    outbox.decide('MTR-001', { through: 1, stored: [], held: [], refused: [] }, 2);
    const before = outbox.readings('MTR-001', 2);
    const books = outbox.loadAccount('MTR-001');
    const file = join(folder, 'gateway.backup');
    const content = gatherBackup(config, text, 1_000, 'agent.yaml');
    commit();
    outbox.close();
    await saveBackup(file, content, PASSPHRASE, false, COST);
    expect(readFileSync(file).includes(Buffer.from('MTR-001'))).toBe(false);

    const loaded = await loadBackup(file, PASSPHRASE);
    expect(loaded).toEqual(content);
    expect(loaded).toMatchObject({ config: text, meters: [{ sequence: 4, account: books }] });
    expect(loaded.meters[0]?.waiting.map(({ sequence }) => sequence)).toEqual([2, 3, 4]);

    // A new card; the collector has got reading 2 meanwhile.
    rmSync(config.data_dir, { recursive: true });
    mkdirSync(config.data_dir);
    const second = before[0] as (typeof before)[number];
    await restoreStore(
      config,
      () => 5,
      async (_id, _mode, save) => {
        expect(save(point(decodeReading(second.bytes)))).toMatchObject({
          nextSequence: 1_004n,
          waiting: 2,
          uncounted: undefined,
        });
      },
      loaded,
    );
    const restored = open();
    expect(restored.readings('MTR-001')).toEqual(before.slice(1));
    expect(restored.counts('MTR-001')).toMatchObject({ pending: 2, stored: 0 });
    restored.close();
  });

  it('has keys before the first reading too, and puts them where none is', async () => {
    const content = gatherBackup(config, text, 1, 'agent.yaml');
    expect(content.meters).toEqual([]);
    const key = readFileSync(keyFile(), 'utf8');
    expect(placeKeys(config, content)).toEqual([]);
    rmSync(keyFile());
    expect(placeKeys(config, content)).toEqual([keyFile()]);
    expect(readFileSync(keyFile(), 'utf8')).toBe(key);
    expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
    chmodSync(keyFile(), 0o644);
    expect(() => placeKeys(config, content)).toThrow(
      expect.objectContaining({ code: 'KEY_FILE_PERMISSIONS' }),
    );
  });

  it('never replaces another key, and then writes none at all', () => {
    const [meter] = config.meters;
    if (meter === undefined) throw new Error('no meter');
    const other = { ...meter, id: 'MTR-002', key_file: join(folder, 'keys/MTR-002.json') };
    ensureKeyFile(other.key_file);
    const both = { ...config, meters: [meter, other] };
    const content = gatherBackup(both, text, 1, 'agent.yaml');
    rmSync(keyFile());
    rmSync(other.key_file);
    ensureKeyFile(other.key_file);
    const there = readFileSync(other.key_file);
    expect(() => placeKeys(both, content)).toThrow(expect.objectContaining({ code: 'KEY_FILE_EXISTS' }));
    expect(existsSync(keyFile())).toBe(false);
    expect(readFileSync(other.key_file)).toEqual(there);
  });

  it('says what is wrong with a file that is there and one that is not', async () => {
    const file = join(folder, 'gateway.backup');
    await expect(loadBackup(file, PASSPHRASE)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    writeFileSync(file, await sealBackup(Buffer.from('{"version":2}'), PASSPHRASE, COST));
    await expect(loadBackup(file, PASSPHRASE)).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
    const content = {
      ...gatherBackup(config, text, 1, 'agent.yaml'),
      meters: [{ ...new Meter().backup(), account: '{}' }],
    };
    await saveBackup(file, content, PASSPHRASE, true, COST);
    await expect(loadBackup(file, PASSPHRASE)).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
  });
});

describe('going on from a backup', () => {
  it('counts exactly what the registers have risen, whatever the collector has got since', () => {
    const energy = fc.bigInt({ min: 0n, max: (KWH * 5n) / 2n });
    const intervals = fc.array(fc.tuple(energy, energy), { maxLength: 6 });
    fc.assert(
      fc.property(intervals, intervals, intervals, fc.nat(6), (before, delivered, lost, behind) => {
        const meter = new Meter();
        const start = [meter.exported, meter.imported] as const;
        const readings = before.map(([a, b]) => meter.interval(a, b));
        const backup = meter.backup();
        readings.push(...delivered.map(([a, b]) => meter.interval(a, b)));
        const known = delivered.length > 0 ? readings.at(-1) : readings.at(-1 - behind);
        for (const [a, b] of lost) meter.interval(a, b);
        const highest =
          known && known.sequence > BigInt(before.length) ? known.sequence : BigInt(before.length);

        const going = continuation('bidirectional', WATTS, point(known), backup);
        expect(going.uncounted).toBeUndefined();
        const after = meter.goesOnWith(going.account);
        const next = after.interval(KWH);
        expect(next.sequence).toBe(highest + RESTORE_STEP);
        expect(next.sequence).toBeGreaterThan(meter.account.sequence);
        expect(next.flags & ReadingFlag.MeterReset).toBe(0);
        expect(next.producedTotal).toBe(after.exported - start[0]);
        expect(next.consumedTotal).toBe(after.imported - start[1]);
        expect(next.surplusTotal).toBe(after.exported - start[0]);
        expect(encodeReading(next)).toHaveLength(48);
      }),
      { numRuns: Number(process.env.GTX_FUZZ_RUNS ?? 60) },
    );
  });

  /** A backup after one reading, and the collector's last one after three. */
  const older = (): { meter: Meter; backup: ReturnType<Meter['backup']>; last: Reading } => {
    const meter = new Meter();
    meter.interval(KWH, KWH / 2n);
    const backup = meter.backup();
    meter.interval(KWH);
    return { meter, backup, last: meter.interval(KWH) };
  };

  it('earns nothing and is flagged where the backup contradicts the collector’s last reading', () => {
    const { meter, backup, last } = older();
    const wrong: [string, Reading, typeof backup?][] = [
      ['produced less', { ...last, producedTotal: KWH / 2n }],
      ['produced more than its power', { ...last, producedTotal: 20n * KWH }],
      ['consumed less', { ...last, consumedTotal: 0n }],
      ['surplus fell', { ...last, surplusTotal: 0n }],
      ['ended before', { ...last, intervalEnd: 1_750_000_600 }],
      ['new registers', { ...last, flags: ReadingFlag.MeterReset }],
      ['another reading with that sequence', { ...last, sequence: 1n }],
      ['an earlier one with more', { ...last, sequence: 1n }, { ...backup, account: later() }],
    ];
    function later(): string {
      return JSON.stringify({ ...JSON.parse(backup.account), sequence: '2' });
    }
    for (const [what, reading, own] of wrong) {
      const going = continuation('bidirectional', WATTS, point(reading), own ?? backup);
      expect(going.uncounted, what).toBeDefined();
      expect(going.waiting).toEqual([]);
      expect(totalsOf(going.account), what).toEqual({
        produced: reading.producedTotal,
        consumed: reading.consumedTotal,
        surplus: reading.surplusTotal,
      });
      expect(going.account.produced.believed).toBeUndefined();
      const after = meter.goesOnWith({ ...going.account, lastEnd: last.intervalEnd });
      after.sample();
      const next = after.interval(0n);
      expect(next.flags & ReadingFlag.MeterReset, what).toBe(ReadingFlag.MeterReset);
      expect(next.surplusTotal, what).toBe(reading.surplusTotal);
    }
    // Without registers in the backup there is nothing to count from.
    const bare = {
      ...backup,
      account: serialiseAccount({ ...newAccount('bidirectional'), sequence: 1n }, 0),
    };
    expect(continuation('bidirectional', WATTS, point(last), bare).uncounted).toBeDefined();
    expect(continuation('bidirectional', WATTS, point(undefined), bare)).toMatchObject({
      uncounted: expect.any(String),
      account: { meterReset: true, sequence: 1_000n },
    });
    expect(continuation('production', WATTS, point(last), backup).uncounted).toBeDefined();
  });

  it('counts nothing of a meter that shows something else than it can have measured', () => {
    for (const register of [3n * KWH, 6_000n * KWH]) {
      const { meter, backup, last } = older();
      const { account, uncounted } = continuation('bidirectional', WATTS, point(last), backup);
      expect(uncounted).toBeUndefined();
      const after = meter.goesOnWith(account);
      after.exported = register;
      for (let k = 0; k < 4; k++) {
        after.seconds += 30;
        after.sample();
      }
      const next = after.interval(0n);
      expect(next.flags & ReadingFlag.MeterReset).toBe(ReadingFlag.MeterReset);
      expect(next.surplusTotal).toBe(last.surplusTotal);
    }
  });

  it('is all or nothing for a meter: an interruption leaves no half', async () => {
    const meter = new Meter();
    const reading = meter.interval(KWH);
    const { bytes, signature } = MeterSigner.fromFile(keyFile()).signReading(reading);
    const one = {
      sequence: 1,
      intervalEnd: reading.intervalEnd,
      bytes,
      signature,
      publicKey: new Uint8Array(32),
      amount: KWH,
      createdMs: 1,
      sentMs: undefined,
    };
    const outbox = open();
    // The second one has the first one's number: the transaction fails in the middle.
    expect(() => outbox.restoreMeter('MTR-001', meter.books(), 1_000n, [one, one], 1)).toThrow();
    expect(outbox.loadAccount('MTR-001')).toBeUndefined();
    expect(outbox.readings('MTR-001')).toEqual([]);
    outbox.restoreMeter('MTR-001', meter.books(), 1_000n, [one], 1);
    expect(outbox.readings('MTR-001')).toHaveLength(1);
    expect(() => outbox.restoreMeter('MTR-001', meter.books(), 2_000n, [], 1)).toThrow(/has books/);
    outbox.close();
  });
});
