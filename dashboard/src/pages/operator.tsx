import { useEffect, useState } from 'preact/hooks';
import { ApiError, ask, type Page } from '../api.js';
import { amount, shortAmount, time } from '../format.js';
import { useAsk, useRegularly } from '../parts/ask.js';
import { useTopic } from '../parts/follow.js';
import { Card, Empty, Figure, Loading, Problem, Table } from '../parts/frame.js';
import { WalletPanel } from '../parts/wallet.js';
import { hasPassword, roles, signer, usePassword, wallet } from '../session.js';
import { t } from '../text/index.js';
import type { Alert, CollectorStatus, Meter, Review, Submitted } from '../types.js';

export function OperatorPage(_: { rest: readonly string[] }) {
  const status = useAsk<CollectorStatus>('/api/status');
  const refused = status.error instanceof ApiError && [401, 403].includes(status.error.status);
  // Who has been refused is not asked about again by itself.
  useRegularly(status.again, !refused);
  useEffect(status.again, [wallet.value, status.again]);
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
          {wallet.value === undefined && <PasswordForm refused={!status.loading} done={status.again} />}
        </Card>
      ) : (
        <>
          {status.error && <Problem error={status.error} again={status.again} />}
          {!status.answer && status.loading && <Loading />}
          {status.answer && (
            <div class="cards">
              <FiguresCard status={status.answer} />
              <AlertsCard />
              <ReviewsCard />
              <MetersCard />
              <Card title={t('operator.login')}>
                {hasPassword.value ? (
                  <button
                    type="button"
                    onClick={() => {
                      usePassword();
                      status.again();
                    }}
                  >
                    {t('wallet.leave')}
                  </button>
                ) : (
                  <WalletPanel />
                )}
              </Card>
            </div>
          )}
        </>
      )}
    </>
  );
}

