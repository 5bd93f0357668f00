import { chmodSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { ProfileLibrary } from '@gridtokenx/firmware-profiles';
import { nkwhToKwh } from '@gridtokenx/protocol';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { Aedes } from 'aedes';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentStatus, RunningAgent } from './agent.js';
import { AgentConfig, type AgentConfigInput } from './config.js';
import { objectIdOf } from './home-assistant.js';
import { DeviceReader } from './measure.js';
import { ModbusLine } from './modbus-line.js';
import { device, TestHome, until } from './testing/home.js';

/**
 * What Home Assistant documents, from its pages "MQTT Sensor"
 * (https://www.home-assistant.io/integrations/sensor.mqtt/, configuration variables; read in home-assistant.io at
 * 9e4a69ab998700a518e366a7f54551a150fccf94), "Sensor" (https://www.home-assistant.io/integrations/sensor/, device
 * classes and their units; same commit) and "MQTT" (https://www.home-assistant.io/integrations/mqtt/, discovery topic,
 * origin, birth message).
 */
const DOCUMENTED = {
  /** "MQTT Sensor", configuration variables; `origin` from "MQTT", discovery messages. */
  keys: [
    'availability',
    'availability_mode',
    'availability_template',
    'availability_topic',
    'device',
    'device_class',
    'enabled_by_default',
    'encoding',
    'entity_category',
    'entity_picture',
    'expire_after',
    'force_update',
    'icon',
    'json_attributes_template',
    'json_attributes_topic',
    'last_reset_value_template',
    'name',
    'object_id',
    'options',
    'origin',
    'payload_available',
    'payload_not_available',
    'platform',
    'qos',
    'state_class',
    'state_topic',
    'suggested_display_precision',
    'unique_id',
    'unit_of_measurement',
    'value_template',
  ],
  /** "MQTT Sensor", keys of `device`; one of identifiers and connections must be there. */
  device: [
    'configuration_url',
    'connections',
    'hw_version',
    'identifiers',
    'manufacturer',
    'model',
    'model_id',
    'name',
    'serial_number',
    'suggested_area',
    'sw_version',
    'via_device',
  ],
  /** "MQTT", information about the origin: `name` is required. */
  origin: ['name', 'support_url', 'sw_version'],
  /** "Sensor", device classes: units. */
  units: {
    power: ['W', 'kW', 'MW', 'GW', 'TW'],
    energy: ['J', 'kJ', 'MJ', 'GJ', 'Wh', 'kWh', 'MWh', 'GWh', 'TWh', 'cal', 'kcal', 'Mcal', 'Gcal'],
    voltage: ['V', 'mV'],
    current: ['A', 'mA'],
    frequency: ['Hz', 'kHz', 'MHz', 'GHz'],
  } as Record<string, string[]>,
  /** Developer documentation, "Sensor entity", available state classes. */
  stateClasses: ['measurement', 'total', 'total_increasing'],
  /** "MQTT", discovery topic: `<discovery_prefix>/<component>/[<node_id>/]<object_id>/config`. */
  topic: /^homeassistant\/sensor\/[a-zA-Z0-9_-]+\/config$/,
  birthTopic: 'homeassistant/status',
};

/** A home's broker with a login, that counts what is published. */
class HomeBroker {
  readonly retained = new Map<string, string>();
  readonly published: { topic: string; payload: string; retain: boolean }[] = [];
  password = 'right';
  refused = 0;
  port = 0;
  private broker: Aedes | undefined;
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();

  async start(): Promise<void> {
    this.retained.clear();
    const broker = await Aedes.createBroker({
      authenticate: (_client, username, password, done) => {
        if (username === 'gateway' && password?.toString('utf8') === this.password) return done(null, true);
        this.refused++;
        done(Object.assign(new Error('no'), { returnCode: 4 as const }), false);
      },
    });
    broker.on('publish', ({ topic, payload, retain }, client) => {
      const text = Buffer.from(payload as Buffer).toString('utf8');
      if (topic.startsWith('$SYS')) return;
      // Wills come without a client.
      this.published.push({ topic, payload: text, retain: retain || client === null });
      if (!retain) return;
      if (text === '') this.retained.delete(topic);
      else this.retained.set(topic, text);
    });
    const server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      broker.handle(socket);
    });
    this.port ||= await freePort();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.broker = broker;
    this.server = server;
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    const { broker, server } = this;
    this.broker = undefined;
    this.server = undefined;
    this.cut();
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
    if (broker) await new Promise<void>((resolve) => broker.close(() => resolve()));
  }

  /** As Home Assistant does when it has started. */
  say(topic: string, payload: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const packet = { cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false } as const;
      this.broker?.publish(packet, (error) => (error ? reject(error) : resolve()));
    });
  }

  configs(): Map<string, Record<string, unknown> & { device: Record<string, unknown> }> {
    const found = [...this.retained].filter(([topic]) => topic.endsWith('/config'));
    return new Map(found.map(([topic, text]) => [topic, JSON.parse(text)]));
  }

  state(meter: string, role = 'grid'): Record<string, unknown> | undefined {
    const text = this.retained.get(`gridtokenx/${meter}/${role}/state`);
    return text === undefined ? undefined : (JSON.parse(text) as Record<string, unknown>);
  }
}

