import { readFileSync } from 'node:fs';
import { TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID } from '@solana/spl-token';
import { type AccountInfo, type Connection, Keypair, PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { decodeGridMint, fetchGridMint } from './mint.js';
import { mintAllowance } from './setup.js';

/** A chain on which this account lies at every address. */
const chainWith = (account: Partial<AccountInfo<Buffer>> | null) =>
  ({ getAccountInfo: async () => account }) as unknown as Connection;

describe('the GRID mint', () => {
  it('is read as a real validator keeps such a mint', () => {
    const fixture = JSON.parse(
      readFileSync(new URL('../../localnet/src/fixtures/validator.json', import.meta.url), 'utf8'),
    ) as { exchanges: { name: string; response: { result: { value: { data: [string] } } } }[] };
    const recorded = fixture.exchanges.find(({ name }) => name === 'mint with metadata in base64');
    const data = Buffer.from(recorded?.response.result.value.data[0] ?? '', 'base64');
    const mint = decodeGridMint(data);
    expect(mint).toMatchObject({ decimals: 9, supply: 15_299_999_999n, freezeAuthority: undefined });
    expect(mint.metadata).toMatchObject({ name: 'GRID', symbol: 'GRID', uri: '' });
    expect(mint.metadata?.fields).toEqual(new Map([['unit', '1 kWh']]));
    expect(mint.metadata?.updateAuthority).toEqual(mint.mintAuthority);
    for (const length of [0, 82, 165, 170, 300, data.length - 1]) {
      // Without all of its metadata it is no mint of ours; a mint without any is one that has none.
      const cut = () => decodeGridMint(data.subarray(0, length));
      if (length === 82 || length === 170) expect(cut().metadata).toBeUndefined();
      else expect(cut).toThrow(expect.objectContaining({ code: 'MESSAGE_INVALID' }));
    }
  });

  it('of an earlier version is refused with what to do', async () => {
    const classic = { owner: TOKEN_PROGRAM_ID, data: Buffer.alloc(82) };
    await expect(fetchGridMint(chainWith(classic))).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('--data-dir'),
    });
  });

  it('is absent where nobody made it, lamports or not', async () => {
    expect(await fetchGridMint(chainWith(null))).toBeUndefined();
    expect(
      await fetchGridMint(chainWith({ owner: PublicKey.default, data: Buffer.alloc(0) })),
    ).toBeUndefined();
    const account = {
      owner: TOKEN_2022_PROGRAM_ID,
      data: Buffer.from(Keypair.generate().publicKey.toBytes()),
    };
    await expect(fetchGridMint(chainWith(account))).rejects.toMatchObject({ code: 'MESSAGE_INVALID' });
  });
});

describe('mintAllowance', () => {
  const day = 86_400n;
  const meter = { dailyMintCap: 0n, mintedToday: 30n, mintedOn: 5n };

  it('is the cap less what the day has minted, the meter’s own cap before the registry’s', () => {
    const at = (now: bigint, own = 0n, cap = 100n) =>
      mintAllowance({ ...meter, dailyMintCap: own }, { dailyMintCap: cap }, now);
    expect(at(5n * day)).toEqual({ capNkwh: 100n, leftNkwh: 70n, nextDay: 6n * day });
    expect(at(6n * day - 1n)).toMatchObject({ leftNkwh: 70n, nextDay: 6n * day });
    expect(at(6n * day)).toMatchObject({ leftNkwh: 100n, nextDay: 7n * day });
    expect(at(5n * day, 40n)).toMatchObject({ capNkwh: 40n, leftNkwh: 10n });
    expect(at(5n * day, 20n)).toMatchObject({ leftNkwh: 0n });
    expect(at(5n * day, 0n, 0n)).toMatchObject({ capNkwh: undefined, leftNkwh: 2n ** 64n - 1n });
  });
});
