import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Page } from '../api.js';
import { amount, duration, short, time } from '../format.js';
import { useAsk, useNews, useRegularly } from '../parts/ask.js';
import { useTopic } from '../parts/follow.js';
import { Card, Empty, Figure, Loading, Problem } from '../parts/frame.js';
import { type Checked, checkedKey, checkTransaction } from '../proof.js';
import { hrefOf } from '../routes.js';
import { wallet } from '../session.js';
import { t } from '../text/index.js';
import type { ProvenReading, Settlement, TransactionState } from '../types.js';
import { decimal } from '../units.js';

const GOOD: ReadonlySet<TransactionState['state']> = new Set(['confirmed', 'finalized']);

/** One transaction: what became of it, the readings that it brought with the proof of each, and what it did. */
export function TransactionView({ signature }: { signature: string }) {
  const asked = useAsk<TransactionState>(`/api/transactions/${encodeURIComponent(signature)}`);
  const found = asked.answer;
  // Until it is final, it may still change; afterwards nothing does.
  useRegularly(asked.again, found === undefined || found.state === 'pending' || found.state === 'confirmed');
  return (
    <>
      <p>
        <a href={hrefOf('live')}>{t('live.back')}</a>
      </p>
      <h1>{t('live.transaction')}</h1>
      <p>
        <code class="long">{signature}</code>
      </p>
      {asked.error && <Problem error={asked.error} again={asked.again} />}
      {!found && asked.loading && <Loading />}
      {found && (
        <div class="cards two">
          <ResultCard found={found} />
          <OwnCard signature={signature} />
          <ReadingsCard found={found} />
          <EventsCard found={found} />
        </div>
      )}
    </>
  );
}

function ResultCard({ found }: { found: TransactionState }) {
  const mints = found.events.filter(({ name }) => name === 'ProductionMinted');
  const minted = mints.reduce((sum, { data }) => sum + units(data.amount), 0n);
  const at = found.events.find((event) => event.time !== null)?.time;
  return (
    <Card title={t('live.result')}>
      <p>
        <span class={GOOD.has(found.state) ? 'tag good' : 'tag warn'}>{t(`transaction.${found.state}`)}</span>
      </p>
      {found.error && (
        <div class="problem">
          <p>{found.error.message}</p>
          <p>{found.error.what_to_do}</p>
        </div>
      )}
      <div class="figures">
        {mints.length > 0 && (
          <Figure name={t('meter.minted')} value={amount(decimal(minted))} unit="GRID" tone="surplus" />
        )}
        {at && <Figure name={t('col.time')} value={time(at)} words />}
        {found.slot !== null && <Figure name={t('proof.slot')} value={amount(String(found.slot))} />}
      </div>
    </Card>
  );
}

const units = (value: unknown): bigint =>
  typeof value === 'string' && /^\d+$/.test(value) ? BigInt(value) : 0n;

/** What of it belongs to whoever has logged in; nothing is shown to others. */
function OwnCard({ signature }: { signature: string }) {
  const own = wallet.value;
  return own === undefined ? null : <SettlementsOf key={own} own={own} signature={signature} />;
}

