import { ENERGY_TOKEN_PROGRAM_ID, fetchGridMint, REGISTRY_PROGRAM_ID, toChainError } from '@gridtokenx/chain';
import { GtxError } from '@gridtokenx/protocol';
import type { Connection } from '@solana/web3.js';
import type pg from 'pg';

/**
 * Binds the database to the chain on first use, and afterwards refuses any other: a database that mirrors one
 * chain and settles on another would mark readings as minted that are not.
 *
 * @returns the chain's genesis hash, base58.
 * @throws GtxError CONFIG_INVALID when the database belongs to another chain or to other programs, CONFLICT when the
 * chain's GRID mint is one that an earlier version made,
 * CHAIN_UNAVAILABLE when the node does not answer.
 */
export async function bindNetwork(pool: pg.Pool, connection: Connection): Promise<string> {
  let genesisHash: string;
  try {
    genesisHash = await connection.getGenesisHash();
  } catch (error) {
    throw toChainError(error);
  }
  await fetchGridMint(connection);
  const registry = REGISTRY_PROGRAM_ID.toBase58();
  const energyToken = ENERGY_TOKEN_PROGRAM_ID.toBase58();
  await pool.query(
    `INSERT INTO chain_network (genesis_hash, registry_program, energy_token_program) VALUES ($1, $2, $3)
     ON CONFLICT DO NOTHING`,
    [genesisHash, registry, energyToken],
  );
  const { rows } = await pool.query<{
    genesis_hash: string;
    registry_program: string;
    energy_token_program: string;
  }>('SELECT genesis_hash, registry_program, energy_token_program FROM chain_network');
  const bound = rows[0];
  if (
    bound?.genesis_hash !== genesisHash ||
    bound.registry_program !== registry ||
    bound.energy_token_program !== energyToken
  ) {
    throw new GtxError(
      'CONFIG_INVALID',
      'this database belongs to another chain: use the chain it was made with, or an empty database',
      {
        database: bound ?? null,
        chain: { genesis_hash: genesisHash, registry_program: registry, energy_token_program: energyToken },
      },
    );
  }
  return genesisHash;
}
