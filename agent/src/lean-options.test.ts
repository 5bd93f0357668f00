import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { isGatewayCommand, isGatewayRun, LEAN_NODE_OPTIONS } from './lean-options.js';

describe('a gateway’s process', () => {
  it('is known by its command line, wherever the options stand', () => {
    for (const line of [
      'agent run',
      '--data-dir x agent run',
      '--data-dir=x agent run',
      '--json agent scan',
    ]) {
      expect(isGatewayCommand(line.split(' ')), line).toBe(true);
    }
    for (const line of [
      '',
      'up',
      '--data-dir agent up',
      'up --config agent',
      'keygen --out agent',
      '--help',
    ]) {
      expect(isGatewayCommand(line.split(' ')), line).toBe(false);
    }
  });

  it('is told from its tools’, which run once', () => {
    for (const line of ['agent run', '--data-dir x agent run', '--json agent run --config x']) {
      expect(isGatewayRun(line.split(' ')), line).toBe(true);
    }
    for (const line of ['agent', 'agent doctor', 'agent --help run', '--data-dir agent run', 'collector']) {
      expect(isGatewayRun(line.split(' ')), line).toBe(false);
    }
  });

  it('starts with options that this Node knows', () => {
    // As libraries do when they look where they are.
    const source = 'void globalThis.WebSocket; setImmediate(() => process.stdout.write(String(1 + 1)))';
    expect(execFileSync(process.execPath, [...LEAN_NODE_OPTIONS, '-e', source], { encoding: 'utf8' })).toBe(
      '2',
    );
  });
});
