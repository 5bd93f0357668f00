import type { Entry } from './entry.js';

/** Orders by the time at which they expire: a binary heap, from which those that have left the book fall out lazily. */
export class ExpiryIndex {
  #heap: Entry[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** @param live how many orders are in the book: when most of the heap has left it, the heap is made anew */
  add(entry: Entry, live: number): void {
    if (entry.scheduled) return;
    entry.scheduled = true;
    if (this.#heap.length > 2 * live + 64) {
      this.#heap = this.#heap.filter((old) => {
        old.scheduled = !old.gone && old.status === 'open';
        return old.scheduled;
      });
      // A sorted array is a heap.
      this.#heap.sort((a, b) => a.expiresAt - b.expiresAt);
    }
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as Entry).expiresAt <= entry.expiresAt) break;
      heap[at] = heap[parent] as Entry;
      at = parent;
    }
    heap[at] = entry;
  }

  /** The next order with `expiresAt` at most `now`, taken out. It may have left the book. */
  pop(now: number): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.expiresAt > now) return undefined;
    first.scheduled = false;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (
        child + 1 < heap.length &&
        (heap[child + 1] as Entry).expiresAt < (heap[child] as Entry).expiresAt
      ) {
        child += 1;
      }
      if ((heap[child] as Entry).expiresAt >= last.expiresAt) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
