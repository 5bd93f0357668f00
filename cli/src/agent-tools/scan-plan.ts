/** From flags to what a scan tries. */
import { readdirSync, realpathSync } from 'node:fs';
import { installerTools, type LineSettings } from '@gridtokenx/agent';
import { type MeterProfile, ProfileError, ProfileLibrary } from '@gridtokenx/firmware-profiles';
import { GtxError } from '@gridtokenx/protocol';
import { parseAddress } from './device.js';

export interface ScanFlags {
  readonly port?: string | undefined;
  readonly tcp?: string | undefined;
  readonly rtuOverTcp?: string | undefined;
  readonly baud?: number | undefined;
  readonly parity?: string | undefined;
  readonly units?: readonly number[] | undefined;
  readonly profile?: readonly string[] | undefined;
  readonly profileDir?: readonly string[] | undefined;
}

/** Where Linux names serial ports, the stablest names first; each port once. */
const PORT_PLACES: readonly (readonly [string, RegExp])[] = [
  ['/dev/gridtokenx', /./],
  ['/dev/serial/by-id', /./],
  ['/dev', /^tty(USB|ACM|AMA|SC)\d+$/],
];

export function serialPorts(places: typeof PORT_PLACES = PORT_PLACES): string[] {
  const ports = new Map<string, string>();
  for (const [folder, pattern] of places) {
    let names: string[];
    try {
      names = readdirSync(folder).filter((name) => pattern.test(name));
    } catch {
      // No adapter of that kind was ever there.
      continue;
    }
    for (const name of names.sort()) {
      const path = `${folder}/${name}`;
      const device = realpathSync(path);
      if (!ports.has(device)) ports.set(device, path);
    }
  }
  return [...ports.values()];
}

/** What a scan tries, in this order. */
export interface ScanPlan {
  readonly profiles: readonly MeterProfile[];
  readonly units: readonly number[];
  readonly lines: readonly LineSettings[];
}

/** @throws GtxError CONFIG_INVALID, PROFILE_INVALID */
export async function scanPlan(
  flags: ScanFlags,
  env: NodeJS.ProcessEnv,
  ports = serialPorts,
): Promise<ScanPlan> {
  const wires = [flags.port, flags.tcp, flags.rtuOverTcp].filter((one) => one !== undefined);
  if (wires.length > 1) throw new GtxError('CONFIG_INVALID', 'give one of --port, --tcp and --rtu-over-tcp');
  const serialOnly = flags.baud !== undefined || flags.parity !== undefined;
  if (serialOnly && (flags.tcp ?? flags.rtuOverTcp) !== undefined) {
    throw new GtxError('CONFIG_INVALID', '--baud and --parity belong to a serial port (--port)');
  }
  const parity = (['none', 'even', 'odd'] as const).find((one) => one === flags.parity);
  if (flags.parity !== undefined && parity === undefined) {
    throw new GtxError('CONFIG_INVALID', '--parity is none, even or odd');
  }
  const profiles = profilesOf(flags, env);
  const { likelySerialSettings, likelyUnits } = await installerTools();
  const type = flags.tcp !== undefined ? 'tcp' : flags.rtuOverTcp !== undefined ? 'rtu_over_tcp' : 'rtu';
  const units = flags.units ?? likelyUnits(profiles, type);
  const bad = type === 'tcp' ? undefined : units.find((unit) => unit < 1 || unit > 247);
  if (bad !== undefined)
    throw new GtxError('CONFIG_INVALID', `--units: ${bad} is no address of a serial line (1 to 247)`);
  if (type === 'rtu') {
    const path = flags.port ?? onlyPort(ports());
    return { profiles, units, lines: likelySerialSettings(path, profiles, { baudRate: flags.baud, parity }) };
  }
  try {
    const { host, port } = parseAddress(
      (type === 'tcp' ? flags.tcp : flags.rtuOverTcp) as string,
      type === 'tcp' ? 502 : undefined,
    );
    return { profiles, units, lines: [{ type, host, port } as const] };
  } catch (error) {
    throw new GtxError('CONFIG_INVALID', (error as Error).message);
  }
}

function onlyPort(found: readonly string[]): string {
  const [port] = found;
  if (port === undefined) {
    throw new GtxError(
      'CONFIG_INVALID',
      'this machine has no serial port: plug the adapter in, or give --port or --tcp',
    );
  }
  if (found.length > 1)
    throw new GtxError('CONFIG_INVALID', 'there are several serial ports: give --port', { ports: found });
  return port;
}

function profilesOf(flags: ScanFlags, env: NodeJS.ProcessEnv): MeterProfile[] {
  try {
    const places = flags.profileDir ?? env.GTX_PROFILE_DIR?.split(':').filter((one) => one !== '') ?? [];
    const library = new ProfileLibrary(places);
    return (flags.profile ?? library.list()).map((id) => library.load(id));
  } catch (error) {
    if (error instanceof ProfileError) throw new GtxError(error.code, error.message);
    throw error;
  }
}
