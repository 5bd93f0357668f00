import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GtxError, parseWith, ReadingFlag, Status, Telemetry, topicFor } from '@gridtokenx/protocol';
import { socatInstalled } from '@gridtokenx/simulator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentStatus } from './agent.js';
import { makeKey, TestCollector } from './testing/collector.js';
import { device, registers, TestHome, until } from './testing/home.js';

const ID = 'MTR-001';
let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.collector.start();
});
afterEach(() => home.close());

const count = (id = ID) => home.collector.sequences(id).length;
const codes = (agent: { status(): AgentStatus }) => agent.status().alerts.map((alert) => alert.code);
const view = (agent: { status(): AgentStatus }, id = ID) => {
  const found = agent.status().meters.find((meter) => meter.id === id);
  if (!found) throw new Error(`no meter ${id}`);
  return found;
};

/** Sequences from 1 without a hole, each following the one before, totals never falling. */
function expectUnbroken(id = ID): void {
  const { collector } = home;
  expect(collector.faults).toEqual([]);
  const sequences = collector.sequences(id);
  expect(sequences).toEqual(sequences.map((_, index) => index + 1));
  let previous = { end: 0, produced: 0n, consumed: 0n };
  for (const sequence of sequences) {
    const reading = collector.stored.get(id)?.get(sequence)?.reading;
    if (!reading) throw new Error('missing');
    if (previous.end > 0) expect(reading.intervalStart).toBe(previous.end);
    expect(reading.producedTotal).toBeGreaterThanOrEqual(previous.produced);
    expect(reading.consumedTotal).toBeGreaterThanOrEqual(previous.consumed);
    previous = { end: reading.intervalEnd, produced: reading.producedTotal, consumed: reading.consumedTotal };
  }
}

