import { GtxError } from '@gridtokenx/protocol';

/** Exit codes of every `gtx` command; the same table is printed in docs/cli.md. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unavailable: 3,
  refused: 4,
  busy: 5,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_MEANINGS: readonly { code: ExitCode; meaning: string }[] = [
  { code: EXIT.ok, meaning: 'Done. For `audit` and `replay`: no differences.' },
  { code: EXIT.failed, meaning: 'Failed. For `audit` and `replay`: differences were found, each is named.' },
  {
    code: EXIT.usage,
    meaning: 'Wrong use: an unknown option, a value out of range, a bad configuration or key file.',
  },
  {
    code: EXIT.unavailable,
    meaning: 'Something needed cannot be reached (chain, database, broker, collector). Try again later.',
  },
  {
    code: EXIT.refused,
    meaning: 'The collector or the chain refused what was asked; the error code says why.',
  },
  { code: EXIT.busy, meaning: 'Another program has it: the data folder, or the port.' },
  { code: EXIT.interrupted, meaning: 'Stopped by Ctrl-C before the work was done.' },
];

const BY_CODE: Partial<Record<string, ExitCode>> = {
  CONFIG_INVALID: EXIT.usage,
  KEY_FILE_INVALID: EXIT.usage,
  KEY_FILE_PERMISSIONS: EXIT.usage,
  VALUE_INVALID: EXIT.usage,
  PROFILE_INVALID: EXIT.usage,
  CHAIN_UNAVAILABLE: EXIT.unavailable,
  BROKER_UNAVAILABLE: EXIT.unavailable,
  STORAGE_UNAVAILABLE: EXIT.unavailable,
  COLLECTOR_UNAVAILABLE: EXIT.unavailable,
  CHAIN_REFUSED: EXIT.refused,
  DATA_DIR_IN_USE: EXIT.busy,
  PORT_IN_USE: EXIT.busy,
  AGENT_UNAVAILABLE: EXIT.unavailable,
  BACKUP_INVALID: EXIT.usage,
  INTERNAL: EXIT.failed,
};

/**
 * The exit code that belongs to an error: its catalogue code when that has one of its own, otherwise its HTTP
 * status (4xx is a refusal, 503 is an outage), otherwise 1.
 */
export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof GtxError)) return EXIT.failed;
  const direct = BY_CODE[error.code];
  if (direct !== undefined) return direct;
  if (error.status === 503) return EXIT.unavailable;
  if (error.status >= 400 && error.status < 500) return EXIT.refused;
  return EXIT.failed;
}
