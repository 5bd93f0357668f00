import { fitted } from './colours.js';

/**
 * Lines that run through a terminal above a few that stay at its bottom and are drawn anew. Nothing is moved but the
 * cursor up to where the panel begins, so that what ran through can be scrolled back to.
 */
export class Panel {
  #drawn = 0;
  #lines: readonly string[] = [];
  #waiting: string[] = [];

  /**
   * @param write puts text on the terminal
   * @param columns how wide it is at the moment
   * @param soon runs something a little later: lines that come at once are written at once, with one picture
   */
  constructor(
    private readonly write: (text: string) => void,
    private readonly columns: () => number,
    private readonly soon: (run: () => void) => void = setImmediate,
  ) {}

  /** A line of its own above the panel. */
  line(text: string): void {
    this.#waiting.push(text);
    if (this.#waiting.length === 1) this.soon(() => this.#flush());
  }

  /** What the panel shows from now on. */
  show(lines: readonly string[]): void {
    this.#lines = lines;
    this.#draw();
  }

  /** The panel stays as it is; what comes next is below. */
  end(): void {
    this.#flush();
    this.#drawn = 0;
    this.#lines = [];
  }

  #flush(): void {
    if (this.#waiting.length > 0) this.#draw();
  }

  #draw(): void {
    const lines = this.#waiting.map((line) => `${line}\n`).join('');
    this.#waiting = [];
    this.write(this.#erased() + lines + this.#picture());
  }

  /** Up to where the panel began, and everything below it cleared (ECMA-48 8.3.22 CUU, 8.3.39 ED). */
  #erased(): string {
    return this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\r\u001b[J`;
  }

  #picture(): string {
    const columns = this.columns();
    // One row each: a line that wraps would be left behind by the next picture.
    const rows = this.#lines.map((line) => fitted(line, columns));
    this.#drawn = rows.length;
    return rows.map((row) => `${row}\n`).join('');
  }
}
