import { toChainError } from '@gridtokenx/chain';
import { GtxError } from '@gridtokenx/protocol';
import { type Connection, LAMPORTS_PER_SOL, type PublicKey } from '@solana/web3.js';

/** Enough for initialising, registering and years of a demo's fees. */
const WANTED_SOL = 2;
const LEAST_LAMPORTS = LAMPORTS_PER_SOL / 2;
const PATIENCE_MS = 60_000;

export interface Funded {
  /** Base58. */
  readonly wallet: string;
  readonly lamports: number;
}

async function balanceOf(connection: Connection, wallet: PublicKey): Promise<number> {
  try {
    return await connection.getBalance(wallet, 'confirmed');
  } catch (error) {
    throw toChainError(error);
  }
}

/**
 * Asks the cluster for SOL to test with and waits until it is there.
 * @throws GtxError CHAIN_REFUSED naming the wallets, where the cluster gives none; CHAIN_UNAVAILABLE
 */
export async function airdrop(
  connection: Connection,
  wallets: readonly PublicKey[],
  sol: number,
): Promise<Funded[]> {
  const refused: string[] = [];
  const reasons = new Set<string>();
  const funded: Funded[] = [];
  await Promise.all(
    wallets.map(async (wallet) => {
      const before = await balanceOf(connection, wallet);
      try {
        await connection.requestAirdrop(wallet, sol * LAMPORTS_PER_SOL);
      } catch (error) {
        refused.push(wallet.toBase58());
        reasons.add((error as Error).message.split('\n')[0] ?? '');
        return;
      }
      const deadline = Date.now() + PATIENCE_MS;
      let lamports = before;
      while (lamports <= before) {
        if (Date.now() > deadline)
          throw new GtxError('TIMEOUT', `an airdrop did not arrive within ${PATIENCE_MS / 1_000} s`);
        await new Promise((resolve) => setTimeout(resolve, 100));
        lamports = await balanceOf(connection, wallet);
      }
      funded.push({ wallet: wallet.toBase58(), lamports });
    }),
  );
  if (refused.length > 0) {
    throw new GtxError(
      'CHAIN_REFUSED',
      `the cluster gives no SOL to test with; send ${sol} SOL to each of these wallets and try again`,
      {
        wallets: refused,
        reasons: [...reasons],
      },
    );
  }
  return funded;
}

/** Sees to it that wallets can pay: those with less than half a SOL get an airdrop. @throws as {@link airdrop} */
export async function ensureFunds(connection: Connection, wallets: readonly PublicKey[]): Promise<void> {
  const balances = await Promise.all(wallets.map((wallet) => balanceOf(connection, wallet)));
  await airdrop(
    connection,
    wallets.filter((_, index) => (balances[index] ?? 0) < LEAST_LAMPORTS),
    WANTED_SOL,
  );
}
