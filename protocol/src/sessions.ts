/**
 * Logins of people by their Solana wallet, over HTTP: challenge, signed text, tokens. The text has the layout of
 * EIP-4361 as wallets for Solana show it ("Sign in with Solana").
 */
import { z } from 'zod';
import { publicKeyText, signatureText } from './fields.js';
import { formatTimestamp } from './timestamp.js';

/** Hexadecimal digits of the network id that a login message names. */
const NETWORK_DIGITS = 16;

/** What a login message says. */
export interface SignInMessage {
  /** Host and port of the page that asks, as in its address. */
  domain: string;
  /** Origin of that page: `https://host:port`. */
  uri: string;
  /** Base58. */
  wallet: string;
  /** 32 bytes, see `networkId`: a signature for one chain is none for another. */
  network: Uint8Array;
  nonce: string;
  /** Unix seconds. */
  issuedAt: number;
  /** Unix seconds. */
  expiresAt: number;
}

/**
 * The text that a wallet signs to log in, and that its owner reads: UTF-8, lines ended by LF.
 * Version, chain and nonce come at fixed places, so that no two different logins have the same text.
 */
export function signInMessage(login: SignInMessage): string {
  const network = [...login.network].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [
    `${login.domain} wants you to sign in with your Solana account:`,
    login.wallet,
    '',
    'Log in to gridtokenx. This is no transaction and costs nothing.',
    '',
    `URI: ${login.uri}`,
    'Version: 1',
    `Chain ID: gtx:${network.slice(0, NETWORK_DIGITS)}`,
    `Nonce: ${login.nonce}`,
    `Issued At: ${formatTimestamp(login.issuedAt)}`,
    `Expiration Time: ${formatTimestamp(login.expiresAt)}`,
  ].join('\n');
}

/** A random text that the collector made: 32 bytes as base64url. */
const token = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be 43 letters, digits, - or _');
const isoTime = z.iso.datetime();

/** Body of `POST /api/auth/challenge`. */
export const ChallengeRequest = z.strictObject({ wallet: publicKeyText });
export type ChallengeRequest = z.infer<typeof ChallengeRequest>;

/** Its answer: the text to sign, as UTF-8, and the nonce that names it. */
export const Challenge = z.strictObject({
  message: z.string(),
  nonce: z.string(),
  expires_at: isoTime,
});
export type Challenge = z.infer<typeof Challenge>;

/** Body of `POST /api/auth/login`. */
export const LoginRequest = z.strictObject({
  wallet: publicKeyText,
  nonce: z.string().regex(/^[0-9a-f]{32}$/, 'must be the nonce of a challenge'),
  signature: signatureText,
});
export type LoginRequest = z.infer<typeof LoginRequest>;

/** What a login may do: `owner` reads what belongs to its wallet, `operator` what belongs to anybody. */
export const Role = z.enum(['owner', 'operator']);
export type Role = z.infer<typeof Role>;

/** Answer of login and refresh. Tokens are secrets: who has them acts as the wallet's owner here. */
export const LoginTokens = z.strictObject({
  wallet: publicKeyText,
  roles: z.array(Role),
  access_token: token,
  expires_at: isoTime,
  refresh_token: token,
  refresh_expires_at: isoTime,
});
export type LoginTokens = z.infer<typeof LoginTokens>;

/** Body of `POST /api/auth/refresh`. The refresh token counts once. */
export const RefreshRequest = z.strictObject({ refresh_token: token });
export type RefreshRequest = z.infer<typeof RefreshRequest>;

/** Answer of `GET /api/auth/me`; without a wallet for the operator's password. */
export const Me = z.strictObject({
  wallet: publicKeyText.nullable(),
  roles: z.array(Role),
  /** When the access token ends; null for a login that does not. */
  expires_at: isoTime.nullable(),
});
export type Me = z.infer<typeof Me>;
