import {
  chainInit,
  ensureTokenAccounts,
  ownerMessageFor,
  registerMeter,
  registerUser,
  signMessage,
  verifyUser,
} from '@gridtokenx/chain';
import { GtxError } from '@gridtokenx/protocol';
import { type Connection, type Keypair, LAMPORTS_PER_SOL, type PublicKey } from '@solana/web3.js';

export interface SetupKeys {
  readonly upgradeAuthority: Keypair;
  readonly registrar: Keypair;
  readonly guardian: Keypair;
  readonly owner: Keypair;
  readonly feePayer: Keypair;
  readonly meter: Keypair;
}

/** Enough for initialising, registering and years of a demo's fees. */
const WANTED_LAMPORTS = 2 * LAMPORTS_PER_SOL;
const LEAST_LAMPORTS = LAMPORTS_PER_SOL / 2;

/**
 * Sees to it that wallets can pay: those with less than half a SOL get an airdrop where the cluster gives one.
 * @throws GtxError CHAIN_REFUSED naming the addresses to fund, where it gives none
 */
export async function ensureFunds(connection: Connection, wallets: readonly PublicKey[]): Promise<void> {
  const poor: PublicKey[] = [];
  for (const wallet of wallets)
    if ((await connection.getBalance(wallet, 'confirmed')) < LEAST_LAMPORTS) poor.push(wallet);
  const refused: string[] = [];
  const reasons = new Set<string>();
  await Promise.all(
    poor.map(async (wallet) => {
      try {
        await connection.requestAirdrop(wallet, WANTED_LAMPORTS);
        await untilFunded(connection, wallet);
      } catch (error) {
        refused.push(wallet.toBase58());
        reasons.add((error as Error).message.split('\n')[0] ?? '');
      }
    }),
  );
  if (refused.length > 0) {
    throw new GtxError(
      'CHAIN_REFUSED',
      `the cluster gives no SOL to test with; send at least ${LEAST_LAMPORTS / LAMPORTS_PER_SOL} SOL to each of these wallets and start again`,
      { wallets: refused, reasons: [...reasons] },
    );
  }
}

async function untilFunded(connection: Connection, wallet: PublicKey): Promise<void> {
  const deadline = Date.now() + 60_000;
  while ((await connection.getBalance(wallet, 'confirmed')) < LEAST_LAMPORTS) {
    if (Date.now() > deadline) throw new GtxError('TIMEOUT', 'the airdrop did not arrive within 60 s');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export interface DemoMeter {
  readonly meterId: string;
  readonly ratedWatts: number;
  readonly maxRatedWatts: number;
}

/**
 * Brings the chain to where the demo needs it: programs initialised, owner registered and verified, meter
 * registered. Every step looks first, so that repeating it (after a kill in the middle, at a second start) does
 * only what is missing.
 *
 * @param progress what is being done, for the person who waits
 */
export async function setUpChain(
  connection: Connection,
  keys: SetupKeys,
  meter: DemoMeter,
  progress: (text: string) => void,
): Promise<void> {
  const { upgradeAuthority, registrar, guardian, owner, feePayer } = keys;
  await ensureFunds(
    connection,
    [upgradeAuthority, registrar, feePayer].map(({ publicKey }) => publicKey),
  );
  const init = await chainInit(connection, {
    upgradeAuthority,
    registrar: registrar.publicKey,
    guardian: guardian.publicKey,
    maxRatedWatts: meter.maxRatedWatts,
  });
  if (init.changed) progress(`initialised ${init.initialized.join(' and ')} on the chain`);
  // The registrar pays for what it attests: the owner needs no SOL to take part.
  const user = await registerUser(connection, { payer: registrar, wallet: owner });
  if (user.changed) progress(`registered the owner ${owner.publicKey.toBase58()}`);
  await verifyUser(connection, { payer: registrar, registrar, wallet: owner.publicKey });
  const consent = signMessage(keys.meter, await ownerMessageFor(connection, meter.meterId, owner.publicKey));
  const registered = await registerMeter(connection, {
    payer: registrar,
    owner,
    registrar,
    meterId: meter.meterId,
    publicKey: keys.meter.publicKey.toBytes(),
    consent,
    ratedWatts: meter.ratedWatts,
  });
  if (registered.changed) progress(`registered meter ${meter.meterId}`);
  // A kill between registration and this would leave the owner without an account for GRID.
  await ensureTokenAccounts(connection, registrar, [owner.publicKey]);
}
