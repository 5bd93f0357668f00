import type { Entry } from './entry.js';

/** All open orders of one side at one price: a queue, the oldest first. */
export class Level {
  /** GRID base units. */
  total = 0n;
  count = 0;
  head: Entry | undefined;
  tail: Entry | undefined;

  constructor(readonly price: bigint) {}

  /** Behind all that are older. Orders come in the chain's order, so that this hardly ever looks past the last one. */
  add(entry: Entry): void {
    let before = this.tail;
    while (before?.isYoungerThan(entry)) before = before.previous;
    entry.previous = before;
    entry.next = before === undefined ? this.head : before.next;
    if (entry.next === undefined) this.tail = entry;
    else entry.next.previous = entry;
    if (before === undefined) this.head = entry;
    else before.next = entry;
    entry.level = this;
    this.total += entry.remaining;
    this.count += 1;
  }

  remove(entry: Entry): void {
    if (entry.previous === undefined) this.head = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === undefined) this.tail = entry.previous;
    else entry.next.previous = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
    entry.level = undefined;
    this.total -= entry.remaining;
    this.count -= 1;
  }
}

interface Node {
  level: Level;
  next: (Node | undefined)[];
}

const MAX_HEIGHT = 20;

/**
 * The levels of one side by price, best first: a skip list (Pugh 1990), O(log n) to find, insert and delete, and a
 * linked list to walk along. The heights come from a fixed xorshift sequence, so that runs can be repeated.
 */
export class Levels {
  readonly #head: (Node | undefined)[] = [undefined];
  readonly #byPrice = new Map<bigint, Level>();
  #random = 0x9e3779b9;

  /** @param ascending whether the lowest price is the best: of sell orders it is */
  constructor(private readonly ascending: boolean) {}

  get size(): number {
    return this.#byPrice.size;
  }

  get(price: bigint): Level | undefined {
    return this.#byPrice.get(price);
  }

  best(): Level | undefined {
    return this.#head[0]?.level;
  }

  /** Best first. The list must not change meanwhile. */
  *[Symbol.iterator](): Generator<Level> {
    for (let node = this.#head[0]; node !== undefined; node = node.next[0]) yield node.level;
  }

  /** The level of a price, made if there is none. */
  at(price: bigint): Level {
    const found = this.#byPrice.get(price);
    if (found !== undefined) return found;
    const level = new Level(price);
    const height = this.#height();
    while (this.#head.length < height) this.#head.push(undefined);
    const links = this.#linksTo(price);
    const node: Node = { level, next: [] };
    for (let row = 0; row < height; row += 1) {
      const link = links[row] as (Node | undefined)[];
      node.next.push(link[row]);
      link[row] = node;
    }
    this.#byPrice.set(price, level);
    return level;
  }

  delete(price: bigint): void {
    if (!this.#byPrice.delete(price)) return;
    const links = this.#linksTo(price);
    const node = links[0]?.[0] as Node;
    for (let row = 0; row < node.next.length; row += 1) {
      (links[row] as (Node | undefined)[])[row] = node.next[row];
    }
  }

  /** For each row, the links of the last node before `price`. */
  #linksTo(price: bigint): (Node | undefined)[][] {
    const links: (Node | undefined)[][] = new Array(this.#head.length);
    let from = this.#head;
    for (let row = this.#head.length - 1; row >= 0; row -= 1) {
      for (
        let next = from[row];
        next !== undefined && (this.ascending ? next.level.price < price : next.level.price > price);
        next = from[row]
      ) {
        from = next.next;
      }
      links[row] = from;
    }
    return links;
  }

  #height(): number {
    // xorshift32 (Marsaglia 2003).
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    // A quarter of the nodes of each row are in the next one too.
    return Math.min(MAX_HEIGHT, 1 + (Math.clz32(x) >> 1));
  }
}
