import { existsSync } from 'node:fs';
import {
  chainInit,
  chainTime,
  ed25519Instruction,
  ensureTokenAccounts,
  eventsOf,
  fetchConfig,
  fetchGridMint,
  fetchMeter,
  fetchTokenConfig,
  GRID_TOKEN_PROGRAM_ID,
  gridMintAddress,
  gridTokenAccount,
  instructions,
  mintAllowance,
  openConnection,
  ownerMessageFor,
  Policy,
  readKeypairFile,
  registerMeter,
  registerUser,
  sendAndConfirm,
  setLimits,
  setMetadataUri,
  setMeterCap,
  signMessage,
  toChainError,
  verifyUser,
} from '@gridtokenx/chain';
import {
  decodeBase58,
  encodeReading,
  GtxError,
  isErrorCode,
  type Nkwh,
  nkwhToKwh,
  type SubmitReading,
  SubmitReadingResult,
  toReading,
} from '@gridtokenx/protocol';
import { type Connection, type Keypair, LAMPORTS_PER_SOL, PublicKey } from '@solana/web3.js';
import { z } from 'zod';
import type { DataLayout } from './data-dir.js';
import { demoMarketKeys, isEmbeddedChain, setUpDemoMarket } from './demo-market.js';
import { airdrop, ensureFunds } from './funds.js';
import { ensureKey } from './key-files.js';
import { type KeyRole, keyPath, meterKeyPath } from './keys.js';
import type { Json } from './output.js';
import { SoftwareMeter } from './software-meter.js';
import type { Targets } from './targets.js';

/** What a command prints: the JSON value and the text for the same result. */
export interface Result {
  readonly json: Json;
  readonly text: string;
}

export const connectTo = ({ rpcUrl, wsUrl }: Pick<Targets, 'rpcUrl' | 'wsUrl'>): Connection =>
  openConnection(rpcUrl, wsUrl === undefined ? {} : { wsUrl });

/** The key that a flag names, else that of a role in the data folder. @throws GtxError KEY_FILE_INVALID */
export function loadKey(layout: DataLayout, role: KeyRole, file: string | undefined): Keypair {
  return readKeypairFile(file ?? keyPath(layout, role));
}

/** Who pays: the named key, else the first of these roles that the data folder holds. */
export function loadPayer(layout: DataLayout, file: string | undefined, roles: readonly KeyRole[]): Keypair {
  if (file !== undefined) return readKeypairFile(file);
  const role = roles.find((one) => existsSync(keyPath(layout, one)));
  if (role === undefined) {
    throw new GtxError(
      'KEY_FILE_INVALID',
      'nobody to pay: give --payer-key, or make keys with gtx keygen --set',
    );
  }
  return readKeypairFile(keyPath(layout, role));
}

/** A base58 public key from a flag. @throws GtxError VALUE_INVALID */
export const parsePublicKey = (text: string): PublicKey => new PublicKey(decodeBase58(text, 32));

const changedText = (
  changed: boolean,
  done: string,
  already: string,
  signature: string | undefined,
): string => (changed ? `${done}\n  transaction ${signature}` : already);

