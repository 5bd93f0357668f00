/**
 * What the gateway costs: memory and processor time of a real process with four Modbus TCP meters sampled
 * each second. `node agent/dist/testing/cost.js [seconds] [node options...]` prints one line of JSON.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentProcess } from './agent-process.js';
import { TestHome, until } from './home.js';

const seconds = Number(process.argv[2] ?? 60);
const options = process.argv.slice(3);
const home = new TestHome();
await home.collector.start();
for (let index = 1; index <= 4; index++) {
  const simulator = await home.simulate([{ unit: 1 }]);
  const meter = home.meter(`MTR-00${index}`, simulator, 1);
  meter.config.devices = meter.config.devices.map(({ role, profile, unit, connection }) => ({
    role,
    profile,
    unit,
    connection,
  }));
}
const configFile = join(home.folder, 'agent.yaml');
writeFileSync(
  configFile,
  JSON.stringify(
    home.config({
      interval_seconds: 15,
      clock: { ntp: 'auto' },
      mqtt: { url: home.collector.url, telemetry_seconds: 10, status_seconds: 60 },
    }),
  ),
);
const started = performance.now();
const agent = new AgentProcess(configFile, options);
await until('started', () => agent.url !== undefined);
const startSeconds = (performance.now() - started) / 1000;
const metric = async (name: string) => {
  const text = await (await fetch(`${agent.url}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
};
await until('connected', async () => (await metric('gtx_agent_broker_connected')) === 1);
const written = () =>
  Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${agent.pid}/io`, 'utf8'))?.[1] ?? 0);
await new Promise((resolve) => setTimeout(resolve, 10_000));
const begin = {
  cpu: await metric('process_cpu_seconds_total'),
  samples: await metric('gtx_agent_device_samples_total'),
  written: written(),
  at: performance.now(),
};
let peak = 0;
while (performance.now() - begin.at < seconds * 1000) {
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const status = readFileSync(`/proc/${agent.pid}/status`, 'utf8');
  peak = Math.max(peak, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}
const elapsed = (performance.now() - begin.at) / 1000;
console.log(
  JSON.stringify({
    seconds: Math.round(elapsed),
    start_seconds: Number(startSeconds.toFixed(2)),
    peak_rss_mib: Number(peak.toFixed(1)),
    cpu_percent: Number(
      ((((await metric('process_cpu_seconds_total')) - begin.cpu) / elapsed) * 100).toFixed(2),
    ),
    samples_per_second: Number(
      (((await metric('gtx_agent_device_samples_total')) - begin.samples) / elapsed).toFixed(2),
    ),
    readings: await metric('gtx_agent_readings_total'),
    written_mb_per_day: Number(((((written() - begin.written) / elapsed) * 86_400) / 1e6).toFixed(1)),
    heap_used_mib: Number(((await metric('nodejs_heap_size_used_bytes')) / 2 ** 20).toFixed(1)),
    heap_total_mib: Number(((await metric('nodejs_heap_size_total_bytes')) / 2 ** 20).toFixed(1)),
    external_mib: Number(((await metric('nodejs_external_memory_bytes')) / 2 ** 20).toFixed(1)),
    rss: readFileSync(`/proc/${agent.pid}/status`, 'utf8').match(/Rss\w+:\s+\d+/g),
    node: process.version,
    options,
  }),
);
await agent.stop();
await home.close();
process.exit(0);
