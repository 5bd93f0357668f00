/** Writes what an external Mosquitto needs: its configuration, access rules and certificates, and a secret for each login. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { GtxError } from '@gridtokenx/protocol';
import { isLoopback } from '../config.js';
import { OwnAuthority } from './certificates.js';
import {
  type BrokerAuth,
  COLLECTOR_LOGIN,
  checkGateways,
  mosquittoAcl,
  mosquittoConf,
  mosquittoPasswords,
  OPERATOR_LOGIN,
} from './mosquitto.js';

export interface BrokerRulesOptions {
  /** Meter ids of each gateway; the first one names its login. */
  gateways: readonly (readonly string[])[];
  /** Folder for everything; made when it is not there. */
  folder: string;
  auth: BrokerAuth;
  listen: { host: string; port: number };
  /** Folder of the collector's own authority (`GTX_TLS_DIR`); it signs what `certificate` needs. */
  tlsDir?: string | undefined;
  /** Under which names clients know the broker, for a certificate of the own authority. */
  names?: readonly string[] | undefined;
  /** The broker's certificate and key, where they are not to be of the own authority. */
  certificate?: { certFile: string; keyFile: string } | undefined;
  /** Where the broker finds the folder `broker`; default: where it is. */
  brokerFolder?: string | undefined;
  /** Whom the broker runs as; default: the owner of this process. */
  owner?: { uid: number; gid: number } | undefined;
  now: () => number;
}

export interface BrokerRules {
  /** The folder that the broker is given. */
  brokerFolder: string;
  configFile: string;
  /** For the collector, as the lines of an environment file. */
  collectorEnvironment: Record<string, string>;
  /** Login and the files to hand to whoever uses it. */
  logins: { login: string; meters: readonly string[]; files: string[] }[];
  /** Logins with files here that the rules no longer name. */
  withdrawn: string[];
}

const PASSWORD_BYTES = 24;

/**
 * Writes `broker/` (for Mosquitto) and `logins/` (to be handed out, 0600) below the folder. Repeating it keeps every secret that
 * is there, renews certificates 30 days before their end, and takes the rights of gateways that are no longer named.
 * @throws GtxError CONFIG_INVALID, VALUE_INVALID, KEY_FILE_PERMISSIONS
 */
