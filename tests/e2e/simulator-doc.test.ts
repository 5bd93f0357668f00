import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PROFILE_FOLDER } from '@gridtokenx/firmware-profiles';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { socatInstalled } from '@gridtokenx/simulator';
import { afterEach, expect, test } from 'vitest';
import { gtx } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/*
 * Every command of docs/simulator.md, section by section, in a folder with the files that the page shows. Ports of the
 * page are replaced by free ones; what belongs to a fleet is run by fleet.test.ts.
 */

const page = readFileSync(fileURLToPath(new URL('../../docs/simulator.md', import.meta.url)), 'utf8');
const files = [...page.matchAll(/<!-- file: (\S+) -->\n```\w+\n([\s\S]*?)```/g)];
const sections = page
  .split(/^## /m)
  .slice(1)
  .map((text) => ({
    title: text.slice(0, text.indexOf('\n')),
    commands: [...text.replace(/<!-- fleet[\s\S]*?```\n\n/, '').matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(
      ([, block]) => (block as string).trim().split('\n'),
    ),
  }))
  .filter(({ commands }) => commands.length > 0);

const running: ChildProcess[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const child of running.splice(0)) {
    const ended = child.exitCode === null ? once(child, 'exit') : undefined;
    child.kill('SIGTERM');
    await ended;
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

test('there are sections with commands', () => {
  expect(sections.map(({ title }) => title)).toEqual([
    'Put one meter on a line',
    'Describe a home',
    'Look at a day',
    'Make time pass faster',
    'Replay measured data',
    "Simulate your own meter's model",
    'Break things',
    'Control it while it runs',
  ]);
});

test.each(sections)(
  '$title',
  async ({ commands }) => {
    const folder = mkdtempSync(join(tmpdir(), 'gtx-doc-'));
    folders.push(folder);
    const ports = new Map([
      ['5020', String(await freePort())],
      ['9100', String(await freePort())],
    ]);
    // At once: the digits of one free port may be those of the other port of the page.
    const here = (text: string) => text.replace(/5020|9100/g, (port) => ports.get(port) as string);
    for (const [, name, text] of files) writeFileSync(join(folder, name as string), here(text as string));
    const options = { cwd: folder, env: { ...process.env, PROFILES: PROFILE_FOLDER } };
    for (const command of commands) {
      if (command.includes('--link') && !socatInstalled()) continue;
      const line = here(command).replace(/^gtx /, `"${process.execPath}" "${gtx}" `);
      if (!line.endsWith(' &')) {
        const { status, stdout, stderr } = spawnSync('bash', ['-ec', line], { ...options, encoding: 'utf8' });
        expect(status, `${command}\n${stdout}${stderr}`).toBe(0);
        if (command.startsWith('curl')) expect(stdout, command).not.toMatch(/"error"|^$/);
        continue;
      }
      const child = spawn('bash', ['-c', `exec ${line.slice(0, -2)}`], {
        ...options,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      running.push(child);
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (bytes: Buffer) => {
          output += bytes.toString();
        });
      }
      await waitFor(command, () => child.exitCode !== null || output.includes('"ready":true'));
      expect(child.exitCode, `${command}\n${output}`).toBe(null);
    }
  },
  600_000,
);

test('the pictures are pictures', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gtx-doc-'));
  folders.push(folder);
  for (const [, name, text] of files) writeFileSync(join(folder, name as string), text as string);
  const plot = (...args: string[]) =>
    spawnSync(process.execPath, [gtx, 'sim', 'plot', '--config', 'home.yaml', ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
  expect(plot().stdout).toMatch(/^<\?xml [\s\S]*<svg [\s\S]*home, 2026-04-18[\s\S]*<\/svg>\n$/);
  const json = JSON.parse(plot('--json', '--out', 'day.svg').stdout);
  expect(json).toMatchObject({ site: 'home', date: '2026-04-18', file: 'day.svg' });
  expect(json.production_kwh).toBeGreaterThan(1);
  expect(plot('--site', 'castle')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('there are: home'),
  });
  expect(plot('--date', 'tomorrow').status).toBe(2);
});
