import {
  bookAddress,
  CERTIFICATE_BYTES,
  type CertificatesBook,
  type CertificatesCertificate,
  certificateAddress,
  EnergySource,
  energySourceName,
  fetchAllCertificates,
  fetchAllRetirements,
  fetchBook,
  fetchCertificate,
  fetchMeter,
  instructions,
  meterAddress,
  type RegistryMeter,
  readKeypairFile,
  retirementAddress,
  sendAndConfirm,
  toChainError,
} from '@gridtokenx/chain';
import { GtxError, type Nkwh, nkwhToKwh } from '@gridtokenx/protocol';
import type { Connection, Keypair, TransactionInstruction } from '@solana/web3.js';
import { connectTo, loadKey, loadPayer, parsePublicKey, type Result } from './chain-actions.js';
import { type Json, table } from './output.js';
import type { Targets } from './targets.js';

/** The source that a word of the command line means. @throws GtxError VALUE_INVALID */
export function sourceOf(name: string): EnergySource {
  const found = Object.values(EnergySource).find((code) => energySourceName(code) === name);
  if (found === undefined) throw new GtxError('VALUE_INVALID', `no source is called ${name}`);
  return found;
}

/** Who signs: files from flags, else the data folder's keys. */
export interface SigningKeys {
  readonly ownerKey: string | undefined;
  readonly payerKey: string | undefined;
}

interface Signing {
  readonly connection: Connection;
  readonly owner: Keypair;
  readonly payer: Keypair;
}

function signing(targets: Targets, { ownerKey, payerKey }: SigningKeys): Signing {
  const owner = loadKey(targets.layout, 'owner', ownerKey);
  const payer =
    payerKey === undefined && ownerKey !== undefined
      ? owner
      : loadPayer(targets.layout, payerKey, ['feePayer', 'owner']);
  return { connection: connectTo(targets), owner, payer };
}

async function send(
  { connection, payer, owner }: Signing,
  some: TransactionInstruction[],
  others: readonly Keypair[] = [],
): Promise<string> {
  const { signature } = await sendAndConfirm(connection, {
    payer,
    signers: [owner, ...others],
    instructions: some,
  });
  return signature;
}

async function meterOf(connection: Connection, meterId: string): Promise<RegistryMeter> {
  const meter = await fetchMeter(connection, meterId);
  if (!meter) throw new GtxError('METER_NOT_REGISTERED', undefined, { meter_id: meterId });
  return meter;
}

async function bookOf(connection: Connection, meterId: string): Promise<CertificatesBook> {
  const book = await fetchBook(connection, meterAddress(meterId));
  if (book) return book;
  await meterOf(connection, meterId);
  throw new GtxError(
    'NOT_FOUND',
    `${meterId} has no book of certificates yet: gtx certificates opt-in --meter-id ${meterId} --source solar opens one`,
    { meter_id: meterId },
  );
}

async function certificateOf(
  connection: Connection,
  meterId: string,
  serial: bigint,
): Promise<CertificatesCertificate> {
  const book = bookAddress(meterAddress(meterId));
  const found = await fetchCertificate(connection, book, serial);
  if (found) return found;
  throw new GtxError('NOT_FOUND', `there is no live certificate ${meterId}/${serial}`, {
    meter_id: meterId,
    serial: serial.toString(),
  });
}

const iso = (seconds: number | bigint): string => new Date(Number(seconds) * 1000).toISOString();
const kwh = (nkwh: bigint): string => nkwhToKwh(nkwh);
const transaction = (signature: string): string => `  transaction ${signature}`;

// --- list

interface Listed {
  readonly meterId: string;
  readonly serial: bigint;
  readonly splitFrom: bigint;
  readonly energyNkwh: bigint;
  readonly fromTotal: bigint;
  readonly toTotal: bigint;
  readonly periodStart: number;
  readonly periodEnd: number;
  readonly source: number;
  readonly json: { readonly [key: string]: Json | undefined };
  readonly last: string;
}

