import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTopic, READINGS_FILTER, TOPIC_KINDS, topicFor } from './index.js';

const meterId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/);

describe('topics', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(meterId, fc.constantFrom(...TOPIC_KINDS), (id, kind) => {
        const topic = topicFor(id, kind);
        expect(parseTopic(topic)).toEqual({ meterId: id, kind });
        expect(topic).not.toMatch(/[+#\0]/);
      }),
    );
  });

  it.each([
    '',
    'gtx/v1',
    'gtx/v1/M',
    'gtx/v1/M/reading/',
    'gtx/v1/M/reading/x',
    '/gtx/v1/M/reading',
    'gtx/v2/M/reading',
    'GTX/v1/M/reading',
    'gtx/v1//reading',
    'gtx/v1/+/reading',
    'gtx/v1/#',
    'gtx/v1/M/readings',
    'gtx/v1/M/Reading',
    'gtx/v1/M N/reading',
    '$SYS/v1/M/reading',
    `gtx/v1/${'M'.repeat(33)}/reading`,
  ])('%j is none of ours', (topic) => {
    expect(parseTopic(topic)).toBeUndefined();
  });

  it('are refused for what is not a meter id, so that nobody can name a wildcard', () => {
    for (const id of ['+', '#', 'a/b', '']) {
      expect(() => topicFor(id, 'reading')).toThrowError(expect.objectContaining({ code: 'VALUE_INVALID' }));
    }
    expect(READINGS_FILTER).toBe('gtx/v1/+/reading');
  });
});
