/**
 * The one catalogue of errors. Every refusal and failure that leaves a component carries one of these
 * codes; `docs/errors.md` is generated from this table and a test keeps the two equal.
 *
 * `retry` answers one question: can the *same* reading (or request) be accepted when it is sent again
 * without a person changing it? `never` means that it is final and a sender must go on with the next;
 * `later` means that a sender keeps it and tries again, without holding up other meters.
 */

/** Whether sending the same thing again can succeed. */
export type Retry = 'never' | 'later';

/** One row of the catalogue. */
export interface ErrorEntry {
  /** HTTP status with which the code is answered. */
  readonly status: number;
  readonly retry: Retry;
  /** What happened, as a sentence. */
  readonly meaning: string;
  /** What the reader should do, as a sentence. */
  readonly action: string;
}

function define<const T extends Record<string, ErrorEntry>>(entries: T): T {
  return entries;
}

/** The catalogue: code to HTTP status, retry rule, meaning and what to do. */
export const ERRORS = define({
  // Submitting a reading, in the order in which it is checked.
  PAYLOAD_TOO_LARGE: {
    status: 413,
    retry: 'never',
    meaning: 'The body or message is larger than the limit.',
    action: 'Send one reading per request; the body described in the protocol reference fits easily.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    retry: 'never',
    meaning: 'The body is not declared as JSON.',
    action: 'Send the header Content-Type: application/json.',
  },
  INVALID_BODY: {
    status: 400,
    retry: 'never',
    meaning: 'The body is not valid JSON or does not match the schema.',
    action: 'Correct the fields named in details.issues.',
  },
  RATE_LIMITED: {
    status: 429,
    retry: 'later',
    meaning: 'Too many requests arrived from this meter or address.',
    action: 'Wait the seconds given in the Retry-After header, then send again.',
  },
  METER_NOT_REGISTERED: {
    status: 403,
    retry: 'later',
    meaning: 'The chain knows no meter with this id.',
    action: 'Register the meter (gtx register-meter); kept readings are accepted afterwards.',
  },
  METER_SUSPENDED: {
    status: 403,
    retry: 'later',
    meaning: 'The meter is suspended on the chain.',
    action: 'Ask the registrar why; readings count again after the meter has been activated.',
  },
  USER_NOT_VERIFIED: {
    status: 403,
    retry: 'later',
    meaning: "The meter's owner has not been verified by the registrar.",
    action: 'Have the registrar verify the owner (gtx verify-user); kept readings are accepted afterwards.',
  },
  WALLET_MISMATCH: {
    status: 403,
    retry: 'never',
    meaning: "wallet_address is not the meter's owner on the chain.",
    action: "Correct the wallet in the gateway's configuration; the next reading covers this one's energy.",
  },
  KEY_MISMATCH: {
    status: 403,
    retry: 'never',
    meaning: 'public_key is not the key registered for this meter.',
    action: 'Sign with the registered key, or rotate the key on the chain.',
  },
  INVALID_SIGNATURE: {
    status: 401,
    retry: 'never',
    meaning: "The signature does not verify against the reading's 48 bytes and the public key.",
    action: 'Sign exactly the 48 encoded bytes with the meter key; see the test vectors.',
  },
  READING_TOO_OLD: {
    status: 422,
    retry: 'never',
    meaning: 'The interval ended more than 7 days ago.',
    action: "Send newer readings: their totals cover this one's energy.",
  },
  READING_IN_FUTURE: {
    status: 422,
    retry: 'never',
    meaning: "The interval ends more than 2 minutes ahead of the collector's clock.",
    action: "Synchronise the gateway's clock (NTP) before signing the next reading.",
  },
  INTERVAL_INVALID: {
    status: 422,
    retry: 'never',
    meaning:
      'The interval is empty or reversed, does not end at reading_timestamp, or does not follow the previous one.',
    action: "Start each interval at the previous reading's end and end it later.",
  },
  SEQUENCE_INVALID: {
    status: 422,
    retry: 'never',
    meaning: 'The sequence is 0 or more than 1,000,000 above the last accepted one.',
    action: 'Number readings from 1 and raise by one for each.',
  },
  DUPLICATE_READING: {
    status: 409,
    retry: 'never',
    meaning: 'Another reading of this meter ends less than one settlement interval away.',
    action: 'Sign one reading per settlement interval; the next one covers this energy.',
  },
  SEQUENCE_CONFLICT: {
    status: 409,
    retry: 'never',
    meaning: 'A different reading with this sequence is already stored.',
    action:
      'Never reuse a sequence. Two gateways with the same key, or a store set back, cause this: find which.',
  },
  TOTALS_DECREASED: {
    status: 422,
    retry: 'never',
    meaning: 'A total is lower than in an earlier reading, or higher than in a later one already accepted.',
    action: 'Totals only rise. After a meter was replaced, add its registers to the old totals.',
  },
  TOTALS_INCONSISTENT: {
    status: 422,
    retry: 'never',
    meaning: 'The rise of surplus_total is outside max(0, dProduced - dConsumed) <= dSurplus <= dProduced.',
    action: 'Correct how the gateway accounts surplus.',
  },
  AMOUNT_MISMATCH: {
    status: 422,
    retry: 'later',
    meaning: 'kwh_amount is not the rise of surplus_total since the previous accepted reading.',
    action:
      'Compute kwh_amount from the previous accepted reading (details) and send again; the signature stays valid.',
  },
  STORAGE_UNAVAILABLE: {
    status: 503,
    retry: 'later',
    meaning: 'The database cannot store the reading now.',
    action: 'Keep the reading and send it again.',
  },

  // Logging in and asking.
  LOGIN_REFUSED: {
    status: 401,
    retry: 'never',
    meaning: 'The login message, its signature or the password is wrong.',
    action:
      'Check which key signed, and what: a gateway signs a message for each meter, a wallet the text of a new challenge.',
  },
  LOGIN_STALE: {
    status: 401,
    retry: 'later',
    meaning: "The login message's time is more than 5 minutes off or not newer than the meter's last login.",
    action: 'Synchronise the clock (details.server_time) and sign a new login message.',
  },
  UNAUTHENTICATED: {
    status: 401,
    retry: 'never',
    meaning: 'The request needs a login.',
    action: 'Log in and send the credentials.',
  },
  FORBIDDEN: {
    status: 403,
    retry: 'never',
    meaning: 'This login may not do that.',
    action: 'Use a login with the needed right.',
  },
  TOPIC_FORBIDDEN: {
    status: 403,
    retry: 'never',
    meaning: 'The client may not publish or subscribe to this MQTT topic.',
    action: 'Use only the topics of the meters that the client logged in for.',
  },
  TLS_REQUIRED: {
    status: 403,
    retry: 'never',
    meaning: 'The connection comes from another machine and is not encrypted.',
    action: 'Connect with TLS (mqtts://, https://).',
  },
  NOT_FOUND: {
    status: 404,
    retry: 'never',
    meaning: 'There is nothing at this address or with this id.',
    action: 'Check the path or id.',
  },
  UPGRADE_REQUIRED: {
    status: 426,
    retry: 'never',
    meaning: 'At this path there is a WebSocket, and the request did not ask for one.',
    action: 'Connect with a WebSocket client (RFC 6455).',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    retry: 'never',
    meaning: 'The path exists, but not with this HTTP method.',
    action: 'Use the method named in the Allow header.',
  },
  CONFLICT: {
    status: 409,
    retry: 'never',
    meaning: 'The request contradicts the present state.',
    action: 'Read the present state and decide again.',
  },

  // The market.
  BALANCE_TOO_LOW: {
    status: 422,
    retry: 'never',
    meaning: 'The wallet does not hold what the order or trade would take from it.',
    action:
      'Choose a smaller amount, cancel an order of the wallet, or get more of the token that details name.',
  },
  ORDER_CLOSED: {
    status: 409,
    retry: 'never',
    meaning: 'The order was filled, cancelled or has expired, or less of it is left than was asked for.',
    action: 'Look at the book and choose another order or amount.',
  },
  SELF_TRADE: {
    status: 422,
    retry: 'never',
    meaning: 'Nobody trades with an order of their own.',
    action: 'Take an order of another wallet, or cancel this one.',
  },
  MARKET_CLOSED: {
    status: 409,
    retry: 'later',
    meaning:
      'The market is paused, or its price feed has no price that counts now, or the price is outside its band.',
    action:
      'Look at the price and the market (gtx price, gtx market show). Orders can be cancelled all the time.',
  },

  // Values and messages.
  VALUE_INVALID: {
    status: 400,
    retry: 'never',
    meaning: 'A value is outside its format or range.',
    action: 'Correct the value named in the message.',
  },
  MESSAGE_INVALID: {
    status: 400,
    retry: 'never',
    meaning: 'A signed binary message has the wrong length, magic or content.',
    action: 'Compare with the byte tables of the protocol reference.',
  },
  ACK_INVALID: {
    status: 400,
    retry: 'never',
    meaning:
      'An acknowledgement is not signed by the pinned collector key, is malformed, or goes beyond what was sent.',
    action: 'Check collector_key in the gateway configuration; if it is right, somebody forges messages.',
  },
  COMMAND_INVALID: {
    status: 400,
    retry: 'never',
    meaning: 'A command is not signed by the pinned collector key, is malformed, stale or out of limits.',
    action: 'Check collector_key in the gateway configuration; if it is right, somebody forges messages.',
  },

  // Configuration and keys.
  CONFIG_INVALID: {
    status: 500,
    retry: 'never',
    meaning: 'The configuration does not match its schema.',
    action: 'Correct the settings named in the message.',
  },
  KEY_FILE_INVALID: {
    status: 500,
    retry: 'never',
    meaning: 'A key file is missing or is not a JSON array of 64 bytes.',
    action: 'Make one with gtx keygen, or restore it from a backup.',
  },
  KEY_FILE_PERMISSIONS: {
    status: 500,
    retry: 'never',
    meaning: 'A key file can be read by others than its owner.',
    action: 'Run chmod 600 on the file named in the message; rotate the key if others may have read it.',
  },
  KEY_FILE_EXISTS: {
    status: 409,
    retry: 'never',
    meaning: 'A key file is already there and is never overwritten.',
    action: 'Choose another path, or move the old key away.',
  },
  DATA_DIR_IN_USE: {
    status: 409,
    retry: 'never',
    meaning: 'Another process works with this data folder.',
    action: 'Stop the other process (its pid is in the message) or choose another folder.',
  },
  PORT_IN_USE: {
    status: 409,
    retry: 'never',
    meaning: 'The network port is taken.',
    action: 'Stop the other program or choose another port (0 picks a free one).',
  },
  DEPENDENCY_MISSING: {
    status: 500,
    retry: 'never',
    meaning: 'A program or file that this function needs is not installed.',
    action: 'Install what the message names.',
  },
  START_FAILED: {
    status: 500,
    retry: 'never',
    meaning: 'A component ended before it was ready.',
    action: "Read the component's log named in the message.",
  },

  // Gateway.
  PROFILE_INVALID: {
    status: 500,
    retry: 'never',
    meaning: 'A meter profile is unknown or does not match the profile schema.',
    action: 'Use a profile from gtx profile list, or see with gtx profile check what is wrong with the file.',
  },
  AGENT_UNAVAILABLE: {
    status: 503,
    retry: 'later',
    meaning: 'The gateway does not answer on its status page.',
    action: 'Is it running? systemctl status gridtokenx-agent; its address is http in its configuration.',
  },
  BACKUP_INVALID: {
    status: 500,
    retry: 'never',
    meaning: 'The passphrase does not open the backup, or the backup is damaged or was changed.',
    action: 'Check the passphrase; take another copy of the backup.',
  },
  METER_BUS_ERROR: {
    status: 502,
    retry: 'later',
    meaning: 'A meter did not answer, or answered with an exception or a broken frame.',
    action: 'Check wiring, unit number, baud rate and parity. Reading goes on by itself.',
  },
  METER_VALUE_INVALID: {
    status: 502,
    retry: 'later',
    meaning:
      'A meter answered a value that cannot be true (not a number, falling register, impossible rise).',
    action: 'The value is discarded and nothing is signed from it. If it goes on, check the meter.',
  },
  CLOCK_UNSYNCHRONISED: {
    status: 503,
    retry: 'later',
    meaning: "The gateway's clock is not synchronised, so it measures but does not sign.",
    action: 'Start NTP (timedatectl set-ntp true). The first reading afterwards covers the time between.',
  },
  OUTBOX_FULL: {
    status: 507,
    retry: 'later',
    meaning:
      "The gateway's store is full or cannot be written, so it stops signing rather than lose readings.",
    action:
      'Free disk space or raise max_outbox_bytes. The first reading afterwards covers the time between.',
  },
  BROKER_UNAVAILABLE: {
    status: 503,
    retry: 'later',
    meaning: 'The MQTT broker cannot be reached or does not acknowledge.',
    action: 'Check mqtt.url and the network. Readings are kept and sent later.',
  },
  COLLECTOR_UNAVAILABLE: {
    status: 503,
    retry: 'later',
    meaning: 'The collector cannot be reached or does not answer properly.',
    action: 'Check that it runs (gtx status) and its address.',
  },

  // Chain and settlement.
  CHAIN_UNAVAILABLE: {
    status: 503,
    retry: 'later',
    meaning: 'The Solana RPC endpoint cannot be reached or does not answer properly.',
    action: 'Check SOLANA_RPC_URL and the network.',
  },
  CHAIN_REFUSED: {
    status: 422,
    retry: 'never',
    meaning: 'A program on the chain refused the transaction (details name the error).',
    action: "Look the program's error up and correct its cause.",
  },
  TRANSACTION_EXPIRED: {
    status: 503,
    retry: 'later',
    meaning: 'The transaction was not included before its blockhash expired.',
    action: 'It is signed again by itself; raise the priority fee if this repeats.',
  },
  TRANSACTION_INVALID: {
    status: 400,
    retry: 'never',
    meaning:
      'The transaction cannot be decoded, is too large or too old, or lacks a valid signature of one of its signers.',
    action: 'Build it anew and submit it exactly as the wallet signed it, within a minute.',
  },
  TRANSACTION_FORBIDDEN: {
    status: 403,
    retry: 'never',
    meaning: 'The transaction calls a program that is not relayed here.',
    action:
      "Send it to a Solana node; only transactions of this system's own programs go through the collector.",
  },
  SETTLEMENT_REVIEW: {
    status: 409,
    retry: 'never',
    meaning: 'A reading was refused by the chain 10 times and waits for review.',
    action: 'Look at the review, remove the cause, and release it.',
  },
  AUDIT_DIFFERENCE: {
    status: 500,
    retry: 'never',
    meaning: 'Supply, counters, events and readings do not agree.',
    action: 'Stop settlement and look at each difference that gtx audit names.',
  },

  // Running.
  SERVICE_STOPPING: {
    status: 503,
    retry: 'later',
    meaning: 'The component is stopping or starting.',
    action: 'Send again in a few seconds.',
  },
  TIMEOUT: {
    status: 504,
    retry: 'later',
    meaning: 'Something expected did not happen in time.',
    action: 'Look at the component named in the message; send again.',
  },
  INTERNAL: {
    status: 500,
    retry: 'later',
    meaning: 'An unforeseen error; its details are in the log.',
    action: 'Send again; report it with the log when it repeats.',
  },
});

