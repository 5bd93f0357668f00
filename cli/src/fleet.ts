import { ownerMessageFor, registerMeter, registerUser, verifyUser } from '@gridtokenx/chain';
import type { Fleet } from '@gridtokenx/simulator';
import { Keypair } from '@solana/web3.js';
import { connectTo, loadKey } from './chain-actions.js';
import { ensureFunds } from './funds.js';
import type { Targets } from './targets.js';

const AT_ONCE = 8;
const SAY_EVERY = 100;

/**
 * Registers a fleet's owners and meters on the chain, as an operator would register real ones; what is registered
 * already stays. The data folder's registrar signs and pays.
 * @returns how many meters are new
 */
export async function registerFleet(
  targets: Targets,
  fleet: Fleet,
  ratedWatts: number,
  say: (text: string) => void,
): Promise<number> {
  const connection = connectTo(targets);
  const registrar = loadKey(targets.layout, 'registrar', undefined);
  await ensureFunds(connection, [registrar.publicKey]);
  const { meters, wallets } = fleet.config;
  const owners = Array.from({ length: Math.min(meters, wallets) }, (_, index) =>
    Keypair.fromSeed(fleet.walletSecret(index)),
  );
  await inParallel(owners, async (wallet) => {
    await registerUser(connection, { payer: registrar, wallet });
    await verifyUser(connection, { payer: registrar, registrar, wallet: wallet.publicKey });
  });
  const byWallet = new Map(owners.map((owner) => [owner.publicKey.toBase58(), owner]));
  let done = 0;
  let added = 0;
  await inParallel(fleet.meters(), async (meter) => {
    const owner = byWallet.get(meter.wallet) as Keypair;
    const { changed } = await registerMeter(connection, {
      payer: registrar,
      owner,
      registrar,
      meterId: meter.meterId,
      publicKey: meter.publicKey,
      consent: meter.sign(await ownerMessageFor(connection, meter.meterId, owner.publicKey)),
      ratedWatts,
    });
    done += 1;
    if (changed) added += 1;
    if (done % SAY_EVERY === 0) say(`${done} of ${meters} meters are registered`);
  });
  return added;
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const todo = items.values();
  const worker = async () => {
    for (const item of todo) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
