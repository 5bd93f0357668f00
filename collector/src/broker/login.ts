import { createHash, timingSafeEqual } from 'node:crypto';
import {
  decodeBase58,
  encodeLoginMessage,
  GtxError,
  LOGIN_FRESH_SECONDS,
  LoginPassword,
  parseJsonWith,
} from '@gridtokenx/protocol';
import type pg from 'pg';
import type { ChainMirrorPort } from '../ports.js';
import { numberArray, textArray } from '../store/sql.js';
import { verifySignature } from '../validate/signature.js';

export type LoginEntry = LoginPassword[number];

export interface LoginsDeps {
  pool: pg.Pool;
  mirror: Pick<ChainMirrorPort, 'meter'>;
  now: () => number;
  operator: { username: string; password: string } | undefined;
}

export type LoginResult =
  | { role: 'operator' }
  | {
      role: 'gateway';
      /** Meters whose entry was valid. */
      granted: string[];
      /** Entries of meters that the chain does not know yet; they may be granted later (`grant`). */
      waiting: LoginEntry[];
    };

/**
 * Checks MQTT logins. A gateway proves one key for each meter that it serves; an entry that fails keeps
 * only its own meter out, so that one meter which waits for its registration holds up no other.
 */
export class Logins {
  constructor(private readonly deps: LoginsDeps) {}

  /**
   * @param username the first meter's id, or the operator's name
   * @throws GtxError LOGIN_REFUSED, LOGIN_STALE (details.server_time), CHAIN_UNAVAILABLE; or the
   *   database's error
   */
  async check(username: string, password: Uint8Array): Promise<LoginResult> {
    const { operator, now } = this.deps;
    if (operator !== undefined && sameText(username, operator.username)) {
      if (!sameText(Buffer.from(password).toString('utf8'), operator.password)) {
        throw new GtxError('LOGIN_REFUSED', 'wrong operator password');
      }
      return { role: 'operator' };
    }
    const entries = parseJsonWith(LoginPassword, password, 'LOGIN_REFUSED');
    if (entries[0]?.meter_id !== username) {
      throw new GtxError('LOGIN_REFUSED', 'the username is not the id of the first meter of the password');
    }
    const serverTime = Math.floor(now() / 1000);
    const fresh = entries.filter((entry) => Math.abs(entry.time - serverTime) <= LOGIN_FRESH_SECONDS);
    const proven: LoginEntry[] = [];
    const waiting: LoginEntry[] = [];
    for (const entry of fresh) {
      const proof = await this.prove(entry);
      if (proof === 'valid') proven.push(entry);
      else if (proof === 'unknown meter') waiting.push(entry);
    }
    const granted = await this.useOnce(proven);
    if (granted.length === 0) {
      if (fresh.length < entries.length || proven.length > 0) {
        throw new GtxError('LOGIN_STALE', undefined, { server_time: serverTime });
      }
      throw new GtxError('LOGIN_REFUSED', 'no entry of the password is signed by a registered meter');
    }
    return { role: 'gateway', granted, waiting };
  }

  /**
   * Checks the login of one meter, over HTTP. Its time counts once, here as at the broker.
   * @throws GtxError METER_NOT_REGISTERED, LOGIN_REFUSED, LOGIN_STALE (details.server_time), CHAIN_UNAVAILABLE;
   *   or the database's error
   */
  async checkMeter(entry: LoginEntry): Promise<void> {
    const serverTime = Math.floor(this.deps.now() / 1000);
    const stale = new GtxError('LOGIN_STALE', undefined, { server_time: serverTime });
    if (Math.abs(entry.time - serverTime) > LOGIN_FRESH_SECONDS) throw stale;
    const proof = await this.prove(entry);
    if (proof === 'unknown meter') throw new GtxError('METER_NOT_REGISTERED');
    if (proof === 'invalid') throw new GtxError('LOGIN_REFUSED', "it is not signed by the meter's key");
    if ((await this.useOnce([entry])).length === 0) throw stale;
  }

  /** Whether a waiting entry's meter is registered by now and the entry is valid for it. */
  async grant(entry: LoginEntry): Promise<boolean> {
    if ((await this.prove(entry)) !== 'valid') return false;
    return (await this.useOnce([entry])).length === 1;
  }

  private async prove(entry: LoginEntry): Promise<'valid' | 'invalid' | 'unknown meter'> {
    const { mirror } = this.deps;
    const message = encodeLoginMessage({ unixSeconds: entry.time, meterId: entry.meter_id });
    const signature = decodeBase58(entry.signature, 64);
    const signedBy = (publicKey: string) => verifySignature(signature, message, decodeBase58(publicKey, 32));
    const meter = await mirror.meter(entry.meter_id);
    if (meter === undefined) return 'unknown meter';
    if (signedBy(meter.publicKey)) return 'valid';
    // The key may have been rotated since the database learned it.
    const current = await mirror.meter(entry.meter_id, { refresh: true });
    return current !== undefined && signedBy(current.publicKey) ? 'valid' : 'invalid';
  }

  /** Takes each login time once: it must be newer than the meter's last, in whatever collector that was. */
  private async useOnce(entries: readonly LoginEntry[]): Promise<string[]> {
    if (entries.length === 0) return [];
    const { rows } = await this.deps.pool.query<{ meter_id: string }>(
      `WITH wanted AS (
         SELECT m.meter_id, n.time FROM meters m
         JOIN unnest($1::text[], $2::bigint[]) AS n (meter_id, time) ON n.meter_id = m.meter_id
         ORDER BY m.meter_id FOR UPDATE OF m
       )
       UPDATE meters m SET last_login = wanted.time FROM wanted
       WHERE m.meter_id = wanted.meter_id AND m.last_login < wanted.time RETURNING m.meter_id`,
      [textArray(entries.map((entry) => entry.meter_id)), numberArray(entries.map((entry) => entry.time))],
    );
    return rows.map((row) => row.meter_id);
  }
}

/** Compares in a time that does not tell where the texts differ. */
export function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
