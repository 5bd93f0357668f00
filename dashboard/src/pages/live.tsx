import type { Page } from '../api.js';
import { count, dates, roughAmount, short, shortAmount, time, zone } from '../format.js';
import { type Bounds, iso, powerCurve } from '../history.js';
import { useAsk, useNews, useRegularly, useShown } from '../parts/ask.js';
import { Chart } from '../parts/chart.js';
import { useTopic } from '../parts/follow.js';
import { Card, Empty, Figure, Loading, Problem, Table, useColumns } from '../parts/frame.js';
import { Pipeline } from '../parts/pipeline.js';
import { PowerFigures } from '../parts/power.js';
import { useToday } from '../parts/today.js';
import { hrefOf } from '../routes.js';
import { t } from '../text/index.js';
import type { ChainEvent, Energy, Health, Overview } from '../types.js';
import { TransactionView } from './transaction.js';

/** The day's curve is of quarters of an hour: nothing is gained by asking for it at every reading. */
const CURVE_EVERY_MS = 20_000;
/** The sums of the reader's own day; all else is told by itself. */
const TODAY_EVERY_MS = 5_000;
const LOOK_EVERY_MS = 15_000;

export function LivePage({ rest: [signature] }: { rest: readonly string[] }) {
  return signature === undefined ? <Overall /> : <TransactionView key={signature} signature={signature} />;
}

/** What is told by itself, newer than what was asked for; sums of the reader's own day are only in the latter. */
function newest(asked: Overview | undefined, told: Partial<Overview> | undefined): Overview | undefined {
  if (!asked || told?.time === undefined || Date.parse(told.time) <= Date.parse(asked.time)) return asked;
  return {
    ...asked,
    time: told.time,
    // To somebody who may see more than everybody, the channel for everybody tells nothing about power.
    ...(told.power && { power: told.power, power_hidden: null }),
    ...(told.pipeline && { pipeline: told.pipeline }),
    ...(told.mints && { mints: told.mints }),
    ...(told.total && { total: told.total }),
  };
}

function Overall() {
  const today = useToday();
  const asked = useAsk<Overview>('/api/overview', { since: iso(today.from) });
  // Where no news come there may be none, or no connection.
  useRegularly(asked.again, true, LOOK_EVERY_MS);
  const news = useTopic({ channel: 'overview' })?.value.items[0] as Partial<Overview> | undefined;
  useNews(news?.total?.readings, asked.again, TODAY_EVERY_MS);
  // What is on show at midnight stays until the new day's is there.
  const overview = newest(useShown(asked), news);
  return (
    <>
      <h1>{t('nav.live')}</h1>
      {asked.error && <Problem error={asked.error} again={asked.again} />}
      {!overview && asked.loading && <Loading />}
      {overview && (
        <div class="cards live">
          <PowerCard overview={overview} today={today} />
          <GridCard overview={overview} />
          <PipelineCard overview={overview} />
          <MintsCard mints={overview.mints} />
          <ActivityCard />
          <HealthCard />
        </div>
      )}
    </>
  );
}

function PowerCard({ overview, today }: { overview: Overview; today: Bounds }) {
  const { power, power_hidden: hidden } = overview;
  return (
    <Card
      title={t('power.now')}
      place="power"
      {...(hidden === null && { note: t('power.note', { zone: zone() }) })}
    >
      {hidden !== null ? (
        <Empty>{t('power.hidden')}</Empty>
      ) : (
        <>
          <PowerFigures power={power ?? undefined} {...(power && { meters: power.meters, at: power.at })} />
          {!power && <Empty>{t('power.none')}</Empty>}
          <DayCurve overview={overview} today={today} />
        </>
      )}
    </Card>
  );
}

/** Mean power over each quarter of an hour of today; over the one under way, power now. */
function DayCurve({ overview, today }: { overview: Overview; today: Bounds }) {
  const energy = useAsk<Energy>('/api/energy', {
    from: iso(today.from),
    to: iso(today.to),
    step: 'quarter',
    zone: zone(),
  });
  useNews(overview.today.readings, energy.again, CURVE_EVERY_MS);
  const shown = useShown(energy);
  if (!shown) {
    return energy.error ? <Problem error={energy.error} again={energy.again} /> : <Loading />;
  }
  const { times, produced, consumed } = powerCurve(shown.items, overview);
  const day = dates({ dateStyle: 'long' }).format(today.from);
  return (
    <>
      {energy.error && <Problem error={energy.error} again={energy.again} />}
      <Chart
        label={t('power.curve', { day })}
        unit="kW"
        digits={2}
        height={280}
        from={today.from.getTime() / 1000}
        to={today.to.getTime() / 1000}
        times={times}
        series={[
          { name: t('power.produced'), color: 'produced', values: produced, shape: 'steps', filled: true },
          { name: t('power.consumed'), color: 'sell', values: consumed, shape: 'steps' },
        ]}
      />
    </>
  );
}

