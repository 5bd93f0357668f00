import { useEffect, useMemo, useState } from 'preact/hooks';
import { ask, type Page } from '../api.js';
import { download } from '../download.js';
import { amount, short, shortAmount, time, zone } from '../format.js';
import { boundsOf, byDay, columns, PERIODS, type Period, step } from '../history.js';
import { useAsk } from '../parts/ask.js';
import { Chart } from '../parts/chart.js';
import { useTopic } from '../parts/follow.js';
import { Card, Empty, Figure, Loading, Problem, Table } from '../parts/frame.js';
import { Proof } from '../parts/proof.js';
import { WalletPanel } from '../parts/wallet.js';
import { hrefOf } from '../routes.js';
import { wallet } from '../session.js';
import { language, t } from '../text/index.js';
import type { Balances, Certificate, Meter, Reading, Settlement } from '../types.js';
import { sum } from '../units.js';

/** A page of readings, and at most a month and a day of quarter hours. */
const READINGS_PAGE = 500;
const MOST_READINGS = 3_100;
const SHOWN = 200;

export function HomePage({ rest }: { rest: readonly string[] }) {
  const owner = wallet.value;
  const meters = useAsk<Page<Meter>>(owner === undefined ? undefined : '/api/meters', { limit: 100 });
  if (owner === undefined) {
    return (
      <>
        <h1>{t('nav.home')}</h1>
        <Card title={t('home.login')}>
          <WalletPanel />
        </Card>
      </>
    );
  }
  const items = meters.answer?.items ?? [];
  const meter = items.find(({ meter_id }) => meter_id === rest[0]) ?? items[0];
  return (
    <>
      <h1>{t('nav.home')}</h1>
      {meters.error && <Problem error={meters.error} again={meters.again} />}
      {!meters.answer && meters.loading && <Loading />}
      <div class="cards two">
        <BalanceCard owner={owner} />
        {meters.answer && items.length === 0 && (
          <Card title={t('home.meters')}>
            <Empty>{t('home.none')}</Empty>
          </Card>
        )}
        {meter && (
          <>
            <MetersCard meters={items} shown={meter} refresh={meters.again} />
            <HistoryCard key={meter.meter_id} meter={meter} />
            <SettlementsCard owner={owner} />
            <CertificatesCard owner={owner} />
          </>
        )}
        <Card title={t('home.wallet')}>
          <WalletPanel />
        </Card>
      </div>
    </>
  );
}

function BalanceCard({ owner }: { owner: string }) {
  const balances = useAsk<Balances>(`/api/balances/${owner}`);
  const news = useTopic({ channel: 'balances' })?.value;
  const { again } = balances;
  useEffect(again, [news?.items, again]);
  return (
    <Card title={t('home.balances')}>
      {balances.error && <Problem error={balances.error} again={again} />}
      {balances.answer?.balances.length === 0 && <Empty />}
      <div class="figures">
        {balances.answer?.balances.map(({ mint, symbol, total, escrowed }) => (
          <Figure
            key={mint}
            name={escrowed === '0' ? symbol : t('home.escrowed', { amount: `${amount(escrowed)} ${symbol}` })}
            value={amount(total)}
            unit={symbol}
          />
        ))}
      </div>
    </Card>
  );
}

function MetersCard({
  meters,
  shown,
  refresh,
}: {
  meters: readonly Meter[];
  shown: Meter;
  refresh: () => void;
}) {
  const news = useTopic({ channel: 'readings' })?.value;
  useEffect(refresh, [news?.items, refresh]);
  return (
    <Card title={t('home.meters')}>
      <ul class="list">
        {meters.map((meter) => (
          <li key={meter.meter_id}>
            <a
              href={hrefOf('home', meter.meter_id)}
              aria-current={meter.meter_id === shown.meter_id ? 'true' : undefined}
            >
              {meter.meter_id}
            </a>{' '}
            <span class={meter.status === 'active' ? 'tag good' : 'tag warn'}>
              {t(`meter.${meter.status}`)}
            </span>
            {meter.holds > 0 && <span class="tag warn">{t('meter.held', { count: meter.holds })}</span>}
            {!meter.user_verified && <span class="tag warn">{t('meter.unverified')}</span>}
            <div class="figures">
              <Figure name={t('meter.surplus')} value={shortAmount(meter.surplus_kwh)} unit="kWh" />
              <Figure name={t('meter.minted')} value={shortAmount(meter.minted_grid)} unit="GRID" />
              <Figure
                name={t('meter.last')}
                value={meter.last_reading_at === null ? '–' : time(meter.last_reading_at)}
              />
            </div>
          </li>
        ))}
      </ul>
    </Card>
  );
}