const ID = 'MTR-001';
const AVAILABILITY = `gridtokenx/gateway-${ID}/availability`;
let home: TestHome;
let broker: HomeBroker;
beforeEach(async () => {
  home = new TestHome();
  broker = new HomeBroker();
  await home.collector.start();
  await broker.start();
});
afterEach(async () => {
  await home.close();
  await broker.stop();
});

function section(more: Partial<AgentConfigInput['home_assistant']> = {}): Partial<AgentConfigInput> {
  const password_file = join(home.folder, 'ha-password');
  writeFileSync(password_file, `${broker.password}\n`, { mode: 0o600 });
  const url = `mqtt://127.0.0.1:${broker.port}`;
  return { home_assistant: { url, username: 'gateway', password_file, ...more } };
}
const shown = (agent: RunningAgent) => (agent.status() as AgentStatus).home_assistant;
const online = () => broker.retained.get(AVAILABILITY) === 'online';
const readings = () => home.collector.sequences(ID).length;

describe('Home Assistant', () => {
  it('is told every value of every meter, by keys, units and classes that it documents', async () => {
    const simulator = await home.simulate([
      { unit: 1 },
      { unit: 2, role: 'production', site: 'b' },
      { unit: 3, role: 'consumption', site: 'b' },
    ]);
    home.meter(ID, simulator, 1);
    home.meter('b.2_x', simulator, 2, {
      mode: 'production_consumption',
      devices: [device('production', simulator, 2), device('consumption', simulator, 3)],
    });
    const agent = await home.agent(section());
    await until('values', () => online() && typeof broker.state(ID)?.power === 'number');
    await until('more values', () => typeof broker.state('b.2_x', 'consumption')?.power === 'number');
    const configs = broker.configs();
    const serial = agent.status().meters[0]?.devices[0]?.serial_number;
    await until('serial number', () =>
      [...broker.configs().values()].some((one) => one.device.serial_number === serial),
    );
    expect(serial).toBeTruthy();
    const ids = [...configs.values()].map((one) => one.unique_id);
    expect(new Set(ids).size).toBe(ids.length);
    const identifiers = new Set([...configs.values()].flatMap((one) => one.device.identifiers as string[]));
    for (const [topic, config] of configs) {
      expect(topic).toMatch(DOCUMENTED.topic);
      expect(topic.split('/')[2]).toBe(config.unique_id);
      expect(DOCUMENTED.keys).toEqual(expect.arrayContaining(Object.keys(config)));
      expect(DOCUMENTED.device).toEqual(expect.arrayContaining(Object.keys(config.device)));
      expect(DOCUMENTED.origin).toEqual(expect.arrayContaining(Object.keys(config.origin as object)));
      expect((config.origin as { name: string }).name).toBe('gridtokenx');
      expect(config.availability_topic).toBe(AVAILABILITY);
      if (config.device.via_device !== undefined) expect(identifiers).toContain(config.device.via_device);
      const deviceClass = config.device_class as string | undefined;
      if (deviceClass === 'enum') {
        // Documented: options cannot be used together with these.
        expect(config).not.toHaveProperty('state_class');
        expect(config).not.toHaveProperty('unit_of_measurement');
        expect((config.options as string[]).length).toBeGreaterThan(0);
      } else if (deviceClass !== undefined) {
        expect(DOCUMENTED.units[deviceClass]).toContain(config.unit_of_measurement);
      }
      if (config.state_class !== undefined) expect(DOCUMENTED.stateClasses).toContain(config.state_class);
      if (deviceClass === 'energy') {
        expect(config).toMatchObject({ state_class: 'total_increasing', unit_of_measurement: 'kWh' });
      }
      // Documented for sensors: nothing but diagnostic.
      if (config.entity_category !== undefined) expect(config.entity_category).toBe('diagnostic');
      // Each template names a field that its state has.
      const field = /^\{\{ value_json\.([a-z0-9_]+) \}\}$/.exec(config.value_template as string)?.[1];
      const state = JSON.parse(broker.retained.get(config.state_topic as string) ?? 'null');
      expect(Object.keys(state)).toContain(field);
    }
    const of = (id: string) => broker.configs().get(`homeassistant/sensor/${id}/config`);
    expect(of('gtx_MTR-001_grid_power')?.device).toMatchObject({
      identifiers: ['gtx_MTR-001_grid'],
      manufacturer: 'Eastron',
      model: 'SDM630-Modbus V2',
      serial_number: serial,
    });
    for (const key of ['voltage_l1', 'voltage_l3', 'current_l2', 'energy_import', 'energy_export', 'bus']) {
      expect(of(`gtx_MTR-001_grid_${key}`), key).toBeDefined();
    }
    expect(of('gtx_b_-2__x_production_energy_produced')).toBeDefined();
    expect(of('gtx_b_-2__x_consumption_energy_consumed')).toBeDefined();
    for (const key of ['outbox', 'clock']) {
      expect(of(`gtx_gateway_MTR-001_${key}`)).toMatchObject({ entity_category: 'diagnostic' });
    }
    expect(broker.state(ID)).toMatchObject({ bus: 'ok', voltage_l1: expect.any(Number) });
  });

  it('gets energy as exact decimal text that is the books’ own', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    const agent = await home.agent(section());
    await until('energy', () => Number(broker.state(ID)?.energy_export) > 0);
    simulator.setPower(1, { solar_watts: 0, household_watts: 0 });
    await until('the same on both sides', () => {
      const books = agent.status().meters[0];
      const state = broker.state(ID);
      return (
        books?.power_watts.gridWatts === 0 &&
        state?.energy_export === nkwhToKwh(BigInt(books.produced_total)) &&
        state.energy_import === nkwhToKwh(BigInt(books.consumed_total))
      );
    });
    expect(broker.state(ID)?.energy_export).toMatch(/^[0-9]+(\.[0-9]{1,9})?$/);
  });

  it('sees an unknown value, not an old one or none, while the meter is silent', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.addMeter(ID, [device('grid', simulator, 1, 300)]);
    await home.agent(section());
    await until('values', () => typeof broker.state(ID)?.power === 'number');
    const energy = Number(broker.state(ID)?.energy_export);
    simulator.setFault(1, { type: 'dead' });
    await until('unknown', () => broker.state(ID)?.power === null && broker.state(ID)?.bus === 'failing');
    expect(broker.state(ID)).toMatchObject({ voltage_l1: null, current_l1: null });
    // What was counted stays true.
    expect(Number(broker.state(ID)?.energy_export)).toBeGreaterThanOrEqual(energy);
    expect(online()).toBe(true);
    simulator.setFault(1, undefined);
    await until('back', () => typeof broker.state(ID)?.power === 'number' && broker.state(ID)?.bus === 'ok');
  });

  it('is told again when it says that it has started', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    await home.agent(section());
    await until('announced', () => online() && broker.configs().size > 0);
    const topics = [...broker.configs().keys()];
    await until('at rest', () => broker.state(ID)?.bus === 'ok');
    broker.published.length = 0;
    await broker.say(DOCUMENTED.birthTopic, 'offline');
    await broker.say(DOCUMENTED.birthTopic, 'online');
    const again = () => new Set(broker.published.map((one) => one.topic));
    await until('all again', () => [...topics, AVAILABILITY].every((topic) => again().has(topic)));
    // Once each: not at every tick.
    expect(broker.published.filter((one) => one.topic === topics[0]).length).toBe(1);
  });

  it('may lose its broker and get it back; readings do not notice', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    const agent = await home.agent(section());
    await until('announced', online);
    const topics = [...broker.retained.keys()].sort();
    // A cut cable: the broker speaks the last will.
    broker.published.length = 0;
    broker.cut();
    const told = (payload: string) =>
      broker.published.some((one) => one.topic === AVAILABILITY && one.payload === payload);
    await until('last will', () => told('offline'));
    await until('there again', () => told('online') && shown(agent)?.connected === true);

    await broker.stop();
    await until('gone', () => shown(agent)?.connected === false);
    const before = readings();
    await until('readings go on', () => readings() >= before + 3);
    expect(agent.status().alerts).toEqual([]);
    // It has forgotten everything.
    await broker.start();
    await until('back', () => topics.every((topic) => broker.retained.has(topic)) && online());
    await agent.stop();
    expect(broker.retained.get(AVAILABILITY)).toBe('offline');
    expect(home.collector.faults).toEqual([]);
  });

  it('measures and delivers with a wrong password, and connects when it is put right', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    const config = section();
    const password_file = config.home_assistant?.password_file as string;
    writeFileSync(password_file, 'wr0ngsecret');
    const agent = await home.agent(config);
    await until('refused', () => broker.refused > 0 && shown(agent)?.reason !== undefined);
    const before = readings();
    await until('readings', () => readings() >= before + 2);
    expect(shown(agent)).toMatchObject({ connected: false });
    // Readable by others: not used, and said why.
    writeFileSync(password_file, broker.password);
    chmodSync(password_file, 0o644);
    await until('said', () => shown(agent)?.reason?.includes('chmod 600') === true);
    chmodSync(password_file, 0o600);
    await until('connected', () => shown(agent)?.connected === true);
    expect(shown(agent)).not.toHaveProperty('reason');
    expect(home.log.lines.join('\n')).not.toContain('wr0ngsecret');
  });

  it('forgets a meter that is no longer configured, and everything when it is turned off', async () => {
    const simulator = await home.simulate([{ unit: 1 }, { unit: 2 }]);
    home.meter(ID, simulator, 1);
    home.meter('MTR-002', simulator, 2);
    const both = await home.agent(section());
    await until('both', () => online() && broker.state('MTR-002') !== undefined);
    const theirs = (id: string) => [...broker.retained.keys()].filter((topic) => topic.includes(id));
    expect(theirs('MTR-002').length).toBeGreaterThan(5);
    // Another gateway of the home, which is none of ours.
    const other = 'homeassistant/sensor/gtx_MTR-077_grid_power/config';
    broker.retained.set(other, '{}');
    await both.stop();
    home.meters.pop();

    const one = await home.agent(section());
    await until('removed', () => online() && theirs('MTR-002').length === 0);
    expect(theirs(ID).length).toBeGreaterThan(5);
    await one.stop();

    const off = await home.agent(section({ enabled: false }));
    await until('nothing left', () => [...broker.retained.keys()].join() === other);
    expect(shown(off)?.connected).toBe(false);
    expect(broker.published.filter((entry) => entry.topic === other)).toEqual([]);
    await off.stop();
  });

  it('is not there unless it is configured', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    const agent = await home.agent();
    expect(shown(agent)).toBeUndefined();
  });
});

