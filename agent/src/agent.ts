/** The gateway: lines, meters, store and the way to the collector, put together. */
import type { MeterProfile } from '@gridtokenx/firmware-profiles';
import { ERRORS, type ErrorCode, GtxError, renderMetrics } from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import { Alerts } from './alerts.js';
import { ClockGuard, readNtpStatus } from './clock.js';
import { type AgentConfig, asProfileError, type DeviceConfig, profileLibrary } from './config.js';
import type { HomeAssistant, HomeAssistantView, ShownMeter } from './home-assistant.js';
import { DeviceReader } from './measure.js';
import { Metering } from './metering.js';
import { agentMetrics } from './metrics.js';
import { type LineSettings, lineKey, ModbusLine } from './modbus-line.js';
import { monotonicMs } from './monotonic.js';
import { Outbox } from './outbox.js';
import type { RegisterLimits } from './plausible.js';
import { Publisher } from './publish.js';
import { MeterSigner } from './sign.js';
import { StatusServer } from './status.js';
import { AGENT_VERSION } from './version.js';

export interface AgentDeps {
  logger: Logger;
  /** Wall clock in ms. Default: Date.now. */
  now?: () => number;
  /** Milliseconds that never step. Default: `monotonicMs`. */
  monotonic?: () => number;
  /** Whether the system's clock is synchronised. Default: asks timedatectl. */
  ntpStatus?: () => Promise<boolean | undefined>;
  /** How doubtful register values are judged, where a test wants it otherwise than `DEFAULT_LIMITS`. */
  limits?: Partial<Omit<RegisterLimits, 'maxWatts'>>;
}

export interface RunningAgent {
  /** Address of the status page. */
  url: string;
  /** What `/api/status` answers. */
  status(): AgentStatus;
  /** Every meter's loop has gone round lately and the store answers. A watchdog may restart what is not. */
  healthy(): boolean;
  stop(): Promise<void>;
}

/** Body of `/api/status`. */
export interface AgentStatus {
  version: string;
  time_ms: number;
  started_ms: number;
  /** `way`: how readings travel now; `http` while the broker has been away for long. */
  broker: { url: string; connected: boolean; way: 'mqtt' | 'http' | 'none' };
  clock: { trusted: boolean; reason?: string; offsetMs?: number };
  store: { bytes: number; maxBytes: number; folder: string };
  meters: (ReturnType<Metering['view']> & { troubled: TroubledView[] })[];
  alerts: ReturnType<Alerts['list']>;
  /** Only where it is configured. */
  home_assistant?: HomeAssistantView;
}

/** A reading that the collector has refused for good, or cannot take yet (then it is sent again). */
export interface TroubledView {
  sequence: number;
  interval_end: number;
  code: ErrorCode;
  /** What happened and what to do about it. */
  meaning: string;
  action: string;
  refused: boolean;
  retry_ms: number | null;
}

/** The newest so many are shown; how many there are is in the counts. */
const TROUBLED_SHOWN = 20;

function troubledOf(outbox: Outbox, meterId: string): TroubledView[] {
  return outbox.troubled(meterId, TROUBLED_SHOWN).map(({ sequence, intervalEnd, code, final, retryMs }) => {
    // A collector that is newer than this gateway may have codes of its own.
    const entry = Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode] : undefined;
    return {
      sequence,
      interval_end: intervalEnd,
      code: code as ErrorCode,
      meaning: entry?.meaning ?? '',
      action: entry?.action ?? '',
      refused: final,
      retry_ms: retryMs ?? null,
    };
  });
}

const NTP_EVERY_MS = 60_000;
const HOUSEKEEPING_MS = 10_000;
const DAY_MS = 86_400_000;

/**
 * Starts the gateway. It measures at once, whether or not the broker can be reached.
 * @throws GtxError KEY_FILE_INVALID, KEY_FILE_PERMISSIONS, DATA_DIR_IN_USE, OUTBOX_FULL, PROFILE_INVALID,
 *   CONFIG_INVALID, PORT_IN_USE; then nothing is left running
 */
