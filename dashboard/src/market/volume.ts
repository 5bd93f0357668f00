/** What was traded in one part of a time. */
export interface Bucket {
  /** Unix seconds. */
  readonly middle: number;
  readonly total: number;
}

/** Amounts in equal parts of a time; parts without any are left out. Each trade counts in exactly one of them. */
export function bucketsOf(
  points: readonly { readonly at: number; readonly amount: number }[],
  from: number,
  to: number,
  parts: number,
): Bucket[] {
  const length = (to - from) / parts;
  const totals = new Map<number, number>();
  for (const { at, amount } of points) {
    const part = Math.min(parts - 1, Math.max(0, Math.floor((at - from) / length)));
    totals.set(part, (totals.get(part) ?? 0) + amount);
  }
  return [...totals]
    .sort(([a], [b]) => a - b)
    .map(([part, total]) => ({ middle: from + (part + 0.5) * length, total }));
}
