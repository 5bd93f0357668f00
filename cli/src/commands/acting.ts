import { GtxError } from '@gridtokenx/protocol';
import { type Context, valueOption } from '../command.js';
import type { MarketResult } from '../market-actions.js';
import { resolveTargets, type Targets } from '../targets.js';

export const rpc = () =>
  valueOption(
    '--rpc <url>',
    'Solana RPC (default: SOLANA_RPC_URL, else what gtx up runs, else http://127.0.0.1:8899)',
  );

/**
 * What commands that act on the chain do alike: the actions are loaded when one is wanted, act on the resolved targets, and
 * their result is printed.
 */
export function actionRunner<Actions>(load: () => Promise<Actions>) {
  return async (
    { out, dataDirFlag, env }: Context,
    flags: { rpc?: string; url?: string },
    act: (actions: Actions, targets: Targets) => Promise<MarketResult>,
  ): Promise<undefined> => {
    const targets = resolveTargets(dataDirFlag, env, flags);
    try {
      const { json, text, shown } = await act(await load(), targets);
      out.result(json, text);
      shown?.();
      return undefined;
    } catch (error) {
      throw explainFunds(error);
    }
  };
}

/** What the chain calls a payer that has nothing to pay with. */
const WITHOUT_FUNDS = new Set(['AccountNotFound', 'InsufficientFundsForFee', 'InsufficientFundsForRent']);

/** Says in plain words that whoever pays cannot. */
export function explainFunds(error: unknown): unknown {
  if (!(error instanceof GtxError) || error.code !== 'CHAIN_REFUSED') return error;
  const reason = error.details?.reason;
  if (typeof reason !== 'string' || !WITHOUT_FUNDS.has(reason)) return error;
  return new GtxError(
    'CHAIN_REFUSED',
    'the key that pays has too little SOL (on a test cluster: gtx airdrop gives the data folder’s keys some)',
    error.details,
    { cause: error },
  );
}