describe('from the meter to the collector', () => {
  it('readings arrive in order and their totals are the meter’s registers', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    const meter = home.meter(ID, simulator, 1);
    const agent = await home.agent();
    await until('base', () => view(agent).last_sample_ms !== null && view(agent).healthy);
    await until('readings', () => count() >= 3);
    // Stand still, so that the next reading has exactly what the register shows.
    simulator.setPower(1, { solar_watts: 0, household_watts: 0 });
    const { exportNkwh } = registers(simulator, 1);
    const base = exportNkwh - BigInt(view(agent).produced_total);
    await until('all signed', () => {
      const last = home.collector.last(ID)?.reading;
      return (
        last !== undefined &&
        last.producedTotal === BigInt(view(agent).produced_total) &&
        view(agent).power_watts.gridWatts === 0
      );
    });
    const last = home.collector.last(ID);
    // The register is a float32 of kWh: it shows the energy cut to its step.
    expect(Number(exportNkwh - base - (last?.reading.producedTotal ?? 0n))).toBeLessThan(2e6);
    expect(last?.reading.surplusTotal).toBe(last?.reading.producedTotal);
    expectUnbroken();
    expect(
      TestCollector.verifyLogin(home.collector.logins[0] ?? [], new Map([[ID, meter.key.publicKey]])),
    ).toBe(true);
    expect(home.collector.logins[0]?.map((entry) => entry.meter_id)).toEqual([ID]);
    const status = parseWith(Status, home.collector.retained.get(topicFor(ID, 'status')));
    expect(status).toMatchObject({ state: 'online', bus: { ok: true }, clock: { synchronised: true } });
    const telemetry = parseWith(Telemetry, home.collector.retained.get(topicFor(ID, 'telemetry')));
    expect(telemetry.devices[0]).toMatchObject({ role: 'grid', online: true, unit: 1 });
    await agent.stop();
    expect(home.collector.retained.get(topicFor(ID, 'status'))).toMatchObject({ state: 'offline' });
    const logged = home.log.lines.join('\n');
    expect(logged).not.toContain([...meter.key.seed].slice(0, 4).join(','));
    expect(logged).not.toContain(meter.key.seed.toString('hex').slice(0, 12));
  });

  it('is not healthy when its loop is stuck, so that a watchdog may restart it', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    let aheadMs = 0;
    // The wall clock stands still, so that no further sample comes due by itself: the loop is stuck.
    const at = Date.now();
    const agent = await home.agent(
      { sample_seconds: 300 },
      { now: () => at, monotonic: () => performance.now() + aheadMs },
    );
    await until('a sample', () => view(agent).last_sample_ms !== null);
    expect(agent.healthy()).toBe(true);
    expect((await fetch(`${agent.url}/healthz`)).status).toBe(200);
    // No sample has begun for more than three periods.
    aheadMs = 901_000;
    expect(agent.healthy()).toBe(false);
    expect((await fetch(`${agent.url}/healthz`)).status).toBe(503);
  });

  it('serves its health, metrics and state on loopback', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    const agent = await home.agent();
    await until('readings', () => count() >= 1);
    expect((await fetch(`${agent.url}/healthz`)).status).toBe(200);
    const metrics = await (await fetch(`${agent.url}/metrics`)).text();
    expect(metrics).toMatch(/^gtx_agent_readings_total\{meter="1"\} [1-9]/m);
    expect(metrics).toMatch(/^gtx_agent_device_online\{meter="1",role="grid",unit="1"\} 1$/m);
    const state = (await (await fetch(`${agent.url}/api/status`)).json()) as AgentStatus;
    expect(state.meters[0]).toMatchObject({ id: ID, healthy: true });
    expect((await fetch(`${agent.url}/nothing`)).status).toBe(404);
    expect((await fetch(`${agent.url}/healthz`, { method: 'POST' })).status).toBe(405);
  });

  it('production minus consumption, from two meters on one line, is the surplus of each reading', async () => {
    const simulator = await home.simulate([
      { unit: 1, role: 'production', site: 'home' },
      { unit: 2, role: 'consumption', site: 'home' },
    ]);
    home.meter(ID, simulator, 1, {
      mode: 'production_consumption',
      devices: [device('production', simulator, 1), device('consumption', simulator, 2)],
    });
    await home.agent();
    await until('readings', () => count() >= 3);
    expectUnbroken();
    let before = { produced: 0n, consumed: 0n, surplus: 0n };
    for (const sequence of home.collector.sequences(ID)) {
      const reading = home.collector.stored.get(ID)?.get(sequence)?.reading;
      if (!reading) continue;
      const net = reading.producedTotal - before.produced - (reading.consumedTotal - before.consumed);
      expect(reading.surplusTotal - before.surplus).toBe(net > 0n ? net : 0n);
      before = {
        produced: reading.producedTotal,
        consumed: reading.consumedTotal,
        surplus: reading.surplusTotal,
      };
    }
    expect(before.consumed).toBeGreaterThan(0n);
    expect(before.surplus).toBeGreaterThan(0n);
  });
});

