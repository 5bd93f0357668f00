import { ApiError } from './api.js';
import { en } from './text/en.js';
import { TextError, t } from './text/index.js';
import { TransactionFailed } from './trade.js';
import { WalletRefused } from './wallets.js';

type Key = keyof typeof en;

const known = (key: string): key is Key => Object.hasOwn(en, key);

/** What is said of an error: in the reader's language, and what the collector itself wrote, for whoever helps. */
export interface InWords {
  readonly text: string;
  /** Code and message of the collector; undefined where there is nothing to add. */
  readonly original: string | undefined;
}

/** Figures that texts speak of, if the refusal has all of them. */
function figures(
  details: Record<string, unknown>,
  names: readonly string[],
): Record<string, string> | undefined {
  const found = names.map((name) => [name, details[name]] as const);
  if (found.some(([, value]) => typeof value !== 'string')) return undefined;
  return Object.fromEntries(found) as Record<string, string>;
}

function ofCollector(error: ApiError): string {
  const { code, details } = error;
  if (code === 'BALANCE_TOO_LOW') {
    const values = figures(details, ['token', 'has', 'needs', 'missing']);
    if (values !== undefined) return t('error.balance', values);
  }
  if (code === 'RATE_LIMITED' && typeof details.retry_after_seconds === 'number')
    return t('error.wait', { seconds: details.retry_after_seconds });
  if (typeof details.reason === 'string' && known(`reason.${details.reason}`))
    return t(`reason.${details.reason}` as Key);
  const key = `error.${code}`;
  return known(key) ? t(key) : t('error.INTERNAL');
}

/** An error in plain words. @param error anything that was thrown */
export function inWords(error: Error): InWords {
  if (error instanceof ApiError) {
    if (error.code === 'UNREACHABLE') return { text: t('error.unreachable'), original: undefined };
    return { text: ofCollector(error), original: `${error.code}: ${error.message}` };
  }
  if (error instanceof TransactionFailed) {
    const key = `reason.${error.reason}`;
    if (error.reason === 'expired') return { text: t('market.expired'), original: undefined };
    return { text: known(key) ? t(key) : t('error.CHAIN_REFUSED'), original: error.message };
  }
  if (error instanceof WalletRefused) {
    return error.declined
      ? { text: t('wallet.declined', { name: error.wallet }), original: undefined }
      : { text: t('wallet.failed', { name: error.wallet }), original: error.message };
  }
  if (error instanceof TextError) return { text: t(error.key), original: undefined };
  return { text: error.message, original: undefined };
}
