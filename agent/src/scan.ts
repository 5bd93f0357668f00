/**
 * Finds the devices on a line: which serial settings, which addresses, which models, and what they show. Asks politely:
 * one short question at a time, with a silence before each, the likeliest first.
 */
import {
  type Certainty,
  decodeMeasure,
  discoverSunSpec,
  identify,
  type MeterProfile,
  type ProbeReader,
  ProfileError,
  planReads,
  type SunSpecDevice,
  sunSpecModelFor,
  wordsOf,
} from '@gridtokenx/firmware-profiles';
import { GtxError } from '@gridtokenx/protocol';
import type { DeviceConfig } from './config.js';
import { DeviceReader, type DeviceSample } from './measure.js';
import { exceptionMeaning } from './modbus-exceptions.js';
import { BusError, type LineSettings, lineKey, ModbusLine, type RtuLineSettings } from './modbus-line.js';
import { portHolder } from './port-holder.js';

export interface ScanOptions {
  /** Settings to try, in this order; all of one wire. */
  lines: readonly LineSettings[];
  /** Addresses to try, in this order. */
  units: readonly number[];
  /** The models that come into question. */
  profiles: readonly MeterProfile[];
  /** How long an address may take to answer at all. */
  timeoutMs: number;
  /** Least silence before a question. */
  gapMs: number;
  /** Go on with other settings after one with which something answered. */
  allSettings: boolean;
  signal: AbortSignal;
  onProgress?(progress: ScanProgress): void;
  onFound?(device: FoundDevice): void;
  /** Default: real lines. */
  open?(settings: LineSettings): ModbusLine;
  now?: () => number;
  monotonic?: () => number;
}

export interface ScanProgress {
  line: LineSettings;
  unit: number;
  /** Questions asked, and how many there will be if nothing is found. */
  asked: number;
  total: number;
  /** As long as nothing is found; undefined before there is anything to go by. */
  remainingMs: number | undefined;
  found: number;
}

export interface FoundDevice {
  line: LineSettings;
  unit: number;
  /** Models that it may be, the surest first. Empty: it answers, and no profile fits. */
  candidates: { profile: MeterProfile; certainty: Certainty }[];
  /** What it says of itself, if it speaks SunSpec. */
  sunspec?: SunSpecDevice;
  /** The first candidate by which it could be read, and what it shows. */
  profile?: MeterProfile;
  sample?: DeviceSample;
  /** Why it could not be read. */
  problem?: string;
}

export interface ScanResult {
  devices: FoundDevice[];
  /** False when the scan was interrupted. */
  complete: boolean;
  asked: number;
  /** Settings with which bytes came back that are no answer: something is there and is not understood. */
  garbled: LineSettings[];
}

/**
 * Questions that everything answers, be it with an exception. Of different lengths: after one that brought nothing, its
 * late answer cannot be taken for the other's.
 */
const PINGS = [
  { function: 3, start: 0, count: 2 },
  { function: 4, start: 0, count: 4 },
] as const;
const IDENTIFY_TIMEOUT_MS = 1_000;
const CONNECT_ATTEMPTS = 4;
const CONNECT_WAIT_MS = 500;
/** Addresses beyond this are looked for only when asked for. */
const USUAL_UNITS = 32;
const LAST_SERIAL_UNIT = 247;

