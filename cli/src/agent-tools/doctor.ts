/** `gtx agent doctor`: looks at everything between the meter and the chain, and says what to do about what is wrong. */
import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import {
  type AgentConfig,
  installerTools,
  loadAgentConfig,
  MeterSigner,
  type TlsTexts,
} from '@gridtokenx/agent';
import {
  ERRORS,
  type ErrorCode,
  encodeBase58,
  GtxError,
  nkwhToKwh,
  parseJsonWith,
} from '@gridtokenx/protocol';
import { z } from 'zod';
import { get } from './http.js';
import { lookUpUser, SERVICE_USER } from './identity.js';
import { fetchLastReading } from './last-reading.js';
import { fetchStatus, type StatusBody, statusUrl } from './status.js';

export type CheckState = 'ok' | 'warn' | 'fail' | 'skipped';

export interface Check {
  /** What was looked at: `config`, `key MTR-001`, `device MTR-001/grid`... */
  readonly name: string;
  readonly state: CheckState;
  /** What was found. */
  readonly detail: string;
  /** What to do, for `warn` and `fail`. */
  readonly action?: string;
}

export interface DoctorDeps {
  readonly env: NodeJS.ProcessEnv;
  readonly now: () => number;
  readonly signal: AbortSignal;
  onCheck(check: Check): void;
  /** Default: asks systemd. */
  ntpStatus?: () => Promise<boolean | undefined>;
  /** Default: the package's user, when this is root. */
  user?: { uid: number; gid: number } | undefined;
}

const MIB = 1024 * 1024;
const LOW_DISK_BYTES = 256 * MIB;
const LEAST_DISK_BYTES = 32 * MIB;
const BROKER_TIMEOUT_MS = 15_000;
const COLLECTOR_TIMEOUT_MS = 10_000;
const MOST_LOOKED_AT = 200;

/** Runs every check; one that fails stops only those that cannot be made without it. */
export async function examine(configPath: string, deps: DoctorDeps): Promise<Check[]> {
  const checks: Check[] = [];
  const note = (name: string, state: CheckState, detail: string, action?: string): void => {
    const check = { name, state, detail, ...(action === undefined ? {} : { action }) };
    checks.push(check);
    deps.onCheck(check);
  };
  const failed = (name: string, error: unknown, state: CheckState = 'fail'): void => {
    const code: ErrorCode = error instanceof GtxError ? error.code : 'INTERNAL';
    note(name, state, `${code}: ${(error as Error).message}`, ERRORS[code].action);
  };

  let config: AgentConfig;
  try {
    config = loadAgentConfig(configPath, deps.env);
    note(
      'config',
      'ok',
      `${configPath}: ${config.meters.length} ${config.meters.length === 1 ? 'meter' : 'meters'}`,
    );
  } catch (error) {
    failed('config', error);
    return checks;
  }
  const user = deps.user ?? (process.getuid?.() === 0 ? lookUpUser(SERVICE_USER) : undefined);
  const signers = checkKeys(config, user, note, failed);
  checkStore(config, user, note);

  let running: StatusBody | undefined;
  try {
    running = await fetchStatus(statusUrl(configPath, deps.env));
    note('gateway', 'ok', `runs, version ${running.version}`);
  } catch (error) {
    if (!(error instanceof GtxError)) throw error;
    note(
      'gateway',
      'warn',
      error.code === 'CONFIG_INVALID' ? error.message : 'does not run',
      'When everything else is right: sudo systemctl restart gridtokenx-agent (its log: journalctl -u gridtokenx-agent)',
    );
  }

  const tls = await readCertificates(config, failed);
  await checkClock(config, tls.collector, deps, note);
  if (deps.signal.aborted) return checks;
  if (running) checkRunningDevices(running, note);
  else await checkDevices(config, deps, note, failed);
  if (deps.signal.aborted) return checks;
  if (running) {
    note(
      'broker',
      running.broker.connected ? 'ok' : 'fail',
      `${running.broker.url} ${running.broker.connected ? 'is connected' : 'is not connected'}`,
      running.broker.connected
        ? undefined
        : (running.alerts.find(({ code }) => ['LOGIN_REFUSED', 'BROKER_UNAVAILABLE'].includes(code))
            ?.message ?? ERRORS.BROKER_UNAVAILABLE.action),
    );
  } else await checkBroker(config, signers, tls.broker, deps, note);
  if (deps.signal.aborted) return checks;
  await checkRegistration(config, signers, tls.collector, deps, note, failed);
  await checkDeliveries(config, note);
  return checks;
}

