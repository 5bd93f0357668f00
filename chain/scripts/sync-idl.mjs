// Brings the programs' interface descriptions into this package: for each programs/artifacts/NAME.idl.json it
// writes src/idl/NAME.ts with the same JSON and, from it, the TypeScript types of accounts, events and
// arguments. Run it after the programs were rebuilt:
//
//   node chain/scripts/sync-idl.mjs            writes
//   node chain/scripts/sync-idl.mjs --check    exits 1 when a file would change
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const artifacts = fileURLToPath(new URL('../../programs/artifacts/', import.meta.url));
const output = fileURLToPath(new URL('../src/idl/', import.meta.url));

const camel = (name) => name.replace(/_+([a-z0-9])/g, (_, letter) => letter.toUpperCase());
const pascal = (name) => camel(`_${name}`);

/** 32 bytes under this name are a meter id: text for those who read them. */
const isMeterId = (name, type) =>
  name === 'meter_id' && Array.isArray(type?.array) && type.array[0] === 'u8' && type.array[1] === 32;

/** The rules of src/codec.ts, which does at run time what the types here say. */
const FLAGS = new Set([
  'verified',
  'paused',
  'active',
  'rebased',
  'sell_closed',
  'buy_closed',
  'auto_issue',
  'automatic',
]);
const TEXTS = new Set(['beneficiary', 'reason', 'title', 'uri']);
const FILLERS = new Set(['padding', 'reserved']);

/** The TypeScript type of an IDL type. `prefix` keeps two programs' names apart. */
function typeOf(type, prefix, name) {
  if (isMeterId(name, type)) return 'string';
  if (TEXTS.has(name) && type?.array?.[0] === 'u8') return 'string';
  if (FLAGS.has(name) && /^u(8|16|32)$/.test(type)) return 'boolean';
  if (typeof type === 'string') {
    if (/^[ui](8|16|32)$/.test(type)) return 'number';
    if (/^[ui](64|128)$/.test(type)) return 'bigint';
    const simple = { bool: 'boolean', pubkey: 'PublicKey', string: 'string', bytes: 'Uint8Array' }[type];
    if (simple) return simple;
  } else if (type.array) {
    const [item] = type.array;
    return item === 'u8' ? 'Uint8Array' : `${typeOf(item, prefix)}[]`;
  } else if (type.vec) {
    return type.vec === 'u8' ? 'Uint8Array' : `${typeOf(type.vec, prefix)}[]`;
  } else if (type.option) {
    return `${typeOf(type.option, prefix)} | undefined`;
  } else if (type.defined) {
    return `${prefix}${type.defined.name}`;
  }
  throw new Error(`no TypeScript type for ${JSON.stringify(type)}`);
}

function comment(docs, indent) {
  if (!docs?.length) return '';
  const lines = docs.flatMap((line) => line.split('\n')).map((line) => line.trim());
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`;
}

function fieldsOf(fields, prefix, indent = '  ') {
  return fields
    .filter(({ name }) => !FILLERS.has(name))
    .map(
      (field) =>
        `${comment(field.docs, indent)}${indent}${camel(field.name)}: ${typeOf(field.type, prefix, field.name)};\n`,
    )
    .join('');
}

/** The TypeScript module of one program. */
function render(idl, file) {
  const prefix = pascal(idl.metadata.name);
  const parts = [
    `// Written by chain/scripts/sync-idl.mjs from programs/artifacts/${file}. Do not edit: run the script.\n`,
    "import type { Idl } from '@coral-xyz/anchor';\n",
    "import type { PublicKey } from '@solana/web3.js';\n\n",
  ];
  for (const definition of idl.types ?? []) {
    const { kind } = definition.type;
    const name = `${prefix}${definition.name}`;
    parts.push(comment(definition.docs, ''));
    if (kind === 'struct') {
      const fields = definition.type.fields ?? [];
      if (fields.length > 0 && typeof fields[0].name !== 'string') throw new Error(`${name} is a tuple`);
      parts.push(`export interface ${name} {\n${fieldsOf(fields, prefix)}}\n\n`);
    } else if (kind === 'enum' && definition.type.variants.every((variant) => !variant.fields?.length)) {
      const names = definition.type.variants.map((variant) => `'${variant.name}'`);
      parts.push(`export type ${name} = ${names.join(' | ')};\n\n`);
    } else {
      throw new Error(`no TypeScript type for ${name}`);
    }
  }
  const map = (what, entries) =>
    parts.push(
      `/** ${what} */\nexport interface ${prefix}${entries.name} {\n${entries.items
        .map(([key, value]) => `  ${key}: ${value};\n`)
        .join('')}}\n\n`,
    );
  map('Accounts by name.', {
    name: 'Accounts',
    items: (idl.accounts ?? []).map(({ name }) => [name, `${prefix}${name}`]),
  });
  map('Events by name.', {
    name: 'Events',
    items: (idl.events ?? []).map(({ name }) => [name, `${prefix}${name}`]),
  });
  map("Instructions' arguments by name.", {
    name: 'Args',
    items: idl.instructions.map(({ name, args }) => [
      name,
      args.length === 0
        ? 'Record<never, never>'
        : `{ ${args.map((arg) => `${camel(arg.name)}: ${typeOf(arg.type, prefix, arg.name)}`).join('; ')} }`,
    ]),
  });
  map("Instructions' accounts by name.", {
    name: 'Keys',
    items: idl.instructions.map(({ name, accounts }) => [
      name,
      accounts.length === 0
        ? 'Record<never, never>'
        : `{ ${accounts.map((account) => `${camel(account.name)}: PublicKey`).join('; ')} }`,
    ]),
  });
  map("Errors' codes by name.", {
    name: 'Errors',
    items: (idl.errors ?? []).map(({ name, code }) => [name, code]),
  });
  const constant = `${camel(idl.metadata.name)}Idl`;
  parts.push(`export const ${constant}: Idl = ${JSON.stringify(idl, null, 2)};\n`);
  return parts.join('');
}

const check = process.argv.includes('--check');
let different = 0;
for (const file of readdirSync(artifacts).filter((name) => name.endsWith('.idl.json'))) {
  const path = join(output, `${basename(file, '.idl.json').replaceAll('_', '-')}.ts`);
  const text = render(JSON.parse(readFileSync(join(artifacts, file), 'utf8')), file);
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  different++;
  if (!check) writeFileSync(path, text);
  process.stdout.write(`${check ? 'differs' : 'written'}: ${path}\n`);
}
process.exitCode = check && different > 0 ? 1 : 0;
