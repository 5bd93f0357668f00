import type { ComponentChildren } from 'preact';
import { amount, duration, short, time } from '../format.js';
import { type Asked, useAsk, useRegularly } from '../parts/ask.js';
import { Card, Empty, Fact, Loading, Problem, Table } from '../parts/frame.js';
import { t } from '../text/index.js';
import type { Audit, HealthDetails } from '../types.js';

const MEGABYTE = 1_000_000;
/** The mirror has a transaction in its blocks' time; so many slots behind is more than that. */
const BEHIND_SLOTS = 150;

const count = (value: number | null): string => (value === null ? '–' : amount(String(value)));
const length = (seconds: number | null): string => (seconds === null ? '–' : duration(seconds));

/** How database, chain, broker and collectors do, and whether their books agree. */
export function SystemView() {
  const health = useAsk<HealthDetails>('/api/health');
  useRegularly(health.again);
  const audit = useAsk<Audit>('/api/audit');
  useRegularly(audit.again);
  return (
    <>
      <HealthCards health={health} />
      <AuditCard audit={audit} />
    </>
  );
}

function HealthCards({ health: { answer, error, loading, again } }: { health: Asked<HealthDetails> }) {
  if (!answer) {
    return (
      <Card title={t('live.health')} wide>
        {error && <Problem error={error} again={again} />}
        {loading && <Loading />}
      </Card>
    );
  }
  const { database, chain, broker, collectors } = answer;
  const behind = (chain.mirror_lag_slots ?? 0) > BEHIND_SLOTS;
  return (
    <>
      <Card title={t('part.database')}>
        {error && <Problem error={error} again={again} />}
        <Sign good>{t('part.up')}</Sign>
        <dl class="factlist">
          <Fact name={t('system.version')}>PostgreSQL {database.version}</Fact>
          <Fact name={t('system.size')}>{`${amount((database.size_bytes / MEGABYTE).toFixed(1))} MB`}</Fact>
          <Fact name={t('system.connections')}>
            {t('system.of', { count: count(database.connections), most: count(database.max_connections) })}
          </Fact>
          <Fact name={t('system.oldest')}>{length(database.oldest_transaction_seconds)}</Fact>
          <Fact name={t('system.partitions')}>{count(database.partitions)}</Fact>
          <Fact name={t('system.rollup')}>{count(database.rollup_behind)}</Fact>
        </dl>
      </Card>
      <Card title={t('part.chain')}>
        <Sign good={chain.rpc_ms !== null && !behind}>
          {chain.rpc_ms === null ? t('part.down') : behind ? t('system.behind') : t('part.up')}
        </Sign>
        <dl class="factlist">
          <Fact name={t('system.cluster')}>
            <span class="long">{chain.cluster ?? '–'}</span>
          </Fact>
          <Fact name={t('system.rpc')}>{chain.rpc_ms === null ? '–' : `${Math.round(chain.rpc_ms)} ms`}</Fact>
          <Fact name={t('system.slot')}>{count(chain.slot)}</Fact>
          <Fact name={t('system.height')}>{count(chain.block_height)}</Fact>
          <Fact name={t('system.lag')}>
            {t('system.lag.words', {
              slots: count(chain.mirror_lag_slots),
              time: length(chain.mirror_lag_seconds),
            })}
          </Fact>
          <Fact name={t('system.queued')}>{count(chain.queued)}</Fact>
        </dl>
      </Card>
      <Card title={t('part.broker')}>
        <Sign good={broker.connected}>{t(broker.connected ? 'part.up' : 'part.down')}</Sign>
        <dl class="factlist">
          <Fact name={t('system.url')}>
            <code class="long">{broker.url}</code>
          </Fact>
          <Fact name={t('system.clients')}>{count(broker.clients)}</Fact>
        </dl>
      </Card>
      <Card title={t('system.collectors')} wide>
        {collectors.length === 0 ? (
          <Empty />
        ) : (
          <Table
            label={t('system.collectors')}
            rows={collectors}
            rowKey={({ id }) => id}
            columns={[
              { name: t('system.name'), cell: (one) => <code title={one.id}>{short(one.id)}</code> },
              { name: t('system.version'), cell: (one) => one.version },
              { name: t('system.started'), cell: (one) => time(one.started_at) },
              { name: t('system.seen'), cell: (one) => time(one.last_seen) },
              {
                name: t('system.roles'),
                cell: (one) => (one.roles.length === 0 ? '–' : one.roles.join(', ')),
              },
            ]}
          />
        )}
      </Card>
    </>
  );
}