const common = (one: Omit<Listed, 'json' | 'last' | 'energyNkwh'>) => ({
  meter_id: one.meterId,
  serial: one.serial.toString(),
  split_from: one.splitFrom === 0n ? null : one.splitFrom.toString(),
  kwh: kwh(one.toTotal - one.fromTotal),
  from_total_nkwh: one.fromTotal.toString(),
  to_total_nkwh: one.toTotal.toString(),
  period_start: iso(one.periodStart),
  period_end: iso(one.periodEnd),
  source: energySourceName(one.source),
});

/** Live certificates, or with `retired` the records of retired ones, of a meter or a holder when named. */
export async function listCertificates(
  targets: Targets,
  options: { meterId: string | undefined; holder: string | undefined; retired: boolean },
): Promise<Result> {
  const connection = connectTo(targets);
  const filter = {
    meter: options.meterId === undefined ? undefined : meterAddress(options.meterId),
    holder: options.holder === undefined ? undefined : parsePublicKey(options.holder),
  };
  const found: Listed[] = options.retired
    ? (await fetchAllRetirements(connection, filter)).map(({ address, account }) => ({
        ...account,
        energyNkwh: account.toTotal - account.fromTotal,
        last: `${account.beneficiary}${account.reason === '' ? '' : ` (${account.reason})`}`,
        json: {
          ...common(account),
          address: account.certificate.toBase58(),
          retirement: address.toBase58(),
          producer: account.producer.toBase58(),
          retired_by: account.retiredBy.toBase58(),
          retired_at: iso(account.retiredAt),
          beneficiary: account.beneficiary,
          reason: account.reason,
        },
      }))
    : (await fetchAllCertificates(connection, filter)).map(({ address, account }) => ({
        ...account,
        energyNkwh: account.toTotal - account.fromTotal,
        last: account.holder.toBase58(),
        json: {
          ...common(account),
          address: address.toBase58(),
          producer: account.producer.toBase58(),
          holder: account.holder.toBase58(),
          issued_at: iso(account.issuedAt),
        },
      }));
  found.sort((a, b) =>
    a.meterId === b.meterId ? Number(a.serial - b.serial) : a.meterId < b.meterId ? -1 : 1,
  );
  const total = found.reduce((sum, { energyNkwh }) => sum + energyNkwh, 0n);
  const kind = options.retired ? 'retired' : 'live';
  const rows = found.map((one): [string, string] => [
    `${one.meterId}/${one.serial}`,
    `${kwh(one.energyNkwh)} kWh  ${energySourceName(one.source)}  ${iso(one.periodStart)} to ${iso(one.periodEnd)}  ${one.last}`,
  ]);
  return {
    json: { certificates: found.map(({ json }) => json), total_kwh: kwh(total) },
    text:
      rows.length === 0
        ? `No ${kind} certificates.`
        : `${table(rows)}\n${rows.length} ${kind}, ${kwh(total)} kWh`,
  };
}

// --- books

/** Opts a meter's owner in to certificates with each settlement (or out), and opens its book when there is none. */
export async function optIn(
  targets: Targets,
  options: SigningKeys & {
    meterId: string;
    source: EnergySource | undefined;
    includeSettled: boolean;
    registrarKey: string | undefined;
    minimum: Nkwh;
    off: boolean;
  },
): Promise<Result> {
  const { meterId, source, includeSettled, minimum, off } = options;
  const keys = signing(targets, options);
  const { connection, owner, payer } = keys;
  const meter = meterAddress(meterId);
  const state = await meterOf(connection, meterId);
  const book = await fetchBook(connection, meter);
  const set = instructions.setAutoIssue({
    owner: owner.publicKey,
    meter,
    enabled: !off,
    minEnergyNkwh: off ? 0n : minimum,
  });
  const opening: TransactionInstruction[] = [];
  const registrars: Keypair[] = [];
  if (!book) {
    if (off) throw new GtxError('NOT_FOUND', `${meterId} has no book: nobody has opted in`);
    if (source === undefined) {
      throw new GtxError(
        'VALUE_INVALID',
        `${meterId} has no book yet, and the registrar has to attest where its energy comes from: give --source`,
      );
    }
    const registrar = loadKey(targets.layout, 'registrar', options.registrarKey);
    registrars.push(registrar);
    // The registry knows when the meter was registered: nothing was produced for it before.
    const registeredAt = Number(state.registeredAt);
    const earlier = includeSettled && state.settled > 0n && registeredAt < state.lastEnd;
    opening.push(
      instructions.openBook({
        payer: payer.publicKey,
        owner: owner.publicKey,
        registrar: registrar.publicKey,
        meter,
        source,
        startTotal: earlier ? 0n : state.settled,
        periodStart: earlier ? registeredAt : state.lastEnd,
      }),
    );
  } else if (!book.owner.equals(state.owner)) {
    opening.push(instructions.adoptBook({ book }));
  }
  const signature = await send(keys, [...opening, set], registrars);
  const now = await bookOf(connection, meterId);
  const from = kwh(now.nextTotal);
  return {
    json: {
      meter_id: meterId,
      book: bookAddress(meter).toBase58(),
      opened: book === undefined,
      source: energySourceName(now.source),
      auto_issue: now.autoIssue,
      min_kwh: kwh(now.autoIssueMinNkwh),
      next_total_nkwh: now.nextTotal.toString(),
      signature,
    },
    text: [
      off
        ? `No certificates are issued for ${meterId} by itself any more; gtx certificates issue still does.`
        : `${meterId} gets a certificate with each settlement${minimum > 0n ? ` of at least ${kwh(minimum)} kWh` : ''} from ${from} kWh on (${energySourceName(now.source)}).`,
      ...(off ? [] : [`  for their rent, send SOL to the book: gtx certificates fund --meter-id ${meterId}`]),
      transaction(signature),
    ].join('\n'),
  };
}