/** Serial settings in the order of how many models are delivered with them; those that some can be set to follow. */
export function likelySerialSettings(
  path: string,
  profiles: readonly MeterProfile[],
  only: { baudRate?: number | undefined; parity?: RtuLineSettings['parity'] | undefined } = {},
): RtuLineSettings[] {
  const weights = new Map<string, number>();
  const add = (baudRate: number, parity: string, stopBits: number, weight: number) => {
    const key = `${baudRate}/${parity}/${stopBits}`;
    weights.set(key, (weights.get(key) ?? 0) + weight);
  };
  for (const { transports, modbus } of profiles) {
    if (!transports.includes('rtu')) continue;
    const { serial } = modbus;
    add(serial.baud_rate, serial.parity, serial.stop_bits, 1_000);
    for (const [index, one] of (serial.alternatives ?? []).entries()) {
      add(one.baud_rate, one.parity, one.stop_bits ?? serial.stop_bits, 10 / (index + 1));
    }
  }
  const settings = [...weights]
    .sort(([a, x], [b, y]) => y - x || a.localeCompare(b))
    .map(([key]): RtuLineSettings => {
      const [baudRate, parity, stopBits] = key.split('/') as [string, RtuLineSettings['parity'], string];
      return {
        type: 'rtu',
        path,
        baudRate: Number(baudRate),
        parity,
        dataBits: 8,
        stopBits: stopBits === '2' ? 2 : 1,
      };
    })
    .filter(
      ({ baudRate, parity }) =>
        (only.baudRate === undefined || baudRate === only.baudRate) &&
        (only.parity === undefined || parity === only.parity),
    );
  if (settings.length > 0) return settings;
  return (only.parity === undefined ? (['none', 'even', 'odd'] as const) : [only.parity]).map((parity) => ({
    type: 'rtu',
    path,
    baudRate: only.baudRate ?? 9_600,
    parity,
    dataBits: 8,
    stopBits: 1,
  }));
}

/** Addresses in the order of how many models are delivered with them, then 1, 2, 3... */
export function likelyUnits(profiles: readonly MeterProfile[], type: LineSettings['type']): number[] {
  const weights = new Map<number, number>();
  for (const { modbus } of profiles) weights.set(modbus.unit, (weights.get(modbus.unit) ?? 0) + 1);
  const delivered = [...weights].sort(([a, x], [b, y]) => y - x || a - b).map(([unit]) => unit);
  const usual =
    type === 'tcp' ? [1, 255, 2, 3, 4, 5, 0] : Array.from({ length: USUAL_UNITS }, (_, index) => index + 1);
  const most = type === 'tcp' ? 255 : LAST_SERIAL_UNIT;
  return [...new Set([...delivered, ...usual])].filter(
    (unit) => unit <= most && (unit > 0 || type === 'tcp'),
  );
}

/**
 * Looks for devices.
 * @returns what was found, also when it was interrupted
 * @throws GtxError PORT_IN_USE when another program has the port, METER_BUS_ERROR when it cannot be opened
 */
