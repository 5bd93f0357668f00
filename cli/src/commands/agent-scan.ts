import { delimiter } from 'node:path';
import type { FoundDevice, ScanProgress } from '@gridtokenx/agent';
import { nkwhToKwh } from '@gridtokenx/protocol';
import type { Command } from 'commander';
import { addCommand, integerOption, type ProgramEnvironment, parsedOption, valueOption } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { duration, type Json } from '../output.js';

interface ScanOptions {
  readonly port?: string;
  readonly tcp?: string;
  readonly rtuOverTcp?: string;
  readonly baud?: number;
  readonly parity?: string;
  readonly units?: number[];
  readonly profile?: string[];
  readonly profileDir?: string[];
  readonly timeout: number;
  readonly gap: number;
  readonly all?: boolean;
}

/** Addresses: "1-10,33". */
function parseUnits(text: string): number[] {
  const units: number[] = [];
  for (const part of text.split(',')) {
    const range = /^\s*(\d{1,3})(?:-(\d{1,3}))?\s*$/.exec(part);
    const first = Number(range?.[1]);
    const last = Number(range?.[2] ?? first);
    if (range === null || last > 255 || first > last) throw new Error('It looks like 1-10,33; 255 at most.');
    for (let unit = first; unit <= last; unit++) units.push(unit);
  }
  return [...new Set(units)];
}

const list = (separator: string) => (text: string) => text.split(separator).filter((one) => one !== '');

export function addAgentScan(group: Command, environment: ProgramEnvironment): void {
  addCommand<ScanOptions>(
    group,
    {
      name: 'scan',
      summary: 'Find and name the meters on a line.',
      description: `Tries serial settings and addresses, the likeliest first, one short question at a time, and asks what answers for its
model and its values; it only reads. Stops at the first serial settings with which something answers, unless --all is
given. By default it tries the addresses that models are delivered with and 1 to 32; --units 1-247 tries all. Ctrl-C ends
it and shows what was found. Exit code 1: nothing was found.`,
      options: [
        valueOption('--port <device>', 'serial port (default: the only one that there is)'),
        valueOption('--tcp <host:port>', 'a meter or gateway that speaks Modbus TCP (port 502 if not given)'),
        valueOption('--rtu-over-tcp <host:port>', 'a serial server that passes RTU frames through'),
        integerOption('--baud <rate>', 'only this baud rate', 50, 4_000_000),
        valueOption('--parity <parity>', 'only this parity: none, even or odd'),
        parsedOption('--units <list>', 'only these addresses, for example 1-10,33', parseUnits),
        parsedOption('--profile <ids>', 'only these models, separated by ","', list(',')),
        parsedOption(
          '--profile-dir <places>',
          `folders or files with profiles of your own, separated by "${delimiter}" (default: GTX_PROFILE_DIR)`,
          list(delimiter),
        ),
        integerOption('--timeout <ms>', 'how long an address may take to answer', 20, 10_000).default(300),
        integerOption('--gap <ms>', 'least silence before each question', 0, 5_000).default(60),
        valueOption('--all', 'try all serial settings, also after something was found'),
      ],
      examples: [
        {
          command: 'gtx agent scan --port /dev/ttyUSB0',
          shows: 'Address, model, voltage, power and energy of each meter.',
        },
        {
          command: 'gtx agent scan --tcp 192.168.1.40 --units 1-5 --json',
          shows: 'The same behind a network port, as JSON.',
        },
      ],
      async action({ timeout, gap, all, ...flags }, { out, env, interrupted }) {
        const [{ scanPlan }, { installerTools }, { deviceText }] = await Promise.all([
          import('../agent-tools/scan-plan.js'),
          import('@gridtokenx/agent'),
          import('../agent-tools/device.js'),
        ]);
        const { connectionOf, lineText, scan } = await installerTools();
        const plan = await scanPlan(flags, env);
        let line: ScanProgress['line'] | undefined;
        let shownMs = Number.NEGATIVE_INFINITY;
        const result = await scan({
          ...plan,
          timeoutMs: timeout,
          gapMs: gap,
          allSettings: all === true,
          signal: interrupted,
          onProgress(progress) {
            const now = performance.now();
            if (progress.line === line && now - shownMs < 2_000) return;
            if (progress.line !== line) out.progress(`Trying ${lineText(progress.line)}`);
            line = progress.line;
            shownMs = now;
            const left =
              progress.remainingMs === undefined ? '' : `, ${duration(progress.remainingMs)} left at most`;
            out.progress(
              `  address ${progress.unit}, ${Math.floor((100 * progress.asked) / progress.total)} %, ${progress.found} found${left}`,
            );
          },
          onFound: (device) => out.progress(`  found at address ${device.unit}: ${nameOf(device)}`),
        });
        const word = (device: FoundDevice): string | undefined => {
          const best = device.profile ?? device.candidates[0]?.profile;
          return best && deviceText(best.id, device.unit, connectionOf(device.line));
        };
        const hints = [
          ...result.garbled.map(
            (one) =>
              `With ${lineText(one)} bytes came that are no answer: other settings, two devices with one address, A and B swapped, or no termination.`,
          ),
          ...(result.complete && result.devices.length === 0 && result.garbled.length === 0
            ? [
                'Not one byte came: is the meter powered, A and B swapped (swap them), the address beyond those tried (--units 1-247), Modbus switched on in the meter?',
              ]
            : []),
        ];
        out.result(
          {
            devices: result.devices.map((device) => asJson(device, connectionOf(device.line), word(device))),
            complete: result.complete,
            asked: result.asked,
            hints,
          },
          [
            ...result.devices.map((device) => asText(device, lineText(device.line), word(device))),
            result.devices.length === 0
              ? 'Nothing was found.'
              : `${result.devices.length} ${result.devices.length === 1 ? 'device' : 'devices'}.`,
            ...(result.complete ? [] : ['The scan was interrupted; there may be more.']),
            ...hints,
          ].join('\n'),
        );
        if (!result.complete) return EXIT.interrupted;
        return result.devices.length === 0 ? EXIT.failed : EXIT.ok;
      },
    },
    environment,
  );
}

