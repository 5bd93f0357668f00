import { useId, useMemo, useRef, useState } from 'preact/hooks';
import { time } from '../format.js';
import type { TrafficFilter } from '../link.js';
import { SearchField, SearchFlaw, SelectField, useSearch } from '../parts/filters.js';
import { useTopic } from '../parts/follow.js';
import { Card, Empty, Loading, Problem, Table, useColumns } from '../parts/frame.js';
import { hrefOf } from '../routes.js';
import { t } from '../text/index.js';

const KINDS = ['reading', 'ack', 'telemetry', 'status', 'command', 'refused'] as const;
type Kind = (typeof KINDS)[number];
const OUTCOMES = ['stored', 'refused'] as const;
/** What the collector takes as the beginning of a meter's id. */
const METER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
/** Rows on show: the browser has to draw each. */
const ROWS = 100;

/** A message as the channel tells it. */
interface Message {
  readonly key: string;
  readonly time: string;
  readonly meter_id: string | null;
  readonly kind: Kind;
  readonly topic: string | null;
  readonly direction: 'in' | 'out';
  readonly bytes: number | null;
  readonly summary: string;
  readonly outcome?: string | null;
  readonly status?: string | null;
}

/** What goes over the broker now, as far as the filters let it through. */
export function TrafficView({ rest: [first = ''] }: { rest: readonly string[] }) {
  const [kinds, setKinds] = useState<readonly Kind[]>([]);
  const [outcome, setOutcome] = useState('');
  const { text, setText, search: meter } = useSearch(first);
  const [paused, setPaused] = useState(false);
  const wrong = meter !== '' && !METER.test(meter);
  const filter = useMemo<TrafficFilter>(
    () => ({
      ...(meter !== '' && !wrong && { meter }),
      ...(kinds.length > 0 && { kinds }),
      ...(outcome !== '' && { outcome }),
    }),
    [meter, wrong, kinds, outcome],
  );
  const news = useTopic({ channel: 'traffic', filter })?.value;
  const now = (news?.items ?? []) as unknown as Message[];
  // What stood there when it was stopped stays; what comes meanwhile is only counted.
  const held = useRef<{ items: Message[]; newest: string | undefined }>({ items: [], newest: undefined });
  if (!paused) held.current = { items: now.slice(0, ROWS), newest: now[0]?.key };
  const { items, newest } = held.current;
  const at = now.findIndex(({ key }) => key === newest);
  // Not among them any more, or never: all are newer.
  const missed = at === -1 ? now.length : at;
  const flaw = useId();
  const columns = useColumns<Message>(() => [
    { name: t('col.time'), cell: (one) => time(one.time, 'clock') },
    {
      name: t('traffic.direction'),
      cell: (one) => t(one.direction === 'out' ? 'traffic.out' : 'traffic.in'),
    },
    { name: t('traffic.kind'), cell: (one) => t(`traffic.${one.kind}`) },
    {
      name: t('col.meter'),
      cell: (one) =>
        one.meter_id === null ? '–' : <a href={hrefOf('operator', 'fleet', one.meter_id)}>{one.meter_id}</a>,
    },
    { name: t('traffic.outcome'), cell: (one) => <OutcomeCell message={one} /> },
    {
      name: t('traffic.summary'),
      cell: (one) => (
        <span class="words" lang="en">
          {one.summary}
        </span>
      ),
    },
    { name: t('traffic.bytes'), number: true, cell: (one) => one.bytes ?? '–' },
  ]);
  return (
    <Card title={t('traffic.title')} note={t('traffic.note')} wide>
      <div class="tools filters">
        <fieldset>
          <legend>{t('traffic.kinds')}</legend>
          {KINDS.map((kind) => (
            <label key={kind} class="choice">
              <input
                type="checkbox"
                checked={kinds.includes(kind)}
                onChange={(event) =>
                  setKinds(
                    event.currentTarget.checked ? [...kinds, kind] : kinds.filter((other) => other !== kind),
                  )
                }
              />
              {t(`traffic.${kind}`)}
            </label>
          ))}
        </fieldset>
        <SearchField label={t('traffic.meter')} text={text} setText={setText} wrong={wrong} flaw={flaw} />
        <SelectField
          label={t('traffic.outcome')}
          all={t('filter.all')}
          value={outcome}
          setValue={setOutcome}
          names={OUTCOMES}
          nameOf={(name) => t(`outcome.${name}`)}
        />
        <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
          {t(paused ? 'traffic.resume' : 'traffic.pause')}
        </button>
        <output class="quiet">{paused && t('traffic.missed', { count: missed })}</output>
      </div>
      <SearchFlaw id={flaw} wrong={wrong} />
      {news?.problem && <Problem error={news.problem} />}
      {!news?.ready && <Loading />}
      {news?.ready && items.length === 0 && <Empty>{t('traffic.none')}</Empty>}
      {items.length > 0 && (
        <Table label={t('traffic.title')} rows={items} rowKey={({ key }) => key} columns={columns} />
      )}
    </Card>
  );
}

function OutcomeCell({ message: { outcome, status } }: { message: Message }) {
  if (outcome === undefined || outcome === null) return <>–</>;
  const refused = outcome === 'refused';
  return (
    <span class={refused ? 'tag bad' : 'tag good'}>
      {refused ? t('outcome.refused') : t('outcome.stored')}
      {status ? ` (${status})` : ''}
    </span>
  );
}
