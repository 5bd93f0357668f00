import { createHash, randomBytes } from 'node:crypto';
import {
  type Challenge,
  decodeBase58,
  formatTimestamp,
  GtxError,
  type LoginRequest,
  type LoginTokens,
  networkId,
  type Role,
  signInMessage,
} from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Logger } from 'pino';
import { verifySignature } from '../validate/signature.js';
import type { LoginMetrics } from './metrics.js';

export const CHALLENGE_SECONDS = 300;
export const ACCESS_SECONDS = 600;
export const REFRESH_SECONDS = 30 * 86_400;
/** However often it was refreshed, a login ends. */
export const SESSION_SECONDS = 90 * 86_400;
/** Logins of one wallet; a new one ends the oldest. */
export const SESSIONS_PER_WALLET = 20;
const CLEANING_MILLIS = 600_000;
/** An ended session is of interest for a while: to whoever looks why. */
const KEEP_ENDED_SECONDS = 7 * 86_400;

/** Who asks. */
export interface Principal {
  /** Base58; undefined for the operator's password and for this machine itself. */
  wallet: string | undefined;
  roles: readonly Role[];
  sessionId: string;
  /** Unix seconds until which this holds; undefined where it has no end. */
  expiresAt?: number;
}

export interface SessionsDeps {
  pool: pg.Pool;
  logger: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
  metrics: LoginMetrics;
  operatorWallets: readonly string[];
}

interface TokenRow {
  session_id: string;
  wallet: string;
  expires_at: string;
  session_expires_at: string;
  used_at: string | null;
  ended_at: string | null;
}

/**
 * Logins by wallet. All collectors on a database share them: nothing is kept in memory, so that a logout counts
 * everywhere at once. Access tokens are short-lived; a refresh token counts once and gives the next pair.
 */
export class Sessions {
  private cleaner: NodeJS.Timeout | undefined;
  private cleaning: Promise<void> = Promise.resolve();
  private network: Uint8Array | undefined;

  constructor(private readonly deps: SessionsDeps) {}

