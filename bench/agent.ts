/** What the gateway needs: memory, processor time, writes and start of `gtx agent run` at four meters, sampled each second. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeKeypairFile } from '@gridtokenx/chain';
import { createPool } from '@gridtokenx/collector';
import { encodeBase58, GtxError } from '@gridtokenx/protocol';
import type { SimulatorConnection } from '@gridtokenx/simulator';
import { Keypair } from '@solana/web3.js';
import { Child } from './child.js';
import { RATED_WATTS, registerFleet } from './fleet.js';
import { processUsage, writtenBytes } from './process-usage.js';
import type { Figure } from './report.js';
import { type Stack, until } from './stack.js';

const METERS = 4;
/** As users have it. */
const USUAL_INTERVAL_SECONDS = 900;
/**
 * Time-lapse: intervals of 15 s in place of 900 and samples kept each second in place of each minute. So everything that is
 * written is written sixty times as often, in its usual proportions.
 */
const TIME_LAPSE = 60;
const INTERVAL_SECONDS = USUAL_INTERVAL_SECONDS / TIME_LAPSE;

/** Part of what `/api/status` says of a meter. */
interface MeterView {
  last_sample_ms: number | null;
  healthy: boolean;
}

export async function measureAgent(
  stack: Stack,
  { quick, say, tls }: { quick: boolean; say: (text: string) => void; tls: boolean },
): Promise<Figure[]> {
  // As users have it: `npm start` and the packages pack the gateway, `tsc -b` alone does not.
  execFileSync(process.execPath, [fileURLToPath(new URL('../../scripts/pack-gateway.mjs', import.meta.url))]);
  say(`registering ${METERS} meters on the chain`);
  const fleet = await registerFleet(stack.connection(), stack.registrar, { prefix: 'AGENT', count: METERS });
  const tlsDir = join(stack.layout.root, 'tls');
  const collector = await stack.startCollector({
    settlement: 'interval',
    settlementSeconds: 60,
    ...(tls && { env: { GTX_TLS_DIR: tlsDir, GTX_HTTP_TLS: 'on' } }),
  });
  const simulators = new Child('agent-meters');
  const pool = createPool(stack.databaseUrl, 4, stack.logger);
  let agent: Awaited<ReturnType<Stack['startProcess']>> | undefined;
  try {
    simulators.send({ meters: METERS });
    const { connections } = await simulators.next<{ connections: SimulatorConnection[] }>();
    const meters = fleet.map(({ meterId, wallet, secretKey }, index) => {
      const keyFile = join(stack.layout.keys, `${meterId}.json`);
      writeKeypairFile(keyFile, Keypair.fromSecretKey(Uint8Array.from(secretKey)));
      return {
        id: meterId,
        key_file: keyFile,
        wallet,
        mode: 'bidirectional',
        rated_watts: RATED_WATTS,
        devices: [{ role: 'grid', profile: 'eastron-sdm630', unit: 1, connection: connections[index] }],
      };
    });
    const config = {
      data_dir: stack.layout.agent,
      interval_seconds: INTERVAL_SECONDS,
      sample_seconds: 1,
      record_seconds: 1,
      collector_key: encodeBase58(stack.ackPublicKey),
      collector_url: collector.httpUrl,
      mqtt: { url: collector.mqttUrl, ...(tls && { ca_file: join(tlsDir, 'ca.pem') }) },
      http: { port: 0 },
      meters,
    };
    const configFile = join(stack.layout.root, 'agent.yaml');
    // JSON is YAML.
    writeFileSync(configFile, JSON.stringify(config), { mode: 0o600 });
    say(`starting the gateway with Node ${stack.gatewayNodeVersion()}`);
    const spawned = performance.now();
    agent = await stack.startProcess('agent', ['agent', 'run', '--config', configFile]);
    const pid = Number(agent.ready.pid);
    const statusUrl = `${agent.ready.http_url}/api/status`;
    const everyMeter = async (what: string, holds: (meter: MeterView) => boolean) => {
      const status = async () => (await (await fetch(statusUrl)).json()) as { meters: MeterView[] };
      await until(what, async () => (await status()).meters.every(holds), 120);
      return (performance.now() - spawned) / 1000;
    };
    const measuring = await everyMeter('a sample of each meter', (meter) => meter.last_sample_ms !== null);
    const startCpuSeconds = processUsage(pid).cpuSeconds;
    const believed = await everyMeter('a base of each meter', (meter) => meter.healthy);
    const storedReadings = async () => {
      const { rows } = await pool.query<{ stored: string }>(
        "SELECT coalesce(sum(last_sequence), 0) AS stored FROM meters WHERE meter_id LIKE 'AGENT-%'",
      );
      return Number(rows[0]?.stored);
    };
    say('waiting for the gateway’s first readings');
    await until('a reading of each meter', async () => (await storedReadings()) >= METERS, 120);

    const seconds = quick ? 15 : 120;
    say(`watching the gateway for ${seconds} s`);
    const before = processUsage(pid);
    const writtenBefore = writtenBytes(pid);
    const storedBefore = await storedReadings();
    const started = performance.now();
    let largest = before.rssMb;
    while (performance.now() - started < seconds * 1000) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      largest = Math.max(largest, processUsage(pid).rssMb);
    }
    const after = processUsage(pid);
    const written = writtenBytes(pid) - writtenBefore;
    const elapsed = (performance.now() - started) / 1000;
    const stored = (await storedReadings()) - storedBefore;
    if (stored === 0) throw new GtxError('TIMEOUT', 'the gateway delivered no reading while it was watched');
    const cpu = ((after.cpuSeconds - before.cpuSeconds) / elapsed) * 100;
    const figure = (name: string, value: number, unit: string, goal?: Figure['goal']): Figure => ({
      benchmark: 'agent',
      name,
      value,
      unit,
      ...(goal && { goal }),
    });
    return [
      figure('resident memory, largest', largest, 'MB', { atMost: 70 }),
      figure('processor', cpu, 'percent of a core', { atMost: 1 }),
      figure('resident memory since its start, peak', after.peakRssMb, 'MB'),
      figure('from its start until it shows the first sample of all meters', measuring, 's', { atMost: 2 }),
      figure('processor time until then', startCpuSeconds, 's'),
      figure('from its start until all meters are believed and it signs', believed, 's'),
      figure('written to disk a day', ((written / elapsed) * 86_400) / TIME_LAPSE / 1e6, 'MB', {
        atMost: 50,
      }),
      figure('written for each reading', written / stored / 1000, 'kB'),
      figure('measured for', elapsed, 's'),
      figure('readings delivered meanwhile', stored, ''),
    ];
  } finally {
    await agent?.stop();
    await simulators.stop();
    await pool.end();
    await collector.stop();
  }
}
