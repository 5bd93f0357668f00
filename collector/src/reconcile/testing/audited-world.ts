/** A market with everything in it that the database repeats, and a chain whose accounts a test can falsify. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import {
  EnergySource,
  fetchMeter,
  GRID_TOKEN_PROGRAM_ID,
  governanceAddress,
  gridMintAddress,
  gridTokenAccount,
  instructions,
  meterAddress,
  nextProposalId,
  proposalCall,
  setUpFeed,
} from '@gridtokenx/chain';
import { createTransferCheckedInstruction } from '@solana/spl-token';
import type { Keypair, PublicKey } from '@solana/web3.js';
import type BetterSqlite3 from 'better-sqlite3';
import { runAudit } from '../../audit/audit.js';
import { MarketWorld, type TestOrder, units } from '../../matching/testing/market-world.js';
import { ChainMirror } from '../../mirror/mirror.js';
import { until, type WorldMeter } from '../../settlement/testing/world.js';
import { type ReconcileConfig, Reconciler } from '../reconciler.js';

/** As the localnet itself opens its journal: see its sqlite.ts. */
const Sqlite = createRequire(import.meta.url)(
  Number(process.versions.node.split('.')[0]) < 22 ? 'better-sqlite3-node20' : 'better-sqlite3',
) as typeof BetterSqlite3;

export const SYMBOL = 'GRX/GRID';

export class AuditedWorld extends MarketWorld {
  seller!: Keypair;
  buyer!: Keypair;
  homes!: WorldMeter[];
  /** Resting orders, a cancelled one and one that was filled. */
  orders!: { sell: TestOrder; buy: TestOrder; cancelled: TestOrder; filled: TestOrder };

  async startAll(): Promise<void> {
    await this.startMarket(200);
    this.seller = await this.trader({ grid: 50, grx: 10 });
    this.buyer = await this.trader({ grid: 1, grx: 500 });
    const filled = await this.order(this.seller, 'sell', 2, 3);
    await this.take(filled, this.buyer, 2);
    const cancelled = await this.order(this.buyer, 'buy', 1, 1);
    await this.cancel(cancelled);
    const sell = await this.order(this.seller, 'sell', 10, 4);
    await this.take(sell, this.buyer, 3);
    const buy = await this.order(this.buyer, 'buy', 5, 2);
    this.orders = { sell, buy, cancelled, filled };
    this.homes = [await this.addMeter(await this.addOwner())];
    await this.openFeed();
    await this.certify();
    await this.propose();
  }

  /** Fills an order as a taker, without anything in between. */
  async take(order: TestOrder, taker: Keypair, amount: number): Promise<string> {
    const account = await this.accountOf(order);
    if (!account) throw new Error('the order is gone');
    return this.send(
      [
        instructions.matchOrder({
          taker: taker.publicKey,
          market: this.account,
          order: account,
          price: account.price,
          amount: units(amount),
          maxFeeBps: 1_000,
        }),
      ],
      [taker],
    );
  }

  /** GRID from one wallet to the other by the token program alone: no program of ours hears of it. */
  async transfer(from: Keypair, to: PublicKey, amount: number): Promise<string> {
    return this.send([this.transferInstruction(from, gridTokenAccount(to), amount)], [from]);
  }

  transferInstruction(from: Keypair, account: PublicKey, amount: number) {
    return createTransferCheckedInstruction(
      gridTokenAccount(from.publicKey),
      gridMintAddress(),
      account,
      from.publicKey,
      units(amount),
      9,
      [],
      GRID_TOKEN_PROGRAM_ID,
    );
  }

  /** Changes an account's data on the chain as no program would: the node is stopped and its journal written. */
  async falsify(address: PublicKey, change: (data: Buffer) => void): Promise<void> {
    const port = await this.stopChain();
    const database = new Sqlite(join(String(Reflect.get(this, 'folder')), 'chain', 'chain.sqlite'));
    try {
      const key = address.toBase58();
      const row = database.prepare('SELECT data FROM accounts WHERE address = ?').get(key) as {
        data: Buffer;
      };
      const data = Buffer.from(row.data);
      change(data);
      database.prepare('UPDATE accounts SET data = ? WHERE address = ?').run(data, key);
    } finally {
      database.close();
    }
    await this.startChain(port);
    // A connection that was kept open has died with the node.
    await until(async () => {
      try {
        return (await this.connection.getSlot('confirmed')) > 0;
      } catch {
        return false;
      }
    });
  }