export async function startAgent(config: AgentConfig, deps: AgentDeps): Promise<RunningAgent> {
  const now = deps.now ?? Date.now;
  const monotonic = deps.monotonic ?? monotonicMs;
  const ntpStatus = deps.ntpStatus ?? readNtpStatus;
  const logger = deps.logger.child({ component: 'agent' });
  const startedMs = now();

  // Keys and profiles first: what is wrong with them is found before anything is opened.
  const signers = new Map(config.meters.map((meter) => [meter.id, MeterSigner.fromFile(meter.key_file)]));
  const clock = new ClockGuard(
    {
      ntp: config.clock.ntp,
      maxOffsetMs: config.clock.max_offset_seconds * 1000,
      collectorTells: config.collector_url !== undefined,
    },
    now,
    monotonic,
  );
  const alerts = new Alerts(logger, now);
  const lines = new Map<string, ModbusLine>();
  const profiles = profileLibrary(config);
  const loadProfile = (id: string): MeterProfile => {
    try {
      return profiles.load(id);
    } catch (error) {
      throw asProfileError(error);
    }
  };
  const readersOf = new Map(
    config.meters.map((meter) => [
      meter.id,
      meter.devices.map((device) => {
        const profile = loadProfile(device.profile);
        const settings = lineSettings(device, profile.modbus.serial);
        const key = lineKey(settings);
        const line = lines.get(key) ?? new ModbusLine(settings, monotonic);
        if (JSON.stringify(line.settings) !== JSON.stringify(settings)) {
          throw new GtxError(
            'CONFIG_INVALID',
            `the devices on ${key} have different serial settings: set baud_rate, parity, data_bits and stop_bits in the connection of each, and in the devices themselves`,
          );
        }
        lines.set(key, line);
        return new DeviceReader(device, profile, line, now, monotonic);
      }),
    ]),
  );
  let asked = 0;
  const askSystem = async () => {
    if (config.clock.ntp === 'off') return;
    asked += 1;
    const question = asked;
    const synchronised = await ntpStatus();
    // An answer that comes after a later question may be of a clock that has been set since.
    if (question === asked) clock.setNtp(synchronised);
  };
  await askSystem();

  const outbox = Outbox.open(config.data_dir, {
    maxBytes: config.max_outbox_bytes,
    keepMs: config.keep_days * DAY_MS,
    recordKeepMs: config.record_days * DAY_MS,
  });
  const meters: Metering[] = [];
  const lookAtClock = () => {
    const stepMs = clock.look();
    if (stepMs === 0) return;
    logger.warn({ step_ms: Math.round(stepMs) }, 'the clock was set');
    for (const meter of meters) meter.noteClockSet(stepMs);
    void askSystem();
    publisher?.confirmClock();
  };
  let publisher: Publisher | undefined;
  let server: StatusServer | undefined;
  let home: HomeAssistant | undefined;
  const timers: NodeJS.Timeout[] = [];
  const stop = async () => {
    for (const timer of timers) clearInterval(timer);
    await Promise.all([...lines.values()].map((line) => line.close()));
    await Promise.all(meters.map((meter) => meter.stop()));
    await Promise.all([publisher?.stop(), home?.stop()]);
    await server?.stop();
    outbox.close();
  };

  try {
    for (const meter of config.meters) {
      meters.push(
        new Metering({
          config,
          meter,
          devices: readersOf.get(meter.id) ?? [],
          signer: signers.get(meter.id) as MeterSigner,
          outbox,
          clock,
          alerts,
          logger,
          now,
          lookAtClock,
          monotonic,
          onReading: (meterId) => publisher?.wake(meterId),
          ...(deps.limits === undefined ? {} : { limits: deps.limits }),
        }),
      );
    }
    const sender = new Publisher({
      config,
      meters: meters.map((metering, index) => ({
        id: metering.id,
        wallet: config.meters[index]?.wallet as string,
        signer: signers.get(metering.id) as MeterSigner,
        telemetry: () => metering.telemetry(),
        status: (state) => metering.status(state),
        setSampleSeconds: (seconds) => metering.setSampleSeconds(seconds),
      })),
      outbox,
      clock,
      alerts,
      logger,
      now,
      monotonic,
    });
    publisher = sender;

    const status = (): AgentStatus => ({
      version: AGENT_VERSION,
      time_ms: now(),
      started_ms: startedMs,
      broker: { url: config.mqtt.url, connected: sender.connected, way: sender.way },
      clock: clock.verdict(Math.max(...meters.map((meter) => meter.view().last_end))),
      store: { ...outbox.size(), folder: config.data_dir },
      meters: meters.map((meter) => ({ ...meter.view(), troubled: troubledOf(outbox, meter.id) })),
      alerts: alerts.list(),
      ...(home === undefined ? {} : { home_assistant: home.view }),
    });
    // The loops run and the store answers; what does not work beyond is told by alerts.
    const healthy = () => {
      try {
        return outbox.size().bytes > 0 && meters.every((meter) => meter.alive);
      } catch (error) {
        logger.error({ err: error }, 'the store does not answer');
        return false;
      }
    };
    server = new StatusServer({
      health: () => ({ ok: healthy() }),
      status,
      metrics: () =>
        renderMetrics(agentMetrics({ meters, readersOf, lines, publisher: sender, outbox, alerts })),
    });
    const url = await server.start(config.http.host, config.http.port);

    // A meter that begins reckons with the clock as it is: a step until now must not age its books a second time.
    lookAtClock();
    for (const meter of meters) meter.start();
    sender.start();
    timers.push(
      setInterval(() => void askSystem(), NTP_EVERY_MS),
      setInterval(() => {
        lookAtClock();
        if (clock.verdict(0).trusted) pruneStore(outbox, alerts, logger, now());
      }, HOUSEKEEPING_MS),
    );
    const shown = config.home_assistant;
    if (shown !== undefined) {
      try {
        // Loaded only where it is wanted: memory is scarce on a gateway.
        const { HomeAssistant: Shown } = await import('./home-assistant.js');
        const notes = 'home_assistant/topics';
        home = new Shown({
          config: shown,
          everySeconds: config.mqtt.telemetry_seconds,
          meters: meters.map((meter) => shownMeter(meter, readersOf.get(meter.id) ?? [], loadProfile)),
          notes: { load: () => outbox.setting(notes), save: (text) => outbox.saveSetting(notes, text) },
          logger,
        });
        home.start();
      } catch (error) {
        // Measuring and delivery never depend on it.
        logger.error({ err: error }, 'Home Assistant is told nothing');
      }
    }
    logger.info({ url, meters: config.meters.map((meter) => meter.id) }, 'the gateway measures');
    let stopped: Promise<void> | undefined;
    return {
      url,
      status,
      healthy,
      stop: () => {
        stopped ??= stop();
        return stopped;
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Removes what is old enough. A disk that is full or fails must not end the measuring: it is tried again in an hour. */
export function pruneStore(outbox: Outbox, alerts: Alerts, logger: Logger, nowMs: number): void {
  try {
    if (!outbox.prune(nowMs)) return;
    alerts.clear('OUTBOX_FULL', undefined, 'prune');
    alerts.clear('INTERNAL', undefined, 'prune');
  } catch (error) {
    const code = error instanceof GtxError ? error.code : 'INTERNAL';
    logger.error({ err: error }, 'what is old enough could not be removed');
    alerts.raise(
      code,
      `what is old enough cannot be removed: ${(error as Error).message}`,
      undefined,
      'prune',
    );
  }
}

/** A meter as Home Assistant is to see it. */
function shownMeter(
  metering: Metering,
  readers: readonly DeviceReader[],
  loadProfile: (id: string) => MeterProfile,
): ShownMeter {
  return {
    id: metering.id,
    devices: readers.map(({ config: { role, profile: id }, quantities }) => {
      const { manufacturer, model } = loadProfile(id);
      const serialNumber = () => metering.serialNumber(role);
      return { role, manufacturer, model, quantities, serialNumber };
    }),
    telemetry: () => metering.telemetry(),
    status: (state) => metering.status(state),
  };
}

function lineSettings(
  device: DeviceConfig,
  serial: { baud_rate: number; data_bits: 7 | 8; parity: 'none' | 'even' | 'odd'; stop_bits: 1 | 2 },
): LineSettings {
  const { connection } = device;
  if (connection.type !== 'rtu') {
    return { type: connection.type, host: connection.host, port: connection.port };
  }
  return {
    type: 'rtu',
    path: connection.path,
    baudRate: connection.baud_rate ?? serial.baud_rate,
    parity: connection.parity ?? serial.parity,
    dataBits: connection.data_bits ?? serial.data_bits,
    stopBits: connection.stop_bits ?? serial.stop_bits,
  };
}