function GridCard({ overview: { today, total } }: { overview: Overview }) {
  return (
    <Card title={t('grid.title')} note={t('grid.note')} place="grid">
      <div class="figures big">
        <Figure name={t('grid.today')} value={roughAmount(today.minted_grid)} unit="GRID" tone="surplus" />
        <Figure name={t('grid.total')} value={roughAmount(total.minted_grid)} unit="GRID" tone="surplus" />
      </div>
      <div class="figures">
        {today.produced_kwh !== null && (
          <Figure name={t('grid.produced')} value={shortAmount(today.produced_kwh)} unit="kWh" />
        )}
        {today.consumed_kwh !== null && (
          <Figure name={t('grid.consumed')} value={shortAmount(today.consumed_kwh)} unit="kWh" />
        )}
        {today.surplus_kwh !== null && (
          <Figure name={t('grid.surplus')} value={shortAmount(today.surplus_kwh)} unit="kWh" />
        )}
        <Figure name={t('grid.readings')} value={count(today.readings)} />
        <Figure name={t('grid.readings.all')} value={count(total.readings)} />
        <Figure name={t('grid.meters')} value={count(total.meters)} />
        <Figure name={t('grid.users')} value={count(total.users)} />
      </div>
    </Card>
  );
}

function PipelineCard({ overview }: { overview: Overview }) {
  return (
    <Card title={t('pipeline.title')} note={t('pipeline.note')} place="path">
      <Pipeline stages={overview.pipeline} />
    </Card>
  );
}

function MintsCard({ mints }: { mints: Overview['mints'] }) {
  const columns = useColumns<Overview['mints'][number]>(() => [
    { name: t('col.time'), cell: (one) => (one.time === null ? '–' : time(one.time, 'bare')) },
    { name: 'GRID', number: true, cell: (one) => shortAmount(one.amount, 4) },
    {
      name: t('col.transaction'),
      cell: (one) => (
        <a href={hrefOf('live', one.signature)}>
          <code>{short(one.signature)}</code>
        </a>
      ),
    },
    {
      name: t('col.state'),
      cell: (one) => t(one.state === 'finalized' ? 'chain.final' : 'chain.confirmed'),
    },
    { name: t('col.meters'), number: true, cell: (one) => count(one.meters) },
  ]);
  return (
    <Card
      title={t('live.mints')}
      note={`${t('live.mints.note')} ${t('home.zone', { zone: zone() })}`}
      place="mints"
    >
      {mints.length === 0 ? (
        <Empty>{t('live.mints.none')}</Empty>
      ) : (
        <Table label={t('live.mints')} rows={mints} rowKey={(one) => one.signature} columns={columns} />
      )}
    </Card>
  );
}

function ActivityCard() {
  const events = useAsk<Page<ChainEvent>>('/api/events', { limit: 25 });
  useRegularly(events.again);
  const columns = useColumns<ChainEvent>(() => [
    { name: t('col.time'), cell: (one) => (one.time === null ? '–' : time(one.time, 'bare')) },
    { name: t('col.event'), cell: (one) => one.name },
    {
      name: t('col.transaction'),
      cell: (one) => (
        <a href={hrefOf('live', one.signature)}>
          <code>{short(one.signature)}</code>
        </a>
      ),
    },
  ]);
  return (
    <Card title={t('live.activity')} note={t('live.activity.note')} place="activity">
      {events.error && <Problem error={events.error} again={events.again} />}
      {events.answer?.items.length === 0 && <Empty />}
      {events.answer && events.answer.items.length > 0 && (
        <Table
          label={t('live.activity')}
          rows={events.answer.items}
          rowKey={(one) => `${one.signature}/${one.event_index}`}
          columns={columns}
        />
      )}
    </Card>
  );
}

function HealthCard() {
  const health = useAsk<Health>('/healthz');
  useRegularly(health.again);
  return (
    <Card title={t('live.health')} place="health">
      {health.error && <Problem error={health.error} again={health.again} />}
      {health.answer && (
        <ul class="list parts">
          {(['broker', 'database', 'chain'] as const).map((part) => {
            const up = health.answer?.checks[part] === 'ok';
            return (
              <li key={part}>
                {t(`part.${part}`)}{' '}
                <span class={up ? 'tag good' : 'tag bad'}>{t(up ? 'part.up' : 'part.down')}</span>
              </li>
            );
          })}
        </ul>
      )}
    </Card>
  );
}
