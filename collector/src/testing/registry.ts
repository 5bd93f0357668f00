import type pg from 'pg';
import type { ChainMirrorPort, MeterStatus, MirroredMeter, SettlementPort } from '../ports.js';
import { randomKey, type TestMeter } from './gateway.js';

/**
 * A registry for tests of ingestion: what is on its "chain" is a map, and it writes users and meters to the
 * database as the mirror does. The mirror itself is tested against a chain in its own folder.
 */
export class TestRegistry implements ChainMirrorPort {
  readonly chain = new Map<
    string,
    { wallet: string; verified: boolean; publicKey: string; status: MeterStatus }
  >();
  /** When true the chain does not answer. */
  down: Error | undefined;
  lookups = 0;

  constructor(private readonly pool: pg.Pool) {}

  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  /** Registers a meter on the chain only; the database learns of it on the first lookup. */
  register(meter: TestMeter, options: { wallet?: string; verified?: boolean } = {}): void {
    meter.wallet = options.wallet ?? randomKey();
    this.chain.set(meter.meterId, {
      wallet: meter.wallet,
      verified: options.verified ?? true,
      publicKey: meter.publicKey,
      status: 'active',
    });
  }

  async meter(meterId: string, options: { refresh?: boolean } = {}): Promise<MirroredMeter | undefined> {
    if (options.refresh !== true) {
      const known = await this.fromDatabase(meterId);
      if (known !== undefined) return known;
    }
    this.lookups += 1;
    if (this.down !== undefined) throw this.down;
    const entry = this.chain.get(meterId);
    if (entry === undefined) return undefined;
    await this.pool.query(
      `WITH owner AS (
         INSERT INTO users (wallet_address, verified) VALUES ($2, $3)
         ON CONFLICT (wallet_address) DO UPDATE SET verified = excluded.verified RETURNING id
       )
       INSERT INTO meters (meter_id, address, user_id, wallet_address, public_key, status)
       SELECT $1, $1, id, $2, $4, $5 FROM owner
       ON CONFLICT (meter_id) DO UPDATE SET user_id = excluded.user_id, wallet_address = excluded.wallet_address,
         public_key = excluded.public_key, status = excluded.status`,
      [meterId, entry.wallet, entry.verified, entry.publicKey, entry.status],
    );
    return this.fromDatabase(meterId);
  }

  private async fromDatabase(meterId: string): Promise<MirroredMeter | undefined> {
    const { rows } = await this.pool.query(
      'SELECT m.*, u.verified FROM meters m JOIN users u ON u.id = m.user_id WHERE meter_id = $1',
      [meterId],
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    return {
      meterId,
      address: row.address,
      userId: row.user_id,
      wallet: row.wallet_address,
      userVerified: row.verified,
      publicKey: row.public_key,
      ratedWatts: 0,
      status: row.status,
      chain: { sequence: 0n, end: 0, producedTotal: 0n, consumedTotal: 0n, surplusTotal: 0n },
    };
  }
}

/** Counts what settlement would have been told. */
export class TestSettlement implements SettlementPort {
  wakes = 0;
  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  wake(): void {
    this.wakes += 1;
  }
}
