/** docs/runbook.md: an entry for every kind of alert and review, and commands and metrics that there are. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ALERT_KINDS, REVIEW_KINDS } from '@gridtokenx/collector';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { buildProgram } from './program.js';
import { commandsOf, words } from './testing/page-commands.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(join(root, 'docs/runbook.md'), 'utf8');

/** The entries below a heading, by name. */
function entries(heading: string): Map<string, string> {
  const part = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const found = part
    .split(/^### `/m)
    .slice(1)
    .map((text): [string, string] => [text.slice(0, text.indexOf('`')), text]);
  return new Map(found);
}

test('every kind of review has an entry that says what it means, how to look and what to do', () => {
  const reviews = entries('Reviews');
  expect([...reviews.keys()].toSorted()).toEqual(Object.keys(REVIEW_KINDS).toSorted());
  for (const [kind, text] of reviews) {
    for (const part of ['**What.**', '**Look.**', '**Do.**']) expect(text, `${kind} ${part}`).toContain(part);
    // Everything that it offers is shown.
    const { actions } = REVIEW_KINDS[kind as keyof typeof REVIEW_KINDS];
    for (const action of Object.keys(actions)) {
      const command = action === 'prepare' ? 'gtx review release' : `gtx review ${action}`;
      expect(text, `${kind} ${action}`).toContain(`${command} $REVIEW`);
    }
  }
});

test('every kind of alert has an entry, or belongs to a review that has one', () => {
  const alerts = entries('Alerts');
  const ofReviews = Object.keys(REVIEW_KINDS).filter((kind) => kind in ALERT_KINDS);
  expect([...alerts.keys(), ...ofReviews].toSorted()).toEqual(Object.keys(ALERT_KINDS).toSorted());
  for (const kind of ofReviews) expect(page).toContain(`[${kind}](#${kind})`);
  for (const [kind, text] of alerts) {
    if (kind === 'reading_held') continue;
    for (const part of ['**What.**', '**Look.**', '**Do.**']) expect(text, `${kind} ${part}`).toContain(part);
  }
});

test('every command that it shows is one of gtx, with options that it has and all that it needs', () => {
  const commands = commandsOf(page);
  expect(commands.length).toBeGreaterThan(30);
  for (const line of commands) {
    const [name, ...rest] = words(line);
    expect(name, line).toBe('gtx');
    let command: Command = buildProgram();
    while (command.commands.some((one) => one.name() === rest[0])) {
      command = command.commands.find((one) => one.name() === rest[0]) as Command;
      rest.shift();
    }
    expect(command.commands, `${line}: a command of a group is missing`).toEqual([]);
    const given = new Set<string>();
    let surplus = 0;
    for (let index = 0; index < rest.length; index++) {
      const word = rest[index] as string;
      if (!word.startsWith('--')) {
        surplus += 1;
        continue;
      }
      const option = command.options.find(({ long }) => long === word);
      expect(option, `${line}: ${word}`).toBeDefined();
      given.add(word);
      if (option?.required) index += 1;
    }
    expect(surplus, line).toBe(command.registeredArguments.length);
    for (const option of command.options) {
      if (option.mandatory) expect(given, line).toContain(option.long);
    }
  }
});

test('every metric and setting that it names is in the code', () => {
  const sources = readdirSync(join(root, 'collector/src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(root, 'collector/src', name), 'utf8'))
    .join('\n');
  for (const document of [page, readFileSync(join(root, 'docs/alerts.md'), 'utf8')]) {
    const names = document.match(/\b(gtx_[a-z_]+|GTX_[A-Z_]+|SOLANA_[A-Z_]+|DATABASE_URL)\b/g) ?? [];
    expect(names.length).toBeGreaterThan(3);
    // Read by the command line, and secrets from files.
    const known = (name: string) =>
      name === 'GTX_COLLECTOR_URL' ||
      sources.includes(`'${name.replace(/_FILE$/, '')}'`) ||
      sources.includes(`'${name}'`);
    expect(names.filter((name) => !known(name))).toEqual([]);
  }
});
