import { useEffect, useId, useState } from 'preact/hooks';
import type { Page } from '../api.js';
import { count, power, short, shortAmount, time } from '../format.js';
import { useAsk, useNews, useRegularly, useShown } from '../parts/ask.js';
import { SearchField, SearchFlaw, SelectField, useSearch } from '../parts/filters.js';
import { useTopic } from '../parts/follow.js';
import { Button, Card, Empty, Fact, Loading, Problem, Table, useColumns } from '../parts/frame.js';
import { hrefOf, replacePlace } from '../routes.js';
import { t } from '../text/index.js';
import type { FleetItem, FleetSummary } from '../types.js';
import { FleetMap } from './map.js';
import { STATES, StateTag } from './state.js';

const PROBLEMS = ['clock', 'bus', 'outbox', 'alert'] as const;
/** What the collector takes as a search. */
const SEARCHABLE = /^[A-Za-z0-9._-]{1,44}$/;
/** One press is to draw them within a tenth of a second, on slow machines too. */
const ROWS = 25;

/** How many are in which state, from the channel; asked for where there is none. */
function useSummary(): { summary: FleetSummary | undefined; error: Error | undefined; again: () => void } {
  const asked = useAsk<FleetSummary>('/api/fleet/summary');
  const news = useTopic({ channel: 'fleet' })?.value;
  const problem = news?.problem;
  useNews(problem?.message, asked.again);
  useRegularly(asked.again, problem !== undefined);
  // What was told last is old as soon as nothing more is.
  const told = problem === undefined ? (news?.items[0] as unknown as FleetSummary | undefined) : undefined;
  return { summary: told ?? asked.answer, error: told ? undefined : asked.error, again: asked.again };
}

/** @param chosen something of it was, be it what is on show already */
export function FleetSummaryCard({ chosen }: { chosen?: () => void }) {
  const { summary, error, again } = useSummary();
  return (
    <Card title={t('fleet.summary')} wide>
      {error && <Problem error={error} again={again} />}
      {!summary && !error && <Loading />}
      {summary && (
        <>
          <StatesBar summary={summary} />
          <ul class="list legend">
            {STATES.map((state) => (
              <li key={state}>
                <a href={hrefOf('operator', 'fleet', `~${state}`)} onClick={chosen}>
                  <StateTag state={state} /> <strong>{count(summary.states[state])}</strong>
                </a>
              </li>
            ))}
          </ul>
          <ul class="list legend">
            {PROBLEMS.map((name) => {
              const meters = summary.problems[name === 'alert' ? 'alerts' : name];
              return (
                <li key={name} class={meters === 0 ? 'quiet' : undefined}>
                  <a href={hrefOf('operator', 'fleet', `~${name}`)} onClick={chosen}>
                    {t(`fleet.problem.${name}`)}
                  </a>{' '}
                  <strong>{count(meters)}</strong>
                </li>
              );
            })}
            <li>
              {t('fleet.outbox.all')} <strong>{count(summary.outbox_readings)}</strong>
            </li>
          </ul>
          {summary.versions.length > 0 && (
            <p class="quiet">
              {t('fleet.versions')}{' '}
              {summary.versions.map(({ version, meters }) => `${version} (${count(meters)})`).join(', ')}
            </p>
          )}
        </>
      )}
    </Card>
  );
}

function StatesBar({ summary }: { summary: FleetSummary }) {
  if (summary.meters === 0) return null;
  let from = 0;
  return (
    <svg class="states" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      {STATES.map((state) => {
        const width = (summary.states[state] / summary.meters) * 100;
        const x = from;
        from += width;
        return <rect key={state} class={`state ${state}`} x={x} width={width} height={4} />;
      })}
    </svg>
  );
}

/** @param rest a meter's id; or a state, a problem or both, each behind `~`, which no meter's id begins with; or nothing */
export function FleetView({ rest }: { rest: readonly string[] }) {
  const [wanted = '~'] = rest;
  if (!wanted.startsWith('~')) return <MeterView meterId={wanted} />;
  const named = (name: string) => rest.includes(`~${name}`);
  return <FleetList state={STATES.find(named) ?? ''} problem={PROBLEMS.find(named) ?? ''} />;
}

/** The address says what is chosen, so that a link to it leads there from any other choice. */
const choose = (state: string, problem: string): void =>
  replacePlace(
    'operator',
    'fleet',
    ...[state, problem].filter((name) => name !== '').map((name) => `~${name}`),
  );