/** Sends lamports for the rent of `certificates` certificates to a meter's book. */
export async function fundBook(
  targets: Targets,
  options: { meterId: string; certificates: number; payerKey: string | undefined },
): Promise<Result> {
  const { meterId, certificates } = options;
  const connection = connectTo(targets);
  const payer =
    options.payerKey === undefined
      ? loadPayer(targets.layout, undefined, ['owner', 'feePayer'])
      : readKeypairFile(options.payerKey);
  const book = await bookOf(connection, meterId);
  const address = bookAddress(book.meter);
  let each: number;
  try {
    each = await connection.getMinimumBalanceForRentExemption(CERTIFICATE_BYTES);
  } catch (error) {
    throw toChainError(error);
  }
  const lamports = BigInt(each) * BigInt(certificates);
  const { signature } = await sendAndConfirm(connection, {
    payer,
    instructions: [instructions.fundBook({ payer: payer.publicKey, meter: book.meter, lamports })],
  });
  return {
    json: {
      meter_id: meterId,
      book: address.toBase58(),
      certificates,
      lamports: lamports.toString(),
      signature,
    },
    text: `${Number(lamports) / 1e9} SOL for the rent of ${certificates} certificates are in the book of ${meterId}.\n${transaction(signature)}`,
  };
}

// --- certificates

/** Issues a certificate of the given energy, or of all that is settled. */
export async function issueCertificate(
  targets: Targets,
  options: SigningKeys & { meterId: string; energy: Nkwh | undefined },
): Promise<Result> {
  const { meterId } = options;
  const keys = signing(targets, options);
  const { connection, owner, payer } = keys;
  const book = await bookOf(connection, meterId);
  const { settled } = await meterOf(connection, meterId);
  const open = settled - book.nextTotal;
  const energyNkwh = options.energy ?? open;
  if (energyNkwh === 0n || energyNkwh > open) {
    throw new GtxError(
      'CONFLICT',
      `${kwh(open)} kWh of ${meterId} are settled and not certified${energyNkwh > open ? `, less than ${kwh(energyNkwh)} kWh` : ''}`,
      { settled_kwh: kwh(settled), certified_up_to_kwh: kwh(book.nextTotal) },
    );
  }
  const signature = await send(keys, [
    instructions.issueCertificate({ payer: payer.publicKey, owner: owner.publicKey, book, energyNkwh }),
  ]);
  const serial = book.nextSerial;
  const address = certificateAddress(bookAddress(book.meter), serial).toBase58();
  return {
    json: { meter_id: meterId, serial: serial.toString(), address, kwh: kwh(energyNkwh), signature },
    text: `Certificate ${meterId}/${serial}: ${kwh(energyNkwh)} kWh.\n  address ${address}\n${transaction(signature)}`,
  };
}

