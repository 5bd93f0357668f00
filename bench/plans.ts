/** The plans by which PostgreSQL executes what the collector really asks it, from its own log (module auto_explain). */
import { readFileSync, statSync } from 'node:fs';
import type pg from 'pg';

export interface Plan {
  /** How long the statement took. */
  millis: number;
  statement: string;
  plan: string;
}

/** Every connection that is made from now on writes down its plans. */
export async function writePlans(client: pg.ClientBase, minMillis = 0): Promise<void> {
  const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
  const database = `"${rows[0]?.name}"`;
  for (const [name, value] of [
    ['session_preload_libraries', "'auto_explain'"],
    ['auto_explain.log_min_duration', String(minMillis)],
    ['auto_explain.log_nested_statements', 'on'],
    ['auto_explain.log_parameter_max_length', '0'],
  ]) {
    await client.query(`ALTER DATABASE ${database} SET ${name} = ${value}`);
  }
}

/** Ends that. */
export async function endPlans(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
  await client.query(`ALTER DATABASE "${rows[0]?.name}" RESET ALL`);
}

/** Reads the server's log from where it ends now. */
export class PlanReader {
  private from: number;

  constructor(private readonly logFile: string) {
    this.from = statSync(logFile).size;
  }

  /** What has been written since the last call. */
  next(): Plan[] {
    const bytes = readFileSync(this.logFile).subarray(this.from);
    this.from += bytes.length;
    return plansIn(bytes.toString('utf8'));
  }
}

/** The plans in a piece of a log: an entry's further lines begin with a tab. */
export function plansIn(log: string): Plan[] {
  const plans: Plan[] = [];
  for (const [, millis, text] of log.matchAll(
    /LOG: {2}duration: ([\d.]+) ms {2}plan:\n((?:\t.*(?:\n|$))+)/g,
  )) {
    const lines = (text as string).replaceAll(/^\t/gm, '');
    const tree = lines.search(/^[^\n]*\(cost=/m);
    plans.push({
      millis: Number(millis),
      statement: lines
        .slice(0, tree)
        .replace(/^Query Text: /, '')
        .trim(),
      plan: lines.slice(tree).trim(),
    });
  }
  return plans;
}

/** Tables that grow with time: whoever reads one of them from end to end will be slow one day. */
const GROWING =
  /Seq Scan on (meter_readings\w*|reading_keys|chain_events|chain_readings|chain_transactions|settlements|settlement_items|orders|trades|certificates|prices|price_guides|energy_quarters)\b.*\(cost=[\d.]+\.\.([\d.]+)/g;
/** In the planner's units. What costs less is a few pages, and read faster as a whole. */
const CHEAP = 100;

/** The growing table that a plan reads from end to end, if it does. */
export function tableReadWhole({ plan }: Plan): string | undefined {
  for (const [, table, cost] of plan.matchAll(GROWING)) if (Number(cost) > CHEAP) return table;
  return undefined;
}
