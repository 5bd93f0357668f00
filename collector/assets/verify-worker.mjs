// The thread behind src/validate/verifier.ts. Plain JavaScript, because a worker thread is started from a file:
// the same one from the sources and from the build.
import { parentPort } from 'node:worker_threads';
import sodium from 'sodium-native';

const MESSAGE_BYTES = 48;
const SIGNATURE_BYTES = 64;
const KEY_BYTES = 32;
const ENTRY_BYTES = MESSAGE_BYTES + SIGNATURE_BYTES + KEY_BYTES;

// In: entries one after the other, message, signature, key each. Out: a byte for each, 1 when it verifies.
parentPort.on('message', (packed) => {
  const count = packed.length / ENTRY_BYTES;
  const verdicts = new Uint8Array(count);
  for (let index = 0; index < count; index += 1) {
    const message = index * ENTRY_BYTES;
    const signature = message + MESSAGE_BYTES;
    const key = signature + SIGNATURE_BYTES;
    const good = sodium.crypto_sign_verify_detached(
      packed.subarray(signature, key),
      packed.subarray(message, signature),
      packed.subarray(key, key + KEY_BYTES),
    );
    verdicts[index] = good ? 1 : 0;
  }
  parentPort.postMessage(verdicts, [verdicts.buffer]);
});
