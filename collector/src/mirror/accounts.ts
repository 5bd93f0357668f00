import { decodeMeter, decodeUser, REGISTRY_PROGRAM_ID, toChainError, userAddress } from '@gridtokenx/chain';
import { type AccountInfo, type Connection, PublicKey } from '@solana/web3.js';
import type pg from 'pg';
import type { MeterStatus } from '../ports.js';

export type MeterAccount = ReturnType<typeof decodeMeter>;
export type UserAccount = ReturnType<typeof decodeUser>;

/** Accounts of meters and their owners as of one slot. */
export interface AccountSnapshot {
  readonly slot: number;
  /** By the meter's address, base58. */
  readonly meters: ReadonlyMap<string, MeterAccount>;
  /** By the wallet, base58. */
  readonly users: ReadonlyMap<string, UserAccount>;
}

export const EMPTY_SNAPSHOT: AccountSnapshot = { slot: 0, meters: new Map(), users: new Map() };

/** getMultipleAccounts takes at most this many addresses. */
const ACCOUNTS_PER_REQUEST = 100;
const STATUSES: readonly MeterStatus[] = ['active', 'suspended', 'rebase'];

/** The word for a meter's status code. */
export function statusOf(code: number): MeterStatus {
  const status = STATUSES[code];
  if (status === undefined) throw new RangeError(`unknown meter status ${code}`);
  return status;
}

/**
 * Reads the accounts of these meters and of their owners, and of further wallets. What does not exist, or is no
 * account of the registry, is left out.
 *
 * @param minContextSlot no older state than of this slot.
 * @throws GtxError CHAIN_UNAVAILABLE
 */
export async function fetchSnapshot(
  connection: Connection,
  meterAddresses: readonly string[],
  wallets: readonly string[] = [],
  minContextSlot?: number,
): Promise<AccountSnapshot> {
  let slot = Number.POSITIVE_INFINITY;
  const fetch = async (addresses: readonly PublicKey[]): Promise<(AccountInfo<Buffer> | null)[]> => {
    const found: (AccountInfo<Buffer> | null)[] = [];
    for (let start = 0; start < addresses.length; start += ACCOUNTS_PER_REQUEST) {
      try {
        const { context, value } = await connection.getMultipleAccountsInfoAndContext(
          addresses.slice(start, start + ACCOUNTS_PER_REQUEST),
          { commitment: 'confirmed', ...(minContextSlot === undefined ? {} : { minContextSlot }) },
        );
        slot = Math.min(slot, context.slot);
        found.push(...value);
      } catch (error) {
        throw toChainError(error);
      }
    }
    return found;
  };
  const ours = (account: AccountInfo<Buffer> | null | undefined): account is AccountInfo<Buffer> =>
    account?.owner.equals(REGISTRY_PROGRAM_ID) ?? false;

  const unique = [...new Set(meterAddresses)];
  const meters = new Map<string, MeterAccount>();
  const meterAccounts = await fetch(unique.map((address) => new PublicKey(address)));
  unique.forEach((address, index) => {
    const account = meterAccounts[index];
    if (ours(account)) meters.set(address, decodeMeter(account.data));
  });

  const owners = [...new Set([...wallets, ...[...meters.values()].map(({ owner }) => owner.toBase58())])];
  const users = new Map<string, UserAccount>();
  const userAccounts = await fetch(owners.map((wallet) => userAddress(new PublicKey(wallet))));
  owners.forEach((wallet, index) => {
    const account = userAccounts[index];
    if (ours(account)) users.set(wallet, decodeUser(account.data));
  });
  return { slot: Number.isFinite(slot) ? slot : 0, meters, users };
}

/** First of all that a transaction writes of meters, and in one order: so do ingestion, the mirror and the reviews. */
export async function lockMeters(client: pg.ClientBase, meterIds: readonly string[]): Promise<void> {
  await client.query('SELECT FROM meters WHERE meter_id = ANY($1::text[]) ORDER BY meter_id FOR UPDATE', [
    meterIds,
  ]);
}

