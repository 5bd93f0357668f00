import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  encodeBase58,
  encodeLoginMessage,
  encodeReading,
  GtxError,
  type Reading,
} from '@gridtokenx/protocol';
import { afterAll, describe, expect, it } from 'vitest';
import { readKeyFile } from './keyfile.js';
import { MeterSigner } from './sign.js';
import { keyFileText, makeKey, verifyRaw } from './testing/collector.js';

const folder = mkdtempSync(join(tmpdir(), 'gtx-key-'));
afterAll(() => rmSync(folder, { recursive: true }));

function keyFile(text: string, mode = 0o600): string {
  const path = join(folder, `${Math.random()}.json`);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function refusal(run: () => unknown): GtxError {
  try {
    run();
  } catch (error) {
    if (error instanceof GtxError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

const reading: Reading = {
  flags: 0,
  sequence: 1n,
  intervalStart: 1_700_000_100,
  intervalEnd: 1_700_001_000,
  producedTotal: 25_000_000_000n,
  consumedTotal: 10_000_000_000n,
  surplusTotal: 15_000_000_000n,
};

describe('a meter key', () => {
  const key = makeKey();

  it('signs readings and logins that an independent implementation verifies', () => {
    const signer = MeterSigner.fromFile(keyFile(keyFileText(key)));
    expect(signer.publicKeyText).toBe(key.text);
    const { bytes, signature } = signer.signReading(reading);
    expect(bytes).toEqual(encodeReading(reading));
    expect(verifyRaw(signature, bytes, key.publicKey)).toBe(true);
    const login = signer.signLogin('MTR-001', 1_700_000_000);
    expect(
      verifyRaw(login, encodeLoginMessage({ meterId: 'MTR-001', unixSeconds: 1_700_000_000 }), key.publicKey),
    ).toBe(true);
  });

  it('is refused when others may read it, for every such mode', () => {
    for (const mode of [0o644, 0o640, 0o604, 0o660, 0o601, 0o777]) {
      expect(refusal(() => readKeyFile(keyFile(keyFileText(key), mode))).code).toBe('KEY_FILE_PERMISSIONS');
    }
    expect(readKeyFile(keyFile(keyFileText(key), 0o400)).publicKey).toEqual(new Uint8Array(key.publicKey));
  });

  it('is refused when it is no key, without its content in the message', () => {
    const secret = [...key.seed];
    const other = makeKey();
    for (const text of [
      '',
      'not json',
      JSON.stringify(secret),
      JSON.stringify([...secret, ...Array(31).fill(0)]),
      JSON.stringify([...secret, ...other.publicKey]),
      `[${secret.join(',')},`,
      JSON.stringify({ seed: secret }),
      JSON.stringify([...key.seed, ...key.publicKey].map((byte) => byte + 256)),
    ]) {
      const error = refusal(() => readKeyFile(keyFile(text)));
      expect(error.code).toBe('KEY_FILE_INVALID');
      expect(inspect(error)).not.toContain(secret.slice(0, 4).join(','));
    }
    expect(refusal(() => readKeyFile(join(folder, 'absent'))).code).toBe('KEY_FILE_INVALID');
    expect(refusal(() => readKeyFile(folder)).code).toBe('KEY_FILE_INVALID');
  });

  it('cannot be printed', () => {
    const signer = MeterSigner.fromFile(keyFile(keyFileText(key)));
    const shown = (inspect(signer, { depth: 10, showHidden: true }) + JSON.stringify(signer)).replaceAll(
      /\s/g,
      '',
    );
    const spellings = (key: Uint8Array): string[] => [
      [...key].join(','),
      JSON.stringify(Uint8Array.from(key)).slice(1, -1),
      Buffer.from(key).toString('hex'),
      Buffer.from(key).toString('base64'),
      encodeBase58(key),
    ];
    for (const spelling of spellings(key.seed)) expect(shown).not.toContain(spelling);
    // The public key is found in that way.
    expect(spellings(key.publicKey).map((one) => shown.includes(one))).toEqual([
      true,
      true,
      false,
      false,
      true,
    ]);
  });
});
