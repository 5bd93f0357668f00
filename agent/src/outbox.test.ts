import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GtxError } from '@gridtokenx/protocol';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pruneStore } from './agent.js';
import { Alerts } from './alerts.js';
import { Outbox, type OutboxOptions } from './outbox.js';
import { Database } from './sqlite.js';

const DAY_MS = 86_400_000;
const logger = pino({ level: 'silent' });
const NOW = Date.UTC(2026, 0, 1);
const options: OutboxOptions = { maxBytes: 64 * 1024 * 1024, keepMs: 30 * DAY_MS, recordKeepMs: 30 * DAY_MS };

let folder: string;
let boxes: Outbox[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-outbox-'));
  boxes = [];
});
afterEach(() => {
  for (const box of boxes) box.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(more: Partial<OutboxOptions> = {}, where = folder): Outbox {
  const box = Outbox.open(where, { ...options, ...more });
  boxes.push(box);
  return box;
}

function close(box: Outbox): void {
  box.close();
  boxes.splice(boxes.indexOf(box), 1);
}

function put(box: Outbox, sequence: number, nowMs = NOW, meterId = 'M'): void {
  box.commitReading({
    meterId,
    reading: {
      flags: 0,
      sequence: BigInt(sequence),
      intervalStart: sequence * 900,
      intervalEnd: (sequence + 1) * 900,
      producedTotal: 0n,
      consumedTotal: 0n,
      surplusTotal: 0n,
    },
    bytes: Uint8Array.of(sequence),
    signature: new Uint8Array(64),
    publicKey: new Uint8Array(32),
    amount: 18_446_744_073_709_551_615n,
    account: `books ${sequence}`,
    nowMs,
  });
}

const states = (box: Outbox, meterId = 'M') =>
  box.readings(meterId).map((one) => `${one.sequence} ${one.state}`);
const nothing = { through: 0, stored: [], held: [], refused: [] };

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof GtxError) return error.code;
    throw error;
  }
  return 'done';
}

