import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { GtxError, MAX_READING_AGE_SECONDS } from '@gridtokenx/protocol';
import type { Connection } from '@solana/web3.js';
import type pg from 'pg';
import type { Logger } from 'pino';
import { AlertDelivery, AlertPruning, alertChannels } from './alerts/index.js';
import { Alerts } from './alerts.js';
import { Acks } from './broker/acks.js';
import type { MqttBus, MqttHandlers } from './broker/bus.js';
import { OwnAuthority, TlsFiles, type TlsSource } from './broker/certificates.js';
import { EmbeddedBroker } from './broker/embedded.js';
import { EnvelopeSigner } from './broker/envelope.js';
import { ExternalBroker } from './broker/external.js';
import { Logins } from './broker/login.js';
import type { CollectorConfig } from './config.js';
import { ChangeFeed } from './feed/index.js';
import { FleetIntake, FleetView, FleetWatch, fleetMetrics, powerNow } from './fleet/index.js';
import { Deliveries } from './http/deliveries.js';
import type { Health } from './http/schemas.js';
import { HttpServer } from './http/server.js';
import { Ingest } from './ingest/ingest.js';
import { Receiver } from './ingest/receive.js';
import { LIVE_LIMITS, Live, liveMetrics, ReadingsAnnouncer, seenReading } from './live/index.js';
import { loginMetrics, Sessions } from './login/index.js';
import { LiveBooks, matchEffects } from './matching/index.js';
import { Metrics } from './metrics.js';
import {
  Collectors,
  healthDetails,
  type Mirrored,
  Overview,
  Received,
  Rollup,
  rollupMetrics,
} from './overview/index.js';
import type { ChainMirrorPort, SettlementPort } from './ports.js';
import { PriceGuides, readPriceGuideSettings } from './pricing/index.js';
import { differenceEffects } from './reconcile/index.js';
import { Reviews } from './review/reviews.js';
import type { ReviewRoutesDeps } from './review/routes.js';
import { storageFailure } from './store/errors.js';
import { migrate } from './store/migrate.js';
import { Partitions } from './store/partitions.js';
import { createPool } from './store/pool.js';
import { ProductionWatch } from './watch/watch.js';

/** The parts that talk to the chain; made when the database is ready. */
export interface ChainParts {
  mirror: ChainMirrorPort;
  settlement: SettlementPort;
  /** Issues certificates; undefined when that is switched off. */
  certificates?: { start(): Promise<void>; stop(): Promise<void> } | undefined;
  /** Matches orders; undefined when that is switched off. */
  matching?:
    | ((books: LiveBooks) => { start(): Promise<void>; stop(): Promise<void>; readonly leads: boolean })
    | undefined;
  /** Compares chain, database and wallets; undefined when that is switched off. */
  reconciler?: { start(): Promise<void>; stop(): Promise<void> } | undefined;
  /** Makes the transaction that an operator's wallet signs to decide about energy held on the chain. */
  prepareHeld: ReviewRoutesDeps['prepareHeld'];
  /** The chain's node, for what wallets want to know and send. */
  connection: Connection;
  /** Where the mirror is; undefined before it has had everything for the first time. */
  mirrored?: () => Mirrored | undefined;
  /** Whether the chain answers. */
  chainUp(): Promise<boolean>;
}

export interface ChainPartsDeps {
  pool: pg.Pool;
  alerts: Alerts;
  metrics: Metrics;
  logger: Logger;
  now: () => number;
}

export interface CollectorOptions {
  logger: Logger;
  now?: () => number;
  /** 64 bytes of the key that signs acknowledgements: seed and public key. */
  ackSecretKey: Uint8Array;
  chainParts: (deps: ChainPartsDeps) => ChainParts | Promise<ChainParts>;
  /** How long to wait for the database at start. */
  databaseWaitMillis?: number;
}

