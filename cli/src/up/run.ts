import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openConnection } from '@gridtokenx/chain';
import { GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import { pino } from 'pino';
import { z } from 'zod';
import { runAuditOnce } from '../audit.js';
import { type DataLayout, dataLayout, prepareDataDir, resolveDataDir } from '../data-dir.js';
import { DEMO_PRICE, type DemoMarket, demoMarketKeys, FEED_SYMBOL } from '../demo-market.js';
import { EXIT } from '../exit-codes.js';
import { ensureKey } from '../key-files.js';
import { keyPath, meterKeyPath, operatorPasswordPath, postgresPasswordPath } from '../keys.js';
import { duration, type Json, type Output } from '../output.js';
import { postgresUrl } from '../postgres/server.js';
import { identityOf, isAlive, type ProcessIdentity, terminate, waitForExit } from '../process/identity.js';
import { takeLock } from '../process/lock.js';
import { choosePort, type PortName, readPorts, writePorts } from '../process/ports.js';
import type { ReadyLine } from '../process/service.js';
import { type ComponentStatus, Supervisor } from '../process/supervisor.js';
import { SupervisorPage } from '../process/supervisor-page.js';
import {
  type RunFile,
  type RunningComponent,
  readRunFile,
  removeRunFile,
  withoutPassword,
  writeRunFile,
} from '../run-file.js';
import { checkUrl, OPERATOR_USERNAME } from '../targets.js';
import { setUpChain } from './chain-setup.js';
import {
  agentComponent,
  agentConfigText,
  collectorComponent,
  localnetComponent,
  postgresComponent,
  publisherComponent,
  publisherConfigText,
  simulatorComponent,
} from './components.js';
import { simulatorConfigText } from './demo-home.js';
import { NOTHING_YET, type Observation, Observer } from './observe.js';
import { newsLines, renderView, screenRows, type ViewState } from './view.js';

export interface UpOptions {
  /** End with success once this many minting transactions of this run are confirmed and the audit passes. */
  readonly mints: number | undefined;
  readonly intervalSeconds: number;
  readonly settlement: 'interval' | 'realtime';
  /** `free`: any free ports, so that several installations run side by side. */
  readonly ports: 'preferred' | 'free';
  readonly meterId: string;
  readonly ratedWatts: number;
  /** Give up on `mints` after this long. */
  readonly timeoutSeconds: number;
}

export interface UpContext {
  readonly out: Output;
  readonly dataDirFlag: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly interrupted: AbortSignal;
}

/** The largest meter that the demo's registrar may register: a software meter plays a whole solar park with it. */
const MAX_RATED_WATTS = 1_000_000_000;
const LOOK_EVERY_MS = 1_000;
/** After the last wanted mint, what is under way may still change the books: the audit is asked again until then. */
const AUDIT_PATIENCE_MS = 30_000;

/**
 * Starts everything, each component as a process of its own, and shows what happens until it is told to stop.
 * @returns the exit code
 */
export async function runUp(options: UpOptions, context: UpContext): Promise<number> {
  const layout = dataLayout(resolveDataDir(context.dataDirFlag, context.env));
  prepareDataDir(layout);
  const release = takeLock(layout.lockFile);
  try {
    await stopLeftovers(layout, context.out);
    const up = new Up(layout, options, context);
    const code = await up.run();
    // Last of all, when everything has stopped.
    if (up.summary !== undefined) context.out.result(up.summary.json, up.summary.text);
    return code;
  } finally {
    release();
  }
}

/**
 * What a killed `gtx up` left running: its children notice that their supervisor is gone and stop by themselves.
 * They get the time to; whatever then still runs is stopped.
 */
async function stopLeftovers(layout: DataLayout, out: Output): Promise<void> {
  const run = readRunFile(layout.runFile);
  const left = (run?.components ?? [])
    .map(({ name, process }) => ({ name, process }))
    .filter(
      (one): one is { name: string; process: ProcessIdentity } =>
        one.process !== undefined && isAlive(one.process),
    );
  if (left.length > 0) {
    out.progress(
      `An earlier run was killed; waiting for ${left.map(({ name }) => name).join(', ')} to stop.`,
    );
    // The last started first, as in an orderly stop.
    for (const { name, process } of left.reverse()) {
      if (await waitForExit(process, 10_000)) continue;
      out.progress(`${name} (process ${process.pid}) still runs; stopping it.`);
      await terminate(process, 10_000);
    }
  }
  removeRunFile(layout.runFile);
}

interface Places {
  databaseUrl: string;
  rpcUrl: string;
  wsUrl: string | undefined;
  mqttUrl: string;
  httpUrl: string;
  agentUrl: string | undefined;
}

class Up {
  readonly #layout: DataLayout;
  readonly #options: UpOptions;
  readonly #context: UpContext;
  readonly #supervisor: Supervisor;
  readonly #page: SupervisorPage;
  #pageUrl: string | undefined;
  readonly #startedAt = Date.now();
  readonly #startedIdentity: ProcessIdentity;
  readonly #external: RunningComponent[] = [];
  readonly #timings: Record<string, number> = {};
  #observer: Observer | undefined;
  #market: DemoMarket | undefined;
  #observation: Observation = NOTHING_YET;
  #drawnLines = 0;
  #lastTrouble = '';

  constructor(layout: DataLayout, options: UpOptions, context: UpContext) {
    const self = identityOf(process.pid);
    if (self === undefined) throw new GtxError('INTERNAL', 'cannot read the start time of this process');
    this.#layout = layout;
    this.#options = options;
    this.#context = context;
    this.#startedIdentity = self;
    const log = pino(
      { base: { component: 'up' }, timestamp: pino.stdTimeFunctions.isoTime },
      pino.destination({ dest: join(layout.logs, 'up.log'), mode: 0o600, sync: true }),
    );
    this.#supervisor = new Supervisor({ logger: log });
    this.#supervisor.on('change', (status) => this.#changed(status));
    this.#page = new SupervisorPage(() => this.#supervisor.status());
  }

  async run(): Promise<number> {
    const { interrupted } = this.#context;
    // Ctrl-C during the start: the component that is starting is stopped with the others, and start() rejects.
    const onAbort = (): void => void this.#supervisor.stopAll().catch(() => {});
    interrupted.addEventListener('abort', onAbort, { once: true });
    try {
      interrupted.throwIfAborted();
      const places = await this.#startAll();
      interrupted.removeEventListener('abort', onAbort);
      return await this.#live(places);
    } catch (error) {
      if (interrupted.aborted) return this.#interruptedCode();
      throw error;
    } finally {
      interrupted.removeEventListener('abort', onAbort);
      await this.#observer?.stop();
      this.#say('stopping');
      await this.#supervisor.stopAll();
      await this.#page.stop();
      removeRunFile(this.#layout.runFile);
      this.#say('stopped; the next start goes on from here');
    }
  }

  /** Ctrl-C is the usual end of a demo, and a failure only when a number of mints was waited for. */
  #interruptedCode(): number {
    return this.#options.mints === undefined ? EXIT.ok : EXIT.interrupted;
  }

  async #startAll(): Promise<Places> {
    const { env } = this.#context;
    const { intervalSeconds, settlement, meterId, ratedWatts } = this.#options;
    const layout = this.#layout;
    const keys = {
      upgradeAuthority: ensureKey(keyPath(layout, 'upgradeAuthority')).keypair,
      registrar: ensureKey(keyPath(layout, 'registrar')).keypair,
      guardian: ensureKey(keyPath(layout, 'guardian')).keypair,
      owner: ensureKey(keyPath(layout, 'owner')).keypair,
      feePayer: ensureKey(keyPath(layout, 'feePayer')).keypair,
      collectorAck: ensureKey(keyPath(layout, 'collectorAck')).keypair,
      meter: ensureKey(meterKeyPath(layout, meterId)).keypair,
      ...demoMarketKeys(layout),
    };
    const operatorPassword = ensureSecret(operatorPasswordPath(layout));
    const remembered = readPorts(layout.portsFile);
    const port = (name: PortName, count = 1): Promise<number> =>
      choosePort(name, remembered, { anyFree: this.#options.ports === 'free', count });
    this.#pageUrl = await this.#page.start(await port('supervisor'));

    const database = async (): Promise<string> => {
      if (env.DATABASE_URL) {
        const url = checkUrl(env.DATABASE_URL, ['postgres:', 'postgresql:'], 'DATABASE_URL');
        this.#useExternal('postgres', { database: url });
        return url;
      }
      const ready = await this.#start(postgresComponent(layout, await port('postgres')));
      return this.#databaseUrl(ready);
    };
    const chain = async (): Promise<{ rpcUrl: string; wsUrl: string | undefined }> => {
      let rpcUrl: string;
      let wsUrl: string | undefined;
      if (env.SOLANA_RPC_URL) {
        rpcUrl = checkUrl(env.SOLANA_RPC_URL, ['http:', 'https:'], 'SOLANA_RPC_URL');
        wsUrl = env.SOLANA_WS_URL ? checkUrl(env.SOLANA_WS_URL, ['ws:', 'wss:'], 'SOLANA_WS_URL') : undefined;
        this.#useExternal('localnet', { rpc: rpcUrl, ...(wsUrl === undefined ? {} : { ws: wsUrl }) });
      } else {
        const ready = await this.#start(
          localnetComponent(layout, await port('rpc', 2), keys.upgradeAuthority.publicKey.toBase58()),
        );
        rpcUrl = text(ready, 'rpc_url');
        wsUrl = text(ready, 'ws_url');
      }
      const started = Date.now();
      const connection = openConnection(rpcUrl, wsUrl === undefined ? {} : { wsUrl });
      const market = await setUpChain(
        connection,
        rpcUrl,
        keys,
        { meterId, ratedWatts, maxRatedWatts: MAX_RATED_WATTS },
        (what) => this.#say(what),
      );
      if (market !== undefined) this.#say(`market of GRID against GRX: ${market.market.toBase58()}`);
      this.#market = market;
      this.#timings.chain_setup_ms = Date.now() - started;
      return { rpcUrl, wsUrl };
    };
    // The two that everything stands on need nothing of each other.
    const [databaseUrl, { rpcUrl, wsUrl }] = await Promise.all([database(), chain()]);

    this.#observer = new Observer({
      databaseUrl,
      meterId,
      onTrouble: (where, error) => this.#trouble(where, error),
    });
    await this.#observer.start();

    const simulatorFile = join(layout.root, 'simulator.json');
    const home = {
      serialLink: join(layout.root, 'meter-line'),
      stateFile: join(layout.root, 'simulator-registers.json'),
      seed: meterId,
    };
    writeWhole(simulatorFile, simulatorConfigText({ ...home, port: await port('modbus') }));
    const externalBroker = env.MQTT_URL
      ? checkUrl(env.MQTT_URL, ['mqtt:', 'mqtts:', 'ws:', 'wss:'], 'MQTT_URL')
      : undefined;
    const [mqttPort, httpPort] = [externalBroker === undefined ? await port('mqtt') : 0, await port('http')];
    const publisherFile = this.#writePublisherFiles(rpcUrl);
    const [simulator, collector] = await Promise.all([
      this.#start(simulatorComponent(layout, simulatorFile)),
      this.#start(
        collectorComponent(layout, {
          databaseUrl,
          rpcUrl,
          wsUrl,
          mqttUrl: externalBroker,
          mqttPort,
          httpPort,
          feePayerKey: keyPath(layout, 'feePayer'),
          ackKey: keyPath(layout, 'collectorAck'),
          settlement,
          intervalSeconds,
          demo: !env.SOLANA_RPC_URL,
          operatorUsername: OPERATOR_USERNAME,
          operatorPasswordFile: operatorPasswordPath(layout),
          passedOn: pick(env, COLLECTOR_ONLY),
        }),
      ),
      ...(this.#market === undefined ? [] : [this.#start(publisherComponent(layout, publisherFile))]),
    ] as const);
    const httpUrl = text(collector, 'http_url');
    const mqttUrl = externalBroker ?? text(collector, 'mqtt_url');
    if (externalBroker !== undefined) this.#useExternal('broker', { mqtt: externalBroker });
    // From now on a restarted simulator comes back at the port that the gateway knows.
    const line = meterLine(simulator);
    if (line.type === 'tcp') writeWhole(simulatorFile, simulatorConfigText({ ...home, port: line.port }));

    const agentFile = join(layout.root, 'agent.yaml');
    const agentSettings = {
      dataDir: layout.agent,
      intervalSeconds,
      collectorKey: keys.collectorAck.publicKey.toBase58(),
      collectorUrl: httpUrl,
      mqttUrl,
      meterId,
      meterKeyFile: meterKeyPath(layout, meterId),
      wallet: keys.owner.publicKey.toBase58(),
      ratedWatts,
      connection: line,
    };
    writeWhole(agentFile, agentConfigText({ ...agentSettings, httpPort: await port('agent') }));
    const agent = await this.#start(agentComponent(layout, agentFile));
    const agentUrl = typeof agent.http_url === 'string' ? agent.http_url : undefined;
    if (agentUrl !== undefined) {
      writeWhole(agentFile, agentConfigText({ ...agentSettings, httpPort: Number(new URL(agentUrl).port) }));
    }

    writePorts(layout.portsFile, {
      ...remembered,
      ...defined({
        postgres: env.DATABASE_URL ? undefined : Number(new URL(databaseUrl).port),
        rpc: env.SOLANA_RPC_URL ? undefined : Number(new URL(rpcUrl).port),
        mqtt: externalBroker === undefined ? Number(new URL(mqttUrl).port) : undefined,
        http: Number(new URL(httpUrl).port),
        agent: agentUrl === undefined ? undefined : Number(new URL(agentUrl).port),
        modbus: line.type === 'tcp' ? line.port : undefined,
        supervisor: Number(new URL(this.#pageUrl).port),
      }),
    });
    // An external broker knows the login that its operator gave, not ours.
    const login =
      externalBroker !== undefined && env.MQTT_USERNAME && env.MQTT_PASSWORD
        ? { username: env.MQTT_USERNAME, password: env.MQTT_PASSWORD }
        : { username: OPERATOR_USERNAME, password: operatorPassword };
    this.#observer.listen(mqttUrl, login);
    this.#timings.started_ms = Date.now() - this.#startedAt;
    this.#say(`everything is running after ${duration(this.#timings.started_ms)}; the page: ${httpUrl}`);
    return { databaseUrl, rpcUrl, wsUrl, mqttUrl, httpUrl, agentUrl };
  }

  /** The demo publisher's settings, and the price that it publishes: a file that may be edited at any time. */
  #writePublisherFiles(rpcUrl: string): string {
    const { root } = this.#layout;
    const [configFile, priceFile] = [join(root, 'publisher.json'), join(root, 'price.json')];
    if (!existsSync(priceFile)) writeWhole(priceFile, `{ "price": "${nkwhToKwh(DEMO_PRICE)}" }\n`);
    const keyFile = keyPath(this.#layout, 'oraclePublisher');
    writeWhole(configFile, publisherConfigText({ rpcUrl, keyFile, symbol: FEED_SYMBOL, priceFile }));
    return configFile;
  }

  async #start(spec: Parameters<Supervisor['start']>[0]): Promise<ReadyLine> {
    this.#say(`starting ${spec.name}`);
    const before = Date.now();
    const ready = await this.#supervisor.start(spec);
    this.#timings[`${spec.name}_ready_ms`] = Date.now() - before;
    return ready;
  }

  #useExternal(name: string, urls: Record<string, string>): void {
    this.#say(`using ${Object.values(urls).map(withoutPassword).join(', ')} for ${name}`);
    this.#external.push({ name, state: 'external', urls, restarts: 0, otherPids: [] });
    this.#writeRunFile();
  }

  /** Looks once a second until it is told to stop, or until the wanted number of mints has passed the audit. */
  async #live(places: Places): Promise<number> {
    const { out, interrupted } = this.#context;
    const { mints, timeoutSeconds } = this.#options;
    if (out.json) {
      out.result(
        {
          ready: true,
          component: 'up',
          pid: process.pid,
          data_dir: this.#layout.root,
          rpc_url: places.rpcUrl,
          http_url: places.httpUrl,
          mqtt_url: withoutPassword(places.mqttUrl),
          supervisor_url: this.#pageUrl ?? null,
          database_url: withoutPassword(places.databaseUrl),
          meter_id: this.#options.meterId,
          market: this.#market?.market.toBase58() ?? null,
          quote_mint: this.#market?.quoteMint.toBase58() ?? null,
        },
        '',
      );
    } else if (!out.isTty) {
      this.#say(`data in ${this.#layout.root}; logs in ${this.#layout.logs}`);
      this.#say(
        `collector ${places.httpUrl}, chain ${places.rpcUrl}, broker ${withoutPassword(places.mqttUrl)}`,
      );
    }
    // What was there before is no news.
    this.#observation = (await this.#observer?.look()) ?? NOTHING_YET;
    const deadline =
      mints === undefined ? Number.POSITIVE_INFINITY : this.#startedAt + timeoutSeconds * 1_000;
    for (;;) {
      await this.#look();
      if (interrupted.aborted) return this.#interruptedCode();
      if (mints !== undefined && this.#observation.mintsThisRun.length >= mints) {
        return await this.#finish(places, mints);
      }
      if (Date.now() > deadline) {
        throw new GtxError(
          'TIMEOUT',
          `only ${this.#observation.mintsThisRun.length} of ${mints} mints were confirmed within ${timeoutSeconds} s`,
          {
            log_folder: this.#layout.logs,
            stored: this.#observation.storedThisRun,
            alerts: [...this.#observation.alerts],
          },
        );
      }
      await pause(LOOK_EVERY_MS, interrupted);
    }
  }

  async #look(): Promise<void> {
    const before = this.#observation;
    const after = (await this.#observer?.look()) ?? NOTHING_YET;
    this.#observation = after;
    if (after.storedThisRun > 0) this.#timings.first_reading_ms ??= Date.now() - this.#startedAt;
    if (after.mintsThisRun.length > 0) this.#timings.first_mint_ms ??= Date.now() - this.#startedAt;
    const { out } = this.#context;
    if (out.isTty) this.#draw(renderView(this.#viewState()));
    else for (const line of newsLines(before, after)) this.#say(line);
  }

  async #finish(places: Places, mints: number): Promise<number> {
    const { interrupted } = this.#context;
    this.#say(`${mints} ${mints === 1 ? 'mint is' : 'mints are'} confirmed; checking the books`);
    const started = Date.now();
    let audit = await runAuditOnce(places);
    while (!audit.ok && Date.now() - started < AUDIT_PATIENCE_MS && !interrupted.aborted) {
      await pause(LOOK_EVERY_MS, interrupted);
      audit = await runAuditOnce(places);
    }
    this.#timings.audit_ms = Date.now() - started;
    this.#timings.total_ms = Date.now() - this.#startedAt;
    const { storedThisRun, storedTotal, mintsThisRun, mintedThisRunNkwh, mintedTotalNkwh } =
      this.#observation;
    const summary: Json = {
      ok: audit.ok,
      readings: { stored: storedThisRun, stored_total: storedTotal },
      mints: mintsThisRun.length,
      grid: { minted: nkwhToKwh(mintedThisRunNkwh), minted_total: nkwhToKwh(mintedTotalNkwh), unit: 'GRID' },
      audit: audit.json,
      timings: { ...this.#timings, unit: 'ms' },
      transactions: mintsThisRun.map(({ signature, amountNkwh, meters }) => ({
        signature,
        grid: nkwhToKwh(amountNkwh),
        meters,
      })),
      restarts: Object.fromEntries(this.#supervisor.status().map(({ name, restarts }) => [name, restarts])),
      data_dir: this.#layout.root,
    };
    this.#summary = {
      json: summary,
      text: [
        '',
        `${mintsThisRun.length} mints confirmed: ${nkwhToKwh(mintedThisRunNkwh)} GRID for ${storedThisRun} stored readings, in ${duration(this.#timings.total_ms)}.`,
        ...mintsThisRun.map(({ signature, amountNkwh }) => `  ${signature}  ${nkwhToKwh(amountNkwh)} GRID`),
        audit.text,
      ].join('\n'),
    };
    return audit.ok ? EXIT.ok : EXIT.failed;
  }

  #summary: { json: Json; text: string } | undefined;
  /** The last line of all, once everything has stopped. */
  get summary(): { json: Json; text: string } | undefined {
    return this.#summary;
  }

  #databaseUrl(ready: ReadyLine): string {
    const { host, port, user, database } = ready;
    if (
      typeof host !== 'string' ||
      typeof port !== 'number' ||
      typeof user !== 'string' ||
      typeof database !== 'string'
    ) {
      throw new GtxError('START_FAILED', 'postgres did not say where it listens');
    }
    const password = readFileSync(postgresPasswordPath(this.#layout), 'utf8').trim();
    return postgresUrl({ host, port, user, database }, password);
  }

  #urlsOf(name: string, ready: ReadyLine | undefined): Record<string, string> {
    if (ready === undefined) return {};
    if (name === 'postgres') return { database: this.#databaseUrl(ready) };
    const names: Record<string, string> = {
      rpc_url: 'rpc',
      ws_url: 'ws',
      http_url: name === 'collector' ? 'http' : 'status',
    };
    // With an external broker the collector's is not its own.
    if (name === 'collector' && !this.#external.some((one) => one.name === 'broker')) names.mqtt_url = 'mqtt';
    const line = name === 'simulator' ? { modbus: lineUrl(meterLine(ready)) } : {};
    return Object.fromEntries(
      Object.entries(names)
        .flatMap(([field, short]) =>
          typeof ready[field] === 'string' ? [[short, ready[field] as string]] : [],
        )
        .concat(Object.entries(line)),
    );
  }

  #components(): RunningComponent[] {
    const own = this.#supervisor.status().map(
      ({ name, state, process, ready, restarts, logFile }): RunningComponent => ({
        name,
        state,
        ...(process === undefined ? {} : { process }),
        urls: this.#urlsOf(name, ready),
        ...(typeof ready?.data_dir === 'string' ? { dataDir: ready.data_dir } : {}),
        logFile,
        restarts,
        otherPids: typeof ready?.server_pid === 'number' && process !== undefined ? [ready.server_pid] : [],
      }),
    );
    return [...this.#external, ...own];
  }

  #writeRunFile(): void {
    const run: RunFile = {
      version: 1,
      supervisor: this.#startedIdentity,
      ...(this.#pageUrl === undefined ? {} : { supervisorUrl: this.#pageUrl }),
      startedAt: new Date(this.#startedAt).toISOString(),
      dataDir: this.#layout.root,
      components: this.#components(),
      meterId: this.#options.meterId,
    };
    writeRunFile(this.#layout.runFile, run);
  }

  #changed({ name, state, lastExit }: ComponentStatus): void {
    this.#writeRunFile();
    if (state === 'waiting-to-restart') this.#say(`${name} ended with ${lastExit}; starting it again`);
    if (state === 'running' && lastExit !== undefined) this.#say(`${name} runs again`);
  }

  #trouble(where: string, error: Error): void {
    const told = `${where}: ${error.message}`;
    if (told !== this.#lastTrouble) this.#say(`cannot see the ${told}`);
    this.#lastTrouble = told;
  }

  #viewState(): ViewState {
    const nowMs = Date.now();
    return {
      meterId: this.#options.meterId,
      dataDir: this.#layout.root,
      runningMs: nowMs - this.#startedAt,
      nowMs,
      components: this.#components().map(({ name, state, process, urls, restarts }) => ({
        name,
        state,
        pid: process?.pid,
        url: Object.values(urls).map(withoutPassword).join('  '),
        restarts,
      })),
      observation: this.#observation,
      targetMints: this.#options.mints,
    };
  }

  /** Redraws in place: up to where the last picture began, then everything below is cleared. */
  #draw(picture: string): void {
    const up = this.#drawnLines === 0 ? '' : `\u001b[${this.#drawnLines}A`;
    this.#context.out.raw(`${up}\r\u001b[J${picture}\n`);
    this.#drawnLines = screenRows(picture, process.stdout.columns);
  }

  /** A line of news: below the picture on a terminal, dated elsewhere (on stderr when stdout is for JSON). */
  #say(line: string): void {
    const { out } = this.#context;
    const dated = `${new Date().toISOString().slice(11, 19)}  ${line}`;
    if (out.json) out.progress(dated);
    else {
      out.raw(`${dated}\n`);
      // The picture is no longer the last thing on the screen: the next one is drawn below.
      this.#drawnLines = 0;
    }
  }
}