type Note = (name: string, state: CheckState, detail: string, action?: string) => void;
type Failed = (name: string, error: unknown, state?: CheckState) => void;
type User = { uid: number; gid: number } | undefined;

function checkKeys(config: AgentConfig, user: User, note: Note, failed: Failed): Map<string, MeterSigner> {
  const signers = new Map<string, MeterSigner>();
  for (const { id, key_file: file } of config.meters) {
    const name = `key ${id}`;
    try {
      const signer = MeterSigner.fromFile(file);
      signers.set(id, signer);
      if (user && statSync(file).uid !== user.uid) {
        note(
          name,
          'fail',
          `${file} does not belong to ${SERVICE_USER}: the service cannot read it`,
          `sudo chown ${SERVICE_USER}:${SERVICE_USER} ${file}`,
        );
      } else note(name, 'ok', `${signer.publicKeyText} in ${file}`);
    } catch (error) {
      failed(name, error);
    }
  }
  return signers;
}

function checkStore(config: AgentConfig, user: User, note: Note): void {
  const folder = config.data_dir;
  if (!existsSync(folder)) {
    note(
      'disk',
      'fail',
      `${folder} is not there`,
      `Make it: sudo install -d -o ${SERVICE_USER} -g ${SERVICE_USER} -m 0700 ${folder}`,
    );
    return;
  }
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    note(
      'disk',
      'fail',
      `this user may not write to ${folder}`,
      'Run this as root, or as the user that the gateway runs as.',
    );
    return;
  }
  if (user && statSync(folder).uid !== user.uid) {
    note(
      'disk',
      'fail',
      `${folder} does not belong to ${SERVICE_USER}: the service cannot write there`,
      `sudo chown -R ${SERVICE_USER}:${SERVICE_USER} ${folder}`,
    );
    return;
  }
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const text = `${(free / 1e6).toFixed(0)} MB free at ${folder}`;
  if (free < LEAST_DISK_BYTES) note('disk', 'fail', text, ERRORS.OUTBOX_FULL.action);
  else if (free < Math.max(LOW_DISK_BYTES, config.max_outbox_bytes))
    note('disk', 'warn', `${text}, less than the store may need`, 'Free space, or lower max_outbox_bytes.');
  else note('disk', 'ok', text);
}

/** What the gateway itself uses. Without them, the checks tell what is seen by the system's authorities. */
async function readCertificates(
  config: AgentConfig,
  failed: Failed,
): Promise<{ broker: TlsTexts; collector: TlsTexts }> {
  const { brokerTls, collectorTls } = await installerTools();
  try {
    return { broker: brokerTls(config), collector: collectorTls(config) };
  } catch (error) {
    failed('certificates', error);
    return { broker: {}, collector: {} };
  }
}

