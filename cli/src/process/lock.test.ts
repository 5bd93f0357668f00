import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identityOf, isAlive, processStartedAt, waitForExit } from './identity.js';
import { takeLock } from './lock.js';

let folder: string;
let lock: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-lock-'));
  lock = join(folder, 'up.lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the single-instance lock', () => {
  it('is held by one process and named to the next', () => {
    const release = takeLock(lock);
    expect(JSON.parse(readFileSync(lock, 'utf8'))).toMatchObject({ pid: process.pid });
    expect(() => takeLock(lock)).toThrow(expect.objectContaining({ code: 'DATA_DIR_IN_USE' }));
    release();
    expect(existsSync(lock)).toBe(false);
    takeLock(lock)();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is taken over from a process that was killed', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const identity = identityOf(child.pid as number);
    expect(identity).toBeDefined();
    writeFileSync(lock, JSON.stringify(identity));
    expect(() => takeLock(lock)).toThrow(expect.objectContaining({ code: 'DATA_DIR_IN_USE' }));
    child.kill('SIGKILL');
    await once(child, 'exit');
    takeLock(lock)();
  });

  it('is taken over when the number now belongs to another process', () => {
    writeFileSync(lock, JSON.stringify({ pid: process.pid, startedAt: 'some other time' }));
    const release = takeLock(lock);
    expect(JSON.parse(readFileSync(lock, 'utf8')).startedAt).toBe(processStartedAt(process.pid));
    release();
  });

  it('is taken over when it is damaged', () => {
    writeFileSync(lock, '{"pid":');
    takeLock(lock)();
  });

  it('is not released by somebody who lost it', () => {
    const release = takeLock(lock);
    writeFileSync(lock, JSON.stringify({ pid: 1, startedAt: 'x' }));
    release();
    expect(existsSync(lock)).toBe(true);
  });
});

describe('process identity', () => {
  it('knows living processes from gone ones, and a zombie as gone', async () => {
    const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
    const exited = once(child, 'exit');
    const identity = identityOf(child.pid as number);
    if (identity !== undefined) expect(await waitForExit(identity, 20_000)).toBe(true);
    await exited;
    expect(processStartedAt(0)).toBeUndefined();
    expect(processStartedAt(-5)).toBeUndefined();
    expect(isAlive({ pid: process.pid, startedAt: 'never' })).toBe(false);
  });
});
