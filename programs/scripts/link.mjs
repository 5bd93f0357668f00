// The linker that build.sh hands to rustc. It joins all bitcode into one module, drops what no exported symbol
// reaches, rewrites two things that LLVM 22's BPF back end cannot compile, and lets sbpf-linker write the program.
//
//  - A function with more than five parameters: the back end has five argument registers and no stack arguments.
//    Such functions are marked `alwaysinline`.
//  - `llvm.umul.with.overflow.i64`, which the back end would widen to a 128-bit product: calls go to a helper made
//    of 32-bit limbs.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const llvm = (tool, args) =>
  execFileSync(join(process.env.GTX_LLVM_BIN, tool), args, { stdio: ['ignore', 'inherit', 'inherit'] });

const CHECKED_MULTIPLICATION = `
define internal { i64, i1 } @checked_mul_u64(i64 %left, i64 %right) alwaysinline {
  %left.high = lshr i64 %left, 32
  %right.high = lshr i64 %right, 32
  %left.low = and i64 %left, 4294967295
  %right.low = and i64 %right, 4294967295
  %left.wide = icmp ne i64 %left.high, 0
  %right.wide = icmp ne i64 %right.high, 0
  %both.wide = and i1 %left.wide, %right.wide
  %cross.a = mul i64 %left.high, %right.low
  %cross.b = mul i64 %right.high, %left.low
  %cross = add i64 %cross.a, %cross.b
  %cross.top = lshr i64 %cross, 32
  %cross.wide = icmp ne i64 %cross.top, 0
  %high = shl i64 %cross, 32
  %low = mul i64 %left.low, %right.low
  %product = add i64 %high, %low
  %carried = icmp ult i64 %product, %high
  %wide = or i1 %both.wide, %cross.wide
  %overflow = or i1 %wide, %carried
  %partial = insertvalue { i64, i1 } poison, i64 %product, 0
  %result = insertvalue { i64, i1 } %partial, i1 %overflow, 1
  ret { i64, i1 } %result
}
`;

/** Where the parameter list that opens at `from` closes, and how many parameters it has. */
function parameterList(line, from) {
  let depth = 0;
  let commas = 0;
  let quoted = false;
  for (let i = from; i < line.length; i++) {
    const char = line[i];
    if (char === '"') quoted = !quoted;
    if (quoted) continue;
    if ('([{<'.includes(char)) depth++;
    else if (')]}>'.includes(char)) {
      depth--;
      if (depth === 0)
        return { end: i + 1, count: /^\(\s*\)$/.test(line.slice(from, i + 1)) ? 0 : commas + 1 };
    } else if (char === ',' && depth === 1) commas++;
  }
  throw new Error(`a parameter list without an end: ${line}`);
}

/** LLVM assembly in, LLVM assembly that the BPF back end can compile out. */
function legalise(text) {
  const attributes = new Map();
  for (const [, group, list] of text.matchAll(/^attributes #(\d+) = \{(.*)\}$/gm))
    attributes.set(group, list);
  let multiplies = false;
  const lines = text.split('\n').flatMap((original) => {
    if (/^declare .*@llvm\.umul\.with\.overflow\.i64\(/.test(original)) return [];
    let line = original.replaceAll('@llvm.umul.with.overflow.i64(', () => {
      multiplies = true;
      return '@checked_mul_u64(';
    });
    const definition = /^define\b.*?@(?:"[^"]*"|[\w.$-]+)(?=\()/.exec(line);
    if (definition) {
      const { end, count } = parameterList(line, definition[0].length);
      if (count > 5) {
        const tail = line.slice(end);
        const inlined = /#\d+/.test(tail)
          ? tail.replace(
              /#(\d+)/,
              (_, group) => `alwaysinline${(attributes.get(group) ?? '').replace(/\bnoinline\b/, '')}`,
            )
          : tail.replace(/\{$/, 'alwaysinline {');
        line = line.slice(0, end) + inlined;
      }
    }
    return [line];
  });
  return lines.join('\n') + (multiplies ? CHECKED_MULTIPLICATION : '');
}

const work = mkdtempSync(join(tmpdir(), 'gtx-link-'));
try {
  const inputs = [];
  const passedOn = [];
  let exported = '';
  for (const argument of process.argv.slice(2)) {
    if (argument.endsWith('symbols.o')) continue;
    if (argument.endsWith('.o')) inputs.push(argument);
    else if (argument.endsWith('.rlib')) {
      const folder = join(work, basename(argument, '.rlib'));
      mkdirSync(folder);
      llvm('llvm-ar', ['x', '--output', folder, argument]);
      const objects = readdirSync(folder).filter((name) => name.endsWith('.o'));
      inputs.push(...objects.sort().map((name) => join(folder, name)));
    } else {
      if (argument.startsWith('--export=')) exported = argument.slice('--export='.length);
      passedOn.push(argument);
    }
  }
  const joined = join(work, 'joined.bc');
  const reached = join(work, 'reached.bc');
  const assembly = join(work, 'program.ll');
  const program = join(work, 'program.o');
  llvm('llvm-link', [...inputs, '-o', joined]);
  const publicApi = `-internalize-public-api-list=${exported},__bpf_trap,bcmp`;
  llvm('opt', ['-passes=internalize,globaldce', publicApi, joined, '-o', reached]);
  llvm('llvm-dis', [reached, '-o', assembly]);
  writeFileSync(assembly, legalise(readFileSync(assembly, 'utf8')));
  if (process.env.GTX_KEEP_IR) copyFileSync(assembly, process.env.GTX_KEEP_IR);
  llvm('llvm-as', [assembly, '-o', program]);
  execFileSync(process.env.GTX_SBPF_LINKER, [program, ...passedOn], { stdio: 'inherit' });
} finally {
  rmSync(work, { recursive: true, force: true });
}
