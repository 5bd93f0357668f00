/**
 * What Mosquitto needs to know to keep gateways apart: it cannot check a signed login (`GTXA`), so it gets passwords, or
 * client certificates, and rules by topic. Texts only; `rules.ts` writes them to files.
 */
import { pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { assertMeterId, GtxError, TOPIC_ROOT, topicFor } from '@gridtokenx/protocol';
import { HEARD_BY_GATEWAY, PUBLISHED_BY_GATEWAY } from './access.js';

/** Logins that are no gateway's. A meter id cannot begin like this, so no meter is called so. */
export const COLLECTOR_LOGIN = '_collector';
export const OPERATOR_LOGIN = '_operator';

/** The meters of one gateway; the first one names its login. */
export type Gateway = readonly [string, ...string[]];

/** How clients show who they are. */
export type BrokerAuth = 'password' | 'certificate';

export interface MosquittoListener {
  host: string;
  port: number;
  auth: BrokerAuth;
  /** Certificate chain, key and (for client certificates) authority, as the broker finds them; undefined: no TLS. */
  tls: { certFile: string; keyFile: string; clientCaFile?: string | undefined } | undefined;
  /** As the broker finds it. */
  aclFile: string;
  /** As the broker finds it; needed with `password`. */
  passwordFile: string | undefined;
}

/** As `mosquitto_passwd` does. Our passwords are 192 random bits, which no number of rounds could make safer. */
const ROUNDS = 101;
const SALT_BYTES = 12;
const HASH_BYTES = 64;
/** Readings, telemetry and statuses are far smaller (the protocol's limit of a payload is 16 KiB). */
const MAX_PACKET_BYTES = 65_536;

/**
 * Checks the gateways of one broker: meter ids, and that no meter is in two places.
 * @throws GtxError CONFIG_INVALID, VALUE_INVALID
 */
export function checkGateways(gateways: readonly (readonly string[])[]): Gateway[] {
  const seen = new Set<string>();
  return gateways.map((meters) => {
    if (meters.length === 0) throw new GtxError('CONFIG_INVALID', 'a gateway needs at least one meter');
    for (const meter of meters) {
      assertMeterId(meter);
      if (seen.has(meter)) throw new GtxError('CONFIG_INVALID', `meter ${meter} is named twice`);
      seen.add(meter);
    }
    return meters as unknown as Gateway;
  });
}

/** `mosquitto.conf`: one listener with TLS, and nothing for those who have not logged in. */
export function mosquittoConf(listener: MosquittoListener): string {
  const { host, port, auth, tls, aclFile, passwordFile } = listener;
  const lines = [
    '# Written by `gtx broker rules`, which replaces it. For Mosquitto 2.0.',
    'per_listener_settings false',
    `listener ${port} ${host}`,
    'allow_anonymous false',
    `acl_file ${aclFile}`,
    `max_packet_size ${MAX_PACKET_BYTES}`,
    ...(passwordFile === undefined ? [] : [`password_file ${passwordFile}`]),
    ...(tls === undefined
      ? []
      : [
          `certfile ${tls.certFile}`,
          `keyfile ${tls.keyFile}`,
          ...(tls.clientCaFile === undefined ? [] : [`cafile ${tls.clientCaFile}`]),
          'tls_version tlsv1.2',
        ]),
    ...(auth === 'certificate'
      ? [
          '# The name in the certificate is the login; the one in CONNECT does not count.',
          'require_certificate true',
          'use_identity_as_username true',
        ]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * The access rules. Mosquitto grants any subscription and applies them to each message that would be delivered: a
 * gateway that subscribes to others' topics hears nothing there.
 */
export function mosquittoAcl(gateways: readonly Gateway[]): string {
  const blocks = [
    ['# Written by `gtx broker rules`, which replaces it. What no rule allows is refused.'],
    [
      `user ${COLLECTOR_LOGIN}`,
      `topic read ${TOPIC_ROOT}/+/reading`,
      `topic read ${TOPIC_ROOT}/+/status`,
      `topic read ${TOPIC_ROOT}/+/telemetry`,
      `topic write ${TOPIC_ROOT}/+/ack`,
      `topic write ${TOPIC_ROOT}/+/command`,
    ],
    [`user ${OPERATOR_LOGIN}`, `topic read ${TOPIC_ROOT}/#`],
    ...gateways.map((meters) => [
      `user ${meters[0]}`,
      ...meters.flatMap((meter) => [
        ...[...PUBLISHED_BY_GATEWAY].map((kind) => `topic write ${topicFor(meter, kind)}`),
        ...[...HEARD_BY_GATEWAY].map((kind) => `topic read ${topicFor(meter, kind)}`),
      ]),
    ]),
  ];
  return `${blocks.map((block) => block.join('\n')).join('\n\n')}\n`;
}

/**
 * A line's second half in Mosquitto's password file: `$7$rounds$salt$hash`, PBKDF2 with SHA-512, salt and hash in base64
 * (mosquitto_passwd(1); `7` is its name of the scheme).
 */
export function hashPassword(password: string, salt: Uint8Array = randomBytes(SALT_BYTES)): string {
  const hash = pbkdf2Sync(password, salt, ROUNDS, HASH_BYTES, 'sha512');
  return `$7$${ROUNDS}$${Buffer.from(salt).toString('base64')}$${hash.toString('base64')}`;
}

/** Whether a hash of that form is this password's; false for any other form. */
export function isHashOf(hash: string, password: string): boolean {
  const [, rounds, salt, expected] =
    /^\$7\$(\d{1,7})\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)$/.exec(hash) ?? [];
  if (rounds === undefined || salt === undefined || expected === undefined) return false;
  const want = Buffer.from(expected, 'base64');
  const got = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(rounds), want.length, 'sha512');
  return want.length > 0 && timingSafeEqual(want, got);
}

/**
 * The password file. A login whose line in `before` fits its password keeps it, so that a file changes only where
 * something has changed.
 */
export function mosquittoPasswords(passwords: ReadonlyMap<string, string>, before = ''): string {
  const kept = new Map(
    before.split('\n').map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at), line.slice(at + 1)] as const;
    }),
  );
  return [...passwords]
    .map(([login, password]) => {
      const hash = kept.get(login);
      return `${login}:${hash !== undefined && isHashOf(hash, password) ? hash : hashPassword(password)}\n`;
    })
    .join('');
}