async function checkClock(config: AgentConfig, tls: TlsTexts, deps: DoctorDeps, note: Note): Promise<void> {
  const { readNtpStatus, SOFTWARE_EPOCH_MS } = await installerTools();
  const setClock = 'timedatectl set-ntp true, then look at timedatectl status.';
  if (deps.now() < SOFTWARE_EPOCH_MS)
    note('clock', 'fail', `it says ${new Date(deps.now()).toISOString()}`, setClock);
  else if (config.clock.ntp === 'off') note('clock', 'ok', 'the system is not asked (clock.ntp: off)');
  else {
    const synchronised = await (deps.ntpStatus ?? readNtpStatus)();
    if (synchronised === true) note('clock', 'ok', 'the system says that it is synchronised');
    else if (synchronised === false)
      note('clock', 'fail', 'the system says that it is not synchronised; nothing is signed', setClock);
    else if (config.clock.ntp === 'required')
      note('clock', 'fail', 'the system does not say whether it is synchronised', setClock);
    else if (config.collector_url === undefined)
      note(
        'clock',
        'warn',
        'the system does not say whether it is synchronised, and no collector is asked',
        'Set collector_url.',
      );
    else note('clock', 'ok', 'the system does not say; the collector is asked');
  }
  if (config.collector_url === undefined) {
    note(
      'collector',
      'warn',
      'no collector_url: the clock cannot be compared, a stale login not corrected',
      'Set collector_url.',
    );
    return;
  }
  try {
    const offsetMs = await clockOffset(config.collector_url, deps.now, tls);
    const text = `${config.collector_url} answers; this clock is ${(Math.abs(offsetMs) / 1000).toFixed(1)} s ${offsetMs < 0 ? 'behind' : 'ahead'}`;
    if (Math.abs(offsetMs) > config.clock.max_offset_seconds * 1000)
      note('collector', 'fail', `${text}: nothing is signed`, setClock);
    else note('collector', 'ok', text);
  } catch (error) {
    note(
      'collector',
      'fail',
      `${config.collector_url}: ${(error as Error).message || (error as { code?: string }).code}`,
      ERRORS.COLLECTOR_UNAVAILABLE.action,
    );
  }
}

const TimeBody = z.looseObject({ time: z.number().int().positive() });

/** This clock minus the collector's, in ms, good to a second. Throws in words. */
async function clockOffset(collectorUrl: string, now: () => number, tls: TlsTexts): Promise<number> {
  const began = now();
  const { status, text } = await get(new URL('/api/time', collectorUrl), {
    tls,
    timeoutMs: COLLECTOR_TIMEOUT_MS,
  });
  if (status !== 200) throw new Error(`/api/time answered HTTP ${status}`);
  const { time } = parseJsonWith(TimeBody, Buffer.from(text));
  // The answer is cut to whole seconds.
  return (began + now()) / 2 - (time * 1000 + 500);
}

function checkRunningDevices(running: StatusBody, note: Note): void {
  for (const meter of running.meters) {
    for (const device of meter.devices) {
      const name = `device ${meter.id}/${device.role}`;
      const what = `${device.profile} at address ${device.unit}`;
      if (device.online) note(name, 'ok', `${what} answers the gateway`);
      else
        note(
          name,
          'fail',
          `${what}: ${device.lastMessage ?? 'not read yet'}`,
          device.whatToDo ?? ERRORS.METER_BUS_ERROR.action,
        );
    }
  }
}

async function checkDevices(
  config: AgentConfig,
  deps: DoctorDeps,
  note: Note,
  failed: Failed,
): Promise<void> {
  const { DeviceReader, lineKey, lineOf, ModbusLine, portHolder, profileLibrary } = await installerTools();
  const profiles = profileLibrary(config);
  const lines = new Map<string, InstanceType<typeof ModbusLine> | undefined>();
  const close = (): void => {
    for (const line of lines.values()) void line?.close();
  };
  deps.signal.addEventListener('abort', close, { once: true });
  try {
    for (const meter of config.meters) {
      for (const device of meter.devices) {
        if (deps.signal.aborted) return;
        const name = `device ${meter.id}/${device.role}`;
        try {
          const profile = profiles.load(device.profile);
          const settings = lineOf(device, profile);
          const key = lineKey(settings);
          if (!lines.has(key)) {
            const problem =
              settings.type === 'rtu' ? portProblem(settings.path, portHolder(settings.path)) : undefined;
            if (settings.type === 'rtu') {
              if (problem) note(`port ${settings.path}`, 'fail', problem.detail, problem.action);
              else note(`port ${settings.path}`, 'ok', 'is there, may be used, and is free');
            }
            lines.set(key, problem ? undefined : new ModbusLine(settings));
          }
          const line = lines.get(key);
          if (line === undefined) {
            note(name, 'skipped', 'its port cannot be used');
            continue;
          }
          const reader = new DeviceReader(device, profile, line, deps.now, () => performance.now());
          const sample = await reader.sample();
          const doubts = [
            ...(sample.voltageVolts ?? [])
              .filter((volts) => volts !== 0 && (volts < 80 || volts > 300))
              .map((volts) => `${volts.toFixed(1)} V`),
            ...[sample.frequencyHertz ?? 50]
              .filter((hertz) => hertz < 45 || hertz > 65)
              .map((hertz) => `${hertz} Hz`),
            ...[sample.powerWatts ?? 0]
              .filter((watts) => Math.abs(watts) > meter.rated_watts)
              .map((watts) => `${watts.toFixed(0)} W, above rated_watts`),
          ];
          const shown = [
            sample.powerWatts === undefined ? undefined : `${sample.powerWatts.toFixed(0)} W`,
            sample.consumed === undefined ? undefined : `consumed ${nkwhToKwh(sample.consumed)} kWh`,
            sample.produced === undefined ? undefined : `produced ${nkwhToKwh(sample.produced)} kWh`,
          ].filter((one) => one !== undefined);
          const text = `${device.profile} at address ${device.unit} answers: ${shown.join(', ')}`;
          if (doubts.length === 0) note(name, 'ok', text);
          else
            note(
              name,
              'warn',
              `${text}; implausible: ${doubts.join(', ')}`,
              'Is it this model (gtx agent scan)? Are its transformer ratios and rated_watts right?',
            );
        } catch (error) {
          failed(name, error);
        }
      }
    }
  } finally {
    deps.signal.removeEventListener('abort', close);
    await Promise.all([...lines.values()].map((line) => line?.close()));
  }
}

