/** The publisher with a real store and a real broker, without meters: readings are put into the store as they are wanted. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { GtxError, type Status, topicFor } from '@gridtokenx/protocol';
import pino from 'pino';
import { describe, expect, it, type TestContext } from 'vitest';
import { Alerts } from './alerts.js';
import { ClockGuard } from './clock.js';
import { AgentConfig, type AgentConfigInput } from './config.js';
import { TRIES_BEFORE_ALERT } from './deliver.js';
import { monotonicMs } from './monotonic.js';
import { Outbox } from './outbox.js';
import { Presence } from './presence.js';
import { Publisher } from './publish.js';
import { MeterSigner } from './sign.js';
import { Database } from './sqlite.js';
import { TestHome, until } from './testing/home.js';

const ONE = 'MTR-001';
const TWO = 'MTR-002';

/** A gateway's store and publisher of one test's own. */
async function open({ onTestFinished }: TestContext, meterIds: readonly string[] = [ONE]) {
  const home = new TestHome();
  onTestFinished(() => home.close());
  await home.collector.start();
  for (const [index, id] of meterIds.entries()) home.addMeter(id, [offline(index + 1)]);
  const signers = new Map(
    home.meters.map(({ id, config }) => [id, MeterSigner.fromFile(config.key_file)] as const),
  );
  const keepMs = 30 * 86_400_000;
  const folder = `${home.folder}/data`;
  const outbox = Outbox.open(folder, { maxBytes: 1 << 20, keepMs, recordKeepMs: keepMs });
  onTestFinished(() => outbox.close());
  const alerts = new Alerts(home.log.logger, Date.now);
  let sending: Publisher | undefined;
  onTestFinished(() => sending?.stop());

  return {
    home,
    outbox,
    alerts,
    codes: () => alerts.list().map(({ code, meterId }) => (meterId ? `${code} ${meterId}` : code)),
    /** Sequences of a meter as they arrived, repeats too. */
    arrived: (id = ONE) =>
      home.collector.arrivals.filter(({ meterId }) => meterId === id).map(({ sequence }) => sequence),
    stored: (id = ONE) => outbox.counts(id).stored,

    /** Signs readings and puts them into the store. */
    put(sequences: readonly number[], id = ONE): void {
      for (const sequence of sequences) {
        const reading = {
          flags: 0,
          sequence: BigInt(sequence),
          intervalStart: 1_750_000_000 + sequence * 900,
          intervalEnd: 1_750_000_900 + sequence * 900,
          producedTotal: BigInt(sequence),
          consumedTotal: 0n,
          surplusTotal: BigInt(sequence),
        };
        const signer = signers.get(id) as MeterSigner;
        const { bytes, signature } = signer.signReading(reading);
        const { publicKey } = signer;
        const account = `books ${sequence}`;
        const nowMs = Date.now();
        outbox.commitReading({
          meterId: id,
          reading,
          bytes,
          signature,
          publicKey,
          amount: 1n,
          account,
          nowMs,
        });
        sending?.wake(id);
      }
    },

    /** Spoils what a reading's row says. */
    damage(sequence: number, column: 'bytes' | 'amount' = 'bytes'): void {
      const db = new Database(`${folder}/agent.sqlite`);
      const spoiled = column === 'bytes' ? Buffer.from('spoiled') : 'spoiled';
      db.prepare(`UPDATE readings SET ${column} = ? WHERE sequence = ?`).run(spoiled, sequence);
      db.close();
    },

    start(more: Partial<AgentConfigInput> = {}): Publisher {
      sending = new Publisher({
        config: AgentConfig.parse(home.config(more)),
        meters: home.meters.map(({ id, wallet }) => ({
          id,
          wallet,
          signer: signers.get(id) as MeterSigner,
          telemetry: () => undefined,
          status: (state) => ({ state, time: 1_750_000_000 }) as Status,
          setSampleSeconds: () => undefined,
        })),
        outbox,
        clock: new ClockGuard(
          { ntp: 'off', maxOffsetMs: 60_000, collectorTells: false },
          Date.now,
          monotonicMs,
        ),
        alerts,
        logger: home.log.logger,
        now: Date.now,
        monotonic: monotonicMs,
      });
      sending.start();
      return sending;
    },
  };
}

/** A device that nobody asks. */
const offline = (unit: number): AgentConfigInput['meters'][number]['devices'][number] => ({
  role: 'grid',
  profile: 'eastron-sdm630',
  unit,
  connection: { type: 'tcp', host: '127.0.0.1' },
});

