import { useMemo, useState } from 'preact/hooks';
import type { Page } from '../api.js';
import { download } from '../download.js';
import { amount, count, dates, short, shortAmount, time, zone } from '../format.js';
import {
  type Bounds,
  boundsOf,
  columns,
  endsWithin,
  iso,
  localDate,
  PERIODS,
  type Period,
  STEPS,
  turned,
} from '../history.js';
import { useAsk, useNews, useShown } from '../parts/ask.js';
import { Chart } from '../parts/chart.js';
import { useTopic } from '../parts/follow.js';
import { Button, Card, Empty, Figure, Loading, Problem, Table, useColumns } from '../parts/frame.js';
import { Proof } from '../parts/proof.js';
import { useToday } from '../parts/today.js';
import { useWork } from '../parts/work.js';
import { hrefOf } from '../routes.js';
import { t } from '../text/index.js';
import type { Energy as EnergyAnswer, Meter, Reading } from '../types.js';
import { sum } from '../units.js';

const ROWS = 25;

/** A meter's energy by day, week or month: drawn from sums that the collector makes, and its readings a page at a time. */
export function History({ meter }: { meter: Meter }) {
  const [period, setPeriod] = useState<Period>('day');
  const today = useToday();
  // Unless another is chosen it is today, also after midnight.
  const [chosen, setChosen] = useState<Date>();
  const day = chosen ?? today.from;
  const bounds = useMemo(() => boundsOf(period, day), [period, day]);
  const turn = (by: 1 | -1) => setChosen(turned(period, day, by, new Date()));
  const path = `/api/meters/${encodeURIComponent(meter.meter_id)}`;
  const saving = useWork();
  const save = () =>
    saving.run(() =>
      download(
        `${path}/readings.csv?${new URLSearchParams(endsWithin(bounds))}`,
        `${meter.meter_id}-${localDate(bounds.from)}-${period}.csv`,
      ),
    );
  return (
    <Card title={t('home.history', { meter: meter.meter_id })} note={t('home.zone', { zone: zone() })} wide>
      <div class="tools">
        <div class="group">
          <Button label={t('home.earlier')} press={() => turn(-1)}>
            ‹
          </Button>
          <strong aria-live="polite">{titleOf(period, bounds)}</strong>
          <Button label={t('home.later')} off={bounds.to.getTime() > Date.now()} press={() => turn(1)}>
            ›
          </Button>
        </div>
        <div class="group">
          {PERIODS.map((name) => (
            <button key={name} type="button" aria-pressed={period === name} onClick={() => setPeriod(name)}>
              {t(`period.${name}`)}
            </button>
          ))}
        </div>
        <Button off={saving.busy} press={save}>
          {t('home.csv')}
        </Button>
      </div>
      {saving.error && <Problem error={saving.error} />}
      <Energy meter={meter} path={path} period={period} bounds={bounds} />
      <Readings key={`${iso(bounds.from)}/${period}`} meter={meter} path={path} bounds={bounds} />
    </Card>
  );
}

function titleOf(period: Period, { from, to }: Bounds): string {
  if (period === 'month') return dates({ month: 'long', year: 'numeric' }).format(from);
  if (period === 'day') return dates({ dateStyle: 'long' }).format(from);
  return dates({ day: 'numeric', month: 'short', year: 'numeric' }).formatRange(
    from,
    new Date(to.getTime() - 1),
  );
}

interface Span {
  readonly meter: Meter;
  readonly path: string;
  readonly bounds: Bounds;
}

const seconds = (iso: string | undefined): number => Date.parse(iso ?? '') / 1000;

/** What an answer is of, in words. */
function titleOfAnswer({ step, items }: EnergyAnswer): string {
  const period = PERIODS.find((name) => STEPS[name] === step) ?? 'day';
  const [from, to] = [items[0]?.start ?? '', items.at(-1)?.end ?? ''];
  return titleOf(period, { from: new Date(from), to: new Date(to) });
}

