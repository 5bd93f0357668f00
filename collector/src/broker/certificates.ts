/**
 * The collector's own certificate authority, for those who have no certificates: made at the first start, it signs the
 * server's certificate (renewed by itself) and, on request, certificates for clients. Gateways are given `ca.pem`.
 */
import './reflect-metadata.js';
import {
  createPrivateKey,
  X509Certificate as NodeCertificate,
  randomBytes,
  type webcrypto,
} from 'node:crypto';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { GtxError } from '@gridtokenx/protocol';
import * as x509 from '@peculiar/x509';

/** PEM texts for a TLS server or client. */
export interface TlsMaterial {
  cert: string;
  key: string;
  /** Who signs the certificates that clients must show; absent: none are asked for. */
  clientCa?: string | undefined;
}

/** Where a server's certificates come from; asked again now and then, since they are renewed. */
export interface TlsSource {
  /** @throws GtxError CONFIG_INVALID, KEY_FILE_PERMISSIONS */
  load(): Promise<TlsMaterial>;
  /** The authority to give to clients, when it is our own. */
  readonly caFile: string | undefined;
}

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 20 * 365;
const SERVER_DAYS = 90;
const RENEW_BEFORE_DAYS = 30;
const CLIENT_DAYS = 3 * 365;
/** A gateway whose clock is somewhat slow must not find the certificate to be of the future. */
const BACKDATE_MS = DAY_MS;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const { KeyUsageFlags } = x509;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** Certificates from files that somebody else renews. The key's file must not be readable by others. */
export class TlsFiles implements TlsSource {
  readonly caFile = undefined;

  constructor(
    private readonly files: { certFile: string; keyFile: string; clientCaFile?: string | undefined },
  ) {}

  async load(): Promise<TlsMaterial> {
    const { certFile, keyFile, clientCaFile } = this.files;
    return {
      cert: readPem(certFile),
      key: readSecretPem(keyFile),
      clientCa: clientCaFile === undefined ? undefined : readPem(clientCaFile),
    };
  }
}

/**
 * Certificates of an own authority in a folder: `authority.pem` (its key and certificate, 0600), `ca.pem` (its
 * certificate alone), `server.pem` (the server's key and certificate, 0600). Key and certificate are one file so that
 * they are replaced together.
 */
export class OwnAuthority implements TlsSource {
  readonly caFile: string;

  constructor(
    private readonly options: {
      folder: string;
      /** DNS names and addresses under which gateways know the server. */
      names: readonly string[];
      clientCaFile?: string | undefined;
      /** Another server of this authority keeps its certificate in a file of its own. Default: `server.pem`. */
      serverFile?: string | undefined;
      now: () => number;
    },
  ) {
    this.caFile = join(options.folder, 'ca.pem');
  }

  /** The server's certificate, made or renewed where that is due. */
  async load(): Promise<TlsMaterial> {
    const { folder, names, clientCaFile, now } = this.options;
    const authority = await this.authority();
    const file = join(folder, this.options.serverFile ?? 'server.pem');
    let pem = readIfThere(file);
    if (pem === undefined || !isGood(pem, authority.cert, names, now())) {
      pem = await issue(authority, {
        commonName: names[0] ?? 'gridtokenx collector',
        names,
        usage: SERVER_AUTH,
        days: SERVER_DAYS,
        nowMs: now(),
      });
      replaceFile(file, pem, 0o600);
    }
    return { ...split(pem), clientCa: clientCaFile === undefined ? undefined : readPem(clientCaFile) };
  }

  /**
   * A certificate with which a client shows who it is (mutual TLS).
   * @param commonName a meter id, for a gateway
   */
  async issueClient(commonName: string): Promise<TlsMaterial> {
    const nowMs = this.options.now();
    const authority = await this.authority();
    return split(
      await issue(authority, { commonName, names: [], usage: CLIENT_AUTH, days: CLIENT_DAYS, nowMs }),
    );
  }

  /** The authority's own certificate (PEM), for those who are to trust it. */
  async certificate(): Promise<string> {
    return (await this.authority()).cert;
  }

  /** That of a client as it is, or a new one when it is nearly over, damaged, or of another authority or name. */
  async renewClient(commonName: string, material: TlsMaterial | undefined): Promise<TlsMaterial> {
    const { cert: issuer } = await this.authority();
    const good = material !== undefined && isGoodClient(material, issuer, commonName, this.options.now());
    return good ? material : await this.issueClient(commonName);
  }

