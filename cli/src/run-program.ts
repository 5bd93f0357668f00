import { type Command, CommanderError } from 'commander';
import { type ProgramEnvironment, processEnvironment } from './command.js';
import { EXIT } from './exit-codes.js';
import { Output } from './output.js';

/**
 * Runs one command line (without node and script) on the tree of commands that `build` makes, and returns its exit code.
 * Never throws.
 */
export async function runProgram(
  build: (environment: ProgramEnvironment) => Command,
  args: readonly string[],
  environment: Omit<ProgramEnvironment, 'exit'> = processEnvironment,
): Promise<number> {
  let code: number = EXIT.ok;
  const program = build({
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
