/** What the pages ask the collector for, over HTTP: one after the other, as a reader goes through them. */
import { createPrivateKey, sign } from 'node:crypto';
import { encodeBase58, LoginTokens } from '@gridtokenx/protocol';
import type { Keypair } from '@solana/web3.js';

/** Who asks. */
export type Asker = 'anybody' | 'owner' | 'operator';

export interface Question {
  /** The page that asks it. */
  page: 'live' | 'market' | 'home' | 'operator';
  as: Asker;
  /** Path and query. */
  path: string;
}

/** What the questions are about. */
export interface Subjects {
  wallet: string;
  /** A meter of the wallet. */
  meter: string;
  market: string;
  /** When the newest reading ended, Unix seconds. */
  newest: number;
}

const DAY_SECONDS = 86_400;
const ZONE = 'Asia/Bangkok';
const ZONE_SECONDS = 7 * 3600;

export function questions({ wallet, meter, market, newest }: Subjects): Question[] {
  const iso = (seconds: number) => new Date(seconds * 1000).toISOString().replace(/\.\d+/, '');
  const midnight = newest - ((newest + ZONE_SECONDS) % DAY_SECONDS);
  const span = (days: number) =>
    `from=${encodeURIComponent(iso(midnight - (days - 1) * DAY_SECONDS))}&to=${encodeURIComponent(iso(midnight + DAY_SECONDS))}&zone=${encodeURIComponent(ZONE)}`;
  const since = encodeURIComponent(iso(midnight));
  const of = (page: Question['page'], as: Asker, ...paths: string[]): Question[] =>
    paths.map((path) => ({ page, as, path }));
  return [
    ...of(
      'live',
      'anybody',
      '/healthz',
      `/api/overview?since=${since}`,
      `/api/energy?step=quarter&${span(1)}`,
      '/api/events?limit=25',
      '/api/events?limit=25&name=ProductionMinted',
    ),
    ...of(
      'market',
      'owner',
      '/api/markets',
      `/api/book?market=${market}&depth=100`,
      `/api/trades?market=${market}&limit=50`,
      '/api/prices',
      `/api/orders?owner=${wallet}&market=${market}&limit=50`,
      `/api/balances/${wallet}`,
    ),
    ...of(
      'home',
      'owner',
      '/api/meters?limit=100',
      `/api/meters/${meter}/live`,
      `/api/power?wallet=${wallet}`,
      `/api/meters/${meter}/energy?step=quarter&${span(1)}`,
      `/api/meters/${meter}/energy?step=hour&${span(7)}`,
      `/api/meters/${meter}/energy?step=day&${span(31)}`,
      `/api/energy/own?step=quarter&${span(1)}`,
      `/api/meters/${meter}/readings?limit=100`,
      `/api/meters/${meter}/readings?limit=100&${span(7).split('&zone')[0]}`,
      `/api/settlements?wallet=${wallet}&limit=25`,
      `/api/certificates?holder=${wallet}&limit=25`,
    ),
    ...of(
      'operator',
      'operator',
      '/api/status',
      '/api/fleet/summary',
      '/api/fleet/places',
      '/api/fleet/places?state=silent',
      '/api/fleet?limit=25',
      '/api/fleet?limit=25&state=silent',
      '/api/fleet?limit=25&problem=outbox',
      '/api/fleet?limit=25&q=TOWN-09',
      '/api/settlement',
      '/api/health',
      '/api/alerts?limit=100',
      '/api/reviews?limit=100',
      '/api/meters?limit=50',
      '/api/settlements?limit=50',
      `/api/energy?step=hour&${span(7)}`,
      '/api/audit',
    ),
  ];
}

/** PKCS #8 around an Ed25519 seed (RFC 8410, section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Logs a wallet in, as its owner would. */
export async function logIn(httpUrl: string, keypair: Keypair): Promise<LoginTokens> {
  const post = async (path: string, body: unknown): Promise<unknown> => {
    const answer = await fetch(`${httpUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  };
  const wallet = keypair.publicKey.toBase58();
  const { message, nonce } = (await post('/api/auth/challenge', { wallet })) as Record<string, string>;
  const der = Buffer.concat([PKCS8_PREFIX, keypair.secretKey.subarray(0, 32)]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const signature = encodeBase58(sign(null, Buffer.from(message as string), key));
  return LoginTokens.parse(await post('/api/auth/login', { wallet, nonce, signature }));
}

/** Asks one, with a login where one is needed. @returns the answer's body; throws when it is refused */
export async function ask(
  httpUrl: string,
  path: string,
  token: string | undefined,
): Promise<{ body: unknown; bytes: number }> {
  const answer = await fetch(`${httpUrl}${path}`, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${text.slice(0, 300)}`);
  return { body: JSON.parse(text), bytes: text.length };
}
