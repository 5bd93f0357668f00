import { formatTimestamp, nkwhToKwh } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Power } from '../fleet/index.js';
import {
  energyFields,
  metersBehind,
  networkEnergy,
  networkEnergySince,
  type Period,
  utcMidnight,
} from './energy.js';
import { latestMints, mintedSince, pipeline, readingCounts, sumOf } from './figures.js';
import type { EnergyAnswer, Mint, OverviewAnswer, PipelineStage } from './schemas.js';

export interface OverviewDeps {
  readonly pool: pg.Pool;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Live power of the network at a time in Unix seconds. */
  readonly power: (nowSeconds: number) => Promise<Power>;
  /** Readings that this collector has received and not stored. */
  readonly queued: () => number;
  /** What fewer meters measure is shown to operators only. */
  readonly leastMeters: number;
}

/** How long an answer serves: those who look at the same second have one. */
const FRESH_MILLIS = 1_000;
/** What changes slowly, or is asked for in many ways. */
const SLOW_MILLIS = 5_000;
const MINTS = 10;
/** Answers that are remembered: of each half hour that midnight can be at there are 48. */
const REMEMBERED = 200;

/** Remembers answers for a moment; whoever asks while one is being found gets that one. */
export class Remembered<T> {
  private readonly answers = new Map<string, { until: number; answer: Promise<T> }>();

  constructor(
    private readonly millis: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get(key: string, find: () => Promise<T>): Promise<T> {
    const known = this.answers.get(key);
    if (known !== undefined && known.until > this.now()) return known.answer;
    this.answers.delete(key);
    for (const [oldest] of this.answers) {
      if (this.answers.size < REMEMBERED) break;
      this.answers.delete(oldest);
    }
    const entry = { until: Number.POSITIVE_INFINITY, answer: find() };
    this.answers.set(key, entry);
    entry.answer.then(
      () => {
        entry.until = this.now() + this.millis;
      },
      // What went wrong is not remembered.
      () => {
        if (this.answers.get(key) === entry) this.answers.delete(key);
      },
    );
    return entry.answer;
  }
}

/** What does not depend on who asks, nor on where today began. */
interface Common {
  power: Power;
  total: OverviewAnswer['total'];
  pipeline: PipelineStage[];
  mints: Mint[];
}

/** The figures about the network as a whole. */
export class Overview {
  private readonly common = new Remembered<Common>(FRESH_MILLIS);
  private readonly todays = new Remembered<Omit<OverviewAnswer['today'], 'since'>>(FRESH_MILLIS);
  private readonly totals = new Remembered<{ meters: number; users: number }>(SLOW_MILLIS);
  private readonly backlog = new Remembered<number>(SLOW_MILLIS);
  private readonly energies = new Remembered<Omit<EnergyAnswer, 'counted'>>(SLOW_MILLIS);

  private told: { text: string; answer: OverviewAnswer } | undefined;

  constructor(private readonly deps: OverviewDeps) {}

  /**
   * @param since where today began, Unix seconds; the beginning of a quarter of an hour. Default: midnight in UTC
   * @param operator sees what few meters measure
   */
  async now({ since, operator }: { since?: number | undefined; operator: boolean }): Promise<OverviewAnswer> {
    const { now } = this.deps;
    const begin = since ?? utcMidnight(now());
    const [{ power, ...common }, today] = await Promise.all([
      this.common.get('', () => this.findCommon()),
      this.today(begin, operator),
    ]);
    const hidden = power.meters > 0 && power.meters < this.leastFor(operator);
    const { silent, ...shown } = power;
    return {
      time: formatTimestamp(Math.floor(now() / 1000)),
      zone: 'UTC',
      power: hidden || power.meters === 0 ? null : shown,
      power_hidden: hidden ? 'too_few_meters' : null,
      today: { since: formatTimestamp(begin), ...today },
      ...common,
    };
  }

  /** What everybody may see, with UTC's today; the same object while nothing but the time has changed. */
  async news(): Promise<OverviewAnswer> {
    const next = await this.now({ operator: false });
    const { time, ...rest } = next;
    const text = JSON.stringify(rest);
    if (this.told === undefined || this.told.text !== text) this.told = { text, answer: next };
    return this.told.answer;
  }

  /** Energy of the network by parts of time. */
  async energy(period: Period, operator: boolean): Promise<EnergyAnswer> {
    const least = this.leastFor(operator);
    const key = [period.from, period.to, period.step, period.zone, least].join('/');
    const [answer, behind] = await Promise.all([
      this.energies.get(key, () => networkEnergy(this.deps.pool, period, least)),
      this.behind(),
    ]);
    return { ...answer, counted: behind === 0 };
  }

  /** Meters with readings that are not added up yet. */
  behind(): Promise<number> {
    return this.backlog.get('', () => metersBehind(this.deps.pool));
  }

  private leastFor(operator: boolean): number {
    return operator ? 0 : this.deps.leastMeters;
  }

  private today(since: number, operator: boolean): Promise<Omit<OverviewAnswer['today'], 'since'>> {
    const { pool } = this.deps;
    return this.todays.get(`${since}/${operator}`, async () => {
      const [energy, minted] = await Promise.all([
        networkEnergySince(pool, since, this.leastFor(operator)),
        mintedSince(pool, since),
      ]);
      return {
        ...energyFields(energy, energy.hidden),
        minted_grid: nkwhToKwh(minted.since),
        readings: energy.readings,
      };
    });
  }

  private async findCommon(): Promise<Common> {
    const { pool, now, power, queued } = this.deps;
    const counts = await readingCounts(pool);
    const [watts, total, stages, mints, minted] = await Promise.all([
      power(Math.floor(now() / 1000)),
      this.totals.get('', () => this.findTotals()),
      pipeline(pool, counts, queued()),
      latestMints(pool, MINTS),
      mintedSince(pool, 0),
    ]);
    return {
      power: watts,
      total: { minted_grid: nkwhToKwh(minted.total), readings: sumOf(counts), ...total },
      pipeline: stages,
      mints,
    };
  }

  private async findTotals(): Promise<{ meters: number; users: number }> {
    const { rows } = await this.deps.pool.query<{ meters: number; users: number }>(
      'SELECT (SELECT count(*) FROM meters)::int AS meters, (SELECT count(*) FROM users)::int AS users',
    );
    return rows[0] ?? { meters: 0, users: 0 };
  }
}
