// docs.mjs [--check]: writes the reference part of docs/programs.md (instructions, accounts, errors, events, costs) from
// the IDLs and compute-units*.json. With --check it changes nothing and exits 1 when the page is not what it would write.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const json = (path) => JSON.parse(readFileSync(file(path), 'utf8'));
const typeName = (type) => {
  if (typeof type === 'string') return type;
  if (type.vec) return `vec<${typeName(type.vec)}>`;
  if (type.array) return `[${typeName(type.array[0])}; ${type.array[1]}]`;
  return type.defined.name;
};
const flags = (account) => [account.writable && 'w', account.signer && 's'].filter(Boolean).join('');
const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const table = (head, rows) =>
  [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => '---').join('|')}|`,
    ...rows.map((row) => `| ${row.map(cell).join(' | ')} |`),
  ].join('\n');

function program(title, name, costs) {
  const idl = json(`../artifacts/${name}.idl.json`);
  const parts = [
    `## ${title}`,
    '',
    `Program id \`${idl.address}\`. Accounts in this order; **w** writable, **s** signer.`,
    '',
  ];
  for (const instruction of idl.instructions) {
    const args = instruction.args.map((arg) => `${arg.name}: ${typeName(arg.type)}`).join(', ');
    const returns = instruction.returns ? ` → ${typeName(instruction.returns)}` : '';
    parts.push(`### ${instruction.name}(${args})${returns}`, '');
    if (instruction.docs) parts.push(instruction.docs.join(' ').trim(), '');
    parts.push(
      table(
        ['account', '', ''],
        instruction.accounts.map((account) => [
          account.name,
          flags(account),
          [account.docs?.join(' ').trim(), account.address && `\`${account.address}\``]
            .filter(Boolean)
            .join(' ') || '',
        ]),
      ),
      '',
    );
    const measured = Object.entries(costs).filter(
      ([key]) => key.split(',')[0] === `${name}.${instruction.name}`,
    );
    const text = measured.map(([key, cost]) => {
      const variant = key.split(', ')[1];
      const bytes = cost.transactionBytes ? `, ${cost.transactionBytes} bytes` : '';
      return `${variant ? `${variant}: ` : ''}${cost.computeUnits.toLocaleString('en')} compute units${bytes}`;
    });
    parts.push(`Cost: ${text.join('; ')}.`, '');
  }
  parts.push(`### Errors of ${name}`, '');
  parts.push(
    table(
      ['code', 'name', 'meaning'],
      idl.errors.map((error) => [`${error.code}`, `\`${error.name}\``, error.msg]),
    ),
    '',
  );
  parts.push(`### Events of ${name}`, '');
  const types = new Map(idl.types.map((type) => [type.name, type]));
  parts.push(
    table(
      ['event', 'fields', ''],
      idl.events.map(({ name: event }) => {
        const type = types.get(event);
        const fields = type.type.fields.map((field) => `${field.name} ${typeName(field.type)}`).join(', ');
        return [`\`${event}\``, fields, type.docs?.join(' ').trim() ?? ''];
      }),
    ),
    '',
  );
  return parts;
}

// One table for each test that measures: compute-units.json, compute-units.trading.json, ...
const costs = Object.assign(
  {},
  ...readdirSync(file('..'))
    .filter((name) => /^compute-units.*\.json$/.test(name))
    .sort()
    .map((name) => json(`../${name}`)),
);
/** Title and file name of each program, in the order of the page. */
const programs = [
  ['registry', 'registry'],
  ['energy-token', 'energy_token'],
  ['trading', 'trading'],
  ['oracle', 'oracle'],
  ['governance', 'governance'],
  ['certificates', 'certificates'],
].filter(([, name]) => existsSync(file(`../artifacts/${name}.idl.json`)));
const main = [
  ['registry.submit_meter_reading', 'accept a signed reading', '2,000'],
  ['registry.settle_and_mint_tokens', 'settle and mint', '9,000'],
  ['registry.submit_and_mint, 1 meter', 'both in one instruction', ''],
  ['registry.submit_and_mint, 5 meters', 'both for five meters', ''],
  ['registry.register_meter', 'register a meter', ''],
  ['trading.create_order, a sell order', 'make a sell order', '12,000'],
  ['trading.create_order, a buy order', 'make a buy order', '12,000'],
  ['trading.match_order, a whole sell order', 'match a whole sell order', '16,000'],
  ['trading.cancel_order', 'cancel an order', '9,000'],
  ['trading.cross_orders, 4 pairs of strangers', 'cross four pairs (lookup table)', ''],
  ['oracle.submit_price, eight publishers', 'submit a price, one of eight', '3,000'],
  ['governance.vote, a first one whose address is found at try 1', 'vote', '8,000'],
  ['governance.vote, a changed one', 'change a vote', '8,000'],
];
const sections = {
  costs: table(
    ['', 'goal', 'compute units', 'accounts', 'transaction bytes'],
    main.map(([key, what, goal]) => {
      const { computeUnits, accounts, transactionBytes } = costs[key];
      return [
        what,
        goal,
        computeUnits.toLocaleString('en'),
        `${accounts}`,
        transactionBytes.toLocaleString('en'),
      ];
    }),
  ),
  reference: programs
    .flatMap(([title, name]) => program(title, name, costs))
    .join('\n')
    .trimEnd(),
};

const page = file('../../docs/programs.md');
const text = readFileSync(page, 'utf8');
let wanted = text;
for (const [name, content] of Object.entries(sections)) {
  const begin = `<!-- ${name}: written by programs/scripts/docs.mjs -->`;
  const end = `<!-- end of ${name} -->`;
  const [before, rest] = wanted.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`${page} lacks the marks of ${name}`);
  wanted = `${before}${begin}\n\n${content}\n\n${end}${after}`;
}
if (process.argv.includes('--check')) {
  if (wanted !== text) {
    console.error(
      'docs/programs.md is not what the IDLs and compute-units.json say: run node programs/scripts/docs.mjs',
    );
    process.exit(1);
  }
} else writeFileSync(page, wanted);
