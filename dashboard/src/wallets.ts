import { encodeBase58 } from '@gridtokenx/protocol';
import { getPublicKeyAsync, signAsync } from '@noble/ed25519';
import { getWallets } from '@wallet-standard/app';
import type { Signer } from './session.js';
import { TextError } from './text/index.js';
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

/** A wallet did not do what it was asked for. */
export class WalletRefused extends Error {
  constructor(
    /** What it is called. */
    readonly wallet: string,
    /** Its owner said no; else something is wrong with it. */
    readonly declined: boolean,
    message: string,
  ) {
    super(message);
  }
}

/** EIP-1193 "User Rejected Request", which wallets of other chains use too, and the Wallet Standard's own. */
const DECLINED = new Set([4001, 4_001_000]);

/** Whether a wallet's owner said no: by its code, or, since many have none, by its words. */
function isDecline(error: unknown): boolean {
  const { code, context, message } = (error ?? {}) as {
    code?: unknown;
    context?: { __code?: unknown };
    message?: unknown;
  };
  if (DECLINED.has(code as number) || DECLINED.has(context?.__code as number)) return true;
  return typeof message === 'string' && /\b(reject|declin|denied|cancel)/i.test(message);
}

/** @throws WalletRefused instead of whatever the wallet throws */
async function asked<T>(wallet: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof WalletRefused) throw error;
    throw new WalletRefused(wallet, isDecline(error), error instanceof Error ? error.message : String(error));
  }
}

/** Asks a browser wallet to connect. @throws WalletRefused */
export async function connectWallet(wallet: StandardWallet): Promise<Signer> {
  const { name } = wallet;
  const features = wallet.features as unknown as Features;
  const { accounts } = await asked(name, () => features[CONNECT].connect());
  const account = accounts[0] ?? wallet.accounts[0];
  if (!account) throw new WalletRefused(name, false, 'it shared no account');
  return {
    address: account.address,
    name,
    signMessage: (message) =>
      asked(name, async () => {
        const [signed] = await features[SIGN_MESSAGE].signMessage({ account, message });
        if (!signed) throw new WalletRefused(name, false, 'it returned no signature');
        return signed.signature;
      }),
    signTransaction: (transaction) =>
      asked(name, async () => {
        const [signed] = await features[SIGN_TRANSACTION].signTransaction({
          account,
          transaction: fromBase64(transaction),
        });
        if (!signed) throw new WalletRefused(name, false, 'it returned no transaction');
        return base64(signed.signedTransaction);
      }),
  };
}

/**
 * A key file in Solana's format (JSON array of 64 bytes), for demonstrations: the key stays in this window's memory.
 * @throws TextError with what is wrong with the file; never with its content
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
  if (!valid) throw new TextError('wallet.file.form');
  const secret = Uint8Array.from(bytes as number[]);
  const [seed, publicKey] = [secret.subarray(0, 32), secret.subarray(32)];
  const derived = await getPublicKeyAsync(seed);
  if (!derived.every((byte, index) => byte === publicKey[index])) throw new TextError('wallet.file.halves');
  return {
    address: encodeBase58(publicKey),
    name: 'demo',
    signMessage: (message) => signAsync(message, seed),
    signTransaction: async (transaction) =>
      base64(await withSignature(fromBase64(transaction), publicKey, (message) => signAsync(message, seed))),
  };
}