/** An operator without a wallet. The collector judges; here nothing is known of passwords. */
function PasswordForm({ refused, done }: { refused: boolean; done: () => void }) {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        usePassword(name, password);
        done();
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
      {hasPassword.value && refused && (
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

function FiguresCard({ status }: { status: CollectorStatus }) {
  const waiting = ['pending', 'covered', 'accepted'].reduce(
    (sum, name) => sum + (status.readings.by_status[name] ?? 0),
    0,
  );
  return (
    <Card title={t('operator.figures')} wide>
      <div class="figures">
        <Figure name={t('operator.meters')} value={amount(String(status.meters))} />
        <Figure name={t('operator.users')} value={amount(String(status.users))} />
        <Figure name={t('operator.stored')} value={amount(String(status.readings.stored))} />
        <Figure name={t('operator.waiting')} value={amount(String(waiting))} />
        <Figure name={t('meter.minted')} value={shortAmount(status.minted_grid)} unit="GRID" />
        <Figure name={t('operator.alerts')} value={String(status.open_alerts)} />
        <Figure name={t('operator.reviews')} value={String(status.open_reviews)} />
      </div>
    </Card>
  );
}

/** Asks for a reason, and does nothing without one: it is kept for good. */
function reasonFor(what: string): string | undefined {
  const reason = globalThis.prompt(what)?.trim();
  return reason === undefined || reason === '' ? undefined : reason;
}

function useAction(done: () => void) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const run = async (work: () => Promise<unknown>) => {
    setBusy(true);
    setError(undefined);
    try {
      await work();
    } catch (problem) {
      setError(problem instanceof Error ? problem : new Error(String(problem)));
    } finally {
      setBusy(false);
      done();
    }
  };
  return { busy, error, run };
}

function AlertsCard() {
  const alerts = useAsk<Page<Alert>>('/api/alerts', { limit: 100 });
  const news = useTopic({ channel: 'alerts' })?.value;
  const { again } = alerts;
  useEffect(again, [news?.items, again]);
  // A password is no login for the channel.
  useRegularly(again);
  const { busy, error, run } = useAction(again);
  return (
    <Card title={t('operator.alerts')} wide>
      {(alerts.error ?? error) && <Problem error={(alerts.error ?? error) as Error} again={again} />}
      {alerts.answer?.items.length === 0 && <Empty>{t('operator.quiet')}</Empty>}
      {alerts.answer && alerts.answer.items.length > 0 && (
        <Table
          label={t('operator.alerts')}
          rows={alerts.answer.items}
          rowKey={({ id }) => id}
          columns={[
            {
              name: t('col.severity'),
              cell: (one) => <span class={`tag ${one.severity}`}>{t(`severity.${one.severity}`)}</span>,
            },
            { name: t('col.what'), cell: (one) => `${one.kind} ${one.key}` },
            { name: t('col.message'), cell: (one) => <span class="words">{one.message}</span> },
            { name: t('col.times'), number: true, cell: (one) => one.occurrences },
            { name: t('col.since'), cell: (one) => time(one.first_seen) },
            {
              name: t('col.action'),
              cell: (one) =>
                one.acknowledged_at === null ? (
                  <button
                    type="button"
                    disabled={busy}
                    onClick={() => {
                      const reason = reasonFor(t('operator.ack.why'));
                      if (reason !== undefined)
                        void run(() =>
                          ask(`/api/alerts/${one.id}/acknowledge`, { method: 'POST', body: { reason } }),
                        );
                    }}
                  >
                    {t('operator.ack')}
                  </button>
                ) : (
                  t('operator.acked')
                ),
            },
          ]}
        />
      )}
    </Card>
  );
}

interface Prepared {
  transaction: string;
}

/** The chain decides: the operator's own wallet signs what the collector has prepared. */
async function decide(review: Review, decision: 'release' | 'write_off', reason: string): Promise<void> {
  if (!signer.value) throw new Error(t('operator.sign'));
  const { transaction } = await ask<Prepared>(`/api/reviews/${review.id}/prepare`, {
    method: 'POST',
    body: { decision, wallet: signer.value.address, reason },
  });
  await ask<Submitted>('/api/transactions/submit', {
    method: 'POST',
    body: { transaction: await signer.value.signTransaction(transaction) },
  });
}

function ReviewsCard() {
  const reviews = useAsk<Page<Review>>('/api/reviews', { limit: 100 });
  const news = useTopic({ channel: 'reviews' })?.value;
  const { again } = reviews;
  useEffect(again, [news?.items, again]);
  // A password is no login for the channel.
  useRegularly(again);
  const { busy, error, run } = useAction(again);
  const act = (review: Review, action: 'retry' | 'accept' | 'dismiss') => {
    const reason = reasonFor(
      t('operator.reason', { action: t(`review.${action}`), subject: review.subject }),
    );
    if (reason !== undefined)
      void run(() => ask(`/api/reviews/${review.id}/${action}`, { method: 'POST', body: { reason } }));
  };
  const onChain = (review: Review, decision: 'release' | 'write_off') => {
    const reason = reasonFor(
      t('operator.reason', { action: t(`review.${decision}`), subject: review.subject }),
    );
    if (reason !== undefined) void run(() => decide(review, decision, reason));
  };
  return (
    <Card title={t('operator.reviews')} note={t('operator.reviews.note')} wide>
      {(reviews.error ?? error) && <Problem error={(reviews.error ?? error) as Error} again={again} />}
      {reviews.answer?.items.length === 0 && <Empty>{t('operator.nothing')}</Empty>}
      {reviews.answer && reviews.answer.items.length > 0 && (
        <Table
          label={t('operator.reviews')}
          rows={reviews.answer.items}
          rowKey={({ id }) => id}
          columns={[
            { name: t('col.what'), cell: (one) => one.kind },
            { name: t('col.about'), cell: (one) => one.subject },
            { name: 'kWh', number: true, cell: (one) => amount(one.amount_kwh) },
            { name: t('col.message'), cell: (one) => <span class="words">{one.reason}</span> },
            { name: t('col.since'), cell: (one) => time(one.created_at) },
            {
              name: t('col.action'),
              cell: (one) => (
                <span class="tools">
                  {one.actions.map((action) =>
                    action === 'prepare' ? (
                      (['release', 'write_off'] as const).map((decision) => (
                        <button
                          key={decision}
                          type="button"
                          disabled={busy || signer.value === undefined}
                          onClick={() => onChain(one, decision)}
                        >
                          {t(`review.${decision}`)}
                        </button>
                      ))
                    ) : (
                      <button key={action} type="button" disabled={busy} onClick={() => act(one, action)}>
                        {t(`review.${action}`)}
                      </button>
                    ),
                  )}
                </span>
              ),
            },
          ]}
        />
      )}
    </Card>
  );
}

function MetersCard() {
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const meters = useAsk<Page<Meter>>('/api/meters', { limit: 50, cursor: cursors.at(-1) });
  const next = meters.answer?.next_cursor ?? undefined;
  useRegularly(meters.again);
  return (
    <Card title={t('operator.fleet')} wide>
      {meters.error && <Problem error={meters.error} again={meters.again} />}
      {meters.answer && (
        <Table
          label={t('operator.fleet')}
          rows={meters.answer.items}
          rowKey={({ meter_id }) => meter_id}
          columns={[
            { name: t('col.meter'), cell: (one) => one.meter_id },
            { name: t('col.state'), cell: (one) => t(`meter.${one.status}`) },
            {
              name: t('meter.last'),
              cell: (one) => (one.last_reading_at === null ? '–' : time(one.last_reading_at)),
            },
            { name: t('meter.minted'), number: true, cell: (one) => shortAmount(one.minted_grid) },
            { name: t('col.held'), number: true, cell: (one) => one.holds },
          ]}
        />
      )}
      <div class="tools">
        <button
          type="button"
          disabled={cursors.length === 0}
          onClick={() => setCursors(cursors.slice(0, -1))}
        >
          {t('page.back')}
        </button>
        <button
          type="button"
          disabled={next === undefined}
          onClick={() => next !== undefined && setCursors([...cursors, next])}
        >
          {t('page.next')}
        </button>
      </div>
    </Card>
  );
}
