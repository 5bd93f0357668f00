import { encodeBase58 } from '@gridtokenx/protocol';
import { useEffect, useState } from 'preact/hooks';
import { short } from '../format.js';
import { logIn, logOut, type Signer, signer, wallet } from '../session.js';
import { t } from '../text/index.js';
import type { Health } from '../types.js';
import { browserWallets, connectWallet, keyFileSigner, onWalletsChange } from '../wallets.js';
import { useAsk } from './ask.js';
import { Problem } from './frame.js';

/** Key files are for demonstrations on this machine, where nothing has a value: anywhere else a key belongs into a wallet. */
const onThisMachine = (): boolean => /^(localhost|127\.|\[::1\])/.test(globalThis.location.hostname);

/** Logs a wallet in or out; shown wherever something of one's own would be. */
export function WalletPanel() {
  const [, setRound] = useState(0);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const health = useAsk<Health>(onThisMachine() ? '/healthz' : undefined);
  const demo = health.answer?.demo === true;
  useEffect(() => onWalletsChange(() => setRound((value) => value + 1)), []);

  const run = async (action: () => Promise<unknown>) => {
    setBusy(true);
    setError(undefined);
    try {
      await action();
    } catch (problem) {
      setError(problem instanceof Error ? problem : new Error(String(problem)));
    } finally {
      setBusy(false);
    }
  };
  const enter = async (by: Signer) => {
    // A login that lasts needs only the wallet again, to sign with.
    if (wallet.value === by.address) signer.value = by;
    else await logIn(by, encodeBase58);
  };

  if (wallet.value !== undefined && signer.value !== undefined) {
    return (
      <div class="wallet">
        <p>
          {t('wallet.in')} <code title={wallet.value}>{short(wallet.value)}</code>
          {signer.value.name === 'demo' && <span class="tag warn">{t('wallet.demo')}</span>}
        </p>
        <button type="button" disabled={busy} onClick={() => run(logOut)}>
          {t('wallet.leave')}
        </button>
        {error && <Problem error={error} />}
      </div>
    );
  }
  const wallets = browserWallets();
  return (
    <div class="wallet">
      <p>{wallet.value === undefined ? t('wallet.why') : t('wallet.sign')}</p>
      {wallets.map((one) => (
        <button
          key={one.name}
          type="button"
          disabled={busy}
          onClick={() => run(async () => enter(await connectWallet(one)))}
        >
          {t('wallet.with', { name: one.name })}
        </button>
      ))}
      {wallets.length === 0 && <p class="quiet">{t('wallet.none')}</p>}
      {demo && (
        <label class="file">
          {t('wallet.file')}
          <input
            type="file"
            accept="application/json,.json"
            disabled={busy}
            onChange={(event) => {
              const file = event.currentTarget.files?.[0];
              if (file) void run(async () => enter(await keyFileSigner(await file.text())));
            }}
          />
        </label>
      )}
      {wallet.value !== undefined && (
        <button type="button" disabled={busy} onClick={() => run(logOut)}>
          {t('wallet.leave')}
        </button>
      )}
      {error && <Problem error={error} />}
    </div>
  );
}
