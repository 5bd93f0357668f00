/**
 * Live values for Home Assistant, by its MQTT discovery, on a broker of the home's own. It only looks on: it has its own
 * connection, holds nothing back and nothing up, and whatever goes wrong here is logged and shown, never thrown.
 *
 * Payloads as documented in Home Assistant's "MQTT" (discovery messages) and "MQTT Sensor". What is announced is retained;
 * the topics are noted in the store first, so that what is no longer configured can be taken back, as discovery wants it:
 * by an empty retained payload.
 */
import { nkwhToKwh, type Status, type Telemetry } from '@gridtokenx/protocol';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import type { Logger } from 'pino';
import type { AgentConfig, DeviceConfig } from './config.js';
import { reconnectWaitMs } from './deliver.js';
import { readPasswordFile, readTextFile } from './secret-file.js';
import { AGENT_VERSION } from './version.js';

type Role = DeviceConfig['role'];

export interface ShownDevice {
  role: Role;
  /** As the profile names them. */
  manufacturer: string;
  model: string;
  /** What each sample reads, by the profile's names (`voltage_l1`, `frequency`, ...). */
  quantities: readonly string[];
  /** As the device told it; undefined while it has not, or tells none. */
  serialNumber(): string | undefined;
}

export interface ShownMeter {
  id: string;
  devices: readonly ShownDevice[];
  telemetry(): Telemetry | undefined;
  status(state: 'online'): Status;
}

export interface HomeAssistantDeps {
  config: NonNullable<AgentConfig['home_assistant']>;
  /** How often values are published. */
  everySeconds: number;
  meters: readonly ShownMeter[];
  /** Where the retained topics are noted. */
  notes: { load(): string | undefined; save(text: string): void };
  logger: Logger;
}

/** For `/api/status`. */
export interface HomeAssistantView {
  url: string;
  connected: boolean;
  /** Why there is no connection. */
  reason?: string;
}

const CONNECT_TIMEOUT_MS = 10_000;
const KEEPALIVE_SECONDS = 30;
/** How long the goodbye may take. */
const GOODBYE_MS = 2_000;
/** Home Assistant's own topic for birth and last will, whatever the discovery prefix is. */
const BIRTH_TOPIC = 'homeassistant/status';

/** One sensor of a device, without what all of them share. */
interface Sensor {
  key: string;
  name: string;
  /** In the JSON of the state topic. */
  field: string;
  more: Record<string, unknown>;
}

const measurement = (device_class: string, unit_of_measurement: string, decimals: number) => ({
  device_class,
  unit_of_measurement,
  state_class: 'measurement',
  suggested_display_precision: decimals,
});
const ENERGY = {
  device_class: 'energy',
  unit_of_measurement: 'kWh',
  state_class: 'total_increasing',
  suggested_display_precision: 3,
};
const choice = (...options: string[]) => ({
  device_class: 'enum',
  options,
  entity_category: 'diagnostic',
});

const ENERGY_OF_ROLE: Record<Role, { key: string; name: string; total: 'produced' | 'consumed' }[]> = {
  grid: [
    { key: 'energy_import', name: 'Energy import', total: 'consumed' },
    { key: 'energy_export', name: 'Energy export', total: 'produced' },
  ],
  production: [{ key: 'energy_produced', name: 'Energy produced', total: 'produced' }],
  consumption: [{ key: 'energy_consumed', name: 'Energy consumed', total: 'consumed' }],
};

const PHASES = ['l1', 'l2', 'l3'];
const phasesOf = (device: ShownDevice, what: 'voltage' | 'current') =>
  PHASES.filter((phase) => device.quantities.includes(`${what}_${phase}`));

function sensorsOf(device: ShownDevice): Sensor[] {
  const sensors: Sensor[] = [];
  const add = (key: string, name: string, more: Record<string, unknown>) =>
    sensors.push({ key, name, field: key, more });
  add('power', 'Power', measurement('power', 'W', 0));
  for (const { key, name } of ENERGY_OF_ROLE[device.role]) add(key, name, ENERGY);
  for (const phase of phasesOf(device, 'voltage')) {
    add(`voltage_${phase}`, `Voltage ${phase.toUpperCase()}`, measurement('voltage', 'V', 1));
  }
  for (const phase of phasesOf(device, 'current')) {
    add(`current_${phase}`, `Current ${phase.toUpperCase()}`, measurement('current', 'A', 2));
  }
  if (device.quantities.includes('frequency')) {
    add('frequency', 'Frequency', measurement('frequency', 'Hz', 2));
  }
  add('bus', 'Bus', choice('ok', 'failing'));
  return sensors;
}

