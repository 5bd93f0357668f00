import type { CertificatesEvents } from './idl/certificates.js';
import type { EnergyTokenEvents } from './idl/energy-token.js';
import type { GovernanceEvents } from './idl/governance.js';
import type { OracleEvents } from './idl/oracle.js';
import type { RegistryEvents } from './idl/registry.js';
import type { TradingEvents } from './idl/trading.js';
import { readLogs } from './logs.js';
import { certificates, energyToken, governance, oracle, registry, trading } from './programs.js';

type EventsOf<Events> = {
  [Name in keyof Events & string]: {
    name: Name;
    /** The program that logged it, base58. */
    programId: string;
    /** Position among this transaction's events of our programs, from 0: (signature, index) names an event. */
    index: number;
    data: Events[Name];
  };
}[keyof Events & string];

/** An event of one of our programs; `name` tells which, and with it the fields of `data`. */
export type ChainEvent =
  | EventsOf<RegistryEvents>
  | EventsOf<EnergyTokenEvents>
  | EventsOf<TradingEvents>
  | EventsOf<OracleEvents>
  | EventsOf<CertificatesEvents>
  | EventsOf<GovernanceEvents>;

/** What a transaction's log lines hold. */
export interface DecodedEvents {
  events: ChainEvent[];
  /**
   * Lines are missing, so events may be: read the accounts instead. Events after the gap are never reported,
   * since it is unknown which program wrote them.
   */
  truncated: boolean;
  /** Entries of our programs that are no event this version knows. */
  unknown: number;
}

const codecs = new Map(
  [registry, energyToken, trading, oracle, certificates, governance].map(
    (codec) => [codec.programId.toBase58(), codec] as const,
  ),
);

/**
 * Reads the events of our programs from a transaction's log lines, in order. Only lines that
 * one of them wrote itself count: another program's `Program data:` with the same bytes is ignored.
 *
 * The logs of a failed transaction show events that were undone: look at its `err` first, or use
 * {@link eventsOf}.
 */
export function decodeEvents(logs: readonly string[]): DecodedEvents {
  const { data, truncated } = readLogs(logs);
  const events: ChainEvent[] = [];
  let unknown = 0;
  for (const { programId, fields } of data) {
    const codec = codecs.get(programId);
    if (!codec) continue;
    const [bytes, ...others] = fields;
    const event = bytes && others.length === 0 ? codec.decodeEvent(bytes) : undefined;
    if (event) events.push({ ...event, programId, index: events.length } as ChainEvent);
    else unknown++;
  }
  return { events, truncated, unknown };
}

/** The part of `getTransaction`'s answer, or of a logs notification, that tells what happened. */
export interface ExecutedLogs {
  err: unknown;
  logMessages?: readonly string[] | null;
}

/** The events of an executed transaction: none when it failed, `truncated` when the node kept no logs. */
export function eventsOf(meta: ExecutedLogs | null | undefined): DecodedEvents {
  if (meta && meta.err !== null && meta.err !== undefined)
    return { events: [], truncated: false, unknown: 0 };
  if (!meta?.logMessages) return { events: [], truncated: true, unknown: 0 };
  return decodeEvents(meta.logMessages);
}