describe('the store', () => {
  it('keeps a reading and the books after it, or neither', () => {
    const box = open();
    put(box, 1);
    // A sequence out of turn is refused, and nothing of it remains.
    expect(codeOf(() => put(box, 3))).toBe('INTERNAL');
    expect(codeOf(() => put(box, 1))).toBe('INTERNAL');
    expect(box.loadAccount('M')).toBe('books 1');
    close(box);
    const again = open();
    expect(states(again)).toEqual(['1 pending']);
    expect(again.readings('M')[0]?.amount).toBe(18_446_744_073_709_551_615n);
    expect(again.loadAccount('M')).toBe('books 1');
  });

  it('serves one agent at a time, also across processes', () => {
    const box = open();
    expect(codeOf(() => Outbox.open(folder, options))).toBe('DATA_DIR_IN_USE');
    close(box);
    close(open());
  });

  it('writes with WAL and a sync for each commit', () => {
    open();
    // Another connection is asked: the mode is a property of the file.
    const other = new Database(join(folder, 'agent.sqlite'));
    const shown = other.pragma('journal_mode', { simple: true });
    other.close();
    expect(shown).toBe('wal');
  });

  it('follows a reading through its states', () => {
    const box = open();
    for (let sequence = 1; sequence <= 6; sequence++) put(box, sequence);
    expect(box.open('M', NOW, 3).map((one) => one.sequence)).toEqual([1, 2, 3]);
    expect(box.highestSent('M')).toBe(0);
    box.markSent('M', [1, 2, 3, 4, 5], NOW);
    expect(box.highestSent('M')).toBe(5);
    const result = box.decide(
      'M',
      {
        through: 1,
        stored: [3],
        held: [{ sequence: 3 }].map((one) => one.sequence),
        refused: [
          { sequence: 2, code: 'KEY_MISMATCH', retry: 'never' },
          { sequence: 4, code: 'USER_NOT_VERIFIED', retry: 'later' },
        ],
      },
      NOW,
    );
    expect(result).toEqual({ stored: 2, refused: 1, later: 1 });
    expect(states(box)).toEqual(['1 stored', '2 refused', '3 held', '4 sent', '5 sent', '6 pending']);
    expect(box.reading('M', 2)?.code).toBe('KEY_MISMATCH');
    // The one that waits for later holds up nothing.
    expect(box.open('M', NOW, 9).map((one) => one.sequence)).toEqual([5, 6]);
    expect(box.nextRetryMs('M', NOW)).toBe(NOW + 30_000);
    expect(box.open('M', NOW + 30_000, 9).map((one) => one.sequence)).toEqual([4, 5, 6]);
    expect(box.counts('M')).toEqual({ pending: 1, sent: 2, stored: 1, held: 1, refused: 1 });
    expect(box.depth('M')).toBe(3);
    // What was decided stays decided.
    expect(box.decide('M', { ...nothing, stored: [1, 2, 3] }, NOW)).toEqual({
      stored: 0,
      refused: 0,
      later: 0,
    });
    expect(box.resendFrom('M', 2, NOW / 1000)).toBe(2);
    expect(box.resendTime('M')).toBe(NOW / 1000);
    expect(states(box)).toEqual(['1 stored', '2 pending', '3 pending', '4 sent', '5 sent', '6 pending']);
  });

  it('lets a reading that was put off while the clock was ahead be sent once it is right', () => {
    const box = open();
    put(box, 1);
    box.markSent('M', [1], NOW);
    const refused = [{ sequence: 1, code: 'USER_NOT_VERIFIED', retry: 'later' as const }];
    const ahead = NOW + 365 * DAY_MS;
    box.decide('M', { ...nothing, refused }, ahead);
    expect(box.open('M', ahead, 9)).toEqual([]);
    expect(box.open('M', NOW, 9).map((one) => one.sequence)).toEqual([1]);
    expect(box.nextRetryMs('M', NOW)).toBeUndefined();
    for (let time = 0; time < 9; time++) box.decide('M', { ...nothing, refused }, NOW);
    // The longest that it is ever put off.
    expect(box.open('M', NOW, 9)).toEqual([]);
    expect(box.nextRetryMs('M', NOW)).toBe(NOW + 3_600_000);
  });

  it('sends nothing again for a number that a restored meter has skipped, but once a day', () => {
    const box = open();
    box.restoreMeter('M', 'books 1076', 1_076n, [], NOW);
    // The gateway of before has sent what the collector knows.
    expect(box.highestSent('M')).toBe(1_076);
    put(box, 1_077);
    put(box, 1_078);
    box.markSent('M', [1_077, 1_078], NOW);
    box.decide('M', { ...nothing, stored: [1_077, 1_078] }, NOW);
    expect(box.highestSent('M')).toBe(1_078);
    const asked = NOW / 1000;
    expect(box.resendFrom('M', 78, asked + 60)).toBe(0);
    expect(box.resendTime('M')).toBe(0);
    // A collector that has lost the later ones too is healed within a day, and one that lost one of them at once.
    expect(box.resendFrom('M', 78, asked + 86_400)).toBe(2);
    expect(box.resendFrom('M', 78, asked + 87_000)).toBe(0);
    box.decide('M', { ...nothing, stored: [1_077, 1_078] }, NOW);
    expect(box.resendFrom('M', 1_078, asked + 87_000)).toBe(1);
  });

  it('goes on believing what was skipped when the collector asks for a number before those that a backup had', () => {
    const box = open();
    const waiting = {
      sequence: 70,
      intervalEnd: 63_900,
      bytes: Uint8Array.of(70),
      signature: new Uint8Array(64),
      publicKey: new Uint8Array(32),
      amount: 1n,
      createdMs: NOW,
      sentMs: NOW,
    };
    box.restoreMeter('M', 'books 1076', 1_076n, [waiting], NOW);
    expect(box.resendFrom('M', 60, NOW / 1000 + 86_400)).toBe(0);
    expect(box.highestSent('M')).toBe(1_076);
  });

  it('sends again what follows readings that were removed, once', () => {
    const box = open();
    for (let sequence = 1; sequence <= 3; sequence++) put(box, sequence);
    box.markSent('M', [1, 2, 3], NOW);
    box.decide('M', { ...nothing, through: 3 }, NOW);
    box.prune(NOW + 31 * DAY_MS);
    expect(states(box)).toEqual(['3 stored']);
    const asked = NOW / 1000 + 31 * 86_400;
    expect(box.resendFrom('M', 2, asked)).toBe(1);
    box.decide('M', { ...nothing, stored: [3] }, NOW);
    expect(box.resendFrom('M', 2, asked + 600)).toBe(0);
    expect(box.resendFrom('M', 3, asked + 600)).toBe(1);
  });

  it('sends again what follows a damaged reading, once', () => {
    const box = open();
    for (let sequence = 1; sequence <= 3; sequence++) put(box, sequence);
    box.refuseDamaged('M', 1, NOW);
    box.markSent('M', [2, 3], NOW);
    box.decide('M', { ...nothing, stored: [2, 3] }, NOW);
    const asked = NOW / 1000;
    expect(box.resendFrom('M', 1, asked)).toBe(3);
    box.refuseDamaged('M', 1, NOW);
    box.decide('M', { ...nothing, stored: [2, 3] }, NOW);
    expect(box.resendFrom('M', 1, asked + 600)).toBe(0);
    expect(states(box)).toEqual(['1 refused', '2 stored', '3 stored']);
  });

  it('that another program writes to is reported as one that cannot be written', () => {
    const box = open();
    put(box, 1);
    const other = new Database(join(folder, 'agent.sqlite'));
    other.exec('BEGIN IMMEDIATE');
    expect(codeOf(() => box.markSent('M', [1], NOW))).toBe('OUTBOX_FULL');
    other.exec('ROLLBACK');
    other.close();
    expect(codeOf(() => box.markSent('M', [1], NOW))).toBe('done');
  });

  it('keeps delivered readings 30 days, refused ones a year, undelivered ones for ever', () => {
    const box = open();
    for (let sequence = 1; sequence <= 3; sequence++) put(box, sequence);
    box.markSent('M', [1, 2], NOW);
    box.decide('M', { ...nothing, stored: [1], refused: [{ sequence: 2, code: 'X', retry: 'never' }] }, NOW);
    box.prune(NOW + 30 * DAY_MS);
    expect(states(box)).toHaveLength(3);
    box.prune(NOW + 31 * DAY_MS);
    expect(states(box)).toEqual(['2 refused', '3 pending']);
    box.prune(NOW + 400 * DAY_MS);
    expect(states(box)).toEqual(['3 pending']);
    put(box, 4);
  });

  it('writes samples some at a time, and what waits when it is closed', () => {
    const box = open();
    const row = { meterId: 'M', producedRegister: 5n, consumedRegister: undefined, powerWatts: -3.5 };
    for (let index = 0; index < 59; index++) box.record([{ ...row, atMs: index }]);
    expect(box.sampleCount()).toBe(0);
    for (let index = 59; index < 70; index++) box.record([{ ...row, atMs: index }]);
    expect(box.sampleCount()).toBe(60);
    close(box);
    expect(open().sampleCount()).toBe(70);
  });

  it('remembers settings', () => {
    const box = open();
    box.saveSetting('a', '1');
    box.saveSetting('a', '2');
    close(box);
    expect(open().setting('a')).toBe('2');
  });
});