function SettlementsOf({ own, signature }: { own: string; signature: string }) {
  const settlements = useAsk<Page<Settlement>>('/api/settlements', { wallet: own, limit: 100 });
  const news = useTopic({ channel: 'settlements' })?.value;
  useNews(news?.items, settlements.again);
  const mine = settlements.answer?.items.filter((one) => one.signature === signature) ?? [];
  if (mine.length === 0) return null;
  return (
    <Card title={t('live.own')}>
      <ul class="list">
        {mine.map((one) => (
          <li key={`${one.id}/${one.meter_id}`}>
            <a href={hrefOf('home', one.meter_id)}>{one.meter_id}</a>:{' '}
            {one.minted === null ? '–' : `${amount(one.minted)} GRID`}
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** Undefined while it is being checked: what was found out of an earlier answer says nothing of another. */
function useChecked({ signature, transaction, readings }: TransactionState): Checked | undefined {
  const of = useMemo(() => ({ signature, transaction, readings }), [signature, transaction, readings]);
  const [checked, setChecked] = useState<{ of: unknown; outcome: Checked }>();
  useEffect(() => {
    let shown = true;
    void checkTransaction(of.signature, of.transaction, of.readings).then((outcome) => {
      if (shown) setChecked({ of, outcome });
    });
    return () => {
      shown = false;
    };
  }, [of]);
  return checked?.of === of ? checked.outcome : undefined;
}

function ReadingsCard({ found }: { found: TransactionState }) {
  const checked = useChecked(found);
  if (found.readings.length === 0 && found.accepted_in.length === 0) return null;
  return (
    <Card title={t('proof.title')} note={t('proof.note')} wide>
      {found.readings.length > 0 && checked && (
        <Verdict good={checked.genuine} yes={t('proof.genuine')} no={t('proof.genuine.no')} />
      )}
      {found.readings.map((reading) => (
        <ReadingProof
          key={checkedKey(reading)}
          reading={reading}
          within={found.signature}
          good={checked?.readings.get(checkedKey(reading))}
        />
      ))}
      {found.accepted_in.length > 0 && (
        <>
          <p>{t('proof.earlier')}</p>
          <ul class="list">
            {found.accepted_in.map((other) => (
              <li key={other}>
                <a href={hrefOf('live', other)}>
                  <code>{short(other)}</code>
                </a>
              </li>
            ))}
          </ul>
        </>
      )}
      {found.readings.length > 0 && (
        <details>
          <summary>{t('proof.how')}</summary>
          <p>{t('proof.how.bytes')}</p>
          <p>{t('proof.how.key')}</p>
          <p>{t('proof.how.transaction')}</p>
        </details>
      )}
    </Card>
  );
}

function Verdict({ good, yes, no }: { good: boolean; yes: string; no: string }) {
  return (
    <p class={good ? 'verdict good' : 'verdict bad'}>
      <span aria-hidden="true">{good ? '✓' : '✗'}</span> {good ? yes : no}
    </p>
  );
}

/** The reading's number; where it stands for others too, the first and the last. */
function numbers({ sequence, after_sequence: after }: ProvenReading): string {
  const first = after === null ? BigInt(sequence) : BigInt(after) + 1n;
  return first >= BigInt(sequence) ? sequence : `${first}–${sequence}`;
}

function ReadingProof({
  reading,
  within,
  good,
}: {
  reading: ProvenReading;
  /** The transaction that brought it. */
  within: string;
  good: boolean | undefined;
}) {
  const kwh = (nkwh: string) => `${amount(decimal(BigInt(nkwh)))} kWh`;
  const facts: [string, string][] = [
    [t('proof.numbers'), numbers(reading)],
    [t('proof.from'), time(reading.interval_start)],
    [
      t('col.until'),
      // Number and unit stay together.
      `${time(reading.interval_end)} (${duration(reading.interval_end - reading.interval_start).replace(' ', '\u00a0')})`,
    ],
    [t('proof.produced'), kwh(reading.produced_total)],
    [t('proof.consumed'), kwh(reading.consumed_total)],
    [t('proof.surplus'), kwh(reading.surplus_total)],
    [t('proof.counted'), `${amount(reading.counted_kwh)} kWh`],
    ...(reading.held_kwh === '0'
      ? []
      : [[t('col.held'), `${amount(reading.held_kwh)} kWh`] satisfies [string, string]]),
  ];
  return (
    <article class="proof">
      <h3>{reading.meter_id}</h3>
      {good === undefined ? (
        <p class="quiet">…</p>
      ) : (
        <Verdict good={good} yes={t('proof.yes.long')} no={t('proof.no.why')} />
      )}
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <details>
        <summary>{t('proof.parts')}</summary>
        <dl>
          <div>
            <dt>{t('proof.message')}</dt>
            <dd>
              <code class="long">{reading.message}</code>
            </dd>
          </div>
          <div>
            <dt>{t('proof.signature')}</dt>
            <dd>
              <code class="long">{reading.meter_signature}</code>
            </dd>
          </div>
          <div>
            <dt>{t('proof.key')}</dt>
            <dd>
              <code class="long">{reading.public_key}</code>
            </dd>
          </div>
        </dl>
      </details>
      {reading.mint_tx_signature !== null && reading.mint_tx_signature !== within && (
        <p class="quiet">
          {t('proof.minted')}{' '}
          <a href={hrefOf('live', reading.mint_tx_signature)}>
            <code>{short(reading.mint_tx_signature)}</code>
          </a>
        </p>
      )}
    </article>
  );
}

function EventsCard({ found: { events } }: { found: TransactionState }) {
  return (
    <Card title={t('live.events')} wide>
      {events.length === 0 && <Empty>{t('live.events.none')}</Empty>}
      {events.map((one) => (
        <details key={one.event_index} open={events.length === 1}>
          <summary>{one.name}</summary>
          <dl>
            {Object.entries(one.data).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  <code class="long">{typeof value === 'string' ? value : JSON.stringify(value)}</code>
                </dd>
              </div>
            ))}
          </dl>
        </details>
      ))}
    </Card>
  );
}
