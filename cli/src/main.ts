import { runCommandLine } from './command-line.js';

const code = await runCommandLine(process.argv.slice(2));
// What was printed goes out; then nothing that was forgotten open keeps the command from ending.
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
await new Promise<void>((resolve) => process.stderr.write('', () => resolve()));
process.exit(code);