function FleetList({ state, problem }: { state: string; problem: string }) {
  const { text, setText, search } = useSearch();
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const wrong = search !== '' && !SEARCHABLE.test(search);
  const query = {
    state: state === '' ? undefined : state,
    problem: problem === '' ? undefined : problem,
    q: search === '' || wrong ? undefined : search,
  };
  useEffect(() => setCursors((before) => (before.length === 0 ? before : [])), [state, problem, search]);
  const fleet = useAsk<Page<FleetItem>>('/api/fleet', { ...query, limit: ROWS, cursor: cursors.at(-1) });
  useRegularly(fleet.again);
  const { items, next_cursor: next = null } = useShown(fleet) ?? {};
  // Its place is known only of the page that was asked for.
  const more = () => fleet.answer && next !== null && setCursors([...cursors, next]);
  const flaw = useId();
  return (
    <>
      <FleetSummaryCard chosen={() => setText('')} />
      <Card title={t('fleet.map')} note={t('fleet.map.note')} wide>
        <FleetMap query={query} />
      </Card>
      <Card title={t('operator.fleet')} wide>
        <div class="tools filters">
          <SearchField label={t('fleet.search')} text={text} setText={setText} wrong={wrong} flaw={flaw} />
          <SelectField
            label={t('col.state')}
            all={t('filter.all')}
            value={state}
            setValue={(name) => choose(name, problem)}
            names={STATES}
            nameOf={(name) => t(`fleet.${name}`)}
          />
          <SelectField
            label={t('fleet.problem')}
            all={t('filter.any')}
            value={problem}
            setValue={(name) => choose(state, name)}
            names={PROBLEMS}
            nameOf={(name) => t(`fleet.problem.${name}`)}
          />
        </div>
        <SearchFlaw id={flaw} wrong={wrong} />
        {fleet.error && <Problem error={fleet.error} again={fleet.again} />}
        {!fleet.answer && fleet.loading && !items?.length && <Loading />}
        {fleet.answer?.items.length === 0 && <Empty>{t('fleet.none')}</Empty>}
        {items && items.length > 0 && <FleetTable items={items} busy={!fleet.answer} />}
        <div class="tools">
          <Button off={cursors.length === 0} press={() => setCursors(cursors.slice(0, -1))}>
            {t('page.back')}
          </Button>
          <Button off={next === null} press={more}>
            {t('page.next')}
          </Button>
        </div>
      </Card>
    </>
  );
}

function FleetTable({ items, busy }: { items: readonly FleetItem[]; busy: boolean }) {
  const columns = useColumns<FleetItem>(() => [
    {
      name: t('col.meter'),
      cell: (one) => <a href={hrefOf('operator', 'fleet', one.meter_id)}>{one.meter_id}</a>,
    },
    { name: t('col.state'), cell: (one) => <StateTag state={one.state} /> },
    { name: t('col.since'), cell: (one) => (one.since === null ? '–' : time(one.since)) },
    {
      name: t('fleet.power'),
      number: true,
      cell: (one) => (one.power?.production_watts == null ? '–' : power(one.power.production_watts)),
    },
    { name: t('fleet.outbox'), number: true, cell: (one) => one.outbox_depth ?? '–' },
    { name: t('fleet.clock'), cell: (one) => <ClockCell clock={one.clock} /> },
    { name: t('fleet.bus'), cell: (one) => <BusCell bus={one.bus} /> },
    { name: t('fleet.complaints'), number: true, cell: (one) => one.alerts.length },
    { name: t('fleet.version'), cell: (one) => one.version ?? '–' },
    {
      name: t('meter.last'),
      cell: (one) => (one.last_reading_at === null ? '–' : time(one.last_reading_at)),
    },
    { name: t('col.held'), number: true, cell: (one) => one.holds },
    { name: t('meter.minted'), number: true, cell: (one) => shortAmount(one.minted_grid) },
  ]);
  return (
    <Table
      label={t('operator.fleet')}
      rows={items}
      rowKey={({ meter_id }) => meter_id}
      columns={columns}
      busy={busy}
    />
  );
}

function ClockCell({ clock }: { clock: FleetItem['clock'] }) {
  if (clock === null) return <>–</>;
  if (!clock.synchronised) return <span class="tag bad">{t('fleet.clock.bad')}</span>;
  return <>{clock.offset_ms === null ? t('fleet.clock.good') : `${Math.round(clock.offset_ms)} ms`}</>;
}

