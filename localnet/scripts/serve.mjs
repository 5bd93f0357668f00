// Runs the built localnet as a process of its own: node localnet/scripts/serve.mjs --data-dir DIR [--port N]
// [--program ID=FILE.so]... [--upgrade-authority KEY]. Prints one line of JSON when it is ready; logs go to stderr.
import { parseArgs } from 'node:util';
import pino from 'pino';
import { startLocalnet } from '../dist/index.js';

const { values } = parseArgs({
  options: {
    'data-dir': { type: 'string' },
    port: { type: 'string', default: '0' },
    program: { type: 'string', multiple: true, default: [] },
    'upgrade-authority': { type: 'string' },
  },
});
if (!values['data-dir']) {
  process.stderr.write('--data-dir is needed\n');
  process.exit(2);
}
const localnet = await startLocalnet({
  dataDir: values['data-dir'],
  port: Number(values.port),
  programs: values.program.map((entry) => {
    const [id, soPath] = entry.split('=');
    return { id, soPath };
  }),
  ...(values['upgrade-authority'] ? { upgradeAuthority: values['upgrade-authority'] } : {}),
  logger: pino({ name: 'localnet' }, pino.destination(2)),
});
const { rpcUrl, wsUrl, genesisHash, faucet } = localnet;
process.stdout.write(
  `${JSON.stringify({ ready: true, component: 'localnet', rpcUrl, wsUrl, genesisHash, faucet, pid: process.pid })}\n`,
);
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    localnet.stop().then(
      () => process.exit(0),
      (error) => {
        process.stderr.write(`${error.stack}\n`);
        process.exit(1);
      },
    );
  });
}
