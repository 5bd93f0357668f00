import { readFileSync } from 'node:fs';
import { GtxError, isBase58, kwhToNkwh } from '@gridtokenx/protocol';
import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65535);
const seconds = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const url = (...protocols: string[]) =>
  z.string().refine(
    (text) => {
      const protocol = URL.canParse(text) ? new URL(text).protocol : '';
      return protocols.includes(protocol);
    },
    `must be a URL beginning with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  );

const severity = z.enum(['info', 'warning', 'critical']);
const mailAddress = z.email().max(254);

function isKwh(text: string): boolean {
  try {
    kwhToNkwh(text);
    return true;
  } catch {
    return false;
  }
}

interface Setting {
  /** Environment variable; the flag is the same in small letters with dashes, without a GTX_ prefix. */
  env: string;
  schema: z.ZodType;
  /** What the reader needs to know; goes to the documentation. */
  doc: string;
  /** The value is secret: it may come from the file that `<env>_FILE` names, and is never printed. */
  secret?: boolean;
}

/** Every setting of the collector. Documentation, flags and validation come from this table. */
export const SETTINGS = {
  databaseUrl: {
    env: 'DATABASE_URL',
    schema: url('postgres:', 'postgresql:'),
    doc: 'PostgreSQL database (15 or newer). Migrations run at start.',
    secret: true,
  },
  databaseConnections: {
    env: 'GTX_DATABASE_CONNECTIONS',
    schema: z.coerce.number().int().min(4).max(200).default(10),
    doc: 'Most connections to the database.',
  },
  httpDatabaseConnections: {
    env: 'GTX_HTTP_DATABASE_CONNECTIONS',
    schema: z.coerce.number().int().min(1).max(100).default(4),
    doc: 'Most connections for what is asked over HTTP and the WebSocket, beside those: questions, however many, hold up no reading.',
  },
  mqttUrl: {
    env: 'MQTT_URL',
    schema: url('mqtt:', 'mqtts:', 'ws:', 'wss:').optional(),
    doc: 'An external broker. Unset: the collector runs its own on GTX_MQTT_HOST and GTX_MQTT_PORT.',
  },
  mqttUsername: {
    env: 'MQTT_USERNAME',
    schema: z.string().min(1).optional(),
    doc: "The collector's login at the external broker.",
  },
  mqttPassword: {
    env: 'MQTT_PASSWORD',
    schema: z.string().min(1).optional(),
    doc: "The collector's password at the external broker.",
    secret: true,
  },
  mqttCaFile: {
    env: 'MQTT_CA_FILE',
    schema: z.string().min(1).optional(),
    doc: 'PEM file with the certificate authority of the external broker.',
  },
  mqttCertFile: {
    env: 'MQTT_CERT_FILE',
    schema: z.string().min(1).optional(),
    doc: 'PEM file with the client certificate that the external broker wants (mutual TLS).',
  },
  mqttKeyFile: {
    env: 'MQTT_KEY_FILE',
    schema: z.string().min(1).optional(),
    doc: 'PEM file with its private key, mode 0600.',
  },
  mqttShareGroup: {
    env: 'GTX_MQTT_SHARE_GROUP',
    schema: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/)
      .optional(),
    doc: 'Several collectors at one external MQTT 5 broker: the name of their shared subscription. Best one that nobody can guess.',
    secret: true,
  },
  mqttHost: {
    env: 'GTX_MQTT_HOST',
    schema: z.string().min(1).default('127.0.0.1'),
    doc: 'Address on which the embedded broker listens. Anything but loopback needs TLS.',
  },
  mqttPort: { env: 'GTX_MQTT_PORT', schema: port.default(1883), doc: 'Its port; 0 takes a free one.' },
  mqttTlsCert: {
    env: 'GTX_MQTT_TLS_CERT',
    schema: z.string().min(1).optional(),
    doc: 'PEM file with the certificate chain of the embedded broker.',
  },
  mqttTlsKey: {
    env: 'GTX_MQTT_TLS_KEY',
    schema: z.string().min(1).optional(),
    doc: 'PEM file with its private key.',
  },
  mqttTlsClientCa: {
    env: 'GTX_MQTT_TLS_CLIENT_CA',
    schema: z.string().min(1).optional(),
    doc: 'PEM file with the authority of client certificates. Set: the embedded broker takes no connection without one.',
  },
  tlsDir: {
    env: 'GTX_TLS_DIR',
    schema: z.string().min(1).optional(),
    doc: "Folder for a certificate authority of the collector's own, made at the first start, and the server certificate that it signs and renews. Instead of GTX_MQTT_TLS_CERT. Give its `ca.pem` to gateways.",
  },
  tlsNames: {
    env: 'GTX_TLS_NAMES',
    schema: z
      .string()
      .regex(/^[A-Za-z0-9.:_-]+(,[A-Za-z0-9.:_-]+)*$/, 'must be names and addresses separated by commas')
      .optional(),
    doc: "DNS names and addresses in that server certificate, separated by commas: those by which gateways know the collector. Default: this machine's name.",
  },
  mqttMaxConnections: {
    env: 'GTX_MQTT_MAX_CONNECTIONS',
    schema: z.coerce.number().int().min(1).max(1_000_000).default(10_000),
    doc: 'Most clients of the embedded broker.',
  },
  httpHost: {
    env: 'GTX_HTTP_HOST',
    schema: z.string().min(1).default('127.0.0.1'),
    doc: 'Address on which the HTTP server listens. Use GTX_HTTP_TLS, or a TLS proxy before it, when others are to reach it.',
  },
  httpTls: {
    env: 'GTX_HTTP_TLS',
    schema: z.enum(['off', 'on']).default('off'),
    doc: '`on`: HTTPS, with the certificate of the embedded broker (GTX_TLS_DIR or GTX_MQTT_TLS_CERT).',
  },
  httpPort: { env: 'GTX_HTTP_PORT', schema: port.default(8080), doc: 'Its port; 0 takes a free one.' },
  httpBurst: {
    env: 'GTX_HTTP_BURST',
    schema: z.coerce.number().int().min(1).max(1_000_000).default(700),
    doc: 'Readings that one address may submit over HTTP within GTX_HTTP_WINDOW_SECONDS (a week of backlog).',
  },
  httpWindowSeconds: {
    env: 'GTX_HTTP_WINDOW_SECONDS',
    schema: seconds(1, 86_400).default(300),
    doc: 'The window of that limit.',
  },
  httpRequestSeconds: {
    env: 'GTX_HTTP_REQUEST_SECONDS',
    schema: seconds(1, 300).default(30),
    doc: 'How long a client may take to send a request.',
  },
  httpReadsPerMinute: {
    env: 'GTX_HTTP_READS_PER_MINUTE',
    schema: z.coerce.number().int().min(1).max(1_000_000).default(1_200),
    doc: 'Requests a minute for lists and figures that one address, and one wallet, may make over HTTP.',
  },
  httpWritesPerMinute: {
    env: 'GTX_HTTP_WRITES_PER_MINUTE',
    schema: z.coerce.number().int().min(1).max(1_000_000).default(120),
    doc: 'The same for requests that ask the chain: transactions to build, submit and follow.',
  },
  httpLoginsPerMinute: {
    env: 'GTX_HTTP_LOGINS_PER_MINUTE',
    schema: z.coerce.number().int().min(1).max(1_000_000).default(60),
    doc: "The same for logins by wallet, their refreshing and ending, and for the operator's password over the WebSocket.",
  },
  httpTrustProxy: {
    env: 'GTX_HTTP_TRUST_PROXY',
    schema: z
      .string()
      .regex(/^[0-9a-fA-F.:/, ]+$/)
      .optional(),
    doc: 'Addresses or networks of proxies whose X-Forwarded-For is believed, separated by commas.',
  },
  liveClients: {
    env: 'GTX_LIVE_CLIENTS',
    schema: z.coerce.number().int().min(1).max(100_000).default(5_000),
    doc: 'Most clients of the WebSocket at once.',
  },
  liveClientsPerAddress: {
    env: 'GTX_LIVE_CLIENTS_PER_ADDRESS',
    schema: z.coerce.number().int().min(1).max(100_000).default(50),
    doc: 'The same of one address (an IPv6 client is its /64).',
  },
  publicUrl: {
    env: 'GTX_PUBLIC_URL',
    schema: url('http:', 'https:').optional(),
    doc: 'Where browsers find the collector, when that is not where it listens: a proxy, a name. Its host is the domain in the messages that wallets sign, and its pages may open the WebSocket.',
  },
  loginDomains: {
    env: 'GTX_LOGIN_DOMAINS',
    schema: z
      .string()
      .regex(/^[A-Za-z0-9.-]+(:\d{1,5})?(,[A-Za-z0-9.-]+(:\d{1,5})?)*$/, 'must be hosts separated by commas')
      .refine(
        (text) => text.split(',').every((host) => URL.canParse(`https://${host}`)),
        'must be hosts separated by commas',
      )
      .optional(),
    doc: 'Further hosts whose pages may ask for logins and open the WebSocket, separated by commas, with a port where it is not the usual one.',
  },
  operatorWallets: {
    env: 'GTX_OPERATOR_WALLETS',
    schema: z
      .string()
      .refine(
        (text) => text.split(',').every((key) => isBase58(key, 32)),
        'must be wallets separated by commas',
      )
      .optional(),
    doc: "Wallets whose login is an operator's, separated by commas.",
  },
  operatorUsername: {
    env: 'GTX_OPERATOR_USERNAME',
    schema: z.string().min(1).max(64).optional(),
    doc: 'Login for operators: over HTTP for meters, reviews and alerts; at the embedded broker it may only read.',
  },
  operatorPassword: {
    env: 'GTX_OPERATOR_PASSWORD',
    schema: z.string().min(8).max(1024).optional(),
    doc: 'Its password, at least 8 characters.',
    secret: true,
  },
  alertKeepDays: {
    env: 'GTX_ALERT_KEEP_DAYS',
    schema: z.coerce.number().int().min(7).max(36_500).default(365),
    doc: 'How many days an alert is kept after its end, with what was told of it. Open alerts are always kept.',
  },
  alertLogSeverity: {
    env: 'GTX_ALERT_LOG_SEVERITY',
    schema: severity.default('info'),
    doc: 'Least severity of alerts whose repetitions and end are logged: `info`, `warning` or `critical`. New ones always are.',
  },
  alertWebhookUrl: {
    env: 'GTX_ALERT_WEBHOOK_URL',
    schema: url('http:', 'https:').optional(),
    doc: 'Where alerts are posted as signed JSON. https, except on this machine. See docs/alerts.md.',
    secret: true,
  },
  alertWebhookSecret: {
    env: 'GTX_ALERT_WEBHOOK_SECRET',
    schema: z.string().min(16).max(1024).optional(),
    doc: 'The secret that its requests are signed with (HMAC-SHA256), at least 16 characters.',
    secret: true,
  },
  alertWebhookSeverity: {
    env: 'GTX_ALERT_WEBHOOK_SEVERITY',
    schema: severity.default('warning'),
    doc: 'Least severity of the alerts that are posted.',
  },
  alertSmtpUrl: {
    env: 'GTX_ALERT_SMTP_URL',
    schema: url('smtp:', 'smtps:').optional(),
    doc: 'Mail server for alerts: `smtps://host:465` or `smtp://host:587` (STARTTLS). Without TLS only on this machine.',
  },
  alertSmtpUsername: {
    env: 'GTX_ALERT_SMTP_USERNAME',
    schema: z.string().min(1).max(256).optional(),
    doc: 'Login at the mail server.',
  },
  alertSmtpPassword: {
    env: 'GTX_ALERT_SMTP_PASSWORD',
    schema: z.string().min(1).max(1024).optional(),
    doc: 'Its password.',
    secret: true,
  },
  alertSmtpCaFile: {
    env: 'GTX_ALERT_SMTP_CA_FILE',
    schema: z.string().min(1).optional(),
    doc: "PEM file with the authority of the mail server's certificate, when it is not a public one.",
  },
  alertMailFrom: {
    env: 'GTX_ALERT_MAIL_FROM',
    schema: mailAddress.optional(),
    doc: 'Address that mails about alerts come from.',
  },
  alertMailTo: {
    env: 'GTX_ALERT_MAIL_TO',
    schema: z
      .string()
      .refine(
        (text) => text.split(',').every((part) => mailAddress.safeParse(part.trim()).success),
        'must be mail addresses separated by commas',
      )
      .optional(),
    doc: 'Addresses that they go to, separated by commas.',
  },
  alertMailSeverity: {
    env: 'GTX_ALERT_MAIL_SEVERITY',
    schema: severity.default('warning'),
    doc: 'Least severity of the alerts that are mailed.',
  },
  watch: {
    env: 'GTX_WATCH',
    schema: z.enum(['on', 'off']).default('on'),
    doc: 'Whether production that is not plausible is put into the review queue: at night, far above the neighbours, above the rated power. No energy is held up by it.',
  },
  sitesFile: {
    env: 'GTX_SITES_FILE',
    schema: z.string().min(1).optional(),
    doc: 'JSON file that says where meters are and what feeds them, for that watch. See docs/alerts.md.',
  },
  watchNeighbours: {
    env: 'GTX_WATCH_NEIGHBOURS',
    schema: z.coerce.number().int().min(3).max(10_000).default(8),
    doc: 'Neighbours that a comparison takes at least.',
  },
  fleetSilentSeconds: {
    env: 'GTX_FLEET_SILENT_SECONDS',
    schema: seconds(3, 86_400).default(180),
    doc: 'A gateway that was not heard for so long counts as silent: three times `status_seconds` of the gateways.',
  },
  fleetAlertSeconds: {
    env: 'GTX_FLEET_ALERT_SECONDS',
    schema: seconds(0, 31 * 86_400).default(3_600),
    doc: 'A gateway that was not heard for so long, and of which no reading came, is an alert (`gateway_silent`); at least three times GTX_INTERVAL_SECONDS. 0: none.',
  },
  publicPowerMeters: {
    env: 'GTX_PUBLIC_POWER_METERS',
    schema: z.coerce.number().int().min(1).max(1_000_000).default(5),
    doc: 'Power and energy of fewer meters than this are shown to operators only: they would tell what happens in single homes.',
  },
  demoKeys: {
    env: 'GTX_DEMO_KEYS',
    schema: z.enum(['on', 'off']).default('off'),
    doc: 'Let the page take key files for logging in and signing. Only for a chain on which nothing has a value: `gtx up` sets it for its own.',
  },
  solanaRpcUrl: {
    env: 'SOLANA_RPC_URL',
    schema: url('http:', 'https:').default('http://127.0.0.1:8899'),
    doc: 'JSON-RPC endpoint of the Solana cluster.',
  },
  solanaWsUrl: {
    env: 'SOLANA_WS_URL',
    schema: url('ws:', 'wss:').optional(),
    doc: 'Its WebSocket endpoint, when it is not the RPC port plus one.',
  },
  feePayerKey: {
    env: 'GTX_FEE_PAYER_KEY',
    schema: z.string().min(1),
    doc: 'Key file (Solana format, mode 0600) of the wallet that pays for settlement transactions.',
  },
  ackKey: {
    env: 'GTX_ACK_KEY',
    schema: z.string().min(1),
    doc: 'Key file (Solana format, mode 0600) that signs acknowledgements and commands; gateways pin its public key.',
  },
  settlement: {
    env: 'GTX_SETTLEMENT',
    schema: z.enum(['interval', 'realtime']).default('interval'),
    doc: '`interval`: settle every GTX_SETTLEMENT_SECONDS. `realtime`: in addition at once after a reading is stored.',
  },
  settlementSeconds: {
    env: 'GTX_SETTLEMENT_SECONDS',
    schema: seconds(1, 31 * 86_400).default(60),
    doc: 'Seconds between settlement runs.',
  },
  settlementMinKwh: {
    env: 'GTX_SETTLEMENT_MIN_KWH',
    schema: z.string().refine(isKwh, 'must be decimal kWh with at most 9 decimals').optional(),
    doc: 'Settle a meter once this much waits. Unset: at once on a private chain, 10 kWh on a public cluster.',
  },
  settlementMaxWaitSeconds: {
    env: 'GTX_SETTLEMENT_MAX_WAIT_SECONDS',
    schema: seconds(1, 366 * 86_400).default(86_400),
    doc: 'Settle whatever waits once its oldest reading was stored this long ago.',
  },
  maxPriorityMicroLamports: {
    env: 'GTX_MAX_PRIORITY_MICROLAMPORTS',
    schema: z.coerce.number().int().min(0).max(1_000_000_000).default(0),
    doc: 'Highest priority fee that settlement may offer, in micro-lamports per compute unit; 0: none.',
  },
  certificates: {
    env: 'GTX_CERTIFICATES',
    schema: z.enum(['off', 'owner', 'collector']).default('owner'),
    doc: "Renewable-energy certificates for owners who opted in, issued after each settlement. `owner`: their rent comes out of the lamports in the meter's book. `collector`: the fee payer pays it, and gets it back when they are retired.",
  },
  certificatesMinKwh: {
    env: 'GTX_CERTIFICATES_MIN_KWH',
    schema: z.string().refine(isKwh, 'must be decimal kWh with at most 9 decimals').default('1'),
    doc: 'With GTX_CERTIFICATES=collector: the least energy for which the fee payer pays the rent of a certificate.',
  },
  reconcile: {
    env: 'GTX_RECONCILE',
    schema: z.enum(['on', 'off']).default('on'),
    doc: 'Compare chain, database and wallets all the time, a page after the other.',
  },
  reconcilePagesPerSecond: {
    env: 'GTX_RECONCILE_PAGES_PER_SECOND',
    schema: z.coerce.number().min(0.01).max(1000).default(2),
    doc: 'How fast: pages a second, of at most 50 rows, 25 transactions or one listing each.',
  },
  reconcileRoundSeconds: {
    env: 'GTX_RECONCILE_ROUND_SECONDS',
    schema: seconds(1, 86_400).default(60),
    doc: 'What was gone through in full is not begun again within so many seconds.',
  },
  reconcileWalkSeconds: {
    env: 'GTX_RECONCILE_WALK_SECONDS',
    schema: seconds(1, 604_800).default(900),
    doc: 'The same for what asks the node for all accounts of a kind at once (getProgramAccounts).',
  },
  reconcileRepair: {
    env: 'GTX_RECONCILE_REPAIR',
    schema: z.enum(['on', 'off']).default('on'),
    doc: '`on`: where the database differs from the chain, the chain is read again and the database made to say the same. `off`: it is only told.',
  },
  reconcileAuditHours: {
    env: 'GTX_RECONCILE_AUDIT_HOURS',
    schema: z.coerce.number().int().min(0).max(8760).default(24),
    doc: 'A whole audit, as `gtx audit` makes it, every so many hours; 0: none.',
  },
  matching: {
    env: 'GTX_MATCHING',
    schema: z.enum(['on', 'off']).default('on'),
    doc: 'Bring orders that cross together and return expired ones. Of several collectors on one database one does so at a time; the fee payer pays.',
  },
  matchingMarkets: {
    env: 'GTX_MATCHING_MARKETS',
    schema: z
      .string()
      .regex(
        /^[1-9A-HJ-NP-Za-km-z]{32,44}(,[1-9A-HJ-NP-Za-km-z]{32,44})*$/,
        'must be addresses separated by commas',
      )
      .optional(),
    doc: 'Addresses of the markets to match, separated by commas. Default: all markets of GRID.',
  },
  priceGuide: {
    env: 'GTX_PRICE_GUIDE',
    schema: z.enum(['on', 'off']).default('on'),
    doc: 'Publish what energy is about worth, once each GTX_PRICE_GUIDE_SECONDS.',
  },
  priceGuideFile: {
    env: 'GTX_PRICE_GUIDE_FILE',
    schema: z.string().min(1).optional(),
    doc: "JSON file with the price guide's settings and tariff ([market.md](market.md#the-price-guide)). Unset: the defaults, without a tariff.",
  },
  priceGuideSeconds: {
    env: 'GTX_PRICE_GUIDE_SECONDS',
    schema: seconds(10, 86_400).default(900),
    doc: 'Length of the intervals whose supply and demand the price guide counts.',
  },
  intervalSeconds: {
    env: 'GTX_INTERVAL_SECONDS',
    schema: seconds(1, 86_400).default(900),
    doc: "Least distance between the ends of a meter's readings.",
  },
  batchRows: {
    env: 'GTX_BATCH_ROWS',
    schema: z.coerce.number().int().min(1).max(1000).default(500),
    doc: 'Most readings in one database transaction.',
  },
  batchMillis: {
    env: 'GTX_BATCH_MILLIS',
    schema: z.coerce.number().int().min(0).max(1000).default(5),
    doc: 'How long a batch waits to fill, in milliseconds.',
  },
  maxQueued: {
    env: 'GTX_MAX_QUEUED',
    schema: z.coerce.number().int().min(100).max(1_000_000).default(20_000),
    doc: 'Readings received and not yet stored, before more are left to be sent again.',
  },
} as const satisfies Record<string, Setting>;