/** A running collector. */
export interface RunningCollector {
  httpUrl: string;
  /** Where gateways connect: the embedded broker, or the external one. */
  mqttUrl: string;
  /** Base58 of the public key that gateways pin. */
  ackPublicKey: string;
  /** The collector's own certificate authority, which gateways are to trust; absent without one. */
  caFile: string | undefined;
  stop(): Promise<void>;
}

const PARTITION_CHECK_MILLIS = 6 * 3600 * 1000;
const HEALTH_TIMEOUT_MILLIS = 2_000;

export const VERSION: string = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).version;

/**
 * Starts a collector: database, mirror of the chain, ingestion, broker, HTTP, settlement, in this order.
 * @throws GtxError STORAGE_UNAVAILABLE when the database does not answer in time; PORT_IN_USE; what the
 *   chain's parts throw
 */
export async function runCollector(
  config: CollectorConfig,
  options: CollectorOptions,
): Promise<RunningCollector> {
  const { logger, now = Date.now } = options;
  // What has been started, newest last; stopping goes backwards, and so does a start that fails half-way.
  const stops: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (const undo of stops.splice(0).reverse()) await undo();
  };
  try {
    return await assemble(config, { ...options, now }, stops, stop);
  } catch (error) {
    await stop().catch((failure: unknown) => logger.error({ err: failure }, 'cleaning up failed'));
    throw error;
  }
}