/** Writes readings until the store is full. @returns the last sequence written */
function fill(box: Outbox, from: number): number {
  for (let sequence = from; sequence < 100_000; sequence++) {
    if (codeOf(() => put(box, sequence)) === 'OUTBOX_FULL') return sequence - 1;
  }
  throw new Error('never full');
}

describe('a full store', () => {
  it('stops at its quota without losing anything, and goes on under the same sequence', () => {
    const box = open({ maxBytes: 256 * 1024 });
    const last = fill(box, 1);
    expect(last).toBeGreaterThan(100);
    expect(box.loadAccount('M')).toBe(`books ${last}`);
    expect(box.size().bytes).toBeLessThanOrEqual(256 * 1024);
    // What is there can still be sent and decided upon, all of it.
    const all = Array.from({ length: last }, (_, index) => index + 1);
    box.markSent('M', all, NOW);
    box.decide(
      'M',
      {
        ...nothing,
        refused: all.map((sequence) => ({ sequence, code: 'USER_NOT_VERIFIED', retry: 'later' })),
      },
      NOW,
    );
    box.decide('M', { ...nothing, through: last }, NOW);
    expect(box.counts('M')).toEqual({ pending: 0, sent: 0, stored: last, held: 0, refused: 0 });
    expect(box.size().bytes).toBeLessThanOrEqual(256 * 1024);
    close(box);
    const more = open({ maxBytes: 1024 * 1024 });
    put(more, last + 1);
    expect(more.readings('M', last).map((one) => one.sequence)).toEqual([last, last + 1]);
  });

  it('gives up samples before it stops', () => {
    const box = open({ maxBytes: 256 * 1024 });
    const rows = (from: number) =>
      Array.from({ length: 100 }, (_, index) => ({
        meterId: 'M',
        atMs: from + index,
        producedRegister: 1n,
        consumedRegister: 2n,
        powerWatts: 3,
      }));
    for (let batch = 0; batch < 20; batch++) box.record(rows(batch * 100));
    const samples = box.sampleCount();
    const last = fill(box, 1);
    expect(samples).toBeGreaterThan(1_000);
    expect(box.sampleCount()).toBe(0);
    expect(last).toBeGreaterThan(100);
  });

  it('gives up the oldest acknowledged readings before it stops, and none that is not acknowledged', () => {
    const box = open({ maxBytes: 256 * 1024 });
    const last = fill(box, 1);
    const half = Math.floor(last / 2);
    const sent = Array.from({ length: half }, (_, index) => index + 1);
    box.markSent('M', sent, NOW);
    const refused = [{ sequence: 3, code: 'INVALID_SIGNATURE', retry: 'never' as const }];
    box.decide(
      'M',
      { ...nothing, refused, held: [4], stored: sent.filter((one) => one > 4 || one < 3) },
      NOW,
    );
    let next = last + 1;
    while (box.dropped === 0) put(box, next++);
    const left = box.readings('M', 1, 10_000).map((one) => one.sequence);
    const gone = sent.filter((sequence) => !left.includes(sequence));
    expect(gone.length).toBe(box.dropped);
    expect(gone.slice(0, 4)).toEqual([1, 2, 5, 6]);
    expect(Math.max(...gone)).toBeLessThan(half);
    // It goes on until nothing acknowledged is left; then it stops, with everything else in place.
    const end = fill(box, next);
    const kept = box.readings('M', 1, 10_000);
    const open_ = kept.filter((one) => one.state === 'pending').map((one) => one.sequence);
    expect(open_).toEqual(Array.from({ length: end - half }, (_, index) => half + 1 + index));
    expect(
      kept.filter((one) => one.state !== 'pending').map((one) => `${one.sequence} ${one.state}`),
    ).toEqual(['3 refused', '4 held', `${half} stored`]);
    expect(box.highestSent('M')).toBe(half);
    expect(box.counts('M')).toEqual({ pending: end - half, sent: 0, stored: 1, held: 1, refused: 1 });
  });

  it('tells which readings were refused or wait, and why', () => {
    const box = open();
    for (let sequence = 1; sequence <= 4; sequence++) put(box, sequence);
    box.markSent('M', [1, 2, 3], NOW);
    const refused = [
      { sequence: 1, code: 'READING_TOO_OLD', retry: 'never' as const },
      { sequence: 3, code: 'USER_NOT_VERIFIED', retry: 'later' as const },
    ];
    box.decide('M', { ...nothing, refused, stored: [2] }, NOW);
    expect(box.troubled('M', 10)).toMatchObject([
      { sequence: 3, code: 'USER_NOT_VERIFIED', final: false, retryMs: NOW + 30_000 },
      { sequence: 1, code: 'READING_TOO_OLD', final: true, retryMs: undefined },
    ]);
    expect(box.troubled('M', 1)).toHaveLength(1);
    box.decide('M', { ...nothing, stored: [3] }, NOW);
    expect(box.troubled('M', 10)).toHaveLength(1);
  });

  it('makes room by pruning when delivered readings are old enough', () => {
    const box = open({ maxBytes: 256 * 1024 });
    const last = fill(box, 1);
    const all = Array.from({ length: last }, (_, index) => index + 1);
    box.markSent('M', all, NOW);
    // A person has still to look at them, so that they are not given up.
    box.decide('M', { ...nothing, held: all }, NOW);
    const more = fill(box, last + 1);
    box.prune(NOW + 31 * DAY_MS);
    put(box, more + 1);
    // Only the last one sent: acknowledgements are held against it.
    expect(box.counts('M').held).toBe(1);
    expect(box.loadAccount('M')).toBe(`books ${more + 1}`);
  });
});