interface History {
  readonly readings: readonly Reading[];
  readonly cut: boolean;
}

/** All readings of a time, newest first, with the one before it as the base of the first interval. */
async function readHistory(meterId: string, from: Date, to: Date, signal: AbortSignal): Promise<History> {
  const path = `/api/meters/${encodeURIComponent(meterId)}/readings`;
  const readings: Reading[] = [];
  let cursor: string | undefined;
  do {
    const page: Page<Reading> = await ask(path, {
      query: {
        from: from.toISOString().replace(/\.\d+/, ''),
        to: to.toISOString().replace(/\.\d+/, ''),
        limit: READINGS_PAGE,
        cursor,
      },
      signal,
    });
    readings.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && readings.length < MOST_READINGS);
  const before: Page<Reading> = await ask(path, {
    query: { to: from.toISOString().replace(/\.\d+/, ''), limit: 1 },
    signal,
  });
  return { readings: [...readings, ...before.items], cut: cursor !== undefined };
}

function HistoryCard({ meter }: { meter: Meter }) {
  const [period, setPeriod] = useState<Period>('day');
  const [day, setDay] = useState(() => new Date());
  const [history, setHistory] = useState<History>();
  const [error, setError] = useState<Error>();
  const [saving, setSaving] = useState(false);
  const news = useTopic({ channel: 'readings', meterId: meter.meter_id })?.value;
  const { from, to } = useMemo(() => boundsOf(period, day), [period, day]);
  useEffect(() => {
    const abort = new AbortController();
    readHistory(meter.meter_id, from, to, abort.signal).then(
      (found) => {
        setHistory(found);
        setError(undefined);
      },
      (problem: Error) => {
        if (!abort.signal.aborted) setError(problem);
      },
    );
    return () => abort.abort();
  }, [meter.meter_id, from, to, news?.items]);
  const inPeriod =
    history?.readings.filter(({ interval_end }) => interval_end * 1000 >= from.getTime()) ?? [];
  const plotted = useMemo(() => {
    const all = columns(history?.readings ?? []);
    return period === 'day' ? all : byDay(all);
  }, [history, period]);
  const title = new Intl.DateTimeFormat(language.value === 'th' ? 'th-TH-u-ca-gregory' : 'en-GB', {
    dateStyle: 'long',
  }).format(from);
  const save = async () => {
    setSaving(true);
    try {
      const iso = (date: Date) => date.toISOString().replace(/\.\d+/, '');
      await download(
        `/api/meters/${encodeURIComponent(meter.meter_id)}/readings.csv?from=${iso(from)}&to=${iso(to)}`,
        `${meter.meter_id}-${iso(from).slice(0, 10)}-${period}.csv`,
      );
    } catch (problem) {
      setError(problem instanceof Error ? problem : new Error(String(problem)));
    } finally {
      setSaving(false);
    }
  };
  return (
    <Card title={t('home.history', { meter: meter.meter_id })} note={t('home.zone', { zone: zone() })} wide>
      <div class="tools">
        <button type="button" aria-label={t('home.earlier')} onClick={() => setDay(step(period, day, -1))}>
          ‹
        </button>
        <strong>{title}</strong>
        <button
          type="button"
          aria-label={t('home.later')}
          disabled={to.getTime() > Date.now()}
          onClick={() => setDay(step(period, day, 1))}
        >
          ›
        </button>
        {PERIODS.map((name) => (
          <button key={name} type="button" aria-pressed={period === name} onClick={() => setPeriod(name)}>
            {t(`period.${name}`)}
          </button>
        ))}
        <button type="button" disabled={saving} onClick={save}>
          {t('home.csv')}
        </button>
      </div>
      {error && <Problem error={error} />}
      {!history && !error && <Loading />}
      {history && inPeriod.length === 0 && <Empty>{t('home.empty')}</Empty>}
      {history?.cut && <p class="note">{t('home.cut', { count: history.readings.length })}</p>}
      {inPeriod.length > 0 && (
        <>
          <div class="figures">
            <Figure
              name={t('home.surplus')}
              value={shortAmount(sum(inPeriod.map(({ kwh_amount }) => kwh_amount)))}
              unit="kWh"
            />
            <Figure name={t('home.readings')} value={String(inPeriod.length)} />
          </div>
          <Chart
            label={t('home.chart', { meter: meter.meter_id, day: title })}
            unit="kWh"
            times={plotted.ends}
            series={[
              {
                name: t('home.produced'),
                color: 'produced',
                values: plotted.produced,
                bars: period !== 'day',
              },
              { name: t('home.consumed'), color: 'sell', values: plotted.consumed },
              { name: t('home.surplus'), color: 'brand', values: plotted.surplus },
            ]}
          />
          <Table
            label={t('home.readings')}
            rows={inPeriod.slice(0, SHOWN)}
            rowKey={({ id }) => id}
            columns={[
              { name: t('col.time'), cell: (reading) => time(reading.reading_timestamp) },
              { name: t('col.number'), number: true, cell: (reading) => reading.sequence },
              { name: 'kWh', number: true, cell: (reading) => amount(reading.kwh_amount) },
              { name: t('col.state'), cell: (reading) => t(readingState(reading.status)) },
              { name: t('col.proof'), cell: (reading) => <Proof reading={reading} /> },
              {
                name: t('col.mint'),
                cell: (reading) =>
                  reading.mint_tx_signature === null ? (
                    '–'
                  ) : (
                    <a href={hrefOf('live', reading.mint_tx_signature)}>
                      <code>{short(reading.mint_tx_signature)}</code>
                    </a>
                  ),
              },
            ]}
          />
          {inPeriod.length > SHOWN && <p class="note">{t('home.more', { count: SHOWN })}</p>}
        </>
      )}
    </Card>
  );
}

