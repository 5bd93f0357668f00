import {
  chainInit,
  ensureTokenAccounts,
  ownerMessageFor,
  registerMeter,
  registerUser,
  signMessage,
  verifyUser,
} from '@gridtokenx/chain';
import type { Connection, Keypair } from '@solana/web3.js';
import { type DemoMarket, isEmbeddedChain, type MarketKeys, setUpDemoMarket } from '../demo-market.js';
import { ensureFunds } from '../funds.js';

export interface SetupKeys extends Omit<MarketKeys, 'guardian'> {
  readonly registrar: Keypair;
  readonly guardian: Keypair;
  readonly owner: Keypair;
  readonly feePayer: Keypair;
  readonly meter: Keypair;
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
 * @returns the market of the embedded chain; undefined elsewhere, where a market is opened with `gtx market create`
 */
export async function setUpChain(
  connection: Connection,
  rpcUrl: string,
  keys: SetupKeys,
  meter: DemoMeter,
  progress: (text: string) => void,
): Promise<DemoMarket | undefined> {
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
  if (!(await isEmbeddedChain(rpcUrl, connection))) return undefined;
  // The registrar pays for what it attests; orders and trades are the owner's own to pay for.
  await ensureFunds(connection, [owner.publicKey]);
  const market = await setUpDemoMarket(connection, { ...keys, guardian: guardian.publicKey });
  if (market !== undefined && market.created.length > 0)
    progress(`set the market up: ${market.created.join(', ')}`);
  return market;
}