type SettingName = keyof typeof SETTINGS;

/** True for names and addresses of this machine, an IPv6 address without brackets. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

const shape = Object.fromEntries(
  Object.entries(SETTINGS).map(([name, setting]) => [name, setting.schema]),
) as { [Name in SettingName]: (typeof SETTINGS)[Name]['schema'] };

/** The collector's configuration. Defaults are filled in by parsing. */
export const CollectorConfig = z.strictObject(shape).superRefine((config, context) => {
  const issue = (path: SettingName, message: string) =>
    context.addIssue({ code: 'custom', path: [path], message });
  if ((config.mqttTlsCert === undefined) !== (config.mqttTlsKey === undefined)) {
    issue('mqttTlsCert', 'certificate and key go together');
  }
  const encrypted = config.mqttTlsCert !== undefined || config.tlsDir !== undefined;
  if (config.mqttUrl === undefined && !encrypted && !isLoopback(config.mqttHost)) {
    issue(
      'mqttHost',
      'the broker needs TLS (GTX_TLS_DIR, or GTX_MQTT_TLS_CERT and GTX_MQTT_TLS_KEY) on any address but loopback',
    );
  }
  if (config.mqttTlsCert !== undefined && config.tlsDir !== undefined) {
    issue('tlsDir', 'give certificate files or a folder for own ones, not both');
  }
  if (config.mqttTlsClientCa !== undefined && !encrypted) {
    issue('mqttTlsClientCa', 'client certificates need TLS (GTX_TLS_DIR or GTX_MQTT_TLS_CERT)');
  }
  if (config.httpTls === 'on' && !encrypted) {
    issue('httpTls', 'needs a certificate (GTX_TLS_DIR or GTX_MQTT_TLS_CERT)');
  }
  if ((config.mqttCertFile === undefined) !== (config.mqttKeyFile === undefined)) {
    issue('mqttCertFile', 'certificate and key go together');
  }
  if ((config.alertWebhookUrl === undefined) !== (config.alertWebhookSecret === undefined)) {
    issue(
      'alertWebhookUrl',
      'a webhook needs its secret (GTX_ALERT_WEBHOOK_SECRET), and a secret its webhook',
    );
  }
  if (config.alertWebhookUrl !== undefined) {
    const { protocol, hostname } = new URL(config.alertWebhookUrl);
    if (protocol !== 'https:' && !isLoopback(hostname.replace(/^\[|\]$/g, ''))) {
      issue('alertWebhookUrl', 'a webhook on another machine needs https');
    }
  }
  const mail = [config.alertSmtpUrl, config.alertMailFrom, config.alertMailTo];
  if (mail.some((part) => part !== undefined) && mail.includes(undefined)) {
    issue('alertSmtpUrl', 'mail needs GTX_ALERT_SMTP_URL, GTX_ALERT_MAIL_FROM and GTX_ALERT_MAIL_TO');
  }
  if ((config.alertSmtpUsername === undefined) !== (config.alertSmtpPassword === undefined)) {
    issue('alertSmtpUsername', 'name and password of the mail server go together');
  }
  if (
    config.alertSmtpUrl !== undefined &&
    /[/@?#]/.test(config.alertSmtpUrl.replace(/^smtps?:\/\//, '').replace(/\/$/, ''))
  ) {
    issue('alertSmtpUrl', 'must be a host and a port only; name and password have settings of their own');
  }
  if ((config.operatorUsername === undefined) !== (config.operatorPassword === undefined)) {
    issue('operatorUsername', 'operator name and password go together');
  }
  if (config.mqttUrl !== undefined) {
    const target = new URL(config.mqttUrl);
    const encrypted = target.protocol === 'mqtts:' || target.protocol === 'wss:';
    if (!encrypted && !isLoopback(target.hostname.replace(/^\[|\]$/g, ''))) {
      issue('mqttUrl', 'a broker on another machine needs TLS (mqtts://)');
    }
  }
});
export type CollectorConfig = z.infer<typeof CollectorConfig>;

/** `GTX_HTTP_PORT` → `http-port`. */
export function flagOf(env: string): string {
  return env.replace(/^GTX_/, '').toLowerCase().replaceAll('_', '-');
}

/**
 * Reads the configuration: a flag before the environment before the default. A secret may also come from
 * the file that `<NAME>_FILE` names (its first line).
 * @param env environment variables
 * @param flags values by flag name without dashes in front (`http-port`)
 * @throws GtxError CONFIG_INVALID, naming every setting that is wrong, without its value
 */
export function loadCollectorConfig(
  env: Record<string, string | undefined>,
  flags: Record<string, string | undefined> = {},
): CollectorConfig {
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(SETTINGS) as [SettingName, Setting][]) {
    const value = flags[flagOf(setting.env)] ?? blankIsUnset(env[setting.env]) ?? fromFile(setting, env);
    if (value !== undefined) values[name] = value;
  }
  const result = CollectorConfig.safeParse(values);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    const name = issue.path[0] as SettingName;
    const missing = values[name] === undefined && issue.code === 'invalid_type';
    return { setting: SETTINGS[name].env, message: missing ? 'is required' : issue.message };
  });
  throw new GtxError(
    'CONFIG_INVALID',
    problems.map((problem) => `${problem.setting}: ${problem.message}`).join('; '),
    { problems },
  );
}

function blankIsUnset(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

function fromFile(setting: Setting, env: Record<string, string | undefined>): string | undefined {
  const path = setting.secret ? blankIsUnset(env[`${setting.env}_FILE`]) : undefined;
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/, 1)[0];
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new GtxError('CONFIG_INVALID', `${setting.env}_FILE: cannot read ${path} (${reason})`);
  }
}