describe.skipIf(!socatInstalled())('on a serial line', () => {
  it('two meters share one line and both deliver', async () => {
    const simulator = await home.simulate([{ unit: 1 }, { unit: 2 }], 'pty');
    for (const unit of [1, 2]) home.meter(`MTR-00${unit}`, simulator, unit);
    await home.agent();
    for (const unit of [1, 2]) await until('readings', () => count(`MTR-00${unit}`) >= 2);
    for (const unit of [1, 2]) expectUnbroken(`MTR-00${unit}`);
  });

  it('is refused when its devices want it differently', async () => {
    const simulator = await home.simulate([{ unit: 1 }, { unit: 2 }], 'pty');
    home.meter('MTR-001', simulator, 1);
    const second = home.meter('MTR-002', simulator, 2);
    const [one] = second.config.devices;
    if (one?.connection.type !== 'rtu') throw new Error('not serial');
    second.config.devices = [{ ...one, connection: { ...one.connection, baud_rate: 2400 } }];
    await expect(home.agent()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('delivery', () => {
  beforeEach(async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
  });

  it('failure 2: a buffer is lost on reconnect, or its first seconds are (thingsboard-gateway #2124, #2157): all is delivered, in order', async () => {
    const agent = await home.agent();
    await until('first readings', () => count() >= 2);
    await home.collector.stop();
    home.collector.retained.clear();
    const before = view(agent).sequence;
    await until('readings pile up', () => view(agent).sequence >= before + 6);
    expect(view(agent).outbox.pending + view(agent).outbox.sent).toBeGreaterThanOrEqual(5);
    await home.collector.start();
    await until('backlog delivered', () => count() >= before + 6);
    await until('nothing open', () => view(agent).outbox.pending + view(agent).outbox.sent <= 1);
    const firsts = [...new Set(home.collector.arrivals.map((one) => one.sequence))];
    expect(firsts).toEqual([...firsts].sort((a, b) => a - b));
    expectUnbroken();
  });

  it('failure 8: "offline" stays after the broker restarts (zigbee2mqtt #4854)', async () => {
    const topic = topicFor(ID, 'status');
    const state = () => (home.collector.retained.get(topic) as Status | undefined)?.state;
    const agent = await home.agent();
    await until('online', () => state() === 'online');
    for (let round = 0; round < 2; round++) {
      await home.collector.stop();
      await until('the loss is noticed', () => !agent.status().broker.connected);
      // What the broker has kept, or what the will has left behind.
      home.collector.retained.set(topic, { state: 'offline', version: '0', time: 1 });
      await home.collector.start();
      await until('online again', () => state() === 'online');
    }
  });

  it('every meter is told offline by any broker when the gateway is gone, where it was asked to', async () => {
    const [simulator] = home.simulators;
    if (!simulator) throw new Error('no simulator');
    const other = await home.simulate([{ unit: 1 }]);
    home.meter('MTR-002', other, 1);
    const states = () =>
      ['MTR-001', 'MTR-002'].map(
        (id) => (home.collector.retained.get(topicFor(id, 'status')) as Status | undefined)?.state,
      );
    for (const [last_wills, expected] of [
      ['meter', ['offline', 'offline']],
      ['gateway', ['offline', 'online']],
    ] as const) {
      // Said at the beginning only: of what is under way when the connections end, a will may be the former.
      const mqtt = { url: home.collector.url, last_wills, status_seconds: 3_600 };
      const agent = await home.agent({ mqtt });
      const connections = last_wills === 'meter' ? 2 : 1;
      await until('connected', () => home.collector.connections === connections);
      await until('online', () => states().every((state) => state === 'online'));
      // The connections end without a word, as after a power cut; they are not let in again.
      home.collector.checkLogin = () => {
        throw new GtxError('LOGIN_REFUSED');
      };
      home.collector.cutConnections();
      await until(`${last_wills}: told`, () => states().join() === expected.join());
      home.collector.checkLogin = () => undefined;
      await until('online again', () => states().every((state) => state === 'online'));
      await agent.stop();
      expect(states()).toEqual(['offline', 'offline']);
    }
  });

  it('an acknowledgement that is lost costs a repetition, one that comes twice costs nothing', async () => {
    const lost = new Set<string>();
    home.collector.deliverAck = (send, ack) => {
      const key = ack.stored.join();
      if (!lost.has(key)) lost.add(key);
      else {
        send();
        send();
      }
    };
    const agent = await home.agent();
    await until('delivered', () => view(agent).outbox.stored >= 3);
    // Of those behind it the acknowledgement of the first one's repetition may already have told.
    expect(home.collector.stored.get(ID)?.get(1)?.arrivals).toBeGreaterThanOrEqual(2);
    expectUnbroken();
  });

  it('a forged acknowledgement delivers nothing, is counted and raises an alert', async () => {
    const thief = makeKey();
    home.collector.verdict = () => 'ignore';
    const agent = await home.agent();
    await until('something is sent', () => view(agent).outbox.sent >= 1);
    home.collector.sendAck(ID, { through: '1', stored: ['1'] }, thief);
    home.collector.sendAck(ID, { through: '1', stored: ['1'] }, { ...thief, text: home.collector.key.text });
    home.collector.publishRaw(topicFor(ID, 'ack'), 'not json');
    // The real key, but beyond what was sent.
    home.collector.sendAck(ID, { through: '1000000' });
    await until('counted', async () =>
      /acks_refused_total 4/.test(await (await fetch(`${agent.url}/metrics`)).text()),
    );
    expect(codes(agent)).toContain('ACK_INVALID');
    expect(view(agent).outbox.stored).toBe(0);
    home.collector.verdict = () => 'store';
    await until('delivered all the same', () => view(agent).outbox.stored >= 2);
    expectUnbroken();
  });

  it('failure 7: one poison message blocks the queue behind it (telegraf #13826)', async () => {
    home.collector.verdict = (_meter, reading) => {
      if (reading.sequence === 2n) return { code: 'KEY_MISMATCH', retry: 'never' };
      if (reading.sequence === 3n) return { code: 'USER_NOT_VERIFIED', retry: 'later' };
      return 'store';
    };
    const agent = await home.agent();
    await until('others delivered', () => count() >= 3);
    expect(home.collector.sequences(ID)).not.toContain(2);
    expect(home.collector.sequences(ID)).not.toContain(3);
    await until('refused', () => view(agent).outbox.refused === 1);
    expect(home.log.lines.some((line) => line.includes('KEY_MISMATCH'))).toBe(true);
    const tries = home.collector.arrivals.filter((one) => one.sequence === 3).length;
    // The collector asks again, for the user is verified now.
    home.collector.verdict = () => 'store';
    home.collector.sendCommand(ID, {
      id: 'c1',
      time: home.collector.now(),
      type: 'resend',
      from_sequence: '3',
    });
    await until('the third too', () => home.collector.sequences(ID).includes(3));
    expect(tries).toBeLessThan(3);
  });

  it('sends again what the collector has lost, and obeys each command once', async () => {
    const agent = await home.agent();
    await until('delivered', () => view(agent).outbox.stored >= 3);
    home.collector.stored.clear();
    const command = { id: 'again', time: home.collector.now(), type: 'resend' as const, from_sequence: '1' };
    home.collector.sendCommand(ID, command);
    await until('again', () => home.collector.sequences(ID).slice(0, 3).join() === '1,2,3');
    home.collector.sendCommand(ID, command);
    home.collector.sendCommand(ID, { ...command, id: 'forged' }, makeKey());
    await until('refused', async () =>
      /commands_refused_total 2/.test(await (await fetch(`${agent.url}/metrics`)).text()),
    );
    expect(codes(agent)).toContain('COMMAND_INVALID');
  });

  it('changes its sampling on command, within its own limits, and remembers', async () => {
    const limits = { sample_limits: { min_seconds: 1, max_seconds: 10 } };
    const agent = await home.agent(limits);
    await until('connected', () => agent.status().broker.connected);
    home.collector.sendCommand(ID, {
      id: 'a',
      time: home.collector.now(),
      type: 'sampling',
      sample_seconds: 5,
    });
    await until('obeyed', () => view(agent).sample_seconds === 5);
    home.collector.sendCommand(ID, {
      id: 'b',
      time: home.collector.now(),
      type: 'sampling',
      sample_seconds: 60,
    });
    await until('refused', () => codes(agent).includes('COMMAND_INVALID'));
    expect(view(agent).sample_seconds).toBe(5);
    await agent.stop();
    expect(view(await home.agent(limits)).sample_seconds).toBe(5);
  });

  it('logs in anew with the server’s time when its login is stale', async () => {
    const { createServer } = await import('node:http');
    const ahead = 7_200;
    const server = createServer((_request, response) => {
      response.end(JSON.stringify({ time: Math.floor(Date.now() / 1000) + ahead, iso: '' }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    let refused = 0;
    home.collector.checkLogin = ([entry]) => {
      if (Math.abs((entry?.time ?? 0) - (Date.now() / 1000 + ahead)) <= 300) return;
      refused++;
      throw new GtxError('LOGIN_STALE');
    };
    try {
      const agent = await home.agent({ collector_url: `http://127.0.0.1:${port}` });
      await until('logged in', () => agent.status().broker.connected);
      expect(refused).toBe(1);
      // Two hours off: it measures, and signs nothing.
      await until('alert', () => codes(agent).includes('CLOCK_UNSYNCHRONISED'));
      const { sequence } = view(agent);
      const surplus = view(agent).surplus_total;
      await until('still measuring', () => BigInt(view(agent).surplus_total) > BigInt(surplus));
      expect(view(agent).sequence).toBe(sequence);
    } finally {
      server.close();
    }
  });

  it('raises an alert after five tries without an answer, and goes on', async () => {
    home.collector.verdict = () => 'ignore';
    const agent = await home.agent();
    await until('alert', () => codes(agent).includes('BROKER_UNAVAILABLE'));
    // With the alert comes the sixth try: it never gives up.
    const tries = home.collector.arrivals.filter((one) => one.sequence === 1).length;
    expect([5, 6]).toContain(tries);
    home.collector.verdict = () => 'store';
    // It would come by itself within a minute; a new connection makes it come at once.
    await home.collector.stop();
    await home.collector.start();
    await until('delivered', () => view(agent).outbox.stored >= 5);
    await until('over', () => !codes(agent).includes('BROKER_UNAVAILABLE'));
    expectUnbroken();
  });
});

describe('measuring', () => {
  it('failure 1: one dead device on the bus stalls the others (telegraf #11782): nor for a meter that is busy, and both come back with all their energy', async () => {
    const simulator = await home.simulate([{ unit: 1 }, { unit: 2 }, { unit: 3 }]);
    for (const unit of [1, 3]) home.meter(`MTR-00${unit}`, simulator, unit);
    home.addMeter('MTR-002', [device('grid', simulator, 2, 300)]);
    const agent = await home.agent();
    for (const unit of [1, 2, 3]) await until('first readings', () => count(`MTR-00${unit}`) >= 2);
    simulator.setFault(2, { type: 'dead' });
    simulator.setFault(3, { type: 'exception', code: 6, times: 8 });
    // The alert may be another meter's that a busy machine holds up.
    const silent = () => !view(agent, 'MTR-002').healthy;
    await until('alert', () => codes(agent).includes('METER_BUS_ERROR') && silent());
    const [one, two] = [count('MTR-001'), view(agent, 'MTR-002').sequence];
    await until('the first goes on', () => count('MTR-001') >= one + 3);
    expect(view(agent, 'MTR-002').sequence).toBe(two);
    const produced = BigInt(view(agent, 'MTR-002').produced_total);
    simulator.setFault(2, undefined);
    await until('back', () => count('MTR-002') >= two + 2);
    const [back] = home.collector.sequences('MTR-002').slice(two);
    const reading = home.collector.stored.get('MTR-002')?.get(back as number)?.reading;
    expect((reading?.flags ?? 0) & ReadingFlag.Gap).toBe(ReadingFlag.Gap);
    expect(reading?.producedTotal).toBeGreaterThan(produced);
    await until('no alert', () => !codes(agent).includes('METER_BUS_ERROR'));
    for (const unit of [1, 2, 3]) expectUnbroken(`MTR-00${unit}`);
  });

  it('failure 5: a busy meter reads as 0, NaN or a frozen value and is recorded (home-assistant #51103, mbmd #332)', async () => {
    const simulator = await home.simulate([{ unit: 1, solar: 90_000, household: 0 }]);
    simulator.setEnergy(1, { exportNkwh: 1_000_000_000_000n });
    home.meter(ID, simulator, 1);
    const agent = await home.agent();
    await until('first readings', () => count() >= 2);
    const before = BigInt(view(agent).produced_total);
    simulator.setFault(1, { type: 'value', value: 'zero', times: 3 });
    await until('seen', async () =>
      /reason="fell"\} [1-9]/.test(await (await fetch(`${agent.url}/metrics`)).text()),
    );
    await until('back', () => BigInt(view(agent).produced_total) > before);
    simulator.setFault(1, { type: 'value', value: 'nan', times: 3 });
    await until('not a number', async () =>
      /device_invalid_values_total\{.*\} [1-9]/.test(await (await fetch(`${agent.url}/metrics`)).text()),
    );
    // No more than has flowed since its thousand kWh were set.
    const produced = BigInt(view(agent).produced_total);
    expect(produced).toBeLessThanOrEqual(registers(simulator, 1).exportNkwh - 1_000_000_000_000n);
    simulator.setFault(1, { type: 'freeze' });
    await until('frozen', () => codes(agent).includes('METER_VALUE_INVALID'));
    const { sequence } = view(agent);
    simulator.setFault(1, undefined);
    await until('over', () => !codes(agent).includes('METER_VALUE_INVALID'));
    await until('signing again', () => view(agent).sequence > sequence);
    for (const one of home.collector.stored.get(ID)?.values() ?? []) {
      expect(one.reading.flags & ReadingFlag.MeterReset).toBe(0);
    }
    expectUnbroken();
  });

  it('with a wrong clock it measures and does not sign; the first reading afterwards covers the time', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    let shiftMs = 0;
    const agent = await home.agent({}, { now: () => Date.now() + shiftMs });
    await until('first readings', () => count() >= 2);
    shiftMs = -3_600_000;
    await until('alert', () => codes(agent).includes('CLOCK_UNSYNCHRONISED'));
    const { sequence } = view(agent);
    const produced = BigInt(view(agent).produced_total);
    await until('measuring', () => BigInt(view(agent).produced_total) > produced + 100_000_000n);
    expect(view(agent).sequence).toBe(sequence);
    shiftMs = 0;
    await until('signing', () => count() > sequence);
    const next = home.collector.stored.get(ID)?.get(sequence + 1)?.reading;
    expect(next?.flags).toBe(ReadingFlag.ClockSet | ReadingFlag.Gap);
    expect(next?.producedTotal).toBeGreaterThan(produced);
    expectUnbroken();
  });

  it('a clock that is set while the gateway starts is no step for the meters that begin afterwards', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    let shiftMs = 0;
    const ntpStatus = async () => {
      shiftMs = 3_600_000;
      return true;
    };
    await home.agent({ clock: { ntp: 'auto' } }, { now: () => Date.now() + shiftMs, ntpStatus });
    await until('a reading', () => count() >= 1);
    // A sample that a busy machine takes late makes the first interval longer, and says so: that is no step.
    const { ClockSet, MeterReset } = ReadingFlag;
    const flags = home.collector.stored.get(ID)?.get(1)?.reading.flags ?? ClockSet;
    expect(flags & (ClockSet | MeterReset)).toBe(0);
  });

  it('what the system said of its clock before is not taken for what it says now, however late it comes', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    let shiftMs = 0;
    const asked: ((synchronised: boolean) => void)[] = [];
    let first = true;
    const ntpStatus = () => {
      if (!first) return new Promise<boolean>((resolve) => asked.push(resolve));
      first = false;
      return Promise.resolve(true);
    };
    const agent = await home.agent(
      { clock: { ntp: 'required' } },
      { now: () => Date.now() + shiftMs, ntpStatus },
    );
    await until('signing', () => view(agent).sequence >= 1);
    // Set twice: the answer about the first setting comes after that about the second.
    for (const times of [1, 2]) {
      shiftMs += 3_600_000;
      await until('asked', () => asked.length >= times);
    }
    asked.at(-1)?.(false);
    await until(
      'the clock is wrong',
      () => agent.status().clock.reason?.includes('not synchronised') === true,
    );
    asked[0]?.(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(agent.status().clock.trusted).toBe(false);
  });

  it('a full outbox raises an alert, stops signing rather than losing, and goes on by itself', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    home.collector.verdict = () => 'ignore';
    const first = await home.agent();
    await until('a reading', () => view(first).sequence >= 1);
    await first.stop();
    // Fill the store to its quota, as months without a collector would.
    const { Outbox } = await import('./outbox.js');
    const quota = 256 * 1024;
    const day = 86_400_000;
    const box = Outbox.open(join(home.folder, 'data'), {
      maxBytes: quota,
      keepMs: 30 * day,
      recordKeepMs: day,
    });
    const reading = box.readings(ID)[0];
    if (!reading) throw new Error('no reading');
    for (let sequence = 1; ; sequence++) {
      try {
        box.commitReading({
          meterId: 'ballast',
          reading: {
            flags: 0,
            sequence: BigInt(sequence),
            intervalStart: 0,
            intervalEnd: 1,
            producedTotal: 0n,
            consumedTotal: 0n,
            surplusTotal: 0n,
          },
          bytes: reading.bytes,
          signature: reading.signature,
          publicKey: reading.publicKey,
          amount: 0n,
          account: '',
          nowMs: 1,
        });
      } catch (error) {
        expect((error as GtxError).code).toBe('OUTBOX_FULL');
        break;
      }
    }
    box.close();
    const full = await home.agent({ max_outbox_bytes: quota });
    await until('alert', () => codes(full).includes('OUTBOX_FULL'));
    const { sequence, surplus_total } = view(full);
    await until('measuring', () => BigInt(view(full).surplus_total) > BigInt(surplus_total) + 50_000_000n);
    expect(view(full).sequence).toBe(sequence);
    await full.stop();
    home.collector.verdict = () => 'store';
    const agent = await home.agent({ max_outbox_bytes: 2 * quota });
    await until('delivered', () => count() >= sequence + 2);
    expect(codes(agent)).not.toContain('OUTBOX_FULL');
    const next = home.collector.stored.get(ID)?.get(sequence + 1)?.reading;
    expect(next?.surplusTotal).toBeGreaterThan(BigInt(surplus_total));
    expectUnbroken();
  });

  it.skipIf(process.getuid?.() !== 0)('goes on by itself when a full disk has room again', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    const disk = join(home.folder, 'data');
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      // A container without the right to mount: the quota test covers the same path.
      return;
    }
    try {
      const agent = await home.agent();
      await until('readings', () => count() >= 2);
      const ballast = join(disk, 'ballast');
      const eat = () => {
        for (let size = 1 << 20; size >= 64; size >>= 1) {
          try {
            writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
          } catch (error) {
            expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
          }
        }
      };
      await until('alert', () => {
        eat();
        return codes(agent).includes('OUTBOX_FULL');
      });
      const { sequence } = view(agent);
      rmSync(ballast);
      await until('signing again', () => view(agent).sequence >= sequence + 2);
      await until('delivered', () => view(agent).outbox.stored >= sequence + 2);
      expect(codes(agent)).not.toContain('OUTBOX_FULL');
      expectUnbroken();
      await agent.stop();
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });
});

describe('a meter that is exchanged', () => {
  const foreign = async (agent: { url: string }) =>
    /foreign_samples_total\{.*\} [1-9]/.test(await (await fetch(`${agent.url}/metrics`)).text());

  it('is noticed by its serial number: what was measured stays, the next reading says so', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    simulator.setEnergy(1, { exportNkwh: 5_000_000_000n });
    home.meter(ID, simulator, 1);
    const agent = await home.agent();
    await until('readings', () => count() >= 2);
    const before = BigInt(view(agent).produced_total);
    // A higher register: without the serial number it would pass for an outage's energy.
    simulator.setFault(1, { type: 'exchange', export_nkwh: '5200000000' });
    const exchanged = async () =>
      /meter_exchanges_total\{.*\} 1/.test(await (await fetch(`${agent.url}/metrics`)).text());
    await until('noticed', exchanged);
    const sequence = view(agent).sequence;
    await until('signed', () => count() > sequence);
    const flags = [...(home.collector.stored.get(ID)?.values() ?? [])].map(({ reading }) => reading.flags);
    expect(flags.filter((one) => (one & ReadingFlag.MeterReset) !== 0)).toHaveLength(1);
    expect(BigInt(view(agent).produced_total)).toBeGreaterThan(before);
    expectUnbroken();
  });

  it('counts nothing until the operator has confirmed it, where the configuration names the number', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    const meter = home.meter(ID, simulator, 1);
    const [config] = meter.config.devices;
    if (!config) throw new Error('no device');
    meter.config.devices = [{ ...config, serial_number: 'another' }];
    const first = await home.agent();
    await until('refused', () => foreign(first));
    expect(codes(first)).toContain('METER_VALUE_INVALID');
    expect(view(first)).toMatchObject({ healthy: false, sequence: 0, produced_total: '0' });
    const said = /serial number is (\S+), not another/.exec(
      first
        .status()
        .alerts.map((alert) => alert.message)
        .join(),
    );
    await first.stop();
    meter.config.devices = [{ ...config, serial_number: said?.[1] as string }];
    const agent = await home.agent();
    await until('readings', () => count() >= 2);
    expect(view(agent).devices[0]?.serial_number).toBe(said?.[1]);
    expect(codes(agent)).toEqual([]);
  });

  it('begins a new series where the operator says so, whatever its register shows', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    const meter = home.meter(ID, simulator, 1);
    const first = await home.agent();
    await until('readings', () => count() >= 2);
    await first.stop();
    simulator.setEnergy(1, { exportNkwh: registers(simulator, 1).exportNkwh + 1_000_000_000_000n });
    const [config] = meter.config.devices;
    if (!config) throw new Error('no device');
    meter.config.devices = [{ ...config, exchange: 1 }];
    const agent = await home.agent();
    const readings = () => [...(home.collector.stored.get(ID)?.values() ?? [])].map(({ reading }) => reading);
    const resets = () => readings().filter(({ flags }) => (flags & ReadingFlag.MeterReset) !== 0);
    await until('it says so', () => resets().length === 1);
    const before = readings().find(({ sequence }) => sequence === (resets()[0]?.sequence ?? 0n) - 1n);
    // The register is a thousand kWh higher; what is counted is what has flowed.
    expect((resets()[0]?.producedTotal ?? 0n) - (before?.producedTotal ?? 0n)).toBeLessThan(10_000_000_000n);
    expect(agent.healthy()).toBe(true);
    expectUnbroken();
  });
});

describe('starting', () => {
  it('is refused with a code, and leaves nothing running', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    const meter = home.meter(ID, simulator, 1);
    await home.agent();
    await expect(home.agent()).rejects.toMatchObject({ code: 'DATA_DIR_IN_USE' });
    const taken = new URL((home.agents[0] as { url: string }).url).port;
    const other = { data_dir: join(home.folder, 'other') };
    await expect(home.agent({ ...other, http: { port: Number(taken) } })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
    });
    execFileSync('chmod', ['644', meter.config.key_file]);
    await expect(home.agent(other)).rejects.toMatchObject({ code: 'KEY_FILE_PERMISSIONS' });
    execFileSync('chmod', ['600', meter.config.key_file]);
    await home.agent(other);
  });
});
