import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  isGatewayCommand,
  isGatewayRun,
  LEAN_NODE_ENV,
  LEAN_NODE_OPTIONS,
  leanNodeOptions,
} from './lean-options.js';

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

  it('starts from the Debian package as everywhere else, with the options of the package’s Node', () => {
    const file = (name: string) =>
      readFileSync(new URL(`../../deploy/debian/${name}`, import.meta.url), 'utf8');
    const { version } = JSON.parse(file('runtime.json')) as { version: string };
    const [, run = ''] = /'agent run'\)([^;]*)/.exec(file('gtx')) ?? [];
    expect(run).toContain(`bin/node ${leanNodeOptions(version).join(' ')} /usr`);
    for (const [name, value] of Object.entries(LEAN_NODE_ENV)) {
      expect(run).toContain(`export ${name}="\${${name}:-${value}}"`);
    }
  });
});
