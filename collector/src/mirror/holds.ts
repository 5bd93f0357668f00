import { nkwhToKwh } from '@gridtokenx/protocol';
import type pg from 'pg';
import { openReview } from '../review/queue.js';
import { type AccountSnapshot, lockMeters, type MeterAccount, writeSnapshot } from './accounts.js';

/** Writes accounts that were read on their own, with what follows from them; see {@link writeSnapshot}. */
export async function writeAccounts(
  client: pg.ClientBase,
  snapshot: AccountSnapshot,
  force = false,
): Promise<void> {
  await lockMeters(
    client,
    [...snapshot.meters.values()].map(({ meterId }) => meterId),
  );
  await syncHolds(client, await writeSnapshot(client, snapshot, force));
}

/**
 * Makes the open reviews of energy that the chain holds back say what the meter's account says. One whose hold is
 * gone was released or written off on the chain, or merged under a later sequence. The account may be newer than the
 * events: a decision that is not applied yet is written into the review when it is.
 *
 * @param meters whose rows {@link writeSnapshot} has made say what these accounts say: an older account knows nothing of
 * what was held, or decided, since.
 */
export async function syncHolds(client: pg.ClientBase, meters: readonly MeterAccount[]): Promise<void> {
  for (const meter of meters) await syncHoldsOf(client, meter);
}

async function syncHoldsOf(client: pg.ClientBase, meter: MeterAccount): Promise<void> {
  const holds = meter.holds.filter(({ amount }) => amount > 0n);
  const sequences = holds.map(({ sequence }) => sequence.toString());
  await client.query(
    `WITH ended AS (
     UPDATE reviews v SET resolved_at = now(), resolved_by = 'chain',
       status = CASE e.name WHEN 'HeldReleased' THEN 'released' WHEN 'HeldWrittenOff' THEN 'written_off' ELSE 'dismissed' END,
       resolution_note = coalesce('decided by ' || e.authority || ' in ' || e.signature, 'no longer held on the chain')
     FROM reviews o
     LEFT JOIN LATERAL (
       SELECT c.name, c.data ->> 'authority' AS authority, c.signature
       FROM chain_events c JOIN meters m ON m.address = c.meter
       WHERE m.meter_id = o.meter_id AND c.name IN ('HeldReleased', 'HeldWrittenOff')
         AND c.data ->> 'sequence' = o.sequence::text
       ORDER BY c.slot DESC LIMIT 1) AS e ON TRUE
     WHERE v.id = o.id AND o.meter_id = $1 AND o.kind = 'energy_held' AND o.status = 'open'
       AND o.sequence <> ALL($2::numeric[])
     RETURNING v.meter_id, v.sequence)
     UPDATE alerts a SET resolved_at = now() FROM ended e
     WHERE a.kind = 'energy_held' AND a.dedupe_key = e.meter_id || '/' || e.sequence AND a.resolved_at IS NULL`,
    [meter.meterId, sequences],
  );
  for (const { sequence, amount } of holds) {
    const { rowCount } = await client.query(
      `SELECT FROM reviews WHERE kind = 'energy_held' AND meter_id = $1 AND sequence = $2 AND amount_nkwh = $3
         AND status = 'open'`,
      [meter.meterId, sequence.toString(), amount.toString()],
    );
    if (rowCount !== 0) continue;
    await openReview(client, {
      kind: 'energy_held',
      subject: { meterId: meter.meterId, sequence },
      amountNkwh: amount,
      reason: `reading ${sequence} of ${meter.meterId} claims more than its rated power allows: ${nkwhToKwh(amount)} kWh are held back on the chain`,
    });
  }
}