function portProblem(
  path: string,
  holder: { pid: number; command: string } | undefined,
): { detail: string; action: string } | undefined {
  if (!existsSync(path)) {
    return {
      detail: 'is not there',
      action:
        'Is the adapter plugged in? ls -l /dev/serial/by-id/ shows what is; correct path in the configuration.',
    };
  }
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch {
    return {
      detail: 'this user may not use it',
      action: `sudo usermod --append --groups dialout ${SERVICE_USER} (or your own user, then log in again)`,
    };
  }
  if (holder) {
    return {
      detail: `process ${holder.pid} (${holder.command}) has it open`,
      action: 'Stop that program: two on one line read each other’s answers.',
    };
  }
  return undefined;
}

async function checkBroker(
  config: AgentConfig,
  signers: ReadonlyMap<string, MeterSigner>,
  tls: TlsTexts,
  deps: DoctorDeps,
  note: Note,
): Promise<void> {
  const [first] = config.meters;
  if (first === undefined || signers.size < config.meters.length) {
    note('broker', 'skipped', 'the login needs every meter’s key');
    return;
  }
  const time = Math.floor(deps.now() / 1000);
  const password = JSON.stringify(
    [...signers].map(([id, signer]) => ({
      meter_id: id,
      time,
      signature: encodeBase58(signer.signLogin(id, time)),
    })),
  );
  const { url, username, password_file: passwordFile } = config.mqtt;
  const [{ default: mqtt }, { readPasswordFile }] = await Promise.all([import('mqtt'), installerTools()]);
  const result = await new Promise<{ error?: Error & { code?: unknown } }>((resolve) => {
    let secret = password;
    try {
      if (passwordFile !== undefined) secret = readPasswordFile(passwordFile);
    } catch (error) {
      resolve({ error: error as Error });
      return;
    }
    const client = mqtt.connect(url, {
      clientId: `gtx-doctor-${first.id}`,
      username: username ?? first.id,
      password: secret,
      protocolVersion: 4,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: BROKER_TIMEOUT_MS,
      ...tls,
    });
    let over = false;
    const end = (outcome: { error?: Error }): void => {
      // What comes after the first word is only the end of the connection.
      if (over) return;
      over = true;
      deps.signal.removeEventListener('abort', stop);
      client.end(true, {}, () => resolve(outcome));
    };
    const stop = (): void => end({ error: new Error('interrupted') });
    deps.signal.addEventListener('abort', stop, { once: true });
    client.once('connect', () => end({}));
    client.once('error', (error) => end({ error }));
    client.once('close', () =>
      end({ error: new Error('the connection was closed before the login was answered') }),
    );
  });
  const { error } = result;
  if (error === undefined) note('broker', 'ok', `${url} takes the login`);
  else if (error.code === 4 || error.code === 5)
    note(
      'broker',
      'fail',
      `${url} refuses the login`,
      passwordFile === undefined
        ? 'Is each meter registered with the key in its key_file? Is the clock right?'
        : 'Are mqtt.username and mqtt.password_file those that gtx broker rules wrote, and has the broker read them since (SIGHUP)?',
    );
  else {
    const text = error.message || String(error.code);
    const tls = /certificate|self.signed|altname|TLS|SSL|EPROTO|unable to (get|verify)/i.test(
      `${text} ${String(error.code)}`,
    );
    note(
      'broker',
      'fail',
      `${url}: ${text}`,
      tls
        ? 'Is mqtt.ca_file the authority that signed the broker’s certificate, and is the host name in mqtt.url in that certificate?'
        : ERRORS.BROKER_UNAVAILABLE.action,
    );
  }
}