export async function initialiseChain(
  targets: Targets,
  options: {
    upgradeAuthorityKey: string | undefined;
    registrar: string | undefined;
    guardian: string | undefined;
    policy: 'interval-surplus' | 'net-over-all-time';
    maxRatedWatts: number;
    /** Also the demo's market, where the cluster is the embedded chain. */
    market: boolean;
  },
): Promise<Result> {
  const { layout } = targets;
  const connection = connectTo(targets);
  const upgradeAuthority = loadKey(layout, 'upgradeAuthority', options.upgradeAuthorityKey);
  const publicKeyOf = (flag: string | undefined, role: KeyRole): PublicKey =>
    flag === undefined ? loadKey(layout, role, undefined).publicKey : parsePublicKey(flag);
  const guardian = publicKeyOf(options.guardian, 'guardian');
  const result = await chainInit(connection, {
    upgradeAuthority,
    registrar: publicKeyOf(options.registrar, 'registrar'),
    guardian,
    policy: options.policy === 'interval-surplus' ? Policy.IntervalSurplus : Policy.NetOverAllTime,
    maxRatedWatts: options.maxRatedWatts,
  });
  const { changed, signature, initialized, config, differences } = result;
  const embedded = options.market && (await isEmbeddedChain(targets.rpcUrl, connection));
  // Where SOL costs nothing, the data folder's owner can trade at once.
  if (embedded && existsSync(keyPath(layout, 'owner')))
    await ensureFunds(connection, [readKeypairFile(keyPath(layout, 'owner')).publicKey]);
  const market = embedded
    ? await setUpDemoMarket(connection, { upgradeAuthority, guardian, ...demoMarketKeys(layout) })
    : undefined;
  return {
    json: {
      changed: changed || (market !== undefined && market.created.length > 0),
      initialized,
      ...(signature === undefined ? {} : { signature }),
      admin: config.admin.toBase58(),
      registrar: config.registrar.toBase58(),
      guardian: config.guardian.toBase58(),
      policy: config.policy === Policy.IntervalSurplus ? 'interval-surplus' : 'net-over-all-time',
      max_rated_watts: config.maxRatedWatts,
      daily_mint_cap_kwh: nkwhToKwh(config.dailyMintCap),
      differences,
      market:
        market === undefined
          ? null
          : {
              address: market.market.toBase58(),
              quote_mint: market.quoteMint.toBase58(),
              feed: market.feed.toBase58(),
              created: market.created,
            },
    },
    text: [
      changedText(
        changed,
        `Initialised ${initialized.join(' and ')}.`,
        'Everything is initialised already; nothing was changed.',
        signature,
      ),
      `  admin      ${config.admin.toBase58()}`,
      `  registrar  ${config.registrar.toBase58()}`,
      `  guardian   ${config.guardian.toBase58()}`,
      `  rated power of a meter at most ${config.maxRatedWatts} W`,
      ...differences.map(
        ({ setting, wanted, actual }) =>
          `  note: ${setting} is ${actual} on the chain, not ${wanted}; it stays so`,
      ),
      ...(market === undefined
        ? ['No market was opened: gtx market create opens one for the token that energy is to be paid with.']
        : [
            market.created.length > 0
              ? `Set the market up: ${market.created.join(', ')}.`
              : 'The market is set up already.',
            `  market     ${market.market.toBase58()}`,
            `  GRX mint   ${market.quoteMint.toBase58()} (gtx faucet --to WALLET --amount 100 gives some)`,
          ]),
    ].join('\n'),
  };
}

export async function getFunds(
  targets: Targets,
  options: { to: string | undefined; sol: number },
): Promise<Result> {
  const { layout } = targets;
  const roles: KeyRole[] = ['upgradeAuthority', 'registrar', 'owner', 'feePayer'];
  const wallets =
    options.to === undefined
      ? roles
          .filter((role) => existsSync(keyPath(layout, role)))
          .map((role) => readKeypairFile(keyPath(layout, role)).publicKey)
      : [parsePublicKey(options.to)];
  if (wallets.length === 0) {
    throw new GtxError(
      'KEY_FILE_INVALID',
      'the data folder holds no keys: give --to, or make keys with gtx keygen --set',
    );
  }
  const connection = connectTo(targets);
  const balances = await airdrop(connection, wallets, options.sol);
  return {
    json: { wallets: balances.map(({ wallet, lamports }) => ({ wallet, sol: lamports / LAMPORTS_PER_SOL })) },
    text: balances.map(({ wallet, lamports }) => `${wallet}  ${lamports / LAMPORTS_PER_SOL} SOL`).join('\n'),
  };
}

export async function addUser(
  targets: Targets,
  options: { walletKey: string | undefined; payerKey: string | undefined },
): Promise<Result> {
  const { layout } = targets;
  const wallet = loadKey(layout, 'owner', options.walletKey);
  const payer =
    options.payerKey === undefined && options.walletKey !== undefined
      ? wallet
      : loadPayer(layout, options.payerKey, ['registrar', 'owner']);
  const { changed, signature } = await registerUser(connectTo(targets), { payer, wallet });
  const address = wallet.publicKey.toBase58();
  return {
    json: { wallet: address, changed, ...(signature === undefined ? {} : { signature }) },
    text: changedText(
      changed,
      `Registered ${address}. The registrar verifies it with: gtx verify-user --wallet ${address}`,
      `${address} is registered already.`,
      signature,
    ),
  };
}

