/** How long a reading takes: to the database (acknowledged), and to the token (settlement confirmed on chain). */

import { eventsOf, REGISTRY_PROGRAM_ID } from '@gridtokenx/chain';
import { verifySignature } from '@gridtokenx/collector';
import {
  type Ack,
  decodeBase58,
  encodeEnvelopeMessage,
  GtxError,
  type SignedEnvelope,
  topicFor,
} from '@gridtokenx/protocol';
import { preparePublish, WireClient } from '@gridtokenx/simulator';
import { BenchMeter, registerFleet } from './fleet.js';
import type { Figure } from './report.js';
import { type Stack, until } from './stack.js';
import { percentile } from './statistics.js';

const METERS = 20;
const INTERVAL_SECONDS = 2;

/** One meter with its own connection, and when its readings were sent. */
interface Home {
  meter: BenchMeter;
  client: WireClient;
  sentAt: Map<number, number>;
  /** All readings up to here were counted. */
  stored: number;
  minted: number;
}

export async function measureLatency(
  stack: Stack,
  { quick, say }: { quick: boolean; say: (text: string) => void },
): Promise<Figure[]> {
  say(`registering ${METERS} meters on the chain`);
  const connection = stack.connection();
  const fleet = await registerFleet(connection, stack.registrar, { prefix: 'LATENCY', count: METERS });
  const collector = await stack.startCollector({ settlement: 'realtime', settlementSeconds: 60 });
  const toDatabase: number[] = [];
  const toToken: number[] = [];
  const homes: Home[] = [];
  const byId = new Map<string, Home>();
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
  };
  const subscription = connection.onLogs(
    REGISTRY_PROGRAM_ID,
    ({ err, logs }) => {
      const now = performance.now();
      const { events } = eventsOf({ err, logMessages: logs });
      const paid = new Set(
        events.flatMap((event) => (event.name === 'MeterBalanceSettled' ? [event.data.meterId] : [])),
      );
      for (const event of events) {
        if (event.name !== 'MeterReadingSubmitted' || !paid.has(event.data.meterId)) continue;
        const home = byId.get(event.data.meterId);
        if (home === undefined) continue;
        // A settlement carries the newest reading and pays for all before it.
        for (; home.minted < Number(event.data.sequence); home.minted += 1) {
          toToken.push(now - (home.sentAt.get(home.minted + 1) ?? now));
        }
      }
    },
    'confirmed',
  );
  try {
    const ackKey = stack.ackPublicKey;
    for (const data of fleet) {
      const meter = new BenchMeter(data);
      const topic = topicFor(data.meterId, 'ack');
      const home: Home = {
        meter,
        sentAt: new Map(),
        stored: 0,
        minted: 0,
        client: new WireClient({
          url: collector.mqttUrl,
          clientId: data.meterId,
          username: data.meterId,
          password: JSON.stringify([meter.login(Math.floor(Date.now() / 1000))]),
          onLost: fail,
          onMessage: (_topic, payload) => {
            const now = performance.now();
            const envelope = JSON.parse(payload.toString('utf8')) as SignedEnvelope;
            const signed = encodeEnvelopeMessage(topic, envelope.payload);
            if (!verifySignature(decodeBase58(envelope.signature, 64), signed, ackKey)) {
              fail(new GtxError('ACK_INVALID'));
              return;
            }
            const ack = JSON.parse(envelope.payload) as Ack;
            if (ack.refused.length > 0) fail(new GtxError('ACK_INVALID', `refused: ${ack.refused[0]?.code}`));
            for (; home.stored < Number(ack.through); home.stored += 1) {
              toDatabase.push(now - (home.sentAt.get(home.stored + 1) ?? now));
            }
          },
        }),
      };
      await home.client.start();
      await home.client.subscribe([topic]);
      homes.push(home);
      byId.set(data.meterId, home);
    }

    const readings = (quick ? 10 : 60) / INTERVAL_SECONDS;
    say(`${METERS} meters send a reading each ${INTERVAL_SECONDS} s, ${readings} times`);
    await Promise.all(
      homes.map(async (home, index) => {
        // Spread evenly, as homes are.
        await pause((index / METERS) * INTERVAL_SECONDS * 1000);
        const first = performance.now();
        for (let sequence = 1; sequence <= readings && failure === undefined; sequence += 1) {
          send(home, sequence);
          await pause(first + sequence * INTERVAL_SECONDS * 1000 - performance.now());
        }
      }),
    );
    const expected = METERS * readings;
    await until('the last settlement', () => failure !== undefined || toToken.length === expected, 120);
    if (failure !== undefined) throw failure;
    const figures = (name: string, values: readonly number[]): Figure[] =>
      [50, 99].map((percent) => ({
        benchmark: 'latency',
        name: `${name}, p${percent}`,
        value: percentile(values, percent),
        unit: 'ms',
      }));
    return [
      ...figures('reading to database', toDatabase),
      ...figures('reading to token', toToken),
      { benchmark: 'latency', name: 'readings', value: expected, unit: '' },
    ];
  } finally {
    for (const { client } of homes) client.stop();
    await connection.removeOnLogsListener(subscription);
    await collector.stop();
  }
}

function send({ meter, client, sentAt }: Home, sequence: number): void {
  const end = Math.floor(Date.now() / 1000);
  const body = meter.submission(meter.reading(sequence, end, 1));
  const message = preparePublish(topicFor(meter.data.meterId, 'reading'), JSON.stringify(body));
  sentAt.set(sequence, performance.now());
  client.publish([message]);
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}