/** What an owner needs to know of a reading's status; the steps in between are settlement's own. */
export function readingState(status: string) {
  switch (status) {
    case 'minted':
      return 'reading.minted';
    case 'held':
    case 'chain_held':
    case 'review':
      return 'reading.held';
    case 'written_off':
      return 'reading.written_off';
    case 'nothing_to_settle':
    case 'covered':
    case 'superseded':
      return 'reading.covered';
    default:
      return 'reading.pending';
  }
}

function SettlementsCard({ owner }: { owner: string }) {
  const settlements = useAsk<Page<Settlement>>('/api/settlements', { wallet: owner, limit: 25 });
  const news = useTopic({ channel: 'settlements' })?.value;
  const { again } = settlements;
  useEffect(again, [news?.items, again]);
  return (
    <Card title={t('home.settlements')} wide>
      {settlements.error && <Problem error={settlements.error} again={again} />}
      {settlements.answer?.items.length === 0 && <Empty />}
      {settlements.answer && settlements.answer.items.length > 0 && (
        <Table
          label={t('home.settlements')}
          rows={settlements.answer.items}
          rowKey={({ id, meter_id }) => `${id}/${meter_id}`}
          columns={[
            { name: t('col.time'), cell: (one) => time(one.confirmed_at ?? one.created_at) },
            { name: t('col.meter'), cell: (one) => one.meter_id },
            { name: 'GRID', number: true, cell: (one) => (one.minted === null ? '–' : amount(one.minted)) },
            { name: t('col.state'), cell: (one) => t(`settlement.${one.state}`) },
            {
              name: t('col.mint'),
              cell: (one) => (
                <a href={hrefOf('live', one.signature)}>
                  <code>{short(one.signature)}</code>
                </a>
              ),
            },
          ]}
        />
      )}
    </Card>
  );
}

function CertificatesCard({ owner }: { owner: string }) {
  const certificates = useAsk<Page<Certificate>>('/api/certificates', { holder: owner, limit: 25 });
  return (
    <Card title={t('home.certificates')} note={t('home.certificates.note')}>
      {certificates.error && <Problem error={certificates.error} again={certificates.again} />}
      {certificates.answer?.items.length === 0 && <Empty />}
      {certificates.answer && certificates.answer.items.length > 0 && (
        <Table
          label={t('home.certificates')}
          rows={certificates.answer.items}
          rowKey={({ address }) => address}
          columns={[
            { name: t('col.meter'), cell: (one) => one.meter_id },
            { name: t('col.number'), number: true, cell: (one) => one.serial },
            { name: 'kWh', number: true, cell: (one) => amount(one.energy) },
            { name: t('col.state'), cell: (one) => t(`certificate.${one.status}`) },
            { name: t('col.until'), cell: (one) => time(one.period_end) },
          ]}
        />
      )}
    </Card>
  );
}