export async function attestUser(
  targets: Targets,
  options: {
    wallet: string | undefined;
    registrarKey: string | undefined;
    payerKey: string | undefined;
    revoke: boolean;
  },
): Promise<Result> {
  const { layout } = targets;
  const registrar = loadKey(layout, 'registrar', options.registrarKey);
  const payer = options.payerKey === undefined ? registrar : readKeypairFile(options.payerKey);
  const wallet =
    options.wallet === undefined
      ? loadKey(layout, 'owner', undefined).publicKey
      : parsePublicKey(options.wallet);
  const verified = !options.revoke;
  const { changed, signature } = await verifyUser(connectTo(targets), { payer, registrar, wallet, verified });
  const word = verified ? 'verified' : 'not verified';
  return {
    json: { wallet: wallet.toBase58(), verified, changed, ...(signature === undefined ? {} : { signature }) },
    text: changedText(
      changed,
      `${wallet.toBase58()} is now ${word}.`,
      `${wallet.toBase58()} is ${word} already.`,
      signature,
    ),
  };
}

export async function addMeter(
  targets: Targets,
  options: {
    meterId: string;
    meterKey: string | undefined;
    ownerKey: string | undefined;
    registrarKey: string | undefined;
    payerKey: string | undefined;
    ratedWatts: number;
  },
): Promise<Result> {
  const { layout } = targets;
  const { meterId, ratedWatts } = options;
  const owner = loadKey(layout, 'owner', options.ownerKey);
  const registrar = loadKey(layout, 'registrar', options.registrarKey);
  const payer = options.payerKey === undefined ? registrar : readKeypairFile(options.payerKey);
  const keyFile = options.meterKey ?? meterKeyPath(layout, meterId);
  const meterKey = options.meterKey === undefined ? ensureKey(keyFile).keypair : readKeypairFile(keyFile);
  const connection = connectTo(targets);
  const consent = signMessage(meterKey, await ownerMessageFor(connection, meterId, owner.publicKey));
  const { changed, signature } = await registerMeter(connection, {
    payer,
    owner,
    registrar,
    meterId,
    publicKey: meterKey.publicKey.toBytes(),
    consent,
    ratedWatts,
  });
  return {
    json: {
      meter_id: meterId,
      owner: owner.publicKey.toBase58(),
      public_key: meterKey.publicKey.toBase58(),
      key_file: keyFile,
      rated_watts: ratedWatts,
      changed,
      ...(signature === undefined ? {} : { signature }),
    },
    text: [
      changedText(
        changed,
        `Registered meter ${meterId}, ${ratedWatts} W.`,
        `Meter ${meterId} is registered like this already.`,
        signature,
      ),
      `  owner  ${owner.publicKey.toBase58()}`,
      `  key    ${meterKey.publicKey.toBase58()} in ${keyFile}`,
    ].join('\n'),
  };
}

export interface SubmitOptions {
  readonly meterId: string;
  readonly production: Nkwh;
  readonly consumption: Nkwh;
  readonly meterKey: string | undefined;
  readonly wallet: string | undefined;
  readonly direct: boolean;
  readonly payerKey: string | undefined;
  readonly nowSeconds: number;
}

/**
 * Lets the software meter measure, sign and send one reading. One that is still unanswered from before goes first.
 * @throws GtxError with the collector's or the chain's refusal
 */
export async function submitReading(
  targets: Targets,
  options: SubmitOptions,
  progress: (text: string) => void,
): Promise<Result> {
  const { layout } = targets;
  const { meterId } = options;
  const key = readKeypairFile(options.meterKey ?? meterKeyPath(layout, meterId));
  const connection = connectTo(targets);
  const wallet = options.wallet ?? loadKey(layout, 'owner', undefined).publicKey.toBase58();
  const meter = await SoftwareMeter.open({
    folder: layout.softwareMeters,
    meterId,
    key,
    wallet,
    base: async () => {
      const known = await fetchMeter(connection, meterId);
      if (known === undefined) throw new GtxError('METER_NOT_REGISTERED', undefined, { meter_id: meterId });
      return { ...known, sequence: known.lastSequence };
    },
  });
  const send = options.direct
    ? (body: SubmitReading) => submitDirect(targets, connection, body, options.payerKey)
    : (body: SubmitReading) => submitOverHttp(targets.httpUrl, body);
  const earlier = meter.pending;
  if (earlier !== undefined) {
    progress(`sending reading ${earlier.reading.sequence}, which has not been answered yet`);
    try {
      await deliver(meter, earlier, send, progress);
    } catch (error) {
      // Refused for good: its energy is in the totals, and the reading that follows carries it.
      if (!(error instanceof GtxError) || meter.pending !== undefined) throw error;
      progress(`reading ${earlier.reading.sequence} was refused for good (${error.code})`);
    }
  }
  const body = meter.sign(options.production, options.consumption, options.nowSeconds);
  return await deliver(meter, body, send, progress);
}

