import { type PublicKey, SystemProgram, type TransactionInstruction } from '@solana/web3.js';
import {
  bookAddress,
  certificateAddress,
  certificatesConfigAddress,
  programDataAddress,
  registryConfigAddress,
  retirementAddress,
} from './addresses.js';
import type { EnergySource } from './certificates.js';
import type { CertificatesBook, CertificatesCertificate } from './idl/certificates.js';
import { CERTIFICATES_PROGRAM_ID, certificates } from './programs.js';

/*
 * One builder for each instruction of certificates. Books and certificates can be given as they were decoded. Energy is
 * nkWh, times Unix seconds.
 */

/** What the builders need of a book. */
export type BookRef = Pick<CertificatesBook, 'meter' | 'nextSerial'>;
/** What the builders need of a certificate. */
export type CertificateRef = Pick<CertificatesCertificate, 'book' | 'serial' | 'holder' | 'rentPayer'>;

const config = certificatesConfigAddress;
const systemProgram = SystemProgram.programId;
const addressOf = ({ book, serial }: Pick<CertificateRef, 'book' | 'serial'>): PublicKey =>
  certificateAddress(book, serial);
/** The book, and where its next certificate will be. */
const nextOf = ({ meter, nextSerial }: BookRef) => {
  const book = bookAddress(meter);
  return { book, next: certificateAddress(book, nextSerial) };
};

/** Sets certificates up. `authority` is the program's upgrade authority: it signs, pays and becomes the admin. */
export function initializeCertificates(args: {
  authority: PublicKey;
  guardian: PublicKey;
}): TransactionInstruction {
  const { authority, guardian } = args;
  return certificates.instruction(
    'initialize',
    { guardian },
    { authority, config: config(), programData: programDataAddress(CERTIFICATES_PROGRAM_ID), systemProgram },
  );
}

/**
 * Opens a meter's book. Signers: `payer` (rent, for good), the meter's `owner`, the registry's `registrar`, who attests
 * source and start. The meter has nothing eligible and unsettled, and nothing held.
 */
export function openBook(args: {
  payer: PublicKey;
  owner: PublicKey;
  registrar: PublicKey;
  /** The meter's account. */
  meter: PublicKey;
  source: EnergySource;
  /** The meter's `settled`, for energy from now on; less where earlier energy is this owner's to certify. */
  startTotal: bigint;
  /** The meter's `lastEnd`; with a lower `startTotal`, when that energy's production began. */
  periodStart: number;
}): TransactionInstruction {
  const { payer, owner, registrar, meter, ...rest } = args;
  return certificates.instruction('open_book', rest, {
    payer,
    owner,
    registrar,
    config: config(),
    registryConfig: registryConfigAddress(),
    meter,
    book: bookAddress(meter),
    systemProgram,
  });
}

/** Hands a book to its meter's new owner; anybody may. Best in the transaction of the meter's transfer. */
export function adoptBook(args: { book: Pick<CertificatesBook, 'meter' | 'owner'> }): TransactionInstruction {
  const { meter, owner } = args.book;
  return certificates.instruction(
    'adopt_book',
    {},
    { config: config(), meter, book: bookAddress(meter), formerOwner: owner },
  );
}

/** Attests another source, from now on. Signer: the registry's `registrar`. What is not certified lapses. */
export function setEnergySource(args: {
  registrar: PublicKey;
  meter: PublicKey;
  source: EnergySource;
}): TransactionInstruction {
  const { registrar, meter, source } = args;
  return certificates.instruction(
    'set_source',
    { source },
    {
      registrar,
      config: config(),
      registryConfig: registryConfigAddress(),
      meter,
      book: bookAddress(meter),
    },
  );
}

/** Opts in to, or out of, certificates that anybody issues with the meter's settlements. Signer: the book's `owner`. */
export function setAutoIssue(args: {
  owner: PublicKey;
  meter: PublicKey;
  enabled: boolean;
  /** The least that a certificate is issued for; 0 is one with each settlement. */
  minEnergyNkwh?: bigint;
}): TransactionInstruction {
  const { owner, meter, enabled, minEnergyNkwh = 0n } = args;
  return certificates.instruction(
    'set_auto_issue',
    { enabled, minEnergyNkwh },
    { owner, book: bookAddress(meter) },
  );
}

/** Puts lamports into a book for the rent of certificates: `issueCertificateFor` with `fromBook` takes it from there. */
export function fundBook(args: {
  payer: PublicKey;
  meter: PublicKey;
  lamports: bigint;
}): TransactionInstruction {
  const { payer, meter, lamports } = args;
  return SystemProgram.transfer({ fromPubkey: payer, toPubkey: bookAddress(meter), lamports });
}

