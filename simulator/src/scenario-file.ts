/** Scenario files: YAML 1.2 (JSON is YAML too), validated, with line numbers in what is wrong. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { GtxError } from '@gridtokenx/protocol';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { z } from 'zod';
import { SimulatorConfig } from './config.js';

export interface LoadedScenario {
  config: SimulatorConfig;
  /** What the relative paths in it are relative to. */
  folder: string;
}

/**
 * Reads and validates a scenario file.
 * @throws GtxError CONFIG_INVALID; the message has a line `file:line:column: setting: what is wrong` for each fault
 */
export function loadScenario(file: string): LoadedScenario {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new GtxError('CONFIG_INVALID', `cannot read ${file}: ${(error as Error).message}`);
  }
  const folder = dirname(resolve(file));
  const config = parseScenario(text, file);
  const { transport } = config;
  return {
    config: {
      ...config,
      transport: 'link' in transport ? { ...transport, link: resolve(folder, transport.link) } : transport,
      ...(config.state_file === undefined ? {} : { state_file: resolve(folder, config.state_file) }),
    },
    folder,
  };
}

/** Validates a scenario's text; `file` names it in errors. @throws GtxError CONFIG_INVALID */
export function parseScenario(text: string, file: string): SimulatorConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => lines.linePos(offset);
  if (document.errors.length > 0) {
    throw invalid(
      file,
      document.errors.map((error) => ({ ...at(error.pos[0]), path: '', message: error.message })),
    );
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch (error) {
    throw invalid(file, [{ line: 1, col: 1, path: '', message: (error as Error).message }]);
  }
  const result = SimulatorConfig.safeParse(value);
  if (result.success) return result.data;
  throw invalid(
    file,
    result.error.issues.flatMap(flatten).map(({ path, message }) => ({
      ...at(offsetOf(document.contents, path)),
      path: path.map(String).join('.'),
      message,
    })),
  );
}

/** The JSON schema of scenario files, for editors. */
export function scenarioJsonSchema(): object {
  return {
    ...z.toJSONSchema(SimulatorConfig, { io: 'input', unrepresentable: 'any' }),
    title: 'gridtokenx simulator scenario',
  };
}

/** Unknown keys each by itself, and of alternatives what is wrong with the one that was meant. */
function flatten(issue: z.core.$ZodIssue): { path: PropertyKey[]; message: string }[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...issue.path, key], message: 'there is no such setting' }));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const likeliest = issue.errors
      .filter((errors) => !errors.some((error) => error.path.at(-1) === 'type'))
      .sort((a, b) => a.length - b.length)[0];
    if (likeliest !== undefined) {
      return likeliest
        .flatMap(flatten)
        .map(({ path, message }) => ({ path: [...issue.path, ...path], message }));
    }
  }
  return [{ path: issue.path, message: issue.message }];
}

function invalid(
  file: string,
  issues: { line: number; col: number; path: string; message: string }[],
): GtxError {
  const text = issues
    .sort((a, b) => a.line - b.line || a.col - b.col)
    .map(
      ({ line, col, path, message }) => `${file}:${line}:${col}: ${path === '' ? '' : `${path}: `}${message}`,
    );
  return new GtxError('CONFIG_INVALID', text.join('\n'), { issues });
}

/** Where in the text a setting stands; of a missing one, where its parent does. */
function offsetOf(root: Node | null, path: readonly PropertyKey[]): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
      if (pair === undefined) break;
      offset = (isScalar(pair.key) && pair.key.range?.[0]) || offset;
      node = pair.value;
    } else if (isSeq(node) && typeof key === 'number') {
      node = node.items[key];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}
