import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { announceSeed, seededRandom } from '../support/random.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/*
 * The promise that nothing is lost or doubled, whatever crashes: kill -9 of every component at random moments of
 * their work, then the meter stands still and every place must tell the same amount, to the last nkWh.
 */

const KILLS = Number(process.env.GTX_KILLS ?? 20);
const VICTIMS = ['agent', 'collector', 'postgres', 'localnet', 'simulator'] as const;

let system: RunningSystem | undefined;
afterAll(async () => {
  await system?.destroy();
});

test(
  `${KILLS} random kill -9 lose nothing and double nothing`,
  async () => {
    const random = seededRandom(announceSeed());
    const up = await RunningSystem.start({ args: ['--interval-seconds', '2'] });
    system = up;
    const minted = () => up.count('SELECT count(*) FROM meter_readings WHERE minted');
    const stored = () => up.count('SELECT count(*) FROM meter_readings');
    await waitFor('the first reading is minted', async () => (await minted()) > 0);

    // Every component dies several times, in an order of its own.
    const victims = Array.from({ length: KILLS }, (_, index) => VICTIMS[index % VICTIMS.length] as string)
      .map((name) => ({ name, order: random() }))
      .sort((left, right) => left.order - right.order)
      .map(({ name }) => name);
    for (const [index, victim] of victims.entries()) {
      // The moment of death is the random input of this test, not a wait for something.
      await delay(random() * 3_000);
      const before = await stored();
      const pid = up.kill(victim);
      await up.revived(victim, pid);
      console.log(`kill ${index + 1}/${KILLS}: ${victim} (${before} readings stored so far)`);
      // Sometimes the next one dies while the others still recover.
      if (random() < 0.7) await waitFor('readings flow again', async () => (await stored()) > before);
    }
    await waitFor('every component runs', () =>
      up.runFile.components.every(({ state }) => state === 'running'),
    );

    await up.standStill();
    // A reading whose way was cut by a kill is sent again; refusing it would be a loss too.
    const holes = () =>
      up.query<{ sequence: string; refused_as: string | null }>(
        `SELECT s AS sequence, refused.code AS refused_as
           FROM generate_series(1, (SELECT max(sequence) FROM meter_readings WHERE meter_id = $1)) s
           LEFT JOIN meter_readings r ON r.meter_id = $1 AND r.sequence = s
           LEFT JOIN refused_readings refused ON refused.meter_id = $1 AND refused.sequence = s
          WHERE r.sequence IS NULL ORDER BY s`,
        [up.meterId],
      );
    try {
      await waitFor('no sequence is missing', async () => (await holes()).length === 0);
    } catch (cause) {
      throw new Error(`missing readings: ${JSON.stringify(await holes())}`, { cause });
    }
    await waitFor(
      'nothing waits for a mint',
      async () =>
        (await up.count(
          `SELECT count(*) FROM meter_readings WHERE NOT minted AND status NOT IN ('nothing_to_settle')`,
        )) === 0,
    );

    await up.auditPasses();

    const sequences = await up.query<{ first: string; last: string; count: string; distinct: string }>(
      `SELECT min(sequence) AS first, max(sequence) AS last, count(*), count(DISTINCT sequence) AS distinct
         FROM meter_readings WHERE meter_id = $1`,
      [up.meterId],
    );
    const { first, last, count, distinct } = sequences[0] as (typeof sequences)[0];
    expect({ first, count, distinct }).toEqual({ first: '1', count: last, distinct: last });

    const [books] = await up.query<{ surplus: string; minted: string }>(
      `SELECT max(r.surplus_total) AS surplus, m.chain_minted AS minted
         FROM meter_readings r JOIN meters m USING (meter_id) WHERE meter_id = $1 GROUP BY m.chain_minted`,
      [up.meterId],
    );
    expect(BigInt(books?.surplus ?? 0)).toBeGreaterThan(0n);
    expect(books?.minted).toBe(books?.surplus);

    expect(await up.stop()).toBe(0);
  },
  20 * 60_000,
);