describe.concurrent('a meter that was restored', () => {
  it.concurrent('believes what the collector knows of the time before', async (context) => {
    const { home, outbox, codes, start } = await open(context);
    outbox.restoreMeter(ONE, 'books 1076', 1_076n, [], Date.now());
    const publisher = start();
    await until('connected', () => publisher.connected);
    home.collector.sendAck(ONE, { through: '77' });
    await until('an answer', () => publisher.counters.acks + publisher.counters.acksRefused === 1);
    expect(codes()).toEqual([]);
    home.collector.sendAck(ONE, { through: '1077' });
    await until('another', () => publisher.counters.acks + publisher.counters.acksRefused === 2);
    expect(codes()).toEqual(['ACK_INVALID']);
  });

  it.concurrent('sends nothing again when the collector asks for the numbers that were skipped', async (context) => {
    const { home, outbox, stored, put, start } = await open(context);
    outbox.restoreMeter(ONE, 'books 1076', 1_076n, [], Date.now());
    const publisher = start();
    put([1_077, 1_078]);
    await until('stored', () => stored() === 2);
    const command = { id: 'hole', time: home.collector.now(), type: 'resend' as const, from_sequence: '78' };
    home.collector.sendCommand(ONE, command);
    await until('obeyed', () => publisher.counters.commands === 1);
    expect(outbox.counts(ONE)).toMatchObject({ pending: 0, sent: 0, stored: 2 });
  });
});

describe.concurrent('one meter of several', () => {
  it.concurrent('that the broker refuses keeps no other from delivering, and comes when it is let in', async (context) => {
    const { home, codes, stored, put, start } = await open(context, [ONE, TWO]);
    home.collector.subscription = (topic) => (topic === topicFor(TWO, 'ack') ? 'refused' : 'granted');
    const publisher = start();
    put([1, 2]);
    put([1], TWO);
    await until('the first meter', () => stored() === 2);
    expect(codes()).toEqual([`LOGIN_REFUSED ${TWO}`]);
    expect(publisher.counters.connectFailures).toBe(0);
    expect(stored(TWO)).toBe(0);
    home.collector.subscription = () => 'granted';
    await until('the second meter', () => stored(TWO) === 1);
    expect(codes()).toEqual([]);
  });

  it.concurrent('of which the broker refuses only the commands delivers, and is let in later', async (context) => {
    const { home, codes, stored, put, start } = await open(context);
    home.collector.subscription = (topic) => (topic === topicFor(ONE, 'command') ? 'refused' : 'granted');
    const publisher = start();
    put([1]);
    await until('stored', () => stored() === 1);
    expect(codes()).toEqual([`LOGIN_REFUSED ${ONE}`]);
    home.collector.subscription = () => 'granted';
    await until('let in', () => codes().length === 0);
    home.collector.sendCommand(ONE, {
      id: 'faster',
      time: home.collector.now(),
      type: 'sampling',
      sample_seconds: 5,
    });
    await until('obeyed', () => publisher.counters.commands === 1);
    expect(publisher.counters.connects).toBe(1);
  });

  it.concurrent('of which the broker refuses everything delivers over HTTP', async (context) => {
    const { home, stored, put, start } = await open(context);
    const collector_url = await home.collector.startHttp();
    home.collector.subscription = () => 'refused';
    const publisher = start({ collector_url, delivery: { http_after_seconds: 1 } });
    put([1]);
    await until('stored', () => stored() === 1);
    expect(publisher.way).toBe('http');
    expect(publisher.counters.connects).toBe(0);
  });

  it.concurrent('is heard where the broker leaves a subscription unanswered once', async (context) => {
    const { home, stored, put, start } = await open(context);
    let asked = 0;
    home.collector.subscription = () => (asked++ === 0 ? 'silence' : 'granted');
    start();
    put([1]);
    await until('stored', () => stored() === 1);
  });

  it.concurrent('with a damaged row delivers the others, and says which was refused', async (context) => {
    const { outbox, arrived, stored, put, damage, start } = await open(context, [ONE, TWO]);
    put([1, 2, 3]);
    put([1], TWO);
    damage(2);
    start();
    await until('the sound ones', () => stored() === 2 && stored(TWO) === 1);
    expect(new Set(arrived())).toEqual(new Set([1, 3]));
    expect(outbox.reading(ONE, 2)).toMatchObject({ state: 'refused', code: 'MESSAGE_INVALID' });
  });

  it.concurrent('delivers the others over HTTP too', async (context) => {
    const { home, outbox, stored, put, damage, start } = await open(context);
    const collector_url = await home.collector.startHttp();
    put([1, 2, 3]);
    damage(1, 'amount');
    await home.collector.stop();
    start({ collector_url, delivery: { http_after_seconds: 1 } });
    await until('the sound ones', () => stored() === 2);
    expect(outbox.reading(ONE, 1)).toMatchObject({ state: 'refused', code: 'MESSAGE_INVALID' });
  });
});

