import { type ProgramEnvironment, processEnvironment } from './command.js';
import { buildProgram } from './program.js';
import { runProgram } from './run-program.js';

/** Runs one command line (without node and script) and returns its exit code. Never throws. */
export const runCommandLine = (
  args: readonly string[],
  environment: Omit<ProgramEnvironment, 'exit'> = processEnvironment,
): Promise<number> => runProgram(buildProgram, args, environment);