async function checkRegistration(
  config: AgentConfig,
  signers: ReadonlyMap<string, MeterSigner>,
  tls: TlsTexts,
  deps: DoctorDeps,
  note: Note,
  failed: Failed,
): Promise<void> {
  for (const { id } of config.meters) {
    const name = `registration ${id}`;
    const signer = signers.get(id);
    if (signer === undefined || config.collector_url === undefined) {
      note(name, 'skipped', signer === undefined ? 'the key cannot be read' : 'no collector_url to ask');
      continue;
    }
    try {
      // One second after the broker's login, which it must be newer than.
      const last = await fetchLastReading(
        config.collector_url,
        id,
        signer,
        Math.floor(deps.now() / 1000) + 1,
        tls,
      );
      const known = BigInt(last.reading?.sequence ?? '0');
      const own = await ownSequence(config.data_dir, id);
      const highest = [known, BigInt(last.through), BigInt(last.chain.last_sequence)].reduce((a, b) =>
        a > b ? a : b,
      );
      if (highest > (own ?? 0n)) {
        note(
          name,
          'fail',
          `the collector has reading ${highest} of this meter, this store ${own === undefined ? 'none' : `only ${own}`}: the store was lost or set back`,
          'Stop the gateway: two readings with one sequence are refused. Where the newest store is gone, move agent.sqlite* away and run gtx agent restore.',
        );
      } else
        note(
          name,
          'ok',
          `registered with this key; reading ${last.chain.last_sequence} is on the chain, ${known} at the collector`,
        );
    } catch (error) {
      failed(name, error);
    }
  }
}

/** By the books: a meter that was restored has no reading yet, and goes on above all that the collector knows. */
async function ownSequence(folder: string, meterId: string): Promise<bigint | undefined> {
  const { readSequence } = await installerTools();
  try {
    return readSequence(folder, meterId);
  } catch (error) {
    if (error instanceof GtxError) return undefined;
    throw error;
  }
}

async function checkDeliveries(config: AgentConfig, note: Note): Promise<void> {
  const { readStore } = await installerTools();
  for (const { id } of config.meters) {
    let rows: ReturnType<typeof readStore>;
    try {
      rows = readStore(config.data_dir, { meterId: id, limit: MOST_LOOKED_AT });
    } catch (error) {
      if (!(error instanceof GtxError)) throw error;
      note(`readings ${id}`, 'skipped', 'there is no store yet');
      continue;
    }
    const codes = new Map<string, number>();
    for (const { code } of rows) if (code !== null) codes.set(code, (codes.get(code) ?? 0) + 1);
    const open = rows.filter(({ state }) => state === 'pending' || state === 'sent').length;
    const text = `of the newest ${rows.length}: ${open} not delivered yet`;
    if (codes.size === 0) note(`readings ${id}`, 'ok', text);
    else {
      const [code, count] = [...codes].sort(([, a], [, b]) => b - a)[0] as [string, number];
      note(
        `readings ${id}`,
        'warn',
        `${text}; ${count} refused with ${code}`,
        ERRORS[code as ErrorCode]?.action ?? 'See gtx agent readings --state refused.',
      );
    }
  }
}
