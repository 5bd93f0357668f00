#!/usr/bin/env node
// The `gtx` command. The compiled program lies in dist/; a checkout that has not been built yet gets told so.
//
// Node's modules come by `require` here: an `import` loads more of them than a gateway needs.
import { createRequire } from 'node:module';

const { existsSync } = createRequire(import.meta.url)('node:fs');
const main = new URL('../dist/main.js', import.meta.url);
if (!existsSync(main)) {
  process.stderr.write('gtx is not built yet. Run "npm run build" in the checkout (or just "npm start").\n');
  process.exit(2);
}
const dist = new URL('../dist/', import.meta.url);
const args = process.argv.slice(2);
const { isGatewayCommand, isGatewayRun } = await import('@gridtokenx/agent/lean-options');
// A gateway has little memory: its limits hold for code that is loaded afterwards, so they come before everything.
if (isGatewayCommand(args)) await import('@gridtokenx/agent/lean');
if (isGatewayRun(args)) {
  const { packedGateway } = await import(new URL('packed-gateway.js', dist).href);
  await import((packedGateway(dist) ?? new URL('gateway.js', dist)).href);
} else await import(main.href);
