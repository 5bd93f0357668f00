import { type Challenge, LoginTokens, type Role } from '@gridtokenx/protocol';
import { computed, signal } from '@preact/signals';
import { ApiError, ask, collectorNow, credentials, EARLY_MS, type OperatorLogin } from './api.js';
import { exclusively } from './exclusive.js';
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
/**
 * A refresh token counts once, and the collector may have used it up without an answer: one that is slow, as with a database
 * that is busy, is waited for.
 */
const REFRESH_MS = 120_000;

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

/** Goes on with these tokens: whoever signed for another wallet does so no more, and the connection is to know whose it is. */
function hold(next: LoginTokens | undefined): void {
  const before = wallet.value;
  tokens.value = next;
  if (signer.value && signer.value.address !== next?.wallet) signer.value = undefined;
  if (before !== next?.wallet) link.loginChanged();
}

function keep(next: LoginTokens | undefined): void {
  if (next) globalThis.localStorage?.setItem(STORED, JSON.stringify(next));
  else globalThis.localStorage?.removeItem(STORED);
  hold(next);
}

/** Another window has logged in, renewed or logged out. */
globalThis.addEventListener?.('storage', (event) => {
  if (event.key === STORED) hold(stored());
});

/**
 * The access token, renewed when it is about to end. A refresh token counts once, so only one window renews, and the others
 * take what it got.
 * @param refused one that the collector does not take, or not for long: another one is wanted
 */
async function accessToken(refused?: string): Promise<string | undefined> {
  const counts = ({ access_token, expires_at }: LoginTokens) =>
    access_token !== refused && Date.parse(expires_at) - collectorNow() > EARLY_MS;
  if (tokens.value === undefined) return undefined;
  if (counts(tokens.value)) return tokens.value.access_token;
  return exclusively(STORED, REFRESH_MS, async () => {
    const current = stored();
    if (current === undefined || counts(current)) {
      hold(current);
      return current?.access_token;
    }
    // Another window may have logged in or out meanwhile: then that counts.
    const end = (next: LoginTokens | undefined) => {
      if (stored()?.refresh_token === current.refresh_token) keep(next);
      else hold(stored());
      return tokens.value?.access_token;
    };
    try {
      const next = await ask<LoginTokens>('/api/auth/refresh', {
        method: 'POST',
        anonymous: true,
        body: { refresh_token: current.refresh_token },
        answerMs: REFRESH_MS,
      });
      return end(next);
    } catch (error) {
      // Ended by the collector: logged out. Without an answer the login stands, and is tried again.
      if (error instanceof ApiError && error.code === 'UNAUTHENTICATED') return end(undefined);
      throw error;
    }
  });
}
credentials.token = accessToken;

/** An operator's name and password; only in this window's memory, gone when it is loaded again. */
const operatorPassword = signal<OperatorLogin | undefined>(undefined);
credentials.password = () => operatorPassword.value;
export const hasPassword = computed<boolean>(() => operatorPassword.value !== undefined);
/** The last ones were wrong; what is wrong is not sent any more, for with it even what is everybody's is refused. */
export const passwordRefused = signal(false);
credentials.passwordRefused = (login) => {
  if (operatorPassword.value !== login) return;
  usePassword();
  passwordRefused.value = true;
};

/** @param username without it: forgets them */
export function usePassword(username?: string, password = ''): void {
  operatorPassword.value = username === undefined ? undefined : { username, password };
  passwordRefused.value = false;
  if (username === undefined) decideBy();
  link.loginChanged();
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
}

/** Ends the login everywhere; here also when the collector cannot be told. */
export async function logOut(): Promise<void> {
  const leaving = wallet.value;
  try {
    await ask('/api/auth/logout', { method: 'POST', body: {} });
  } finally {
    // Another window may have logged another wallet in meanwhile.
    if (stored()?.wallet === leaving) keep(undefined);
    else hold(stored());
    decideBy();
  }
}
