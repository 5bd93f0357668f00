#!/usr/bin/env node
// The `gtx` command. The compiled program lies in dist/; a checkout that has not been built yet gets told so.
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (!existsSync(main)) {
  process.stderr.write('gtx is not built yet. Run "npm run build" in the checkout (or just "npm start").\n');
  process.exit(2);
}
// A gateway has little memory: its limits hold for code that is loaded afterwards, so they come before everything.
const { isGatewayCommand } = await import('@gridtokenx/agent/lean-options');
if (isGatewayCommand(process.argv.slice(2))) await import('@gridtokenx/agent/lean');
await import(main.href);