describe.concurrent('a store that could not be written', () => {
  it.concurrent('is no alert any more when it can be, also while readings go over HTTP', async (context) => {
    const { home, outbox, codes, stored, put, start } = await open(context);
    const collector_url = await home.collector.startHttp();
    put([1]);
    await home.collector.stop();
    const decide = outbox.decide.bind(outbox);
    let refusals = 0;
    const other = new Database(`${home.folder}/data/agent.sqlite`);
    context.onTestFinished(() => void other.close());
    // Another program holds the store when the first answer is to be noted.
    outbox.decide = (...args) => {
      if (refusals++ > 0) return decide(...args);
      other.exec('BEGIN IMMEDIATE');
      try {
        return decide(...args);
      } finally {
        other.exec('ROLLBACK');
      }
    };
    start({ collector_url, delivery: { http_after_seconds: 1 } });
    await until('the alert', () => codes().includes('OUTBOX_FULL'));
    await until('noted', () => stored() === 1);
    expect(codes()).not.toContain('OUTBOX_FULL');
  });

  it.concurrent('is not told of as a collector that does not answer', async (context) => {
    const { home, outbox, stored, put, start } = await open(context);
    const collector_url = await home.collector.startHttp();
    put([1]);
    await home.collector.stop();
    const decide = outbox.decide.bind(outbox);
    let refusals = 0;
    outbox.decide = (...args) => {
      if (refusals++ < TRIES_BEFORE_ALERT) throw new GtxError('OUTBOX_FULL', 'the store cannot be written');
      return decide(...args);
    };
    const publisher = start({ collector_url, delivery: { http_after_seconds: 1 } });
    await until('noted', () => stored() === 1);
    expect(publisher.counters.httpFailures).toBe(0);
    expect(home.log.lines.filter((line) => line.includes('COLLECTOR_UNAVAILABLE'))).toEqual([]);
  });
});

describe.concurrent('an end', () => {
  it.concurrent('that comes while the collector is asked for its time leaves no attempt to connect behind', async (context) => {
    const { home, start } = await open(context);
    const asked: Socket[] = [];
    // Takes the question, and answers nothing until it is told to.
    const server = createServer((socket) => void asked.push(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    context.onTestFinished(() => void server.close());
    home.collector.checkLogin = () => {
      throw new GtxError('LOGIN_STALE');
    };
    const { port } = server.address() as { port: number };
    const publisher = start({
      collector_url: `http://127.0.0.1:${port}`,
      delivery: { http_after_seconds: 0 },
    });
    await until('refused, and the time is asked for', () => {
      return publisher.counters.connectFailures === 1 && asked.length === 1;
    });
    await publisher.stop();
    // It is not waited for any longer, and nothing follows from its end.
    await until('the question is over', () => Reflect.get(publisher, 'learning') === false);
    await new Promise((resolve) => setImmediate(resolve));
    expect(Reflect.get(publisher, 'connectTimer')).toBeUndefined();
  });

  it.concurrent('of the connection for a will is not held up by a broker that has fallen silent', async ({
    onTestFinished,
  }) => {
    const sockets: Socket[] = [];
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket.on('error', () => undefined));
      // CONNACK (MQTT 3.1.1, 3.2), and then nothing: not even the end is answered.
      socket.once('data', () => socket.write(Buffer.from([0x20, 2, 0, 0])));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const { port } = server.address() as { port: number };
    let present = false;
    const presence = new Presence({
      meterId: ONE,
      url: `mqtt://127.0.0.1:${port}`,
      options: () => ({ protocolVersion: 4, reconnectPeriod: 0, clientId: 'presence' }),
      onPresent: () => {
        present = true;
      },
      logger: pino({ level: 'silent' }),
    });
    presence.start();
    await until('connected', () => present);
    await presence.stop();
    expect(sockets).toHaveLength(1);
  });
});
