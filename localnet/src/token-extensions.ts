// Token-2022's extensions as `jsonParsed` shows them (agave: account-decoder/src/parse_token_extension.rs, and
// spl-token-metadata-interface's TokenMetadata).
import { encodeBase58 } from './base58.js';
import type { Json } from './json.js';
import type { Extension } from './token.js';

const ACCOUNT_STATES = ['uninitialized', 'initialized', 'frozen'];

/** An address of which zero means none. */
function optionalAddress(value: Buffer, offset: number): string | null {
  const bytes = value.subarray(offset, offset + 32);
  return bytes.every((byte) => byte === 0) ? null : encodeBase58(bytes);
}

/** Borsh: length u32, then UTF-8. */
class Reader {
  constructor(
    private readonly value: Buffer,
    private at: number,
  ) {}

  count(): number {
    this.at += 4;
    return this.value.readUInt32LE(this.at - 4);
  }

  text(): string {
    const length = this.count();
    if (this.at + length > this.value.length) throw new RangeError('cut off');
    this.at += length;
    return this.value.subarray(this.at - length, this.at).toString('utf8');
  }
}

function tokenMetadata(value: Buffer): Json {
  const reader = new Reader(value, 64);
  const [name, symbol, uri] = [reader.text(), reader.text(), reader.text()];
  return {
    updateAuthority: optionalAddress(value, 0),
    mint: encodeBase58(value.subarray(32, 64)),
    name,
    symbol,
    uri,
    additionalMetadata: Array.from({ length: reader.count() }, () => [reader.text(), reader.text()]),
  };
}

/** By type: the name, and the state where there is one. What is not here is shown as `unparseableExtension`. */
const PARSERS: ReadonlyMap<number, { extension: string; state?: (value: Buffer) => Json }> = new Map([
  [3, { extension: 'mintCloseAuthority', state: (value) => ({ closeAuthority: optionalAddress(value, 0) }) }],
  [
    6,
    {
      extension: 'defaultAccountState',
      state: (value) => ({ accountState: ACCOUNT_STATES[value[0] as number] ?? null }),
    },
  ],
  [7, { extension: 'immutableOwner' }],
  [8, { extension: 'memoTransfer', state: (value) => ({ requireIncomingTransferMemos: value[0] === 1 }) }],
  [9, { extension: 'nonTransferable' }],
  [11, { extension: 'cpiGuard', state: (value) => ({ lockCpi: value[0] === 1 }) }],
  [12, { extension: 'permanentDelegate', state: (value) => ({ delegate: optionalAddress(value, 0) }) }],
  [13, { extension: 'nonTransferableAccount' }],
  [
    18,
    {
      extension: 'metadataPointer',
      state: (value) => ({
        authority: optionalAddress(value, 0),
        metadataAddress: optionalAddress(value, 32),
      }),
    },
  ],
  [19, { extension: 'tokenMetadata', state: tokenMetadata }],
]);

/** The `extensions` of a parsed mint or token account; undefined where there are none. */
export function parseExtensions(extensions: readonly Extension[]): Json[] | undefined {
  if (extensions.length === 0) return undefined;
  return extensions.map(({ type, value }): Json => {
    const parser = PARSERS.get(type);
    if (!parser) return { extension: 'unparseableExtension' };
    if (!parser.state) return { extension: parser.extension };
    try {
      return { extension: parser.extension, state: parser.state(value) };
    } catch {
      // Shorter than it says: a node gives up on it too.
      return { extension: 'unparseableExtension' };
    }
  });
}