async function assemble(
  config: CollectorConfig,
  options: CollectorOptions & { now: () => number },
  stops: (() => Promise<void> | void)[],
  stop: () => Promise<void>,
): Promise<RunningCollector> {
  const { logger, now } = options;
  const startedAt = now();
  const metrics = new Metrics();
  metrics.collectProcess();
  const pool = createPool(config.databaseUrl, config.databaseConnections, logger);
  stops.push(() => pool.end());
  // What is asked over HTTP has connections of its own: it must not use up those that readings are stored with.
  const asking = createPool(config.databaseUrl, config.httpDatabaseConnections, logger, {
    statementSeconds: 10,
  });
  stops.push(() => asking.end());
  await prepareDatabase(pool, logger, options.databaseWaitMillis ?? 30_000);
  const partitions = new Partitions(pool);
  await partitions.ensureAround(Math.floor(now() / 1000));
  const partitionTimer = setInterval(() => {
    partitions
      .ensureAround(Math.floor(now() / 1000))
      .catch((error: unknown) => logger.warn({ err: error }, 'partitions could not be made ahead'));
  }, PARTITION_CHECK_MILLIS);
  partitionTimer.unref();
  stops.push(() => clearInterval(partitionTimer));

  const alerts = new Alerts(pool, logger);
  const alertDelivery = new AlertDelivery({
    pool,
    alerts,
    channels: alertChannels(config, { logger, now, version: VERSION }),
    logger,
    registry: metrics.registry,
    now,
  });
  alertDelivery.start();
  stops.push(() => alertDelivery.stop());
  const alertPruning = new AlertPruning({ pool, logger, keepDays: config.alertKeepDays });
  alertPruning.start();
  stops.push(() => alertPruning.stop());
  const reviews = new Reviews({
    pool,
    effects: { match_failed: matchEffects, audit_difference: differenceEffects },
  });
  const chain = await options.chainParts({ pool, alerts, metrics, logger, now });
  const { mirror, settlement, certificates, reconciler, chainUp } = chain;
  await mirror.start();
  stops.push(() => mirror.stop());
  // What any collector on this database wrote, and the order books that follow it.
  const changes = new ChangeFeed({ databaseUrl: config.databaseUrl, logger });
  await changes.start();
  stops.push(() => changes.stop());
  changes.onChange(({ kind }) => {
    if (kind === 'alert') alertDelivery.wake();
  });
  const books = new LiveBooks({ pool, feed: changes, logger, now });
  await books.start();
  stops.push(() => books.stop());

  const operatorWallets = config.operatorWallets?.split(',') ?? [];
  const sessions = new Sessions({
    pool: asking,
    logger,
    now,
    metrics: loginMetrics(metrics.registry),
    operatorWallets,
  });
  sessions.start();
  stops.push(() => sessions.stop());
  const priceGuides = new PriceGuides({
    pool,
    markets: () => books.markets(),
    settings: readPriceGuideSettings(config.priceGuideFile),
    intervalSeconds: config.priceGuideSeconds,
    logger,
    now,
  });
  if (config.priceGuide === 'on') priceGuides.start();
  stops.push(() => priceGuides.stop());
  const guides = () => priceGuides.current();
  const fleetRules = { silentSeconds: config.fleetSilentSeconds, intervalSeconds: config.intervalSeconds };
  const fleet = new FleetView({ pool: asking, logger, now, rules: fleetRules, sitesFile: config.sitesFile });
  const fleetIntake = new FleetIntake({
    pool,
    logger,
    now,
    metrics: fleetMetrics(metrics.registry, () => fleet.lastSummary()),
    silentSeconds: config.fleetSilentSeconds,
  });
  // Before ingestion is there nobody asks.
  const overview = new Overview({
    pool: asking,
    now,
    power: (nowSeconds) => powerNow(asking, {}, nowSeconds),
    queued: () => ingest.queued,
    leastMeters: config.publicPowerMeters,
  });
  const live = new Live({
    pool: asking,
    feed: changes,
    books,
    guides,
    fleet,
    overview,
    sessions,
    logger,
    now,
    metrics: liveMetrics(metrics.registry),
    limits: {
      ...LIVE_LIMITS,
      clients: config.liveClients,
      clientsPerAddress: config.liveClientsPerAddress,
    },
  });
  live.start();
  stops.push(() => live.stop());
  const rollup = new Rollup({ pool, feed: changes, logger, metrics: rollupMetrics(metrics.registry) });
  rollup.start();
  stops.push(() => rollup.stop());
  const received = new Received({ pool, logger, now });
  received.start();
  stops.push(() => received.stop());
  const announcer = new ReadingsAnnouncer({ pool, logger });
  stops.push(() => announcer.stop());

  const signer = new EnvelopeSigner(options.ackSecretKey);
  const operator =
    config.operatorUsername !== undefined && config.operatorPassword !== undefined
      ? { username: config.operatorUsername, password: config.operatorPassword }
      : undefined;
  // The bus hands messages to ingestion and acknowledgements go out over the bus: a circle, closed here.
  const handlers: MqttHandlers = {
    onReading: (meterId, payload) => receiver.receive(meterId, payload),
    onListening: (meterId) => void acks.sendCurrent(meterId),
    onNews: (kind, meterId, payload, retained) => fleetIntake.take(kind, meterId, payload, retained),
    onTraffic: (message) => live.pass(message),
  };
  const logins = new Logins({ pool, mirror, now, operator });
  const tls = tlsSource(config, now);
  const bus = makeBus(config, tls, { handlers, metrics, logger, now, logins });
  const acks = new Acks({ pool, signer, bus, metrics, logger, now, maxAgeSeconds: MAX_READING_AGE_SECONDS });
  const ingest = new Ingest({
    pool,
    partitions,
    mirror,
    alerts,
    metrics,
    logger,
    now,
    limits: {
      intervalSeconds: config.intervalSeconds,
      batchRows: config.batchRows,
      batchMillis: config.batchMillis,
      maxQueued: config.maxQueued,
      maxQueuedPerMeter: Math.min(1000, config.maxQueued),
    },
    onAnswers: (answers, source) => {
      if (source === 'mqtt') acks.acknowledge(answers);
      received.see(answers.map(({ submission }) => submission.reading.intervalEnd));
      const news = answers
        .map((answer) => seenReading(answer, source === 'mqtt'))
        .filter((reading) => reading !== undefined);
      for (const { meterId, outcome } of news) if (outcome === 'stored') announcer.stored(meterId);
      live.see(news);
    },
    onStored: () => settlement.wake(),
  });
  const receiver = new Receiver({ ingest, acks, pool, metrics, logger, now });
  // At the end, in this order: nothing more is asked for, work for the chain is given back, what has come is stored, its
  // acknowledgements leave, and then the connections end.
  stops.push(() => bus.stop());
  acks.start();
  stops.push(() => acks.stop());
  ingest.start();
  stops.push(() => ingest.stop());
  await settlement.start();
  stops.push(() => settlement.stop());
  if (certificates) {
    await certificates.start();
    stops.push(() => certificates.stop());
  }
  const matching = chain.matching?.(books);
  if (matching) {
    await matching.start();
    stops.push(() => matching.stop());
  }
  if (reconciler) {
    await reconciler.start();
    stops.push(() => reconciler.stop());
  }
  if (config.watch === 'on') {
    const watch = new ProductionWatch({
      pool,
      alerts,
      logger,
      registry: metrics.registry,
      config: { sitesFile: config.sitesFile, neighbours: config.watchNeighbours },
    });
    await watch.start();
    stops.push(() => watch.stop());
  }
  fleetIntake.start();
  stops.push(() => fleetIntake.stop());
  await bus.start();
  stops.push(() => bus.quiesce());
  const fleetWatch = new FleetWatch({
    pool,
    alerts,
    logger,
    now,
    rules: fleetRules,
    config: { alertSeconds: config.fleetAlertSeconds },
    connected: () => bus.connected,
  });
  fleetWatch.start();
  stops.push(() => fleetWatch.stop());
  const collectors = new Collectors({
    pool,
    logger,
    now,
    version: VERSION,
    roles: () => [
      ...(matching?.leads ? ['matcher'] : []),
      ...(rollup.leads ? ['rollup'] : []),
      ...(reconciler ? ['reconciler'] : []),
      ...(certificates ? ['certificates'] : []),
      ...(config.watch === 'on' ? ['watch'] : []),
    ],
  });
  await collectors.start();
  stops.push(() => collectors.stop());

  const http = new HttpServer({
    sessions,
    live,
    books,
    connection: chain.connection,
    guides,
    ingest,
    deliveries: new Deliveries({ ingest, acks, pool, metrics }),
    logins,
    pool: asking,
    metrics,
    logger,
    now,
    version: VERSION,
    facts: () => ({ mqttUrl: bus.url, ackPublicKey: signer.publicKey }),
    overview: {
      pool: asking,
      connection: chain.connection,
      now,
      overview,
      healthDetails: () =>
        healthDetails({
          pool: asking,
          connection: chain.connection,
          mirrored: () => chain.mirrored?.(),
          broker: async () => ({
            connected: bus.connected,
            clients: config.mqttUrl === undefined ? await valueOfGauge(metrics.mqttClients) : null,
            url: bus.url,
          }),
          collectors,
          behind: () => overview.behind(),
          now,
        }),
    },
    fleet: { pool: asking, asked: () => fleet.asked(), summary: () => fleet.summary() },
    review: {
      pool,
      reviews,
      prepareHeld: chain.prepareHeld,
      testAlerts: (by) => alertDelivery.test(by),
    },
    health: async (): Promise<Health> => {
      const [database, chain] = await Promise.all([
        inTime(pool.query('SELECT 1').then(() => true)),
        inTime(chainUp()),
      ]);
      const word = (good: boolean) => (good ? 'ok' : 'unavailable');
      const good = database && ingest.storageUp && chain && bus.connected;
      return {
        status: good ? 'ok' : 'degraded',
        component: 'collector',
        version: VERSION,
        time: Math.floor(now() / 1000),
        uptime_seconds: Math.floor((now() - startedAt) / 1000),
        demo: config.demoKeys === 'on',
        checks: {
          database: word(database && ingest.storageUp),
          broker: word(bus.connected),
          chain: word(chain),
        },
      };
    },
    options: {
      host: config.httpHost,
      port: config.httpPort,
      burst: config.httpBurst,
      windowSeconds: config.httpWindowSeconds,
      requestSeconds: config.httpRequestSeconds,
      readsPerMinute: config.httpReadsPerMinute,
      writesPerMinute: config.httpWritesPerMinute,
      loginsPerMinute: config.httpLoginsPerMinute,
      trustProxy: config.httpTrustProxy,
      operator,
      operatorWallets,
      publicUrl: config.publicUrl,
      loginDomains: config.loginDomains?.split(',') ?? [],
      tls: config.httpTls === 'on' ? tls : undefined,
    },
  });
  await http.start();
  stops.push(() => http.stop());
  logger.info(
    { httpUrl: http.url, mqttUrl: bus.url, ackPublicKey: signer.publicKey },
    'the collector is ready',
  );
  let stopping: Promise<void> | undefined;
  return {
    httpUrl: http.url,
    mqttUrl: bus.url,
    ackPublicKey: signer.publicKey,
    caFile: tls?.caFile,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

async function valueOfGauge(gauge: Metrics['mqttClients']): Promise<number> {
  return (await gauge.get()).values[0]?.value ?? 0;
}

/** Where the certificates of broker and HTTP server come from; undefined without TLS. */
function tlsSource(config: CollectorConfig, now: () => number): TlsSource | undefined {
  const { mqttTlsCert, mqttTlsKey, mqttTlsClientCa: clientCaFile, tlsDir, tlsNames } = config;
  if (mqttTlsCert !== undefined && mqttTlsKey !== undefined) {
    return new TlsFiles({ certFile: mqttTlsCert, keyFile: mqttTlsKey, clientCaFile });
  }
  if (tlsDir === undefined) return undefined;
  const names = [...(tlsNames?.split(',') ?? [hostname()]), 'localhost', '127.0.0.1', '::1'];
  return new OwnAuthority({ folder: resolve(tlsDir), names: [...new Set(names)], clientCaFile, now });
}

function makeBus(
  config: CollectorConfig,
  tls: TlsSource | undefined,
  deps: { handlers: MqttHandlers; metrics: Metrics; logger: Logger; now: () => number; logins: Logins },
): MqttBus {
  if (config.mqttUrl !== undefined) {
    return new ExternalBroker(
      {
        url: config.mqttUrl,
        username: config.mqttUsername,
        password: config.mqttPassword,
        caFile: config.mqttCaFile,
        certFile: config.mqttCertFile,
        keyFile: config.mqttKeyFile,
        shareGroup: config.mqttShareGroup,
      },
      deps,
    );
  }
  return new EmbeddedBroker(
    {
      host: config.mqttHost,
      port: config.mqttPort,
      maxConnections: config.mqttMaxConnections,
      tls,
    },
    deps,
  );
}

/** Waits for the database and brings its schema up to date. */
async function prepareDatabase(pool: pg.Pool, logger: Logger, waitMillis: number): Promise<void> {
  const deadline = Date.now() + waitMillis;
  for (;;) {
    try {
      const applied = await migrate(pool, logger);
      if (applied.length > 0) logger.info({ applied }, 'database schema brought up to date');
      return;
    } catch (error) {
      if (!isConnectionTrouble(error)) throw error;
      if (Date.now() >= deadline) {
        throw new GtxError('STORAGE_UNAVAILABLE', 'the database does not answer', undefined, {
          cause: error,
        });
      }
      logger.warn({ reason: (error as Error).message }, 'the database does not answer yet');
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** Errors that waiting can cure: no server yet, or one that is starting or stopping (SQLSTATE classes 08, 57, 53). */
function isConnectionTrouble(error: unknown): boolean {
  if (storageFailure(error) !== 'unavailable') return false;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code === '' || !/^[0-9A-Z]{5}$/.test(code) || /^(08|53|57)/.test(code);
}

async function inTime(check: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), HEALTH_TIMEOUT_MILLIS);
  });
  try {
    return await Promise.race([check, timeout]);
  } catch {
    // The answer of a health check: no.
    return false;
  } finally {
    clearTimeout(timer);
  }
}
