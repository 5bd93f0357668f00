/** Days offline and back: how long a gateway's backlog takes until the collector has acknowledged all of it, and at what load. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Outbox } from '@gridtokenx/agent';
import { writeKeypairFile } from '@gridtokenx/chain';
import { createPool } from '@gridtokenx/collector';
import { encodeBase58, encodeReading, GtxError } from '@gridtokenx/protocol';
import { Keypair } from '@solana/web3.js';
import { BenchMeter, RATED_WATTS, registerFleet } from './fleet.js';
import { processUsage } from './process-usage.js';
import type { Figure } from './report.js';
import { type RunningCollector, type Stack, until } from './stack.js';

const METERS = 4;
const INTERVAL_SECONDS = 900;
const READINGS_A_DAY = 86_400 / INTERVAL_SECONDS;
const DAY_MS = 86_400_000;
/** Nobody listens at the discard port. */
const NO_BROKER = 'mqtt://127.0.0.1:9';
const NO_METER = { type: 'tcp', host: '127.0.0.1', port: 9 };

interface Case {
  name: string;
  prefix: string;
  days: number;
  way: 'mqtt' | 'http';
  /** Of the configuration; undefined: its default. */
  perSecond?: number;
}

const CASES: readonly Case[] = [
  { name: '24 hours', prefix: 'DAY', days: 1, way: 'mqtt' },
  { name: '7 days', prefix: 'WEEK', days: 7, way: 'mqtt' },
  { name: '7 days, as fast as it goes', prefix: 'FAST', days: 7, way: 'mqtt', perSecond: 10_000 },
  { name: '24 hours over HTTP', prefix: 'HTTP', days: 1, way: 'http' },
];

export async function measureOffline(
  stack: Stack,
  { quick, say }: { quick: boolean; say: (text: string) => void },
): Promise<Figure[]> {
  const collector = await stack.startCollector({ settlement: 'interval', settlementSeconds: 86_400 });
  try {
    const figures: Figure[] = [];
    for (const one of quick ? CASES.slice(0, 1) : CASES) {
      say(one.name);
      const measured = await measureCase(stack, collector, one);
      for (const { name, value, unit } of measured) say(`${name}: ${value.toFixed(2)} ${unit}`);
      figures.push(...measured);
    }
    return figures;
  } finally {
    await collector.stop();
  }
}

