import { encodeBase58 } from '@gridtokenx/protocol';
import { getPublicKeyAsync, signAsync } from '@noble/ed25519';
import { getWallets } from '@wallet-standard/app';
import type { Signer } from './session.js';
import { base64, fromBase64, withSignature } from './transaction.js';

/** Names of the Wallet Standard's features, and what of them is used here. */
const SIGN_MESSAGE = 'solana:signMessage';
const SIGN_TRANSACTION = 'solana:signTransaction';
const CONNECT = 'standard:connect';

type StandardWallet = ReturnType<ReturnType<typeof getWallets>['get']>[number];
type Account = StandardWallet['accounts'][number];

interface Features {
  [CONNECT]: { connect(): Promise<{ accounts: readonly Account[] }> };
  [SIGN_MESSAGE]: {
    signMessage(input: {
      account: Account;
      message: Uint8Array;
    }): Promise<readonly { signature: Uint8Array }[]>;
  };
  [SIGN_TRANSACTION]: {
    signTransaction(input: {
      account: Account;
      transaction: Uint8Array;
    }): Promise<readonly { signedTransaction: Uint8Array }[]>;
  };
}

/** The wallets of this browser that can sign messages and transactions of Solana. */
export function browserWallets(): readonly StandardWallet[] {
  return getWallets()
    .get()
    .filter(({ features }) => [CONNECT, SIGN_MESSAGE, SIGN_TRANSACTION].every((name) => name in features));
}

/** Calls `listener` when a wallet comes or goes. */
export function onWalletsChange(listener: () => void): () => void {
  const wallets = getWallets();
  const ends = [wallets.on('register', listener), wallets.on('unregister', listener)];
  return () => {
    for (const end of ends) end();
  };
}

/** Asks a browser wallet to connect; its owner may decline (it throws then). */
export async function connectWallet(wallet: StandardWallet): Promise<Signer> {
  const features = wallet.features as unknown as Features;
  const { accounts } = await features[CONNECT].connect();
  const account = accounts[0] ?? wallet.accounts[0];
  if (!account) throw new Error(`${wallet.name} shared no account`);
  return {
    address: account.address,
    name: wallet.name,
    async signMessage(message) {
      const [signed] = await features[SIGN_MESSAGE].signMessage({ account, message });
      if (!signed) throw new Error(`${wallet.name} returned no signature`);
      return signed.signature;
    },
    async signTransaction(transaction) {
      const [signed] = await features[SIGN_TRANSACTION].signTransaction({
        account,
        transaction: fromBase64(transaction),
      });
      if (!signed) throw new Error(`${wallet.name} returned no transaction`);
      return base64(signed.signedTransaction);
    },
  };
}

/**
 * A key file in Solana's format (JSON array of 64 bytes), for demonstrations: the key stays in this window's memory.
 * @throws Error with what is wrong with the file; never with its content
 */
export async function keyFileSigner(text: string): Promise<Signer> {
  let bytes: unknown;
  try {
    bytes = JSON.parse(text);
  } catch {
    bytes = undefined;
  }
  const valid =
    Array.isArray(bytes) &&
    bytes.length === 64 &&
    bytes.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256);
  if (!valid) throw new Error('not a key file: a JSON array of 64 bytes');
  const secret = Uint8Array.from(bytes as number[]);
  const [seed, publicKey] = [secret.subarray(0, 32), secret.subarray(32)];
  const derived = await getPublicKeyAsync(seed);
  if (!derived.every((byte, index) => byte === publicKey[index]))
    throw new Error('not a key file: its two halves do not belong together');
  return {
    address: encodeBase58(publicKey),
    name: 'demo',
    signMessage: (message) => signAsync(message, seed),
    signTransaction: async (transaction) =>
      base64(await withSignature(fromBase64(transaction), publicKey, (message) => signAsync(message, seed))),
  };
}