  start(): void {
    const clean = () => {
      this.cleaning = this.clean().catch((error: unknown) =>
        this.deps.logger.warn({ err: error }, 'expired logins could not be removed'),
      );
    };
    clean();
    this.cleaner = setInterval(clean, CLEANING_MILLIS);
    this.cleaner.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.cleaner);
    await this.cleaning;
  }

  private get seconds(): number {
    return Math.floor(this.deps.now() / 1000);
  }

  /**
   * Makes a text for a wallet to sign.
   * @param origin of the page that asks (`Sites.of`)
   * @throws GtxError CHAIN_UNAVAILABLE before the collector has seen its chain; or the database's error
   */
  async challenge(wallet: string, origin: string): Promise<Challenge> {
    const network = await this.networkOf();
    const nonce = randomBytes(16).toString('hex');
    const issuedAt = this.seconds;
    const expiresAt = issuedAt + CHALLENGE_SECONDS;
    await this.deps.pool.query(
      `INSERT INTO login_challenges (nonce_hash, wallet, uri, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
      [hashOf(nonce), wallet, origin, issuedAt, expiresAt],
    );
    const domain = new URL(origin).host;
    return {
      message: signInMessage({ domain, uri: origin, wallet, network, nonce, issuedAt, expiresAt }),
      nonce,
      expires_at: formatTimestamp(expiresAt),
    };
  }

  /**
   * Takes the wallet's signature over a challenge. The challenge is gone afterwards, whatever came of it.
   * @throws GtxError LOGIN_REFUSED; or the database's error
   */
  async login({ wallet, nonce, signature }: LoginRequest): Promise<LoginTokens> {
    const network = await this.networkOf();
    const { rows } = await this.deps.pool.query<{
      wallet: string;
      uri: string;
      issued_at: string;
      expires_at: string;
    }>('DELETE FROM login_challenges WHERE nonce_hash = $1 RETURNING wallet, uri, issued_at, expires_at', [
      hashOf(nonce),
    ]);
    const challenge = rows[0];
    const refuse = (reason: string) => {
      this.deps.metrics.logins.inc({ outcome: 'refused' });
      return new GtxError('LOGIN_REFUSED', reason);
    };
    if (challenge === undefined || Number(challenge.expires_at) <= this.seconds) {
      throw refuse('this challenge was used, has expired or never was: ask for a new one');
    }
    if (challenge.wallet !== wallet) throw refuse('the challenge was made for another wallet');
    const message = signInMessage({
      domain: new URL(challenge.uri).host,
      uri: challenge.uri,
      wallet,
      network,
      nonce,
      issuedAt: Number(challenge.issued_at),
      expiresAt: Number(challenge.expires_at),
    });
    const bytes = new TextEncoder().encode(message);
    if (!verifySignature(decodeBase58(signature, 64), bytes, decodeBase58(wallet, 32))) {
      throw refuse('the signature is not of this wallet over the message of the challenge');
    }
    const tokens = await this.transaction(async (client) => {
      // Logins of one wallet at the same time come one after the other, else they would not see each other.
      await client.query('SELECT pg_advisory_xact_lock(hashtext($1))', [`gridtokenx.login.${wallet}`]);
      await client.query(
        `UPDATE login_sessions SET ended_at = $2, ended_reason = 'too_many' WHERE id IN (
           SELECT id FROM login_sessions WHERE wallet = $1 AND ended_at IS NULL AND expires_at > $2
           ORDER BY created_at DESC, id OFFSET $3)`,
        [wallet, this.seconds, SESSIONS_PER_WALLET - 1],
      );
      const made = await client.query<{ id: string }>(
        'INSERT INTO login_sessions (wallet, created_at, expires_at) VALUES ($1, $2, $3) RETURNING id',
        [wallet, this.seconds, this.seconds + SESSION_SECONDS],
      );
      return this.issue(client, made.rows[0]?.id as string, wallet, this.seconds + SESSION_SECONDS);
    });
    this.deps.metrics.logins.inc({ outcome: 'granted' });
    this.deps.logger.info({ wallet, roles: tokens.roles }, 'a wallet has logged in');
    return tokens;
  }

  /**
   * Exchanges a refresh token for the next pair of tokens. One that was used before ends the whole login: either its
   * owner or a thief holds the newer one, and nobody can tell which.
   * @throws GtxError UNAUTHENTICATED; or the database's error
   */
  async refresh(refreshToken: string): Promise<LoginTokens> {
    const outcome = await this.transaction(async (client) => {
      const { rows } = await client.query<TokenRow>(
        `SELECT t.session_id, s.wallet, t.expires_at, s.expires_at AS session_expires_at, t.used_at, s.ended_at
         FROM login_tokens t JOIN login_sessions s ON s.id = t.session_id
         WHERE t.token_hash = $1 AND t.kind = 'refresh' FOR UPDATE OF s, t`,
        [hashOf(refreshToken)],
      );
      const row = rows[0];
      if (row === undefined || row.ended_at !== null) return 'unknown';
      if (row.used_at !== null) {
        await this.end(client, row.session_id, 'reuse');
        this.deps.logger.warn(
          { wallet: row.wallet, sessionId: row.session_id },
          'a refresh token was used twice: the login is ended',
        );
        return 'reused';
      }
      if (Number(row.expires_at) <= this.seconds) return 'unknown';
      await client.query('UPDATE login_tokens SET used_at = $2 WHERE token_hash = $1', [
        hashOf(refreshToken),
        this.seconds,
      ]);
      return this.issue(client, row.session_id, row.wallet, Number(row.session_expires_at));
    });
    if (typeof outcome !== 'string') {
      this.deps.metrics.refreshes.inc({ outcome: 'granted' });
      return outcome;
    }
    this.deps.metrics.refreshes.inc({ outcome });
    throw new GtxError(
      'UNAUTHENTICATED',
      outcome === 'reused'
        ? 'this refresh token was used before, so its login is ended: log in again'
        : 'this refresh token does not count any more: log in again',
    );
  }

  /** Ends a login with all its tokens. */
  async logout(sessionId: string): Promise<void> {
    await this.end(this.deps.pool, sessionId, 'logout');
  }

  /**
   * Who an access token stands for.
   * @throws GtxError UNAUTHENTICATED: unknown, expired or of an ended login; or the database's error
   */
  async authenticate(accessToken: string): Promise<Principal> {
    const { rows } = await this.deps.pool.query<{ session_id: string; wallet: string; expires_at: string }>(
      `SELECT t.session_id, s.wallet, t.expires_at FROM login_tokens t JOIN login_sessions s ON s.id = t.session_id
       WHERE t.token_hash = $1 AND t.kind = 'access' AND t.expires_at > $2 AND s.ended_at IS NULL`,
      [hashOf(accessToken), this.seconds],
    );
    const row = rows[0];
    if (row === undefined) {
      throw new GtxError('UNAUTHENTICATED', 'the access token is unknown or has ended: refresh it or log in');
    }
    return {
      wallet: row.wallet,
      roles: this.rolesOf(row.wallet),
      sessionId: row.session_id,
      expiresAt: Number(row.expires_at),
    };
  }

  /** Those of these logins that have ended or are gone. @throws the database's error */
  async ended(sessionIds: readonly string[]): Promise<Set<string>> {
    const { rows } = await this.deps.pool.query<{ id: string }>(
      'SELECT id FROM login_sessions WHERE id = ANY($1::uuid[]) AND ended_at IS NULL AND expires_at > $2',
      [sessionIds, this.seconds],
    );
    const good = new Set(rows.map(({ id }) => id));
    return new Set(sessionIds.filter((id) => !good.has(id)));
  }

  /** Removes what can never count again. */
  async clean(): Promise<void> {
    const now = this.seconds;
    await this.deps.pool.query('DELETE FROM login_challenges WHERE expires_at <= $1', [now]);
    await this.deps.pool.query('DELETE FROM login_tokens WHERE expires_at <= $1', [now]);
    await this.deps.pool.query('DELETE FROM login_sessions WHERE expires_at <= $1 OR ended_at <= $2', [
      now,
      now - KEEP_ENDED_SECONDS,
    ]);
  }

  rolesOf(wallet: string): Role[] {
    return this.deps.operatorWallets.includes(wallet) ? ['owner', 'operator'] : ['owner'];
  }

  private async issue(
    client: pg.PoolClient,
    sessionId: string,
    wallet: string,
    sessionExpiresAt: number,
  ): Promise<LoginTokens> {
    const access = {
      token: newToken(),
      expiresAt: Math.min(this.seconds + ACCESS_SECONDS, sessionExpiresAt),
    };
    const refresh = {
      token: newToken(),
      expiresAt: Math.min(this.seconds + REFRESH_SECONDS, sessionExpiresAt),
    };
    await client.query(
      `INSERT INTO login_tokens (token_hash, session_id, kind, expires_at)
       VALUES ($1, $2, 'access', $3), ($4, $2, 'refresh', $5)`,
      [hashOf(access.token), sessionId, access.expiresAt, hashOf(refresh.token), refresh.expiresAt],
    );
    return {
      wallet,
      roles: this.rolesOf(wallet),
      access_token: access.token,
      expires_at: formatTimestamp(access.expiresAt),
      refresh_token: refresh.token,
      refresh_expires_at: formatTimestamp(refresh.expiresAt),
    };
  }

  private async end(
    client: Pick<pg.Pool | pg.PoolClient, 'query'>,
    sessionId: string,
    reason: 'logout' | 'reuse',
  ): Promise<void> {
    await client.query(
      'UPDATE login_sessions SET ended_at = $2, ended_reason = $3 WHERE id = $1 AND ended_at IS NULL',
      [sessionId, this.seconds, reason],
    );
  }

  /** The chain that this database belongs to; it never changes. */
  private async networkOf(): Promise<Uint8Array> {
    if (this.network !== undefined) return this.network;
    const { rows } = await this.deps.pool.query<{ genesis_hash: string; registry_program: string }>(
      'SELECT genesis_hash, registry_program FROM chain_network',
    );
    const bound = rows[0];
    if (bound === undefined) {
      throw new GtxError('CHAIN_UNAVAILABLE', 'the collector has not seen its chain yet');
    }
    this.network = networkId(bound.genesis_hash, bound.registry_program);
    return this.network;
  }

  private async transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.deps.pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: Error) => {
        broken = failure;
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }
}

function newToken(): string {
  return randomBytes(32).toString('base64url');
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