async function measureCase(stack: Stack, collector: RunningCollector, one: Case): Promise<Figure[]> {
  const { prefix, days, way, perSecond } = one;
  const fleet = await registerFleet(stack.connection(), stack.registrar, { prefix, count: METERS });
  const folder = join(stack.layout.root, `offline-${prefix}`);
  mkdirSync(folder, { mode: 0o700 });
  const readings = days * READINGS_A_DAY;
  const store = join(folder, 'data');
  const meters = fleet.map((data) => new BenchMeter(data));
  fillOutbox(store, meters, readings);
  const config = {
    data_dir: store,
    collector_key: encodeBase58(stack.ackPublicKey),
    collector_url: collector.httpUrl,
    mqtt: { url: way === 'mqtt' ? collector.mqttUrl : NO_BROKER },
    delivery: {
      http_after_seconds: way === 'mqtt' ? 0 : 1,
      ...(perSecond !== undefined && { max_readings_per_second: perSecond }),
    },
    http: { port: 0 },
    // The meters themselves are not there: delivery alone is measured.
    meters: fleet.map(({ meterId, wallet, secretKey }) => {
      const keyFile = join(folder, `${meterId}.json`);
      writeKeypairFile(keyFile, Keypair.fromSecretKey(Uint8Array.from(secretKey)));
      return {
        id: meterId,
        key_file: keyFile,
        wallet,
        mode: 'bidirectional',
        rated_watts: RATED_WATTS,
        devices: [
          {
            role: 'grid',
            profile: 'eastron-sdm630',
            unit: fleet.findIndex((m) => m.meterId === meterId) + 1,
            connection: NO_METER,
          },
        ],
      };
    }),
  };
  const configFile = join(folder, 'agent.yaml');
  writeFileSync(configFile, JSON.stringify(config), { mode: 0o600 });

  const pool = createPool(stack.databaseUrl, 2, stack.logger);
  const collectorBefore = processUsage(collector.pid).cpuSeconds;
  const started = performance.now();
  const agent = await stack.startProcess(`agent-${prefix}`, ['agent', 'run', '--config', configFile]);
  const pid = Number(agent.ready.pid);
  const ready = performance.now();
  const before = processUsage(pid).cpuSeconds;
  try {
    const ids = fleet.map(({ meterId }) => meterId);
    const total = METERS * readings;
    const statusUrl = `${agent.ready.http_url}/api/status`;
    const acknowledged = async () => {
      const status = (await (await fetch(statusUrl)).json()) as { meters: { outbox: { stored: number } }[] };
      return status.meters.reduce((sum, meter) => sum + meter.outbox.stored, 0);
    };
    await until('all readings are acknowledged', async () => (await acknowledged()) === total, 600);
    const seconds = (performance.now() - ready) / 1000;
    const usage = processUsage(pid);
    const collectorCpu = processUsage(collector.pid).cpuSeconds - collectorBefore;
    const { rows } = await pool.query<{ count: number; last: number; ordered: boolean }>(
      `SELECT count(*)::int AS count, max(sequence)::int AS last, bool_and(in_order) AS ordered FROM (
         SELECT meter_id, sequence,
           submitted_at >= lag(submitted_at, 1, submitted_at) OVER (PARTITION BY meter_id ORDER BY sequence) AS in_order
         FROM meter_readings WHERE meter_id = ANY($1)) AS readings`,
      [ids],
    );
    const [row] = rows;
    if (row?.count !== total || row.last !== readings || !row.ordered) {
      throw new GtxError(
        'INTERNAL',
        `of ${total} readings there are ${row?.count} up to ${row?.last}, in order: ${row?.ordered}`,
      );
    }
    const figure = (name: string, value: number, unit: string): Figure => ({
      benchmark: 'offline',
      name: `${one.name}: ${name}`,
      value,
      unit,
    });
    return [
      figure('readings delivered, each once, in order', total, ''),
      figure('until the last is acknowledged', seconds, 's'),
      figure('gateway, from start to ready', (ready - started) / 1000, 's'),
      figure('gateway, processor time of delivery', usage.cpuSeconds - before, 's'),
      figure('gateway, largest resident memory', usage.peakRssMb, 'MB'),
      figure('collector, processor time', collectorCpu, 's'),
    ];
  } finally {
    await agent.stop();
    await pool.end();
  }
}

/** What a gateway has on its disk that measured and could not send: signed readings up to now, and the books after them. */
function fillOutbox(folder: string, meters: readonly BenchMeter[], readings: number): void {
  const outbox = Outbox.open(folder, {
    maxBytes: 256 * 1024 * 1024,
    keepMs: 30 * DAY_MS,
    recordKeepMs: 30 * DAY_MS,
  });
  const lastEnd = Math.floor(Date.now() / 1000 / INTERVAL_SECONDS) * INTERVAL_SECONDS;
  for (const meter of meters) {
    for (let sequence = 1; sequence <= readings; sequence += 1) {
      const end = lastEnd - (readings - sequence) * INTERVAL_SECONDS;
      const reading = meter.reading(sequence, end, INTERVAL_SECONDS);
      const bytes = encodeReading(reading);
      const [produced, consumed, surplus] = [
        reading.producedTotal.toString(),
        reading.consumedTotal.toString(),
        reading.surplusTotal.toString(),
      ];
      outbox.commitReading({
        meterId: meter.data.meterId,
        reading,
        bytes,
        signature: meter.sign(bytes),
        publicKey: meter.publicKey,
        amount: reading.surplusTotal / BigInt(sequence),
        account: JSON.stringify({
          version: 1,
          mode: 'bidirectional',
          source: 'bench',
          produced: { total: produced },
          consumed: { total: consumed },
          sequence: String(sequence),
          last_end: end,
          started_at: end - sequence * INTERVAL_SECONDS,
          signed: { produced, consumed, surplus },
          meter_reset: false,
          clock_set: false,
          serials: {},
        }),
        nowMs: end * 1000,
      });
    }
  }
  outbox.close();
}
