import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  expectHoldings,
  newPerson,
  type Person,
  persist,
  produce,
  type Terminal,
  terminalOf,
} from '../support/market.js';
import { announceSeed, seededRandom } from '../support/random.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/*
 * The same story while things die: people sell and buy, a home goes on producing, and collector, database and chain are
 * killed at random moments. In the end every order was made once and filled once, everybody has exactly what they
 * traded, and the chain's history gives the same database again.
 */

const KILLS = Number(process.env.GTX_KILLS ?? 10);
const VICTIMS = ['collector', 'postgres', 'localnet'] as const;
/** Each kill comes while somebody's order is on its way. */
const ROUNDS = KILLS;
const PRICE = '3';
const AMOUNT = '0.5';

let system: RunningSystem;
let terminal: Terminal;
let sellers: Person[] = [];
let buyers: Person[] = [];

beforeAll(async () => {
  system = await RunningSystem.start({ args: ['--interval-seconds', '2'] });
  terminal = terminalOf(system);
  sellers = [await newPerson(terminal, 'seller-1'), await newPerson(terminal, 'seller-2')];
  buyers = [await newPerson(terminal, 'buyer-1'), await newPerson(terminal, 'buyer-2')];
  for (const [index, seller] of sellers.entries()) {
    const kwh = String(10 + ROUNDS);
    await produce(terminal, seller, `MTR-S${index + 1}`, { production: kwh, consumption: '0' });
    await expectHoldings(terminal, seller, { grid: kwh, grx: '0' });
  }
  for (const buyer of buyers)
    await system.gtxJson('faucet', '--amount', String(10 + 3 * ROUNDS), '--to', buyer.wallet);
}, 600_000);
afterAll(() => system?.destroy());

test(
  `${KILLS} random kill -9 of collector, database and chain: no order, trade or token is lost or doubled`,
  async () => {
    const random = seededRandom(announceSeed());
    const trade = async (round: number): Promise<void> => {
      const [seller, buyer] = [sellers[round % 2], buyers[(round >> 1) % 2]] as [Person, Person];
      const order = (side: string, { keyFile }: Person) =>
        persist(
          terminal,
          ...['create-order', '--side', side, '--amount', AMOUNT, '--price', PRICE, '--keypair', keyFile],
        );
      // Sometimes the one, sometimes the other waits for its counterpart.
      if (random() < 0.5) {
        await order('sell', seller);
        await order('buy', buyer);
      } else {
        await order('buy', buyer);
        await order('sell', seller);
      }
    };
    for (let round = 0; round < ROUNDS; round++) {
      const victim = VICTIMS[round % VICTIMS.length] as string;
      const trading = trade(round);
      // The moment of death is the random input of this test, not a wait for something.
      await delay(random() * 4_000);
      const pid = system.kill(victim);
      console.log(`kill ${round + 1}/${KILLS}: ${victim}`);
      await system.revived(victim, pid);
      await trading;
    }
    await waitFor('every component runs', () =>
      system.runFile.components.every(({ state }) => state === 'running'),
    );

    const half = (rounds: number) => rounds * 0.5;
    const roundsOf = (matches: (round: number) => boolean) =>
      Array.from({ length: ROUNDS }, (_, round) => round).filter(matches).length;
    for (const [index, seller] of sellers.entries()) {
      const sold = half(roundsOf((round) => round % 2 === index));
      await expectHoldings(terminal, seller, { grid: String(10 + ROUNDS - sold), grx: String(3 * sold) });
    }
    for (const [index, buyer] of buyers.entries()) {
      const bought = half(roundsOf((round) => (round >> 1) % 2 === index));
      await expectHoldings(terminal, buyer, {
        grid: String(bought),
        grx: String(10 + 3 * ROUNDS - 3 * bought),
      });
    }
    const people = [...sellers, ...buyers].map(({ wallet }) => wallet);
    await waitFor('every order is booked as filled', async () => {
      const orders = await system.query<{ side: string; status: string; count: string }>(
        `SELECT side, status, count(*) FROM orders WHERE owner = ANY($1) GROUP BY side, status ORDER BY side`,
        [people],
      );
      expect(orders).toEqual([
        { side: 'buy', status: 'filled', count: String(ROUNDS) },
        { side: 'sell', status: 'filled', count: String(ROUNDS) },
      ]);
      return true;
    });
    const [trades] = await system.query<{ amount: string; quote: string }>(
      'SELECT sum(amount) AS amount, sum(quote) AS quote FROM trades',
    );
    expect(trades).toEqual({
      amount: String(BigInt(ROUNDS) * 500_000_000n),
      quote: String(BigInt(ROUNDS) * 1_500_000_000n),
    });

    await system.standStill();
    await system.auditPasses();
    expect(await system.gtxJson('replay', '--check')).toMatchObject({ identical: true });
    expect(await system.stop()).toBe(0);
  },
  30 * 60_000,
);