describe('what is configured', () => {
  const problems = (more: object) => {
    const simulator = { connection: { type: 'tcp', host: '127.0.0.1', port: 502 } };
    if (home.meters.length === 0) home.meter(ID, simulator as never, 1);
    const result = AgentConfig.safeParse({ ...home.config(), home_assistant: more });
    return result.error?.issues.map((issue) => issue.message).join('\n') ?? '';
  };

  it.each([
    [{ url: 'mqtt://broker.example' }, /allow_unencrypted/],
    [{ url: 'mqtts://me:secret@broker.example' }, /password_file/],
    [{ url: 'mqtts://broker.example', password_file: 'x' }, /needs username/],
    [{ url: 'mqtts://broker.example', topic_prefix: 'a/#' }, /letters, digits/],
    [{ url: 'mqtts://broker.example', discovery_prefix: '/x' }, /letters, digits/],
    [{ url: 'mqtts://broker.example', pasword: 'x' }, /pasword/],
  ])('%j is refused', (more, message) => {
    expect(problems(more)).toMatch(message);
  });

  it('takes a broker of the home', () => {
    expect(problems({ url: 'mqtt://broker.example', allow_unencrypted: true })).toBe('');
    expect(problems({ url: 'mqtts://broker.example:8883', username: 'a', password_file: 'x' })).toBe('');
  });

  it('makes no two meter ids one', () => {
    const ids = ['a.b', 'a_b', 'a-b', 'a_-b', 'a__b', 'a..b', 'a_.b', 'a._b'];
    const made = ids.map(objectIdOf);
    expect(new Set(made).size).toBe(ids.length);
    for (const one of made) expect(one).toMatch(/^[a-zA-Z0-9_-]+$/);
  });

  it('finds what every profile in every role reads', () => {
    const library = new ProfileLibrary([]);
    const connection = { type: 'tcp', host: '127.0.0.1', port: 502 } as const;
    const line = new ModbusLine({ type: 'tcp', host: '127.0.0.1', port: 502 }, () => 0);
    for (const id of library.list()) {
      const profile = library.load(id);
      for (const role of Object.keys(profile.roles) as ('grid' | 'production' | 'consumption')[]) {
        const config = { role, profile: id, unit: 1, connection };
        const reader = new DeviceReader(config, profile, line, Date.now, () => 0);
        expect(reader.quantities, id).toContain(profile.roles[role]?.power);
      }
    }
  });
});
