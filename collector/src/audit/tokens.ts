import {
  decodeGridMint,
  decodeTokenConfig,
  GRID_TOKEN_PROGRAM_ID,
  gridMintAddress,
  type TokenHolding,
  tokenConfigAddress,
  walkTokenAccounts,
} from '@gridtokenx/chain';
import { GtxError } from '@gridtokenx/protocol';
import type { Connection } from '@solana/web3.js';
import type { Differences } from './differences.js';
import { LOOKS, readAccounts } from './rows.js';

/** Who holds GRID, in base units as decimal strings. */
export interface HoldingFigures {
  /** The mint's supply after all accounts were added up. */
  readonly supply: string;
  readonly tokenAccounts: number;
  /** Of all token accounts; what is in escrows and what is in wallets make it up. */
  readonly held: string;
  readonly inEscrows: string;
  readonly inWallets: string;
}

/** The mint at one moment: what there is, and what was ever minted. */
interface SupplyNow {
  readonly supply: bigint;
  readonly minted: bigint;
}

/** What the supply can have been between two looks, whatever was minted and burned in whatever order. */
export function possibleSupply(before: SupplyNow, after: SupplyNow): { least: bigint; most: bigint } {
  const minted = after.minted - before.minted;
  // Nothing minted yet and all burned; nothing burned yet and all minted.
  return { least: after.supply - minted, most: before.supply + minted };
}

/**
 * Adds up every token account of GRID, as of one slot and in bounded memory, and holds the sum against the mint's
 * supply. Minting and burning may go on: the sum must be one that the supply can have had between a look before and a
 * look after it.
 *
 * @param isEscrow whether a token account is an open order's escrow.
 * @param onHoldings gets every token account, in batches; more than once when the sum is looked at again.
 * @throws GtxError CHAIN_UNAVAILABLE, NOT_FOUND without energy-token.
 */
export async function checkHoldings(
  connection: Connection,
  differences: Differences,
  isEscrow: (address: string) => boolean,
  onHoldings: (batch: readonly TokenHolding[]) => Promise<void> | void = () => undefined,
): Promise<HoldingFigures> {
  for (let look = 1; ; look++) {
    const before = await supplyNow(connection);
    let tokenAccounts = 0;
    let held = 0n;
    let inEscrows = 0n;
    await walkTokenAccounts(connection, gridMintAddress(), GRID_TOKEN_PROGRAM_ID, async (batch) => {
      for (const { address, amount } of batch) {
        tokenAccounts += 1;
        held += amount;
        if (isEscrow(address)) inEscrows += amount;
      }
      await onHoldings(batch);
    });
    const after = await supplyNow(connection);
    const { least, most } = possibleSupply(before, after);
    const fits = held >= least && held <= most;
    if (!fits && look < LOOKS) continue;
    if (!fits) {
      differences.add('TOKEN_SUM', {
        expected: least === most ? `supply ${least}` : `a supply between ${least} and ${most}`,
        actual: `${held} in ${tokenAccounts} token accounts`,
      });
    }
    return {
      supply: after.supply.toString(),
      tokenAccounts,
      held: held.toString(),
      inEscrows: inEscrows.toString(),
      inWallets: (held - inEscrows).toString(),
    };
  }
}

/** The mint's supply and what was ever minted, of one moment. */
async function supplyNow(connection: Connection): Promise<SupplyNow> {
  const [mint, config] = [gridMintAddress(), tokenConfigAddress()];
  const accounts = await readAccounts(connection, [mint, config]);
  const [mintAccount, configAccount] = [accounts.get(mint.toBase58()), accounts.get(config.toBase58())];
  if (!mintAccount || !configAccount) {
    throw new GtxError(
      'NOT_FOUND',
      'energy-token is not initialised on this chain: there is nothing to audit',
    );
  }
  return {
    supply: decodeGridMint(mintAccount.data).supply,
    minted: decodeTokenConfig(configAccount.data).totalMinted,
  };
}
