import { GtxError } from '@gridtokenx/protocol';
import { ExtensionType, getExtensionData, type Mint, unpackMint } from '@solana/spl-token';
import { type AccountInfo, type Connection, PublicKey } from '@solana/web3.js';
import { gridMintAddress } from './addresses.js';
import { toChainError } from './failure.js';
import { CLASSIC_TOKEN_PROGRAM_ID, GRID_TOKEN_PROGRAM_ID } from './programs.js';

/** What wallets show of a token (spl-token-metadata-interface, `TokenMetadata`). */
export interface TokenMetadata {
  /** Who may change it; undefined when nobody can. */
  updateAuthority: PublicKey | undefined;
  mint: PublicKey;
  name: string;
  symbol: string;
  /** '' for none. */
  uri: string;
  /** Further fields: of GRID `unit` is `1 kWh`. */
  fields: ReadonlyMap<string, string>;
}

/** The GRID mint. */
export interface GridMint {
  decimals: number;
  /** Base units in circulation. */
  supply: bigint;
  mintAuthority: PublicKey | undefined;
  freezeAuthority: PublicKey | undefined;
  metadata: TokenMetadata | undefined;
}

/**
 * Reads a Token-2022 mint with its metadata.
 * @throws GtxError MESSAGE_INVALID when the data is no such mint.
 */
export function decodeGridMint(data: Uint8Array): GridMint {
  try {
    const account = {
      data: Buffer.from(data),
      owner: GRID_TOKEN_PROGRAM_ID,
      executable: false,
      lamports: 0,
    };
    const mint: Mint = unpackMint(gridMintAddress(), account, GRID_TOKEN_PROGRAM_ID);
    const metadata = getExtensionData(ExtensionType.TokenMetadata, mint.tlvData);
    return {
      decimals: mint.decimals,
      supply: mint.supply,
      mintAuthority: mint.mintAuthority ?? undefined,
      freezeAuthority: mint.freezeAuthority ?? undefined,
      metadata: metadata ? decodeMetadata(metadata) : undefined,
    };
  } catch (error) {
    throw new GtxError('MESSAGE_INVALID', 'not a mint of Token-2022', {}, { cause: error });
  }
}

/** Borsh: authority (zero for none), mint, name, symbol, URI, then pairs of key and value. */
function decodeMetadata(data: Buffer): TokenMetadata {
  let at = 64;
  const count = (): number => {
    at += 4;
    return data.readUInt32LE(at - 4);
  };
  const text = (): string => {
    const length = count();
    if (at + length > data.length) throw new RangeError('cut off');
    at += length;
    return data.subarray(at - length, at).toString('utf8');
  };
  const authority = new PublicKey(data.subarray(0, 32));
  const [name, symbol, uri] = [text(), text(), text()];
  const fields = new Map<string, string>();
  for (let left = count(); left > 0; left--) fields.set(text(), text());
  return {
    updateAuthority: authority.equals(PublicKey.default) ? undefined : authority,
    mint: new PublicKey(data.subarray(32, 64)),
    name,
    symbol,
    uri,
    fields,
  };
}

/**
 * The GRID mint; undefined before `chainInit`.
 * @throws GtxError CONFLICT when the chain is one from before GRID was a Token-2022 token, CHAIN_UNAVAILABLE.
 */
export async function fetchGridMint(connection: Connection): Promise<GridMint | undefined> {
  let account: AccountInfo<Buffer> | null;
  try {
    account = await connection.getAccountInfo(gridMintAddress(), 'confirmed');
  } catch (error) {
    throw toChainError(error);
  }
  if (account?.owner.equals(CLASSIC_TOKEN_PROGRAM_ID)) {
    throw new GtxError(
      'CONFLICT',
      'GRID on this chain is a classic SPL token, made by an earlier version; it is a Token-2022 token now, and a ' +
        'mint cannot be changed into one. Keep the earlier version for this chain, or begin with a new one: for the ' +
        'embedded chain another data folder (--data-dir), elsewhere programs deployed under new ids',
      { mint: gridMintAddress().toBase58(), token_program: account.owner.toBase58() },
    );
  }
  // Anybody can send lamports to an address: an account there counts only once the token program owns it.
  return account?.owner.equals(GRID_TOKEN_PROGRAM_ID) ? decodeGridMint(account.data) : undefined;
}