/** Sends a pending reading and books the answer. A refusal that may pass later keeps it pending. */
async function deliver(
  meter: SoftwareMeter,
  body: SubmitReading,
  send: (body: SubmitReading) => Promise<Result>,
  progress: (text: string) => void,
): Promise<Result> {
  try {
    const result = await send(body);
    meter.accepted();
    return result;
  } catch (error) {
    if (error instanceof GtxError && error.code === 'AMOUNT_MISMATCH') {
      // The amount is the one field that no signature covers: it is counted from what the collector accepted last.
      const expected = ExpectedAmount.safeParse(error.details);
      if (expected.success && expected.data.expected !== body.kwh_amount) {
        const result = await send(meter.recount(expected.data.expected));
        meter.accepted();
        return result;
      }
    }
    if (error instanceof GtxError && error.retry === 'never' && error.status >= 400 && error.status < 500) {
      meter.refused();
      progress('the energy stays in the meter’s totals; its next reading carries it');
    }
    throw error;
  }
}

const ExpectedAmount = z.object({ expected: z.string().regex(/^\d+(\.\d+)?$/) });

const ErrorAnswer = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
  }),
});

async function submitOverHttp(httpUrl: string, body: SubmitReading): Promise<Result> {
  const url = new URL('/api/meters/submit-reading', httpUrl);
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
    answer = await response.json();
  } catch (error) {
    const reason = (error as { cause?: { message?: string } }).cause?.message || (error as Error).message;
    throw new GtxError('COLLECTOR_UNAVAILABLE', `the collector at ${url.origin} does not answer: ${reason}`, {
      url: url.href,
    });
  }
  if (!response.ok) {
    const refusal = ErrorAnswer.safeParse(answer);
    if (!refusal.success || !isErrorCode(refusal.data.error.code)) {
      throw new GtxError(
        'COLLECTOR_UNAVAILABLE',
        `${url.origin} answered HTTP ${response.status} without an error code`,
      );
    }
    const { code, message, details } = refusal.data.error;
    throw new GtxError(code, message, details);
  }
  const stored = SubmitReadingResult.safeParse(answer);
  if (!stored.success)
    throw new GtxError('COLLECTOR_UNAVAILABLE', `${url.origin} gave an answer that is not the collector’s`);
  const { sequence, status, kwh_amount } = stored.data;
  const meaning: Record<string, string> = {
    pending: 'stored; its surplus will be minted',
    covered: 'stored; a later reading already carries its energy',
    minted: 'stored and minted',
    held: 'stored and held for review: more than 100 kWh',
  };
  return {
    json: { ...stored.data, http_status: response.status },
    text: `Reading ${sequence} of ${stored.data.meter_id}: ${kwh_amount} kWh surplus, ${meaning[status] ?? status}.`,
  };
}

