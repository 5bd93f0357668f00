/** Ingestion without a broker, in one process: message bytes in, durable row and the commit's answer out. */

import { openConnection } from '@gridtokenx/chain';
import {
  Alerts,
  type Answer,
  ChainMirror,
  createPool,
  Ingest,
  Metrics,
  migrate,
  Partitions,
  Receiver,
} from '@gridtokenx/collector';
import pino from 'pino';
import { serve } from './child.js';
import { BenchMeter } from './fleet.js';
import { ingested, type ReadingsJob, submissionText, watchForStall } from './ingest-job.js';
import type { Progress } from './statistics.js';

export interface DirectJob extends ReadingsJob {
  databaseUrl: string;
  rpcUrl: string;
  wsUrl: string;
}

interface Message {
  meterId: string;
  payload: Buffer;
}

/** As the collector's defaults are. */
const LIMITS = {
  intervalSeconds: 1,
  batchRows: 500,
  batchMillis: 5,
  maxQueued: 20_000,
  maxQueuedPerMeter: 1000,
};

let job: DirectJob;
/** Meters taking turns, as they would arrive. */
let messages: Message[] = [];

function prepare(): void {
  const meters = job.meters.map((data) => new BenchMeter(data));
  messages = Array.from({ length: job.perMeter }, (_, index) => index).flatMap((index) =>
    meters.map((meter) => ({
      meterId: meter.data.meterId,
      payload: Buffer.from(submissionText(meter, job, index)),
    })),
  );
}

async function run(): Promise<void> {
  const logger = pino({ level: 'warn' }, pino.destination(2));
  const pool = createPool(job.databaseUrl, 10, logger);
  await migrate(pool, logger);
  const alerts = new Alerts(pool, logger);
  const connection = openConnection(job.rpcUrl, { wsUrl: job.wsUrl });
  const mirror = new ChainMirror({ pool, connection, alerts, logger, now: Date.now, config: {} });
  // What a gateway's login does: the database learns of the meter.
  for (const { meterId } of job.meters) await mirror.meter(meterId);

  const progress: Progress[] = [];
  let stored = 0;
  let onAnswers: (answers: readonly Answer[]) => void = () => undefined;
  const metrics = new Metrics();
  const partitions = new Partitions(pool);
  const ingest = new Ingest({
    pool,
    partitions,
    mirror,
    alerts,
    metrics,
    logger,
    now: Date.now,
    limits: LIMITS,
    onAnswers: (answers) => onAnswers(answers),
    onStored: () => undefined,
  });
  // What cannot be read at all would be refused over the broker; here there is none, and no such message.
  const acks = {
    refuse: () => {
      throw new Error('a reading could not be read');
    },
  };
  const receiver = new Receiver({ ingest, acks: acks as never, pool, metrics, logger, now: Date.now });
  ingest.start();
  let stall: { stop(): void } | undefined;
  try {
    await new Promise<void>((done, fail) => {
      stall = watchForStall(() => stored, fail);
      const atOnce = job.window * job.meters.length;
      let sent = 0;
      const feed = () => {
        while (sent < messages.length && sent - stored < atOnce) {
          const { meterId, payload } = messages[sent] as Message;
          sent += 1;
          void receiver.receive(meterId, payload);
        }
      };
      onAnswers = (answers) => {
        for (const { outcome, submission } of answers) {
          if (outcome.kind !== 'stored' || outcome.duplicate) {
            fail(
              new Error(`reading ${submission.reading.sequence} of ${submission.meterId}: ${outcome.kind}`),
            );
            return;
          }
        }
        stored += answers.length;
        progress.push({ atMillis: performance.now(), count: stored });
        if (stored === messages.length) done();
        // In the next turn, so that the batch's own work is not held up.
        else setImmediate(feed);
      };
      progress.push({ atMillis: performance.now(), count: 0 });
      feed();
    });
    // Before the connections end: PostgreSQL's processor time is read while its processes are there.
    process.send?.(ingested(progress, messages.length));
  } finally {
    stall?.stop();
    await ingest.stop();
    await pool.end();
  }
}

serve<{ prepare: DirectJob } | { run: true }>(async (message) => {
  if ('prepare' in message) {
    job = message.prepare;
    prepare();
    process.send?.({ prepared: true });
  } else {
    await run();
  }
});
