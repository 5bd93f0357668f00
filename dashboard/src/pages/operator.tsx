import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ApiError } from '../api.js';
import { AlertsCard } from '../operator/alerts.js';
import { FiguresCard } from '../operator/figures.js';
import { FleetSummaryCard, FleetView } from '../operator/fleet.js';
import { ReviewsCard } from '../operator/reviews.js';
import { SettlementView } from '../operator/settlement.js';
import { SystemView } from '../operator/system.js';
import { TrafficView } from '../operator/traffic.js';
import { useAsk, useRegularly } from '../parts/ask.js';
import { Card, Loading, Problem } from '../parts/frame.js';
import { WalletPanel } from '../parts/wallet.js';
import { hrefOf } from '../routes.js';
import { hasPassword, passwordRefused, roles, usePassword, wallet } from '../session.js';
import { t } from '../text/index.js';
import type { CollectorStatus } from '../types.js';

const PARTS = ['overview', 'fleet', 'traffic', 'settlement', 'system'] as const;
type Part = (typeof PARTS)[number];

/** @param rest which part, and what of it */
export function OperatorPage({ rest: [wanted, ...rest] }: { rest: readonly string[] }) {
  const part = PARTS.find((name) => name === wanted) ?? 'overview';
  const status = useAsk<CollectorStatus>('/api/status');
  const refused = status.error instanceof ApiError && [401, 403].includes(status.error.status);
  // Who has been refused is not asked about again by itself.
  useRegularly(status.again, !refused);
  const who = `${wallet.value} ${hasPassword.value}`;
  const asked = useRef(who);
  useEffect(() => {
    if (asked.current === who) return;
    asked.current = who;
    status.again();
  }, [who, status.again]);
  return (
    <>
      <h1>{t('nav.operator')}</h1>
      {refused ? (
        <Card title={t('operator.login')}>
          <p>{t('operator.why')}</p>
          <WalletPanel />
          {wallet.value !== undefined && !roles.value.includes('operator') && (
            <p class="problem">{t('operator.not')}</p>
          )}
          {wallet.value === undefined && <PasswordForm />}
        </Card>
      ) : (
        <>
          {status.error && <Problem error={status.error} again={status.again} />}
          {!status.answer && status.loading && <Loading />}
          {status.answer && (
            <>
              <Tabs part={part} />
              <div class="cards">
                <PartView part={part} rest={rest} status={status.answer} />
                <Card title={t('operator.session')} wide>
                  {hasPassword.value ? (
                    <button type="button" onClick={() => usePassword()}>
                      {t('wallet.leave')}
                    </button>
                  ) : (
                    <WalletPanel />
                  )}
                </Card>
              </div>
            </>
          )}
        </>
      )}
    </>
  );
}

function Tabs({ part }: { part: Part }) {
  return (
    <nav class="tabs" aria-label={t('operator.parts')}>
      {PARTS.map((name) => (
        <a
          key={name}
          class="tab"
          href={hrefOf('operator', ...(name === 'overview' ? [] : [name]))}
          aria-current={name === part ? 'page' : undefined}
        >
          {t(`operator.part.${name}`)}
        </a>
      ))}
    </nav>
  );
}

function PartView(of: { part: Part; rest: readonly string[]; status: CollectorStatus }) {
  const { part, rest } = of;
  // The others show nothing of the status, which is another every few seconds.
  const status = part === 'overview' ? of.status : undefined;
  return useMemo(() => partOf(part, rest, status), [part, rest.join('/'), status]);
}

function partOf(part: Part, rest: readonly string[], status: CollectorStatus | undefined) {
  switch (part) {
    case 'overview':
      return (
        <>
          {status && <FiguresCard status={status} />}
          <FleetSummaryCard />
          <AlertsCard />
          <ReviewsCard />
        </>
      );
    case 'fleet':
      return <FleetView rest={rest} />;
    case 'traffic':
      return <TrafficView key={rest.join('/')} rest={rest} />;
    case 'settlement':
      return <SettlementView />;
    case 'system':
      return <SystemView />;
  }
}

/** An operator without a wallet. The collector judges; here nothing is known of passwords. */
function PasswordForm() {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        usePassword(name, password);
      }}
    >
      <div class="field">
        <label for="operator-name">{t('operator.name')}</label>
        <input
          id="operator-name"
          autoComplete="username"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </div>
      <div class="field">
        <label for="operator-password">{t('operator.password')}</label>
        <input
          id="operator-password"
          type="password"
          autoComplete="current-password"
          value={password}
          onInput={(event) => setPassword(event.currentTarget.value)}
        />
      </div>
      {passwordRefused.value && (
        <p class="problem" role="alert">
          {t('operator.wrong')}
        </p>
      )}
      <button type="submit" class="main" disabled={name === '' || password === ''}>
        {t('operator.enter')}
      </button>
    </form>
  );
}