interface Named {
  readonly meterId: string;
  readonly serial: bigint;
  /** A part of the certificate: all of it when undefined. */
  readonly energy?: Nkwh | undefined;
}

/**
 * The certificate that is meant: itself, or the part of it that `split` makes in the same transaction.
 * @throws GtxError NOT_FOUND, FORBIDDEN when the signer does not hold it
 */
async function partOf(
  { connection, payer, owner }: Signing,
  { meterId, serial, energy }: Named,
): Promise<{ certificate: CertificatesCertificate; split: TransactionInstruction[] }> {
  const certificate = await certificateOf(connection, meterId, serial);
  if (!certificate.holder.equals(owner.publicKey)) {
    throw new GtxError(
      'FORBIDDEN',
      `${meterId}/${serial} belongs to ${certificate.holder.toBase58()}: its key has to sign (--owner-key)`,
      { holder: certificate.holder.toBase58() },
    );
  }
  if (energy === undefined || energy === certificate.toTotal - certificate.fromTotal)
    return { certificate, split: [] };
  const book = await bookOf(connection, meterId);
  return {
    certificate: {
      ...certificate,
      serial: book.nextSerial,
      fromTotal: certificate.toTotal - energy,
      rentPayer: payer.publicKey,
    },
    split: [
      instructions.splitCertificate({
        payer: payer.publicKey,
        book,
        certificate,
        energyNkwh: energy,
      }),
    ],
  };
}

/** Makes a part of a certificate one of its own. */
export async function splitCertificate(
  targets: Targets,
  options: SigningKeys & Named & { energy: Nkwh },
): Promise<Result> {
  const { meterId, serial, energy } = options;
  const keys = signing(targets, options);
  const { certificate, split } = await partOf(keys, options);
  if (split.length === 0) {
    throw new GtxError('VALUE_INVALID', `${meterId}/${serial} has ${kwh(energy)} kWh: that is no part of it`);
  }
  const signature = await send(keys, split);
  return {
    json: {
      meter_id: meterId,
      serial: certificate.serial.toString(),
      split_from: serial.toString(),
      kwh: kwh(energy),
      signature,
    },
    text: `${kwh(energy)} kWh of ${meterId}/${serial} are ${meterId}/${certificate.serial} now.\n${transaction(signature)}`,
  };
}

/** Gives a certificate, or a part of it, to another holder. */
export async function transferCertificate(
  targets: Targets,
  options: SigningKeys & Named & { to: string },
): Promise<Result> {
  const keys = signing(targets, options);
  const newHolder = parsePublicKey(options.to);
  const { certificate, split } = await partOf(keys, options);
  const signature = await send(keys, [
    ...split,
    instructions.transferCertificate({ certificate, newHolder }),
  ]);
  const energy = kwh(certificate.toTotal - certificate.fromTotal);
  const name = `${certificate.meterId}/${certificate.serial}`;
  return {
    json: {
      meter_id: certificate.meterId,
      serial: certificate.serial.toString(),
      kwh: energy,
      holder: options.to,
      signature,
    },
    text: `Certificate ${name} (${energy} kWh) belongs to ${options.to} now.\n${transaction(signature)}`,
  };
}

/** Retires a certificate, or a part of it, for good. */
export async function retireCertificate(
  targets: Targets,
  options: SigningKeys & Named & { beneficiary: string; reason: string },
): Promise<Result> {
  const { beneficiary, reason } = options;
  const keys = signing(targets, options);
  const { certificate, split } = await partOf(keys, options);
  const signature = await send(keys, [
    ...split,
    instructions.retireCertificate({ payer: keys.payer.publicKey, certificate, beneficiary, reason }),
  ]);
  const record = retirementAddress(certificateAddress(certificate.book, certificate.serial)).toBase58();
  const energy = kwh(certificate.toTotal - certificate.fromTotal);
  return {
    json: {
      meter_id: certificate.meterId,
      serial: certificate.serial.toString(),
      kwh: energy,
      beneficiary,
      reason,
      retirement: record,
      signature,
    },
    text: `Retired ${energy} kWh (${certificate.meterId}/${certificate.serial}) for ${beneficiary}.\n  record ${record}, for good\n${transaction(signature)}`,
  };
}