const GATEWAY_SENSORS: Sensor[] = [
  {
    key: 'outbox',
    name: 'Readings waiting',
    field: 'outbox',
    more: { state_class: 'measurement', suggested_display_precision: 0, entity_category: 'diagnostic' },
  },
  { key: 'clock', name: 'Clock', field: 'clock', more: choice('synchronised', 'unsynchronised') },
];

/**
 * A meter id as a part of an object id, where discovery allows letters, digits, `_` and `-` only. No two ids become one:
 * each `_` is doubled and `.` becomes `_-`.
 */
export function objectIdOf(meterId: string): string {
  return meterId.replaceAll('_', '__').replaceAll('.', '_-');
}

/** State of one device's sensors. What is not known is null, which Home Assistant shows as unknown. */
function deviceState(device: ShownDevice, telemetry: Telemetry | undefined, status: Status) {
  const one = telemetry?.devices.find(({ role }) => role === device.role);
  const watts = {
    grid: telemetry?.grid_watts,
    production: telemetry?.production_watts,
    consumption: telemetry?.consumption_watts,
  };
  const totals = { produced: telemetry?.produced_total, consumed: telemetry?.consumed_total };
  const state: Record<string, number | string | null> = { power: watts[device.role] ?? null };
  for (const { key, total } of ENERGY_OF_ROLE[device.role]) {
    const nkwh = totals[total];
    state[key] = nkwh === undefined ? null : nkwhToKwh(BigInt(nkwh));
  }
  const spread = (what: 'voltage' | 'current', values: readonly number[] | undefined) => {
    const phases = phasesOf(device, what);
    // A list that lacks a phase does not tell which.
    const whole = values?.length === phases.length;
    phases.forEach((phase, index) => {
      state[`${what}_${phase}`] = (whole ? values?.[index] : undefined) ?? null;
    });
  };
  spread('voltage', one?.voltage_volts);
  spread('current', one?.current_amperes);
  if (device.quantities.includes('frequency')) state.frequency = one?.frequency_hertz ?? null;
  const bus = status.bus?.devices.find(({ role }) => role === device.role);
  state.bus = bus === undefined || telemetry === undefined ? null : bus.ok ? 'ok' : 'failing';
  return state;
}

export class HomeAssistant {
  private client: MqttClient | undefined;
  private ready = false;
  private reason: string | undefined;
  private failures = 0;
  private stopping = false;
  private timer: NodeJS.Timeout | undefined;
  private interval: NodeJS.Timeout | undefined;
  /** Announced on this connection: topic and payload. */
  private announced = new Map<string, string>();
  private readonly gateway: string;

  constructor(private readonly deps: HomeAssistantDeps) {
    this.gateway = `gateway-${deps.meters[0]?.id ?? ''}`;
  }

  get view(): HomeAssistantView {
    const { url } = this.deps.config;
    return {
      url,
      connected: this.ready,
      ...(this.ready || this.reason === undefined ? {} : { reason: this.reason }),
    };
  }

  /** Begins to connect. Never throws: the broker, its files and its password may come later. */
  start(): void {
    const { config, everySeconds, notes } = this.deps;
    if (!config.enabled && notes.load() === '[]') return;
    if (config.enabled) this.interval = setInterval(() => this.tick(), everySeconds * 1000);
    this.dial();
  }