function BusCell({ bus }: { bus: FleetItem['bus'] }) {
  if (bus === null) return <>–</>;
  if (bus.ok) return <>{t('fleet.bus.good')}</>;
  return (
    <span class="tag bad">
      {bus.last_error ?? t('fleet.bus.bad')} ({bus.failures})
    </span>
  );
}

/** One meter's gateway in full. */
function MeterView({ meterId }: { meterId: string }) {
  const live = useAsk<FleetItem>(`/api/meters/${encodeURIComponent(meterId)}/live`);
  useRegularly(live.again);
  const one = live.answer;
  return (
    <>
      <p class="wide">
        <a href={hrefOf('operator', 'fleet')}>{t('fleet.back')}</a>
      </p>
      <Card title={meterId} wide>
        {live.error && <Problem error={live.error} again={live.again} />}
        {!one && live.loading && <Loading />}
        {one && (
          <dl class="factlist">
            <Fact name={t('col.state')}>
              <StateTag state={one.state} />
            </Fact>
            <Fact name={t('col.since')}>{one.since === null ? '–' : time(one.since)}</Fact>
            <Fact name={t('fleet.heard')}>{one.last_heard_at === null ? '–' : time(one.last_heard_at)}</Fact>
            <Fact name={t('meter.last')}>
              {one.last_reading_at === null ? '–' : time(one.last_reading_at)}
            </Fact>
            <Fact name={t('fleet.version')}>{one.version ?? '–'}</Fact>
            <Fact name={t('fleet.outbox')}>{one.outbox_depth ?? '–'}</Fact>
            <Fact name={t('fleet.clock')}>
              <ClockCell clock={one.clock} />
            </Fact>
            <Fact name={t('fleet.bus')}>
              <BusCell bus={one.bus} />
            </Fact>
            <Fact name={t('fleet.wallet')}>
              <code title={one.wallet_address}>{short(one.wallet_address)}</code>
            </Fact>
            <Fact name={t('fleet.chain')}>{t(`meter.${one.chain_status}`)}</Fact>
            <Fact name={t('meter.minted')}>{`${shortAmount(one.minted_grid)} GRID`}</Fact>
            <Fact name={t('col.held')}>{one.holds}</Fact>
            {one.power && (
              <Fact name={t('fleet.power.at', { time: time(one.power.at) })}>
                {[
                  [t('home.produced'), one.power.production_watts],
                  [t('home.consumed'), one.power.consumption_watts],
                  [t('fleet.grid'), one.power.grid_watts],
                ]
                  .filter(([, watts]) => watts !== null)
                  .map(([name, watts]) => `${name} ${power(Number(watts))}`)
                  .join(', ')}
              </Fact>
            )}
            {one.site && (
              <Fact name={t('fleet.site')}>{`${one.site.latitude}°, ${one.site.longitude}°`}</Fact>
            )}
          </dl>
        )}
        {one && one.alerts.length > 0 && (
          <>
            <h3>{t('fleet.complaints')}</h3>
            <ul>
              {one.alerts.map((alert) => (
                <li key={alert.code}>
                  <strong>{alert.code}</strong> <span lang="en">{alert.message}</span> (
                  {time(alert.since ?? '')})
                </li>
              ))}
            </ul>
          </>
        )}
        {one?.bus && one.bus.devices.length > 0 && (
          <>
            <h3>{t('fleet.devices')}</h3>
            <Table
              label={t('fleet.devices')}
              rows={one.bus.devices}
              rowKey={({ role, unit }) => `${role}/${unit}`}
              columns={[
                { name: t('fleet.role'), cell: (device) => t(`fleet.role.${device.role}`) },
                { name: t('fleet.unit'), number: true, cell: (device) => device.unit },
                {
                  name: t('col.state'),
                  cell: (device) => (
                    <span class={device.ok ? 'tag good' : 'tag bad'}>
                      {t(device.ok ? 'fleet.bus.good' : 'fleet.bus.bad')}
                    </span>
                  ),
                },
                { name: t('fleet.failures'), number: true, cell: (device) => device.failures },
                {
                  name: t('fleet.success'),
                  cell: (device) => (device.last_success === null ? '–' : time(device.last_success)),
                },
                { name: t('fleet.error'), cell: (device) => device.last_error ?? '–' },
              ]}
            />
          </>
        )}
        <p class="more">
          <a href={hrefOf('operator', 'traffic', meterId)}>{t('fleet.traffic', { meter: meterId })}</a>
        </p>
      </Card>
    </>
  );
}
