import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { ProgramEnvironment } from './command.js';
import { EXIT_MEANINGS } from './exit-codes.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** `gtx` itself, with no command yet. */
export function rootProgram(environment: ProgramEnvironment): Command {
  return new Command('gtx')
    .description(
      'gridtokenx: a metered kilowatt-hour becomes a GRID token on Solana, only where a program has checked the meter’s signature.',
    )
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => environment.streams.out(text),
      writeErr: (text) => environment.streams.err(text),
    })
    .showHelpAfterError('(add --help for the list of commands)')
    .addHelpText(
      'after',
      `\nExamples:\n  $ gtx up\n      Everything on this machine, with one live view.\n  $ gtx status --json\n      What runs, where, how it is.\n\nExit codes:\n${EXIT_MEANINGS.map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}`).join('\n')}\n`,
    );
}
