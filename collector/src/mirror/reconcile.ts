import type pg from 'pg';

/**
 * Brings the readings of these meters in line with what the chain has accepted and minted: each unminted reading
 * takes over the fate of the first accepted reading that has its sequence or a higher one, whose totals contain its
 * energy. Running it again changes nothing. Inside the caller's transaction, which has locked the rows of these meters:
 * a statement that waits for another's readings sees them as they are then, and the chain's as they were before.
 *
 * Reviews of readings that the chain has meanwhile accepted (through another collector, or straight) are closed:
 * there is nothing left to decide.
 */
export async function reconcileReadings(client: pg.ClientBase, meterIds: readonly string[]): Promise<void> {
  const ids = [...new Set(meterIds)].sort();
  await client.query(
    `UPDATE meter_readings r SET
       minted = f.state = 'minted',
       mint_tx_signature = f.mint_signature,
       status = CASE
         WHEN f.sequence = r.sequence AND f.message_differs THEN 'superseded'
         WHEN f.state = 'minted' THEN 'minted'
         WHEN f.state = 'mint_due' THEN 'accepted'
         WHEN f.state = 'held' THEN 'chain_held'
         ELSE 'nothing_to_settle' END
     FROM (
       SELECT r2.id, r2.reading_timestamp, c.sequence, c.state, c.mint_signature,
         (r2.produced_total, r2.consumed_total, r2.surplus_total, r2.interval_end, r2.public_key)
           IS DISTINCT FROM (c.produced_total, c.consumed_total, c.surplus_total, c.interval_end, c.public_key)
           AS message_differs
       FROM meter_readings r2 CROSS JOIN LATERAL (
         SELECT * FROM chain_readings c
         WHERE c.meter_id = r2.meter_id AND c.sequence >= r2.sequence ORDER BY c.sequence LIMIT 1
       ) AS c
       WHERE r2.meter_id = ANY($1::text[]) AND r2.minted = FALSE
         AND r2.status IN ('pending', 'covered', 'accepted', 'chain_held', 'held', 'review')
     ) AS f
     WHERE r.id = f.id AND r.reading_timestamp = f.reading_timestamp`,
    [ids],
  );
  await client.query(
    `WITH ended AS (
       UPDATE reviews v SET status = 'dismissed', resolved_at = now(), resolved_by = 'chain',
         resolution_note = 'the chain has accepted this reading or a later one'
       WHERE v.status = 'open' AND v.kind IN ('held_amount', 'settlement_failed') AND v.meter_id = ANY($1::text[])
         AND v.sequence <= (SELECT max(c.sequence) FROM chain_readings c WHERE c.meter_id = v.meter_id)
         -- A mint that keeps failing is about energy that the chain has already accepted.
         AND NOT (v.kind = 'settlement_failed' AND EXISTS (
           SELECT FROM chain_readings c WHERE c.meter_id = v.meter_id AND c.state = 'mint_due'))
       RETURNING v.meter_id, v.kind
     )
     UPDATE meters m SET holds = holds - e.count
     FROM (SELECT meter_id, count(*)::int AS count FROM ended WHERE kind = 'held_amount' GROUP BY meter_id) AS e
     WHERE m.meter_id = e.meter_id`,
    [ids],
  );
}
