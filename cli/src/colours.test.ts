import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { fitted, palette, wantsColour, withoutStyles } from './colours.js';

describe('colour', () => {
  it.each<[boolean, boolean | undefined, Record<string, string>, boolean, string]>([
    [true, undefined, { TERM: 'xterm-256color' }, true, 'a terminal'],
    [false, undefined, { TERM: 'dumb' }, true, 'a terminal that knows none'],
    [false, undefined, { TERM: 'xterm' }, false, 'a pipe'],
    [false, undefined, { NO_COLOR: '1' }, true, 'NO_COLOR'],
    [true, undefined, { NO_COLOR: '' }, true, 'an empty NO_COLOR'],
    [true, undefined, { FORCE_COLOR: '1' }, false, 'FORCE_COLOR in a pipe'],
    [false, undefined, { FORCE_COLOR: '0' }, true, 'FORCE_COLOR=0'],
    [false, undefined, { FORCE_COLOR: '1', NO_COLOR: '1' }, true, 'both'],
    [false, false, { FORCE_COLOR: '1' }, true, '--no-color'],
    [true, true, {}, true, 'no --no-color'],
  ])('%s: %#', (wanted, flag, env, isTty, what) => {
    expect(wantsColour(flag, env, isTty), what).toBe(wanted);
  });

  it('leaves texts alone where it is not wanted', () => {
    const plain = palette(false);
    for (const paint of [plain.strong, plain.faint, plain.good, plain.doubtful, plain.bad, plain.fact]) {
      expect(paint('text')).toBe('text');
    }
  });
});

test('a line fits its columns, with what it says from the left, whatever its styles', () => {
  const { bad, strong } = palette(true);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ unit: 'grapheme-ascii', maxLength: 8 }), fc.boolean())),
      fc.integer({ min: 1, max: 40 }),
      (parts, columns) => {
        const line = parts.map(([text, isBad]) => (isBad ? bad(strong(text)) : text)).join('');
        const whole = withoutStyles(line);
        const seen = withoutStyles(fitted(line, columns));
        expect(seen).toBe(whole.length <= columns ? whole : `${whole.slice(0, columns - 1)}…`);
      },
    ),
  );
});
