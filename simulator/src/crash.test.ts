import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { decodeEnergy, loadProfile } from '@gridtokenx/firmware-profiles';
import fc from 'fast-check';
import modbusSerial from 'modbus-serial';
import { afterEach, describe, expect, it } from 'vitest';
import { type SimulatorConfigInput, type SimulatorConnection, socatInstalled } from './index.js';

const built = fileURLToPath(new URL('../dist/index.js', import.meta.url));
const profile = loadProfile('eastron-sdm630');
const KILLS = 8;

const children = new Set<ChildProcess>();
const folders: string[] = [];
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** The simulator as a process of its own, from the built files. */
async function run(
  config: SimulatorConfigInput,
): Promise<{ child: ChildProcess; connection: SimulatorConnection }> {
  if (!existsSync(built)) throw new Error(`${built} is missing: run "npx tsc -b simulator" first`);
  const script = `
    import { pino } from 'pino';
    import { startSimulator } from ${JSON.stringify(built)};
    const simulator = await startSimulator(${JSON.stringify(config)}, { logger: pino({ level: 'silent' }) });
    console.log(JSON.stringify(simulator.connection));
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  const [line] = (await once(createInterface(child.stdout as Readable), 'line')) as [string];
  return { child, connection: JSON.parse(line) as SimulatorConnection };
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  children.delete(child);
}

/** Reads the export register a number of times; answers what was read last. */
async function read(connection: SimulatorConnection, times: number, notBelow: bigint): Promise<bigint> {
  const modbus = new modbusSerial.default();
  if (connection.type !== 'rtu') await modbus.connectTCP(connection.host, { port: connection.port });
  else await modbus.connectRTUBuffered(connection.path, { baudRate: connection.baud_rate });
  modbus.setID(1);
  modbus.setTimeout(20_000);
  let last = notBelow;
  for (let count = 0; count < times; count++) {
    const energy = decodeEnergy(profile, 'energy_export', (await modbus.readInputRegisters(0x004a, 2)).data);
    expect(energy).toBeGreaterThanOrEqual(last);
    last = energy;
  }
  await new Promise<void>((done) => modbus.close(() => done()));
  return last;
}

/** Command lines of socat processes that hold a line in this folder. */
function socatsOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return ''; // it ended meanwhile
      }
    })
    .filter((line) => line.startsWith('socat') && line.includes(folder));
}

describe('a simulator that is killed', () => {
  it.each([
    ['Modbus TCP', true],
    ['a serial line', socatInstalled()],
  ])(
    'never shows less than somebody has read, on %s',
    async (transport, available) => {
      if (!available) return;
      const folder = mkdtempSync(join(tmpdir(), 'gtx-crash-'));
      folders.push(folder);
      const seed = Math.floor(Math.random() * 2 ** 31);
      process.stderr.write(`simulator kills on ${transport}: seed ${seed}\n`);
      const counts = fc.sample(fc.integer({ min: 1, max: 60 }), { seed, numRuns: KILLS });
      let last = 0n;
      for (const count of counts) {
        const { child, connection } = await run({
          transport:
            transport === 'Modbus TCP' ? { type: 'tcp' } : { type: 'pty', link: join(folder, 'tty') },
          state_file: join(folder, 'registers.json'),
          units: [{ unit: 1, scenario: { solar_watts: 1_000_000, household_watts: 0, shape: 'flat' } }],
        });
        last = await read(connection, count, last);
        await kill(child);
      }
      expect(last).toBeGreaterThan(0n);
      // Nothing stays behind: each socat ends when its simulator's pipes close.
      while (transport !== 'Modbus TCP' && socatsOf(folder).length > 0) await pause(25);
    },
    300_000,
  );
});
