/** A gateway as a process of its own, for tests that kill it: `node run-agent.js config.yaml`. */
await import('../lean.js');
const { default: pino } = await import('pino');
const { loadAgentConfig, startAgent } = await import('../index.js');

const logger = pino(pino.destination({ dest: 2, sync: true }));
const agent = await startAgent(loadAgentConfig(process.argv[2] as string), { logger });
process.stdout.write(`${JSON.stringify({ ready: true, url: agent.url, pid: process.pid })}\n`);
process.once('SIGTERM', () => void agent.stop().then(() => process.exit(0)));

export {};
