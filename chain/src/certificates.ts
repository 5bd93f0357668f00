import type { Connection, PublicKey } from '@solana/web3.js';
import { type Found, fetchOne, fetchSome } from './accounts.js';
import {
  bookAddress,
  certificateAddress,
  certificatesConfigAddress,
  retirementAddress,
} from './addresses.js';
import { toChainError } from './failure.js';
import type {
  CertificatesBook,
  CertificatesCertificate,
  CertificatesConfig,
  CertificatesRetirement,
} from './idl/certificates.js';
import { CERTIFICATES_PROGRAM_ID, certificates } from './programs.js';

/** Where a meter's energy comes from, as the registrar attests it. */
export const EnergySource = {
  Solar: 1,
  Wind: 2,
  Hydro: 3,
  /** Biogas, landfill gas and sewage gas included. */
  Biomass: 4,
  Geothermal: 5,
  /** Tide, wave and other ocean energy. */
  Marine: 6,
  /** A battery behind the meter: what charged it was not measured. */
  Storage: 7,
  Other: 8,
} as const;
export type EnergySource = (typeof EnergySource)[keyof typeof EnergySource];

/** A source's name in lower case, as commands and JSON write it. */
export function energySourceName(source: number): string {
  const found = Object.entries(EnergySource).find(([, code]) => code === source);
  return found ? found[0].toLowerCase() : `source ${source}`;
}

/** Bytes of accounts, for what their rent costs. */
export const CERTIFICATE_BYTES = 288;
export const BOOK_BYTES = 288;
export const RETIREMENT_BYTES = 488;
/** The longest texts of a retirement, in bytes of UTF-8. */
export const MAX_BENEFICIARY_BYTES = 96;
export const MAX_REASON_BYTES = 128;

// --- decoding: the account's whole data in; GtxError MESSAGE_INVALID when it is another kind of account.

/** The Config of certificates. */
export function decodeCertificatesConfig(data: Uint8Array): CertificatesConfig {
  return certificates.decodeAccount('Config', data);
}

/** A Book. */
export function decodeBook(data: Uint8Array): CertificatesBook {
  return certificates.decodeAccount('Book', data);
}

/** A Certificate. */
export function decodeCertificate(data: Uint8Array): CertificatesCertificate {
  return certificates.decodeAccount('Certificate', data);
}

/** A Retirement. */
export function decodeRetirement(data: Uint8Array): CertificatesRetirement {
  return certificates.decodeAccount('Retirement', data);
}

// --- fetching at `confirmed`: undefined when there is no such account; GtxError CHAIN_UNAVAILABLE without an answer.

/** The Config of certificates; undefined before their `initialize`. */
export function fetchCertificatesConfig(connection: Connection): Promise<CertificatesConfig | undefined> {
  return fetchOne(connection, CERTIFICATES_PROGRAM_ID, certificatesConfigAddress(), decodeCertificatesConfig);
}

/** The Book of a meter (its account's address); undefined when none was opened. */
export function fetchBook(connection: Connection, meter: PublicKey): Promise<CertificatesBook | undefined> {
  return fetchOne(connection, CERTIFICATES_PROGRAM_ID, bookAddress(meter), decodeBook);
}

/** Several meters' Books, in the given order, 100 a request. */
export function fetchBooks(
  connection: Connection,
  meters: readonly PublicKey[],
): Promise<(CertificatesBook | undefined)[]> {
  return fetchSome(connection, CERTIFICATES_PROGRAM_ID, meters.map(bookAddress), decodeBook);
}

/** A Certificate by its book and serial; undefined once it was retired. */
export function fetchCertificate(
  connection: Connection,
  book: PublicKey,
  serial: bigint,
): Promise<CertificatesCertificate | undefined> {
  return fetchOne(connection, CERTIFICATES_PROGRAM_ID, certificateAddress(book, serial), decodeCertificate);
}

/** The Retirement of a certificate; undefined while it is live. */
export function fetchRetirement(
  connection: Connection,
  certificate: PublicKey,
): Promise<CertificatesRetirement | undefined> {
  return fetchOne(connection, CERTIFICATES_PROGRAM_ID, retirementAddress(certificate), decodeRetirement);
}

/** Which certificates, or records of retired ones. */
export interface CertificateFilter {
  /** Of this meter (its account's address). */
  meter?: PublicKey | undefined;
  /** Held by this wallet; of retirements, retired by it. */
  holder?: PublicKey | undefined;
}

type AccountName = Parameters<typeof certificates.accountDiscriminator>[0];

async function fetchAll<T>(
  connection: Connection,
  name: AccountName,
  at: readonly { offset: number; key: PublicKey | undefined }[],
  decode: (data: Uint8Array) => T,
): Promise<Found<T>[]> {
  try {
    const found = await connection.getProgramAccounts(CERTIFICATES_PROGRAM_ID, {
      commitment: 'confirmed',
      filters: [
        {
          memcmp: {
            offset: 0,
            encoding: 'base64',
            bytes: Buffer.from(certificates.accountDiscriminator(name)).toString('base64'),
          },
        },
        ...at.flatMap(({ offset, key }) => (key ? [{ memcmp: { offset, bytes: key.toBase58() } }] : [])),
      ],
    });
    return found.map(({ pubkey, account }) => ({ address: pubkey, account: decode(account.data) }));
  } catch (error) {
    throw toChainError(error);
  }
}

/** Every Book. Many public nodes refuse such requests, as those of the following two functions. */
export function fetchAllBooks(connection: Connection): Promise<Found<CertificatesBook>[]> {
  return fetchAll(connection, 'Book', [], decodeBook);
}

/** Every live Certificate, of a meter or a holder when named. */
export function fetchAllCertificates(
  connection: Connection,
  { meter, holder }: CertificateFilter = {},
): Promise<Found<CertificatesCertificate>[]> {
  const at = [
    { offset: 40, key: meter },
    { offset: 136, key: holder },
  ];
  return fetchAll(connection, 'Certificate', at, decodeCertificate);
}

/** Every record of a retired certificate. */
export function fetchAllRetirements(
  connection: Connection,
  { meter, holder }: CertificateFilter = {},
): Promise<Found<CertificatesRetirement>[]> {
  const at = [
    { offset: 40, key: meter },
    { offset: 136, key: holder },
  ];
  return fetchAll(connection, 'Retirement', at, decodeRetirement);
}
