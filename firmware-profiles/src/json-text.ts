/** JSON (RFC 8259) with the position of every value, so that a message can name line and column. */

/** Where in a text: both from 1. */
export interface Position {
  line: number;
  column: number;
}

/** A text that is not JSON. */
export class JsonTextError extends Error {
  override readonly name = 'JsonTextError';

  constructor(
    message: string,
    readonly position: Position,
  ) {
    super(message);
  }
}

/** A parsed text: its value, and where each part of it stands. */
export interface JsonText {
  value: unknown;
  /** Where a value (or its key) stands; of a missing one, where the nearest parent does. */
  positionOf(path: readonly PropertyKey[]): Position;
}

/** Deeper than any profile; a guard against a text that would exhaust the stack. */
const DEEPEST = 64;

/** @throws JsonTextError for what is not JSON, and for a key that an object has twice */
export function parseJsonText(text: string): JsonText {
  const offsets = new Map<string, number>();
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;

  const position = (offset: number): Position => {
    const before = text.slice(0, offset);
    return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
  };
  const fail = (message: string, offset = at): never => {
    throw new JsonTextError(message, position(offset));
  };
  const blanks = () => {
    while (at < text.length && ' \t\r\n'.includes(text[at] as string)) at++;
  };
  const found = () => (at < text.length ? JSON.stringify(text[at]) : 'the end of the file');
  /** A token that JSON.parse understands, by its extent. */
  const token = (pattern: RegExp, what: string): unknown => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) return fail(`expected ${what}, found ${found()}`);
    const start = at;
    at += match[0].length;
    try {
      return JSON.parse(match[0]);
    } catch {
      return fail(`this is not ${what}`, start);
    }
  };
  const string = () => {
    const start = at;
    const value = token(/"(?:[^"\\\n]|\\.)*"?/y, 'a text in double quotes');
    return typeof value === 'string' ? value : fail('this text has no end', start);
  };
  const value = (path: string, depth: number): unknown => {
    blanks();
    if (depth > DEEPEST) fail('nested too deeply');
    if (!offsets.has(path)) offsets.set(path, at);
    const next = text[at];
    if (next === '"') return string();
    if (next === '{') {
      at++;
      const object: Record<string, unknown> = {};
      for (let first = true; ; first = false) {
        blanks();
        if (text[at] === '}') {
          if (!first) fail('a comma before the closing brace');
          at++;
          return object;
        }
        const start = at;
        const key = string();
        if (Object.hasOwn(object, key)) fail(`"${key}" is there twice`, start);
        const child = `${path}/${pointer(key)}`;
        offsets.set(child, start);
        blanks();
        if (text[at] !== ':') fail(`expected ":" after "${key}", found ${found()}`);
        at++;
        const content = value(child, depth + 1);
        Object.defineProperty(object, key, {
          value: content,
          enumerable: true,
          writable: true,
          configurable: true,
        });
        blanks();
        if (text[at] === '}') {
          at++;
          return object;
        }
        if (text[at] !== ',') fail(`expected "," or "}" after the value of "${key}", found ${found()}`);
        at++;
      }
    }
    if (next === '[') {
      at++;
      const list: unknown[] = [];
      blanks();
      if (text[at] === ']') {
        at++;
        return list;
      }
      for (;;) {
        list.push(value(`${path}/${list.length}`, depth + 1));
        blanks();
        if (text[at] === ']') {
          at++;
          return list;
        }
        if (text[at] !== ',') fail(`expected "," or "]", found ${found()}`);
        at++;
      }
    }
    return token(/true|false|null|-?[0-9][0-9.eE+-]*/y, 'a value');
  };

  const root = value('', 0);
  blanks();
  if (at < text.length) fail(`expected the end of the file, found ${found()}`);
  return {
    value: root,
    positionOf(path) {
      for (let length = path.length; length > 0; length--) {
        const key = path
          .slice(0, length)
          .map((part) => `/${pointer(String(part))}`)
          .join('');
        const offset = offsets.get(key);
        if (offset !== undefined) return position(offset);
      }
      return position(offsets.get('') ?? 0);
    },
  };
}

/** A key as a part of a JSON pointer (RFC 6901). */
function pointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
