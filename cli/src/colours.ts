/**
 * Colour for people, and only where it is seen: on a terminal, or where somebody asks for it. NO_COLOR
 * (https://no-color.org) and FORCE_COLOR (https://force-color.org) are obeyed when they are not empty.
 */

export interface Palette {
  readonly on: boolean;
  strong(text: string): string;
  faint(text: string): string;
  good(text: string): string;
  doubtful(text: string): string;
  bad(text: string): string;
  fact(text: string): string;
}

/**
 * Whether to colour. What was said on the command line counts most, then NO_COLOR, then FORCE_COLOR (`0` and `false`
 * are a no), then whether stdout is a terminal that knows colours.
 */
export function wantsColour(
  flag: boolean | undefined,
  env: Readonly<Record<string, string | undefined>>,
  isTty: boolean,
): boolean {
  if (flag === false) return false;
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return !/^(0|false)$/i.test(env.FORCE_COLOR);
  return isTty && env.TERM !== 'dumb';
}

/** Select Graphic Rendition (ECMA-48 8.3.117): what begins it and what ends it. The 16 colours of any terminal's theme. */
const style =
  (on: boolean, begin: number, end: number) =>
  (text: string): string =>
    on ? `\u001b[${begin}m${text}\u001b[${end}m` : text;

export const palette = (on: boolean): Palette => ({
  on,
  strong: style(on, 1, 22),
  faint: style(on, 2, 22),
  bad: style(on, 31, 39),
  good: style(on, 32, 39),
  doubtful: style(on, 33, 39),
  fact: style(on, 36, 39),
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape is what begins a style
const STYLE = /\u001b\[\d+m/g;

/** What a person sees of a text. */
export const withoutStyles = (text: string): string => text.replace(STYLE, '');

/** A line shortened to a number of columns, with its styles ended. */
export function fitted(line: string, columns: number): string {
  if (withoutStyles(line).length <= columns) return line;
  let seen = 0;
  let cut = '';
  let styled = false;
  for (let index = 0; index < line.length && seen < columns - 1; ) {
    STYLE.lastIndex = index;
    const found = STYLE.exec(line);
    if (found?.index === index) {
      cut += found[0];
      styled = true;
      index += found[0].length;
    } else {
      cut += line[index];
      seen += 1;
      index += 1;
    }
  }
  return `${cut}…${styled ? '\u001b[0m' : ''}`;
}