  /** Says that the gateway is gone and disconnects. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    clearInterval(this.interval);
    const { client } = this;
    this.client = undefined;
    if (!client) return;
    if (this.ready && this.deps.config.enabled) {
      // An orderly goodbye makes the broker drop the last will, so it is said here.
      const said = client.publishAsync(this.availabilityTopic, 'offline', { qos: 1, retain: true });
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, GOODBYE_MS);
      });
      await Promise.race([
        said.then(
          () => undefined,
          () => undefined,
        ),
        late,
      ]);
      clearTimeout(timer);
    }
    this.ready = false;
    await new Promise<void>((resolve) => client.end(true, {}, () => resolve()));
  }

  private get availabilityTopic(): string {
    return `${this.deps.config.topic_prefix}/${this.gateway}/availability`;
  }

  private stateTopic(meter?: ShownMeter, device?: ShownDevice): string {
    const { topic_prefix } = this.deps.config;
    return meter && device
      ? `${topic_prefix}/${meter.id}/${device.role}/state`
      : `${topic_prefix}/${this.gateway}/state`;
  }

  /** Discovery payloads by topic, as they should be now. */
  discovery(): Map<string, string> {
    const { config, meters } = this.deps;
    const result = new Map<string, string>();
    const gatewayId = `gtx_gateway_${objectIdOf(meters[0]?.id ?? '')}`;
    const put = (prefix: string, state_topic: string, device: object, sensors: readonly Sensor[]) => {
      for (const sensor of sensors) {
        const objectId = `${prefix}_${sensor.key}`;
        const payload = {
          name: sensor.name,
          unique_id: objectId,
          state_topic,
          value_template: `{{ value_json.${sensor.field} }}`,
          availability_topic: this.availabilityTopic,
          ...sensor.more,
          device,
          origin: { name: 'gridtokenx', sw_version: AGENT_VERSION },
        };
        result.set(`${config.discovery_prefix}/sensor/${objectId}/config`, JSON.stringify(payload));
      }
    };
    // First the gateway: the others name it as what they are connected by.
    put(
      gatewayId,
      this.stateTopic(),
      {
        identifiers: [gatewayId],
        name: `gridtokenx gateway ${meters[0]?.id ?? ''}`,
        manufacturer: 'gridtokenx',
        model: 'Gateway',
        sw_version: AGENT_VERSION,
      },
      GATEWAY_SENSORS,
    );
    for (const meter of meters) {
      for (const device of meter.devices) {
        const id = `gtx_${objectIdOf(meter.id)}_${device.role}`;
        const serial = device.serialNumber();
        put(
          id,
          this.stateTopic(meter, device),
          {
            identifiers: [id],
            name: `${meter.id} ${device.role}`,
            manufacturer: device.manufacturer,
            model: device.model,
            ...(serial === undefined ? {} : { serial_number: serial }),
            via_device: gatewayId,
          },
          sensorsOf(device),
        );
      }
    }
    return result;
  }

  private connectOptions(): IClientOptions {
    const { config } = this.deps;
    const { username, password_file, ca_file } = config;
    return {
      clientId: `gtx-agent-ha-${this.deps.meters[0]?.id ?? ''}`,
      ...(username === undefined ? {} : { username }),
      ...(password_file === undefined ? {} : { password: readPasswordFile(password_file) }),
      ...(ca_file === undefined ? {} : { ca: readTextFile(ca_file, false) }),
      protocolVersion: 4,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      keepalive: KEEPALIVE_SECONDS,
      queueQoSZero: false,
      // Its cache of all 65,536 packet ids as buffers takes 7 MB.
      writeCache: false,
      rejectUnauthorized: true,
      ...(config.enabled
        ? {
            will: {
              topic: this.availabilityTopic,
              payload: Buffer.from('offline'),
              qos: 1 as const,
              retain: true,
            },
          }
        : {}),
    };
  }

  private dial(): void {
    if (this.stopping) return;
    let client: MqttClient;
    try {
      // Files are read anew each time: a password that was put right needs no restart.
      client = connect(this.deps.config.url, this.connectOptions());
    } catch (error) {
      this.again((error as Error).message);
      return;
    }
    this.client = client;
    let reason = 'the connection was closed';
    let over = false;
    const lost = () => {
      if (over) return;
      over = true;
      client.end(true);
      if (this.client === client) this.again(reason);
    };
    client.on('error', (error: Error) => {
      reason = error.message;
      lost();
    });
    client.on('close', lost);
    client.on('message', (topic, payload) => {
      if (topic.endsWith('/status') && payload.toString('utf8') === 'online') this.tick(true);
    });
    client.on('connect', () => {
      const begun = this.deps.config.enabled ? this.onConnected(client) : this.takeBackAll(client);
      begun.catch((error: Error) => {
        reason = error.message;
        lost();
      });
    });
  }

  /** Tries again after a while; says so once for each reason. */
  private again(reason: string): void {
    this.ready = false;
    if (this.stopping) return;
    this.client = undefined;
    const { logger, config } = this.deps;
    const waitMs = reconnectWaitMs(this.failures++, Math.random);
    const level = this.reason === reason ? 'debug' : 'warn';
    this.reason = reason;
    logger[level]({ broker: config.url, reason, wait_ms: waitMs }, 'no connection for Home Assistant');
    this.timer = setTimeout(() => this.dial(), waitMs);
  }

