import { type Challenge, LoginTokens, type Role } from '@gridtokenx/protocol';
import { computed, signal } from '@preact/signals';
import { ApiError, ask, credentials } from './api.js';
import { link } from './link.js';

/** Something that signs for a wallet: a browser wallet, or the demo's key file. */
export interface Signer {
  /** Base58. */
  readonly address: string;
  /** What it is called on the page. */
  readonly name: string;
  /** The Ed25519 signature of these bytes, 64 bytes. */
  signMessage(message: Uint8Array): Promise<Uint8Array>;
  /** A transaction (wire format, base64) with this wallet's signature put in. */
  signTransaction(transaction: string): Promise<string>;
}

const STORED = 'gtx.session';
/** A token that ends within this time is renewed before it is used. */
const EARLY_MS = 30_000;

function stored(): LoginTokens | undefined {
  try {
    const parsed = LoginTokens.safeParse(JSON.parse(globalThis.localStorage?.getItem(STORED) ?? 'null'));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

const tokens = signal<LoginTokens | undefined>(stored());

/** Whose login this is; undefined: nobody's. */
export const wallet = computed<string | undefined>(() => tokens.value?.wallet);
export const roles = computed<readonly Role[]>(() => tokens.value?.roles ?? []);
/** Signs for the wallet in this window; a login outlasts it. */
export const signer = signal<Signer | undefined>(undefined);

/** A wallet that was connected only to sign decisions, beside the login; the login's own signs where there is none. */
const connected = signal<Signer | undefined>(undefined);
export const hasDecider = computed<boolean>(() => connected.value !== undefined);
/** Signs what an operator decides. */
export const decider = computed<Signer | undefined>(() => connected.value ?? signer.value);

/** @param by without it: disconnects the one that was connected */
export function decideBy(by?: Signer): void {
  connected.value = by;
}

function keep(next: LoginTokens | undefined): void {
  tokens.value = next;
  if (next) globalThis.localStorage?.setItem(STORED, JSON.stringify(next));
  else globalThis.localStorage?.removeItem(STORED);
}

/** Another window has logged in, renewed or logged out. */
globalThis.addEventListener?.('storage', (event) => {
  if (event.key === STORED) tokens.value = stored();
});

const fresh = (login: LoginTokens): boolean => Date.parse(login.expires_at) - Date.now() > EARLY_MS;

/**
 * The access token, renewed when it is about to end. A refresh token counts once, so only one window renews, and the others
 * take what it got.
 */
async function accessToken(): Promise<string | undefined> {
  if (tokens.value === undefined) return undefined;
  if (fresh(tokens.value)) return tokens.value.access_token;
  return navigator.locks.request('gtx.session', async () => {
    const current = stored();
    if (current === undefined) {
      tokens.value = undefined;
      return undefined;
    }
    if (fresh(current)) {
      tokens.value = current;
      return current.access_token;
    }
    try {
      const next = await ask<LoginTokens>('/api/auth/refresh', {
        method: 'POST',
        anonymous: true,
        body: { refresh_token: current.refresh_token },
      });
      keep(next);
      return next.access_token;
    } catch (error) {
      // Ended by the collector: logged out. Without an answer the login stands, and is tried again.
      if (error instanceof ApiError && error.code === 'UNAUTHENTICATED') {
        keep(undefined);
        return undefined;
      }
      throw error;
    }
  });
}
credentials.token = accessToken;

/** An operator's name and password; only in this window's memory, gone when it is loaded again. */
const operatorPassword = signal<{ username: string; password: string } | undefined>(undefined);
credentials.password = () => operatorPassword.value;
export const hasPassword = computed<boolean>(() => operatorPassword.value !== undefined);

/** @param username without it: forgets them */
export function usePassword(username?: string, password = ''): void {
  operatorPassword.value = username === undefined ? undefined : { username, password };
  if (username === undefined) decideBy();
  void link.loginChanged();
}

/** @throws ApiError, or what the wallet throws when its owner declines. */
export async function logIn(by: Signer, base58: (bytes: Uint8Array) => string): Promise<void> {
  const challenge = await ask<Challenge>('/api/auth/challenge', {
    method: 'POST',
    anonymous: true,
    body: { wallet: by.address },
  });
  const signature = await by.signMessage(new TextEncoder().encode(challenge.message));
  keep(
    await ask<LoginTokens>('/api/auth/login', {
      method: 'POST',
      anonymous: true,
      body: { wallet: by.address, nonce: challenge.nonce, signature: base58(signature) },
    }),
  );
  signer.value = by;
  await link.loginChanged();
}

/** Ends the login everywhere; here also when the collector cannot be told. */
export async function logOut(): Promise<void> {
  try {
    await ask('/api/auth/logout', { method: 'POST', body: {} });
  } finally {
    keep(undefined);
    signer.value = undefined;
    decideBy();
    await link.loginChanged();
  }
}
