import { NKWH_PER_KWH, type Nkwh } from './units.js';

/** The usual settlement interval: one signed reading per meter in 15 minutes. */
export const DEFAULT_INTERVAL_SECONDS = 900;
/** A reading whose interval ended longer ago is refused for good; the next covers its energy. */
export const MAX_READING_AGE_SECONDS = 7 * 24 * 3600;
/** How far an interval may end ahead of the collector's and the chain's clock. */
export const MAX_READING_AHEAD_SECONDS = 120;
/** Above this a reading is held for review before anything of its meter is settled. */
export const MAX_READING_NKWH: Nkwh = 100n * NKWH_PER_KWH;
/** Highest rise of the sequence that is believed. */
export const MAX_SEQUENCE_JUMP = 1_000_000n;
/** A GTXA login message must be this fresh, in both directions. */
export const LOGIN_FRESH_SECONDS = 300;
/** Gateways keep delivered readings at least this long, for a resend. */
export const OUTBOX_KEEP_SECONDS = 30 * 24 * 3600;
/** Limits for a commanded sampling period. */
export const MIN_SAMPLE_SECONDS = 1;
export const MAX_SAMPLE_SECONDS = 300;
/** Largest JSON body or MQTT payload taken from a gateway. */
export const MAX_PAYLOAD_BYTES = 16 * 1024;
/** Most meters behind one gateway login. */
export const MAX_METERS_PER_LOGIN = 64;
