import { expect, test } from 'vitest';
import { Panel } from './panel.js';

/** What a terminal shows of what was written: rows, the cursor moved by the two sequences that a panel uses. */
class Screen {
  readonly rows: string[] = [''];
  #row = 0;
  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is sent
    for (const part of text.split(/(\u001b\[\d*[AJ]|\n|\r)/)) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is sent
      const up = /^\u001b\[(\d+)A$/.exec(part);
      if (up) this.#row -= Number(up[1]);
      else if (part === '\u001b[J') this.rows.length = this.#row + 1;
      else if (part === '\r') this.rows[this.#row] = '';
      else if (part === '\n') {
        this.#row += 1;
        this.rows[this.#row] ??= '';
      } else if (part !== '') this.rows[this.#row] += part;
    }
  }
}

test('lines run above a panel that is drawn anew, and none of it is left behind', () => {
  const screen = new Screen();
  let columns = 12;
  const panel = new Panel(
    (text) => screen.write(text),
    () => columns,
    (run) => run(),
  );
  panel.line('first');
  panel.show(['Power 1 W', 'Today 2 kWh and much more']);
  expect(screen.rows).toEqual(['first', 'Power 1 W', 'Today 2 kWh…', '']);
  panel.line('second, longer than the terminal is wide');
  panel.show(['Power 3 W']);
  panel.line('third');
  expect(screen.rows).toEqual([
    'first',
    'second, longer than the terminal is wide',
    'third',
    'Power 3 W',
    '',
  ]);
  columns = 5;
  panel.show(['Power 4 W', 'Today']);
  panel.end();
  panel.line('after');
  expect(screen.rows.slice(2)).toEqual(['third', 'Powe…', 'Today', 'after', '']);
});

test('lines that come at once are one picture, and none is lost at the end', () => {
  const written: string[] = [];
  const later: (() => void)[] = [];
  const panel = new Panel(
    (text) => written.push(text),
    () => 80,
    (run) => later.push(run),
  );
  panel.show(['Power']);
  for (let index = 1; index <= 500; index++) panel.line(`message ${index}`);
  expect(later).toHaveLength(1);
  later[0]?.();
  expect(written).toHaveLength(2);
  expect(written[1]).toMatch(/message 1\nmessage 2\n[\s\S]*message 500\nPower\n$/);
  panel.line('the last');
  panel.end();
  later[1]?.();
  expect(written).toHaveLength(3);
  expect(written[2]).toContain('the last\nPower\n');
});
