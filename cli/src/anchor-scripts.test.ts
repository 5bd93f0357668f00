import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { processEnvironment } from './command.js';
import { buildProgram } from './program.js';
import { fullName, leafCommands } from './reference.js';

/* `anchor run NAME -- OPTIONS` is `npx gtx NAME OPTIONS`: the scripts of Anchor.toml are commands of ours. */

const toml = readFileSync(new URL('../../Anchor.toml', import.meta.url), 'utf8');
const scripts = new Map(
  [...(toml.split('[scripts]')[1] ?? '').matchAll(/^([a-z-]+) = "(.+)"$/gm)].map(([, name, command]) => [
    name as string,
    command as string,
  ]),
);
const leaves = leafCommands(buildProgram(processEnvironment));

it('has the steps of the process, each a command with the same name', () => {
  const steps = [
    'register-meter',
    'submit-reading',
    'settle-meter-balance',
    'create-order',
    'match-order',
    'cancel-order',
  ];
  for (const step of steps) expect(scripts.get(step), step).toMatch(new RegExp(`^npx gtx ${step}( |$)`));
});

it.each([...scripts].filter(([, command]) => command.startsWith('npx gtx ')))(
  '%s is a command with these options',
  (_, command) => {
    const words = command.slice('npx '.length).split(' ');
    const name = words.slice(0, words.findIndex((word) => word.startsWith('--')) >>> 0).join(' ');
    const leaf = leaves.find((one) => fullName(one) === name);
    expect(leaf, name).toBeDefined();
    const known = leaf?.options.map(({ long }) => long);
    for (const flag of words.filter((word) => word.startsWith('--'))) expect(known).toContain(flag);
  },
);

it('create-order needs no more than an amount and a price: it sells', () => {
  const options = leaves.find((one) => fullName(one) === 'gtx create-order')?.options ?? [];
  expect(options.filter(({ mandatory }) => mandatory).map(({ long }) => long)).toEqual([
    '--amount',
    '--price',
  ]);
  expect(options.find(({ long }) => long === '--side')?.defaultValue).toBe('sell');
});
