import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { encodeBase58 } from '@gridtokenx/protocol';
import { Keypair, VersionedTransaction } from '@solana/web3.js';
import type { Page } from 'playwright-core';

/**
 * A wallet as browser extensions are: its key is outside of the page, which only sees an object that was registered by the Wallet
 * Standard's events, and asks it to sign. (wallet-standard/wallet-standard, "Registering wallets"; Solana's extensions
 * `solana:signMessage` and `solana:signTransaction`.)
 */
export class TestWallet {
  readonly name = 'Test Wallet';
  readonly address: string;
  /** What its owner does when asked: signs, waits first, declines with the code that wallets have for it, or without one. */
  mood: 'sign' | 'wait' | 'decline' | 'decline in words' | 'fail' = 'sign';
  /** Whoever waits signs now. */
  sign: () => void = () => {};
  /** What it was asked to sign, as it would show it. */
  readonly asked: string[] = [];
  private readonly keypair: Keypair;
  private readonly key: KeyObject;

  /** @param keyFile in Solana's format */
  constructor(keyFile: string) {
    const bytes = Uint8Array.from(JSON.parse(readFileSync(keyFile, 'utf8')) as number[]);
    this.keypair = Keypair.fromSecretKey(bytes);
    this.address = encodeBase58(this.keypair.publicKey.toBytes());
    // RFC 8410: the prefix of an Ed25519 private key in PKCS #8.
    const der = Buffer.concat([
      Buffer.from('302e020100300506032b657004220420', 'hex'),
      bytes.subarray(0, 32),
    ]);
    this.key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  }

  /** Puts the wallet into every page of this window, before the page's own scripts run. */
  async install(page: Page): Promise<void> {
    await page.exposeFunction('testWallet', (what: 'message' | 'transaction' | 'connect', base64: string) =>
      this.answer(what, base64),
    );
    await page.addInitScript(
      wallet(this.name, this.address, Buffer.from(this.keypair.publicKey.toBytes()).toString('base64')),
    );
  }

  private async answer(
    what: 'message' | 'transaction' | 'connect',
    base64: string,
  ): Promise<{ value?: string; code?: number; message?: string }> {
    if (this.mood === 'decline') return { code: 4001, message: 'User rejected the request.' };
    if (this.mood === 'decline in words') return { message: 'Transaction cancelled' };
    if (this.mood === 'fail') return { message: 'the device is locked' };
    const bytes = Buffer.from(base64, 'base64');
    if (what === 'connect') return {};
    if (what === 'message') {
      this.asked.push(bytes.toString('utf8'));
      await this.patience();
      return { value: sign(null, bytes, this.key).toString('base64') };
    }
    this.asked.push('transaction');
    await this.patience();
    const transaction = VersionedTransaction.deserialize(bytes);
    transaction.sign([this.keypair]);
    return { value: Buffer.from(transaction.serialize()).toString('base64') };
  }

  private async patience(): Promise<void> {
    if (this.mood !== 'wait') return;
    await new Promise<void>((resolve) => {
      this.sign = resolve;
    });
  }
}

/** The wallet's part in the page. */
const wallet = (name: string, address: string, publicKey: string): string => `(() => {
  const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const base64 = (array) => btoa(String.fromCharCode(...array));
  const ask = async (what, input) => {
    const { value, code, message } = await testWallet(what, base64(input));
    if (message !== undefined) throw Object.assign(new Error(message), code === undefined ? {} : { code });
    return value === undefined ? undefined : bytes(value);
  };
  const chains = ['solana:localnet', 'solana:devnet', 'solana:testnet', 'solana:mainnet'];
  const account = {
    address: ${JSON.stringify(address)},
    publicKey: bytes(${JSON.stringify(publicKey)}),
    chains,
    features: ['solana:signMessage', 'solana:signTransaction'],
  };
  const wallet = {
    version: '1.0.0',
    name: ${JSON.stringify(name)},
    icon: 'data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=',
    chains,
    accounts: [],
    features: {
      'standard:connect': {
        version: '1.0.0',
        async connect() {
          await ask('connect', new Uint8Array());
          this.owner.accounts = [account];
          return { accounts: [account] };
        },
      },
      'standard:events': { version: '1.0.0', on: () => () => {} },
      'solana:signMessage': {
        version: '1.0.0',
        signMessage: (...inputs) =>
          Promise.all(inputs.map(async ({ message }) => ({ signedMessage: message, signature: await ask('message', message) }))),
      },
      'solana:signTransaction': {
        version: '1.0.0',
        supportedTransactionVersions: ['legacy', 0],
        signTransaction: (...inputs) =>
          Promise.all(inputs.map(async ({ transaction }) => ({ signedTransaction: await ask('transaction', transaction) }))),
      },
    },
  };
  wallet.features['standard:connect'].owner = wallet;
  // Either may be there first: the wallet tells the page, and answers when the page asks.
  const register = ({ register }) => register(wallet);
  addEventListener('wallet-standard:app-ready', ({ detail }) => register(detail));
  dispatchEvent(new CustomEvent('wallet-standard:register-wallet', { detail: register }));
})()`;
