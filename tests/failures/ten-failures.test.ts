/**
 * Failures that others had in the field. Each has a test here that would fail with it, under this name; several have more
 * than one. `npx vitest run -t "failure 4"` runs those of the fourth.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const FAILURES = [
  'one dead device on the bus stalls the others (telegraf #11782)',
  'a buffer is lost on reconnect, or its first seconds are (thingsboard-gateway #2124, #2157)',
  'a Modbus exception ends the poll loop (thingsboard-gateway #2132)',
  'a late reply shifts every later answer by one until restart (grid-x/modbus #78)',
  'a busy meter reads as 0, NaN or a frozen value and is recorded (home-assistant #51103, mbmd #332)',
  'a meter restarts when polled too fast (SDM_Energy_Meter #50)',
  'one poison message blocks the queue behind it (telegraf #13826)',
  '"offline" stays after the broker restarts (zigbee2mqtt #4854)',
  'byte-identical transactions are dropped without an error',
  'libraries disagree on which signatures are valid, and the collector accepts what the chain refuses',
];

const root = fileURLToPath(new URL('../..', import.meta.url));
const own = fileURLToPath(import.meta.url);

function* testFiles(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (/^(node_modules|dist|target|\..*)$/.test(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* testFiles(path);
    else if (entry.name.endsWith('.test.ts') && path !== own) yield path;
  }
}

const texts = [...testFiles(root)].map((path) => readFileSync(path, 'utf8'));

test.each(FAILURES.map((name, index) => `failure ${index + 1}: ${name}`))('%s: has a test', (title) => {
  const quoted = title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const named = new RegExp(`\\b(?:it|test|describe|scenario)\\b[^\\n]*\\(\\s*['\`]${quoted}`);
  expect(texts.filter((text) => named.test(text)).length).toBeGreaterThan(0);
});
