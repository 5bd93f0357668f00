import { type Command, InvalidArgumentError, Option } from 'commander';
import { EXIT, exitCodeOf } from './exit-codes.js';
import { explainMissingPackage } from './missing-package.js';
import { Output, processStreams, type Streams } from './output.js';

/** What every action gets besides its own options. */
export interface Context {
  readonly out: Output;
  readonly dataDirFlag: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Aborts at the first Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
  /** The words of the command line that belong to no flag. */
  readonly words: readonly string[];
}

export interface Example {
  readonly command: string;
  readonly shows: string;
}

export interface CommandDefinition<Options> {
  readonly name: string;
  /** What its group does when no command of the group is named. */
  readonly isDefault?: boolean;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** The rest: when to use it, what it needs, what it leaves behind. */
  readonly description: string;
  /** Words without a flag, for example `<file...>`; their values come to the action in `context.words`. */
  readonly words?: { readonly syntax: string; readonly description: string };
  readonly options: readonly Option[];
  readonly examples: readonly [Example, ...Example[]];
  /** Returns the exit code; nothing means 0. */
  action(options: Options, context: Context): Promise<number | undefined>;
}

export interface ProgramEnvironment {
  readonly streams: Streams;
  readonly env: NodeJS.ProcessEnv;
  /** Called once with the exit code of the command that ran. */
  exit(code: number): void;
}

export const processEnvironment: ProgramEnvironment = {
  streams: processStreams,
  env: process.env,
  exit: (code) => {
    process.exitCode = code;
  },
};

const examplesText = (examples: readonly Example[]): string =>
  `\nExamples:\n${examples.map(({ command, shows }) => `  $ ${command}\n      ${shows}`).join('\n')}\n`;

/** Adds one command with what all have in common: `--json`, `--data-dir`, examples, error and exit-code handling. */
export function addCommand<Options extends object>(
  parent: Command,
  definition: CommandDefinition<Options>,
  environment: ProgramEnvironment,
): Command {
  const command = parent
    .command(definition.name, { isDefault: definition.isDefault === true })
    .summary(definition.summary)
    .description(`${definition.summary}\n\n${definition.description}`)
    .allowExcessArguments(false)
    .showHelpAfterError('(add --help for the options and an example)');
  if (definition.words) command.argument(definition.words.syntax, definition.words.description);
  for (const option of definition.options) command.addOption(option);
  command
    .option(
      '--data-dir <folder>',
      'data folder (default: GTX_DATA_DIR, else ~/.gridtokenx, for root /var/lib/gridtokenx)',
    )
    .option('--json', 'print one JSON value on stdout instead of text')
    .addHelpText('after', examplesText(definition.examples));
  examplesOf.set(command, definition.examples);
  command.action(async () => {
    const raw = command.opts<Options & { json?: boolean; dataDir?: string }>();
    const out = new Output(raw.json === true, environment.streams);
    const abort = new AbortController();
    const onSignal = (): void => abort.abort();
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
    try {
      const code = await definition.action(raw, {
        out,
        dataDirFlag: raw.dataDir,
        env: environment.env,
        interrupted: abort.signal,
        words: command.args,
      });
      environment.exit(code ?? EXIT.ok);
    } catch (thrown) {
      const error = explainMissingPackage(thrown);
      out.failure(error);
      environment.exit(exitCodeOf(error));
    } finally {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    }
  });
  return command;
}

/** The examples a command was defined with (for its help text and the reference page). */
export const examplesOf = new WeakMap<Command, readonly Example[]>();

/** Adds a group of commands (`gtx chain init`). */
export const addGroup = (parent: Command, name: string, summary: string): Command =>
  parent.command(name).summary(summary).description(summary).allowExcessArguments(false);

/** An option that takes a value. */
export const valueOption = (flags: string, description: string): Option => new Option(flags, description);

/** An option with an integer value within bounds. */
export function integerOption(flags: string, description: string, least: number, most: number): Option {
  return new Option(flags, description).argParser((text: string) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  });
}

/** An option whose value `parse` turns into something else; what it throws becomes a usage error (exit code 2). */
export function parsedOption<T>(flags: string, description: string, parse: (text: string) => T): Option {
  return new Option(flags, description).argParser((text: string) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  });
}
