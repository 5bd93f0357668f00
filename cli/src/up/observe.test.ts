import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrate } from '../../../collector/src/store/migrate.js';
import { untilBlockedBy } from '../../../collector/src/testing/locks.js';
import {
  openTestPool,
  startTestPostgres,
  type TestPostgres,
} from '../../../collector/src/testing/postgres.js';
import { Observer } from './observe.js';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres();
}, 240_000);
afterAll(() => postgres.stop());

it('shows figures of one moment, also when a mint is booked while it looks', async () => {
  const databaseUrl = await postgres.createDatabase('observed');
  const pool = openTestPool(databaseUrl);
  const trouble: Error[] = [];
  const observer = new Observer({
    databaseUrl,
    meterId: 'MTR-1',
    onTrouble: (_where, error) => void trouble.push(error),
  });
  try {
    await migrate(pool, pino({ level: 'silent' }));
    await pool.query(`WITH owner AS (INSERT INTO users (wallet_address) VALUES ('wallet') RETURNING id)
      INSERT INTO meters (meter_id, address, user_id, wallet_address, public_key)
      SELECT 'MTR-1', 'address', id, 'wallet', 'key' FROM owner`);
    await observer.start();
    const booking = await pool.connect();
    await booking.query('BEGIN');
    await booking.query('LOCK TABLE meters IN ACCESS EXCLUSIVE MODE');
    const during = observer.look();
    await untilBlockedBy(booking, pool);
    await booking.query(`WITH mint AS (
        INSERT INTO settlements
          (signature, wire, blockhash, last_valid_block_height, state, collector, lease_until, confirmed_at)
        VALUES ('signature', '', 'blockhash', 1, 'confirmed', 'collector', now(), clock_timestamp()) RETURNING id)
      INSERT INTO settlement_items
        (settlement_id, meter_id, kind, after_sequence, through_sequence, expected_nkwh, minted_nkwh, open)
      SELECT id, 'MTR-1', 'submit', 0, 1, 15, 15, FALSE FROM mint`);
    await booking.query('UPDATE meters SET chain_minted = 15');
    await booking.query('COMMIT');
    booking.release();
    expect(await during).toMatchObject({ mintedThisRunNkwh: 0n, mintedTotalNkwh: 0n });
    expect(await observer.look()).toMatchObject({ mintedThisRunNkwh: 15n, mintedTotalNkwh: 15n });
    expect(trouble).toEqual([]);
  } finally {
    await observer.stop();
    await pool.end();
  }
});
