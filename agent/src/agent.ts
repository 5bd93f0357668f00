/** The gateway: lines, meters, store and the way to the collector, put together. */
import type { MeterProfile } from '@gridtokenx/firmware-profiles';
import {
  ERRORS,
  type ErrorCode,
  GtxError,
  type Metric,
  processMetrics,
  renderMetrics,
} from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import { Alerts } from './alerts.js';
import { ClockGuard, readNtpStatus } from './clock.js';
import { type AgentConfig, asProfileError, type DeviceConfig, profileLibrary } from './config.js';
import type { HomeAssistant, HomeAssistantView, ShownMeter } from './home-assistant.js';
import { DeviceReader } from './measure.js';
import { Metering } from './metering.js';
import { type LineSettings, lineKey, ModbusLine } from './modbus-line.js';
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
  /** Milliseconds that never step. Default: performance.now. */
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
  const monotonic = deps.monotonic ?? (() => performance.now());
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
  if (config.clock.ntp !== 'off') clock.setNtp(await ntpStatus());

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
    if (config.clock.ntp !== 'off') void ntpStatus().then((value) => clock.setNtp(value));
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
      metrics: () => renderMetrics(collect({ meters, readersOf, lines, publisher: sender, outbox, alerts })),
    });
    const url = await server.start(config.http.host, config.http.port);

    for (const meter of meters) meter.start();
    sender.start();
    if (config.clock.ntp !== 'off') {
      timers.push(setInterval(() => void ntpStatus().then((value) => clock.setNtp(value)), NTP_EVERY_MS));
    }
    timers.push(
      setInterval(() => {
        lookAtClock();
        if (clock.verdict(0).trusted) outbox.prune(now());
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

interface Collected {
  meters: readonly Metering[];
  readersOf: ReadonlyMap<string, readonly DeviceReader[]>;
  lines: ReadonlyMap<string, ModbusLine>;
  publisher: Publisher;
  outbox: Outbox;
  alerts: Alerts;
}

/**
 * Everything that the parts count, as metrics. A meter is told by its place in the configuration, from 1: its id is
 * a home's, and has no business in a monitoring system that many look at.
 */
function collect({ meters, readersOf, lines, publisher, outbox, alerts }: Collected): Metric[] {
  const places = new Map(meters.map(({ id }, index) => [id, index + 1]));
  const placeOf = (meterId: string): number => places.get(meterId) ?? 0;
  const perMeter = (
    name: string,
    help: string,
    type: Metric['type'],
    value: (meter: Metering) => number,
  ): Metric => ({
    name,
    help,
    type,
    samples: meters.map((meter) => ({ labels: { meter: placeOf(meter.id) }, value: value(meter) })),
  });
  const perDevice = (
    name: string,
    help: string,
    type: Metric['type'],
    value: (reader: DeviceReader) => number,
  ): Metric => ({
    name,
    help,
    type,
    samples: [...readersOf].flatMap(([meter, readers]) =>
      readers.map((reader) => ({
        labels: { meter: placeOf(meter), role: reader.config.role, unit: reader.config.unit },
        value: value(reader),
      })),
    ),
  });
  const perLine = (name: string, help: string, value: (line: ModbusLine) => number): Metric => ({
    name,
    help,
    type: 'counter',
    samples: [...lines].map(([line, one]) => ({ labels: { line }, value: value(one) })),
  });
  const one = (name: string, help: string, type: Metric['type'], value: number): Metric => ({
    name,
    help,
    type,
    samples: [{ value }],
  });
  const size = outbox.size();
  const sent = publisher.counters;
  return [
    perMeter('gtx_agent_samples_total', 'Samples of a meter begun.', 'counter', (m) => m.counters.cycles),
    perMeter(
      'gtx_agent_readings_total',
      'Readings signed and stored.',
      'counter',
      (m) => m.counters.readings,
    ),
    perMeter(
      'gtx_agent_intervals_missed_total',
      'Interval ends without a reading; the next covers them.',
      'counter',
      (m) => m.counters.missed,
    ),
    perMeter(
      'gtx_agent_meter_resets_total',
      'Registers that began anew: meter reset, or replaced by one that tells no serial number.',
      'counter',
      (m) => m.counters.resets,
    ),
    perMeter(
      'gtx_agent_meter_exchanges_total',
      'Devices replaced, by their serial numbers.',
      'counter',
      (m) => m.counters.exchanges,
    ),
    perMeter(
      'gtx_agent_series_returned_total',
      'Resets that were none: the registers from before came back.',
      'counter',
      (m) => m.counters.returned,
    ),
    perMeter(
      'gtx_agent_foreign_samples_total',
      'Samples of a device whose serial number is not the expected one.',
      'counter',
      (m) => m.counters.foreign,
    ),
    perMeter(
      'gtx_agent_frozen_samples_total',
      'Samples with a register that stands still while power flows.',
      'counter',
      (m) => m.counters.frozen,
    ),
    {
      name: 'gtx_agent_doubtful_values_total',
      help: 'Register values not believed at first sight, by reason.',
      type: 'counter',
      samples: meters.flatMap((meter) =>
        Object.entries(meter.counters.doubts).map(([reason, value]) => ({
          labels: { meter: placeOf(meter.id), reason },
          value,
        })),
      ),
    },
    perMeter('gtx_agent_sequence', 'Sequence of the last reading.', 'gauge', (m) => m.view().sequence),
    perMeter(
      'gtx_agent_last_interval_end_timestamp_seconds',
      'End of the last reading, Unix seconds.',
      'gauge',
      (m) => m.view().last_end,
    ),
    perMeter(
      'gtx_agent_outbox_undecided_readings',
      'Readings that the collector has not decided upon.',
      'gauge',
      (m) => outbox.depth(m.id),
    ),
    {
      name: 'gtx_agent_outbox_readings',
      help: 'Readings in the store, by state.',
      type: 'gauge',
      samples: meters.flatMap((meter) =>
        Object.entries(outbox.counts(meter.id)).map(([state, value]) => ({
          labels: { meter: placeOf(meter.id), state },
          value,
        })),
      ),
    },
    perDevice('gtx_agent_device_online', 'Whether the device answered last.', 'gauge', (r) =>
      r.health.online ? 1 : 0,
    ),
    perDevice('gtx_agent_device_samples_total', 'Samples of a device.', 'counter', (r) => r.counters.samples),
    perDevice(
      'gtx_agent_device_failures_total',
      'Failed reads of a device.',
      'counter',
      (r) => r.counters.failures,
    ),
    perDevice(
      'gtx_agent_device_busy_total',
      'Answers that the device is busy.',
      'counter',
      (r) => r.counters.busy,
    ),
    perDevice(
      'gtx_agent_device_misconfigured_total',
      'Answers that configuration or profile do not fit the device (exceptions 1, 2 and 3).',
      'counter',
      (r) => r.counters.misconfigured,
    ),
    perDevice(
      'gtx_agent_device_invalid_values_total',
      'Values that are not numbers.',
      'counter',
      (r) => r.counters.invalidValues,
    ),
    perDevice(
      'gtx_agent_device_probes_total',
      'Requests only to get back in step after a time limit.',
      'counter',
      (r) => r.counters.probes,
    ),
    perLine('gtx_agent_line_requests_total', 'Requests on a line.', (l) => l.counters.requests),
    perLine(
      'gtx_agent_line_timeouts_total',
      'Requests without an answer in time.',
      (l) => l.counters.timeouts,
    ),
    perLine('gtx_agent_line_exceptions_total', 'Modbus exceptions.', (l) => l.counters.exceptions),
    perLine('gtx_agent_line_stale_frames_total', 'Late answers thrown away.', (l) => l.counters.staleFrames),
    perLine(
      'gtx_agent_line_stray_bytes_total',
      'Bytes that belonged to no answer.',
      (l) => l.counters.strayBytes,
    ),
    perLine(
      'gtx_agent_line_echoes_total',
      'Requests that the adapter sent back before the answer.',
      (l) => l.counters.echoes,
    ),
    perLine(
      'gtx_agent_line_connect_failures_total',
      'Failed attempts to open a line.',
      (l) => l.counters.connectFailures,
    ),
    one(
      'gtx_agent_broker_connected',
      'Whether the broker is connected.',
      'gauge',
      publisher.connected ? 1 : 0,
    ),
    one(
      'gtx_agent_readings_published_total',
      'Readings published, repeats included.',
      'counter',
      sent.published,
    ),
    one(
      'gtx_agent_readings_stored_total',
      'Readings that the collector has acknowledged as stored.',
      'counter',
      sent.stored,
    ),
    one(
      'gtx_agent_readings_refused_total',
      'Readings that the collector has refused for good.',
      'counter',
      sent.refused,
    ),
    one(
      'gtx_agent_readings_postponed_total',
      'Refusals that ask for another try later.',
      'counter',
      sent.postponed,
    ),
    one('gtx_agent_acks_total', 'Acknowledgements accepted.', 'counter', sent.acks),
    one(
      'gtx_agent_acks_refused_total',
      'Acknowledgements refused: forged, malformed, about readings never sent.',
      'counter',
      sent.acksRefused,
    ),
    one('gtx_agent_commands_total', 'Commands obeyed.', 'counter', sent.commands),
    one('gtx_agent_commands_refused_total', 'Commands refused.', 'counter', sent.commandsRefused),
    one('gtx_agent_connects_total', 'Connections to the broker.', 'counter', sent.connects),
    one(
      'gtx_agent_connect_failures_total',
      'Failed or lost connections to the broker.',
      'counter',
      sent.connectFailures,
    ),
    one(
      'gtx_agent_readings_sent_over_http_total',
      'Readings sent over HTTP because the broker was away, repeats included.',
      'counter',
      sent.httpReadings,
    ),
    one(
      'gtx_agent_http_failures_total',
      'Requests with readings that brought no acknowledgement.',
      'counter',
      sent.httpFailures,
    ),
    one(
      'gtx_agent_readings_dropped_total',
      'Acknowledged readings given up before their time because the store was full.',
      'counter',
      outbox.dropped,
    ),
    one('gtx_agent_store_bytes', 'Bytes of the store in use.', 'gauge', size.bytes),
    one('gtx_agent_store_limit_bytes', 'Bytes that the store may use.', 'gauge', size.maxBytes),
    {
      name: 'gtx_agent_alerts_open',
      help: 'Open alerts by code.',
      type: 'gauge',
      samples: [...alerts.raised.keys()].map((code) => ({
        labels: { code },
        value: alerts.list().filter((alert) => alert.code === code).length,
      })),
    },
    {
      name: 'gtx_agent_alerts_raised_total',
      help: 'Alerts raised by code.',
      type: 'counter',
      samples: [...alerts.raised].map(([code, value]) => ({ labels: { code }, value })),
    },
    ...processMetrics({
      cpu: process.cpuUsage(),
      memory: process.memoryUsage(),
      startedSeconds: Math.round(Date.now() / 1000 - process.uptime()),
    }),
  ];
}
