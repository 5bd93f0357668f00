/** The part of libsodium that the collector uses; the package ships no types. */
declare module 'sodium-native' {
  const sodium: {
    /** True when `signature` (64 bytes) over `message` verifies strictly with `publicKey` (32 bytes). */
    crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
    /** Writes the signature (64 bytes) of `message` with `secretKey` (64 bytes: seed, public key). */
    crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
    /** Writes the SHA-256 digest (32 bytes) of `input`. */
    crypto_hash_sha256(output: Uint8Array, input: Uint8Array): void;
    crypto_sign_keypair(publicKey: Uint8Array, secretKey: Uint8Array): void;
    crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
  };
  export default sodium;
}