const CERTAINTY = {
  model: 'says so itself',
  family: 'its family says so itself',
  signature: 'guessed from what its registers hold',
  none: 'as you said; it cannot be told by reading',
} as const;

function nameOf({ candidates, profile, sunspec }: FoundDevice): string {
  const best = profile ?? candidates[0]?.profile;
  if (sunspec && sunspec.identity.model !== '') {
    return `${sunspec.identity.manufacturer} ${sunspec.identity.model} (SunSpec)`;
  }
  return best === undefined ? 'a device of no known model' : `${best.manufacturer} ${best.model}`;
}

function asText(device: FoundDevice, line: string, word: string | undefined): string {
  const { candidates, sample, profile, problem } = device;
  const certainty = candidates.find((one) => one.profile === (profile ?? candidates[0]?.profile))?.certainty;
  const lines = [`Address ${device.unit}: ${nameOf(device)}`, `  line      ${line}`];
  if (certainty !== undefined) lines.push(`  model     ${CERTAINTY[certainty]}`);
  const others = candidates
    .map(({ profile: { id } }) => id)
    .filter((id) => id !== (profile ?? candidates[0]?.profile)?.id);
  if (others.length > 0) lines.push(`  or        ${others.join(', ')}`);
  if (sample) {
    const values = [
      (sample.voltageVolts?.length ?? 0) > 0 &&
        `${sample.voltageVolts?.map((one) => one.toFixed(1)).join(' / ')} V`,
      sample.powerWatts !== undefined && `${sample.powerWatts.toFixed(0)} W`,
      energy('import', sample.importTotal ?? sample.consumed),
      energy('export', sample.exportTotal ?? sample.produced),
    ].filter((one) => one !== undefined && one !== false);
    lines.push(`  shows     ${values.join(', ')}`);
    if (sample.serialNumber !== undefined) lines.push(`  serial    ${sample.serialNumber}`);
  }
  if (problem !== undefined) lines.push(`  problem   ${problem}`);
  if (word === undefined) {
    lines.push(
      '  what now  gtx profile list shows the known models; try one with --profile, or write a profile of your own',
    );
  } else lines.push(`  for init  ${word}`);
  return lines.join('\n');
}

const energy = (name: string, total: bigint | undefined): string | undefined =>
  total === undefined ? undefined : `${name} ${nkwhToKwh(total)} kWh`;

function asJson(device: FoundDevice, connection: object, word: string | undefined): Json {
  const { sample, candidates, profile, sunspec, problem } = device;
  const best = profile ?? candidates[0]?.profile;
  const kwh = (total: bigint | undefined): string | null => (total === undefined ? null : nkwhToKwh(total));
  return {
    connection: { ...connection } as Json,
    unit: device.unit,
    profile: best?.id ?? null,
    manufacturer: sunspec?.identity.manufacturer || (best?.manufacturer ?? null),
    model: sunspec?.identity.model || (best?.model ?? null),
    certainty: candidates.find((one) => one.profile === best)?.certainty ?? null,
    candidates: candidates.map((one) => ({ profile: one.profile.id, certainty: one.certainty })),
    serial_number: sample?.serialNumber ?? (sunspec?.identity.serialNumber || null),
    values:
      sample === undefined
        ? null
        : {
            voltage_volts: sample.voltageVolts ?? null,
            power_watts: sample.powerWatts ?? null,
            import_kwh: kwh(sample.importTotal ?? sample.consumed),
            export_kwh: kwh(sample.exportTotal ?? sample.produced),
          },
    problem: problem ?? null,
    device: word ?? null,
  };
}