/** Sends the signed reading to the registry itself, without any collector. Minting is a step of its own then. */
async function submitDirect(
  targets: Targets,
  connection: Connection,
  body: SubmitReading,
  payerKey: string | undefined,
): Promise<Result> {
  const payer = loadPayer(targets.layout, payerKey, ['feePayer', 'owner']);
  const reading = toReading(body);
  const { signature } = await sendAndConfirm(connection, {
    payer,
    instructions: [
      ed25519Instruction([
        {
          publicKey: decodeBase58(body.public_key, 32),
          signature: decodeBase58(body.meter_signature, 64),
          message: encodeReading(reading),
        },
      ]),
      instructions.submitMeterReading({ meterId: body.meter_id, owner: parsePublicKey(body.wallet_address) }),
    ],
  });
  const event = (await eventsOfTransaction(connection, signature)).find(
    ({ name }) => name === 'MeterReadingSubmitted',
  );
  const counted = event?.name === 'MeterReadingSubmitted' ? event.data.counted : undefined;
  const held = event?.name === 'MeterReadingSubmitted' ? event.data.held : 0n;
  return {
    json: {
      meter_id: body.meter_id,
      sequence: body.reading.sequence,
      kwh_amount: String(body.kwh_amount),
      counted_kwh: counted === undefined ? null : nkwhToKwh(counted),
      held_kwh: nkwhToKwh(held),
      signature,
    },
    text: [
      `Reading ${body.reading.sequence} of ${body.meter_id} is on the chain: ${counted === undefined ? '' : `${nkwhToKwh(counted)} kWh counted`}${
        held > 0n ? `, ${nkwhToKwh(held)} kWh held back (more than the meter's rated power allows)` : ''
      }.`,
      `  transaction ${signature}`,
      `  mint it with: gtx settle-meter-balance --meter-id ${body.meter_id}`,
    ].join('\n'),
  };
}

async function eventsOfTransaction(connection: Connection, signature: string) {
  try {
    const transaction = await connection.getTransaction(signature, {
      commitment: 'confirmed',
      maxSupportedTransactionVersion: 0,
    });
    return eventsOf(transaction?.meta ?? undefined).events;
  } catch (error) {
    throw toChainError(error, { signature });
  }
}

export async function settleBalance(
  targets: Targets,
  options: { meterId: string; payerKey: string | undefined; mint: boolean },
): Promise<Result> {
  const { meterId, mint } = options;
  const connection = connectTo(targets);
  const payer = loadPayer(targets.layout, options.payerKey, ['feePayer', 'owner']);
  const look = async () => {
    const found = await fetchMeter(connection, meterId);
    if (found === undefined) throw new GtxError('METER_NOT_REGISTERED', undefined, { meter_id: meterId });
    return { ...found, due: found.eligible - (mint ? found.minted : found.settled) };
  };
  let meter = await look();
  let signature: string | undefined;
  if (meter.due > 0n) {
    if (mint) await ensureTokenAccounts(connection, payer, [meter.owner]);
    try {
      ({ signature } = await sendAndConfirm(connection, {
        payer,
        instructions: [
          mint
            ? instructions.settleAndMintTokens({ meterId, owner: meter.owner })
            : instructions.settleMeterBalance({ meterId }),
        ],
      }));
    } catch (error) {
      if (!(error instanceof GtxError) || error.details?.reason !== 'NoUnsettledBalance') throw error;
      // A collector may have settled it meanwhile.
      meter = await look();
      if (meter.due > 0n) throw error;
    }
  }
  const state = { meter_id: meterId, owner: meter.owner.toBase58(), held_kwh: nkwhToKwh(meter.held) };
  const heldText =
    meter.held > 0n ? `\n  ${nkwhToKwh(meter.held)} kWh are held back until the registrar releases them` : '';
  if (signature === undefined) {
    return {
      json: {
        ...state,
        changed: false,
        settled_kwh: '0',
        minted_grid: '0',
        total_minted_grid: nkwhToKwh(meter.minted),
      },
      text: mint
        ? `Nothing to settle: all ${nkwhToKwh(meter.minted)} GRID of ${meterId} are minted.${heldText}`
        : `Nothing to settle: all of ${meterId} is settled, and ${nkwhToKwh(meter.minted)} GRID of it are minted.${heldText}`,
    };
  }
  const events = await eventsOfTransaction(connection, signature);
  const settled = sum(
    events.map((event) => (event.name === 'MeterBalanceSettled' ? event.data.newTokens : 0n)),
  );
  const minted = sum(events.map((event) => (event.name === 'ProductionMinted' ? event.data.amount : 0n)));
  return {
    json: {
      ...state,
      changed: true,
      settled_kwh: nkwhToKwh(settled),
      minted_grid: nkwhToKwh(minted),
      total_minted_grid: nkwhToKwh(meter.minted + minted),
      signature,
    },
    text: [
      mint
        ? `Minted ${nkwhToKwh(minted)} GRID for ${meterId} to ${meter.owner.toBase58()}.`
        : `Settled ${nkwhToKwh(settled)} kWh of ${meterId}; minting them is a step of its own.`,
      `  transaction ${signature}${heldText}`,
    ].join('\n'),
  };
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);

export async function burnGrid(
  targets: Targets,
  options: {
    amount: Nkwh;
    meterId: string | undefined;
    ownerKey: string | undefined;
    payerKey: string | undefined;
  },
): Promise<Result> {
  const { amount, meterId } = options;
  const { layout } = targets;
  const owner = loadKey(layout, 'owner', options.ownerKey);
  const payer =
    options.payerKey === undefined && options.ownerKey !== undefined
      ? owner
      : loadPayer(layout, options.payerKey, ['feePayer', 'owner']);
  const connection = connectTo(targets);
  const { signature } = await sendAndConfirm(connection, {
    payer,
    signers: [owner],
    instructions: [
      meterId === undefined
        ? instructions.burn({ owner: owner.publicKey, amountNkwh: amount })
        : instructions.retire({ owner: owner.publicKey, meterId, amountNkwh: amount }),
    ],
  });
  let left: string;
  try {
    const account = await connection.getTokenAccountBalance(gridTokenAccount(owner.publicKey), 'confirmed');
    left = nkwhToKwh(BigInt(account.value.amount));
  } catch (error) {
    throw toChainError(error, { signature });
  }
  return {
    json: {
      owner: owner.publicKey.toBase58(),
      burned_grid: nkwhToKwh(amount),
      meter_id: meterId ?? null,
      left_grid: left,
      signature,
    },
    text: `Burned ${nkwhToKwh(amount)} GRID${meterId === undefined ? '' : ` as consumption of meter ${meterId}`}; ${left} GRID are left.\n  transaction ${signature}`,
  };
}

export async function decideHeld(
  targets: Targets,
  options: { meterId: string; sequence: bigint; authorityKey: string | undefined; release: boolean },
): Promise<Result> {
  const { meterId, sequence, release } = options;
  const authority = loadKey(targets.layout, 'registrar', options.authorityKey);
  const connection = connectTo(targets);
  const meter = await fetchMeter(connection, meterId);
  if (meter === undefined) throw new GtxError('METER_NOT_REGISTERED', undefined, { meter_id: meterId });
  const hold = meter.holds.find((one) => one.amount > 0n && one.sequence === sequence);
  if (hold === undefined) {
    const held = meter.holds
      .filter((one) => one.amount > 0n)
      .map((one) => `${one.sequence}: ${nkwhToKwh(one.amount)} kWh`);
    throw new GtxError('NOT_FOUND', `nothing of ${meterId} is held under sequence ${sequence}`, { held });
  }
  const args = { authority: authority.publicKey, meterId, sequence };
  const { signature } = await sendAndConfirm(connection, {
    payer: authority,
    instructions: [release ? instructions.releaseHeld(args) : instructions.writeOffHeld(args)],
  });
  const amount = nkwhToKwh(hold.amount);
  return {
    json: {
      meter_id: meterId,
      sequence: sequence.toString(),
      [release ? 'released_kwh' : 'written_off_kwh']: amount,
      signature,
    },
    text: `${release ? 'Released' : 'Wrote off'} ${amount} kWh of ${meterId} held under sequence ${sequence}.\n  transaction ${signature}`,
  };
}

const capText = (cap: Nkwh): string => (cap === 0n ? 'none' : `${nkwhToKwh(cap)} kWh a day`);

/** Shows the registry's limits, and changes those that are named. */
export async function changeLimits(
  targets: Targets,
  options: {
    adminKey: string | undefined;
    maxRatedWatts: number | undefined;
    dailyMintCap: Nkwh | undefined;
  },
): Promise<Result> {
  const connection = connectTo(targets);
  const { maxRatedWatts, dailyMintCap } = options;
  const changes = maxRatedWatts !== undefined || dailyMintCap !== undefined;
  const config = await fetchConfig(connection);
  if (!config) {
    throw new GtxError('NOT_FOUND', 'the registry is not initialised on this chain: run gtx chain init');
  }
  const result = changes
    ? await setLimits(connection, {
        admin: loadKey(targets.layout, 'upgradeAuthority', options.adminKey),
        maxRatedWatts,
        dailyMintCapNkwh: dailyMintCap,
      })
    : {
        changed: false,
        signature: undefined,
        maxRatedWatts: config.maxRatedWatts,
        dailyMintCapNkwh: config.dailyMintCap,
      };
  return {
    json: {
      changed: result.changed,
      ...(result.signature === undefined ? {} : { signature: result.signature }),
      max_rated_watts: result.maxRatedWatts,
      daily_mint_cap_kwh: nkwhToKwh(result.dailyMintCapNkwh),
    },
    text: [
      ...(changes
        ? [changedText(result.changed, 'Changed the limits.', 'They are so already.', result.signature)]
        : []),
      `  rated power of a meter at most ${result.maxRatedWatts} W`,
      `  daily mint cap of a meter: ${capText(result.dailyMintCapNkwh)}`,
    ].join('\n'),
  };
}

/** Shows what a meter may mint in a day, and sets its own cap where one is given (0: the registry's). */
export async function changeMeterCap(
  targets: Targets,
  options: { meterId: string; dailyMintCap: Nkwh | undefined; authorityKey: string | undefined },
): Promise<Result> {
  const connection = connectTo(targets);
  const { meterId, dailyMintCap } = options;
  let signature: string | undefined;
  let changed = false;
  if (dailyMintCap !== undefined) {
    ({ changed, signature } = await setMeterCap(connection, {
      authority: loadKey(targets.layout, 'registrar', options.authorityKey),
      meterId,
      dailyMintCapNkwh: dailyMintCap,
    }));
  }
  const [config, meter, now] = [
    await fetchConfig(connection),
    await fetchMeter(connection, meterId),
    await chainTime(connection),
  ];
  if (!config || !meter) throw new GtxError('METER_NOT_REGISTERED', undefined, { meter_id: meterId });
  const { capNkwh, leftNkwh, nextDay } = mintAllowance(meter, config, now);
  const due = meter.eligible - meter.minted;
  const until = new Date(Number(nextDay) * 1_000).toISOString();
  return {
    json: {
      meter_id: meterId,
      changed,
      ...(signature === undefined ? {} : { signature }),
      own_cap_kwh: nkwhToKwh(meter.dailyMintCap),
      cap_kwh: capNkwh === undefined ? null : nkwhToKwh(capNkwh),
      left_today_kwh: capNkwh === undefined ? null : nkwhToKwh(leftNkwh),
      due_kwh: nkwhToKwh(due),
      next_day: until,
    },
    text: [
      ...(dailyMintCap === undefined
        ? []
        : [changedText(changed, `Changed the cap of ${meterId}.`, 'It is so already.', signature)]),
      `  daily mint cap of ${meterId}: ${capText(capNkwh ?? 0n)}${meter.dailyMintCap > 0n ? ' (its own)' : ''}`,
      ...(capNkwh === undefined ? [] : [`  left until ${until}: ${nkwhToKwh(leftNkwh)} kWh`]),
      `  still to be minted: ${nkwhToKwh(due)} kWh`,
    ].join('\n'),
  };
}

/** What is known of GRID: its metadata as wallets show it, and its supply. */
export async function showToken(
  targets: Targets,
  options: { uri: string | undefined; adminKey: string | undefined },
): Promise<Result> {
  const connection = connectTo(targets);
  let outcome: { changed: boolean; signature?: string } = { changed: false };
  if (options.uri !== undefined) {
    const admin = loadKey(targets.layout, 'upgradeAuthority', options.adminKey);
    outcome = await setMetadataUri(connection, { admin, uri: options.uri });
  }
  const [mint, totals] = [await fetchGridMint(connection), await fetchTokenConfig(connection)];
  if (!mint || !totals) {
    throw new GtxError('NOT_FOUND', 'there is no GRID mint on this chain: run gtx chain init');
  }
  const { metadata } = mint;
  const address = gridMintAddress().toBase58();
  return {
    json: {
      mint: address,
      token_program: GRID_TOKEN_PROGRAM_ID.toBase58(),
      changed: outcome.changed,
      ...(outcome.signature === undefined ? {} : { signature: outcome.signature }),
      name: metadata?.name ?? null,
      symbol: metadata?.symbol ?? null,
      decimals: mint.decimals,
      uri: metadata?.uri ?? null,
      fields: Object.fromEntries(metadata?.fields ?? []),
      supply_grid: nkwhToKwh(mint.supply),
      minted_grid: nkwhToKwh(totals.totalMinted),
      burned_grid: nkwhToKwh(totals.totalBurned),
      retired_grid: nkwhToKwh(totals.totalRetired),
    },
    text: [
      ...(options.uri === undefined
        ? []
        : [changedText(outcome.changed, 'Changed the URI.', 'It is so already.', outcome.signature)]),
      `${metadata?.name ?? 'GRID'} (${metadata?.symbol ?? ''}), ${mint.decimals} decimals, Token-2022 mint ${address}`,
      ...[...(metadata?.fields ?? [])].map(([key, value]) => `  ${key}: ${value}`),
      `  URI: ${metadata?.uri || 'none'}`,
      `  in circulation ${nkwhToKwh(mint.supply)}, minted ${nkwhToKwh(totals.totalMinted)}, burned ${nkwhToKwh(totals.totalBurned)} (${nkwhToKwh(totals.totalRetired)} as consumption)`,
    ].join('\n'),
  };
}