const disk = process.getuid?.() === 0 && canMount();

function canMount(): boolean {
  const where = mkdtempSync(join(tmpdir(), 'gtx-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', where], { stdio: 'ignore' });
    execFileSync('umount', [where]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(where, { recursive: true, force: true });
  }
}

describe.skipIf(!disk)('a full disk (ENOSPC)', () => {
  let small: string;
  beforeEach(() => {
    small = join(folder, 'disk');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
  });
  afterEach(() => {
    for (const box of boxes.splice(0)) box.close();
    execFileSync('umount', [small]);
  });

  /** Something else fills the disk. @returns its file */
  function fillDisk(): string {
    const ballast = join(small, 'ballast');
    for (let size = 1024 * 1024; size >= 256; size = Math.floor(size / 2)) {
      try {
        writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
      }
    }
    return ballast;
  }

  it('is reported, nothing is half written, and it goes on by itself when there is room again', () => {
    const box = open({}, small);
    put(box, 1);
    const ballast = fillDisk();
    const last = fill(box, 2);
    expect(box.loadAccount('M')).toBe(`books ${last}`);
    expect(box.readings('M').map((one) => one.sequence)).toHaveLength(last);
    rmSync(ballast);
    put(box, last + 1);
    expect(box.loadAccount('M')).toBe(`books ${last + 1}`);
    close(box);
    const again = open({}, small);
    expect(again.readings('M').map((one) => one.sequence)).toEqual(
      Array.from({ length: last + 1 }, (_, index) => index + 1),
    );
  });

  it('is reported as such when what is old enough cannot be removed, and an hour later it is', () => {
    const box = open({}, small);
    put(box, 1);
    const sample = { meterId: 'M', producedRegister: 1n, consumedRegister: 1n, powerWatts: 1 };
    for (let k = 0; k < 600; k++) box.record([{ ...sample, atMs: NOW + k }]);
    // So that the log of what is written has to grow.
    close(box);
    const again = open({}, small);
    const ballast = fillDisk();
    const later = NOW + 31 * DAY_MS;
    const alerts = new Alerts(logger, () => NOW);
    pruneStore(again, alerts, logger, later);
    expect(again.sampleCount()).toBe(600);
    rmSync(ballast);
    pruneStore(again, alerts, logger, later + 60_000);
    expect(alerts.list().map(({ code }) => code)).toEqual(['OUTBOX_FULL']);
    pruneStore(again, alerts, logger, later + 3_600_000);
    expect(alerts.list()).toEqual([]);
    expect(again.sampleCount()).toBe(0);
  });
});
