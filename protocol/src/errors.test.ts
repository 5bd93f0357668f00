import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, ERRORS, type ErrorCode, errorBody, GtxError, isErrorCode } from './index.js';

const DOC = new URL('../../docs/errors.md', import.meta.url);

/** docs/errors.md as it must be: written for a reader who has a code and wants to know what to do. */
function document(): string {
  const rows = ERROR_CODES.map((code) => {
    const { status, retry, meaning, action } = ERRORS[code];
    return `| \`${code}\` | ${status} | ${retry} | ${cell(meaning)} | ${cell(action)} |`;
  });
  return `# Errors

Every refusal and failure carries one of these codes: over HTTP in the body
\`{"error":{"code","message","retry","details"}}\`, in a gateway's acknowledgements, in alerts and in logs.

- **HTTP** is the status with which the code is answered; codes that never leave a component by HTTP have one too.
- **Retry** says whether the *same* reading or request can be accepted when it is sent again. \`never\`: it is final;
  go on with the next one (a later reading's totals cover the energy of a refused one). \`later\`: keep it and send it
  again after a while, without holding up other meters.
- **details** holds facts for a program, for example \`issues\` (field and reason) with INVALID_BODY.

| Code | HTTP | Retry | What happened | What to do |
|---|---|---|---|---|
${rows.join('\n')}

This page is made from \`protocol/src/errors.ts\`: after a change there run
\`UPDATE_DOCS=1 npx vitest run protocol/src/errors.test.ts\`.
`;
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

describe('the catalogue', () => {
  it('is the table of docs/errors.md (UPDATE_DOCS=1 writes it)', () => {
    if (process.env.UPDATE_DOCS === '1') writeFileSync(DOC, document());
    expect(readFileSync(DOC, 'utf8')).toBe(document());
  });

  it('has the codes that submitting a reading promises, with their status', () => {
    const promised: [ErrorCode, number][] = [
      ['INVALID_BODY', 400],
      ['INVALID_SIGNATURE', 401],
      ['METER_NOT_REGISTERED', 403],
      ['USER_NOT_VERIFIED', 403],
      ['WALLET_MISMATCH', 403],
      ['KEY_MISMATCH', 403],
      ['DUPLICATE_READING', 409],
      ['SEQUENCE_CONFLICT', 409],
      ['PAYLOAD_TOO_LARGE', 413],
      ['UNSUPPORTED_MEDIA_TYPE', 415],
      ['READING_TOO_OLD', 422],
      ['READING_IN_FUTURE', 422],
      ['INTERVAL_INVALID', 422],
      ['AMOUNT_MISMATCH', 422],
      ['TOTALS_DECREASED', 422],
      ['TOTALS_INCONSISTENT', 422],
      ['RATE_LIMITED', 429],
      ['STORAGE_UNAVAILABLE', 503],
    ];
    for (const [code, status] of promised) expect(ERRORS[code].status).toBe(status);
  });

  it.each(ERROR_CODES)('%s says what happened and what to do', (code) => {
    const { status, retry, meaning, action } = ERRORS[code];
    expect(code).toMatch(/^[A-Z][A-Z0-9_]{1,47}$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(['never', 'later']).toContain(retry);
    for (const text of [meaning, action]) expect(text).toMatch(/^[A-Za-z].*[.]$/);
    expect(isErrorCode(code)).toBe(true);
  });
});

describe('an error', () => {
  it('knows its status and whether to try again', () => {
    const error = new GtxError('USER_NOT_VERIFIED', undefined, { wallet: 'W' }, { cause: new Error('x') });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      code: 'USER_NOT_VERIFIED',
      status: 403,
      retry: 'later',
      message: ERRORS.USER_NOT_VERIFIED.meaning,
    });
    expect(errorBody(error)).toEqual({
      error: {
        code: 'USER_NOT_VERIFIED',
        message: ERRORS.USER_NOT_VERIFIED.meaning,
        retry: 'later',
        details: { wallet: 'W' },
      },
    });
  });

  it('of another kind leaves nothing of itself', () => {
    const text = JSON.stringify(errorBody(new Error('password=hunter2')));
    expect(text).not.toContain('hunter2');
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'INTERNAL', retry: 'later', details: {} } });
    expect(isErrorCode('toString')).toBe(false);
  });
});
