import { CommanderError } from 'commander';
import { EXIT } from './exit-codes.js';
import { Output } from './output.js';
import { buildProgram } from './program.js';

/** Runs one command line (without node and script) and returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const program = buildProgram();
  try {
    await program.parseAsync([...args], { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has printed what is wrong. Help and version are no errors.
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    }
    new Output(args.includes('--json')).failure(error);
    return EXIT.failed;
  }
}

process.exitCode = await main(process.argv.slice(2));
// Everything is closed by now; a forgotten socket must not keep the command from ending.
process.stdout.write('', () => process.stderr.write('', () => process.exit(process.exitCode)));