export async function writeBrokerRules(options: BrokerRulesOptions): Promise<BrokerRules> {
  const { auth, listen, tlsDir, certificate, owner, now } = options;
  const gateways = checkGateways(options.gateways);
  const names = options.names ?? [hostname()];
  const authority =
    tlsDir === undefined
      ? undefined
      : new OwnAuthority({
          folder: resolve(tlsDir),
          names: [...new Set([...names, 'localhost', '127.0.0.1', '::1'])],
          serverFile: 'mosquitto.pem',
          now,
        });
  if (auth === 'password' && authority !== undefined && certificate !== undefined) {
    throw new GtxError('CONFIG_INVALID', 'give a certificate or the folder of the own authority, not both');
  }
  if (auth === 'certificate' && authority === undefined) {
    throw new GtxError(
      'CONFIG_INVALID',
      'client certificates need the authority that signs them (--tls-dir)',
    );
  }
  const encrypted = authority !== undefined || certificate !== undefined;
  if (!encrypted && !isLoopback(listen.host)) {
    throw new GtxError(
      'CONFIG_INVALID',
      `a broker on ${listen.host} needs TLS (--tls-dir, or --cert-file and --key-file): without, passwords can be read on the way`,
    );
  }
  const root = resolve(options.folder);
  const brokerFolder = join(root, 'broker');
  const loginFolder = join(root, 'logins');
  // The broker is another user: it must get through, and to its own folder.
  makeFolder(root, 0o711);
  makeFolder(brokerFolder, 0o755);
  makeFolder(loginFolder, 0o700);
  const seen = (name: string) => join(options.brokerFolder ?? brokerFolder, name);
  const give = (name: string, text: string, mode: number) =>
    replaceFile(join(brokerFolder, name), text, mode, owner);

  const server = certificate ?? {
    certFile: seen('server.cert.pem'),
    keyFile: seen('server.key.pem'),
  };
  if (authority !== undefined) {
    if (certificate === undefined) {
      const { cert, key } = await authority.load();
      give('server.cert.pem', cert, 0o644);
      give('server.key.pem', key, 0o600);
    }
    const ca = await authority.certificate();
    if (auth === 'certificate') give('ca.pem', ca, 0o644);
    if (certificate === undefined) replaceFile(join(loginFolder, 'ca.pem'), ca, 0o644);
  }

  const people = [
    { login: COLLECTOR_LOGIN, meters: [] as readonly string[] },
    { login: OPERATOR_LOGIN, meters: [] as readonly string[] },
    ...gateways.map((meters) => ({ login: meters[0], meters })),
  ];
  const passwords = new Map<string, string>();
  const logins: BrokerRules['logins'] = [];
  for (const { login, meters } of people) {
    const at = (kind: string) => join(loginFolder, `${login}.${kind}`);
    if (auth === 'password') {
      passwords.set(login, keptSecret(at('password')));
      logins.push({ login, meters, files: [at('password')] });
      continue;
    }
    const before = keptCertificate(at('cert.pem'), at('key.pem'));
    const material = await (authority as OwnAuthority).renewClient(login, before);
    if (material !== before) {
      replaceFile(at('key.pem'), material.key, 0o600);
      replaceFile(at('cert.pem'), material.cert, 0o644);
    }
    logins.push({ login, meters, files: [at('cert.pem'), at('key.pem')] });
  }
  give('acl', mosquittoAcl(gateways), 0o600);
  if (auth === 'password') {
    const file = join(brokerFolder, 'passwords');
    give(
      'passwords',
      mosquittoPasswords(passwords, existsSync(file) ? readFileSync(file, 'utf8') : ''),
      0o600,
    );
  }
  give(
    'mosquitto.conf',
    mosquittoConf({
      ...listen,
      auth,
      tls: encrypted
        ? { ...server, clientCaFile: auth === 'certificate' ? seen('ca.pem') : undefined }
        : undefined,
      aclFile: seen('acl'),
      passwordFile: auth === 'password' ? seen('passwords') : undefined,
    }),
    0o644,
  );
  // A name that can be guessed would let any gateway join the group and swallow a share of the readings.
  keptSecret(join(loginFolder, '_share-group'));
  const collectorEnvironment = {
    ...(auth === 'password'
      ? {
          MQTT_USERNAME: COLLECTOR_LOGIN,
          MQTT_PASSWORD_FILE: join(loginFolder, `${COLLECTOR_LOGIN}.password`),
        }
      : {
          MQTT_CERT_FILE: join(loginFolder, `${COLLECTOR_LOGIN}.cert.pem`),
          MQTT_KEY_FILE: join(loginFolder, `${COLLECTOR_LOGIN}.key.pem`),
        }),
    ...(authority !== undefined && certificate === undefined
      ? { MQTT_CA_FILE: join(loginFolder, 'ca.pem') }
      : {}),
    GTX_MQTT_SHARE_GROUP_FILE: join(loginFolder, '_share-group'),
  };
  const named = new Set(people.map(({ login }) => login));
  const withdrawn = new Set(
    readdirSync(loginFolder)
      .map((name) => /^(.+)\.(password|cert\.pem|key\.pem)$/.exec(name)?.[1])
      .filter((login): login is string => login !== undefined && !named.has(login)),
  );
  return {
    brokerFolder,
    configFile: join(brokerFolder, 'mosquitto.conf'),
    collectorEnvironment,
    logins,
    withdrawn: [...withdrawn].sort(),
  };
}

/** The secret in a file, made when there is none. */
function keptSecret(file: string): string {
  if (existsSync(file)) {
    const text = readFileSync(file, 'utf8').split(/\r?\n/, 1)[0] ?? '';
    if (text === '')
      throw new GtxError('CONFIG_INVALID', `${file} is empty; remove it, and a new one is made`);
    chmodSync(file, 0o600);
    return text;
  }
  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  replaceFile(file, `${password}\n`, 0o600);
  return password;
}

function keptCertificate(certFile: string, keyFile: string): { cert: string; key: string } | undefined {
  if (!existsSync(certFile) || !existsSync(keyFile)) return undefined;
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

/** A folder with this mode, whatever the umask; one that is there keeps its own. */
function makeFolder(path: string, mode: number): void {
  if (existsSync(path)) return;
  mkdirSync(path, { recursive: true, mode });
  chmodSync(path, mode);
}

/** Replaces a file as a whole; without another owner its owner stays. */
function replaceFile(
  file: string,
  text: string,
  mode: number,
  wanted?: { uid: number; gid: number } | undefined,
): void {
  const before = statSync(file, { throwIfNoEntry: false });
  const owner = wanted ?? (process.getuid?.() === 0 ? before : undefined);
  const made = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(made, text, { mode, flag: 'wx' });
    chmodSync(made, mode);
    if (owner !== undefined) chownSync(made, owner.uid, owner.gid);
    renameSync(made, file);
  } finally {
    rmSync(made, { force: true });
  }
}

/** `host:port` of a listener; an IPv6 address in brackets. @throws Error in words */
export function parseListen(text: string): { host: string; port: number } {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  const bare = host?.replace(/^\[(.*)\]$/, '$1') ?? '';
  if (bare === '' || Number(port) < 1 || Number(port) > 65_535 || (bare.includes(':') && isIP(bare) !== 6)) {
    throw new Error('is host:port, such as 0.0.0.0:8883');
  }
  return { host: bare, port: Number(port) };
}