/** Every code of the catalogue. */
export type ErrorCode = keyof typeof ERRORS;

/** All codes, in catalogue order. */
export const ERROR_CODES = Object.keys(ERRORS) as ErrorCode[];

/** True when `text` is a code of the catalogue. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}

/** JSON-able facts about an error; never secrets. */
export type ErrorDetails = Record<string, unknown>;

/**
 * An error with a code of the catalogue.
 * @param code catalogue code
 * @param message what happened, for a person; the catalogue's meaning when left out
 * @param details JSON-able facts for a program (no bigint, no secrets)
 * @param options `cause`: the error underneath
 */
export class GtxError extends Error {
  override readonly name = 'GtxError';
  readonly code: ErrorCode;
  readonly details?: ErrorDetails;

  constructor(code: ErrorCode, message?: string, details?: ErrorDetails, options?: { cause?: unknown }) {
    super(message ?? ERRORS[code].meaning, options);
    this.code = code;
    if (details !== undefined) this.details = details;
  }

  /** HTTP status of the code. */
  get status(): number {
    return ERRORS[this.code].status;
  }

  /** Whether sending the same thing again can succeed. */
  get retry(): Retry {
    return ERRORS[this.code].retry;
  }
}

/** A refusal as it goes over HTTP: `{"error":{"code","message","retry","details"}}`. */
export interface ErrorBody {
  error: { code: ErrorCode; message: string; retry: Retry; details: ErrorDetails };
}

/**
 * The JSON body for any error. An error that is not a `GtxError` becomes INTERNAL without its text, so
 * that nothing from the inside reaches a caller: log it first.
 */
export function errorBody(error: unknown): ErrorBody {
  const known = error instanceof GtxError ? error : new GtxError('INTERNAL');
  return {
    error: {
      code: known.code,
      message: known.message,
      retry: known.retry,
      details: known.details ?? {},
    },
  };
}