/** Settings of the collector alone that a user may give to `gtx up`. */
const COLLECTOR_ONLY = [
  'MQTT_USERNAME',
  'MQTT_PASSWORD',
  'MQTT_PASSWORD_FILE',
  'MQTT_CA_FILE',
  'GTX_SETTLEMENT_SECONDS',
  'GTX_DATABASE_CONNECTIONS',
  'GTX_SITES_FILE',
  'GTX_RECONCILE_REPAIR',
  'GTX_LOG_LEVEL',
];

function pick(env: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name] as string]] : [])));
}

function defined<K extends string>(values: Record<K, number | undefined>): Partial<Record<K, number>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<
    Record<K, number>
  >;
}

function text(ready: ReadyLine, field: string): string {
  const value = ready[field];
  if (typeof value !== 'string')
    throw new GtxError('START_FAILED', `${ready.component} did not say its ${field}`);
  return value;
}

const MeterLine = z.discriminatedUnion('type', [
  z.object({ type: z.literal('tcp'), host: z.string(), port: z.int() }),
  z.object({
    type: z.literal('rtu'),
    path: z.string(),
    baud_rate: z.int(),
    parity: z.enum(['none', 'even', 'odd']),
  }),
]);

/** Where the simulator says that its meters are, in the words of the gateway's configuration. */
function meterLine(ready: ReadyLine): z.infer<typeof MeterLine> {
  const parsed = MeterLine.safeParse(ready.connection);
  if (!parsed.success) throw new GtxError('START_FAILED', 'the simulator did not say where its meters are');
  return parsed.data;
}

const lineUrl = (line: z.infer<typeof MeterLine>): string =>
  line.type === 'tcp' ? `tcp://${line.host}:${line.port}` : `serial:${line.path}`;

function ensureSecret(file: string): string {
  if (!existsSync(file)) writeWhole(file, `${randomBytes(24).toString('base64url')}\n`);
  return readFileSync(file, 'utf8').trim();
}

function writeWhole(file: string, content: string): void {
  const aside = `${file}.new`;
  writeFileSync(aside, content, { mode: 0o600, flush: true } as { mode: number });
  renameSync(aside, file);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
