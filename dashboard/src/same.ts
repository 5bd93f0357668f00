/**
 * An answer that says what an earlier one said is the earlier one, and so is each part of it: whoever shows a part looks only at
 * whether it is another. For what JSON holds.
 */
export function sameAs<Answer>(before: unknown, now: Answer): Answer {
  if (Array.isArray(before) && Array.isArray(now)) {
    const kept = now.map((value, index) => sameAs(before[index], value));
    return (before.length === now.length && kept.every((value, index) => value === before[index])
      ? before
      : kept) as unknown as Answer;
  }
  if (!isObject(before) || !isObject(now)) return now;
  const kept = Object.entries(now).map(([name, value]) => [name, sameAs(own(before, name), value)] as const);
  const equal =
    kept.length === Object.keys(before).length &&
    kept.every(([name, value]) => Object.hasOwn(before, name) && value === before[name]);
  return (equal ? before : Object.fromEntries(kept)) as Answer;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const own = (of: Record<string, unknown>, name: string): unknown =>
  Object.hasOwn(of, name) ? of[name] : undefined;
