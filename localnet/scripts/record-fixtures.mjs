// Records what a real validator answers, for the conformance test. Build first (npx tsc -b localnet), then, with a
// fresh ledger:
//   solana-test-validator --reset --ledger /tmp/ledger --bind-address 127.0.0.1
//   node localnet/scripts/record-fixtures.mjs http://127.0.0.1:8899
import { readFileSync, writeFileSync } from 'node:fs';
import { playScenario } from '../dist/conformance/scenario.js';

const [rpcUrl, output] = process.argv.slice(2);
if (!rpcUrl) {
  process.stderr.write('usage: node record-fixtures.mjs RPC_URL [OUTPUT.json]\n');
  process.exit(2);
}
const wsUrl = new URL(rpcUrl);
wsUrl.protocol = 'ws:';
wsUrl.port = String(Number(wsUrl.port || 80) + 1);
const exchanges = await playScenario(rpcUrl, wsUrl.href);
const version = exchanges.find(({ name }) => name === 'version')?.response.result['solana-core'];
const file = output ?? new URL('../src/fixtures/validator.json', import.meta.url);
writeFileSync(file, `${JSON.stringify({ validator: version, exchanges }, null, 1)}\n`);
process.stdout.write(`${exchanges.length} exchanges with solana-test-validator ${version} written\n`);
process.stdout.write(`${readFileSync(file).length} bytes\n`);