  audit(catchUp = true) {
    const { pool, connection, logger, now } = this;
    return runAudit({ pool, connection, logger, now, catchUp });
  }

  /**
   * A reconciler whose mirror has looked deep and never does so again: what is mended, is mended by the repair and not
   * by the mirror's own way of noticing.
   */
  async repairer(): Promise<Reconciler> {
    const { pool, connection, logger, alerts } = this;
    const doors = new ChainMirror({
      pool,
      connection,
      logger,
      alerts,
      now: () => 0,
      config: { wsUrl: false },
    });
    await doors.catchUp();
    return this.reconciler({}, doors);
  }

  /** A reconciler that waits for nothing between its looks. */
  reconciler(config: ReconcileConfig = {}, doors = this.mirror()): Reconciler {
    const { pool, connection, logger, now } = this;
    return new Reconciler({
      pool,
      connection,
      logger,
      now,
      doors,
      config: {
        pagesPerSecond: 1000,
        roundSeconds: 0,
        walkSeconds: 0,
        secondLookSeconds: 0,
        auditHours: 0,
        ...config,
      },
    });
  }

  private async openFeed(): Promise<void> {
    await setUpFeed(this.connection, {
      authority: this.authority,
      guardian: this.guardian.publicKey,
      symbol: SYMBOL,
      settings: {
        maxAgeSeconds: 86_400,
        minPublishers: 1,
        maxDeviationBps: 2_000,
        guardSeconds: 86_400,
        overridePublishers: 0,
      },
      publishers: [this.feePayer.publicKey],
      firstPrice: { publisher: this.feePayer, price: units(3) },
    });
  }

  private async certify(): Promise<void> {
    const { rows } = await this.pool.query<{ meter_id: string }>('SELECT meter_id FROM meters LIMIT 1');
    const meterId = rows[0]?.meter_id ?? '';
    const source = Reflect.get(this, 'source') as Keypair;
    const account = await fetchMeter(this.connection, meterId);
    if (!account) throw new Error('no meter');
    const meter = meterAddress(meterId);
    await this.send(
      [
        instructions.openBook({
          payer: this.feePayer.publicKey,
          owner: source.publicKey,
          registrar: this.registrar.publicKey,
          meter,
          source: EnergySource.Solar,
          startTotal: account.settled - units(3),
          periodStart: account.lastEnd - 1,
        }),
        instructions.issueCertificate({
          payer: this.feePayer.publicKey,
          owner: source.publicKey,
          book: { meter, nextSerial: 1n },
          energyNkwh: units(2),
        }),
      ],
      [source, this.registrar],
    );
  }

  private async propose(): Promise<void> {
    const { authority, connection } = this;
    const wallet = authority.publicKey;
    await this.send(
      [
        instructions.initializeGovernance({
          authority: wallet,
          owner: wallet,
          guardian: this.guardian.publicKey,
          supply: 1_000_000n,
          settings: {
            proposalDeposit: 1_000n,
            votingSeconds: 3_600,
            timelockSeconds: 60,
            executionSeconds: 3_600,
            pauseSeconds: 60,
            quorumBps: 400,
            thresholdBps: 5_000,
          },
        }),
        instructions.depositGov({ payer: wallet, wallet, amount: 1_000_000n }),
      ],
      [authority],
    );
    const call = proposalCall(
      instructions.setLimits({ admin: governanceAddress(), maxRatedWatts: 1_000, dailyMintCapNkwh: 0n }),
    );
    await this.send(
      instructions.proposeInstructions({
        payer: wallet,
        proposer: wallet,
        id: await nextProposalId(connection),
        title: 'Smaller meters',
        uri: '',
        descriptionHash: new Uint8Array(32),
        calls: [call],
      }),
      [authority],
    );
  }
}