export async function scan(options: ScanOptions): Promise<ScanResult> {
  const { lines, units, signal } = options;
  const monotonic = options.monotonic ?? (() => performance.now());
  const result: ScanResult = { devices: [], complete: false, asked: 0, garbled: [] };
  const total = lines.length * units.length * PINGS.length;
  const beganMs = monotonic();
  let identifyingMs = 0;
  const known = new Set<number>();
  for (const settings of lines) {
    if (signal.aborted) return result;
    if (settings.type === 'rtu') refuseWhenHeld(settings.path);
    const line = options.open?.(settings) ?? new ModbusLine(settings, monotonic);
    const close = () => void line.close();
    signal.addEventListener('abort', close, { once: true });
    const before = result.devices.length;
    try {
      for (const ping of PINGS) {
        for (const unit of units) {
          const done = result.asked;
          const elapsed = monotonic() - beganMs - identifyingMs;
          options.onProgress?.({
            line: settings,
            unit,
            asked: done,
            total,
            remainingMs: done === 0 ? undefined : (elapsed / done) * (total - done),
            found: result.devices.length,
          });
          result.asked++;
          if (known.has(unit)) continue;
          const answer = await answers(line, unit, ping, options);
          if (answer === 'garbled' && !result.garbled.includes(settings)) result.garbled.push(settings);
          if (answer !== 'yes') continue;
          const atMs = monotonic();
          known.add(unit);
          const device = await recognise(line, unit, options);
          result.devices.push(device);
          options.onFound?.(device);
          identifyingMs += monotonic() - atMs;
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
      return result;
    } finally {
      signal.removeEventListener('abort', close);
      await line.close();
    }
    if (result.devices.length > before && !options.allSettings) break;
  }
  result.complete = true;
  return result;
}

/** @throws GtxError PORT_IN_USE */
export function refuseWhenHeld(path: string): void {
  const holder = portHolder(path);
  if (holder) throw inUse(path, `process ${holder.pid} (${holder.command}) has it open`, holder.command);
}

function inUse(path: string, why: string, command = ''): GtxError {
  const what = / agent run\b/.test(command)
    ? 'a gateway reads the meters there; stop it first (sudo systemctl stop gridtokenx-agent)'
    : 'stop the program that uses it; if that is the gateway: sudo systemctl stop gridtokenx-agent';
  return new GtxError('PORT_IN_USE', `${path} is in use: ${why}: ${what}`);
}

/** A line that cannot be opened, in words of what to do. */
function cannotOpen(settings: LineSettings, message: string): GtxError {
  if (settings.type === 'rtu') {
    if (/lock|busy|temporarily unavailable/i.test(message)) return inUse(settings.path, message);
    if (/permission|access/i.test(message)) {
      return new GtxError(
        'METER_BUS_ERROR',
        `${message}: this user may not use the port; be root, or a member of group dialout (sudo usermod --append --groups dialout "$USER", then log in again)`,
      );
    }
    if (/no such file|cannot find/i.test(message)) {
      return new GtxError(
        'METER_BUS_ERROR',
        `${message}: there is no such port; is the adapter plugged in? ls -l /dev/serial/by-id/`,
      );
    }
  }
  return new GtxError('METER_BUS_ERROR', message);
}

async function answers(
  line: ModbusLine,
  unit: number,
  ping: (typeof PINGS)[number],
  { timeoutMs, gapMs }: ScanOptions,
): Promise<'yes' | 'no' | 'garbled'> {
  for (let attempt = 1; ; attempt++) {
    try {
      await line.read({ unit, ...ping }, timeoutMs, gapMs);
      return 'yes';
    } catch (error) {
      if (!(error instanceof BusError) || error.failure === 'closed') throw error;
      if (error.failure === 'exception') {
        return exceptionMeaning(error.exceptionCode ?? 0).kind === 'absent' ? 'no' : 'yes';
      }
      if (error.failure !== 'connection') return error.damaged ? 'garbled' : 'no';
      // Never there, or gone for good. A gateway that hangs up on an address that it does not know comes back.
      if (line.counters.connects === 0 || attempt >= CONNECT_ATTEMPTS)
        throw cannotOpen(line.settings, error.message);
      await line.pause(CONNECT_WAIT_MS);
    }
  }
}

async function recognise(line: ModbusLine, unit: number, options: ScanOptions): Promise<FoundDevice> {
  const { profiles, gapMs } = options;
  const timeoutMs = Math.max(IDENTIFY_TIMEOUT_MS, options.timeoutMs);
  const device: FoundDevice = { line: line.settings, unit, candidates: [] };
  const read = async (code: 3 | 4, start: number, count: number): Promise<number[] | undefined> => {
    try {
      const bytes = await line.read({ unit, function: code, start, count }, timeoutMs, gapMs);
      return Array.from(
        { length: bytes.length / 2 },
        (_, at) => ((bytes[2 * at] as number) << 8) | (bytes[2 * at + 1] as number),
      );
    } catch (error) {
      if (!(error instanceof BusError) || error.failure === 'closed') throw error;
      if (error.failure === 'exception') return undefined;
      // Some say nothing at all when they are asked for registers that they do not have. What they might still say
      // has had time to come; the next question may have the same length.
      await line.pause(timeoutMs);
      line.forgetOwed(unit);
      return undefined;
    }
  };
  device.candidates = await identify(read, profiles);
  if (!['model', 'family'].includes(device.candidates[0]?.certainty ?? '')) {
    try {
      const sunspec = await discoverSunSpec(read);
      if (sunspec) {
        device.sunspec = sunspec;
        const fitting = profiles.filter((profile) => sunSpecModelFor(profile, sunspec));
        device.candidates.unshift(
          ...fitting.map((profile) => ({ profile, certainty: 'family' as Certainty })),
        );
      }
    } catch (error) {
      if (!(error instanceof ProfileError)) throw error;
      device.problem = error.message;
    }
  }
  if (device.candidates.length === 0) {
    // What cannot be told apart by reading is tried when it is all that comes into question.
    const asked = profiles.filter(({ identification }) => identification.certainty === 'none');
    if (asked.length === profiles.length) {
      device.candidates = asked.map((profile) => ({ profile, certainty: 'none' as Certainty }));
    }
  }
  for (const { profile } of device.candidates) {
    const problem = await show(line, profile, device, read, options);
    if (problem === undefined) {
      delete device.problem;
      break;
    }
    device.problem ??= problem;
  }
  return device;
}

/** Reads it once by a profile. @returns why it could not be read */
async function show(
  line: ModbusLine,
  profile: MeterProfile,
  device: FoundDevice,
  read: ProbeReader,
  { now = Date.now, monotonic = () => performance.now(), timeoutMs }: ScanOptions,
): Promise<string | undefined> {
  const role = (['grid', 'production', 'consumption'] as const).find((one) => profile.roles[one]);
  if (role === undefined) return `profile ${profile.id} has no role`;
  const { unit } = device;
  line.forgetOwed(unit);
  const config: DeviceConfig = {
    role,
    profile: profile.id,
    unit,
    connection: connectionOf(line.settings),
    timeout_ms: Math.max(timeoutMs, profile.modbus.response_timeout_ms),
  };
  try {
    const reader = new DeviceReader(config, profile, line, now, monotonic);
    device.sample = await reader.sample();
    device.profile = profile;
    device.sample.voltageVolts ??= await voltages(profile, read);
    return undefined;
  } catch (error) {
    if (!(error instanceof GtxError)) throw error;
    return `${profile.id}: ${error.message}`;
  }
}

/** A gateway reads voltages only where they cost no request of their own; an installer wants to see them. */
async function voltages(profile: MeterProfile, read: ProbeReader): Promise<number[]> {
  const values: number[] = [];
  if (profile.sunspec) return values;
  const quantities = (['voltage_l1', 'voltage_l2', 'voltage_l3'] as const).filter(
    (one) => profile.registers[one],
  );
  for (const request of planReads(profile, quantities)) {
    const answer = await read(request.functionCode, request.start, request.count);
    if (answer?.length !== request.count) continue;
    for (const quantity of request.quantities) {
      try {
        values.push(decodeMeasure(profile, quantity, wordsOf(profile, request, quantity, answer)));
      } catch (error) {
        // A phase that is not connected may have no value.
        if (!(error instanceof ProfileError) || error.code !== 'METER_VALUE_INVALID') throw error;
      }
    }
  }
  return values;
}

/** A line as the configuration writes it. */
export function connectionOf(settings: LineSettings): DeviceConfig['connection'] {
  if (settings.type !== 'rtu') return { type: settings.type, host: settings.host, port: settings.port };
  return {
    type: 'rtu',
    path: settings.path,
    baud_rate: settings.baudRate,
    parity: settings.parity,
    data_bits: settings.dataBits,
    stop_bits: settings.stopBits,
  };
}

/** The line that a device of a configuration is on: the inverse of `connectionOf`. */
export function lineOf({ connection }: DeviceConfig, profile: MeterProfile): LineSettings {
  if (connection.type !== 'rtu')
    return { type: connection.type, host: connection.host, port: connection.port };
  const { serial } = profile.modbus;
  return {
    type: 'rtu',
    path: connection.path,
    baudRate: connection.baud_rate ?? serial.baud_rate,
    parity: connection.parity ?? serial.parity,
    dataBits: connection.data_bits ?? serial.data_bits,
    stopBits: connection.stop_bits ?? serial.stop_bits,
  };
}

/** A line in words: "/dev/ttyUSB0, 9600 baud, parity none, 1 stop bit". */
export function lineText(settings: LineSettings): string {
  if (settings.type !== 'rtu') return lineKey(settings);
  const { path, baudRate, parity, stopBits } = settings;
  return `${path}, ${baudRate} baud, parity ${parity}, ${stopBits} stop bit${stopBits === 1 ? '' : 's'}`;
}
