import { randomBytes } from 'node:crypto';
import { openConnection } from '@gridtokenx/chain';
import { GtxError } from '@gridtokenx/protocol';
import type { Connection } from '@solana/web3.js';
import type pg from 'pg';
import pino, { type Logger } from 'pino';
import sodium from 'sodium-native';
import { type RunningCollector, runCollector } from '../collector.js';
import { loadCollectorConfig } from '../config.js';
import { openTestPool, type TestPostgres } from './postgres.js';
import { TestRegistry, TestSettlement } from './registry.js';

/** Whatever the route answered: a stored reading or an error. */
export interface Answer {
  status?: string;
  kwh_amount?: string;
  sequence?: string;
  duplicate?: boolean;
  error?: { code: string; message: string; retry: string; details: Record<string, unknown> };
}

/** A running collector with everything but the chain. */
export interface TestCollector extends RunningCollector {
  pool: pg.Pool;
  registry: TestRegistry;
  settlement: TestSettlement;
  databaseUrl: string;
  /** Sends JSON (or any text) to the submit route. */
  post(
    body: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: Answer; headers: Headers }>;
}

export interface TestCollectorOptions {
  env?: Record<string, string>;
  now?: () => number;
  /** Of another test collector, to share it. */
  databaseUrl?: string;
  registry?: TestRegistry;
  logger?: Logger;
  ackSecretKey?: Uint8Array;
  /** To a chain; none answers otherwise. */
  connection?: Connection;
}

export async function startTestCollector(
  postgres: TestPostgres,
  options: TestCollectorOptions = {},
): Promise<TestCollector> {
  const databaseUrl =
    options.databaseUrl ?? (await postgres.createDatabase(`t_${randomBytes(6).toString('hex')}`));
  // The test's own connections, so that looking does not compete with the collector's.
  const pool = openTestPool(databaseUrl, 4);
  const registry = options.registry ?? new TestRegistry(pool);
  const settlement = new TestSettlement();
  const ackSecretKey = options.ackSecretKey ?? newSecretKey();
  const config = loadCollectorConfig({
    DATABASE_URL: databaseUrl,
    GTX_MQTT_PORT: '0',
    GTX_HTTP_PORT: '0',
    GTX_FEE_PAYER_KEY: 'unused',
    GTX_ACK_KEY: 'unused',
    GTX_HTTP_BURST: '100000',
    ...options.env,
  });
  const running = await runCollector(config, {
    logger: options.logger ?? pino({ level: process.env.GTX_TEST_LOG ?? 'silent' }),
    ...(options.now && { now: options.now }),
    ackSecretKey,
    chainParts: () => ({
      mirror: registry,
      settlement,
      connection: options.connection ?? openConnection('http://127.0.0.1:1', { timeoutMs: 1_000 }),
      prepareHeld: async () => {
        throw new GtxError('CHAIN_UNAVAILABLE');
      },
      chainUp: async () => registry.down === undefined,
    }),
  });
  return {
    ...running,
    pool,
    registry,
    settlement,
    databaseUrl,
    async post(body, headers = {}) {
      const response = await fetch(`${running.httpUrl}/api/meters/submit-reading`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      return { status: response.status, body: (await response.json()) as Answer, headers: response.headers };
    },
    stop: async () => {
      await running.stop();
      await pool.end();
    },
  };
}

export function newSecretKey(): Uint8Array {
  const secretKey = new Uint8Array(64);
  sodium.crypto_sign_keypair(new Uint8Array(32), secretKey);
  return secretKey;
}

/** Waits until `check` gives a value other than undefined or false. The limit only ends a test that hangs. */
export async function until<T>(
  check: () => Promise<T | undefined | false> | T | undefined | false,
  what: string,
  timeoutMillis = 120_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMillis;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`did not happen in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
