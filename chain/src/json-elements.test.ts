import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonElements } from './json-elements.js';

/** Feeds a text in pieces of these lengths. */
function take(text: string, lengths: readonly number[], path = ['result', 'value']) {
  const elements = new JsonElements(path);
  const found: string[] = [];
  let at = 0;
  for (let turn = 0; at < text.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 1;
    found.push(...elements.push(text.slice(at, at + length)));
    at += length;
  }
  return { found: found.map((element) => JSON.parse(element) as unknown), rest: elements.rest() };
}

describe('JsonElements', () => {
  it('gives what JSON.parse gives, however the text is cut and whatever is in it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue(), { maxLength: 6 }),
        fc.jsonValue(),
        fc.boolean(),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(undefined, 2),
        (value, other, before, lengths, space) => {
          const result = before ? { context: other, value } : { value, context: other };
          const text = JSON.stringify({ other, result, value: [1, 2], last: [other] }, null, space);
          const { found, rest } = take(text, lengths);
          const whole = JSON.parse(text) as { result: { value: unknown[] } };
          expect(found).toEqual(whole.result.value);
          expect(JSON.parse(rest)).toEqual({ ...whole, result: { ...whole.result, value: [] } });
        },
      ),
    );
  });

  it('leaves an answer without the array as it is', () => {
    const text = '{"error":{"code":-32000,"message":"[{\\"no\\"","data":{"logs":[1,{"a":"]"}]}}}';
    expect(take(text, [3])).toEqual({ found: [], rest: text });
  });

  it('shows by what is left that a text broke off', () => {
    const { found, rest } = take('{"result":{"value":[{"a":1},{"b"', [7]);
    expect(found).toEqual([{ a: 1 }]);
    expect(() => JSON.parse(rest)).toThrow();
  });
});
