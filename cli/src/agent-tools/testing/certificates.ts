/** Certificates for tests, by OpenSSL. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CertificateFiles {
  cert: string;
  key: string;
}

/**
 * A certificate in a folder: an authority of its own, or for 127.0.0.1 and by that authority.
 * @returns the files' names; the key's can be read by nobody else
 */
export function makeCertificate(folder: string, name: string, ca?: CertificateFiles): CertificateFiles {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const by =
    ca === undefined
      ? []
      : [
          ...['-CA', ca.cert, '-CAkey', ca.key],
          ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'subjectAltName=IP:127.0.0.1'],
        ];
  openssl(
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'],
    ...['-subj', `/CN=${name}`, '-keyout', key, '-out', cert, ...by],
  );
  return { cert, key };
}

/** What a TLS server wants of the files: its own, and the authority of the clients that it lets in. */
export function serverTls({ cert, key }: CertificateFiles, clients: CertificateFiles) {
  return {
    cert: readFileSync(cert),
    key: readFileSync(key),
    ca: readFileSync(clients.cert),
    requestCert: true,
    rejectUnauthorized: true,
  };
}