  private async onConnected(client: MqttClient): Promise<void> {
    const { config, logger } = this.deps;
    const births = [...new Set([BIRTH_TOPIC, `${config.discovery_prefix}/status`])];
    await client.subscribeAsync(births, { qos: 1 });
    const wanted = this.discovery();
    const topics = [...wanted.keys(), ...this.stateTopics(), this.availabilityTopic];
    const before = this.noted();
    // Noted before they are there: what is announced can always be taken back.
    this.note([...new Set([...before, ...topics])]);
    await this.takeBack(
      client,
      before.filter((topic) => !topics.includes(topic)),
    );
    if (this.client !== client || this.stopping) return;
    this.note(topics);
    this.failures = 0;
    this.reason = undefined;
    this.ready = true;
    this.announced.clear();
    this.tick();
    this.publish(this.availabilityTopic, 'online', 1);
    logger.info({ broker: config.url }, 'connected for Home Assistant');
  }

  /** Removes everything and disconnects: the feature is turned off. */
  private async takeBackAll(client: MqttClient): Promise<void> {
    const topics = [...this.noted(), ...this.discovery().keys(), ...this.stateTopics()];
    await this.takeBack(client, [...new Set([...topics, this.availabilityTopic])]);
    this.note([]);
    this.deps.logger.info({ broker: this.deps.config.url }, 'removed from Home Assistant');
    if (this.client === client) this.client = undefined;
    this.reason = undefined;
    client.end(true);
  }

  /** @throws when the broker does not confirm */
  private async takeBack(client: MqttClient, topics: readonly string[]): Promise<void> {
    for (const topic of topics) await client.publishAsync(topic, '', { qos: 1, retain: true });
  }

  private stateTopics(): string[] {
    const { meters } = this.deps;
    return [
      this.stateTopic(),
      ...meters.flatMap((meter) => meter.devices.map((device) => this.stateTopic(meter, device))),
    ];
  }

  private noted(): string[] {
    try {
      const list: unknown = JSON.parse(this.deps.notes.load() ?? '[]');
      return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
    } catch (error) {
      this.deps.logger.warn({ err: error }, 'the list of what Home Assistant was told cannot be read');
      return [];
    }
  }

  private note(topics: readonly string[]): void {
    const text = JSON.stringify(topics);
    try {
      if (this.deps.notes.load() !== text) this.deps.notes.save(text);
    } catch (error) {
      // A full store is told elsewhere; here it only means that something may stay behind one day.
      this.deps.logger.warn({ err: error }, 'what Home Assistant was told cannot be noted');
    }
  }

  /** Publishes what has changed of the announcements (all of them when `anew`) and the values. Never throws. */
  private tick(anew = false): void {
    if (!this.ready) return;
    try {
      if (anew) {
        this.announced.clear();
        this.publish(this.availabilityTopic, 'online', 1);
      }
      for (const [topic, payload] of this.discovery()) {
        if (this.announced.get(topic) === payload) continue;
        this.announced.set(topic, payload);
        this.publish(topic, payload, 1);
      }
      this.publishStates();
    } catch (error) {
      this.deps.logger.error({ err: error }, 'values for Home Assistant could not be made');
    }
  }

  private publishStates(): void {
    const { meters } = this.deps;
    const statuses = meters.map((meter) => meter.status('online'));
    const outbox = statuses.reduce((sum, status) => sum + (status.outbox_depth ?? 0), 0);
    const trusted = statuses.every((status) => status.clock?.synchronised === true);
    const gateway = { outbox, clock: trusted ? 'synchronised' : 'unsynchronised' };
    this.publish(this.stateTopic(), JSON.stringify(gateway), 0);
    meters.forEach((meter, index) => {
      const telemetry = meter.telemetry();
      for (const device of meter.devices) {
        const state = deviceState(device, telemetry, statuses[index] as Status);
        this.publish(this.stateTopic(meter, device), JSON.stringify(state), 0);
      }
    });
  }

  private publish(topic: string, payload: string, qos: 0 | 1): void {
    this.client?.publish(topic, payload, { qos, retain: true }, (error) => {
      // A connection that ends takes what was under way with it; the next one says all of it again.
      if (error) this.deps.logger.debug({ topic, reason: error.message }, 'not told to Home Assistant');
    });
  }
}