function AuditCard({ audit: { answer, error, loading, again } }: { audit: Asked<Audit> }) {
  const last = answer?.last ?? null;
  return (
    <Card title={t('audit.title')} note={t('audit.note')} wide>
      {error && <Problem error={error} again={again} />}
      {!answer && loading && <Loading />}
      {answer && (
        <>
          {last === null ? (
            <p class="quiet">{t('audit.never')}</p>
          ) : (
            <Sign good={last.ok}>
              {t(last.ok ? 'audit.good' : 'audit.bad', {
                count: last.difference_count,
                time: time(last.checked_at),
                slot: count(last.slot),
              })}
            </Sign>
          )}
          {last?.energy && (
            <p class="quiet">
              {t(last.energy.whole ? 'audit.energy.whole' : 'audit.energy', {
                days: count(last.energy.days),
                quarters: count(last.energy.quarters),
                readings: count(last.energy.readings),
              })}
              {last.energy.unproved > 0 && ` ${t('audit.energy.unproved', { count: last.energy.unproved })}`}
            </p>
          )}
          {last !== null && last.differences.length > 0 && (
            <Differences label={t('audit.last')} rows={last.differences} />
          )}
          <h3>{t('audit.open')}</h3>
          {answer.open.length === 0 ? (
            <Empty>{t('audit.open.none')}</Empty>
          ) : (
            <Table
              label={t('audit.open')}
              rows={answer.open}
              rowKey={({ id }) => id}
              columns={[
                { name: t('col.what'), cell: (one) => String(one.difference.kind) },
                { name: t('col.about'), cell: (one) => one.subject },
                { name: t('audit.facts'), cell: (one) => <Facts difference={one.difference} /> },
                { name: t('col.since'), cell: (one) => time(one.first_seen) },
                { name: t('col.times'), number: true, cell: (one) => one.looks },
                { name: t('audit.repair'), cell: (one) => one.repair ?? '–' },
              ]}
            />
          )}
          <h3>{t('audit.rounds')}</h3>
          <Table
            label={t('audit.rounds')}
            rows={answer.rounds}
            rowKey={({ name }) => name}
            columns={[
              { name: t('col.what'), cell: (one) => one.name },
              { name: t('col.times'), number: true, cell: (one) => one.rounds },
              {
                name: t('audit.finished'),
                cell: (one) => (one.finished_at === null ? '–' : time(one.finished_at)),
              },
              {
                name: t('col.state'),
                cell: (one) =>
                  one.error === null ? (
                    '–'
                  ) : (
                    <span class="words" lang="en">
                      {one.error}
                    </span>
                  ),
              },
            ]}
          />
        </>
      )}
    </Card>
  );
}

function Differences({ label, rows }: { label: string; rows: readonly Record<string, unknown>[] }) {
  return (
    <Table
      label={label}
      rows={rows}
      rowKey={(row) => JSON.stringify(row)}
      columns={[
        { name: t('col.what'), cell: (row) => String(row.kind) },
        { name: t('audit.facts'), cell: (row) => <Facts difference={row} /> },
      ]}
    />
  );
}

/** The fields of a difference, whatever its kind has. */
function Facts({ difference: { kind: _, ...facts } }: { difference: Record<string, unknown> }) {
  return (
    <span class="words long">
      {Object.entries(facts)
        .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
        .join('; ')}
    </span>
  );
}

function Sign({ good, children }: { good: boolean; children: ComponentChildren }) {
  return (
    <p class={good ? 'sign good' : 'sign bad'}>
      <span aria-hidden="true">{good ? '✓' : '!'}</span> {children}
    </p>
  );
}
