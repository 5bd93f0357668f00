import { createPrivateKey, type KeyObject, sign as signWith } from 'node:crypto';

/** PKCS #8 header of an Ed25519 private key (RFC 8410 section 7), before the 32 bytes of the seed. */
const PKCS8_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Reading a key costs more than signing with it. */
const keys = new Map<string, KeyObject>();

/** An Ed25519 signature (RFC 8032) by OpenSSL, an implementation that shares nothing with the chain's. */
export function sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  const name = Buffer.from(secretKey).toString('latin1');
  let key = keys.get(name);
  if (!key) {
    key = createPrivateKey({
      key: Buffer.concat([PKCS8_HEADER, secretKey.subarray(0, 32)]),
      format: 'der',
      type: 'pkcs8',
    });
    keys.set(name, key);
  }
  return new Uint8Array(signWith(null, message, key));
}