function Energy({ meter, path, period, bounds: { from, to } }: Span & { period: Period }) {
  const energy = useAsk<EnergyAnswer>(`${path}/energy`, {
    from: iso(from),
    to: iso(to),
    step: STEPS[period],
    zone: zone(),
  });
  useNews(meter.last_sequence, energy.again);
  // Drawn as what it is: a day's energy while a week's is asked for is a day's.
  const shown = useShown(energy);
  const items = shown?.items;
  const plotted = useMemo(() => columns(items ?? []), [items]);
  const total = (of: 'produced_kwh' | 'consumed_kwh' | 'surplus_kwh') =>
    shortAmount(sum((items ?? []).map((bucket) => bucket[of] ?? '0')));
  const measured = (items ?? []).reduce((all, { readings }) => all + readings, 0);
  return (
    <div class="energy" aria-busy={energy.answer === undefined && !energy.error}>
      {energy.error && <Problem error={energy.error} again={energy.again} />}
      {!items && energy.loading && <Loading />}
      {items && (
        <div class="figures">
          <Figure name={t('home.produced')} value={total('produced_kwh')} unit="kWh" tone="produced" />
          <Figure name={t('home.consumed')} value={total('consumed_kwh')} unit="kWh" tone="consumed" />
          <Figure name={t('home.surplus')} value={total('surplus_kwh')} unit="kWh" tone="surplus" />
          <Figure name={t('home.readings')} value={count(measured)} />
        </div>
      )}
      {shown?.counted === false && <p class="note">{t('home.counting')}</p>}
      {items && measured === 0 && <Empty>{t('home.empty')}</Empty>}
      {shown && items && measured > 0 && (
        <Chart
          label={t('home.chart', { meter: meter.meter_id, day: titleOfAnswer(shown) })}
          unit={t(`home.unit.${shown.step}`)}
          from={seconds(items[0]?.start)}
          to={seconds(items.at(-1)?.end)}
          times={plotted.times}
          series={[
            {
              name: t('home.produced'),
              color: 'produced',
              values: plotted.produced,
              shape: 'steps',
              filled: true,
            },
            { name: t('home.consumed'), color: 'sell', values: plotted.consumed, shape: 'steps' },
            { name: t('home.surplus'), color: 'brand', values: plotted.surplus, shape: 'steps' },
          ]}
        />
      )}
    </div>
  );
}

/** A page of readings, the newest first; the first page goes on by itself. */
function Readings({ meter, path, bounds }: Span) {
  const [cursors, setCursors] = useState<readonly (string | undefined)[]>([undefined]);
  const readings = useAsk<Page<Reading>>(`${path}/readings`, {
    ...endsWithin(bounds),
    limit: ROWS,
    cursor: cursors.at(-1),
  });
  const news = useTopic({ channel: 'readings', meterId: meter.meter_id })?.value;
  useNews(cursors.length === 1 ? news?.items : undefined, readings.again, 1_000);
  // The page before stays on show until the next one is there.
  const { items = [], next_cursor: next = null } = useShown(readings) ?? {};
  const turning = items.length > 0 && !readings.answer;
  // Its place is known only of the page that was asked for.
  const older = () => readings.answer && next !== null && setCursors([...cursors, next]);
  const columns = useColumns<Reading>(() => [
    { name: t('col.time'), cell: (reading) => time(reading.reading_timestamp, 'dated') },
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
  ]);
  return (
    <>
      {readings.error && <Problem error={readings.error} again={readings.again} />}
      {items.length > 0 && (
        <Table
          label={t('home.readings')}
          rows={items}
          rowKey={({ id }) => id}
          columns={columns}
          busy={turning}
        />
      )}
      {(next !== null || cursors.length > 1 || turning) && (
        <div class="tools pages">
          <Button off={cursors.length === 1} press={() => setCursors(cursors.slice(0, -1))}>
            {t('home.newer')}
          </Button>
          <Button off={next === null} press={older}>
            {t('home.older')}
          </Button>
        </div>
      )}
    </>
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
