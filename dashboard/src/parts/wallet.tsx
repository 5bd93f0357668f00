import { encodeBase58 } from '@gridtokenx/protocol';
import { useLayoutEffect, useState } from 'preact/hooks';
import { short } from '../format.js';
import { decideBy, decider, hasDecider, logIn, logOut, type Signer, signer, wallet } from '../session.js';
import { t } from '../text/index.js';
import type { Health } from '../types.js';
import { browserWallets, connectWallet, keyFileSigner, onWalletsChange } from '../wallets.js';
import { useAsk } from './ask.js';
import { Problem } from './frame.js';
import { useWork } from './work.js';

/** Key files are for demonstrations on this machine, where nothing has a value: anywhere else a key belongs into a wallet. */
const onThisMachine = (): boolean => /^(localhost|127\.|\[::1\])/.test(globalThis.location.hostname);

/** The wallets of this browser, and in the demo a key file, each to be taken with a click. */
function Wallets({
  with: text,
  file,
  busy,
  take,
}: {
  with: 'wallet.with' | 'wallet.connect';
  file: 'wallet.file' | 'wallet.file.sign';
  busy: boolean;
  /** Asked for as soon as it is clicked; it may throw. */
  take: (find: () => Promise<Signer>) => void;
}) {
  const [, setRound] = useState(0);
  const health = useAsk<Health>(onThisMachine() ? '/healthz' : undefined);
  const demo = health.answer?.demo === true;
  // Before anything else runs, so that no wallet comes unseen.
  useLayoutEffect(() => onWalletsChange(() => setRound((value) => value + 1)), []);
  const wallets = browserWallets();
  return (
    <>
      {wallets.map((one) => (
        <button key={one.name} type="button" disabled={busy} onClick={() => take(() => connectWallet(one))}>
          {t(text, { name: one.name })}
        </button>
      ))}
      {wallets.length === 0 && <p class="quiet">{t('wallet.none')}</p>}
      {demo && (
        <label class="file">
          {t(file)}
          <input
            type="file"
            accept="application/json,.json"
            disabled={busy}
            onChange={(event) => {
              const chosen = event.currentTarget.files?.[0];
              // The same file may be chosen again: without this that would be no change.
              event.currentTarget.value = '';
              if (chosen) take(async () => keyFileSigner(await chosen.text()));
            }}
          />
        </label>
      )}
    </>
  );
}

function Connected({ text, by }: { text: string; by: Signer }) {
  return (
    <p>
      {text} <code title={by.address}>{short(by.address)}</code>
      {by.name === 'demo' && <span class="tag warn">{t('wallet.demo')}</span>}
    </p>
  );
}

/** Logs a wallet in or out; shown wherever something of one's own would be. */
export function WalletPanel() {
  const { busy, error, run } = useWork();
  const enter = async (by: Signer) => {
    // A login that lasts needs only the wallet again, to sign with.
    if (wallet.value === by.address) signer.value = by;
    else await logIn(by, encodeBase58);
  };

  if (wallet.value !== undefined && signer.value !== undefined) {
    return (
      <div class="wallet">
        <Connected text={t('wallet.in')} by={signer.value} />
        <button type="button" disabled={busy} onClick={() => run(logOut)}>
          {t('wallet.leave')}
        </button>
        {error && <Problem error={error} />}
      </div>
    );
  }
  return (
    <div class="wallet">
      <p>{wallet.value === undefined ? t('wallet.why') : t('wallet.sign')}</p>
      <Wallets
        with="wallet.with"
        file="wallet.file"
        busy={busy}
        take={(find) => void run(async () => enter(await find()))}
      />
      {wallet.value !== undefined && (
        <button type="button" disabled={busy} onClick={() => run(logOut)}>
          {t('wallet.leave')}
        </button>
      )}
      {error && <Problem error={error} />}
    </div>
  );
}

/**
 * A wallet that signs an operator's decisions, beside whatever login there is.
 * @param why what it is to sign, while there is none
 */
export function SigningPanel({ why }: { why: string }) {
  const { busy, error, run } = useWork();
  const by = decider.value;
  return (
    <div class="wallet">
      {by === undefined ? <p class="note">{why}</p> : <Connected text={t('wallet.signs')} by={by} />}
      {hasDecider.value ? (
        <button type="button" onClick={() => decideBy()}>
          {t('wallet.disconnect')}
        </button>
      ) : (
        <Wallets
          with="wallet.connect"
          file="wallet.file.sign"
          busy={busy}
          take={(find) => void run(async () => decideBy(await find()))}
        />
      )}
      {error && <Problem error={error} />}
    </div>
  );
}