  private async authority(): Promise<{ cert: string; key: string }> {
    const { folder, now } = this.options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, 'authority.pem');
    let pem = readIfThere(file);
    if (pem === undefined) {
      const made = `${file}.${randomBytes(6).toString('hex')}`;
      writeFileSync(made, await makeAuthority(now()), { mode: 0o600, flag: 'wx' });
      try {
        linkSync(made, file);
      } catch (error) {
        // Another collector on this folder was faster: its authority is the one.
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      } finally {
        unlinkSync(made);
      }
      pem = readSecretPem(file);
    }
    const authority = split(pem);
    if (readIfThere(this.caFile, true) !== authority.cert) replaceFile(this.caFile, authority.cert, 0o644);
    return authority;
  }
}

async function makeAuthority(nowMs: number): Promise<string> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=gridtokenx collector authority ${randomBytes(4).toString('hex')}`,
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + AUTHORITY_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return (await privatePem(keys.privateKey)) + certificatePem(cert);
}

async function issue(
  authority: { cert: string; key: string },
  wanted: { commonName: string; names: readonly string[]; usage: string; days: number; nowMs: number },
): Promise<string> {
  const issuer = new x509.X509Certificate(authority.cert);
  const der = createPrivateKey(authority.key).export({ format: 'der', type: 'pkcs8' });
  const signingKey = await crypto.subtle.importKey('pkcs8', new Uint8Array(der), ALGORITHM, false, ['sign']);
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const names = wanted.names.map((value) => ({
    type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const),
    value,
  }));
  const notAfter = Math.min(wanted.nowMs + wanted.days * DAY_MS, issuer.notAfter.getTime());
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [wanted.commonName] }],
    issuer: issuer.subject,
    notBefore: new Date(wanted.nowMs - BACKDATE_MS),
    notAfter: new Date(notAfter),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([wanted.usage]),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return (await privatePem(keys.privateKey)) + certificatePem(cert);
}

/** Whether a server's certificate is of this authority, for these names, and far from its end. */
function isGood(pem: string, authority: string, names: readonly string[], nowMs: number): boolean {
  const cert = new NodeCertificate(split(pem).cert);
  const issuer = new NodeCertificate(authority);
  const leftMs = Date.parse(cert.validTo) - nowMs;
  return (
    leftMs > RENEW_BEFORE_DAYS * DAY_MS &&
    Date.parse(cert.validFrom) <= nowMs &&
    cert.verify(issuer.publicKey) &&
    names.every((name) => (isIP(name) === 0 ? cert.checkHost(name) : cert.checkIP(name)) !== undefined)
  );
}

/** Whether a client's certificate and key belong together, and the certificate is of this authority, and not nearly over. */
function isGoodClient(material: TlsMaterial, authority: string, commonName: string, nowMs: number): boolean {
  try {
    const cert = new NodeCertificate(material.cert);
    return (
      Date.parse(cert.validTo) - nowMs > RENEW_BEFORE_DAYS * DAY_MS &&
      Date.parse(cert.validFrom) <= nowMs &&
      cert.subject === `CN=${commonName}` &&
      cert.verify(new NodeCertificate(authority).publicKey) &&
      cert.checkPrivateKey(createPrivateKey(material.key))
    );
  } catch {
    // What cannot be read is replaced.
    return false;
  }
}

/** 16 random bytes, positive (RFC 5280, 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ format: 'pem', type: 'pkcs8' })
    .toString();
}

function certificatePem(cert: x509.X509Certificate): string {
  return `${cert.toString('pem').trim()}\n`;
}

const BLOCK = /-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----\n/g;

/** Key and certificate of a file that holds both. */
function split(pem: string): { cert: string; key: string } {
  let cert = '';
  let key = '';
  for (const [block, label] of pem.matchAll(BLOCK)) {
    if (label === 'CERTIFICATE') cert += block;
    else key = block;
  }
  if (cert === '' || key === '')
    throw new GtxError('CONFIG_INVALID', 'a certificate file of GTX_TLS_DIR is damaged');
  return { cert, key };
}

function readIfThere(file: string, open = false): string | undefined {
  try {
    return open ? readFileSync(file, 'utf8') : readSecretPem(file);
  } catch (error) {
    const cause = error instanceof GtxError ? error.cause : error;
    if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Replaces a file as a whole: whoever reads it sees the old or the new content. */
function replaceFile(file: string, text: string, mode: number): void {
  const made = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(made, text, { mode, flag: 'wx' });
  chmodSync(made, mode);
  renameSync(made, file);
}

/** A PEM file that others must not be able to read. @throws GtxError CONFIG_INVALID, KEY_FILE_PERMISSIONS */
export function readSecretPem(path: string): string {
  const text = readPem(path);
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new GtxError('KEY_FILE_PERMISSIONS', `${path} can be read by others; run chmod 600 ${path}`);
  }
  return text;
}

/** A PEM file. @throws GtxError CONFIG_INVALID */
export function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new GtxError('CONFIG_INVALID', `cannot read ${path}: ${(error as Error).message}`, undefined, {
      cause: error,
    });
  }
}
