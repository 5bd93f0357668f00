import { readFileSync } from 'node:fs';
import { GtxError } from '@gridtokenx/protocol';
import { Option } from 'commander';
import { type Palette, palette, wantsColour } from '../colours.js';
import { type Context, valueOption } from '../command.js';

/** What commands that speak to a collector from elsewhere have in common. */
export const collectorUrl = (): Option =>
  valueOption(
    '--url <url>',
    'the collector (default: GTX_COLLECTOR_URL, else what gtx up runs, else http://127.0.0.1:8080)',
  );

/** commander's negation: `color` is true unless it is given. */
export const noColor = (): Option =>
  new Option(
    '--no-color',
    'no colours on a terminal (NO_COLOR says so too; FORCE_COLOR wants them in a pipe)',
  );

/** The palette of a command's stdout. JSON has no colours. */
export const paletteOf = ({ out, env }: Context, flag: boolean | undefined): Palette =>
  palette(!out.json && wantsColour(flag, env, out.isTty));

/** A PEM file of the command line. @throws GtxError CONFIG_INVALID */
export function pemFile(option: string, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new GtxError('CONFIG_INVALID', `${option}: ${(error as Error).message}`);
  }
  if (!text.includes('-----BEGIN '))
    throw new GtxError('CONFIG_INVALID', `${option}: ${path} is no PEM file`);
  return text;
}