/**
 * Writes a snapshot into `users` and `meters`, inside the caller's transaction. A row that a newer slot wrote
 * stays as it is, unless `force` says that what it has is wrong.
 *
 * @returns the meters whose rows say now what the snapshot says.
 */
export async function writeSnapshot(
  client: pg.ClientBase,
  snapshot: AccountSnapshot,
  force = false,
): Promise<MeterAccount[]> {
  const { slot, meters, users } = snapshot;
  const wallets = [...users].sort(([a], [b]) => (a < b ? -1 : 1));
  if (wallets.length > 0) {
    await client.query(
      `INSERT INTO users (wallet_address, verified, registered_at, slot)
       SELECT wallet, verified, to_timestamp(registered), $4
       FROM unnest($1::text[], $2::boolean[], $3::bigint[]) AS u (wallet, verified, registered)
       ON CONFLICT (wallet_address) DO UPDATE SET verified = excluded.verified,
         registered_at = excluded.registered_at, slot = excluded.slot, updated_at = now()
       WHERE users.slot <= excluded.slot OR $5`,
      [
        wallets.map(([wallet]) => wallet),
        wallets.map(([, user]) => isSet(user.verified)),
        wallets.map(([, user]) => user.registeredAt.toString()),
        slot,
        force,
      ],
    );
  }
  // One order for everybody who locks several meters: ingestion does the same.
  const byId = [...meters].sort(([, a], [, b]) => (a.meterId < b.meterId ? -1 : 1));
  const written: MeterAccount[] = [];
  for (const [address, meter] of byId) {
    const owner = meter.owner.toBase58();
    const { rowCount } = await client.query(
      `INSERT INTO meters (meter_id, address, user_id, wallet_address, public_key, rated_watts, status,
         registered_at, chain_sequence, chain_end, chain_produced_total, chain_consumed_total, chain_surplus_total,
         chain_eligible, chain_settled, chain_minted, chain_held, token_account, mint_due_since, slot)
       SELECT $1, $2, u.id, u.wallet_address, $4, $5::bigint, $6, to_timestamp($7), $8::numeric, $9::bigint, $10::numeric,
         $11::numeric, $12::numeric, $13::numeric, $14::numeric, $15::numeric, $16::numeric, $17,
         CASE WHEN $13::numeric > $15::numeric THEN now() END, $18::numeric
       FROM users u WHERE u.wallet_address = $3
       ON CONFLICT (meter_id) DO UPDATE SET address = excluded.address, user_id = excluded.user_id,
         wallet_address = excluded.wallet_address, public_key = excluded.public_key,
         rated_watts = excluded.rated_watts, status = excluded.status, registered_at = excluded.registered_at,
         chain_sequence = excluded.chain_sequence, chain_end = excluded.chain_end,
         chain_produced_total = excluded.chain_produced_total,
         chain_consumed_total = excluded.chain_consumed_total,
         chain_surplus_total = excluded.chain_surplus_total, chain_eligible = excluded.chain_eligible,
         chain_settled = excluded.chain_settled, chain_minted = excluded.chain_minted,
         chain_held = excluded.chain_held, token_account = excluded.token_account,
         mint_due_since = CASE WHEN excluded.mint_due_since IS NULL THEN NULL
           ELSE coalesce(meters.mint_due_since, excluded.mint_due_since) END,
         slot = excluded.slot, updated_at = now()
       WHERE meters.slot <= excluded.slot OR $19`,
      [
        meter.meterId,
        address,
        owner,
        meter.publicKey.toBase58(),
        meter.ratedWatts,
        statusOf(meter.status),
        Number(meter.registeredAt),
        meter.lastSequence.toString(),
        meter.lastEnd,
        meter.producedTotal.toString(),
        meter.consumedTotal.toString(),
        meter.surplusTotal.toString(),
        meter.eligible.toString(),
        meter.settled.toString(),
        meter.minted.toString(),
        meter.held.toString(),
        meter.tokenAccount.toBase58(),
        slot,
        force,
      ],
    );
    if (rowCount !== 0) written.push(meter);
  }
  return written;
}

/** A flag of an account: programs keep them as a byte, or as a bool. */
function isSet(flag: number | boolean): boolean {
  return flag === true || flag === 1;
}
