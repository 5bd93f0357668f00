import { expect, test } from 'vitest';
import { toJson } from './json.js';

test('writes 64-bit integers with all their digits, and leaves texts alone', () => {
  expect(toJson({ rentEpoch: 18446744073709551615n, small: 5n, text: '\u0001u64:7', left: undefined })).toBe(
    '{"rentEpoch":18446744073709551615,"small":5,"text":"\\u0001u64:7"}',
  );
});
