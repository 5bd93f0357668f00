import { CommanderError } from 'commander';
import { type ProgramEnvironment, processEnvironment } from './command.js';
import { EXIT } from './exit-codes.js';
import { Output } from './output.js';
import { buildProgram } from './program.js';

/** Runs one command line (without node and script) and returns its exit code. Never throws. */
export async function runCommandLine(
  args: readonly string[],
  environment: Omit<ProgramEnvironment, 'exit'> = processEnvironment,
): Promise<number> {
  let code: number = EXIT.ok;
  const program = buildProgram({
    ...environment,
    exit: (given) => {
      code = given;
    },
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    // Commander has printed what is wrong. Help and version are no errors.
    if (error instanceof CommanderError)
      return error.exitCode === 0 && args.length > 0 ? EXIT.ok : EXIT.usage;
    new Output(args.includes('--json'), environment.streams).failure(error);
    return EXIT.failed;
  }
}
