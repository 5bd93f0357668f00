import type { Command, Option } from 'commander';
import { examplesOf } from './command.js';
import { EXIT_MEANINGS } from './exit-codes.js';

/** Everything between these lines of docs/cli.md is written by {@link renderReference}. */
export const REFERENCE_BEGIN =
  '<!-- Generated from the commands themselves (VITEST_UPDATE_DOCS=1 npx vitest run cli/src/reference.test.ts): begin -->';
export const REFERENCE_END = '<!-- Generated: end -->';

/** The commands that do something (groups are not among them), in the order of the help text. */
export function leafCommands(command: Command): Command[] {
  const own = command.commands.filter((one) => one.name() !== 'help');
  return own.length === 0 ? [command] : own.flatMap(leafCommands);
}

/** "gtx chain init" */
export function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function optionRow(option: Option): string {
  const facts = [
    option.mandatory ? 'Required.' : undefined,
    option.argChoices === undefined
      ? undefined
      : `One of ${option.argChoices.map((one) => `\`${one}\``).join(', ')}.`,
    option.defaultValue === undefined || option.defaultValue === true
      ? undefined
      : `Default \`${String(option.defaultValue)}\`.`,
  ].filter((fact) => fact !== undefined);
  return `| \`${option.flags}\` | ${cell([`${option.description}.`, ...facts].join(' '))} |`;
}

/** The reference in Markdown: exit codes, then each command with its options and examples. */
export function renderReference(program: Command): string {
  const lines = ['## Exit codes', '', '| code | meaning |', '|---|---|'];
  for (const { code, meaning } of EXIT_MEANINGS) lines.push(`| ${code} | ${cell(meaning)} |`);
  lines.push('', '## Commands', '', '| command | what it does |', '|---|---|');
  const leaves = leafCommands(program);
  for (const leaf of leaves) {
    const name = fullName(leaf);
    lines.push(`| [\`${name}\`](#${name.replaceAll(' ', '-')}) | ${cell(leaf.summary())} |`);
  }
  for (const leaf of leaves) {
    const name = fullName(leaf);
    lines.push('', `### ${name}`, '', leaf.description(), '', '| option | meaning |', '|---|---|');
    for (const word of leaf.registeredArguments) {
      const flags = `${word.required ? '<' : '['}${word.name()}${word.variadic ? '...' : ''}${word.required ? '>' : ']'}`;
      lines.push(`| \`${flags}\` | ${cell(word.description)}. |`);
    }
    lines.push(...leaf.options.map(optionRow));
    for (const { command, shows } of examplesOf.get(leaf) ?? [])
      lines.push('', '```sh', command, '```', shows);
  }
  return `${lines.join('\n')}\n`;
}