/** Takes such lamports back. Signer: the book's `owner`. */
export function withdrawBookFunds(args: {
  owner: PublicKey;
  meter: PublicKey;
  lamports: bigint;
}): TransactionInstruction {
  const { owner, meter, lamports } = args;
  return certificates.instruction('withdraw_funds', { lamports }, { owner, book: bookAddress(meter) });
}

/** Issues a certificate to the meter's owner. Signers: `payer` (rent, which comes back on retirement), `owner`. */
export function issueCertificate(args: {
  payer: PublicKey;
  owner: PublicKey;
  book: BookRef;
  energyNkwh: bigint;
}): TransactionInstruction {
  const { payer, owner, book, energyNkwh } = args;
  const { book: address, next } = nextOf(book);
  return certificates.instruction(
    'issue',
    { energyNkwh },
    {
      payer,
      owner,
      config: config(),
      meter: book.meter,
      book: address,
      certificate: next,
      systemProgram,
    },
  );
}

/**
 * Issues a certificate for all that is settled and not certified to an owner who has opted in; anybody may. Signer:
 * `payer`. With `fromBook` the book's lamports pay the rent, and the payer needs them only for a moment.
 */
export function issueCertificateFor(args: {
  payer: PublicKey;
  book: BookRef;
  fromBook: boolean;
}): TransactionInstruction {
  const { payer, book, fromBook } = args;
  const { book: address, next } = nextOf(book);
  return certificates.instruction(
    'issue_for',
    { fromBook },
    { payer, config: config(), meter: book.meter, book: address, certificate: next, systemProgram },
  );
}

/** Makes the last `energyNkwh` of a certificate one of its own. Signers: `payer` (rent), the certificate's holder. */
export function splitCertificate(args: {
  payer: PublicKey;
  /** The book of the certificate's meter, as it is now. */
  book: BookRef;
  certificate: CertificateRef;
  energyNkwh: bigint;
}): TransactionInstruction {
  const { payer, book, certificate, energyNkwh } = args;
  const { book: address, next } = nextOf(book);
  return certificates.instruction(
    'split',
    { energyNkwh },
    {
      payer,
      holder: certificate.holder,
      config: config(),
      book: address,
      certificate: addressOf(certificate),
      part: next,
      systemProgram,
    },
  );
}

/** Gives a certificate to another holder. Signer: its holder. */
export function transferCertificate(args: {
  certificate: CertificateRef;
  newHolder: PublicKey;
}): TransactionInstruction {
  const { certificate, newHolder } = args;
  return certificates.instruction(
    'transfer',
    { newHolder },
    { holder: certificate.holder, config: config(), certificate: addressOf(certificate) },
  );
}

/**
 * Retires a certificate for good. Signers: `payer` (rent of the record, which stays), the certificate's holder.
 * @throws GtxError MESSAGE_INVALID when a text is longer than its field.
 */
export function retireCertificate(args: {
  payer: PublicKey;
  certificate: CertificateRef;
  /** At most 96 bytes of UTF-8, not empty. */
  beneficiary: string;
  /** At most 128 bytes of UTF-8. */
  reason: string;
}): TransactionInstruction {
  const { payer, certificate, beneficiary, reason } = args;
  const address = addressOf(certificate);
  return certificates.instruction(
    'retire',
    { beneficiary, reason },
    {
      payer,
      holder: certificate.holder,
      config: config(),
      book: certificate.book,
      certificate: address,
      retirement: retirementAddress(address),
      rentPayer: certificate.rentPayer,
      systemProgram,
    },
  );
}

/** Stops or resumes everything but `withdrawBookFunds`. Signer: the admin; the guardian can only pause. */
export function setCertificatesPaused(args: {
  authority: PublicKey;
  paused: boolean;
}): TransactionInstruction {
  const { authority, paused } = args;
  return certificates.instruction('set_paused', { paused }, { authority, config: config() });
}

/** Names another guardian. Signer: the `admin`. */
export function setCertificatesGuardian(args: {
  admin: PublicKey;
  guardian: PublicKey;
}): TransactionInstruction {
  const { admin, guardian } = args;
  return certificates.instruction('set_guardian', { newGuardian: guardian }, { admin, config: config() });
}

/** Names the next admin, who has to accept; `PublicKey.default` withdraws. Signer: the `admin`. */
export function proposeCertificatesAdmin(args: {
  admin: PublicKey;
  newAdmin: PublicKey;
}): TransactionInstruction {
  const { admin, newAdmin } = args;
  return certificates.instruction('propose_admin', { newAdmin }, { admin, config: config() });
}

/** Becomes the admin. Signer: the proposed `newAdmin`. */
export function acceptCertificatesAdmin(args: { newAdmin: PublicKey }): TransactionInstruction {
  return certificates.instruction('accept_admin', {}, { newAdmin: args.newAdmin, config: config() });
}
